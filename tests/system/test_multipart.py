"""test_multipart.py — large files to S3 in parts: memory, parallel parts, and what a killed worker leaves."""
import json
import os
import signal
import subprocess
import threading

import pytest

from conftest import SOAK
from part_store import PartStore
from processes import PeakMemory, wait_until
from stack import MIB

MOST_KIB = 16 * 1024
SIZE = 6 * 1024 * MIB if SOAK else 512 * MIB
ENOUGH = 512 * MIB if SOAK else 192 * MIB  # parts for a kill in the middle


@pytest.fixture
def sparse(world):
    """sparse(size): the path of a file of so many bytes, all zero but the last ones, that takes no room."""
    made = []

    def make(size):
        path = world.dir / f"multipart-{size}.bin"
        made.append(path)
        with open(path, "wb") as f:
            f.truncate(size - 4)
            f.seek(0, 2)
            f.write(b"tail")
        return path

    yield make
    for path in made:
        path.unlink()


def sha256_of(path):
    return subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]


@pytest.mark.usefixtures("ceph")
def test_a_large_upload_goes_in_parallel_parts_and_does_not_grow_the_worker(new_stack, sparse):
    path = sparse(SIZE)
    together = threading.Barrier(4)  # passed by four parts that are on the way at once, and by no fewer

    with PartStore(lambda number: together.wait(20) if number <= 4 else None) as store:
        stack = new_stack(WORKERS=1, MAX_UPLOAD_SIZE="7G", **store.settings)
        stack.put(b"x" * MIB)  # one worker that has done a small one, so that no first-time cost counts
        with PeakMemory(stack.worker_children()) as peak:
            made = json.loads(stack.curl("-T", path, stack.url + "/api/upload/big.bin", timeout=1200))
        assert (made.get("size"), made.get("sha256")) == (SIZE, sha256_of(path)), made
        assert peak.growth_kib < MOST_KIB, f"the worker grew by {peak.growth_kib} KiB"
        assert not together.broken and store.most_at_once == 4
        assert store.last_parts == [16 * MIB] * (SIZE // (16 * MIB)), "equal parts, each once"
        assert not store.wrong_hashes and not store.uploads
        stack.stop()


def unfinished(stack):
    """(key, id, number of parts) of the uploads that the store has not yet made objects of."""
    bucket = stack.settings["S3_BUCKET"]
    uploads = stack.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", ())
    return [(u["Key"], u["UploadId"],
             len(stack.s3.list_parts(Bucket=bucket, Key=u["Key"], UploadId=u["UploadId"]).get("Parts", ())))
            for u in uploads]


def killed_in_the_middle(stack, path):
    """A worker killed with parts in the store and parts on the way."""
    upload = threading.Thread(target=lambda: stack.call("PUT", "/api/upload/big.bin", body=path.read_bytes()))
    upload.start()
    wait_until(lambda: any(parts >= 2 for *_, parts in unfinished(stack)), 60, "two parts are stored", every=0.01)
    for pid in stack.worker_children():
        os.kill(pid, signal.SIGKILL)
    upload.join()


def test_what_a_killed_worker_left_is_swept_away(new_stack, sparse):
    stack = new_stack(stack={"s3": True}, WORKERS=1, MAX_UPLOAD_SIZE="1G")
    path = sparse(ENOUGH)
    killed_in_the_middle(stack, path)
    (key, upload, parts), = unfinished(stack)
    assert parts >= 2 and not stack.objects() and not stack.rows()
    assert key in stack.planned(), "the ticket of the object that never came"
    bucket = stack.settings["S3_BUCKET"]
    foreign = stack.s3.create_multipart_upload(Bucket=bucket, Key="backup/of others.tar")["UploadId"]

    stack.tool("jobs", "--sweep")
    assert (key, upload, parts) in unfinished(stack), "too young: its worker might still be at work"
    done = stack.tool("jobs", "--sweep", "--older-than", "0")
    assert 'event=sweep.done uploads=1' in done.stderr
    assert [u[1] for u in unfinished(stack)] == [foreign]
    assert not stack.objects() and not stack.rows()

    made = json.loads(stack.curl("-T", path, stack.url + "/api/upload/big.bin"))
    assert stack.objects() == {stack.key_of(made): ENOUGH}
    assert [u[1] for u in unfinished(stack)] == [foreign]
    assert stack.call("DELETE", "/api/attachments/" + made["id"]).status == 204
    wait_until(lambda: not stack.objects(), 30, "the object is deleted: the test store has no room for many")


def test_a_sweep_in_the_middle_fails_the_upload_and_leaves_nothing(new_stack, sparse):
    """As when an upload takes longer than any should: it must not become an object that nobody deletes."""
    stack = new_stack(stack={"s3": True}, WORKERS=1, MAX_UPLOAD_SIZE="1G")
    path, answers = sparse(512 * MIB), []
    upload = threading.Thread(
        target=lambda: answers.append(stack.call("PUT", "/api/upload/big.bin", body=path.read_bytes(), timeout=120)))
    upload.start()
    wait_until(lambda: any(parts >= 2 for *_, parts in unfinished(stack)), 60, "two parts are stored", every=0.01)
    stack.tool("jobs", "--sweep", "--older-than", "0")
    upload.join()
    assert answers[0].status == 502, answers[0]
    assert not stack.rows() and not stack.objects() and not unfinished(stack)


def test_a_sweep_that_cannot_reach_the_store_says_so(new_stack):
    stack = new_stack(stack={"s3": True}, start=False)
    stack.tool("migrate")
    stack.settings["S3_ENDPOINT"] = "http://127.0.0.1:9"
    done = stack.tool("jobs", "--sweep", check=False)
    assert done.returncode == 75 and "event=sweep.failed what=\"uploads\"" in done.stderr
    assert stack.tool("jobs", "--older-than", "5", check=False).returncode == 2
