"""test_external.py — files that live elsewhere: registered by the application's server, read by whoever may, deleted as a row."""
import json
import uuid

import pytest

from test_quotas import used

URL = "https://media.example.com/a.png?signature=abc"


def new_id(what):
    return f"{what}-{uuid.uuid4().hex[:8]}"


def made(stack, **more):
    answer = stack.register(URL, uploader_id="alice", **more)
    assert answer.status == 201, str(answer)
    return answer.json()


def assert_sent_on(answer):
    assert (answer.status, answer.headers["Location"], answer.body) == (302, URL, b""), str(answer)
    assert answer.headers.get_all("Cache-Control") == ["private, no-store"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "ETag" not in answer.headers


@pytest.fixture(params=["local", "s3"])
def stack(request):
    return request.getfixturevalue(request.param)


def test_a_registered_file_has_its_own_address_and_one_here(stack):
    message, dialog = new_id("m"), new_id("d")
    answer = stack.register(URL, "Überblick.png", uploader_id="alice", message_id=message, dialog_id=dialog, account_id=7)
    a = answer.json()
    assert answer.status == 201 and answer.headers["Location"] == a["url"]
    assert a["data_url"] == a["thumb_url"] == URL
    assert a["url"] == f"/api/files/{a['id']}/%C3%9Cberblick.png"
    assert (a["size"], a["file_size"], a["sha256"], a["width"]) == (None, None, None, None)
    assert (a["status"], a["message_id"], a["dialog_id"], a["account_id"]) == ("linked", message, dialog, "7")
    assert (a["file_type"], a["extension"], a["mime_type"]) == ("image", "png", "image/png")
    assert stack.get("/api/attachments/" + a["id"]).json() == a
    assert stack.get("/api/attachments?message_ids=" + message).json() == [a]


def test_readers_are_sent_there(stack):
    dialog = new_id("d")
    stack.members(dialog, "alice", "bob")
    a = made(stack, message_id=new_id("m"), dialog_id=dialog)
    addresses = [a["url"], a["url"] + "?download=1", f"/api/files/{a['id']}/thumb/a.png",
                 f"/api/support-chat/attachments/{dialog}/{a['id']}"]
    for path in addresses:
        for method in ("GET", "HEAD"):
            assert_sent_on(stack.get(path, "bob", method=method))
            assert stack.get(path, "mallory", method=method).status == 404
    assert_sent_on(stack.get(a["url"], "bob", {"Range": "bytes=0-1", "If-None-Match": "*", "If-Match": '"x"'}))


def test_it_is_uploaded_linked_and_deleted_beside_others(stack):
    here, there = stack.upload(b"here"), made(stack)
    assert there["status"] == "uploaded"
    assert there["id"] in {a["id"] for a in stack.get("/api/attachments?status=uploaded").json()}
    message = new_id("m")
    linked = stack.link(message, there["id"], here["id"], dialog_id=new_id("d"))
    assert linked.status == 200 and [a["id"] for a in linked.json()] == [there["id"], here["id"]]
    jobs = stack.sql("SELECT count(*) FROM jobs WHERE payload->>'key' IS NULL")
    assert stack.call("DELETE", "/api/messages/" + message, "service").status == 204
    assert stack.get(there["url"]).status == 404 and stack.get(here["url"]).status == 404
    assert stack.sql("SELECT count(*) FROM jobs WHERE payload->>'key' IS NULL") == jobs
    alone = made(stack)
    assert stack.call("DELETE", "/api/attachments/" + alone["id"], "alice").status == 204
    assert stack.get(alone["url"]).status == 404
    assert stack.sql("SELECT count(*) FROM deletion_tickets WHERE key IS NULL") == [(0,)]
    stack.assert_whole()


@pytest.mark.parametrize("url, words", [
    ("javascript:alert(1)", "https://"), ("//evil.example/x", "https://"), ("/api/files/x", "https://"), ("", "external_url"),
    ("https://me:geheim@media.example.com/", "leave it out"), ("https://media.example.com/a b", "percent-encode"),
    ("https://media.example.com/\r\nSet-Cookie: a=b", "percent-encode"), ("https://good.example\\@evil.example", "percent-encode"),
    ("https://", "host"), ("https://media.example.com/" + 2048 * "a", "2048")])
def test_other_addresses_are_refused_with_what_to_do(local, url, words):
    before = local.sql("SELECT count(*) FROM attachments")
    answer = local.register(url)
    assert answer.status == 400 and answer.headers["Content-Type"] == "application/problem+json"
    assert words in answer.json()["detail"] and "geheim" not in answer.body.decode()
    assert local.sql("SELECT count(*) FROM attachments") == before
    assert "geheim" not in str(local.all_logs())


def test_with_redirects_and_a_cdn_it_is_the_same(new_stack, s3):
    for settings in ({"DELIVERY": "redirect"}, {"VISIBILITY": "public", "CDN_URL": "https://cdn.example.com"}):
        stack = new_stack(stack={"like": s3}, **settings)
        a = made(stack)
        assert a["data_url"] == a["thumb_url"] == URL and a["url"].startswith("/api/files/")
        assert_sent_on(stack.get(a["url"]))
        assert stack.get(a["url"], None).status == (302 if "CDN_URL" in settings else 401)


def test_it_takes_no_room_and_no_picture_is_made_of_it(new_stack):
    stack = new_stack(stack={"images": True}, QUOTA_USER_FILES="1", QUOTA_DIALOG_BYTES="10")
    dialog = new_id("d")
    for _ in range(3):
        a = made(stack, dialog_id=dialog, message_id=new_id("m"))
    assert used(stack) == (0, 0) and used(stack, dialog, "dialog") == (0, 0)
    assert stack.put(b"0123456789", query="?dialog_id=" + dialog).status == 201
    assert stack.put(b"0").status == 413
    free = made(stack)
    assert stack.link(new_id("m"), free["id"], dialog_id=dialog).status == 200
    assert stack.sql("SELECT * FROM cloakroom_recount_usage()") == []
    assert stack.sql("SELECT count(*) FROM jobs WHERE kind = 'make_variants'") == [(0,)]
    rebuilt = json.loads(stack.tool("variants", "--rebuild", "--json").stdout)
    assert (rebuilt["files"], rebuilt["failed"]) == (0, 0)
    signed = stack.tool("sign", a["id"], check=False)
    assert signed.returncode == 1 and "elsewhere" in signed.stderr


def test_the_address_is_in_no_log(local):
    a = made(local)
    local.get(a["url"])
    assert "signature=abc" not in str(local.all_logs())
