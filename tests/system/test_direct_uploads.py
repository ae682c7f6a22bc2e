"""test_direct_uploads.py — files that go from a browser straight to the bucket, and what makes them attachments."""
import concurrent.futures
import hashlib
import json
import mmap
import os
import signal
import time
from urllib.parse import urlsplit

import pytest
import requests

from conftest import SOAK
from processes import PeakMemory, wait_until
from stack import MIB

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89"
HTML = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
QUARANTINE = "quarantine/"


@pytest.fixture(scope="module", params=["PUT", "POST"])
def direct(request, world):
    """A stack on Ceph that gives tickets of this method."""
    provider = {"PUT": "swift", "POST": "ceph"}[request.param]
    stack = world.stack({"S3_PROVIDER": provider, "DIRECT_UPLOAD_PART_SIZE": "5M", "WORKERS": "3"}, s3=True).start()
    stack.method = request.param
    yield stack
    stack.stop()
    world.stacks.remove(stack)


def post(stack, path, body=None, user="alice"):
    return stack.call("POST", path, user, {"Content-Type": "application/json"}, json.dumps(body or {}))


def ask(stack, data=PNG, name="a.png", kind="image/png", user="alice", **more):
    wish = {"filename": name, "size": len(data), "content_type": kind, **more}
    answer = post(stack, "/api/direct-uploads", wish, user)
    assert answer.status == 201, str(answer)
    return answer.json()


def send(ticket, data, **changed):
    """As a page would do it. `changed`: other headers or fields than the ticket says."""
    session = requests.Session()
    session.trust_env = False
    if ticket["method"] == "PUT":
        return session.put(ticket["url"], data=data, headers={**ticket["headers"], **changed}, timeout=60)
    fields = list({**ticket["fields"], **changed}.items())
    return session.post(ticket["url"], files=[(k, (None, v)) for k, v in fields] + [("file", ("x", data))], timeout=60)


def complete(stack, ticket, user="alice", body=None):
    return post(stack, f"/api/direct-uploads/{ticket['id']}/complete", body, user)


def upload(stack, data=PNG, **wish):
    ticket = ask(stack, data, **wish)
    assert send(ticket, data).status_code in (200, 201, 204)
    return ticket


def quarantined(stack):
    return {k for k in stack.objects() if k.startswith(QUARANTINE)}


def assert_refused(stack, ticket, answer, status, words):
    """The ticket is void, and the object goes at once."""
    assert answer.status == status, str(answer)
    assert words in answer.json()["detail"], answer.json()["detail"]
    wait_until(lambda: QUARANTINE + ticket["id"].replace("-", "") not in stack.objects(), 10, "the object goes")
    assert complete(stack, ticket).status == 404
    assert not stack.sql("SELECT 1 FROM attachments WHERE filename = %s", "refused.bin")


@pytest.mark.parametrize("data, kind", [(PNG + b"x" * 5000, "image/png"), (b"", "text/plain"), (b"words\n", "text/plain")],
                         ids=["png", "empty", "text"])
def test_a_file_goes_straight_to_the_store_and_becomes_an_attachment(direct, data, kind):
    ticket = ask(direct, data, "Bild ä.png", kind, dialog_id="d1", sha256=hashlib.sha256(data).hexdigest())
    assert ticket["method"] == direct.method
    assert ticket["url"].startswith(direct.settings["S3_ENDPOINT"] + "/")
    sent = send(ticket, data)
    assert sent.status_code in (200, 201), sent.text
    answer = complete(direct, ticket)
    assert answer.status == 201, str(answer)
    made = answer.json()
    assert (made["filename"], made["size"], made["status"]) == ("Bild ä.png", len(data), "uploaded")
    assert (made["uploader_id"], made["dialog_id"]) == ("alice", "d1")
    assert made["sha256"] == hashlib.sha256(data).hexdigest()
    assert answer.headers["Location"] == "/api/attachments/" + made["id"]
    assert direct.get(made["url"]).body == data
    assert direct.get(made["url"], user="bob").status == 404
    seen = direct.s3.head_object(Bucket=direct.settings["S3_BUCKET"], Key=direct.key_of(made))
    assert seen["Metadata"] == {"attachment-id": made["id"]}
    assert seen["CacheControl"] == "public, max-age=3600"
    wait_until(lambda: not quarantined(direct), 10, "the quarantine is empty")
    direct.assert_whole()


def test_completing_again_gives_the_same_attachment_until_it_is_removed(direct):
    ticket = upload(direct)
    first, second = complete(direct, ticket), complete(direct, ticket)
    assert (first.status, second.status) == (201, 200)
    assert first.json() == second.json()
    assert direct.call("DELETE", "/api/attachments/" + first.json()["id"]).status == 204
    assert complete(direct, ticket).status == 404, "a removed file does not come back"


def test_two_completions_at_once_make_one_attachment(direct):
    before = direct.sql("SELECT count(*) FROM attachments")[0][0]
    for _ in range(4):
        ticket = upload(direct, PNG + os.urandom(200000))
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(lambda _: complete(direct, ticket), range(3)))
        assert sorted(a.status for a in answers) == [200, 200, 201], [str(a) for a in answers]
        assert len({a.json()["id"] for a in answers}) == 1
    assert direct.sql("SELECT count(*) FROM attachments")[0][0] == before + 4
    wait_until(lambda: set(direct.objects()) == set(direct.rows()), 15, "the copies of the slower ones are removed")
    direct.assert_whole()


def test_only_its_owner_completes_a_ticket(direct):
    ticket = upload(direct)
    for user in ("bob", "service"):
        assert complete(direct, ticket, user).status == 404
        assert post(direct, f"/api/direct-uploads/{ticket['id']}/parts", {"part_numbers": [1]}, user).status == 404
    assert complete(direct, ticket, None).status == 401
    assert post(direct, "/api/direct-uploads", {"filename": "a", "size": 1}, None).status == 401
    for other in ("0198c0de-beef-7abc-89ab-0123456789ab", "17"):
        assert complete(direct, {"id": other}).status == 404
    assert complete(direct, ticket).status == 201


def test_what_the_rules_forbid_gets_no_ticket(direct):
    for body, status in (({"filename": "a", "size": 65 * MIB}, 413), ({"filename": "a"}, 400), ({"size": 1}, 400),
                         ({"filename": "a", "size": -1}, 400), ({"filename": "a", "size": "1"}, 400),
                         ({"filename": "a", "size": 1, "sha256": "00"}, 400),
                         ({"filename": "a", "size": 1, "dialog_id": ""}, 400), (["a"], 400)):
        answer = post(direct, "/api/direct-uploads", body)
        assert answer.status == status, (body, str(answer))


def test_completing_before_the_upload_says_so_and_the_ticket_stays(direct):
    ticket = ask(direct)
    answer = complete(direct, ticket)
    assert answer.status == 409 and "upload it first" in answer.json()["detail"]
    assert send(ticket, PNG).ok
    assert complete(direct, ticket).status == 201


def assert_harmless(stack, ticket, form):
    """Whoever may read the bucket, by a CDN say, is shown nothing of what nobody has looked at."""
    seen = stack.s3.head_object(Bucket=stack.settings["S3_BUCKET"], Key=QUARANTINE + ticket["id"].replace("-", ""))
    assert seen["ContentType"] == "application/octet-stream"
    if not form:  # Ceph forgets it
        assert seen["ContentDisposition"] == "attachment"


def test_what_lies_in_quarantine_is_shown_by_no_browser(direct):
    ticket = upload(direct, HTML, name="a.html", kind="text/html")
    if direct.method == "POST":
        assert ticket["fields"]["Content-Disposition"] == "attachment"
    assert_harmless(direct, ticket, direct.method == "POST")
    made = complete(direct, ticket).json()
    seen = direct.s3.head_object(Bucket=direct.settings["S3_BUCKET"], Key=direct.key_of(made))
    assert seen["ContentType"] == made["mime_type"] == "text/html"
    assert seen["ContentDisposition"].startswith("attachment; filename=")
    picture = complete(direct, upload(direct, PNG)).json()
    seen = direct.s3.head_object(Bucket=direct.settings["S3_BUCKET"], Key=direct.key_of(picture))
    assert seen["ContentType"] == "image/png" and seen["ContentDisposition"].startswith("inline; filename=")


def test_the_store_takes_no_other_size_or_type(direct):
    ticket = ask(direct)
    assert send(ticket, PNG + b"more").status_code in (400, 403)
    assert send(ticket, PNG[:-1]).status_code in (400, 403)
    assert send(ticket, PNG, **{"Content-Type": "text/html"}).status_code in (400, 403)
    assert send(ticket, PNG, **{"Content-Disposition": "inline"}).status_code in (400, 403)
    if direct.method == "POST":
        assert send(ticket, PNG, key="quarantine/another").status_code in (400, 403)
    assert complete(direct, ticket).status == 409, "nothing was taken"


def overwrite(stack, ticket, data, kind="image/png"):
    """What a store that checks less would have taken."""
    stack.s3.put_object(Bucket=stack.settings["S3_BUCKET"], Key=QUARANTINE + ticket["id"].replace("-", ""), Body=data,
                        ContentType=kind)


def test_another_size_is_refused_and_the_object_goes(direct):
    for data in (PNG + b"more", PNG[:20], b""):
        ticket = ask(direct, name="refused.bin")
        overwrite(direct, ticket, data)
        assert_refused(direct, ticket, complete(direct, ticket), 400, f"but has {len(data)}.")


@pytest.mark.parametrize("kind, data", [("image/png", HTML), ("application/pdf", HTML), ("application/pdf", PNG),
                                        ("image/png", b"\0" * 100), ("application/zip", HTML)])
def test_a_type_that_is_a_lie_is_refused_and_the_object_goes(direct, kind, data):
    ticket = upload(direct, data, name="refused.bin", kind=kind)
    assert_refused(direct, ticket, complete(direct, ticket), 415, "announced as " + kind)


def test_another_hash_is_refused_and_the_object_goes(direct):
    ticket = upload(direct, PNG, name="refused.bin", sha256="00" * 32)
    assert_refused(direct, ticket, complete(direct, ticket), 400, "SHA-256")
    wait_until(lambda: set(direct.objects()) <= set(direct.rows()), 10, "the copy goes, too")


def test_a_type_that_is_not_allowed_is_refused(world):
    stack = world.stack({"ALLOWED_TYPES": "image/*"}, s3=True).start()
    try:
        answer = post(stack, "/api/direct-uploads", {"filename": "a", "size": 1, "content_type": "text/html"})
        assert answer.status == 415
        ticket = upload(stack, HTML, name="refused.bin", kind="application/octet-stream")
        assert_refused(stack, ticket, complete(stack, ticket), 415, "text/html, which is not accepted")
    finally:
        stack.stop()
        world.stacks.remove(stack)


def expire(stack, ticket, age):
    stack.sql("UPDATE direct_uploads SET expires_at = now() - %s::interval WHERE id = %s", age, ticket["id"])


def test_an_expired_ticket_is_refused_and_cleaned_up(direct):
    ticket = upload(direct)
    key = QUARANTINE + ticket["id"].replace("-", "")
    expire(direct, ticket, "1 s")
    answer = complete(direct, ticket)
    assert answer.status == 409 and "expired" in answer.json()["detail"]
    direct.tool("jobs", "--once")
    assert direct.sql("SELECT 1 FROM direct_uploads WHERE id = %s", ticket["id"]), "the grace is not over"
    expire(direct, ticket, "2 h")
    direct.sql("UPDATE deletion_tickets SET due_at = now() WHERE key = %s", key)
    direct.tool("jobs", "--once")
    assert not direct.sql("SELECT 1 FROM direct_uploads WHERE id = %s", ticket["id"])
    wait_until(lambda: key not in direct.objects(), 10, "the object goes")
    assert complete(direct, ticket).status == 404


def test_what_is_written_after_completion_stays_in_quarantine_and_goes(direct):
    ticket = upload(direct)
    made = complete(direct, ticket).json()
    key = QUARANTINE + ticket["id"].replace("-", "")
    wait_until(lambda: key not in direct.objects(), 10, "moved")
    assert send(ticket, PNG).ok, "the signature still holds"
    assert direct.get(made["url"]).body == PNG
    assert complete(direct, ticket).json() == made
    due = direct.sql("SELECT due_at > now() + interval '1 h' FROM deletion_tickets WHERE key = %s", key)
    assert due == [(True,)], "after the signature has expired nothing more can come"
    direct.sql("UPDATE deletion_tickets SET due_at = now() WHERE key = %s", key)
    direct.tool("jobs", "--once")
    wait_until(lambda: key not in direct.objects(), 10, "gone")


def send_parts(stack, ticket, data, numbers=None):
    parts, size = ticket["parts"], ticket["parts"]["part_size"]
    numbers = numbers or range(1, parts["count"] + 1)
    answer = post(stack, parts["url"], {"part_numbers": list(numbers)})
    assert answer.status == 200, str(answer)
    done = []
    for part in answer.json()["parts"]:
        n = part["part_number"]
        sent = requests.put(part["url"], data=data[(n - 1) * size:n * size], headers=part["headers"], timeout=60)
        assert sent.status_code == 200, sent.text
        done.append({"part_number": n, "etag": sent.headers["ETag"]})
    return done


def unfinished(stack):
    return stack.s3.list_multipart_uploads(Bucket=stack.settings["S3_BUCKET"]).get("Uploads", [])


def test_a_large_file_goes_in_parts(direct):
    data = PNG + os.urandom(11 * MIB)
    ticket = ask(direct, data)
    assert ticket["parts"]["count"] == 3 and ticket["parts"]["part_size"] == 5 * MIB
    assert "url" not in ticket and len(unfinished(direct)) == 1
    wrong = requests.put(post(direct, ticket["parts"]["url"], {"part_numbers": [3]}).json()["parts"][0]["url"],
                         data=data[:5 * MIB], timeout=60)
    assert wrong.status_code in (400, 403), "a part of another size"
    for numbers in ([0], [4], [], ["1"]):
        assert post(direct, ticket["parts"]["url"], {"part_numbers": numbers}).status == 400
    parts = send_parts(direct, ticket, data)
    for some in ([], parts[:2], parts + parts[:1], parts[:2] + parts[:1]):
        assert complete(direct, ticket, body={"parts": some}).status == 409
    assert complete(direct, ticket, body={"parts": [{"part_number": 1}]}).status == 400
    other = [{**p, "etag": '"0123456789abcdef0123456789abcdef"'} for p in parts]
    assert complete(direct, ticket, body={"parts": other}).status == 409
    direct.s3.complete_multipart_upload(
        Bucket=direct.settings["S3_BUCKET"], Key=unfinished(direct)[0]["Key"], UploadId=unfinished(direct)[0]["UploadId"],
        MultipartUpload={"Parts": [{"PartNumber": p["part_number"], "ETag": p["etag"]} for p in parts]})
    assert_harmless(direct, ticket, form=False)
    answer = complete(direct, ticket, body={"parts": parts[::-1]})
    assert answer.status == 201, str(answer)
    assert answer.json()["sha256"] == hashlib.sha256(data).hexdigest()
    again = complete(direct, ticket, body={"parts": parts})
    assert (again.status, again.json()) == (200, answer.json())
    assert direct.get(answer.json()["url"]).body == data
    assert not unfinished(direct)
    direct.assert_whole()


@pytest.mark.skipif(not SOAK, reason="moves 15 GiB; the thresholds are lowered in the store's contract test")
def test_an_object_above_5_gib_is_copied_in_parts(new_stack, world):
    stack = new_stack(stack={"s3": True}, MAX_UPLOAD_SIZE="6G", WORKERS="1")
    size = 5 * 1024 * MIB + 11
    with open(world.dir / "above-5-gib", "w+b") as file:
        file.write(PNG)
        file.truncate(size)
        data = mmap.mmap(file.fileno(), size)
        ticket = ask(stack, data)
        parts = send_parts(stack, ticket, data)
        with PeakMemory(stack.worker_children()) as peak:
            answer = stack.call("POST", f"/api/direct-uploads/{ticket['id']}/complete", "alice",
                                {"Content-Type": "application/json"}, json.dumps({"parts": parts}), timeout=900)
        assert answer.status == 201, str(answer)
        assert answer.json()["size"] == size and answer.json()["sha256"] == hashlib.sha256(data).hexdigest()
        assert peak.growth_kib < 16 * 1024
        ranged = stack.get(answer.json()["url"], headers={"Range": f"bytes={size - 20}-"})
        assert ranged.status == 206 and ranged.body == bytes(20)
    stack.assert_whole()
    stack.stop()


def test_parts_that_nobody_completed_are_aborted(direct):
    data = os.urandom(6 * MIB)
    ticket = ask(direct, data, kind="application/octet-stream")
    send_parts(direct, ticket, data, [2])
    assert len(unfinished(direct)) == 1
    expire(direct, ticket, "2 h")
    assert post(direct, ticket["parts"]["url"], {"part_numbers": [1]}).status == 409
    direct.tool("jobs", "--once")
    wait_until(lambda: not unfinished(direct), 10, "the parts are dropped")


def test_parts_that_no_ticket_knows_are_swept(direct):
    """Of a worker that was killed before it could write the upload's id down."""
    data = os.urandom(6 * MIB)
    kept, lost = (ask(direct, data, kind="application/octet-stream") for _ in range(2))
    send_parts(direct, lost, data, [1])
    direct.sql("UPDATE direct_uploads SET upload_id = NULL WHERE id = %s", lost["id"])
    gone = direct.s3.create_multipart_upload(Bucket=direct.settings["S3_BUCKET"], Key=QUARANTINE + "0" * 32)["Key"]
    foreign = direct.s3.create_multipart_upload(Bucket=direct.settings["S3_BUCKET"], Key=QUARANTINE + "of others")
    before = {u["Key"] for u in unfinished(direct)}
    assert len(before) == 4 and gone in before
    direct.tool("jobs", "--sweep")
    assert {u["Key"] for u in unfinished(direct)} == before, "too young"
    assert "event=sweep.done uploads=2" in direct.tool("jobs", "--sweep", "--older-than", "0").stderr
    assert {u["Key"] for u in unfinished(direct)} == {QUARANTINE + kept["id"].replace("-", ""), foreign["Key"]}
    answer = complete(direct, kept, body={"parts": send_parts(direct, kept, data)})
    assert answer.status == 201, str(answer)
    direct.s3.abort_multipart_upload(Bucket=direct.settings["S3_BUCKET"], Key=foreign["Key"],
                                     UploadId=foreign["UploadId"])


def test_a_worker_killed_while_completing_leaves_a_ticket_that_can_be_completed(world):
    stack = world.stack({"WORKERS": "1"}, s3=True).start()
    try:
        for pause in (0.002, 0.01, 0.03, 0.08):
            data = PNG + os.urandom(20 * MIB)
            ticket = upload(stack, data)
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                broken = pool.submit(complete, stack, ticket)
                time.sleep(pause)
                os.kill(stack.worker_children()[0], signal.SIGKILL)
                assert broken.result().status in (200, 201, 502, 503)
            wait_until(lambda: len(stack.worker_children()) == 1, 10, "another child")
            wait_until(stack.is_ready, 10, "ready")
            answer = complete(stack, ticket)
            assert answer.status in (200, 201), str(answer)
            assert stack.get(answer.json()["url"]).body == data
        assert stack.sql("SELECT count(*) FROM attachments") == [(4,)]
        stack.sql("UPDATE deletion_tickets SET due_at = now()")
        stack.tool("jobs", "--once")
        wait_until(lambda: set(stack.objects()) == set(stack.rows()), 15, "half-done copies are removed")
        stack.assert_whole()
    finally:
        stack.stop()
        world.stacks.remove(stack)


def test_a_store_that_is_away_is_a_502_and_the_ticket_stays(world):
    stack = world.stack(s3=True).start()
    try:
        ticket = upload(stack)
        world.ceph.stop_gateway()
        try:
            answer = complete(stack, ticket)
            assert answer.status in (502, 503), str(answer)
        finally:
            world.ceph.start_gateway()
            wait_until(stack.is_ready, 60, "the store is back")
        assert complete(stack, ticket).status == 201
    finally:
        stack.stop()
        world.stacks.remove(stack)


def test_a_local_store_gives_no_tickets(local):
    for path in ("", "/0198c0de-beef-7abc-89ab-0123456789ab/complete"):
        answer = post(local, "/api/direct-uploads" + path, {"filename": "a", "size": 1})
        assert answer.status == 409 and "S3 store" in answer.json()["detail"]


def test_signed_addresses_are_not_logged(direct):
    ticket = upload(direct)
    complete(direct, ticket)
    secret = urlsplit(ticket["url"]).query if direct.method == "PUT" else ticket["fields"]["x-amz-signature"]
    assert secret and all(secret not in text for text in direct.all_logs().values())
