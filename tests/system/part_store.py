"""part_store.py — an S3 endpoint that takes multipart uploads, checks each part's hash and throws the bytes away.

For what no real store of a test can hold. It knows one bucket, answers HEAD with the sizes it has seen, and notes which
parts were on the way at the same time."""
import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

BLOCK = 1 << 20


class PartStore:
    """`before_part(number)` runs when a part begins to arrive."""

    def __init__(self, before_part=None):
        self.lock = threading.Lock()
        self.before_part = before_part or (lambda number: None)
        self.objects, self.uploads, self.wrong_hashes = {}, {}, []
        self.under_way = self.most_at_once = 0
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"store": self}))
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def settings(self):
        return {"STORAGE": "s3", "S3_ENDPOINT": f"http://127.0.0.1:{self.server.server_port}", "S3_BUCKET": "parts",
                "S3_ACCESS_KEY_ID": "id", "S3_SECRET_ACCESS_KEY": "secret"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    store = None

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def take_body(self):
        """Size and SHA-256 of the body; what is kept of it is one block."""
        left = size = int(self.headers.get("Content-Length", 0))
        digest, block = hashlib.sha256(), memoryview(bytearray(BLOCK))
        while left:
            got = self.rfile.readinto(block[:min(left, BLOCK)])
            if not got:
                raise ConnectionError("the body ends early")
            digest.update(block[:got])
            left -= got
        if digest.hexdigest() != self.headers["x-amz-content-sha256"]:
            self.store.wrong_hashes.append(self.path)
        return size

    def do_HEAD(self):
        path = urlsplit(self.path).path
        if path.count("/") == 1:
            return self.answer(200)
        size = self.store.objects.get(path)
        if size is None:
            return self.answer(404)
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        return self.end_headers()

    def do_POST(self):
        url, store = urlsplit(self.path), self.store
        self.take_body()
        if "uploads=" in url.query:
            with store.lock:
                upload = f"u{len(store.uploads) + 1}"
                store.uploads[upload] = {}
            return self.answer(200, f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId>"
                                    "</InitiateMultipartUploadResult>".encode())
        parts = store.uploads.pop(parse_qs(url.query)["uploadId"][0])
        store.objects[url.path] = sum(parts.values())
        store.last_parts = [parts[number] for number in sorted(parts)]
        return self.answer(200, b"<CompleteMultipartUploadResult/>")

    def do_PUT(self):
        url, store = urlsplit(self.path), self.store
        number = re.search(r"partNumber=(\d+)", url.query)
        if not number:
            store.objects[url.path] = self.take_body()
            return self.answer(200, ETag='"whole"')
        number, upload = int(number[1]), parse_qs(url.query)["uploadId"][0]
        with store.lock:
            store.under_way += 1
            store.most_at_once = max(store.most_at_once, store.under_way)
        try:
            store.before_part(number)
            store.uploads[upload][number] = self.take_body()
        finally:
            with store.lock:
                store.under_way -= 1
        return self.answer(200, ETag=f'"part{number}"')

    def do_DELETE(self):
        url = urlsplit(self.path)
        self.store.objects.pop(url.path, None)
        for upload in parse_qs(url.query).get("uploadId", ()):
            self.store.uploads.pop(upload, None)
        return self.answer(204)

    def do_GET(self):
        return self.answer(200, b"<ListMultipartUploadsResult/>")
