"""test_big_files.py — a large file goes through a worker whose memory does not grow. 2 GiB with SOAK=1."""
import hashlib
import json
import subprocess

import pytest

from conftest import SOAK
from processes import PeakMemory, wait_until
from stack import MIB, PLAIN_LOCATION

SIZE = {"put": 2048 * MIB if SOAK else 512 * MIB, "form": 2048 * MIB if SOAK else 256 * MIB}
MOST_KIB = 8 * 1024
TAIL = b"the last bytes of a sparse file"


@pytest.fixture(scope="module")
def sparse(world):
    """sparse(size): a file of so many bytes that takes no room, and its SHA-256."""
    made = {}

    def make(size):
        if size not in made:
            path = world.dir / f"sparse-{size}.bin"
            with open(path, "wb") as f:
                f.truncate(size - len(TAIL))
                f.seek(0, 2)
                f.write(TAIL)
            digest, zeros = hashlib.sha256(), bytes(MIB)
            for _ in range(size // MIB - 1):
                digest.update(zeros)
            digest.update(bytes(MIB - len(TAIL)) + TAIL)
            made[size] = path, digest.hexdigest()
        return made[size]

    yield make
    for path, _ in made.values():
        path.unlink()


def ready_to_measure(stack):
    """One worker that has done everything once, so that no first-time cost counts."""
    for made in (stack.upload(b"x" * MIB), stack.put(b"x" * MIB).json()):
        stack.get(made["url"])
        stack.get(made["url"], headers={"If-Match": "*"})  # streamed by the worker
        stack.call("DELETE", "/api/attachments/" + made["id"])
    return PeakMemory(stack.worker_children())


@pytest.mark.parametrize("how", ["put", "form"])
@pytest.mark.parametrize("where", ["local", "s3"])
def test_a_large_upload_and_download_do_not_grow_the_worker(new_stack, sparse, where, how):
    path, sha = sparse(SIZE[how])
    stack = new_stack(stack={"s3": where == "s3"}, WORKERS=1, MAX_UPLOAD_SIZE="3G")
    with ready_to_measure(stack) as peak:
        if how == "put":
            made = json.loads(stack.curl("-T", path, stack.url + "/api/upload/big.bin"))
        else:
            made = json.loads(stack.curl("-F", f"file=@{path}", stack.url + "/api/upload"))[0]
    assert (made.get("size"), made.get("sha256")) == (SIZE[how], sha), made
    assert peak.growth_kib < MOST_KIB, f"the worker grew by {peak.growth_kib} KiB"

    # through nginx; then (If-Match) by the worker itself
    for extra in ((), ("-H", "If-Match: *")):
        with PeakMemory(stack.worker_children()) as peak:
            assert downloaded_sha(stack, made, extra) == sha
        assert peak.growth_kib < MOST_KIB, f"the worker grew by {peak.growth_kib} KiB with {extra}"
    tail = stack.get(made["url"], headers={"Range": f"bytes=-{len(TAIL)}"})
    assert tail.status == 206 and tail.body == TAIL

    key = stack.key_of(made)
    assert stack.call("DELETE", "/api/attachments/" + made["id"]).status == 204
    wait_until(lambda: key not in stack.objects(), 30, "the object is deleted: the test store has no room for many")


def downloaded_sha(stack, made, extra):
    header = [f"-H{k}: {v}" for k, v in stack.identity("alice").items()]
    with subprocess.Popen(["curl", "-sSf", "--noproxy", "*", *header, *extra, stack.url + made["url"]],
                          stdout=subprocess.PIPE) as curl:
        digest = hashlib.sha256()
        for block in iter(lambda: curl.stdout.read(MIB), b""):
            digest.update(block)
    assert curl.returncode == 0
    return digest.hexdigest()


def test_a_body_through_the_fastcgi_connection_does_not_grow_the_worker(new_stack, sparse):
    path, sha = sparse(SIZE["form"])
    stack = new_stack(stack={"server": PLAIN_LOCATION}, WORKERS=1, MAX_UPLOAD_SIZE="3G")
    with ready_to_measure(stack) as peak:
        made = json.loads(stack.curl("-T", path, stack.url + "/plain/api/upload/big.bin"))
    assert made.get("sha256") == sha, made
    assert peak.growth_kib < MOST_KIB, f"the worker grew by {peak.growth_kib} KiB"


def test_many_parts_do_not_grow_the_worker(new_stack):
    stack = new_stack(WORKERS=1)
    with ready_to_measure(stack) as peak:
        files = [(f"{i}.bin", b"%d" % i * 40_000) for i in range(100)]
        assert stack.post_form(files).status == 201
    assert peak.growth_kib < MOST_KIB


def test_idle_workers_are_small(new_stack):
    """PSS: shared pages are counted once. Parent and four children."""
    stack = new_stack(WORKERS=4)
    for _ in range(40):
        stack.get(stack.upload()["url"])
    pss = 0
    for pid in [stack.worker.pid, *stack.worker_children()]:
        try:
            text = open(f"/proc/{pid}/smaps_rollup").read()
        except PermissionError:
            pytest.skip("the workers hide their memory from other users")
        pss += int(text.split("\nPss:")[1].split()[0])
    assert pss < 30 * 1024, f"{pss} KiB"
