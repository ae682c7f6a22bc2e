"""test_download.py — bytes out, the same by every delivery: whole, in ranges, on conditions, with safe headers."""
import email
import hashlib
import os
import re
import socket
import time
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from urllib.parse import unquote, urlsplit

import pytest

import http_client
from http_client import Answer
from stack import MIB, Stack, token

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89"
SMALL = PNG + os.urandom(100_000)
LARGE = PNG + os.urandom(17 * MIB + 3)  # over 16 MiB nginx fetches it in slices of 4 MiB
OLD = formatdate(1_000_000_000, usegmt=True)
ODD_NAME = "Über 'x' %41; a=\"b\", 日本.png"


@dataclass
class Served:
    """One file and the stack that delivers it."""
    stack: Stack
    attachment: dict
    data: bytes
    redirects: bool = False

    def get(self, headers=None, method="GET", query="", user="alice") -> Answer:
        """The answer that a client sees who follows redirects."""
        answer = self.stack.get(self.attachment["url"] + query, user, headers, method)
        if not self.redirects or answer.status != 302:
            return answer
        target = urlsplit(answer.headers["Location"])
        return http_client.call(target.port, method, f"{target.path}?{target.query}", headers)

    @property
    def etag(self):
        return self.get(method="HEAD").headers["ETag"]

    @property
    def modified(self):
        return self.get(method="HEAD").headers["Last-Modified"]


# name -> the stack, the stack that stores for it, large or small, and what is particular
WAYS = {
    "local proxy": ("local", "local", SMALL, {}),
    "local stream": ("local_stream", "local", SMALL, {}),
    "s3 proxy": ("s3", "s3", SMALL, {}),
    "s3 proxy sliced": ("s3", "s3", LARGE, {}),
    "s3 redirect": ("s3_redirect", "s3", SMALL, {"redirects": True}),
    "s3 stream": ("s3_stream", "s3", SMALL, {}),
}
stored = {}  # (stack, size) -> attachment: each file is uploaded once


def make_served(request, way, data=None):
    by, store, default, more = WAYS[way]
    data = default if data is None else data
    place = (store, len(data))
    if place not in stored:
        stored[place] = request.getfixturevalue(store).upload(data, ODD_NAME)
    return Served(request.getfixturevalue(by), stored[place], data, **more)


@pytest.fixture(params=WAYS)
def served(request):
    return make_served(request, request.param)


@pytest.fixture(params=WAYS)
def empty(request):
    return make_served(request, request.param, b"")


@pytest.fixture(params=[w for w in WAYS if "redirect" not in w])
def direct(request):
    """The ways in which we, not the store, answer the client."""
    return make_served(request, request.param)


def assert_no_store_headers(answer):
    shown = [k for k in answer.headers if k.lower().startswith(("x-amz", "x-rgw", "x-trans", "x-cloakroom", "x-accel"))]
    assert not shown, shown


# --- the whole file ---------------------------------------------------------------------------------------------------

def test_the_whole_file_comes_back(served):
    answer = served.get()
    assert answer.status == 200 and hashlib.sha256(answer.body).hexdigest() == served.attachment["sha256"]
    assert answer.headers["Content-Length"] == str(len(served.data))
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_every_header_that_protects_is_there_once(direct):
    for method in ("GET", "HEAD"):
        headers = direct.get(method=method).headers
        assert headers.get_all("ETag") == [f'"{direct.attachment["sha256"][:32]}"']
        assert headers.get_all("X-Content-Type-Options") == ["nosniff"]
        assert headers.get_all("Cache-Control") == ["private, max-age=86400, immutable"]
        assert len(headers.get_all("Last-Modified")) == 1 and parsedate_to_datetime(headers["Last-Modified"])
        assert re.fullmatch("[0-9a-f]{32}", headers["X-Request-Id"]) and len(headers.get_all("X-Request-Id")) == 1
        [policy] = headers.get_all("Content-Security-Policy")
        assert "sandbox" in policy and "default-src 'none'" in policy and "script" not in policy
        assert "Set-Cookie" not in headers


def test_nothing_of_the_store_shows(direct):
    for headers in ({}, {"Range": "bytes=0-9"}):
        assert_no_store_headers(direct.get(headers))


def test_the_disposition_carries_the_real_name(served):
    disposition = served.get().headers["Content-Disposition"]
    assert disposition.startswith("inline; filename=\"")
    assert disposition.isascii()
    encoded = re.search(r"filename\*=UTF-8''(\S+)$", disposition).group(1)
    assert unquote(encoded) == ODD_NAME == served.attachment["filename"]


def test_download_1_makes_it_an_attachment(served):
    assert served.get(query="?download=1").headers["Content-Disposition"].startswith("attachment; ")
    assert served.get(query="?download=0").headers["Content-Disposition"].startswith("inline; ")


def test_the_name_in_the_address_is_decoration(direct):
    path = direct.attachment["url"].rpartition("/")[0] + "/other.html"
    answer = direct.stack.get(path)
    assert answer.status == 200 and answer.headers["Content-Type"] == "image/png"


def test_head_is_get_without_the_bytes(served):
    get, head = served.get(), served.get(method="HEAD")
    assert (head.status, head.body) == (200, b"")
    different = ("date", "x-request-id", "x-amz-request-id", "connection")
    shown = lambda a: {k.lower(): v for k, v in a.headers.items() if k.lower() not in different}
    assert shown(head) == shown(get)


def test_a_redirect_is_not_kept_and_tells_nobody_where_it_came_from(request):
    served = make_served(request, "s3 redirect")
    answer = served.stack.get(served.attachment["url"])
    assert answer.status == 302 and answer.body == b""
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert_no_store_headers(answer)


@pytest.mark.parametrize("where", ["local", "local_stream", "s3", "s3_redirect", "s3_stream"])
def test_a_text_says_its_encoding(where, request):
    stack = request.getfixturevalue(where)
    made = request.getfixturevalue(where.partition("_")[0]).upload("Grüße\n".encode(), "g.txt")
    answer = Served(stack, made, b"", "redirect" in where).get()
    assert answer.headers["Content-Type"].replace(" ", "").lower() == "text/plain;charset=utf-8"


def test_the_configured_cache_control_is_sent(new_stack):
    stack = new_stack(CACHE_CONTROL="private, no-cache")
    made = stack.upload()
    assert stack.get(made["url"]).headers["Cache-Control"] == "private, no-cache"
    unchanged = stack.get(made["url"], headers={"If-None-Match": "*"})
    assert (unchanged.status, unchanged.headers["Cache-Control"]) == (304, "private, no-cache")


@pytest.mark.parametrize("name, data", [
    ("page.html", b"<!DOCTYPE html><html><script>alert(1)</script></html>"),
    ("page.png", b"<!DOCTYPE html><html><script>alert(1)</script></html>"),
    ("drawing.svg", b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
    ("paper.pdf", b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"),
    ("data.xml", b'<?xml version="1.0"?><a/>'),
])
@pytest.mark.parametrize("where", ["local", "local_stream", "s3", "s3_redirect", "s3_stream"])
def test_what_could_run_is_never_shown_inline(where, name, data, request):
    made = request.getfixturevalue(where.partition("_")[0]).upload(data, name)
    answer = Served(request.getfixturevalue(where), made, data, "redirect" in where).get()
    assert answer.body == data
    assert answer.headers["Content-Disposition"].startswith("attachment")


# --- nothing to send --------------------------------------------------------------------------------------------------

def test_an_empty_file_is_an_empty_answer(empty):
    for method in ("GET", "HEAD"):
        answer = empty.get(method=method)
        assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "0")


def test_an_empty_file_has_no_ranges(empty):
    answer = empty.get({"Range": "bytes=0-0"})
    assert answer.status == 416 and answer.headers["Content-Range"] == "bytes */0"


# --- ranges -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("asked", ["0-9", "0-0", "50000-69999", "100-", "-5", "-1", "last", "beyond", "slices"])
def test_a_range_is_exactly_those_bytes(served, asked):
    size = len(served.data)
    text, first, end = {
        "last": (f"{size - 1}-{size - 1}", size - 1, size),
        "beyond": (f"10-{size + 99}", 10, size),
        "slices": (f"{size // 2 - 5}-{min(size - 2, size // 2 + 5 * MIB)}", size // 2 - 5,
                   min(size - 2, size // 2 + 5 * MIB) + 1),
        "100-": ("100-", 100, size), "-5": ("-5", size - 5, size), "-1": ("-1", size - 1, size),
    }.get(asked) or (asked, int(asked.split("-")[0]), int(asked.split("-")[1]) + 1)
    answer = served.get({"Range": "bytes=" + text})
    assert answer.status == 206
    assert answer.headers["Content-Range"] == f"bytes {first}-{end - 1}/{size}"
    assert answer.headers["Content-Length"] == str(end - first)
    assert answer.body == served.data[first:end]
    assert answer.headers["Content-Type"] == "image/png"


@pytest.mark.parametrize("how", ["size-", "beyond"])
def test_a_range_behind_the_end_is_416(served, how):
    size = len(served.data)
    answer = served.get({"Range": f"bytes={size}-" if how == "size-" else f"bytes={size + 5}-{size + 9}"})
    assert answer.status == 416 and answer.headers["Content-Range"] == f"bytes */{size}"
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_several_ranges_come_as_a_list(served):
    if served.redirects:
        pytest.skip("the store's own answer")
    answer = served.get({"Range": "bytes=0-9,100-149,-20"})
    assert answer.status == 206, str(answer)
    kind = answer.headers["Content-Type"]
    assert kind.startswith("multipart/byteranges")
    parts = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + answer.body).get_payload()
    size = len(served.data)
    assert [p["Content-Range"] for p in parts] == [f"bytes 0-9/{size}", f"bytes 100-149/{size}",
                                                   f"bytes {size - 20}-{size - 1}/{size}"]
    for piece in (served.data[:10], served.data[100:150], served.data[-20:]):
        assert piece in answer.body


def test_ranges_that_overlap_a_hundred_times_do_not_make_the_answer_longer(direct):
    answer = direct.get({"Range": "bytes=" + ",".join(["0-"] * 100)})
    assert answer.status in (200, 416) and len(answer.body) <= len(direct.data)


def test_a_range_of_another_unit_is_ignored(direct):
    answer = direct.get({"Range": "pages=1-2"})
    assert answer.status == 200 and len(answer.body) == len(direct.data)


# --- conditions -------------------------------------------------------------------------------------------------------

def test_if_range_with_the_same_etag_gives_the_range(served):
    answer = served.get({"Range": "bytes=5-9", "If-Range": served.etag})
    assert answer.status == 206 and answer.body == served.data[5:10]


def test_if_range_with_the_same_date_gives_the_range(served):
    answer = served.get({"Range": "bytes=5-9", "If-Range": served.modified})
    assert answer.status == 206 and answer.body == served.data[5:10]


@pytest.mark.parametrize("other", ['"other"', "weak", OLD])
def test_if_range_with_another_validator_gives_the_whole_file(direct, other):
    value = "W/" + direct.etag if other == "weak" else other
    answer = direct.get({"Range": "bytes=5-9", "If-Range": value})
    assert answer.status == 200 and len(answer.body) == len(direct.data)


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_if_none_match_with_the_etag_is_304(direct, form):
    for method in ("GET", "HEAD"):
        answer = direct.get({"If-None-Match": form.format(direct.etag)}, method)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["ETag"] == direct.etag
        assert answer.headers["Cache-Control"] == "private, max-age=86400, immutable"


def test_if_none_match_with_another_etag_gives_the_file(served):
    answer = served.get({"If-None-Match": '"other"'})
    assert answer.status == 200 and len(answer.body) == len(served.data)


def test_if_modified_since_its_date_is_304_and_since_an_older_one_the_file(served):
    assert served.get({"If-Modified-Since": served.modified}).status == 304
    assert served.get({"If-Modified-Since": OLD}).status == 200


def test_if_none_match_wins_over_if_modified_since(direct):
    headers = {"If-None-Match": '"other"', "If-Modified-Since": direct.modified}
    assert direct.get(headers).status == 200


@pytest.mark.parametrize("header, bad", [("If-Match", '"other"'), ("If-Unmodified-Since", OLD)])
def test_a_failed_precondition_is_412_as_json(served, header, bad):
    answer = served.get({header: bad})
    assert answer.status == 412 and answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:cloakroom:error:precondition_failed"


@pytest.mark.parametrize("range_", [None, "bytes=3-7"])
def test_a_fulfilled_precondition_gives_the_file(direct, range_):
    for condition in ({"If-Match": direct.etag}, {"If-Unmodified-Since": direct.modified}):
        answer = direct.get({**condition, **({"Range": range_} if range_ else {})})
        assert answer.status == (206 if range_ else 200)
        assert answer.body == (direct.data[3:8] if range_ else direct.data)


def test_a_304_hands_nothing_to_anybody_who_may_not_read(direct):
    etag = direct.etag
    for user in (None, "mallory"):
        assert direct.get({"If-None-Match": etag}, user=user).status == (401 if user is None else 404)
        assert direct.get({"If-None-Match": "*"}, user=user).status == (401 if user is None else 404)


# --- objects that are not there ---------------------------------------------------------------------------------------

# GET alone: HEAD is answered from the row, without a look at the bytes.
@pytest.mark.parametrize("where", ["local", "local_stream", "s3", "s3_stream"])
def test_a_row_whose_bytes_are_lost_is_a_clean_404(where, request):
    owner = request.getfixturevalue(where.partition("_")[0])
    stack = request.getfixturevalue(where)
    made = owner.upload(b"soon lost", "lost.bin")
    key = owner.key_of(made)
    if "s3" in where:
        owner.s3.delete_object(Bucket=owner.settings["S3_BUCKET"], Key=key)
    else:
        os.unlink(os.path.join(owner.settings["UPLOAD_STORAGE_PATH"], key))
    try:
        answer = stack.get(made["url"])
        assert answer.status == 404, str(answer)
        assert answer.headers.get_all("Cache-Control") == ["no-store"], "a browser would keep the 404"
        assert "Content-Disposition" not in answer.headers and "ETag" not in answer.headers
        assert answer.headers["Content-Type"] == "application/problem+json" and answer.json()["status"] == 404
    finally:
        owner.sql("DELETE FROM attachments WHERE id = %s", made["id"])


def test_a_site_rule_for_pictures_does_not_catch_our_files(local):
    made = local.upload(PNG, "steal.png")
    assert made["url"].endswith(".png") and local.get(made["url"]).body == PNG
    assert local.call("GET", "/steal.png").status == 418  # the rule is there


def test_the_internal_addresses_cannot_be_reached(local, s3):
    key = local.key_of(local.upload())
    for stack in (local, s3):
        for path in ("/_cloakroom/default/file/" + key, "/_cloakroom/default/s3", "/_cloakroom/default/s3-sliced",
                     "/_cloakroom/default/may-upload", "/_cloakroom/may-upload"):
            assert stack.get(path, "service").status == 404, path


@pytest.mark.parametrize("where", ["local", "local_stream"])
def test_slow_readers_do_not_keep_the_workers(where, request):
    """Also what a worker streams itself (DELIVERY=stream, a condition nginx cannot judge) is nginx's to deliver."""
    stack = request.getfixturevalue(where)
    made = request.getfixturevalue("local").upload(b"x" * (8 * MIB), "slow.bin")
    readers = []
    try:
        for _ in range(3 * len(stack.worker_children())):
            s = socket.create_connection(("127.0.0.1", stack.port))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(f"GET {made['url']} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token()}\r\nIf-Match: *\r\n\r\n".encode())
            readers.append(s)
        assert all(s.recv(12) == b"HTTP/1.1 200" for s in readers)   # each is being served, and reads no further
        began = time.monotonic()
        assert stack.get("/healthz", user=None).status == 200
        assert time.monotonic() - began < 1
    finally:
        for s in readers:
            s.close()


def test_a_range_means_nothing_to_head(local):
    made = local.upload(b"0123456789", "ten.bin")
    for value in ("bytes=2-4", "bytes=20-", "bytes=x"):
        answer = local.get(made["url"], method="HEAD", headers={"Range": value})
        assert (answer.status, answer.headers["Content-Length"]) == (200, "10"), value


def test_many_unsatisfiable_ranges_are_416_and_no_404(local, s3):
    for stack in (local, s3):
        made = stack.upload(b"0123456789", "ten.bin")
        answer = stack.get(made["url"], headers={"Range": "bytes=" + ",".join(["20-30"] * 20)})
        assert answer.status == 416 and answer.json()["status"] == 416
