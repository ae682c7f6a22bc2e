"""test_failures.py — parts that die or go away under load: clear answers meanwhile, nothing lost or left behind."""
import os
import random
import signal
import subprocess
import threading
import time

import pytest

from conftest import SOAK
from processes import ROOT, own, wait_until
from servers import connect
from stack import MIB


class Uploads:
    """Threads that upload without pause; remembers what was promised by a 201 and every other answer."""

    def __init__(self, stack, threads=6, size=30_000, count=None):
        self.stack, self.size, self.left = stack, size, count
        self.kept, self.refused, self.lock = [], [], threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]

    def run(self):
        while not self.stopping.is_set():
            with self.lock:
                if self.left is not None:
                    if self.left == 0:
                        return
                    self.left -= 1
            data = os.urandom(self.size + random.randrange(1000))
            answer = self.stack.post_form([("a.bin", data), ("b.txt", b"second")]) if random.random() < 0.5 \
                else self.stack.put(data)
            with self.lock:
                if answer.status == 201:
                    made = answer.json()
                    self.kept.append((made[0] if isinstance(made, list) else made, data))
                else:
                    self.refused.append(answer)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        if self.left is None:
            self.stopping.set()
        for t in self.threads:
            t.join()

    def stored(self, more):
        """Waits until that many more uploads were taken."""
        goal = len(self.kept) + more
        wait_until(lambda: len(self.kept) >= goal, 20, f"{more} more uploads are taken")

    def assert_all_there(self):
        for made, data in self.kept:
            answer = self.stack.get(made["url"])
            assert answer.status == 200 and answer.body == data, f"an upload answered with 201 is lost: {answer}"


def end_grace(stack):
    stack.sql("UPDATE deletion_tickets SET due_at = now(); UPDATE jobs SET run_at = now();"
              " SELECT pg_notify('cloakroom_jobs', '')")


def finish_jobs(stack):
    """As if the grace of unfinished uploads were over: then the store holds exactly what has rows."""
    end_grace(stack)
    wait_until(lambda: not stack.planned(), 20, "all jobs are done")
    assert set(stack.objects()) == set(stack.rows())


def assert_clear(answer, status, name):
    assert answer.status == status, str(answer)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:cloakroom:error:" + name and answer.json()["status"] == status
    assert answer.headers["Retry-After"]
    assert answer.headers.get_all("Cache-Control") == ["no-store"], "a browser would keep the failure"


# --- workers that are killed ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("where", ["local", "s3"])
def test_kill_9_in_the_middle_of_50_uploads_leaves_no_row_without_bytes_and_no_bytes_without_a_job(new_stack, where):
    stack = new_stack(stack={"s3": where == "s3"}, WORKERS=4)
    stack.put(b"first")  # the bucket is ready
    refused, rounds, end = 0, 0, time.monotonic() + (180 if SOAK else 0)
    while rounds < 2 or time.monotonic() < end:
        rounds += 1
        with Uploads(stack, threads=10, size=500_000, count=50) as uploads:
            for done in (5, 18, 30):  # so many are through, the others wait or are under way
                wait_until(lambda: len(uploads.kept) + len(uploads.refused) >= done, 60)
                for victim in stack.worker_children()[:1]:
                    os.kill(victim, signal.SIGKILL)
        assert len(uploads.kept) + len(uploads.refused) == 50
        for answer in uploads.refused:
            assert_clear(answer, 503, "unavailable")
        refused += len(uploads.refused)
        stack.assert_whole()
        uploads.assert_all_there()
    assert refused, "no kill hit an upload"
    assert stack.put(b"still here").status == 201
    finish_jobs(stack)


@pytest.mark.parametrize("where", ["local", "s3"])
def test_a_child_killed_between_bytes_and_row_leaves_a_job_that_removes_the_bytes(new_stack, where):
    stack = new_stack(stack={"s3": where == "s3"})
    lock = connect(stack.database)  # the INSERT of the row waits: the bytes are stored, the row is not there
    lock.autocommit = False
    lock.cursor().execute("LOCK TABLE attachments IN EXCLUSIVE MODE")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(stack.put(b"bytes without a row")))
    thread.start()
    wait_until(lambda: stack.objects(), 10, "the bytes are stored")
    wait_until(lambda: stack.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
                                 "datname = current_database()"), 10)
    for pid in stack.worker_children():
        os.kill(pid, signal.SIGKILL)
    thread.join()
    lock.rollback()
    assert_clear(answers[0], 503, "unavailable")
    assert len(stack.objects()) == 1 and set(stack.objects()) <= stack.planned() | set(stack.rows())
    wait_until(lambda: len(stack.worker_children()) == 2, 10)
    # The statement was on its way already: PostgreSQL may have finished it. Then there is a row and no job.
    finish_jobs(stack)


def test_an_upload_slower_than_its_grace_is_refused_and_leaves_nothing(new_stack):
    stack = new_stack()
    lock = connect(stack.database)
    lock.autocommit = False
    lock.cursor().execute("LOCK TABLE attachments IN EXCLUSIVE MODE")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(stack.put(b"too slow")))
    thread.start()
    wait_until(lambda: stack.objects(), 10, "the bytes are stored")
    # its ticket falls due while the row is not there yet: the job takes the bytes
    end_grace(stack)
    wait_until(lambda: not stack.objects(), 10, "the job removed them")
    lock.rollback()
    thread.join()
    assert answers[0].status == 409, str(answers[0])
    assert not stack.rows()
    finish_jobs(stack)


# --- servers that go away --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_postgres_stopped_and_started_under_load_gives_503_and_loses_nothing(new_stack, own_postgres, how):
    stack = new_stack(stack={"database": own_postgres.new_database()}, MAX_REQUESTS=0)  # nobody leaves by age
    pids, rounds = stack.worker_children(), 10 if SOAK else 2
    before = stack.upload(b"from before")
    with Uploads(stack) as uploads:
        uploads.stored(20)
        for _ in range(rounds):
            own_postgres.stop(how)
            time.sleep(0.8)
            refused = len(uploads.refused)
            wait_until(lambda: len(uploads.refused) > refused, 10, "uploads are refused")
            assert_clear(stack.get(before["url"]), 503, "database")
            assert_clear(stack.link("m", before["id"]), 503, "database")
            ready = stack.get("/readyz", None)
            assert ready.status == 503
            assert ready.json() == {"status": "unavailable", "database": "unavailable", "store": "ok"}
            assert stack.get("/healthz", None).status == 200
            own_postgres.start()
            uploads.stored(20)
    for answer in uploads.refused:
        assert_clear(answer, 503, "database")
    assert stack.get("/readyz", None).status == 200
    assert stack.worker_children() == pids, "a worker died of it"
    uploads.assert_all_there()
    assert stack.link("m", before["id"]).status == 200
    stack.call("DELETE", "/api/messages/m", "service")  # the job runner is back too
    if how == "fast":
        stack.assert_whole()
        finish_jobs(stack)
    else:
        # A crash of PostgreSQL may lose the tickets of uploads that were under way, a request a worker: docs/adr/0003.
        stack.assert_whole(may_be_lost=rounds * len(pids) * 2)


def test_a_worker_may_start_before_postgres_does(new_stack, own_postgres):
    stack = new_stack(stack={"database": own_postgres.new_database()}, start=False)
    stack.tool("migrate")
    own_postgres.stop()
    os.mkdir(stack.settings["UPLOAD_STORAGE_PATH"])
    own(stack.settings["UPLOAD_STORAGE_PATH"])
    stack.start_worker()
    stack.start_jobs()
    stack.start_nginx()
    wait_until(lambda: reachable(stack), 10)
    assert_clear(stack.put(b"x"), 503, "database")
    assert stack.tool("migrate", check=False).returncode == 75, "try later"
    own_postgres.start()
    wait_until(stack.is_ready, 10)
    made = stack.upload(b"now")
    assert stack.get(made["url"]).body == b"now"
    assert stack.call("DELETE", "/api/attachments/" + made["id"]).status == 204
    finish_jobs(stack)


def reachable(stack):
    try:
        return stack.get("/healthz", None).status == 200
    except OSError:
        return False


def test_ceph_stopped_and_started_under_load_gives_502_or_503_and_loses_nothing(new_stack, ceph):
    stack = new_stack(stack={"s3": True})
    stream = new_stack(stack={"like": stack}, DELIVERY="stream")
    pids = stack.worker_children()
    before, other = stack.upload(b"from before"), stack.upload(b"never read yet" * 1000)
    with Uploads(stack) as uploads:
        uploads.stored(20)
        ceph.stop_gateway()
        try:
            wait_until(lambda: uploads.refused, 10, "uploads are refused")
            assert_clear(stack.get(before["url"]), 502, "store")
            assert_clear(stack.get(other["url"], headers={"Range": "bytes=0-3"}), 502, "store")
            assert_clear(stream.get(other["url"]), 502, "store")  # a worker of its own: it has not given up yet
            ready = stack.get("/readyz", None)
            assert ready.status == 503
            assert ready.json() == {"status": "unavailable", "database": "ok", "store": "unavailable"}
            # rows go at once, the object follows when the store is back
            assert stack.call("DELETE", "/api/attachments/" + other["id"]).status == 204
        finally:
            ceph.start_gateway()
        uploads.stored(20)
    for answer in uploads.refused:  # those that found out, and those that were spared it
        assert_clear(answer, *((502, "store") if answer.status == 502 else (503, "store_away")))
    wait_until(stack.is_ready, 10)
    assert stack.worker_children() == pids, "a worker died of it"
    assert stack.get(before["url"]).body == b"from before"
    uploads.assert_all_there()
    stack.assert_whole()
    finish_jobs(stack)


def test_a_gateway_that_hangs_for_a_while_only_delays(new_stack, ceph):
    stack = new_stack(stack={"s3": True})
    stack.put(b"warm")
    with Uploads(stack, threads=3) as uploads:
        uploads.stored(5)
        os.kill(ceph.gateway_pid(), signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(ceph.gateway_pid(), signal.SIGCONT)
        uploads.stored(5)
    assert not uploads.refused
    uploads.assert_all_there()
    finish_jobs(stack)


# --- a disk that is full ----------------------------------------------------------------------------------------------

@pytest.mark.skipif(not ROOT, reason="only root can mount a small disk")
def test_a_full_disk_answers_507_and_keeps_nothing(new_stack, world):
    stack = new_stack(start=False, BODY_TEMP_PATH=str(own(world.folder("bodies-elsewhere"))), MAX_UPLOAD_SIZE="64M")
    files = stack.settings["UPLOAD_STORAGE_PATH"]
    os.mkdir(files)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", files], capture_output=True).returncode != 0:
        pytest.skip("this host does not let root mount")
    try:
        stack.start()
        small = stack.upload(b"fits")
        before = stack.snapshot()
        for answer in (stack.put(b"x" * (9 * MIB)), stack.post_form([("a", b"fits"), ("b", b"x" * (9 * MIB))])):
            assert answer.status == 507 and answer.json()["type"] == "urn:cloakroom:error:disk_full", str(answer)
        stack.assert_nothing_kept(before)
        assert stack.get(small["url"]).body == b"fits" and stack.put(b"fits too").status == 201
    finally:
        stack.stop()
        stack.worker = stack.jobs = stack.nginx = None
        subprocess.run(["umount", files], check=True)
