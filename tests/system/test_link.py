"""test_link.py — who may tie which upload to which message, and who reads what then."""
import socket
import threading
import uuid
from urllib.parse import quote

import pytest

from http_client import form
from processes import wait_until


def new_id(what):
    return f"{what}-{uuid.uuid4().hex[:8]}"


def assert_refused(stack, answer, before, status=409):
    assert answer.status == status, str(answer)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert stack.snapshot() == before, "a refused link changed something"


# --- linking ----------------------------------------------------------------------------------------------------------

def test_an_uploader_ties_his_files_to_a_message_in_the_order_asked(local):
    ids = [local.upload(n.encode(), n)["id"] for n in "abc"]
    message, dialog = new_id("m"), new_id("d")
    asked = [ids[2], ids[0], ids[1]]
    answer = local.link(message, *asked, dialog_id=dialog)
    assert answer.status == 200, str(answer)
    assert [a["id"] for a in answer.json()] == asked
    for a in answer.json():
        assert (a["status"], a["message_id"], a["dialog_id"]) == ("linked", message, dialog)
        assert local.get("/api/attachments/" + a["id"]).json() == a


def test_linking_again_is_a_success_with_the_same_answer(local):
    ids = [local.upload()["id"] for _ in range(2)]
    message = new_id("m")
    first = local.link(message, *ids)
    before = local.snapshot()
    again = local.link(message, *ids)
    assert (again.status, again.json()) == (200, first.json())
    assert local.snapshot() == before


def test_numbers_are_ids_too(local):
    made = local.upload()
    answer = local.link(17, made["id"])
    assert answer.status == 200 and answer.json()[0]["message_id"] == "17"
    local.sql("DELETE FROM attachments WHERE id = %s", made["id"])


@pytest.mark.parametrize("bad", ["foreign", "linked", "unknown", "malformed", "of the service", "a number", "null"])
@pytest.mark.parametrize("place", [0, 1])
def test_one_id_that_cannot_be_linked_and_nothing_changes(local, bad, place):
    good = local.upload()["id"]
    other = {"unknown": str(uuid.uuid4()), "malformed": "../etc/passwd", "a number": 7, "null": None}.get(bad)
    if bad == "foreign":
        other = local.upload(user="bob")["id"]
    if bad == "of the service":
        other = local.put(b"x", user="service").json()["id"]
    if bad == "linked":
        other = local.upload()["id"]
        assert local.link(new_id("m"), other).status == 200
    before = local.snapshot()
    ids = [good, other] if place else [other, good]
    assert_refused(local, local.link(new_id("m"), *ids), before)
    assert local.link(new_id("m"), good).status == 200


def test_foreign_linked_unknown_and_malformed_ids_are_told_apart_by_nobody(local):
    linked = local.upload()["id"]
    local.link(new_id("m"), linked)
    ids = [local.upload(user="bob")["id"], linked, str(uuid.uuid4()), "nonsense"]
    answers = {local.link(new_id("m"), one).json()["detail"] for one in ids}
    assert len(answers) == 1


def test_a_user_cannot_link_in_the_name_of_another(local):
    made = local.upload(user="bob")
    before = local.snapshot()
    assert_refused(local, local.link(new_id("m"), made["id"], uploader_id="bob"), before, 403)
    assert local.link(new_id("m"), made["id"], user="bob", uploader_id="bob").status == 200


def test_the_service_links_for_a_user_it_names_and_for_no_other(local):
    made = local.upload(user="bob")
    before = local.snapshot()
    assert_refused(local, local.link(new_id("m"), made["id"], user="service"), before)
    assert_refused(local, local.link(new_id("m"), made["id"], user="service", uploader_id="carol"), before)
    assert local.link(new_id("m"), made["id"], user="service", uploader_id="bob").status == 200


def test_nobody_adds_his_file_to_a_message_of_somebody_else(local):
    message, dialog = new_id("m"), new_id("d")
    assert local.link(message, local.upload()["id"], dialog_id=dialog).status == 200
    intruder = local.upload(user="bob")["id"]
    before = local.snapshot()
    assert_refused(local, local.link(message, intruder, user="bob", dialog_id=dialog), before)


def test_a_file_uploaded_for_one_dialog_is_not_linked_in_another(local):
    made = local.upload(dialog_id="d-one")
    before = local.snapshot()
    assert_refused(local, local.link(new_id("m"), made["id"], dialog_id="d-two"), before)
    assert local.link(new_id("m"), made["id"]).json()[0]["dialog_id"] == "d-one"


def test_only_members_link_in_a_dialog_that_has_members(local):
    dialog = new_id("d")
    local.members(dialog, "bob")
    made = local.upload()
    before = local.snapshot()
    assert_refused(local, local.link(new_id("m"), made["id"], dialog_id=dialog), before)
    local.members(dialog, "bob", "alice")
    assert local.link(new_id("m"), made["id"], dialog_id=dialog).status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"message_id":"m"}', b'{"attachment_ids":["x"]}',
                                  b'{"message_id":"m","attachment_ids":[]}', b'{"message_id":"m","attachment_ids":"x"}',
                                  b'{"message_id":"","attachment_ids":["x"]}',
                                  b'{"message_id":["m"],"attachment_ids":["x"]}',
                                  b'{"message_id":"m\\u0000","attachment_ids":["x"]}', b"\xff\xfe", b"[" * 100_000])
def test_a_malformed_link_is_400_and_changes_nothing(local, body):
    before = local.snapshot()
    assert_refused(local, local.call("POST", "/api/attachments/link", body=body), before, 400)


def test_of_two_links_at_once_to_different_messages_one_wins(local):
    for _ in range(5):
        ids = [local.upload()["id"] for _ in range(3)]
        messages, answers = [new_id("m"), new_id("m")], {}
        threads = [threading.Thread(target=lambda m=m, i=i: answers.update({m: local.link(m, *i).status}))
                   for m, i in zip(messages, (ids, ids[::-1]))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert sorted(answers.values()) == [200, 409]
        winner = next(m for m in messages if answers[m] == 200)
        assert {local.get("/api/attachments/" + i).json()["message_id"] for i in ids} == {winner}


# --- reading ----------------------------------------------------------------------------------------------------------

def reads(stack, attachment, user):
    """The statuses of everything that shows an attachment."""
    return {stack.get(attachment["url"], user).status, stack.get("/api/attachments/" + attachment["id"], user).status,
            stack.get(attachment["url"], user, method="HEAD").status}


@pytest.mark.parametrize("where", ["local", "s3", "s3_redirect"])
def test_members_read_a_linked_file_and_strangers_do_not(where, request):
    stack = request.getfixturevalue(where)
    dialog = new_id("d")
    stack.members(dialog, "alice", "bob")
    made = stack.upload()
    good = {302, 200} if where == "s3_redirect" else {200}
    assert reads(stack, made, "bob") == {404}, "not linked yet"
    assert stack.link(new_id("m"), made["id"], dialog_id=dialog).status == 200
    for user, expected in (("alice", good), ("bob", good), ("service", good), ("mallory", {404}), (None, {401})):
        assert reads(stack, made, user) == expected, user


def test_losing_membership_takes_effect_with_the_next_request(local):
    dialog = new_id("d")
    local.members(dialog, "alice", "bob")
    made = local.upload()
    local.link(new_id("m"), made["id"], dialog_id=dialog)
    assert reads(local, made, "bob") == {200}
    local.members(dialog, "alice")
    assert reads(local, made, "bob") == {404}
    local.sql("INSERT INTO dialog_members VALUES (%s, 'bob')", dialog)  # the application may also write the rows itself
    assert reads(local, made, "bob") == {200}


def test_a_file_without_a_dialog_is_read_by_its_uploader_alone(local):
    made = local.upload()
    local.link(new_id("m"), made["id"])
    assert reads(local, made, "alice") == {200} and reads(local, made, "bob") == {404}


def shape(answer, path_id):
    """An answer without what may differ between two cloaked ones."""
    request = answer.headers["X-Request-Id"]
    headers = [(k, v.replace(request, "REQ")) for k, v in answer.headers.items() if k != "Date"]
    return answer.status, headers, answer.body.replace(request.encode(), b"REQ").replace(path_id.encode(), b"ID")


@pytest.mark.parametrize("where", ["local", "local_stream", "s3", "s3_redirect", "s3_stream"])
def test_missing_foreign_and_malformed_ids_give_the_same_404(where, request):
    stack = request.getfixturevalue(where)
    owner = request.getfixturevalue(where.partition("_")[0])
    foreign = owner.upload(user="bob")["id"]
    linked = owner.upload(user="bob")["id"]
    owner.link(new_id("m"), linked, user="bob", dialog_id=new_id("d"))
    deleted = owner.upload()["id"]
    owner.call("DELETE", "/api/attachments/" + deleted)
    ids = [foreign, linked, deleted, str(uuid.uuid4()), foreign.upper(), foreign[:-1], "nonsense", "%20", "a" * 300,
           "00000000-0000-0000-0000-000000000000", "1%20OR%201=1"]
    for method, path in (("GET", "/api/files/{}/test.bin"), ("HEAD", "/api/files/{}/test.bin"),
                         ("GET", "/api/files/{}/test.bin?download=1"), ("GET", "/api/attachments/{}"),
                         ("DELETE", "/api/attachments/{}")):
        shapes = {i: shape(stack.call(method, path.format(i)), i) for i in ids}
        first = shapes[ids[0]]
        assert first[0] == 404
        for i, other in shapes.items():
            assert other == first, (method, path, i)
    assert reads(owner, {"id": foreign, "url": f"/api/files/{foreign}/x"}, "bob") == {200}, "a refusal deleted it"


def test_conditions_and_ranges_do_not_change_the_404(local):
    foreign = local.upload(user="bob")["id"]
    for headers in ({"Range": "bytes=0-3"}, {"If-None-Match": "*"}, {"If-Match": '"x"'}, {"Range": "bytes=999999-"}):
        a = local.get(f"/api/files/{foreign}/x", headers=headers)
        b = local.get(f"/api/files/{uuid.uuid4()}/x", headers=headers)
        assert shape(a, "-") == shape(b, "-") and a.status == 404


# --- lists ------------------------------------------------------------------------------------------------------------

def test_a_batch_by_message_shows_what_the_caller_may_read(local):
    dialog, other = new_id("d"), new_id("d")
    local.members(dialog, "alice", "bob")
    local.members(other, "carol")
    m1, m2, m3 = sorted(new_id("m") for _ in range(3))
    a, b = local.upload(b"1")["id"], local.upload(b"2")["id"]
    c, d = local.upload(b"3")["id"], local.upload(user="carol")["id"]
    local.link(m1, b, a, dialog_id=dialog)
    local.link(m2, c, dialog_id=dialog)
    local.link(m3, d, user="carol", dialog_id=other)

    def batch(user, *messages):
        answer = local.get("/api/attachments?message_ids=" + ",".join(messages), user)
        assert answer.status == 200, str(answer)
        return [x["id"] for x in answer.json()]

    assert batch("bob", m2, m1, m3, new_id("m")) == [a, b, c]  # by message, then by time
    assert batch("alice", m1) == [a, b]
    assert batch("carol", m1, m2, m3) == [d]
    assert batch("service", m1, m2, m3) == [a, b, c, d]
    assert batch("mallory", m1, m2, m3) == []


def test_a_batch_takes_odd_ids_and_at_most_500(local):
    odd = new_id("a,b&c=d %é")
    made = local.upload()
    local.link(odd, made["id"])
    assert [a["id"] for a in local.get("/api/attachments?message_ids=x&message_id=" + quote(odd, safe="")).json()] == [made["id"]]
    many = ",".join(f"m{i}" for i in range(501))
    assert local.get("/api/attachments?message_ids=" + many).status == 400
    assert local.get("/api/attachments?message_ids=" + many.rpartition(",")[0]).status == 200
    assert local.get("/api/attachments").status == 400
    assert local.get("/api/attachments?message_ids=").status == 400


def test_one_sees_his_own_unlinked_uploads_newest_first(local):
    user = new_id("u")
    made = [local.upload(b"%d" % i, user=user)["id"] for i in range(3)]
    local.link(new_id("m"), made[1], user=user)
    local.upload(user="bob")
    listed = local.get("/api/attachments?status=uploaded", user)
    assert [a["id"] for a in listed.json()] == [made[2], made[0]]
    assert local.get("/api/attachments?status=uploaded", new_id("u")).json() == []
    as_service = local.get("/api/attachments?status=uploaded", "service", {"X-Uploader-Id": user})
    assert [a["id"] for a in as_service.json()] == [made[2], made[0]]


def test_an_upload_whose_answer_was_lost_is_a_staged_row_that_its_uploader_sees(local):
    user = new_id("u")
    body, kind = form([("lost answer.txt", b"sent whole")])
    with socket.create_connection(("127.0.0.1", local.port)) as s:  # the whole request, then gone
        lines = [f"{k}: {v}" for k, v in {**local.identity(user), "Content-Type": kind, "Host": "x",
                                          "Content-Length": len(body)}.items()]
        s.sendall(("POST /api/upload HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode() + body)
        s.shutdown(socket.SHUT_RDWR)
    listed = None
    try:
        listed = wait_until(lambda: local.get("/api/attachments?status=uploaded", user).json(), 2)
    except TimeoutError:
        pass  # nginx noticed in time and did not pass it on: then there is nothing at all
    if listed:
        assert [(a["filename"], a["status"]) for a in listed] == [("lost answer.txt", "uploaded")]
        assert local.get(listed[0]["url"], user).body == b"sent whole"
        assert local.get(listed[0]["url"], "bob").status == 404
    local.assert_whole()
