"""test_origins.py — pages of other origins: writes with a cookie are refused, CORS is closed unless listed, policies on every answer."""
import base64

import pytest

from processes import own
from stack import SERVICE_TOKEN, token

APP = "https://app.example"
OTHER = "http://127.0.0.1:81"
EVIL = "https://evil.example"
CROSS = {"Sec-Fetch-Site": "cross-site"}
POLICY_NAMES = ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Resource-Policy",
                "X-Request-Id", "Cache-Control")


def cookie(user="alice"):
    return {"Cookie": "session=" + token(user)}


def put(stack, headers, body=b"x", path="/api/upload/x"):
    return stack.call("PUT", path, None, headers, body)


@pytest.fixture(scope="module")
def site(world):
    """A cookie carries the identity; two other origins are listed."""
    stack = world.stack({"JWT_COOKIE": "session", "CORS_ORIGINS": f"{APP},{OTHER}"}).start()
    yield stack
    stack.stop()
    world.stacks.remove(stack)


# --- proof of origin --------------------------------------------------------------------------------------------------

def test_a_write_with_a_cookie_needs_a_proof_of_origin(site):
    good = [{"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": site.url}, {"Origin": APP},
            {**CROSS, "Origin": APP}]
    bad = [{}, CROSS, {"Sec-Fetch-Site": "same-site"}, {**CROSS, "Origin": site.url}, {"Origin": EVIL},
           {"Origin": "null"}, {"Origin": "https" + site.url[4:]}, {"Origin": site.url + "0"}, {"Referer": site.url}]
    for proof in good:
        assert put(site, {**cookie(), **proof}).status == 201, proof
    made, before = site.upload(), site.snapshot()
    for proof in bad:
        for method, path in (("PUT", "/api/upload/x"), ("POST", "/api/upload"), ("POST", "/api/attachments/link"),
                             ("DELETE", "/api/attachments/" + made["id"]), ("POST", "/api/direct-uploads")):
            answer = site.call(method, path, None, {**cookie(), **proof}, b"x")
            assert answer.status == 403 and answer.json()["type"] == "urn:cloakroom:error:denied", (proof, path)
            assert "Authorization: Bearer" in answer.json()["detail"]
            assert answer.headers["Content-Type"] == "application/problem+json"
    site.assert_nothing_kept(before)
    # reading needs none: what a foreign page embeds it cannot see
    assert site.call("GET", made["url"], None, {**cookie(), **CROSS}).status == 200


def test_a_refused_upload_is_refused_before_its_body(site):
    """nginx asks the worker first, so the body is never spooled."""
    answer = site.call("POST", "/api/upload", None, {**cookie(), **CROSS, "Content-Length": str(1 << 25),
                                                     "Expect": "100-continue"}, None)
    assert answer.status == 403 and answer.json()["request_id"] == answer.headers["X-Request-Id"]
    assert site.logged(answer)["route"] == "^/_cloakroom/may-upload"


def test_tokens_that_a_browser_does_not_add_by_itself_need_no_proof(site):
    for secret in (token("alice"), SERVICE_TOKEN):
        assert put(site, {"Authorization": "Bearer " + secret, **CROSS, "Origin": EVIL}).status == 201


def test_behind_a_tls_proxy_the_site_says_its_own_address(new_stack):
    stack = new_stack(JWT_COOKIE="session", SITE_ORIGINS=APP)
    assert put(stack, {**cookie(), "Origin": APP}).status == 201
    assert put(stack, {**cookie(), "Origin": stack.url}).status == 403


def test_basic_auth_is_no_proof_in_a_browser_and_enough_for_a_program(new_stack, world):
    passwords = world.dir / "htpasswd-origins"
    passwords.write_text("erna:{PLAIN}pass\n")
    own(passwords)
    stack = new_stack(AUTH="header", AUTH_BASIC_FILE=passwords, JWT_SECRET=None, CORS_ORIGINS=APP)
    erna = {"Authorization": "Basic " + base64.b64encode(b"erna:pass").decode()}
    assert put(stack, erna).status == 201
    assert put(stack, {**erna, "Origin": stack.url}).status == 201
    for foreign in ({"Origin": EVIL}, CROSS, {"Cookie": "a=b"}):
        assert put(stack, {**erna, **foreign}).status == 403, foreign
    assert preflight(stack, APP, "/api/upload/x").status == 204  # nobody asks a preflight for its password
    assert preflight(stack, EVIL, "/api/upload/x").status == 401
    refused = put(stack, {"Origin": APP})
    assert refused.status == 401 and refused.headers["Access-Control-Allow-Origin"] == APP


# --- CORS -------------------------------------------------------------------------------------------------------------

def preflight(stack, origin, path, method="PUT"):
    return stack.call("OPTIONS", path, None, {"Origin": origin, "Access-Control-Request-Method": method,
                                              "Access-Control-Request-Headers": "authorization,content-type"})


def assert_open(answer, origin):
    assert answer.headers.get_all("Access-Control-Allow-Origin") == [origin], str(answer)
    assert answer.headers.get_all("Access-Control-Allow-Credentials") == ["true"]
    assert answer.headers.get_all("Vary") == ["Origin"]


def assert_closed(answer):
    assert not [name for name in answer.headers if name.lower().startswith("access-control")], str(answer.headers)


@pytest.mark.parametrize("origin", [APP, OTHER])
def test_a_listed_origin_may_ask_and_then_read_everything(site, origin):
    made = site.upload(b"0123456789")
    for path in ("/api/upload/x", "/api/upload", made["url"], "/api/attachments/nothing"):
        asked = preflight(site, origin, path)
        assert asked.status == 204 and asked.body == b""
        assert_open(asked, origin)
        assert "PUT" in asked.headers["Access-Control-Allow-Methods"]
        assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    from_there = {"Origin": origin, **CROSS}
    answers = [site.get(made["url"], headers=from_there),
               site.get(made["url"], headers={**from_there, "Range": "bytes=1-2"}),
               site.get(made["url"], headers={**from_there, "Range": "bytes=99-"}),
               site.get(made["url"], headers={**from_there, "If-None-Match": "*"}),
               site.get(made["url"], headers=from_there, method="HEAD"),
               site.get("/api/attachments/" + made["id"], headers=from_there),
               site.get("/api/attachments/nothing", headers=from_there),
               site.get(made["url"], None, headers=from_there),
               site.call("PUT", "/api/upload/x", None, from_there, b"x"),  # 401 of nginx's own
               site.call("POST", "/api/attachments/link", "alice", from_there, b" " * (2 << 20))]
    assert [a.status for a in answers] == [200, 206, 416, 304, 200, 200, 404, 401, 401, 413]
    for answer in answers:
        assert_open(answer, origin)
        assert "ETag" in answer.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("origin", [EVIL, "null", "https://app.example.evil.example", "https://appxexample", "*",
                                    "http://app.example", "https://app.example:444"])
def test_other_origins_get_nothing_to_read(site, origin):
    made = site.upload(b"0123456789")
    asked = preflight(site, origin, "/api/upload/x")
    assert asked.status in (401, 405)
    assert_closed(asked)
    for answer in (site.get(made["url"], headers={"Origin": origin}), site.get("/api/nothing", headers={"Origin": origin}),
                   site.call("PUT", "/api/upload/x", None, {"Origin": origin}, b"x")):
        assert_closed(answer)
        assert answer.headers.get_all("Vary") == ["Origin"]


def test_cors_is_closed_by_default(local):
    made = local.upload()
    for answer in (local.get(made["url"], headers={"Origin": APP}), local.get("/api/nothing", headers={"Origin": APP}),
                   preflight(local, APP, "/api/upload/x"), preflight(local, local.url, made["url"])):
        assert_closed(answer)
        assert "Vary" not in answer.headers


def test_files_from_s3_too(new_stack):
    stack = new_stack(stack={"s3": True}, CORS_ORIGINS=APP)
    made = stack.upload(b"0123456789")
    for headers in ({}, {"Range": "bytes=1-2"}, {"Range": "bytes=99-"}):
        answer = stack.get(made["url"], headers={"Origin": APP, **headers})
        assert_open(answer, APP)
        assert_policies(answer)
        assert_closed(stack.get(made["url"], headers={"Origin": EVIL, **headers}))  # nginx's copy knows no origin
    stack.s3.delete_object(Bucket=stack.settings["S3_BUCKET"], Key=stack.key_of(made))
    other = stack.upload(b"x")
    stack.s3.delete_object(Bucket=stack.settings["S3_BUCKET"], Key=stack.key_of(other))
    lost = stack.get(other["url"], headers={"Origin": APP})
    assert lost.status == 404
    assert_open(lost, APP)


# --- policies on every answer -----------------------------------------------------------------------------------------

def assert_policies(answer, resource="same-site"):
    got = {name: answer.headers.get_all(name) for name in POLICY_NAMES}
    assert all(values and len(values) == 1 for values in got.values()), (answer.status, got)
    policy = got["Content-Security-Policy"][0]
    assert "default-src 'none'" in policy and "sandbox" in policy and "script" not in policy
    assert got["X-Content-Type-Options"] == ["nosniff"] and got["Referrer-Policy"] == ["no-referrer"]
    assert got["Cross-Origin-Resource-Policy"] == [resource]


@pytest.mark.parametrize("name", ["local", "local_stream", "s3", "s3_stream", "s3_redirect"])
def test_every_answer_has_its_policies(request, name):
    stack = request.getfixturevalue(name)
    made = stack.upload(b"0123456789", "x.txt")
    path = made["url"]
    answers = [stack.get(path), stack.get(path, method="HEAD"), stack.get(path, headers={"Range": "bytes=1-2"}),
               stack.get(path, headers={"Range": "bytes=99-"}), stack.get(path, headers={"If-None-Match": "*"}),
               stack.get(path, headers={"If-Match": '"x"'}), stack.get(path, user=None), stack.get(path, user="bob"),
               stack.get("/api/attachments/" + made["id"]), stack.put(b"x"), stack.get("/api/upload"),
               stack.get("/api/nothing"), stack.call("PUT", "/api/upload/x", None, body=b"x"),
               stack.call("POST", "/api/attachments/link", body=b" " * (2 << 20)),
               stack.call("POST", "/api/attachments/link", body=b"nonsense"),
               stack.call("DELETE", "/api/messages/1"), stack.get("/healthz"), stack.get("/readyz")]
    assert {a.status // 100 for a in answers} >= {2, 4}
    for answer in answers:
        assert_policies(answer)


def test_a_body_that_is_no_http_is_refused_in_our_form(local):
    import http_client
    got = http_client.raw(local.port, b"PUT /api/upload/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer "
                          + token("alice").encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n")
    assert got.startswith(b"HTTP/1.1 400 ") and b"urn:cloakroom:error:invalid" in got and b"nosniff" in got


def test_who_may_embed_is_a_setting(new_stack):
    stack = new_stack(RESOURCE_POLICY="same-origin")
    made = stack.upload()
    for answer in (stack.get(made["url"]), stack.get(made["url"], None), stack.get("/api/nothing")):
        assert_policies(answer, "same-origin")
    public = new_stack(VISIBILITY="public")
    assert_policies(public.get(public.upload()["url"], None), "cross-origin")
