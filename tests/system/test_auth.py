"""test_auth.py — who is asking: tokens of three kinds, a cookie, nginx's word, the service, or nobody."""
import base64
import hashlib
import hmac
import json
import os
import subprocess
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from processes import own
from stack import SECRET, SERVICE_TOKEN, token

UNAUTHENTICATED = "urn:cloakroom:error:unauthenticated"


def bearer(value):
    return {"Authorization": "Bearer " + value}


def who(stack, headers):
    """The status of a harmless request, and the user it was logged for."""
    answer = stack.call("GET", "/api/attachments?status=uploaded", None, headers)
    if answer.status == 401:
        assert answer.headers["Content-Type"] == "application/problem+json"
        body = answer.json()
        assert body["type"] == UNAUTHENTICATED and body["request_id"] == answer.headers["X-Request-Id"]
    return answer.status, stack.logged(answer).get("user")


def hand_made(header, claims, sign):
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")
    text = part(header) + b"." + part(claims)
    return (text + b"." + base64.urlsafe_b64encode(sign(text)).rstrip(b"=")).decode()


def claims(**more):
    return {"sub": "alice", "exp": int(time.time()) + 600, **more}


# --- HS256 ------------------------------------------------------------------------------------------------------------

def test_a_token_of_ours_is_its_user(local):
    assert who(local, bearer(token("alice"))) == (200, "alice")
    assert who(local, bearer(token("Ünï"))) == (200, "Ünï")
    assert who(local, bearer(jwt.encode(claims(sub=42), SECRET))) == (200, "42")


def test_the_tool_makes_such_tokens(local):
    assert who(local, bearer(local.tool("token", "dora").stdout.strip())) == (200, "dora")


BAD = {
    "nothing": lambda: {},
    "not a bearer": lambda: {"Authorization": "Basic " + base64.b64encode(b"alice:x").decode()},
    "an empty bearer": lambda: bearer(""),
    "nonsense": lambda: bearer("nonsense"),
    "expired": lambda: bearer(token(ttl=-120)),
    "without expiry": lambda: bearer(token(exp=None)),
    "not valid yet": lambda: bearer(token(nbf=int(time.time()) + 600)),
    "another key": lambda: bearer(token(key="another-secret-another-secret-0123")),
    "HS512": lambda: bearer(token(algorithm="HS512")),
    "alg none": lambda: bearer(hand_made({"alg": "none", "typ": "JWT"}, claims(), lambda text: b"")),
    "alg None": lambda: bearer(hand_made({"alg": "None"}, claims(), lambda text: b"")),
    "no alg": lambda: bearer(hand_made({}, claims(), lambda t: hmac.digest(SECRET.encode(), t, "sha256"))),
    "an empty signature": lambda: bearer(token().rpartition(".")[0] + "."),
    "a cut signature": lambda: bearer(token()[:-4]),
    "other claims, same signature": lambda: bearer(swap_claims(token("bob"))),
    "no user": lambda: bearer(token(sub=None)),
    "an empty user": lambda: bearer(token("")),
    "a user of 256 bytes": lambda: bearer(token("u" * 256)),
    "a control character": lambda: bearer(token("a\nb")),
    "four parts": lambda: bearer(token() + ".x"),
    "too long": lambda: bearer(token("alice", more="x" * 5000)[:5000]),
    "critical extension": lambda: bearer(jwt.encode(claims(), SECRET, headers={"crit": ["exp2"], "exp2": 1})),
    "half of the service token": lambda: bearer(SERVICE_TOKEN[:-1]),
    "more than the service token": lambda: bearer(SERVICE_TOKEN + "x"),
    "a cookie where none is configured": lambda: {"Cookie": "token=" + token()},
    "REMOTE_USER as a header": lambda: {"Remote-User": "alice", "X-Remote-User": "alice", "Remote_User": "alice"},
}


def swap_claims(good):
    head, _, signature = good.split(".")
    return ".".join([head, base64.urlsafe_b64encode(json.dumps(claims()).encode()).rstrip(b"=").decode(), signature])


@pytest.mark.parametrize("case", BAD)
def test_a_bad_identity_is_401_everywhere(local, case):
    headers = BAD[case]()
    assert who(local, headers) == (401, None)
    made = local.upload()
    for method, path in (("GET", made["url"]), ("GET", "/api/attachments/" + made["id"]), ("POST", "/api/upload"),
                         ("PUT", "/api/upload/x"), ("DELETE", "/api/attachments/" + made["id"])):
        assert local.call(method, path, None, headers, b"x" if method[0] == "P" else None).status == 401, path
    assert local.get(made["url"]).status == 200


def test_issuer_and_audience_are_checked_when_they_are_set(new_stack):
    stack = new_stack(JWT_ISSUER="app", JWT_AUDIENCE="files", JWT_USER_CLAIM="uid")
    good = {"iss": "app", "aud": ["other", "files"], "uid": "alice", "sub": "bob"}
    assert who(stack, bearer(token(**good))) == (200, "alice")
    for wrong in ({"iss": "else"}, {"iss": None}, {"aud": "other"}, {"aud": None}, {"uid": None}):
        assert who(stack, bearer(token(**{**good, **wrong})))[0] == 401, wrong


# --- cookie and service -----------------------------------------------------------------------------------------------

def test_a_cookie_may_carry_the_token_and_the_header_wins(new_stack):
    stack = new_stack(JWT_COOKIE="session")
    assert who(stack, {"Cookie": "a=b; session=" + token("carol") + "; c=d"}) == (200, "carol")
    assert who(stack, {"Cookie": "xsession=" + token("carol")})[0] == 401
    assert who(stack, {"Cookie": "session=" + token("carol"), **bearer(token("bob"))}) == (200, "bob")
    assert who(stack, {"Cookie": "session=" + token("carol"), **bearer("bad")})[0] == 401
    body = stack.call("PUT", "/api/upload/x", None, {"Cookie": "session=" + token("carol"), "Origin": stack.url}, b"x")
    assert body.status == 201 and body.json()["uploader_id"] == "carol"


def test_the_service_token_is_the_service(local):
    assert who(local, bearer(SERVICE_TOKEN)) == (200, "service:")
    assert who(local, {**bearer(SERVICE_TOKEN), "X-Uploader-Id": "bob"}) == (200, "service:bob")


def test_without_a_service_token_nobody_is_the_service(new_stack):
    stack = new_stack(SERVICE_TOKEN=None)
    assert who(stack, bearer(""))[0] == 401 and who(stack, bearer(SERVICE_TOKEN))[0] == 401


# --- public keys ------------------------------------------------------------------------------------------------------

def public_pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
def test_a_public_key_checks_tokens_and_cannot_be_used_as_a_secret(new_stack, tmp_path, world, algorithm):
    make = {"RS256": lambda: rsa.generate_private_key(65537, 2048),
            "EdDSA": ed25519.Ed25519PrivateKey.generate}[algorithm]
    key, other = make(), make()
    pem = world.dir / f"{algorithm}.pem"
    pem.write_bytes(public_pem(key))
    own(pem)
    stack = new_stack(JWT_SECRET=None, JWT_PUBLIC_KEY_FILE=pem)
    assert who(stack, bearer(token("alice", key, algorithm))) == (200, "alice")
    assert who(stack, bearer(token("alice", key, algorithm, ttl=-120)))[0] == 401
    assert who(stack, bearer(token("alice", other, algorithm)))[0] == 401
    assert who(stack, bearer(token("alice")))[0] == 401
    assert who(stack, bearer(hand_made({"alg": "none"}, claims(), lambda t: b"")))[0] == 401
    # key confusion: the public key, which everybody has, as an HMAC secret
    for alg in ("HS256", algorithm):
        for secret in (public_pem(key), public_pem(key).strip()):
            sign = lambda text: hmac.new(secret, text, hashlib.sha256).digest()
            forged = hand_made({"alg": alg, "typ": "JWT"}, claims(), sign)
            assert who(stack, bearer(forged))[0] == 401
    if algorithm == "RS256":
        assert who(stack, bearer(jwt.encode(claims(), key, algorithm="RS512")))[0] == 401


# --- nginx's word -----------------------------------------------------------------------------------------------------

def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


FORGED = {"Remote-User": "mallory", "REMOTE_USER": "mallory", "X-Remote-User": "mallory", "X-REMOTE-USER": "mallory",
          "Http-Remote-User": "mallory"}


def test_basic_auth_of_nginx_names_the_user_and_no_header_can(new_stack, world):
    passwords = world.dir / "htpasswd"
    passwords.write_text("erna:{PLAIN}pass\n")
    own(passwords)
    stack = new_stack(AUTH="header", AUTH_BASIC_FILE=passwords, JWT_SECRET=None)
    assert who(stack, {**basic("erna", "pass"), **FORGED}) == (200, "erna")
    assert _status(stack, "/api/attachments?status=uploaded", basic("erna", "wrong")) == 401
    assert _status(stack, "/api/attachments?status=uploaded", FORGED) == 401
    made = stack.call("PUT", "/api/upload/x", None, {**basic("erna", "pass"), **FORGED}, b"x")
    assert made.status == 201 and made.json()["uploader_id"] == "erna"


def _status(stack, path, headers):
    try:
        return stack.call("GET", path, None, headers).status
    except OSError:
        return 0


def test_header_mode_without_a_check_in_nginx_is_refused(world, tmp_path):
    """nginx fills $remote_user from whatever a client writes: without auth_basic anybody could be anybody."""
    settings = {"DATABASE_URL": "postgresql:///x", "AUTH": "header", "PATH": os.environ["PATH"]}
    run = subprocess.run([world.app / "bin/cloakroom", "config", "--nginx", tmp_path], env=settings,
                         capture_output=True, text=True, timeout=10)
    assert run.returncode != 0 and "AUTH_BASIC_FILE" in run.stderr


def test_the_application_names_the_user_by_auth_request(new_stack, world):
    # A stand-in for the application: the session cookie decides.
    application = world.dir / "application.sock"
    http = f"""server {{ listen unix:{application};
      location / {{
        if ($cookie_sid = "fritz-sid") {{ add_header X-Remote-User fritz; return 204; }}
        return 401; }} }}"""
    session = f"""location = /session {{ internal; proxy_pass http://unix:{application}:/; proxy_pass_request_body off;
      proxy_set_header Content-Length ""; client_max_body_size 0; }}"""
    stack = new_stack(stack={"server": session, "http": http}, AUTH="header", AUTH_REQUEST="/session", JWT_SECRET=None)
    assert who(stack, {"Cookie": "sid=fritz-sid", **FORGED}) == (200, "fritz")
    for headers in ({}, FORGED, {"Cookie": "sid=other", **FORGED}):
        answer = stack.call("GET", "/api/attachments?status=uploaded", None, headers)
        assert answer.status == 401 and answer.headers["Content-Type"] == "application/problem+json"
        assert stack.call("PUT", "/api/upload/x", None, headers, b"x").status == 401
    made = stack.call("PUT", "/api/upload/x", None, {"Cookie": "sid=fritz-sid", "Origin": stack.url, **FORGED}, b"x")
    assert made.status == 201 and made.json()["uploader_id"] == "fritz"


def test_a_client_cannot_forge_remote_user_beside_a_token(local):
    assert who(local, {**bearer(token("bob")), **FORGED}) == (200, "bob")


def test_with_auth_none_everybody_is_the_one_user(new_stack):
    stack = new_stack(AUTH="none", JWT_SECRET=None)
    assert who(stack, {}) == (200, "anonymous")
    made = stack.call("PUT", "/api/upload/x", None, body=b"x")
    assert made.json()["uploader_id"] == "anonymous"
    assert stack.get(made.json()["url"], None).body == b"x"
    assert stack.link("m1", made.json()["id"], user=None).status == 200
    assert stack.call("DELETE", "/api/messages/m1", None).status == 403
    assert stack.call("DELETE", "/api/messages/m1", "service").status == 204
