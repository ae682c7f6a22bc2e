"""test_upload.py — files in: forms and raw bodies, all or nothing, limits, and what is refused."""
import hashlib
import json
import os
import random
import socket
import time
from urllib.parse import quote

import pytest
import requests

from http_client import form
from processes import wait_until
from stack import MIB, token

ODD_NAME = 'Ünï "q" %2F ../x.jpg'
ODD_NAME_KEPT = 'Ünï "q" %2F .._x.jpg'  # what stays of it: a separator becomes _
LIMIT = MIB


@pytest.fixture(scope="module")
def small(request):
    """A stack that takes files of 1 MiB and requests of 2 MiB."""
    made = request.config.world.stack({"MAX_UPLOAD_SIZE": LIMIT, "MAX_REQUEST_SIZE": 2 * MIB}).start()
    yield made
    made.stop()
    request.config.world.stacks.remove(made)


def assert_problem(answer, status, name):
    assert answer.status == status, str(answer)
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status and body["type"] == f"urn:cloakroom:error:{name}"
    assert body["title"] and body["detail"]
    assert body["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("where", ["local", "s3"])
def test_three_files_in_one_form_keep_their_order_names_and_bytes(where, request):
    stack = request.getfixturevalue(where)
    noise = random.Random(1).randbytes(70_000)  # of a kind that libmagic does not take for another
    files = [("b.txt", b"second by name\n"), ("empty.bin", b""), (ODD_NAME, noise)]
    answer = stack.post_form(files)
    assert answer.status == 201, str(answer)
    made = answer.json()
    assert [a["filename"] for a in made] == ["b.txt", "empty.bin", ODD_NAME_KEPT]
    for (_, data), a in zip(files, made):
        assert (a["size"], a["file_size"], a["sha256"]) == (len(data), len(data), hashlib.sha256(data).hexdigest())
        assert (a["status"], a["uploader_id"], a["message_id"]) == ("uploaded", "alice", None)
        got = stack.get(a["url"])
        assert got.status == 200 and got.body == data
    assert made[2]["extension"] == "jpg"
    assert made[2]["url"].endswith("/" + quote(ODD_NAME_KEPT, safe=""))
    stack.assert_whole()


def test_curl_sends_the_same_odd_name(local, tmp_path):
    (tmp_path / "x").write_bytes(b"from curl")
    escaped = ODD_NAME.replace('"', '\\"')  # for curl's own -F syntax
    made = json.loads(local.curl("-F", f'file=@{tmp_path}/x;filename="{escaped}"', local.url + "/api/upload"))
    assert [a["filename"] for a in made] == [ODD_NAME_KEPT]


def test_an_answer_never_shows_the_key_in_the_store(local):
    answer = local.post_form([("a.txt", b"x")])
    key = local.key_of(answer.json()[0])
    assert key not in answer.body.decode()
    assert set(answer.json()[0]) == {
        "id", "message_id", "dialog_id", "account_id", "uploader_id", "status", "file_type", "filename", "extension",
        "mime_type", "size", "file_size", "sha256", "width", "height", "placeholder", "frames", "duration_ms", "url", "data_url", "thumb_url",
        "created_at"}


def test_the_bytes_decide_the_type_not_the_client(local):
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89"
    made = local.post_form([("a.txt", png, "text/html"), ("b.png", b"<html><script>1</script></html>", "image/png")])
    assert [(a["mime_type"], a["file_type"]) for a in made.json()] == [("image/png", "image"), ("text/html", "file")]


def test_curl_puts_a_file_by_its_name(local, tmp_path):
    data = os.urandom(100_000)
    (tmp_path / "from curl.bin").write_bytes(data)
    made = json.loads(local.curl("-T", f"{tmp_path}/from curl.bin", local.url + "/api/upload/from%20curl.bin"))
    assert made["filename"] == "from curl.bin" and local.get(made["url"]).body == data


def test_a_put_names_what_it_made(local):
    answer = local.put(b"raw", ODD_NAME_KEPT, query="?dialog_id=d1")
    assert answer.status == 201
    assert answer.json()["filename"] == ODD_NAME_KEPT and answer.json()["dialog_id"] == "d1"
    assert answer.headers["Location"] == "/api/attachments/" + answer.json()["id"]
    assert local.get(answer.headers["Location"]).json() == answer.json()


def test_a_body_in_chunks_is_stored_whole(local):
    blocks = [os.urandom(60_000) for _ in range(5)]
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = "Bearer " + token("alice")
    raw = session.put(local.url + "/api/upload/chunks.bin", data=iter(blocks))
    assert raw.status_code == 201, raw.text
    assert local.get(raw.json()["url"]).body == b"".join(blocks)
    body, kind = form([("f.bin", b"".join(blocks))])
    made = session.post(local.url + "/api/upload", data=iter([body[:1000], body[1000:]]),
                        headers={"Content-Type": kind})
    assert made.status_code == 201, made.text
    assert local.get(made.json()[0]["url"]).body == b"".join(blocks)


@pytest.mark.parametrize("chunked", [False, True])
def test_an_empty_put_makes_an_empty_file(local, chunked):
    answer = local.put(iter([]) if chunked else b"", "empty.bin")
    assert answer.status == 201 and answer.json()["size"] == 0
    got = local.get(answer.json()["url"])
    assert (got.status, got.body, got.headers["Content-Length"]) == (200, b"", "0")


def test_a_form_field_names_the_dialog(local):
    assert local.upload(dialog_id="d-7")["dialog_id"] == "d-7"
    answer = local.post_form([("a", b"x")], {"dialog_id": "x" * 256})
    assert_problem(answer, 400, "invalid")


def test_the_service_uploads_for_a_user(local):
    answer = local.put(b"x", user="service", headers={"X-Uploader-Id": "carol"})
    assert answer.json()["uploader_id"] == "carol"
    assert local.get(answer.json()["url"], user="carol").status == 200
    assert local.put(b"x", user="service").json()["uploader_id"] is None
    assert_problem(local.put(b"x", user="alice", headers={"X-Uploader-Id": "carol"}), 400, "invalid")


# --- limits -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("way", ["put", "chunked put", "form"])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_file_of_the_limit_is_taken_and_one_byte_more_is_not(small, way, more):
    data = os.urandom(LIMIT + more)
    before = small.snapshot()
    if way == "form":
        answer = small.post_form([("a.bin", data)])
    else:
        answer = small.put(iter([data]) if way == "chunked put" else data, "a.bin")
    if more <= 0:
        assert answer.status == 201, str(answer)
    else:
        assert_problem(answer, 413, "too_large")
        small.assert_nothing_kept(before)


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_request_over_the_limit_is_refused_by_nginx_in_the_same_form(small, more):
    wanted = 2 * MIB + more
    fixed = len(form([("a", b""), ("b", b""), ("c", b"")])[0])
    sizes = [LIMIT, LIMIT // 2, wanted - fixed - LIMIT - LIMIT // 2]
    body, kind = form([(n, b"x" * s) for n, s in zip("abc", sizes)])
    assert len(body) == wanted
    before, log = small.snapshot(), len(small.log())
    answer = small.call("POST", "/api/upload", headers={"Content-Type": kind}, body=body)
    if more <= 0:
        assert answer.status == 201 and len(answer.json()) == 3
    else:
        assert_problem(answer, 413, "too_large")
        assert not small.requests_logged(log), "the worker was asked: nginx did not refuse it"
        small.assert_nothing_kept(before)


def test_a_json_body_over_its_limit_is_refused_in_the_same_form(small):
    answer = small.call("POST", "/api/attachments/link", body=b"[" + b" " * MIB)
    assert_problem(answer, 413, "too_large")


def test_a_hundred_parts_are_taken_and_one_more_is_not(small):
    assert len(small.post_form([(f"{i}.txt", b"%d" % i) for i in range(100)]).json()) == 100
    before = small.snapshot()
    assert_problem(small.post_form([(f"{i}.txt", b"%d" % i) for i in range(101)]), 413, "too_large")
    small.assert_nothing_kept(before)


# --- all or nothing ---------------------------------------------------------------------------------------------------

def test_one_file_too_large_and_none_is_kept(small):
    before = small.snapshot()
    answer = small.post_form([("good.txt", b"good"), ("big.bin", b"x" * (LIMIT + 1)), ("also.txt", b"good")])
    assert_problem(answer, 413, "too_large")
    assert "big.bin" in answer.json()["detail"]
    small.assert_nothing_kept(before)


def test_one_type_not_allowed_and_none_is_kept(new_stack):
    stack = new_stack(ALLOWED_TYPES="image/*,txt")
    before = stack.snapshot()
    answer = stack.post_form([("good.txt", b"good text\n"), ("page.txt", b"<!DOCTYPE html><html><body></body></html>")])
    assert_problem(answer, 415, "unsupported_type")
    stack.assert_nothing_kept(before)
    assert stack.put(b"good text\n").status == 201


@pytest.mark.parametrize("where", ["local", "s3"])
def test_files_that_the_database_refuses_at_the_end_leave_no_bytes(where, request):
    stack = request.getfixturevalue(where)
    before = stack.snapshot()
    stack.sql("ALTER TABLE attachments ADD CONSTRAINT refused CHECK (filename <> 'refused') NOT VALID")
    try:
        answer = stack.post_form([("good.bin", b"stored first"), ("refused", b"stored second")])
        assert_problem(answer, 500, "internal")
        assert "refused" not in answer.body.decode(), "the client reads about our tables"
    finally:
        stack.sql("ALTER TABLE attachments DROP CONSTRAINT refused")
    stack.assert_nothing_kept(before)


def test_a_client_that_breaks_off_leaves_nothing(local):
    before = local.snapshot()
    body, kind = form([("a.bin", b"x" * MIB)])
    with socket.create_connection(("127.0.0.1", local.port)) as s:
        s.sendall(f"POST /api/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token()}\r\nContent-Type: {kind}\r\n"
                  f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:700_000])
        wait_until(local.left_overs, 5, "nginx spools the body")
    local.assert_nothing_kept(before)


# --- forms that are not right -----------------------------------------------------------------------------------------

def with_boundary(value):
    return "multipart/form-data; boundary=" + value


GOOD, KIND = form([("a.txt", b"hello")], boundary="B")
PART = b'--B\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n'

HOSTILE = {
    "another boundary": (with_boundary("C"), GOOD, 400),
    "no boundary": ("multipart/form-data", GOOD, 400),
    "an empty boundary": (with_boundary('""'), GOOD, 400),
    "a boundary of 71 characters": (with_boundary("B" * 71), GOOD.replace(b"B", b"B" * 71), 400),
    "a boundary with a forbidden character": (with_boundary('"B*%"'), GOOD.replace(b"--B", b"--B*%"), 400),
    "a boundary that ends in a space": (with_boundary('"B "'), GOOD.replace(b"--B", b"--B "), 400),
    "two boundaries": (with_boundary("B; boundary=C"), GOOD, 400),
    "an unfinished quote": (with_boundary('"B'), GOOD, 400),
    "no last boundary": (KIND, GOOD[:-5], 400),
    "half of the last boundary": (KIND, GOOD[:-4], 400),
    "a body of nothing": (KIND, b"", 400),
    "only the last boundary": (KIND, b"--B--\r\n", 400),
    "a part cut in its header": (KIND, b"--B\r\nContent-Disposition: form-da\r\n--B--\r\n", 400),
    "a header without an end": (KIND, b"--B\r\n" + b"X-A: " + b"a" * 9000 + b"\r\n\r\nx\r\n--B--\r\n", 400),
    "bare line feeds": (KIND, GOOD.replace(b"\r\n", b"\n"), 400),
    "no disposition": (KIND, b"--B\r\nContent-Type: text/plain\r\n\r\nhello\r\n--B--\r\n", 400),
    "two dispositions": (KIND, PART[:-2] + PART[5:] + b"x\r\n--B--\r\n", 400),
    "a null byte in a header": (KIND, PART.replace(b'"a"', b'"a\0.txt"') + b"x\r\n--B--\r\n", 400),
    "a transfer encoding": (KIND, PART[:-2] + b"Content-Transfer-Encoding: base64\r\n\r\nYQ==\r\n--B--\r\n", 400),
    "fields and no file": (KIND, b'--B\r\nContent-Disposition: form-data; name="f"\r\n\r\nvalue\r\n--B--\r\n', 400),
    "a file input nobody filled in": (KIND, PART.replace(b'"a"', b'""') + b"\r\n--B--\r\n", 400),
    "another content type": ("application/json", b"{}", 415),
    "no content type": (None, GOOD, 415),
    "mixed": ("multipart/mixed; boundary=B", GOOD, 415),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_malformed_form_is_refused_and_nothing_is_kept(local, case):
    kind, body, status = HOSTILE[case]
    before = local.snapshot()
    answer = local.call("POST", "/api/upload", headers={"Content-Type": kind} if kind else {}, body=body)
    assert_problem(answer, status, "invalid" if status == 400 else "unsupported_type")
    local.assert_nothing_kept(before)


def test_a_file_full_of_almost_boundaries_keeps_its_bytes(local):
    data = b"\r\n--B" * 50_000 + b"\r\n--\r\n--Bx\r\n-" + b"--B--"
    body, kind = form([("a.bin", data)], boundary="BB")
    answer = local.call("POST", "/api/upload", headers={"Content-Type": kind}, body=body)
    assert answer.status == 201 and answer.json()[0]["size"] == len(data)
    assert local.get(answer.json()[0]["url"]).body == data


@pytest.mark.parametrize("trick", ["", "X-Uploader-Id: x\r\n", "Authorization: Bearer nonsense\r\n"])
def test_an_anonymous_upload_is_refused_before_its_body_is_taken(local, trick):
    size = 4 * MIB
    with socket.create_connection(("127.0.0.1", local.port), timeout=10) as s:
        began = time.monotonic()
        s.sendall(f"POST /api/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\n"
                  f"{trick}Content-Length: {size}\r\n\r\n".encode() + b"x" * 10_000)
        head = s.recv(65536)  # though 4 MB are still to come
        took = time.monotonic() - began
    assert head.startswith(b"HTTP/1.1 401 ") and b"application/problem+json" in head
    assert took < 1.0, f"the answer took {took:.1f} s"
    assert not [p for p in local.left_overs() if p.stat().st_size > 0]


def test_a_name_that_is_a_path_is_no_address(local):
    for name in ("a%2Fb", "..", "%2E%2E", "a%0Ab", ""):
        answer = local.call("PUT", "/api/upload/" + name, body=b"x")
        assert answer.status in (404, 405), (name, str(answer))  # nginx itself resolves "..": then it is /api/
