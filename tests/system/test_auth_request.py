"""test_auth_request.py — AUTH=header: the application says who is asking and who may read a file; links pass unasked."""
import base64
import json
import subprocess
import time
import uuid
from urllib.parse import urlsplit

import pytest

import http_client
from application import Application
from links import SECRET, link, shape
from processes import own
from recording_proxy import RecordingProxy

DATA = b"bytes of a session"
FORGED = {"X-Remote-User": "alice", "Remote-User": "alice", "X-Cloakroom-Access": "granted", "Cloakroom-Access": "granted",
          "CLOAKROOM_ACCESS": "granted", "X-Attachment-Id": "1"}


@pytest.fixture
def application():
    made = Application()
    made.sessions = {"a": "alice", "b": "bob", "m": "mallory"}
    yield made
    made.close()


@pytest.fixture
def asking(new_stack, application):
    def make(**settings):
        return new_stack(AUTH="header", AUTH_REQUEST_URL=application.url, JWT_SECRET=None, **settings)
    return make


def call(stack, method, path, sid=None, headers=None, body=None):
    cookie = {"Cookie": f"sid={sid}", "Origin": stack.url} if sid else {}
    return stack.call(method, path, None, {**cookie, **(headers or {})}, body)


def put(stack, sid="a"):
    answer = call(stack, "PUT", "/api/upload/x.txt", sid, body=DATA)
    assert answer.status == 201, str(answer)
    return answer.json()


def test_the_application_names_the_user_and_hears_what_it_needs(asking, application):
    stack = asking()
    made = put(stack)
    assert made["uploader_id"] == "alice"
    assert [a[2]["content-length"] for a in application.asked if "content-length" in a[2]] == []
    application.forget()
    answer = call(stack, "GET", made["url"] + "?download=1", "a", {
        **FORGED, "Authorization": "Bearer abc", "Range": "bytes=0-1", "If-None-Match": "*", "Expect": "x", "Accept-Encoding": "gzip"})
    assert answer.status == 304, "the condition is the worker's"
    [(method, path, headers)] = application.asked
    assert (method, path) == ("GET", "/cloakroom/access")
    assert headers["cookie"] == "sid=a" and headers["authorization"] == "Bearer abc"
    assert headers["x-original-uri"] == made["url"] + "?download=1" and headers["x-original-method"] == "GET"
    assert headers["x-attachment-id"] == made["id"] and headers["host"] == "127.0.0.1"
    assert not {"range", "if-none-match", "expect", "x-remote-user", "x-cloakroom-access", "accept-encoding"} & set(headers)


def test_it_lets_a_user_in_to_one_file(asking, application):
    stack = asking()
    made, other = put(stack), put(stack)
    meta = "/api/attachments/" + made["id"]
    assert call(stack, "GET", made["url"], "b", FORGED).status == 404
    application.granted.add(("bob", made["id"]))
    for method, path, status in (("GET", made["url"], 200), ("HEAD", made["url"], 200), ("GET", meta, 200), ("DELETE", meta, 403),
                                 ("GET", other["url"], 404), ("GET", "/api/attachments/" + other["id"], 404)):
        assert call(stack, method, path, "b").status == status, path
    assert call(stack, "GET", made["url"], "m", FORGED).status == 404
    dialog = f"/api/support-chat/attachments/d1/{made['id']}"
    assert call(stack, "GET", dialog, "b").status == 404, "it lies in no dialog"
    stack.sql("UPDATE attachments SET dialog_id = 'd1' WHERE id = %s", made["id"])
    assert call(stack, "GET", dialog, "b").body == DATA
    stack.sql("UPDATE attachments SET status = 'quarantined' WHERE id = %s", made["id"])
    assert call(stack, "GET", made["url"], "b").status == 404, "nor the application's word opens what is infected"


def test_its_word_is_about_the_file_that_nginx_named_to_it(asking, application):
    """An address in another spelling names no file to the application, so its yes is no yes to that file."""
    stack = asking()
    made = put(stack)
    odd = f"/api/files/%3{made['id'][0]}{made['id'][1:]}/x"
    application.granted |= {("bob", made["id"]), ("bob", "")}
    application.forget()
    assert call(stack, "GET", odd, "b").status == 404 and "x-attachment-id" not in application.asked[-1][2]
    assert call(stack, "GET", odd, "a").body == DATA
    for path in (f"/api/files/{made['id']}0/x", f"/api/files/x/{made['id']}", f"/api//files/{made['id']}/x",
                 f"/api/attachments?message_ids={made['id']}"):
        call(stack, "GET", path, "b")
        assert "x-attachment-id" not in application.asked[-1][2], path


def test_who_is_not_known_or_not_wanted_is_refused_as_everywhere(asking, application):
    stack = asking()
    made = put(stack)
    for headers in ({}, FORGED, {"Cookie": "sid=other", **FORGED}):
        for method, path in (("GET", made["url"]), ("GET", "/api/attachments/" + made["id"]), ("PUT", "/api/upload/x"),
                             ("DELETE", "/api/attachments/" + made["id"])):
            answer = call(stack, method, path, None, headers, b"x" if method == "PUT" else None)
            assert answer.status == 401 and answer.headers["Content-Type"] == "application/problem+json"
    # the application's 403 for a file is the same as a file that is not there
    application.refused.add(made["id"])
    absent = str(uuid.uuid4())
    ask = lambda file, method: shape(http_client.raw(stack.port, f"{method} /api/files/{file}/x HTTP/1.0\r\nHost: 127.0.0.1\r\n"
                                                                 "Cookie: sid=m\r\n\r\n".encode()))
    for method in ("GET", "HEAD"):
        assert b" 404 " in ask(absent, method)
        assert sorted(ask(made["id"], method).splitlines()) == sorted(ask(absent, method).splitlines())


def test_the_service_token_passes_when_the_application_says_yes(asking):
    stack = asking(SERVICE_TOKEN="service-token-of-this-test")
    made = put(stack)
    service = {"Authorization": "Bearer service-token-of-this-test"}
    assert call(stack, "GET", made["url"], None, service).body == DATA
    assert call(stack, "PUT", "/api/dialogs/d1/members", None, service, b'["bob"]').status == 200
    assert call(stack, "PUT", "/api/dialogs/d1/members", "a", None, b'["bob"]').status == 403


def test_when_the_application_is_away_nobody_gets_in(asking, application):
    stack = asking()
    made = put(stack)
    application.close()
    answer = call(stack, "GET", made["url"], "a", FORGED)
    assert answer.status == 503 and answer.headers["Content-Type"] == "application/problem+json"


# --- nginx keeps the answer -------------------------------------------------------------------------------------------

def test_a_yes_is_kept_for_a_while_and_a_no_is_not(asking, application):
    stack = asking(AUTH_REQUEST_CACHE="2")
    made, other = put(stack), put(stack)
    application.forget()
    start = time.monotonic()
    for _ in range(5):
        assert call(stack, "GET", made["url"], "a").body == DATA
    assert len(application.asked) == 1 and time.monotonic() - start < 2
    # another address, cookie, Authorization or method is another question
    call(stack, "GET", other["url"], "a")
    assert call(stack, "GET", made["url"], "b").status == 404
    call(stack, "GET", made["url"], "a", {"Authorization": "Bearer x"})
    assert call(stack, "DELETE", "/api/attachments/" + made["id"], "b").status == 404
    assert call(stack, "GET", "/api/attachments/" + made["id"], "b").status == 404
    assert len(application.asked) == 6
    for _ in range(2):
        assert call(stack, "GET", made["url"], "z").status == 401
    assert len(application.asked) == 8
    application.sessions["z"] = "alice"
    assert call(stack, "GET", made["url"], "z").body == DATA, "who logs in is in at once"
    # what the application takes back holds no longer than told
    del application.sessions["a"]
    assert call(stack, "GET", made["url"], "a").body == DATA
    time.sleep(3.1)
    assert call(stack, "GET", made["url"], "a").status == 401
    folders = [p for p in (stack.dir / "nginx").iterdir() if p.name.endswith("_who")]
    assert folders and all(p.stat().st_mode & 0o077 == 0 for p in folders), "cookies lie there"


def test_without_the_setting_it_is_asked_each_time(asking, application):
    stack = asking()
    made = put(stack)
    application.forget()
    for _ in range(3):
        assert call(stack, "GET", made["url"], "a").status == 200
    application.sessions.clear()
    assert call(stack, "GET", made["url"], "a").status == 401 and len(application.asked) == 4


# --- links ------------------------------------------------------------------------------------------------------------

def test_a_link_passes_without_a_question_and_a_bad_one_is_like_none(asking, application):
    stack = asking(LINK_SECRET=SECRET)
    made = put(stack)
    dialog = f"/api/support-chat/attachments/d1/{made['id']}"
    stack.sql("UPDATE attachments SET dialog_id = 'd1' WHERE id = %s", made["id"])
    good, bad = link(made["id"]), link(made["id"], ttl=-1)
    for path in (made["url"], dialog):
        application.forget()
        opened = call(stack, "GET", path + good)
        assert opened.body == DATA and opened.headers.get_all("Referrer-Policy") == ["no-referrer"]
        assert call(stack, "HEAD", path + good).status == 200 and application.asked == []
        assert call(stack, "GET", path + bad, "a").body == DATA, "his own session lets him in"
        assert len(application.asked) == 1
        for query in (bad, "?link=x", "?LINK=x", "?link=0", "?link=", "?a=b&link=%00"):
            refused = call(stack, "GET", path + query, None, FORGED)
            assert refused.status == 401 and refused.headers["Content-Type"] == "application/problem+json"
            assert call(stack, "GET", path + query, "b").status == 404
            assert call(stack, "GET", path + query, "a").status == 200
    absent = str(uuid.uuid4())
    assert call(stack, "GET", f"/api/files/{absent}/x{bad}").status == 401
    assert call(stack, "GET", f"/api/files/{absent}/x{link(absent)}").status == 404
    for method, path in (("GET", "/api/attachments/" + made["id"]), ("DELETE", "/api/attachments/" + made["id"])):
        assert call(stack, method, path + good).status == 401
    # nobody is asked who comes with a link, so it can be bound to no user
    answer = call(stack, "POST", f"/api/attachments/{made['id']}/link-token", "a", None, json.dumps({"user_id": "bob"}))
    assert answer.status == 400 and "AUTH=jwt" in answer.json()["detail"]
    answer = call(stack, "POST", f"/api/attachments/{made['id']}/link-token", "a", None, json.dumps({"ip": "127.0.0.1"}))
    assert answer.status == 201 and call(stack, "GET", answer.json()["url"]).body == DATA
    stack.worker.stop()
    answer = call(stack, "GET", made["url"] + good)
    assert answer.status == 503 and answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("token", ["good", "bad"])
def test_what_is_wrong_with_a_request_by_a_link_is_told_as_everywhere(asking, token):
    stack = asking(LINK_SECRET=SECRET)
    made = put(stack)
    path = made["url"] + (link(made["id"]) if token == "good" else "?link=x")
    blocks = (b"x" * 65536 for _ in range(40))  # sent in chunks: only reading shows how much there is
    broken = http_client.raw(stack.port, f"GET {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".encode())
    assert b" 400 " in broken.split(b"\r\n")[0] and b"application/problem+json" in broken
    for answer, status in ((call(stack, "GET", path, "a", body=blocks), 413),
                           (call(stack, "POST", path, "a", body=b"{}"), 405),
                           (call(stack, "GET", path, "a"), 200)):
        assert answer.status == status, str(answer)
        assert status == 200 or answer.headers["Content-Type"] == "application/problem+json"
        assert len(answer.headers.get_all("Cache-Control")) == 1 and len(answer.headers.get_all("X-Request-Id")) == 1


def test_the_worker_s_own_errors_pass_behind_a_link(new_stack, s3, application):
    with RecordingProxy(urlsplit(s3.settings["S3_ENDPOINT"]).port) as proxy:
        stack = new_stack(stack={"like": s3}, S3_ENDPOINT=f"http://127.0.0.1:{proxy.port}", DELIVERY="stream", LINK_SECRET=SECRET,
                          AUTH="header", AUTH_REQUEST_URL=application.url, JWT_SECRET=None)
        made = s3.upload(DATA)
        proxy.status = b"500"
        answer = call(stack, "GET", made["url"] + link(made["id"]))
        assert answer.status == 502 and answer.json()["type"] == "urn:cloakroom:error:store", str(answer)
        proxy.status = None
        assert call(stack, "GET", made["url"] + link(made["id"])).body == DATA


def test_a_link_beside_basic_auth_lets_nobody_forge_a_name(new_stack, world):
    passwords = world.dir / "htpasswd-links"
    passwords.write_text("erna:{PLAIN}pass\n")
    own(passwords)
    stack = new_stack(AUTH="header", AUTH_BASIC_FILE=passwords, JWT_SECRET=None, LINK_SECRET=SECRET)
    basic = lambda user, password: {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
    made = call(stack, "PUT", "/api/upload/x", None, basic("erna", "pass"), DATA).json()
    assert call(stack, "GET", made["url"] + link(made["id"])).body == DATA
    assert call(stack, "GET", made["url"] + link(made["id"]), None, basic("x", "wrong")).body == DATA
    for query in (link(made["id"], ttl=-1), "?link=x"):
        # without the check of the password nginx would take the name from the request
        assert call(stack, "GET", made["url"] + query, None, basic("erna", "wrong")).status == 401
        assert call(stack, "GET", made["url"] + query, None, basic("erna", "pass")).body == DATA


def test_a_location_of_the_site_s_own_may_let_users_in_too(new_stack, application):
    session = f"""location = /session {{ internal; proxy_pass {application.url}; proxy_pass_request_body off;
      proxy_set_header Content-Length ""; proxy_set_header X-Attachment-Id $cloakroom_id_default; }}"""
    stack = new_stack(stack={"server": session}, AUTH="header", AUTH_REQUEST="/session", JWT_SECRET=None, INSTANCE="default")
    made = put(stack)
    assert call(stack, "GET", made["url"], "b", FORGED).status == 404
    application.granted.add(("bob", made["id"]))
    assert call(stack, "GET", made["url"], "b").body == DATA


def test_contradictions_are_named(local):
    for settings, name in (({"AUTH_REQUEST_URL": "http://a/b"}, "AUTH_REQUEST_URL"),
                           ({"AUTH": "header", "AUTH_REQUEST_URL": "http://a"}, "AUTH_REQUEST_URL"),
                           ({"AUTH_REQUEST_CACHE": "5"}, "AUTH_REQUEST_CACHE")):
        done = subprocess.run([local.app / "bin/cloakroom-fcgi", "--check-config"], env={**local.env, **settings},
                              capture_output=True, text=True, timeout=20)
        assert done.returncode == 78 and done.stderr.startswith(name + ": "), done.stderr
