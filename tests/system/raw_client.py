"""raw_client.py — requests as bytes on a socket, and the stack they are thrown at: nobody dies, nothing is kept.

A test module that imports both fixtures has them around each of its tests.
"""
import re
import socket

import pytest

from stack import token

END = b"\r\n"


@pytest.fixture(scope="module")
def target(request):
    made = request.config.world.stack({"MAX_REQUESTS": 0, "MAX_UPLOAD_SIZE": "4M"}).start()
    yield made
    made.stop()
    request.config.world.stacks.remove(made)


@pytest.fixture(autouse=True)
def nothing_is_kept_and_nobody_dies(target):
    before, pids = target.snapshot(), target.worker_children()
    yield
    target.assert_nothing_kept(before)
    assert target.worker_children() == pids and "child.died" not in target.log()
    assert target.get("/readyz", None).status == 200


def talk(port, data, cut=False, idle=1.5):
    """All that comes back until the server closes, or says nothing for a while. `cut`: we stop sending."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=idle) as s:
        try:
            s.sendall(data)
            if cut:
                s.shutdown(socket.SHUT_WR)
            while block := s.recv(65536):
                got += block
        except (TimeoutError, ConnectionError):
            pass
    return got


def statuses(answer):
    return tuple(int(n) for n in re.findall(rb"HTTP/1\.1 (\d\d\d) ", answer))  # a body need not end in a line end


def head(method, path, *lines, close=True, user="alice"):
    """The head of a request of alice; `path` and `lines` go out as they are."""
    path = path if isinstance(path, bytes) else path.encode()
    lines = [line if isinstance(line, bytes) else line.encode() for line in lines]
    more = [b"Host: x", b"Authorization: Bearer " + token(user).encode()] + ([b"Connection: close"] if close else [])
    return END.join([method.encode() + b" " + path + b" HTTP/1.1", *more, *lines]) + END * 2
