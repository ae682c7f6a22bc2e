"""test_waiting.py — requests that wait for what others make: who leaves is forgotten, and a worker that ends answers all."""
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from pictures import noise, saved
from processes import wait_until
from servers import connect


@pytest.fixture
def stack(new_stack):
    return new_stack(stack={"images": True, "jobs": False}, WORKERS="1")


@contextmanager
def being_made(stack, made):
    """As if another node were making its thumbnail: it holds the lock, and takes its time."""
    connection = connect(stack.database)
    try:
        connection.cursor().execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))",
                                    (f"cloakroom/variant/{made['id']}/thumb/plain",))
        yield
    finally:
        connection.close()


def test_who_leaves_is_not_served_any_more(stack):
    made = stack.upload(saved(noise(800, 600), "JPEG"), "beach.jpg")
    with being_made(stack, made):
        identity = "".join(f"{name}: {value}\r\n" for name, value in stack.identity("alice").items())
        waiting = socket.create_connection(("127.0.0.1", stack.port))
        waiting.sendall(f"GET {made['thumb_url']} HTTP/1.1\r\nHost: x\r\n{identity}\r\n".encode())
        time.sleep(0.5)
        assert "request.left" not in stack.log()
        waiting.close()
        wait_until(lambda: "event=request.left" in stack.log(), 5, "the worker has noticed")
    time.sleep(0.3)
    assert stack.sql("SELECT count(*) FROM variants WHERE attachment_id = %s", made["id"]) == [(0,)]
    assert stack.get(made["thumb_url"]).status == 200


def test_a_worker_that_ends_answers_those_who_wait_after_three_seconds(stack):
    made = stack.upload(saved(noise(800, 600), "JPEG"), "beach.jpg")
    with being_made(stack, made), ThreadPoolExecutor(30) as pool:
        asked = [pool.submit(stack.get, made["thumb_url"]) for _ in range(30)]
        time.sleep(1)
        assert not any(one.done() for one in asked)
        begin = time.monotonic()
        stack.worker.send(signal.SIGTERM)
        answers = [one.result() for one in asked]
        took = time.monotonic() - begin
    assert {(a.status, a.json()["type"].rpartition(":")[2]) for a in answers} == {(503, "not_yet")}
    assert all("Retry-After" in a.headers for a in answers)
    assert 2.5 < took < 6, took
    assert stack.worker.wait() == 0


def test_a_worker_that_ends_waits_for_what_is_nearly_done(stack):
    made = stack.upload(saved(noise(800, 600), "JPEG"), "beach.jpg")
    with ThreadPoolExecutor(1) as pool:
        with being_made(stack, made):
            asked = pool.submit(stack.get, made["thumb_url"])
            time.sleep(0.5)
            stack.worker.send(signal.SIGTERM)
            time.sleep(0.5)
        assert asked.result().status == 200
    assert stack.worker.wait() == 0
