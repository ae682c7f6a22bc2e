"""test_hybrid.py — files on the local disk with a copy in S3: queued with the upload, served when the disk lets down."""
import concurrent.futures
import hashlib
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import legacy
from conftest import SOAK
from processes import Process, own, wait_until
from stack import MIB
from test_outage import Down, timed

HYBRID = {"STORAGE": "hybrid"}


@pytest.fixture(scope="module")
def hybrid(world):
    """Without a runner: each test has the jobs done when it wants them to be."""
    stack = world.stack(HYBRID, s3=True, jobs=False).start()
    others = {"proxy": stack, **{how: world.stack({"DELIVERY": how}, like=stack).start() for how in ("redirect", "stream")}}
    stack.others = others
    yield stack
    for one in reversed(others.values()):
        one.stop()
        world.stacks.remove(one)


def status(stack):
    return json.loads(stack.tool("replicate", "--status", "--json").stdout)


def metrics(stack):
    lines = stack.get("/metrics", "service").body.decode().splitlines()
    return {line.split()[0]: int(line.split()[1]) for line in lines if line.startswith("cloakroom_copies_")}


def copy_of(stack, made):
    """The key of its copy, or None."""
    found = stack.sql("SELECT key FROM copies WHERE attachment_id = %s", made["id"])
    return found[0][0] if found else None


def all_done(stack):
    """All jobs are due, and done."""
    stack.sql("UPDATE jobs SET run_at = now()")
    stack.tool("jobs", "--once", check=False)  # 75: the store is on its way
    return status(stack)["files"] == 0


def file_of(stack, made):
    return Path(stack.settings["UPLOAD_STORAGE_PATH"]) / stack.key_of(made)


def damage(stack, made, how):
    path = file_of(stack, made)
    before = path.stat()
    if how == "gone":
        path.unlink()
        return
    with open(path, "r+b") as file:
        if how == "cut":
            file.truncate(before.st_size // 2)
        else:
            file.seek(before.st_size // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 0xFF]))
    if how == "rotten":  # as a disk that fails: nobody notices
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def put_object(stack, key, data):
    stack.s3.put_object(Bucket=stack.settings["S3_BUCKET"], Key=key, Body=data)


def fetch(stack, url, **headers):
    """Status, headers and bytes, wherever they come from."""
    answer = stack.get(url, headers=headers)
    if answer.status != 302:
        return answer.status, answer.headers, answer.body
    try:
        with urllib.request.urlopen(urllib.request.Request(answer.headers["Location"], headers=headers), timeout=20) as r:
            return r.status, r.headers, r.read()
    except urllib.error.HTTPError as e:
        return e.code, e.headers, e.read()


def bucket(stack):
    return {o["Key"] for o in stack.bucket_list()}


def assert_whole(stack):
    """Both sides: every row its bytes, every copy its bytes, and in the bucket nothing that nobody knows."""
    stack.assert_whole()
    for key, size, sha in stack.sql("SELECT c.key, a.size_bytes, a.sha256 FROM copies c JOIN attachments a"
                                    " ON a.id = c.attachment_id WHERE c.key IS NOT NULL"):
        body = stack.s3.get_object(Bucket=stack.settings["S3_BUCKET"], Key=key)["Body"].read()
        assert len(body) == size and hashlib.sha256(body).digest() == bytes(sha), f"the copy {key} has other bytes"

    def unknown():
        known = {key for (key,) in stack.sql("SELECT key FROM copies WHERE key IS NOT NULL")}
        return bucket(stack) - known - stack.planned()
    wait_until(lambda: not unknown(), 5, "no objects that nothing removes")


# --- copies ------------------------------------------------------------------------------------------------------------

def test_every_upload_is_queued_with_its_row_and_copied_by_a_job(hybrid):
    all_done(hybrid)
    data = [b"", b"some bytes", os.urandom(300_000), os.urandom(20 * MIB)]
    made = [hybrid.put(d, f"{i}.bin").json() for i, d in enumerate(data)]
    made.append(hybrid.upload(data[1], "by a form.txt"))
    data.append(data[1])
    assert not any(copy_of(hybrid, m) for m in made), "no upload waits for its copy"
    told = status(hybrid)
    assert told["files"] == 5 and told["bytes"] == sum(map(len, data)) and told["not_queued_files"] == 0
    assert metrics(hybrid)["cloakroom_copies_wanted_files"] == 5
    assert metrics(hybrid)["cloakroom_copies_wanted_bytes"] == sum(map(len, data))
    assert "not yet copied: 5 files" in hybrid.tool("replicate", "--status").stdout
    hybrid.tool("jobs", "--once")
    assert status(hybrid) == {"files": 0, "bytes": 0, "oldest_seconds": 0, "not_queued_files": 0, "not_queued_bytes": 0}
    assert metrics(hybrid)["cloakroom_copies_wanted_files"] == 0
    assert "cloakroom_copies_wanted_files 0" in hybrid.tool("jobs", "--metrics").stdout
    for m, d in zip(made, data):
        assert file_of(hybrid, m).read_bytes() == d
        assert hybrid.get(m["url"]).body == d
    assert "not_as_stored" not in hybrid.log(), "a file that nobody touched is served as it lies there"
    assert_whole(hybrid)
    keys = {copy_of(hybrid, made[1]), copy_of(hybrid, made[3])}
    for m in (made[1], made[3]):
        assert hybrid.call("DELETE", f"/api/attachments/{m['id']}").status == 204
    hybrid.tool("jobs", "--once")
    assert not keys & bucket(hybrid), "the copy goes with the file"
    assert hybrid.tool("audit", "--older-than", "0").returncode == 0
    usage = json.loads(hybrid.tool("usage", "--json").stdout)
    assert {g["name"]: g["copies"] for g in usage["groups"]} == {"local": 0, "s3": hybrid.sql("SELECT count(*) FROM copies")[0][0]}


def test_files_from_before_are_queued_by_replicate(world, ceph):
    stack = world.stack({"STORAGE": "local"}, s3=True, jobs=False).start()
    made = [stack.put(os.urandom(1000)).json() for _ in range(5)]
    assert "never queued: only with STORAGE=hybrid are files copied" in stack.tool("replicate", "--status").stdout
    stack.stop()
    stack.settings["STORAGE"] = "hybrid"
    stack.s3 = ceph.client()
    stack.s3.create_bucket(Bucket=stack.settings["S3_BUCKET"])  # the worker does so too, but a new Ceph takes its time
    stack.start()
    try:
        assert status(stack)["not_queued_files"] == 5 and status(stack)["files"] == 5
        assert "5 files, 5000 bytes were never queued" in stack.tool("replicate", "--status").stdout
        rehearsed = json.loads(stack.tool("replicate", "--dry-run", "--json").stdout)
        assert rehearsed == {"finished": True, "files": 5, "would_queue": 5, "would_queue_bytes": 5000}
        assert json.loads(stack.tool("replicate", "--json").stdout)["queued"] == 5
        assert json.loads(stack.tool("replicate", "--json").stdout)["queued"] == 0, "once is enough"
        stack.sql("DELETE FROM jobs")  # as a restored database may be
        assert json.loads(stack.tool("replicate", "--json").stdout)["queued"] == 5
        stack.tool("jobs", "--once")
        assert status(stack)["files"] == 0 and all(copy_of(stack, m) for m in made)
        assert_whole(stack)
        # a damaged file never becomes a copy
        bad = stack.put(b"right bytes").json()
        damage(stack, bad, "rotten")
        stack.settings["JOBS_MAX_FAILURES"] = "1"
        stack.tool("jobs", "--once")
        assert copy_of(stack, bad) is None and "not what its row says" in stack.tool("jobs", "--failed", check=False).stdout
        assert json.loads(stack.tool("replicate", "--json").stdout)["queued"] == 0, "a dead letter is not written anew"
        all_done(stack)
        assert len(bucket(stack)) == 5
    finally:
        stack.stop()
        world.stacks.remove(stack)


# --- reading -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("delivery", ["proxy", "redirect", "stream"])
@pytest.mark.parametrize("how", ["gone", "cut", "other"])
def test_a_damaged_file_is_served_right_and_repaired(hybrid, how, delivery):
    stack = hybrid.others[delivery]
    is_sliced = (how, delivery) == ("gone", "proxy")
    data = os.urandom(20 * MIB if is_sliced else 200_000)
    made = hybrid.put(data, "Überblick.bin").json()
    all_done(hybrid)
    whole = stack.get(made["url"])
    assert whole.body == data
    damage(hybrid, made, how)
    code, headers, body = fetch(stack, made["url"])
    assert code == 200 and body == data
    code, headers, body = fetch(stack, made["url"], Range="bytes=1000-1999")
    assert code == 206 and body == data[1000:2000]
    again = stack.get(made["url"], headers={"If-None-Match": whole.headers["ETag"]})
    assert again.status == 304 and again.headers["ETag"] == whole.headers["ETag"]
    if delivery != "redirect":
        code, headers, _ = fetch(stack, made["url"])
        for name in ("ETag", "Last-Modified", "Content-Type", "Content-Disposition", "Content-Length", "Cache-Control"):
            assert headers[name] == whole.headers[name], name
        head = stack.get(made["url"], method="HEAD")
        assert head.status == 200 and int(head.headers["Content-Length"]) == len(data)
    assert len(hybrid.sql("SELECT 1 FROM jobs WHERE kind = 'repair_object'")) == 1, "one job, however many read it"
    hybrid.tool("jobs", "--once")
    assert not hybrid.sql("SELECT 1 FROM jobs")
    assert file_of(hybrid, made).read_bytes() == data
    seen = len(stack.log())
    assert stack.get(made["url"]).body == data and "not_as_stored" not in stack.log()[seen:]
    assert not hybrid.left_overs()
    if is_sliced:  # not to be read by each scrub
        hybrid.call("DELETE", f"/api/attachments/{made['id']}")


def test_a_file_that_came_back_with_another_time_is_read_once_and_keeps_its_bytes(hybrid):
    made = hybrid.put(b"bytes of a backup").json()
    all_done(hybrid)
    path = file_of(hybrid, made)
    number = path.stat().st_ino
    os.utime(path)
    assert hybrid.get(made["url"]).body == b"bytes of a backup"
    hybrid.tool("jobs", "--once")
    assert path.stat().st_ino == number, "it was right, and nobody wrote it anew"
    seen = len(hybrid.log())
    assert hybrid.get(made["url"]).status == 200 and "not_as_stored" not in hybrid.log()[seen:]
    # a backup that keeps whole seconds is believed at once
    os.utime(path, ns=(0, path.stat().st_mtime_ns // 10**9 * 10**9))
    assert hybrid.get(made["url"]).status == 200 and "not_as_stored" not in hybrid.log()[seen:]


@pytest.mark.parametrize("mode", ["copy", "adopt"])
def test_files_of_an_old_application_have_copies_too_which_answer_their_old_addresses(new_stack, mode):
    stack = new_stack(start=False, stack={"s3": True, "jobs": False}, **HYBRID)
    root = Path(stack.settings["UPLOAD_STORAGE_PATH"]) / "old"
    root.mkdir(parents=True)
    own(root.parent)
    stack.settings.update(LEGACY_FALLBACK_PATH="/uploads/", LEGACY_FALLBACK_ROOT=str(root), LEGACY_FALLBACK_ACCESS="users")
    stack.start()
    app = legacy.LegacyApp(stack, 3, root=root)
    legacy.backfill(stack, app.mapping(mode=mode))
    assert (status(stack)["files"], status(stack)["not_queued_files"]) == (3, 0), "their wishes came with their rows"
    wait_until(lambda: all_done(stack), 30, "copies are made")
    for path, author, key in stack.sql("SELECT b.path, a.uploader_id, a.key FROM backfilled b JOIN attachments a"
                                       " ON a.id = b.attachment_id"):
        (root.parent / key).unlink()
        if mode == "copy":
            (root / path).unlink()
        answer = stack.get(legacy.STRIP + path, author)
        assert answer.status == 200 and hashlib.sha256(answer.body).hexdigest() == app.sha[path]
        wait_until(lambda: all_done(stack) and (root.parent / key).exists(), 20, "it is repaired", every=0.2)


def test_files_that_come_back_to_the_disk_get_copies(new_stack):
    away = new_stack(STORAGE="s3", stack={"s3": True, "jobs": False})
    made = [away.upload(b"moves %d" % i) for i in range(3)]
    stack = new_stack(stack={"like": away, "jobs": False}, **HYBRID)
    stack.tool("move", "--from", "s3", "--to", "local")
    assert (status(stack)["files"], status(stack)["not_queued_files"]) == (3, 0)
    wait_until(lambda: all_done(stack), 30, "copies are made")
    assert all(copy_of(stack, one) for one in made)
    assert {store for (store,) in stack.sql("SELECT store FROM attachments")} == {"local"}


def test_without_a_copy_a_lost_file_is_what_it_was(hybrid):
    made = hybrid.put(b"not copied yet").json()
    damage(hybrid, made, "gone")
    assert hybrid.get(made["url"]).status == 404
    assert hybrid.get("/readyz", None).status == 200
    hybrid.call("DELETE", f"/api/attachments/{made['id']}")
    hybrid.sql("DELETE FROM jobs WHERE kind = 'copy_object' AND payload->>'id' = %s", made["id"])
    all_done(hybrid)


# --- scrub -------------------------------------------------------------------------------------------------------------

def scrub(stack, *words):
    """Exit code, findings, summary."""
    done = stack.tool("scrub", "--json", *words, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines, done.stderr
    return done.returncode, lines[:-1], lines[-1]


def test_scrub_finds_what_no_reader_sees_and_mends_either_side(hybrid):
    all_done(hybrid)
    rotten, lost, bad_copy, lost_copy, both = made = [hybrid.put(os.urandom(50_000)).json() for _ in range(5)]
    all_done(hybrid)
    right = {m["id"]: hybrid.get(m["url"]).body for m in made}
    damage(hybrid, rotten, "rotten")
    damage(hybrid, lost, "gone")
    put_object(hybrid, copy_of(hybrid, bad_copy), b"x" * 50_000)
    hybrid.s3.delete_object(Bucket=hybrid.settings["S3_BUCKET"], Key=copy_of(hybrid, lost_copy))
    damage(hybrid, both, "cut")
    put_object(hybrid, copy_of(hybrid, both), b"other")

    code, found, summary = scrub(hybrid, "--dry-run")
    assert code == 1 and len(found) == 6
    assert (summary["would_repair"], summary["would_queue"], summary["broken"]) == (2, 2, 1)
    assert not file_of(hybrid, lost).exists() and not hybrid.sql("SELECT 1 FROM jobs"), "a rehearsal changes nothing"

    code, found, summary = scrub(hybrid)
    assert code == 1 and (summary["repaired"], summary["queued"], summary["broken"]) == (2, 2, 1)
    told = {(f["id"], f["what"]): (f["problem"], f["done"]) for f in found}
    assert told == {(rotten["id"], "file"): ("damaged", "repaired from its copy"),
                    (lost["id"], "file"): ("missing", "repaired from its copy"),
                    (bad_copy["id"], "copy"): ("damaged", "queued to be copied anew"),
                    (lost_copy["id"], "copy"): ("missing", "queued to be copied anew"),
                    (both["id"], "file"): ("damaged", "not mended"), (both["id"], "copy"): ("damaged", "not mended")}
    assert status(hybrid)["files"] == 2
    hybrid.tool("jobs", "--once")
    hybrid.call("DELETE", f"/api/attachments/{both['id']}")
    all_done(hybrid)
    assert_whole(hybrid)
    assert scrub(hybrid)[0] == 0
    for m in made[:4]:
        assert hybrid.get(m["url"]).body == right[m["id"]]
    assert not hybrid.sql("SELECT 1 FROM copies WHERE verified_at IS NULL")


def test_a_scrub_keeps_its_rate_and_goes_on_after_a_kill(hybrid):
    for _ in range(12):
        hybrid.put(os.urandom(MIB))
    all_done(hybrid)
    all_bytes = 2 * int(hybrid.sql("SELECT sum(size_bytes) FROM attachments")[0][0])
    assert scrub(hybrid, "--rate", "0")[2]["bytes"] == all_bytes
    rate = all_bytes // 40
    begin = time.monotonic()
    run = Process([hybrid.app / "bin/cloakroom", "scrub", "--rate", str(rate)], hybrid.env, hybrid.dir / "log/scrub.log")
    wait_until(lambda: hybrid.sql("SELECT 1 FROM scrubs WHERE finished_at IS NULL"
                                  " AND after > '00000000-0000-0000-0000-000000000000'"), 30, "some files are read")
    read = int(hybrid.sql("SELECT totals->>'bytes' FROM scrubs")[0][0])
    assert 0 < read <= rate * (time.monotonic() - begin) + 3 * MIB, "a file is paid for after it was read"
    second = hybrid.tool("scrub", check=False)
    assert second.returncode == 75 and "scrub" in second.stderr, "one runs at a time"
    run.stop(signal.SIGKILL)
    wait_until(lambda: scrub_is_free(hybrid), 5, "PostgreSQL notices that it is gone")
    code, _, summary = scrub(hybrid, "--rate", "0")
    assert code == 0 and summary["resumed"] and summary["finished"] and summary["bytes"] == all_bytes


def scrub_is_free(stack):
    return not stack.sql("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND database ="
                         " (SELECT oid FROM pg_database WHERE datname = current_database())")


def test_a_lost_disk_comes_back_from_the_copies(hybrid):
    data = {m["id"]: (m, d) for d in (os.urandom(n * 10_000) for n in range(1, 20)) for m in [hybrid.put(d).json()]}
    all_done(hybrid)
    root = Path(hybrid.settings["UPLOAD_STORAGE_PATH"])
    for path in root.rglob("*"):
        if path.is_file() and path.relative_to(root).parts[0] not in (".tmp", ".body"):
            path.unlink()
    for m, d in data.values():
        assert hybrid.get(m["url"]).body == d
    code, _, summary = scrub(hybrid)
    assert code == 0 and summary["repaired"] >= 19
    all_done(hybrid)
    assert_whole(hybrid)


# --- outages and kills -------------------------------------------------------------------------------------------------

@pytest.mark.alone
def test_while_the_store_is_down_uploads_are_unaffected_and_the_gap_drains_afterwards(world, ceph):
    stack = world.stack({**HYBRID, "WORKERS": "4"}, s3=True).start()
    seconds = 60 if SOAK else 6
    stop, times, gaps = threading.Event(), [], []

    def load():
        while not stop.is_set():
            answer, took = timed(lambda: stack.put(os.urandom(20_000)))
            assert answer.status == 201, str(answer)
            times.append((time.monotonic(), took))
            time.sleep(0.05)

    def median(begin, end):
        spent = sorted(took for at, took in times if begin < at < end)
        return spent[len(spent) // 2], spent[-1], len(spent)
    try:
        wait_until(lambda: stack.put(b"warm").status == 201 and status(stack)["files"] == 0, 20, "copies work")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            loads = [pool.submit(load) for _ in range(4)]
            begin = time.monotonic()
            time.sleep(seconds / 2)
            with Down(ceph):
                down = time.monotonic()
                while time.monotonic() < down + seconds:
                    time.sleep(seconds / 6)
                    gaps.append((status(stack)["files"], metrics(stack)["cloakroom_copies_wanted_files"]))
                up = time.monotonic()
            stop.set()
            for one in loads:
                one.result()
        before, during = median(begin, down), median(down, up)
        print(f"uploads: before {before}, during {during} (median s, worst s, number); gaps {gaps}")
        assert during[0] < 3 * before[0] + 0.05 and during[1] < 3, "an upload never waits for its copy"
        assert gaps[-1][0] > gaps[0][0] and gaps[-1][1] > gaps[0][1], "the gap grows in status and in metrics"
        assert stack.get("/readyz", None).status == 200
        wait_until(lambda: status(stack)["files"] == 0, 150, "the gap drains", every=0.5)
        assert metrics(stack)["cloakroom_copies_wanted_files"] == 0

        def nothing_is_planned():  # now, not after the hours of a repeated failure, or of a copy whose end nobody knows
            stack.sql("UPDATE jobs SET run_at = now(); UPDATE deletion_tickets SET due_at = now();"
                      " SELECT pg_notify('cloakroom_jobs', '')")
            return not stack.planned()
        wait_until(nothing_is_planned, 60, "what was stored in vain is deleted", every=1)
        assert_whole(stack)
    finally:
        stop.set()
        stack.stop()
        world.stacks.remove(stack)
