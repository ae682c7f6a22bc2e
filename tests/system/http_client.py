"""http_client.py — one request on one new connection, its path and headers sent exactly as given."""
import http.client
import json
import socket
from dataclasses import dataclass

BOUNDARY = "----cloakroom-test-5d1f"


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        return json.loads(self.body)

    def __str__(self):
        return f"{self.status} {self.body[:300]!r}"


def call(port, method, path, headers=None, body=None, timeout=60, source=None):
    """An Answer. `source`: the address to ask from. `body` may be bytes, a file or an iterable of bytes (then it is sent chunked)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout, source_address=source and (source, 0))
    try:
        try:
            connection.request(method, path, body=body, headers=headers or {})
        except (BrokenPipeError, ConnectionResetError):
            if connection.sock is None:  # it never came to a connection
                raise
            # refused before the end of the body: the answer may be there already
            connection._HTTPConnection__state = "Request-sent"  # noqa: the library offers no other way
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def raw(port, text, timeout=10):
    """Sends bytes as they are, half-closes nothing, returns everything that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
        s.sendall(text)
        got = b""
        while True:
            block = s.recv(65536)
            if not block:
                return got
            got += block


def quoted(text):
    """A multipart parameter as browsers write it."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def form(files=(), fields=None, boundary=BOUNDARY):
    """The body and Content-Type of a form: `files` are (filename, bytes) or (filename, bytes, declared type)."""
    out = b""
    for name, value in (fields or {}).items():
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{quoted(name)}"\r\n\r\n{value}\r\n'.encode()
    for name, data, *declared in files:
        kind = declared[0] if declared else "application/octet-stream"
        out += (f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{quoted(name)}"\r\n'
                f"Content-Type: {kind}\r\n\r\n").encode() + data + b"\r\n"
    return out + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def fastcgi_request(variables):
    """The records of one FastCGI request without a body, as nginx sends them."""
    def record(kind, content=b""):
        return bytes((1, kind, 0, 1)) + len(content).to_bytes(2, "big") + b"\0\0" + content
    def sized(text):
        return (len(text) | 1 << 31).to_bytes(4, "big")
    pairs = b"".join(sized(name) + sized(value) + name.encode() + value.encode() for name, value in variables.items())
    return record(1, b"\0\1\0\0\0\0\0\0") + record(4, pairs) + record(4) + record(5)
