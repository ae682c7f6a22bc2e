"""test_sessions.py — S3 credentials that end soon: nobody's download ends with them."""
import http.server
import json
import os
import socket
import threading
import time
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit

import pytest

from processes import wait_until
from recording_proxy import RecordingProxy
from stack import MIB, token

LIFE = 4   # seconds; the store looks at a signature's end when a request begins


class Metadata(http.server.BaseHTTPRequestHandler):
    """The metadata service of a machine whose role's credentials end in LIFE seconds, whenever they are asked for."""

    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self):
        self.answer("metadata-token")

    def do_GET(self):
        if self.path.endswith("/security-credentials/"):
            return self.answer("role")
        end = datetime.now(timezone.utc) + timedelta(seconds=LIFE)
        keys = {"Code": "Success", "AccessKeyId": self.server.keys[0], "SecretAccessKey": self.server.keys[1],
                "Token": "", "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
        return self.answer(json.dumps(keys))

    def log_message(self, *_):
        pass


@pytest.fixture
def sessions(s3, new_stack):
    """A stack on the bucket of `s3` whose credentials are a machine's, and what nginx asks the store: (stack, proxy)."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    server.keys = (s3.settings["S3_ACCESS_KEY_ID"], s3.settings["S3_SECRET_ACCESS_KEY"])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with RecordingProxy(urlsplit(s3.settings["S3_ENDPOINT"]).port) as proxy:
        stack = new_stack(stack={"like": s3}, S3_ACCESS_KEY_ID=None, S3_SECRET_ACCESS_KEY=None,
                          S3_ENDPOINT=f"http://127.0.0.1:{proxy.port}",
                          AWS_EC2_METADATA_SERVICE_ENDPOINT=f"http://127.0.0.1:{server.server_port}")
        proxy.forget()
        yield stack, proxy
    server.shutdown()


def read_slowly(stack, url, pause, **headers):
    """Head and body as a client gets them who falls asleep right after the first bytes."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=60) as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        reader.sendall(f"GET {url} HTTP/1.0\r\nAuthorization: Bearer {token()}\r\n{lines}\r\n".encode())
        got = reader.recv(65536)
        time.sleep(pause)
        while block := reader.recv(1 << 20):
            got += block
    head, _, body = got.partition(b"\r\n\r\n")
    return head.decode("latin-1"), body


@pytest.mark.parametrize("first", [None, 1_000_000])
def test_a_slow_reader_of_a_large_file_outlives_the_credentials(sessions, s3, first):
    stack, proxy = sessions
    data = os.urandom(MIB) * 32 + b"the end"
    made = s3.upload(data)
    headers = {} if first is None else {"Range": f"bytes={first}-"}
    head, body = read_slowly(stack, made["url"], LIFE + 2, **headers)
    assert head.startswith("HTTP/1.1 200" if first is None else "HTTP/1.1 206")
    assert body == data[first or 0:]
    [(line, asked)] = proxy.requests()
    assert int(parse_qs(urlsplit(line.split()[1]).query)["X-Amz-Expires"][0]) <= LIFE
    assert asked.get("range") == (None if first is None else f"bytes={first}-{len(data) - 1}")


def test_ranges_of_a_large_file_come_without_the_rest_and_as_on_disk(sessions, s3):
    stack, proxy = sessions
    data = os.urandom(MIB) * 20 + b"the end"
    made = s3.upload(data)
    tail = stack.get(made["url"], headers={"Range": "bytes=-7"})
    assert (tail.status, tail.body) == (206, b"the end")
    assert tail.headers["Content-Range"] == f"bytes {len(data) - 7}-{len(data) - 1}/{len(data)}"
    assert proxy.answered < 64 * 1024
    etag = stack.get(made["url"], method="HEAD").headers["ETag"]
    assert tail.headers["ETag"] == etag
    assert not [name for name in tail.headers if name.lower().startswith("x-amz")]
    kept = stack.get(made["url"], headers={"Range": "bytes=5-9", "If-Range": etag})
    assert (kept.status, kept.body) == (206, data[5:10])
    changed = stack.get(made["url"], headers={"Range": "bytes=5-9", "If-Range": '"other"'})
    assert changed.status == 200 and changed.body == data
    beyond = stack.get(made["url"], headers={"Range": f"bytes={len(data)}-"})
    assert beyond.status == 416
    several = stack.get(made["url"], headers={"Range": f"bytes=0-0,2-{17 * MIB}"})
    assert several.status == 200 and several.body == data


def test_who_leaves_early_does_not_make_nginx_fetch_the_rest(sessions, s3):
    stack, proxy = sessions
    data = os.urandom(MIB) * 60
    made = s3.upload(data)
    with socket.create_connection(("127.0.0.1", stack.port), timeout=60) as reader:
        reader.sendall(f"GET {made['url']} HTTP/1.0\r\nAuthorization: Bearer {token()}\r\n\r\n".encode())
        reader.recv(1000)
    time.sleep(1)
    assert proxy.answered < len(data)
    assert not [p for p in (stack.dir / "nginx/cache").rglob("*") if p.is_file()]


def test_small_files_are_cached_as_ever(sessions, s3):
    stack, proxy = sessions
    made = s3.upload(b"small")
    for _ in range(2):
        assert stack.get(made["url"]).body == b"small"
    assert len(proxy.requests()) == 1
    wait_until(lambda: [p for p in (stack.dir / "nginx/cache").rglob("*") if p.is_file()], 5, "a copy in the cache")
