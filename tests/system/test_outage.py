"""test_outage.py — the store is down or hangs: quick answers meanwhile, and with S3_FALLBACK=local uploads go on."""
import concurrent.futures
import os
import signal
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gate import Gate
from processes import wait_until
from recording_proxy import RecordingProxy
from servers import connect
from test_direct_uploads import complete, upload
from test_failures import assert_clear

pytestmark = pytest.mark.alone


@pytest.fixture
def gate(ceph):
    made = Gate(urlsplit(ceph.settings["S3_ENDPOINT"]).port)
    yield made
    made.close()


class Down:
    """`with Down(ceph): …` — the gateway is stopped meanwhile."""

    def __init__(self, ceph):
        self.ceph = ceph

    def __enter__(self):
        self.ceph.stop_gateway()

    def __exit__(self, *_):
        self.ceph.start_gateway()


def timed(call):
    begin = time.monotonic()
    answer = call()
    return answer, time.monotonic() - begin


def assert_quick(stack, answers):
    """p99 below 100 ms by the workers' clock: what a client measures beside other work on this host is not ours."""
    last = stack.logged(answers[-1][0]) and {r["req"]: float(r["ms"]) for r in stack.requests_logged()}
    spent = sorted(last[answer.headers["X-Request-Id"]] for answer, _ in answers)
    waited = sorted(seconds for _, seconds in answers)
    rank = int(len(answers) * 0.99) - 1
    assert spent[rank] < 100 and waited[rank] < 1, (spent[-5:], waited[-5:])


def assert_given_up(answer):
    assert_clear(answer, 503, "store_away")


def until_taken(stack, seconds):
    """Uploads until one is taken; how long that took."""
    begin = time.monotonic()
    wait_until(lambda: stack.put(b"again").status == 201, seconds, "uploads work again", every=0.1)
    return time.monotonic() - begin


# --- without a fallback: a clear no, at once --------------------------------------------------------------------------

def test_uploads_during_an_outage_are_refused_at_once(new_stack, ceph):
    stack = new_stack(stack={"s3": True}, WORKERS=4)
    stream = new_stack(stack={"like": stack}, DELIVERY="stream")
    before = stack.upload(b"from before")
    with Down(ceph):
        for answer in (stack.put(b"x") for _ in range(8)):  # the first few find out
            assert answer.status in (502, 503), str(answer)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: timed(lambda: stack.put(b"x" * 20_000)), range(200)))
        # now and then one asks whether the store is back
        given_up = [one for one in answers if one[0].json()["type"].endswith("store_away")]
        assert len(given_up) >= 195
        assert_quick(stack, given_up)
        assert_given_up(answers[-1][0])
        # the breaker of one instance is its own, and a streamed download is refused as clearly
        for _ in range(4):
            last = stream.get(before["url"])
        assert last.status == 503
        assert stack.get("/readyz", None).json()["store"] == "unavailable"
        assert stack.get("/healthz", None).status == 200
        # what was never sent needs no deletion; those that asked, or came just then, may have planned one
        assert len(stack.planned()) < 30, "of more than 200"
    assert until_taken(stack, 15) < 10
    wait_until(lambda: stream.get(before["url"]).body == b"from before", 10, "streams work again")
    assert "event=store.given_up" in stack.log() and "event=store.back" in stack.log()


def test_readyz_brings_the_store_back(new_stack, ceph):
    stack = new_stack(stack={"s3": True})
    stack.upload(b"warm")
    with Down(ceph):
        wait_until(lambda: stack.put(b"x").json()["type"].endswith("store_away"), 10)
    wait_until(stack.is_ready, 10)
    assert stack.put(b"at once").status == 201


def test_a_store_that_hangs_holds_some_workers_and_not_the_others(new_stack, gate):
    stack = new_stack(stack={"s3": True}, WORKERS=4, S3_ENDPOINT=f"http://127.0.0.1:{gate.port}")
    made = stack.upload(b"from before")
    gate.hang()
    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        held = [pool.submit(stack.put, b"x" * 20_000) for _ in range(10)]
        time.sleep(2.5)  # until nothing moves, one child still hopes
        uploads = [pool.submit(timed, lambda: stack.put(b"x" * 20_000)) for _ in range(50)]
        others = []
        for _ in range(20):
            for path, user in (("/api/attachments/" + made["id"], "alice"), ("/healthz", None)):
                answer, seconds = timed(lambda: stack.get(path, user))
                assert answer.status == 200
                others.append(seconds)
        answers = [u.result() for u in uploads]
        for answer, _ in answers:
            assert_given_up(answer)
        assert max(others) < 1, sorted(others)[-5:]
        ready, seconds = timed(lambda: stack.get("/readyz", None))
        assert ready.status == 503 and seconds < 1
        begin = time.monotonic()
        late = [timed(lambda: stack.put(b"x" * 20_000)) for _ in range(100)]
        for answer, _ in late:
            assert_given_up(answer)
        assert_quick(stack, late)
        assert time.monotonic() - begin < 20
        assert sum(not h.done() for h in held) == 3, "three of four workers are held"
        # a worker that dies in there does not take its place along
        before = set(stack.worker_children())
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: len(set(stack.worker_children()) - before) == 1, 5)
        gate.pass_again()
        assert until_taken(stack, 15) < 10
        assert sum(h.result().status == 201 for h in held) >= 2, [str(h.result()) for h in held]
    assert stack.get(made["url"]).body == b"from before"


class SlowCopies(RecordingProxy):
    """Before a store that takes `seconds` for each copy and says nothing meanwhile."""

    def __init__(self, port, seconds):
        super().__init__(port)
        self.seconds, self.copying = seconds, threading.Event()

    def note_request(self, block):
        if b"\r\nx-amz-copy-source: " in block:
            self.copying.set()
            time.sleep(self.seconds)
        return super().note_request(block)


def test_a_copy_that_takes_long_is_no_hang(new_stack, ceph):
    """One of two workers waits for it, which is all that may be in the store."""
    with SlowCopies(urlsplit(ceph.settings["S3_ENDPOINT"]).port, 8) as proxy, \
            concurrent.futures.ThreadPoolExecutor(1) as pool:
        stack = new_stack(stack={"s3": True}, WORKERS=2, S3_ENDPOINT=f"http://127.0.0.1:{proxy.port}")
        ticket = upload(stack, b"no picture: those are not copied", name="a.txt", kind="text/plain")
        completing = pool.submit(complete, stack, ticket)
        assert proxy.copying.wait(20)
        time.sleep(2.5)  # until nothing has moved for longer than the patience with a store
        for _ in range(5):
            answer, seconds = timed(lambda: stack.put(b"x" * 20_000))
            assert answer.status == 201 and seconds < 2, (str(answer), seconds)
        assert stack.get("/readyz", None).status == 200
        assert not completing.done()
        assert completing.result().status == 201, str(completing.result())


# --- S3_FALLBACK=local: uploads go on ---------------------------------------------------------------------------------

KEPT = ".kept/node1/"


def fallback(new_stack, ceph, **settings):
    """A stack that keeps uploads aside, and others that share its rows and its disk with other ways to deliver."""
    kept = {"S3_FALLBACK": "local", "NODE_NAME": "node1"}
    stack = new_stack(stack={"s3": True}, **kept, **settings)
    others = [new_stack(stack={"like": stack}, DELIVERY=how, **kept) for how in ("stream", "redirect")]
    return stack, others


def place(stack, made):
    found = stack.sql("SELECT store, key FROM attachments WHERE id = %s", made["id"])
    return found[0] if found else None


def kept_files(stack):
    root = Path(stack.settings["UPLOAD_STORAGE_PATH"]) / KEPT
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


def assert_bytes(stacks, made, data):
    for stack in stacks:
        answer = stack.get(made["url"])
        if answer.status == 302:
            with urllib.request.urlopen(answer.headers["Location"]) as opened:
                assert opened.read() == data
        else:
            assert answer.status == 200 and answer.body == data, str(answer)
            part = stack.get(made["url"], headers={"Range": "bytes=1-3"})
            assert not data or part.status == 206 and part.body == data[1:4], str(part)


def hurry(stack):
    """Jobs and tickets are due now."""
    stack.sql("UPDATE deletion_tickets SET due_at = now(); UPDATE jobs SET run_at = now() WHERE locked_by IS NULL;"
              " SELECT pg_notify('cloakroom_jobs', '')")


def test_uploads_during_an_outage_are_kept_served_and_moved(new_stack, ceph):
    stack, others = fallback(new_stack, ceph)
    everybody = [stack, *others]
    data = [os.urandom(20_000 + n) for n in range(3)] + [b"", os.urandom(3_000_000)]
    with Down(ceph):
        made = [stack.put(d).json() for d in data]
        form = stack.post_form([("a.txt", b"one"), ("b.txt", b"two")])
        assert form.status == 201
        made, data = made + form.json(), data + [b"one", b"two"]
        for m in made:
            assert place(stack, m)[0] == "local" and place(stack, m)[1].startswith(KEPT)
        assert len(kept_files(stack)) == 7
        # once the store is given up, an upload costs what it costs on a disk
        assert sorted(timed(lambda: stack.put(b"quick"))[1] for _ in range(10))[5] < 0.5
        ready = stack.get("/readyz", None)
        assert ready.status == 200 and ready.json() == {"status": "ok", "database": "ok", "store": "fallback"}
        for m, d in zip(made[:3], data):
            assert_bytes(everybody, m, d)
        # a file that is deleted meanwhile is gone from the disk, and never comes to the store
        gone = made.pop(), data.pop()
        name = place(stack, gone[0])[1].removeprefix(KEPT)
        assert stack.call("DELETE", "/api/attachments/" + gone[0]["id"]).status == 204
        wait_until(lambda: name not in kept_files(stack), 10, "the kept file is deleted")
        assert stack.get(gone[0]["url"]).status == 404
    # nobody helps: the runner finds out by itself
    answers = []
    reading = threading.Event()

    def read():
        while not reading.is_set():
            answers.extend((s.get(made[0]["url"]).status, s.dir.name) for s in everybody)
    reader = threading.Thread(target=read)
    reader.start()
    try:
        wait_until(lambda: all(place(stack, m)[0] == "s3" for m in made), 40, "all files are moved", every=0.1)
        assert kept_files(stack), "the originals stay for a moment, for those who have read the row"
        for m, d in zip(made, data):
            assert_bytes(everybody, m, d)
        wait_until(lambda: not kept_files(stack), 25, "the originals are deleted", every=0.1)
    finally:
        reading.set()
        reader.join()
    assert {status for status, _ in answers} <= {200, 302}, "a download met the switch"
    for m, d in zip(made, data):
        assert_bytes(everybody, m, d)
    hurry(stack)
    wait_until(lambda: not stack.planned(), 20, "all jobs are done")
    assert not stack.sql("SELECT 1 FROM jobs")
    assert set(stack.objects()) == set(stack.rows()), "nothing lost, nothing doubled"
    stack.assert_whole()


def test_a_runner_killed_in_the_middle_of_a_move_loses_and_doubles_nothing(new_stack, ceph, gate):
    stack = new_stack(stack={"s3": True, "jobs": False}, S3_ENDPOINT=f"http://127.0.0.1:{gate.port}",
                      S3_FALLBACK="local", NODE_NAME="node1")
    stack.put(b"the bucket is there")
    data = os.urandom(40_000_000)  # a copy takes long enough to be killed in
    with Down(ceph):
        made = wait_until(lambda: next((m for m in [stack.put(data).json()] if place(stack, m)[0] == "local"), None), 10)
    for moment in ("copying", "copied"):
        lock = None
        if moment == "copied":  # the switch waits: the copy is stored, the row still names the original
            lock = connect(stack.database)
            lock.autocommit = False
            lock.cursor().execute("SELECT 1 FROM attachments WHERE id = %s FOR UPDATE", (made["id"],))
        stack.start_jobs()
        hurry(stack)
        if lock:
            wait_until(lambda: stack.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
                                         "datname = current_database() AND query LIKE '%moved AS%'"), 20, "a switch")
        else:
            wait_until(lambda: stack.sql("SELECT 1 FROM deletion_tickets WHERE store = 's3'"), 20, "a copy is begun")
        stack.jobs.stop(signal.SIGKILL)
        if lock:  # its statement must not outlive it here
            stack.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%moved AS%' AND "
                      "pid <> pg_backend_pid() AND wait_event_type = 'Lock'")
            lock.rollback()
            lock.close()
        assert place(stack, made)[0] in ("local", "s3")
        assert stack.get(made["url"]).body == data
        stack.sql("UPDATE jobs SET locked_until = NULL, locked_by = NULL")  # as if its lease were over
    # two at once, on the same node, and one on another that must not touch it
    other = new_stack(stack={"like": stack}, start=False, S3_FALLBACK="local", NODE_NAME="node2")
    if place(stack, made)[0] == "local":
        other.tool("jobs", "--once")
        assert place(stack, made)[0] == "local", "the file is not on that node"
    stack.start_jobs()
    stack.tool("jobs", "--once")
    wait_until(lambda: place(stack, made)[0] == "s3", 20, "the file is moved")
    wait_until(lambda: (hurry(stack), not stack.planned())[1], 20, "all jobs are done", every=0.2)
    assert stack.get(made["url"]).body == data
    wait_until(lambda: not kept_files(stack), 5)
    assert set(stack.objects()) == set(stack.rows()), "nothing lost, nothing doubled"
    stack.assert_whole()


def test_a_store_that_hangs_sends_uploads_to_the_disk(new_stack, gate):
    stack = new_stack(stack={"s3": True}, WORKERS=4, S3_ENDPOINT=f"http://127.0.0.1:{gate.port}",
                      S3_FALLBACK="local", NODE_NAME="node1")
    stack.upload(b"warm")
    gate.hang()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        held = [pool.submit(stack.put, b"held") for _ in range(3)]
        time.sleep(2.5)
        answers = [u.result() for u in [pool.submit(timed, lambda: stack.put(b"x" * 20_000)) for _ in range(20)]]
        assert all(a.status == 201 for a, _ in answers) and max(s for _, s in answers) < 2
        assert all(place(stack, a.json())[0] == "local" for a, _ in answers)
        gate.pass_again()
        assert all(h.result().status == 201 for h in held)
    wait_until(lambda: all(place(stack, a.json())[0] == "s3" for a, _ in answers), 40, "all files are moved", every=0.1)
    stack.assert_whole()
