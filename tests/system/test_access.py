"""test_access.py — who may do what with a file: the whole matrix, and what losing membership does to cached bytes."""
import io
import json
import uuid
from pathlib import Path

import pytest
from PIL import Image

from links import SECRET, link
from processes import wait_until


def png():
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 30, 60)).save(out, "PNG")
    return out.getvalue()


DATA = png()  # a picture that not everybody may see
ELSEWHERE = "https://media.example.com/a.png?signature=1"
STATES = ("uploaded", "linked", "deleted", "quarantined")

# Rows: who. Columns: the states above. A link comes with nobody's identity.
READ = {
    "anonymous":         (401, 401, 401, 401),
    "stranger":          (404, 404, 404, 404),
    "uploader":          (200, 200, 404, 404),
    "member":            (404, 200, 404, 404),
    "former member":     (404, 404, 404, 404),
    "service":           (200, 200, 404, 404),
    "good link":         (200, 200, 404, 404),
    "expired link":      (401, 401, 401, 401),
    "forged link":       (401, 401, 401, 401),
    "link of another":   (401, 401, 401, 401),
}
SENT_ON = {who: tuple(302 if status == 200 else status for status in row) for who, row in READ.items()}
LINKS = {who: (401, 401, 401, 401) for who in ("good link", "expired link", "forged link", "link of another")}
MATRIX = {
    "read": READ,
    "read in its dialog": READ,
    "variant": READ,
    # files that live elsewhere: whoever may read is sent there
    "read elsewhere": SENT_ON,
    "variant elsewhere": SENT_ON,
    "metadata": {
        "anonymous":     (401, 401, 401, 401),
        "stranger":      (404, 404, 404, 404),
        "uploader":      (200, 200, 404, 404),
        "member":        (404, 200, 404, 404),
        "former member": (404, 404, 404, 404),
        "service":       (200, 200, 404, 200),
        **LINKS,
    },
    "make a link": {
        "anonymous":     (401, 401, 401, 401),
        "stranger":      (404, 404, 404, 404),
        "uploader":      (201, 201, 404, 404),
        "member":        (404, 201, 404, 404),
        "former member": (404, 404, 404, 404),
        "service":       (201, 201, 404, 404),
        **LINKS,
    },
    # to a message: one answer for whatever cannot be tied; the service acts for the uploader
    "link": {
        "anonymous":     (401, 401, 401, 401),
        "stranger":      (409, 409, 409, 409),
        "uploader":      (200, 409, 409, 409),
        "member":        (409, 409, 409, 409),
        "former member": (409, 409, 409, 409),
        "service":       (200, 409, 409, 409),
        **LINKS,
    },
    "delete": {
        "anonymous":     (401, 401, 401, 401),
        "stranger":      (404, 404, 404, 404),
        "uploader":      (204, 409, 404, 404),
        "member":        (404, 403, 404, 404),
        "former member": (404, 404, 404, 404),
        "service":       (204, 409, 404, 204),
        **LINKS,
    },
}
USERS = {"stranger": "mallory", "uploader": "alice", "member": "bob", "former member": "fred", "service": "service"}


def new_id(prefix):
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def in_state(stack, state, is_elsewhere=False):
    """A file of alice in a dialog of alice and bob, which fred has left."""
    dialog = new_id("d")
    stack.members(dialog, "alice", "bob", "fred")
    stack.members(dialog, "alice", "bob")
    if is_elsewhere:
        made = stack.register(ELSEWHERE, uploader_id="alice", dialog_id=dialog).json()
    else:
        made = {**stack.upload(DATA, "a.png", dialog_id=dialog), "dialog_id": dialog}
    if state in ("linked", "quarantined"):
        assert stack.link(new_id("m"), made["id"], dialog_id=dialog).status == 200
    if state == "quarantined":
        assert stack.sql("UPDATE attachments SET status = 'quarantined' WHERE id = %s", made["id"]) == 1
    if state == "deleted":
        assert stack.call("DELETE", "/api/attachments/" + made["id"]).status == 204
    return made


def link_of(who, made, other):
    return {"good link": lambda: link(made["id"]), "expired link": lambda: link(made["id"], ttl=-1),
            "forged link": lambda: link(made["id"], secret="another-secret-0123456789"),
            "link of another": lambda: link(other["id"])}.get(who, str)()


def act(stack, what, who, made, other):
    """The answers that must all have the status of the cell."""
    user, query = USERS.get(who), link_of(who, made, other)
    meta = "/api/attachments/" + made["id"]
    where = what.removesuffix(" elsewhere")
    if where in ("read", "read in its dialog", "variant"):
        path = {"read": made["url"], "variant": f"/api/files/{made['id']}/thumb/a.png",
                "read in its dialog": f"/api/support-chat/attachments/{made['dialog_id']}/{made['id']}"}[where] + query
        return [stack.get(path, user), stack.get(path, user, method="HEAD")]
    if what == "metadata":
        return [stack.get(meta + query, user), stack.get(meta + query, user, method="HEAD")]
    if what == "make a link":
        return [stack.call("POST", meta + "/link-token" + query, user)]
    if what == "delete":
        return [stack.call("DELETE", meta + query, user)]
    more = {"uploader_id": "alice"} if user == "service" else {}
    return [stack.call("POST", "/api/attachments/link" + query, user, {"Content-Type": "application/json"},
                       json.dumps({"message_id": new_id("m"), "attachment_ids": [made["id"]], **more}))]


def check_column(stack, what):
    other = in_state(stack, "linked")
    wrong, refusals = [], {}
    for place, state in enumerate(STATES):
        made = None
        for who, row in MATRIX[what].items():
            if made is None or what in ("link", "delete"):   # these may change it
                made = in_state(stack, state, what.endswith("elsewhere"))
            for answer in act(stack, what, who, made, other):
                if answer.status != row[place]:
                    wrong.append(f"{what}, {who}, {state}: {answer.status} instead of {row[place]}")
                if answer.status == 302 and (answer.headers["Location"], answer.body) != (ELSEWHERE, b""):
                    wrong.append(f"{what}, {who}, {state}: sent to another place")
                if answer.status == 200 and what == "variant" and answer.body:
                    assert Image.open(io.BytesIO(answer.body)).size == (40, 30)
                if answer.status == 200 and what.startswith("read") and answer.body not in (b"", DATA):
                    wrong.append(f"{what}, {who}, {state}: other bytes")
                if answer.status in (401, 404) and answer.body:
                    body = answer.json()
                    del body["request_id"]
                    refusals.setdefault(answer.status, set()).add(str(body))
    assert not wrong, "\n".join(wrong)
    assert all(len(bodies) == 1 for bodies in refusals.values()), refusals


@pytest.fixture(scope="module")
def guarded(world):
    return world.stack({"LINK_SECRET": SECRET}, images=True).start()


@pytest.mark.parametrize("what", MATRIX)
def test_the_access_matrix(guarded, what):
    assert len(READ) == 10 and all(set(column) == set(READ) for column in MATRIX.values())
    check_column(guarded, what)


def test_the_bytes_in_s3_follow_the_same_matrix(new_stack, s3):
    stack = new_stack(stack={"like": s3, "images": True}, LINK_SECRET=SECRET)
    check_column(stack, "read")
    check_column(stack, "variant")


def test_streamed_bytes_follow_it_too(new_stack, guarded):
    check_column(new_stack(stack={"like": guarded}, LINK_SECRET=SECRET, DELIVERY="stream"), "read")


@pytest.mark.parametrize("who, status", [(None, 401), ("alice", 403), ("bob", 403), ("service", 201)])
def test_the_service_alone_registers_what_lives_elsewhere(guarded, who, status):
    before = guarded.sql("SELECT count(*) FROM attachments")[0][0]
    assert guarded.register(ELSEWHERE, user=who).status == status
    assert guarded.sql("SELECT count(*) FROM attachments")[0][0] == before + (status == 201)


# --- losing membership ------------------------------------------------------------------------------------------------

def test_losing_membership_ends_access_to_bytes_that_nginx_has_cached(s3):
    made = in_state(s3, "linked")
    first = s3.get(made["url"], "bob")
    assert first.status == 200 and first.body == DATA
    cache = Path(s3.settings["NGINX_CACHE_PATH"])
    wait_until(lambda: any(DATA in p.read_bytes() for p in cache.rglob("*") if p.is_file()), 5, "a copy in the cache")
    s3.members(made["dialog_id"], "alice")
    etag = first.headers["ETag"]
    for headers in ({}, {"Range": "bytes=0-3"}, {"If-None-Match": etag}, {"If-Match": etag}, {"If-Range": etag, "Range": "bytes=1-2"}):
        for method in ("GET", "HEAD"):
            answer = s3.get(made["url"], "bob", headers, method)
            assert answer.status == 404 and DATA[:4] not in answer.body, headers
    assert s3.get(made["url"], "alice").body == DATA
    s3.members(made["dialog_id"], "alice", "bob")
    assert s3.get(made["url"], "bob").body == DATA


@pytest.mark.parametrize("where", ["local", "s3"])
def test_a_browser_that_must_ask_each_time_hears_of_it(new_stack, request, where):
    """CACHE_CONTROL for those to whom a browser's own copy is too much."""
    stack = new_stack(stack={"like": request.getfixturevalue(where)}, CACHE_CONTROL="private, no-cache")
    made = in_state(stack, "linked")
    first = stack.get(made["url"], "bob")
    assert first.headers.get_all("Cache-Control") == ["private, no-cache"]
    again = {"If-None-Match": first.headers["ETag"]}
    unchanged = stack.get(made["url"], "bob", again)
    assert unchanged.status == 304 and unchanged.headers["Cache-Control"] == "private, no-cache"
    stack.members(made["dialog_id"], "alice")
    assert stack.get(made["url"], "bob", again).status == 404
