"""listing_store.py — an S3 endpoint that lists and heads as many objects as a test says, and stores none of them.

For what no real store of a test can hold. Keys and sizes follow from a number: `key(i)`, `size(i)`; SQL below makes the
same ones. A process of its own, for its work is not to be counted as the tool's."""
import bisect
import hashlib
import multiprocessing
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit


def key(i):
    digest = hashlib.md5(b"%d" % i).hexdigest()
    return f"{digest[30:]}/{digest}"


def size(i):
    return i % 1000


# $1: how many rows.
ROWS = """INSERT INTO attachments (id, filename, mime_type, size_bytes, sha256, store, key, uploader_id, created_at)
  SELECT md5(i::text)::uuid, 'f', 'text/plain', i %% 1000, sha256(''), 's3',
         substr(md5(i::text), 31, 2) || '/' || md5(i::text), 'u' || i %% 5000, now()
    FROM generate_series(1, %s) i"""


class ListingStore:
    """`missing`, `extra`, `resized`: keys that are not there, that nobody knows, or have one byte more."""

    def __init__(self, count, missing=(), extra=(), resized=()):
        self.arguments = (count, set(missing), list(extra), set(resized))
        ours, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("fork").Process(target=serve, args=(theirs, *self.arguments),
                                                                   daemon=True)
        self.process.start()
        self.port = ours.recv()

    @property
    def settings(self):
        return {"STORAGE": "s3", "S3_ENDPOINT": f"http://127.0.0.1:{self.port}", "S3_BUCKET": "many",
                "S3_REGION": "us-east-1", "S3_ACCESS_KEY_ID": "id", "S3_SECRET_ACCESS_KEY": "secret"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.join()


def serve(pipe, count, missing, extra, resized):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # pytest's is not for us
    sizes = {key(i): size(i) for i in range(1, count + 1)}
    for gone in missing:
        del sizes[gone]
    for name in extra:
        sizes[name] = 5
    for name in resized:
        sizes[name] += 1
    names = sorted(sizes, key=str.encode)
    handler = type("Handler", (Handler,), {"names": names, "sizes": sizes})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    pipe.send(server.server_port)
    server.serve_forever()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", length=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self):
        name = unquote(urlsplit(self.path).path).removeprefix("/many/")
        if name in self.sizes:
            self.answer(200, length=self.sizes[name])
        else:
            self.answer(404)

    def do_GET(self):
        query = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
        after = query.get("continuation-token", "")
        first = bisect.bisect_right(self.names, after)
        page = self.names[first:first + int(query["max-keys"])]
        more = first + len(page) < len(self.names)
        entries = "".join(f"<Contents><Key>{quote(n)}</Key><LastModified>2026-01-31T09:30:00.000Z</LastModified>"
                          f"<ETag>\"x\"</ETag><Size>{self.sizes[n]}</Size></Contents>" for n in page)
        token = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if more else ""
        self.answer(200, (f"<ListBucketResult><Name>many</Name><EncodingType>url</EncodingType><KeyCount>{len(page)}"
                          f"</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}"
                          "</ListBucketResult>").encode())
