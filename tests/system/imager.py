"""imager.py — the installed cloakroom-image on a socket of its own, and questions to it as a worker would ask them."""
import array
import json
import os
import re
import socket
import time
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image

from processes import Process, children, wait_until


class Answer:
    """`facts`: the JSON, or {} when the connection ended without one. `bytes`: what was rendered."""

    def __init__(self, text, seconds, data=b""):
        self.facts = json.loads(text) if text else {}
        self.died = not text
        self.seconds, self.bytes = seconds, data

    @property
    def error(self):
        return self.facts.get("error")

    @property
    def size(self):
        return self.facts["width"], self.facts["height"]

    def picture(self):
        return Image.open(BytesIO(self.bytes))

    def __repr__(self):
        return f"{self.facts or 'died'} after {self.seconds:.2f} s, {len(self.bytes)} bytes"


def memory_file(data=b""):
    fd = os.memfd_create("picture")
    os.write(fd, data)
    return fd


class Imager:
    """`under`: a command that runs the program, for what it tells of it."""

    def __init__(self, app, folder, log=None, under=(), **settings):
        self.socket = str(Path(folder) / "image.sock")
        env = {"PATH": "/usr/bin:/bin", "IMAGE_WORKERS": "2", **settings}
        self.process = Process([*under, Path(app) / "bin/cloakroom-image", "--socket", self.socket], env,
                               log or Path(folder) / "image.log")
        wait_until(lambda: "pool.ready" in self.process.text() or not self.process.running(), 20, "cloakroom-image starts")
        assert self.process.running(), self.process.text()

    def helpers(self):
        return children(self.process.pid)

    def unreaped(self):
        """The helpers, with those that have ended and whose processor time nobody has added up yet."""
        return set(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split())

    def measured(self, question):
        """The answer to a question, and the processor time of the one helper that it took. For nobody else asks meanwhile."""
        wait_until(lambda: len(self.unreaped()) == len(self.helpers()) == 4, 10, "nobody is at work")
        helpers, before = self.unreaped(), self.cpu_seconds()
        answer = question()
        wait_until(lambda: helpers - self.unreaped(), 10, "its helper has ended")
        return answer, self.cpu_seconds() - before

    def cpu_seconds(self):
        """Processor time of all helpers that have ended, and of whom the parent has taken note."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

    def connect(self):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.settimeout(60)
        connection.connect(self.socket)
        return connection

    def send(self, data, mime_type, **wanted):
        """The connection and, to render, the descriptor for the result."""
        question = {"op": "render" if wanted else "probe", "mime_type": mime_type, "offset": 0, "size": len(data), **wanted}
        source, result = memory_file(data), memory_file() if wanted else None
        connection = self.connect()
        files = array.array("i", [source] if result is None else [source, result])
        connection.sendmsg([json.dumps(question).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
        os.close(source)
        return connection, result

    def ask(self, data, mime_type, **wanted):
        begin = time.monotonic()
        connection, result = self.send(data, mime_type, **wanted)
        with connection:
            text = connection.recv(4097)
        made = b""
        if result is not None:
            made = os.pread(result, os.fstat(result).st_size, 0)
            os.close(result)
        return Answer(text, time.monotonic() - begin, made)

    def probe(self, data, mime_type):
        return self.ask(data, mime_type)

    def render(self, data, mime_type, format="png", width=0, height=0):
        return self.ask(data, mime_type, max_width=width, max_height=height, format=format)

    def stop(self):
        return self.process.stop()


def refused(answer):
    assert answer.error == "undecodable" or answer.died, answer
    assert answer.bytes == b"" or answer.error, answer


@contextmanager
def one_for_all(world, name):
    """An Imager for all tests of a file. Nothing but our own records may be in its log at the end."""
    one = Imager(world.app, world.folder(name))
    yield one
    assert one.stop() == 0
    foreign = [line for line in one.process.text().splitlines() if not re.match(r"<\d>event=\S+", line)]
    assert not foreign, "a library wrote into the log"
