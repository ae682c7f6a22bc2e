"""test_outage.py — the store is down or hangs: quick answers meanwhile, and with S3_FALLBACK=local uploads go on."""
import concurrent.futures
import os
import signal
import time
from urllib.parse import urlsplit

import pytest

from gate import Gate
from processes import wait_until
from test_failures import assert_clear


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


def p99(seconds):
    return sorted(seconds)[int(len(seconds) * 0.99) - 1 if len(seconds) >= 100 else -1]


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
        given_up = [seconds for answer, seconds in answers if answer.json()["type"].endswith("store_away")]
        assert len(given_up) >= 195 and p99(given_up) < 0.1, sorted(given_up)[-5:]
        assert_given_up(answers[-1][0])
        # the breaker of one instance is its own, and a streamed download is refused as clearly
        for _ in range(4):
            last = stream.get(before["url"])
        assert last.status == 503
        assert stack.get("/readyz", None).json()["store"] == "unavailable"
        assert stack.get("/healthz", None).status == 200
        assert not stack.sql("SELECT 1 FROM jobs"), "what was never sent needs no deletion"
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
        assert max(others) < 0.5, sorted(others)[-5:]
        ready, seconds = timed(lambda: stack.get("/readyz", None))
        assert ready.status == 503 and seconds < 0.5
        begin = time.monotonic()
        late = [timed(lambda: stack.put(b"x" * 20_000)) for _ in range(100)]
        for answer, _ in late:
            assert_given_up(answer)
        assert p99([s for _, s in late]) < 0.1, sorted(s for _, s in late)[-5:]
        assert time.monotonic() - begin < 10
        assert sum(not h.done() for h in held) == 3, "three of four workers are held"
        # a worker that dies in there does not take its place along
        before = set(stack.worker_children())
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: len(set(stack.worker_children()) - before) == 1, 5)
        gate.pass_again()
        assert until_taken(stack, 15) < 10
        assert sum(h.result().status == 201 for h in held) >= 2, [str(h.result()) for h in held]
    assert stack.get(made["url"]).body == b"from before"
