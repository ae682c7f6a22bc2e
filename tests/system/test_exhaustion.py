"""test_exhaustion.py — what can run out: disk, descriptors, patience. It is said so, nothing is kept, and it heals."""
import contextlib
import socket
import statistics
import subprocess
import threading
import time
from pathlib import Path

import pytest

from conftest import SOAK
from http_client import form
from processes import AS_USER, ROOT, own, wait_until
from stack import MIB, token

pytestmark = pytest.mark.alone


def assert_problem(answer, status, name):
    assert answer.status == status and answer.json()["type"] == f"urn:cloakroom:error:{name}", str(answer)
    assert answer.headers["Content-Type"] == "application/problem+json"


# --- disk -------------------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def small_disk(path, size="8m"):
    path.mkdir(exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", path], capture_output=True).returncode != 0:
        pytest.skip("this host does not let root mount")
    own(path)
    path.chmod(0o700)
    try:
        yield path
    finally:
        wait_until(lambda: subprocess.run(["umount", path], capture_output=True).returncode == 0, 10, "it is unmounted")


@pytest.mark.skipif(not ROOT, reason="only root can mount a small disk")
@pytest.mark.parametrize("auth, status, name", [("jwt", 507, "disk_full"), ("none", 507, "disk_full"),
                                                ("header", 503, "unavailable")])
def test_a_full_disk_under_the_spooled_bodies_is_told(new_stack, world, auth, status, name):
    """nginx, not the worker, has no room for a body. It cannot be told from an application that does not answer."""
    application = world.dir / "always-alice.sock"
    http = f"server {{ listen unix:{application}; location / {{ add_header X-Remote-User alice; return 204; }} }}"
    server = f"""location = /who {{ internal; proxy_pass http://unix:{application}:/; proxy_pass_request_body off;
      proxy_set_header Content-Length ""; client_max_body_size 0; }}"""
    settings = {"jwt": {"AUTH_REQUEST": "/not-used"}, "none": {"AUTH": "none", "JWT_SECRET": None},
                "header": {"AUTH": "header", "JWT_SECRET": None, "AUTH_REQUEST": "/who",
                           "stack": {"server": server, "http": http}}}[auth]
    with small_disk(world.dir / f"spool-{auth}") as spool:
        stack = new_stack(BODY_TEMP_PATH=str(spool), **settings)
        try:
            before, pids = stack.snapshot(), stack.worker_children()
            body, kind = form([("a.bin", b"x" * 12 * MIB)])
            for _ in range(2):
                assert_problem(stack.put(b"x" * 12 * MIB), status, name)
                answer = stack.call("POST", "/api/upload", headers={"Content-Type": kind}, body=body)
                assert_problem(answer, status, name)
            assert_problem(stack.put(iter([b"x" * MIB] * 12)), status, name)
            stack.assert_nothing_kept(before)
            wait_until(lambda: not [p for p in spool.rglob("*") if p.is_file()], 5, "the spooled bodies are gone")
            assert stack.put(b"x" * 3 * MIB).status == 201 and stack.worker_children() == pids
        finally:
            stack.stop()
            stack.worker = stack.jobs = stack.nginx = None


@pytest.mark.skipif(not ROOT, reason="only root can mount a small disk")
def test_a_full_disk_under_bodies_and_store_is_a_507_until_there_is_room(new_stack, world):
    """As it is set up by default: one disk for both, filled by something else."""
    with small_disk(world.dir / "one-disk", "12m") as disk:
        stack = new_stack(UPLOAD_STORAGE_PATH=str(disk))
        try:
            kept = stack.upload(b"before")
            before = stack.snapshot()
            other = disk / "other"
            other.write_bytes(b"x" * 10 * MIB)
            snapshot = (before[0], stack.objects())
            for data in (b"x" * 2 * MIB, b"x" * 4 * MIB):
                assert_problem(stack.put(data), 507, "disk_full")
                assert_problem(stack.post_form([("a", b"small"), ("b", data)]), 507, "disk_full")
            stack.assert_nothing_kept(snapshot)
            assert stack.get(kept["url"]).body == b"before"
            other.unlink()
            assert stack.put(b"x" * 2 * MIB).status == 201
            stack.assert_whole()
        finally:
            stack.stop()
            stack.worker = stack.jobs = stack.nginx = None


def test_a_worker_that_is_away_is_a_503_and_no_full_disk(new_stack):
    stack = new_stack()
    stack.worker.stop()
    for answer in (stack.put(b"x" * MIB), stack.post_form([("a", b"x")]), stack.get("/api/attachments")):
        assert_problem(answer, 503, "unavailable")
        assert answer.headers["Retry-After"] == "2"
    stack.start_worker()
    assert stack.put(b"x").status == 201
    assert_problem(stack.put(b"x", user=None), 401, "unauthenticated")


# --- descriptors ------------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def no_descriptor_left(pid):
    """The process has what it has open, and can open nothing more."""
    used = {int(p.name) for p in Path(f"/proc/{pid}/fd").iterdir()}
    lowest_free = next(n for n in range(len(used) + 1) if n not in used)
    def limit(number):  # the soft one; the same user may, without any capability
        subprocess.run([*AS_USER, "--", "prlimit", f"--pid={pid}", f"--nofile={number}:"], check=True)
    limit(lowest_free)
    try:
        yield
    finally:
        limit(1024)


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@pytest.mark.skipif(not ROOT, reason="what a worker has open is hidden from its own user")
def test_a_child_without_descriptors_says_503_and_recovers(new_stack):
    stack = new_stack(WORKERS=1)
    made = stack.upload(b"before")
    before = stack.snapshot()
    pid, = stack.worker_children()
    with no_descriptor_left(pid):
        for _ in range(3):
            answer = stack.put(b"x" * 100_000)
            assert_problem(answer, 503, "unavailable")
            assert answer.headers["Retry-After"] == "2"
            assert_problem(stack.post_form([("a.txt", b"x"), ("b.txt", b"y")]), 503, "unavailable")
            # what needs none goes on
            assert stack.get(made["url"]).body == b"before"
            assert stack.get("/api/attachments/" + made["id"]).status == 200
        used = cpu_seconds(pid)
        time.sleep(1)
        assert cpu_seconds(pid) - used < 0.2, "it spins"
        stack.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                  " AND application_name LIKE 'cloakroom-fcgi%%'")
        assert stack.get("/api/attachments/" + made["id"]).status in (200, 503)
    stack.assert_nothing_kept(before)
    assert stack.put(b"x").status == 201 and stack.get(made["url"]).body == b"before"
    assert stack.worker_children() == [pid]
    assert stack.log().count("event=descriptors.exhausted") == 1, "one line, not one a request"


# --- slow clients -----------------------------------------------------------------------------------------------------

def begin_upload(stack, size, user="slow"):
    s = socket.create_connection(("127.0.0.1", stack.port), timeout=30)
    s.sendall(f"PUT /api/upload/slow.bin HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token(user)}\r\n"
              f"Content-Length: {size}\r\n\r\n".encode())
    return s


def test_a_body_that_stops_is_cut_by_nginx(new_stack):
    stack = new_stack(BODY_TIMEOUT=1)
    before, log = stack.snapshot(), len(stack.log())
    with begin_upload(stack, MIB) as s:
        s.sendall(b"x" * 100_000)
        wait_until(stack.left_overs, 5, "nginx spools the body")
        began = time.monotonic()
        assert s.recv(1000).partition(b"\r\n")[0] in (b"", b"HTTP/1.1 408 Request Time-out")
        assert 0.5 < time.monotonic() - began < 4
    with begin_upload(stack, 6) as s:
        for byte in b"abcdef":  # slow, but never silent for so long
            time.sleep(0.4)
            s.sendall(bytes([byte]))
        assert s.recv(1000).startswith(b"HTTP/1.1 201 ")
    made, = stack.get("/api/attachments?status=uploaded", "slow").json()
    assert stack.call("DELETE", "/api/attachments/" + made["id"], "slow").status == 204
    stack.assert_nothing_kept(before)
    assert len([r for r in stack.requests_logged(log) if r["method"] == "PUT"]) == 1, "the worker saw a cut body"


class SlowUploads:
    """So many clients that each send a kilobyte a second, from one thread."""

    def __init__(self, stack, count):
        self.sockets = [begin_upload(stack, MIB) for _ in range(count)]
        self.stopping = threading.Event()
        self.rounds = 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        pause = 1 / len(self.sockets)
        due = time.monotonic()
        while not self.stopping.is_set():
            for s in self.sockets:
                s.sendall(b"x" * 1024)
                due += pause
                self.stopping.wait(max(0, due - time.monotonic()))
            self.rounds += 1

    def close(self):
        self.stopping.set()
        self.thread.join()
        for s in self.sockets:
            s.close()


def throughput(stack, seconds):
    """Requests of a normal client in this time: uploads of 20 kB and reading them back."""
    done, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        made = stack.put(b"y" * 20_000, "normal.bin")
        assert made.status == 201 and stack.get(made.json()["url"]).status == 200
        done += 2
    return done / seconds


def test_200_slow_uploads_leave_a_normal_client_its_speed(new_stack):
    stack = new_stack(WORKERS=2)
    window, rounds = (5, 8) if SOAK else (1.5, 5)
    throughput(stack, 1)
    alone, beside = [], []
    for _ in range(rounds):  # interleaved, so that whatever else this host does falls on both
        alone.append(throughput(stack, window))
        slow = SlowUploads(stack, 200)
        try:
            wait_until(lambda: slow.rounds >= 1, 20, "each of the 200 has sent something")
            beside.append(throughput(stack, window))
            assert slow.thread.is_alive() and slow.rounds >= 2
        finally:
            slow.close()
        wait_until(lambda: not stack.left_overs(), 10, "nothing is left of the slow ones")
    share = statistics.median(beside) / statistics.median(alone)
    print(f"alone {statistics.median(alone):.0f}/s, beside the slow {statistics.median(beside):.0f}/s: {share:.0%}")
    assert share >= 0.8, f"alone {alone}, beside {beside}"
