"""test_abuse_forms.py — forms, names, ids and JSON made to hurt: boundary tricks, thousands of parts, bombs, odd names.

A form is refused whole, or its files come out as RFC 2046 says; whatever is taken has a tame name and is removed again.
"""
import gzip
import io
import json
import time
import unicodedata
import zipfile
from urllib.parse import quote

import pytest

from processes import PeakMemory
from raw_client import nothing_is_kept_and_nobody_dies, target  # noqa: F401: fixtures
from stack import MIB

MOST_KIB = 4 * 1024


def part(data=b"hello", name='name="f"; filename="a.txt"', more=b""):
    name = name if isinstance(name, bytes) else name.encode()
    return b"Content-Disposition: form-data; " + name + b"\r\n" + more + b"\r\n" + data + b"\r\n"


ONE = b"--B\r\n" + part() + b"--B--\r\n"
ALMOST = b"\r\n--Bx\r\n--BB--\r\n--B-\r\n--B-x"
INNER = b"--BB\r\n" + part() + b"--BB--\r\n"
LONG = "b" * 70

# name -> (value of Content-Type after "multipart/form-data; ", body, the files' bytes or a status)
BOUNDARIES = {
    "of 70 characters": ("boundary=" + LONG, ONE.replace(b"--B", b"--" + LONG.encode()), [b"hello"]),
    "of 71 characters": ("boundary=b" + LONG, ONE.replace(b"--B", b"--b" + LONG.encode()), 400),
    "of 7 kB": ("boundary=" + LONG * 100, ONE.replace(b"--B", b"--" + LONG.encode() * 100), 400),
    "of 70 kB": ("boundary=" + LONG * 1000, ONE.replace(b"--B", b"--" + LONG.encode() * 1000), 400),
    "quoted": ('boundary="B"', ONE, [b"hello"]),
    "quoted, with every character there is": ("boundary=\"'()+_,-./:=? 0aZ\"", ONE.replace(b"--B", b"--'()+_,-./:=? 0aZ"),
                                              [b"hello"]),
    "quoted, with pairs": ('boundary="\\B"', ONE, [b"hello"]),
    "of capital letters in the header": ("BOUNDARY=B", ONE, [b"hello"]),
    "of another case in the body": ("boundary=b", ONE, 400),
    "with more parameters": ("charset=utf-8; boundary=B; x=y", ONE, [b"hello"]),
    "with an equals sign too many": ("boundary==B", ONE, 400),
    "after a comma": ("x=y, boundary=B", ONE, 400),
    "that looks like a header": ('boundary="a: b"', ONE.replace(b"--B", b"--a: b"), [b"hello"]),
    "with a preamble and an epilogue": ("boundary=B", b"no\r\n--Bx\r\n" + ONE + b"--B\r\n" + part(b"no") + b"--B--",
                                       [b"hello"]),
    "after an empty line": ("boundary=B", b"\r\n" + ONE, [b"hello"]),
    "after a bare line end": ("boundary=B", b"\n" + ONE, 400),
    "with padding": ("boundary=B", ONE.replace(b"--B\r\n", b"--B \t \r\n").replace(b"--B--", b"--B-- \t"), [b"hello"]),
    "with 300 spaces of padding": ("boundary=B", ONE.replace(b"--B\r\n", b"--B" + b" " * 300 + b"\r\n"), 400),
    "that begins others": ("boundary=B", ONE.replace(b"hello", ALMOST), [ALMOST]),
    "of a form inside": ("boundary=B", ONE.replace(b"hello", INNER), [INNER]),
    "inside a line": ("boundary=B", ONE.replace(b"hello", b"hello--B--"), [b"hello--B--"]),
    "after a bare line feed": ("boundary=B", ONE.replace(b"hello", b"a\n--B--\nb"), [b"a\n--B--\nb"]),
    "without its last line end": ("boundary=B", ONE[:-2], [b"hello"]),
    "with a word after the last": ("boundary=B", ONE[:-2] + b"x\r\n", 400),
    "with one dash less": ("boundary=B", ONE[:-3], 400),
    "never the last": ("boundary=B", ONE[:-7] + b"--B\r\n", 400),
    "with bare carriage returns": ("boundary=B", ONE.replace(b"\n", b""), 400),
    "before a part of nothing": ("boundary=B", b"--B\r\n--B--\r\n", 400),
    "before a part without headers": ("boundary=B", b"--B\r\n\r\nhello\r\n--B--\r\n", 400),
    "before a part without content": ("boundary=B", b"--B\r\n" + part(b"")[:-2] + b"--B--\r\n", [b""]),
    "encoded": ("boundary*=UTF-8''B", ONE, 400),
    "continued": ("boundary*0=B", ONE, 400),
    "with a null byte in the body": ("boundary=B", ONE.replace(b"--B\r\n", b"--B\0\r\n"), 400),
}

# name -> (lines and content of a part, a status)
PARTS = {
    "a header of 64 kB": (part(more=b"X-A: " + b"a" * 65536 + b"\r\n"), 400),
    "a header of 3 MB": (part(more=b"X-A: " + b"a" * 3 * MIB + b"\r\n"), 400),
    "1000 headers": (part(more=b"X-A: aaaaaaaa\r\n" * 1000), 400),
    "a name of 64 kB": (part(name=f'name="{"a" * 65536}"; filename="a"'), 400),
    "a file name of 64 kB": (part(name=f'name="f"; filename="{"a" * 65536}"'), 400),
    "1000 parameters": (part(name='name="f"; filename="a"' + "; a=b" * 1000), 400),
    "a folded header": (part(more=b"X-A: a\r\n b\r\n"), 400),
    "a null byte in a file name": (part(name=b'name="f"; filename="a\0b"'), 400),
    "a line feed in a file name": (part(name=b'name="f"; filename="a\nb"'), 400),
    "a carriage return in a file name": (part(name=b'name="f"; filename="a\rb"'), 400),
    "two file names": (part(name='name="f"; filename="a"; filename="b"'), 400),
    "two names": (part(name='name="f"; name="g"; filename="a"'), 400),
    "an unfinished quote": (part(name='name="f"; filename="a'), 400),
    "an encoded name of another charset": (part(name="name=f; filename*=UTF-7''a"), 400),
    "an encoded name that is no UTF-8": (part(name="name=f; filename*=UTF-8''%c0%ae%c0%ae%2f"), 400),
    "a charset for the form": (part(name='name="_charset_"', data=b"utf-7"), 400),  # a field alone: no file
    "a dialog with a null byte": (part() + b"--B\r\n" + part(b"a\0b", 'name="dialog_id"'), 400),
    "a dialog with a line end": (part() + b"--B\r\n" + part(b"a\r\nX-A: b", 'name="dialog_id"'), 400),
    "a dialog of 5000 bytes": (part() + b"--B\r\n" + part(b"a" * 5000, 'name="dialog_id"'), 400),
    "a field of 3 MB": (part() + b"--B\r\n" + part(b"a" * 3 * MIB, 'name="dialog_id"'), 400),
    "10000 parts": (b"--B\r\n".join([part()] * 10_000), 413),
    "10000 fields": (b"--B\r\n".join([part(b"v", 'name="f"')] * 10_000), 413),
    "10000 file inputs nobody filled in": (b"--B\r\n".join([part(b"", 'name="f"; filename=""')] * 10_000), 413),
}

# as sent in a form, of which something remains
NAMES = [
    "../../etc/passwd", "..\\..\\windows\\win.ini", "C:\\temp\\..\\a.txt", "/etc/passwd", "..", ".", " ", "....//",
    "%2e%2e%2fa", "%252e%252e%252fa", "%00.txt", "a%0D%0AX-A: b", "a%0d%0ab",
    "\u202egpj.exe", "\u2028", "\ufeffa", "a" * 5000 + ".txt",
    "\u0301" * 500, "\U0001f600" * 300 + ".jpg", ".htaccess", "nul", "-rf", "$(id)", "`id`", "a;b", "a|b", "<script>",
    "'\"--",
    "{{7*7}}", "%s%s%n", "\uff0e\uff0e\uff0fa", "a\u00a0", "\u0085", "x\u009b31m",
]


def send(stack, kind, body):
    return stack.call("POST", "/api/upload", headers={"Content-Type": kind}, body=body)


def remove(stack, attachments):
    for made in attachments:
        assert stack.call("DELETE", "/api/attachments/" + made["id"]).status == 204


def assert_tame(stack, made):
    name = made["filename"]
    assert name and name not in (".", "..") and len(name.encode()) <= 255, name
    assert not set(name) & set("/\\\u202e\u2028\ufeff"), ascii(name)
    assert not [c for c in name if unicodedata.category(c) == "Cc"], ascii(name)
    assert ".." not in stack.key_of(made).split("/")
    got = stack.get(made["url"])
    assert got.status == 200 and got.body == b"hello", (name, got)
    assert len(got.headers.get_all("Content-Disposition")) == 1 and "X-A" not in got.headers


@pytest.mark.parametrize("case", BOUNDARIES)
def test_a_boundary(target, case):
    kind, body, expected = BOUNDARIES[case]
    answer = send(target, "multipart/form-data; " + kind, body)
    if isinstance(expected, int):
        assert answer.status == expected, str(answer)
        return
    assert answer.status == 201, str(answer)
    assert [target.get(made["url"]).body for made in answer.json()] == expected
    remove(target, answer.json())


@pytest.mark.parametrize("case", PARTS)
def test_a_part_that_is_too_much_is_refused(target, case):
    lines, status = PARTS[case]
    with PeakMemory(target.worker_children()) as peak:
        began = time.monotonic()
        answer = send(target, "multipart/form-data; boundary=B", b"--B\r\n" + lines + b"--B--\r\n")
        took = time.monotonic() - began
    assert answer.status == status and answer.headers["Content-Type"] == "application/problem+json", str(answer)
    assert took < 2 and peak.growth_kib < MOST_KIB


def test_names_are_tamed(target):
    for name in NAMES:
        sent = name.replace('"', "%22").encode()
        answer = send(target, "multipart/form-data; boundary=B",
                      b"--B\r\n" + part(name=b'name="f"; filename="' + sent + b'"') + b"--B--\r\n")
        assert answer.status == 201, (name, str(answer))
        assert_tame(target, answer.json()[0])
        remove(target, answer.json())


def test_raw_bytes_in_names_are_tamed(target):
    for sent in (b"\xff\xfe", b"\xc0\xae\xc0\xae\xc0\xaf", b"\xed\xa0\x80.txt", b"a\xf4\x90\x80\x80",
                 bytes(range(0x80, 0x100))):
        for way in (b'filename="' + sent + b'"', b"filename*=UTF-8''" + quote("a/..\\\u202eb", safe="").encode()):
            answer = send(target, "multipart/form-data; boundary=B",
                          b"--B\r\n" + part(name=b"name=f; " + way) + b"--B--\r\n")
            assert answer.status == 201, (sent, str(answer))
            assert_tame(target, answer.json()[0])
            remove(target, answer.json())


def test_names_of_raw_bodies_are_tamed_or_no_address(target):
    for name in NAMES + ["a/b", "..", "\0", "a\nb", "a\r\nX-A: b"]:
        for way in (quote(name, safe=""), quote(quote(name, safe=""), safe="")):
            answer = target.call("PUT", "/api/upload/" + way, body=b"hello")
            if answer.status != 201:
                assert answer.status in (400, 404, 405), (name, str(answer))
                continue
            assert_tame(target, answer.json())
            remove(target, [answer.json()])


# --- JSON and ids -----------------------------------------------------------------------------------------------------

def test_json_made_to_hurt_is_refused_in_little_time_and_memory(target):
    ids = '"message_id":"m","attachment_ids":'
    bombs = {
        "deep lists": "[" * 500_000,
        "deep lists, closed": "[" * 250_000 + "]" * 250_000,
        "deep objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
        "deep below what is read": "{" + ids + "[" * 5000 + "]" * 5000 + "}",
        "60000 keys": "{" + ",".join(f'"{i:x}":{i % 10}' for i in range(60_000)) + "}",
        "a key twice": '{"message_id":"a","message_id":"b","attachment_ids":["x"]}',
        "a huge number": "{" + ids + "1" + "0" * 100_000 + "}",
        "an infinite number": "{" + ids + "1e999999}",
        "a null character": '{"message_id":"m\\u0000","attachment_ids":["x"]}',
        "a null byte": '{"message_id":"m\0","attachment_ids":["x"]}',
        "a lone surrogate": '{"message_id":"\\ud800","attachment_ids":["x"]}',
        "ill-formed UTF-8": b'{"message_id":"\xc0\xae","attachment_ids":["x"]}',
        "a line end in an id": '{"message_id":"m\\r\\nX-A: b","attachment_ids":["x"]}',
        "a long id": "{" + f'"message_id":"{"m" * 300}","attachment_ids":["x"]' + "}",
        "ids that are paths": "{" + ids + '["../../etc/passwd"]}',
        "10000 ids": "{" + ids + "[" + ",".join(['"0198c0de-0000-7000-8000-000000000001"'] * 10_000) + "]}",
        "another type": "{" + ids + '{"length":1}}',
        "two values": "{" + ids + '["x"]}{}',
        "a name of another encoding": "{}".encode("utf-16"),
    }
    for name, text in bombs.items():
        body = text if isinstance(text, bytes) else text.encode()
        with PeakMemory(target.worker_children()) as peak:
            began = time.monotonic()
            answer = target.call("POST", "/api/attachments/link", body=body)
            took = time.monotonic() - began
        assert answer.status in (400, 404, 409), (name, str(answer))
        assert took < 2 and peak.growth_kib < 32 * 1024, (name, took, peak.growth_kib)


def test_ids_are_texts_without_control_characters(target):
    for way in ("%00", "a%00", "%0a", "%0d%0aX-A:%20b", "%7f", "a" * 256):
        answer = target.call("PUT", f"/api/dialogs/{way}/members", "service", body='{"members":["bob"]}')
        assert answer.status in (400, 404), (way, str(answer))
        answer = target.call("PUT", "/api/upload/a?dialog_id=" + way, body=b"x")
        assert answer.status == 400, (way, str(answer))
        assert target.call("GET", "/api/attachments?message_ids=" + way).status in (200, 400)


def test_ids_of_members_are_looked_at(target):
    for member in ("", "a\0", "a\n", "a" * 256, 1.5, None, [], {"a": 1}):
        answer = target.call("PUT", "/api/dialogs/d/members", "service", body=json.dumps({"members": [member]}))
        assert answer.status == 400, (member, str(answer))


# --- archives ---------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def bombs():
    """A zip of zips, 16 GB when all is unpacked, and its inner one."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("zeros", b"\0" * 256 * MIB)
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as z:
        for i in range(64):
            z.writestr(f"{i}.zip", inner.getvalue())
    return {"zip": outer.getvalue(), "one zip": inner.getvalue(), "gzip": gzip.compress(b"\0" * 256 * MIB)}


@pytest.mark.parametrize("which", ["zip", "one zip", "gzip"])
def test_a_zip_of_death_is_a_file_like_others(target, bombs, which):
    data = bombs[which]
    target.put(b"the first request of a child costs more")
    remove(target, target.get("/api/attachments?status=uploaded").json())
    with PeakMemory(target.worker_children()) as peak:
        began = time.monotonic()
        answer = target.put(data, "death.zip")
        took = time.monotonic() - began
    assert answer.status == 201 and answer.json()["size"] == len(data), str(answer)
    assert answer.json()["mime_type"] in ("application/zip", "application/gzip")
    assert took < 2 and peak.growth_kib < MOST_KIB, (took, peak.growth_kib)
    remove(target, [answer.json()])
