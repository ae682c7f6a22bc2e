"""test_public.py — VISIBILITY=public: readable by everybody who knows the address, also straight from the bucket or a CDN."""
import base64
import json
import os
import signal
import subprocess

import pytest

import http_client
from processes import own, wait_until
from stack import Stack

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89" + os.urandom(3000)
HTML = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
IMMUTABLE = "public, max-age=31536000, immutable"
CDN = "https://cdn.example.com/files"


@pytest.fixture(scope="module")
def cdn(world) -> Stack:
    """A stack with a CDN before a bucket that everybody may read."""
    stack = world.stack({"VISIBILITY": "public", "CDN_URL": CDN}, s3=True).start()
    bucket = stack.settings["S3_BUCKET"]
    stack.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"],
                       "Resource": [f"arn:aws:s3:::{bucket}/*"]}]}))
    return stack


def fetched_by_the_cdn(stack, url, method="GET"):
    """What a CDN gets from the bucket for one of its own addresses."""
    assert url.startswith(CDN + "/")
    port = int(stack.settings["S3_ENDPOINT"].rpartition(":")[2])
    return http_client.call(port, method, f"/{stack.settings['S3_BUCKET']}{url[len(CDN):]}")


def test_the_bytes_are_for_everybody_and_nothing_else_is(cdn):
    made = cdn.upload(PNG, "a.png")
    path = f"/api/files/{made['id']}/a.png"
    for user in (None, "mallory", "alice"):
        for method, body in (("GET", PNG), ("HEAD", b"")):
            answer = cdn.get(path, user, method=method)
            assert (answer.status, answer.body) == (200, body)
            assert answer.headers.get_all("Cache-Control") == [IMMUTABLE]
    assert cdn.get(path, None, {"Range": "bytes=1-3"}).body == b"PNG"
    assert cdn.get("/api/attachments/" + made["id"], None).status == 401
    assert cdn.get("/api/attachments/" + made["id"], "mallory").status == 404
    assert cdn.call("DELETE", "/api/attachments/" + made["id"], None).status == 401
    assert cdn.put(b"x", user=None).status == 401


def test_a_bad_token_does_not_keep_anybody_from_public_files(cdn):
    path = f"/api/files/{cdn.upload(PNG)['id']}/a.png"
    assert cdn.get(path, None, {"Authorization": "Bearer expired"}).status == 200


@pytest.mark.parametrize("data, name, kind, how", [
    (PNG, "Bild ä.png", "image/png", "inline"), (b"words\n", "a.txt", "text/plain", "inline"),
    (HTML, "a.png", "text/html", "attachment"), (SVG, "a.svg", "image/svg+xml", "attachment"),
    (b'<?xml version="1.0"?><a/>', "a.xml", "text/xml", "attachment"),
    (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", "a.pdf", "application/pdf", "attachment")],
    ids=["png", "text", "html", "svg", "xml", "pdf"])
def test_the_bucket_itself_sends_the_right_headers(cdn, data, name, kind, how):
    made = cdn.upload(data, name)
    assert made["url"] == made["data_url"] and made["url"].startswith(CDN + "/")
    answer = fetched_by_the_cdn(cdn, made["url"])
    assert answer.status == 200 and answer.body == data, str(answer)
    assert answer.headers["Content-Type"].partition(";")[0] == kind
    assert answer.headers["Content-Disposition"].startswith(how + ";")
    assert answer.headers["Cache-Control"] == IMMUTABLE
    if name == "Bild ä.png":
        assert "filename*=UTF-8''Bild%20%C3%A4.png" in answer.headers["Content-Disposition"]


def test_the_cdn_s_address_survives_odd_names(new_stack, cdn):
    stack = new_stack(stack={"like": cdn}, VISIBILITY="public", CDN_URL=CDN, KEY_NAMING="folder")
    made = stack.upload(PNG, "ä b+%41&=.png")
    assert fetched_by_the_cdn(stack, made["url"]).body == PNG


def test_a_redirect_goes_to_the_cdn_unless_it_must_say_something_else(new_stack, cdn):
    stack = new_stack(stack={"like": cdn}, VISIBILITY="public", CDN_URL=CDN, DELIVERY="redirect")
    made = stack.upload(PNG, "a.png")
    path = f"/api/files/{made['id']}/a.png"
    assert stack.get(path, None).headers["Location"] == made["url"]
    assert "response-content-disposition=attachment" in stack.get(path + "?download=1", None).headers["Location"]


@pytest.fixture
def behind_a_password(new_stack, world):
    """Public files, and nginx's own password before all else. Alice's is "secret"."""
    passwords = world.dir / "htpasswd"
    passwords.write_text("alice:" + subprocess.run(["openssl", "passwd", "-apr1", "secret"], capture_output=True,
                                                   text=True, check=True).stdout)
    own(passwords)
    return new_stack(AUTH="header", AUTH_BASIC_FILE=str(passwords), JWT_SECRET=None, VISIBILITY="public")


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_public_files_skip_nginx_s_own_password(behind_a_password):
    stack, alice = behind_a_password, basic("alice", "secret")
    made = stack.put(PNG, "a.png", None, headers=alice).json()
    assert made["uploader_id"] == "alice"
    assert stack.get(made["url"], None).body == PNG
    assert stack.get("/api/attachments/" + made["id"], None).status == 401
    assert stack.get("/api/attachments/" + made["id"], None, alice).status == 200


def test_a_name_that_nobody_checked_opens_nothing_where_the_worker_is_private(behind_a_password):
    """nginx still has the includes of VISIBILITY=public, but the worker was started again with private."""
    stack = behind_a_password
    made = stack.put(PNG, "a.png", None, headers=basic("alice", "secret")).json()
    stack.worker.stop(signal.SIGTERM)
    stack.settings["VISIBILITY"] = "private"
    stack.start_worker()
    wait_until(stack.is_ready, 20, "the worker is back")
    for headers in ({}, basic("alice", "wrong"), basic("alice", ""), basic("alice", "secret"), basic("mallory", "x"),
                    {"Remote-User": "alice"}):
        for method in ("GET", "HEAD"):
            answer = stack.get(made["url"], None, headers, method)
            assert answer.status == 401 and PNG not in answer.body, headers
    assert stack.get("/api/attachments/" + made["id"], None, basic("alice", "secret")).status == 200


def test_private_files_stay_private_whatever_the_bucket_says(s3):
    made = s3.upload(PNG, "a.png")
    assert s3.get(made["url"], None).status == 401 and made["url"].startswith("/api/files/")


@pytest.mark.parametrize("settings, named", [
    ({"CDN_URL": "https://cdn.example.com"}, "CDN_URL"),
    ({"CDN_URL": "http://cdn.example.com", "VISIBILITY": "public"}, "CDN_URL"),
    ({"CDN_URL": "https://cdn.example.com/?x=1", "VISIBILITY": "public"}, "CDN_URL"),
    ({"VISIBILITY": "public", "CACHE_CONTROL": "private"}, "CACHE_CONTROL"),
    ({"VISIBILITY": "friends"}, "VISIBILITY")])
def test_contradictions_are_refused_at_the_start(local, settings, named):
    done = subprocess.run([local.app / "bin/cloakroom-fcgi", "--check-config"], env={**local.env, **settings},
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 78 and any(line.startswith(named + ": ") for line in done.stderr.splitlines()), done.stderr
