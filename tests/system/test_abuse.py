"""test_abuse.py — bytes no client would send, on a raw socket: each gets its 4xx (or what is documented), no worker dies,
and nothing is kept: no row, no file, no spooled body.

A case is a name, the bytes, and the statuses of all answers that come back: () is a connection closed without a word.
"""
import pytest

from http_client import form
from raw_client import head, nothing_is_kept_and_nobody_dies, statuses, talk, target  # noqa: F401: fixtures
from stack import token

FORM, KIND = form([("a.txt", b"hello")], boundary="B")
KIND = "Content-Type: " + KIND


OTHER_KIND = "Content-Type: multipart/form-data; boundary=C"


def put(*lines, body=b"", close=True):
    return head("PUT", "/api/upload/a.txt", *lines, close=close) + body


def post(*lines, body=FORM, kind=KIND):
    return head("POST", "/api/upload", *([kind] if kind else []), *lines) + body


def chunked(*chunks):
    return put("Transfer-Encoding: chunked", body=b"".join(chunks))


SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"0\r\n\r\n"


def framing():
    """Who says where a request ends: at most one answer, and never one to what hides in a body."""
    te = "Transfer-Encoding: "
    yield "a length and chunks", put("Content-Length: 5", te + "chunked", body=LAST + SMUGGLED), (400,)
    yield "chunks and a length", put(te + "chunked", "Content-Length: 5", body=LAST + SMUGGLED), (400,)
    yield "two lengths", put("Content-Length: 3", "Content-Length: 5", body=b"12345"), (400,)
    yield "the same length twice", put("Content-Length: 3", "Content-Length: 3", body=b"123"), (400,)
    yield "a list of lengths", put("Content-Length: 3, 3", body=b"123"), (400,)
    for name, value in {"signed": "+3", "negative": "-3", "hexadecimal": "0x3", "of a word": "three", "empty": "",
                        "beyond 64 bits": "18446744073709551617", "with a dot": "3.0"}.items():
        yield f"a length {name}", put("Content-Length: " + value, body=b"123"), (400,)
    yield "a space before the colon", put("Content-Length : 3", body=b"123"), (400,)
    yield "a folded header", put("X-A: a", " b", "Content-Length: 3", body=b"123"), (400,)
    yield "a folded length", put("Content-Length:", " 3", body=b"123"), (400,)
    for name, value in {"unknown": "xchunked", "identity": "identity", "two": "chunked, chunked", "gzip": "gzip, chunked",
                        "quoted": '"chunked"', "padded": "\x0bchunked"}.items():
        yield f"a transfer encoding: {name}", put(te + value, body=LAST + SMUGGLED), (501,)
    yield "two transfer encodings", put(te + "chunked", te + "identity", body=LAST + SMUGGLED), (400,)
    yield "chunks in HTTP/1.0", put(te + "chunked", body=LAST).replace(b"HTTP/1.1", b"HTTP/1.0"), (400,)
    yield "no host", put("Content-Length: 3", body=b"123").replace(b"Host: x\r\n", b""), (400,)
    yield "two hosts", put("Host: y", "Content-Length: 3", body=b"123"), (400,)
    yield "an empty header name", put(": a", "Content-Length: 3", body=b"123"), (400,)
    yield "a header without a colon", put("Content-Length", body=b"123"), (400,)
    yield "a bare carriage return", put(b"X-A: a\rContent-Length: 3", body=b"123"), (400,)
    yield "no version: an answer without a head", put("Content-Length: 3", body=b"123").replace(b" HTTP/1.1", b"", 1), ()
    yield "HTTP/2 in words", head("GET", "/healthz").replace(b"HTTP/1.1", b"HTTP/2.0"), (505,)
    yield "an unknown method", head("STEAL", "/api/upload"), (405,)
    yield "a method in small letters", head("put", "/api/upload/a.txt", "Content-Length: 0"), (400,)
    yield "a null byte in a path", head("GET", b"/api/files/a\0b/x"), (400,)
    yield "a null byte in a name", head("PUT", b"/api/upload/a\0b", "Content-Length: 1") + b"x", (400,)
    yield "a carriage return in a name", head("PUT", b"/api/upload/a\rb", "Content-Length: 1") + b"x", (400,)
    yield "a line feed in a name", head("PUT", b"/api/upload/a\nb", "Content-Length: 1") + b"x", ()  # HTTP/0.9: no head
    yield "a space in a name", head("PUT", "/api/upload/a b", "Content-Length: 1") + b"x", (400,)
    yield "a fragment", head("GET", "/healthz#/../api/attachments"), (404,)
    yield "another host's address", head("GET", "http://127.0.0.1:1/api/files/a/b"), (404,)  # never a proxy
    yield "a tunnel", head("CONNECT", "127.0.0.1:22"), (400,)
    yield "TRACE", head("TRACE", "/healthz"), (405,)
    yield "a request, then no request", head("GET", "/healthz", close=False) + b"\0\r\n\r\n", (200, 400)
    yield "nothing but zeros", b"\0" * 2000, (400,)
    yield "TLS", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + b"\0" * 100, (400,)


def chunks():
    yield "a size that is no number", chunked(b"zz\r\nhello\r\n", LAST), (400,)
    yield "a size with a sign", chunked(b"-5\r\nhello\r\n", LAST), (400,)
    yield "a size beyond 64 bits", chunked(b"fffffffffffffffff\r\nhello\r\n", LAST), (400,)
    yield "a size of nearly 64 bits", chunked(b"7fffffffffffffff\r\nhello\r\n", LAST), (400,)
    yield "a size too small", chunked(b"3\r\nhello\r\n", LAST), (400,)
    yield "no size", chunked(b"\r\nhello\r\n", LAST), (400,)
    yield "no end of a chunk", chunked(b"5\r\nhello", LAST), (400,)
    yield "more than a request may have", chunked(b"1200000\r\n" + b"x" * 0x1200000 + b"\r\n", LAST), (413,)


def heads():
    """Heads that are too large, or say something twice."""
    yield "a header of 64 kB", head("GET", "/api/limits", "X-A: " + "a" * 65536), (400,)
    yield "1000 headers", head("GET", "/api/limits", *[f"X-{i}: {'a' * 50}" for i in range(1000)]), (400,)
    yield "a path of 64 kB", head("GET", "/api/files/" + "a" * 65536), (414,)
    yield "a path of 5 kB", head("GET", "/api/files/" + "a" * 5000 + "/x"), (404,)
    yield "a query of 7 kB", head("GET", "/api/attachments?message_ids=" + "a," * 3500), (400,)
    yield "a cookie of 64 kB", head("GET", "/api/attachments", "Cookie: " + "a" * 65536), (400,)
    yield "a token of 7 kB", head("GET", "/api/attachments?status=uploaded").replace(
        b"Bearer ", b"Bearer " + b"a" * 7000), (401,)
    yield "two identities", head("GET", "/api/attachments?status=uploaded", "Authorization: Bearer " + token("bob")), (400,)
    yield "a null byte in a header", head("GET", "/healthz", b"X-A: a\0b"), (400,)
    yield "a null byte in a name of a header", head("GET", "/healthz", b"X-\0: a"), (400,)
    yield "two content types: the first counts", post(KIND, f"Content-Length: {len(FORM)}", kind=OTHER_KIND), (400,)


def lengths():
    """Bodies that are not as long as they are said to be; after these we stop sending."""
    yield "shorter than announced", put("Content-Length: 10", body=b"123"), ()
    yield "nothing of what is announced", put("Content-Length: 10"), ()
    yield "a cut form", post(f"Content-Length: {len(FORM)}", body=FORM[:-10]), ()
    yield "a cut chunk", chunked(b"5\r\nhel"), ()
    yield "no last chunk", chunked(b"5\r\nhello\r\n"), ()
    yield "half of the last chunk", chunked(b"5\r\nhello\r\n", b"0\r\n"), ()


def too_long():
    """More bytes than announced are another request, or nothing at all."""
    yield "a form cut by its own length", post(f"Content-Length: {len(FORM) - 10}"), (400,)
    yield "a form longer than its length", post(f"Content-Length: {len(FORM)}", body=FORM[:-4] + b"xx" + SMUGGLED), (400,)
    yield "no length at all", post(body=FORM), (411,)
    yield "no length, and a body", head("PUT", "/api/upload/..", close=False) + b"PUT /api/upload/x", (404,)


def paths():
    """`..`, zeros and line ends, in every way to write them. What nginx resolves is no address of ours."""
    ups = ["..", "%2e%2e", "%2E.", ".%2e", "..%2f..", "..%2f", "%2e%2e%2f", "..%00", "..;", "..%3b", "...", "..%20", ".. ",
           "..\\", "..%5c", "%5c..%5c", "..%255c", "%252e%252e", "%252e%252e%252f", "%c0%ae%c0%ae", "%c0%ae%c0%ae%c0%af",
           "%e0%80%ae%e0%80%ae", "%f0%80%80%ae.", "\xc0\xae\xc0\xae", "%uff0e%uff0e", "%ef%bc%8e%ef%bc%8e",
           "%u002e%u002e", ".%00.", "%00", "%0d%0a", "%0a", "%0dX-A:%20b", "%7f", "%1b[2J", "%", "%2", "%zz", "//", "/./"]
    uuid = "0198c0de-0000-7000-8000-000000000001"
    for up in ups:
        way = up.encode("latin-1")
        for path in (b"/api/files/" + (way + b"/") * 8 + b"etc/passwd", b"/api/files/" + way + b"/passwd",
                     b"/api/files/" + uuid.encode() + b"/" + way, b"/api/attachments/" + way,
                     b"/api/files/" + uuid.encode() + way + b"/x", b"/" + way + b"/_cloakroom/default/file/x",
                     b"/api/dialogs/" + way + b"/members"):
            yield f"{path!r}", head("GET", path), (400, 404, 405)
    for inside in ("/_cloakroom/default/file/", "/_cloakroom/default/file/../../etc/passwd", "/_cloakroom/default/s3",
                   "/_cloakroom/may-upload", "/_cloakroom/default/may-upload", "/api/../_cloakroom/default/file/x"):
        yield inside, head("GET", inside), (404,)


def named(cases):
    return pytest.mark.parametrize("data, expected", [pytest.param(*values, id=name) for name, *values in cases])


@named([*framing(), *chunks(), *heads(), *too_long()])
def test_what_is_malformed_gets_its_4xx(target, data, expected):
    answer = talk(target.port, data)
    assert statuses(answer) == expected, answer[:400]


@named(lengths())
def test_a_body_that_is_cut_is_not_taken_for_a_whole_one(target, data, expected):
    answer = talk(target.port, data, cut=True)
    assert statuses(answer) == expected, answer[:400]


def test_no_way_leads_out_of_the_routes(target):
    wrong = []
    for path, data, expected in paths():
        answer = talk(target.port, data)
        if len(statuses(answer)) != 1 or statuses(answer)[0] not in expected or b"root:" in answer:
            wrong.append((path, answer[:200]))
    assert not wrong
