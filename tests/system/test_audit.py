"""test_audit.py — rows against stored objects: each kind of damage is planted, found, and mended where that is safe; usage."""
import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest

import listing_store
from conftest import SOAK
from listing_store import ListingStore
from processes import as_user, own, wait_until
from test_variants import picture, url_of

ROWS = 1_000_000 if SOAK else 50_000
MOST_KIB = 64 * 1024
ORPHAN = "ab/" + "0" * 30 + "ab"


def audit(stack, *words, code=None):
    """The findings by problem, and the summary, of a run that ends with `code`."""
    done = stack.tool("audit", "--json", *words, check=False)
    assert done.returncode == (code or 0), (done.returncode, done.stdout, done.stderr)
    *findings, summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert summary["problems"] == len(findings)
    return findings, summary


def told(findings):
    return sorted((f["problem"], f["key"]) for f in findings)


class Bytes:
    """Writes to a store behind cloakroom's back."""

    def __init__(self, stack):
        self.stack, self.root = stack, Path(stack.settings["UPLOAD_STORAGE_PATH"])
        self.on_s3 = stack.settings.get("STORAGE") == "s3"

    def put(self, key, data):
        if self.on_s3:
            self.stack.s3.put_object(Bucket=self.stack.settings["S3_BUCKET"], Key=key, Body=data)
            return
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        own(path)

    def remove(self, key):
        if self.on_s3:
            self.stack.s3.delete_object(Bucket=self.stack.settings["S3_BUCKET"], Key=key)
        else:
            (self.root / key).unlink()


@pytest.fixture(params=["local", "s3"])
def damaged(world, request):
    """No runner: what is queued stays queued until a test runs it."""
    if request.param == "s3":
        return world.stack(s3=True, images=True, jobs=False).start()
    return world.stack(images=True, jobs=False).start()


def test_each_kind_of_damage_is_found_and_the_safe_ones_are_mended(damaged):
    stack, store = damaged, Bytes(damaged)
    whole, gone, short, changed = (stack.upload(b"bytes of %d" % i) for i in range(4))
    shown = stack.upload(picture(), "a.jpg")
    assert stack.get(url_of(shown)).status == 200
    assert audit(stack, "--hash")[1]["problems"] == 0
    [(preview,)] = stack.sql("SELECT key FROM variants")
    keys = {name: stack.key_of(made) for name, made in
            (("gone", gone), ("short", short), ("changed", changed), ("whole", whole))}
    store.remove(keys["gone"])
    store.put(keys["short"], b"byte")
    store.put(keys["changed"], b"BYTES of 3")
    store.remove(preview)
    store.put(ORPHAN, b"nobody's")
    store.put("photos/of-somebody-else.jpg", b"not ours")
    now = ("--older-than", "0")
    if store.on_s3:
        time.sleep(1.1)  # the store tells times in seconds

    damage = {("row without bytes", keys["gone"]), ("wrong size", keys["short"]), ("variant without bytes", preview),
              ("bytes without row", ORPHAN)}
    findings, summary = audit(stack, *now, code=1)
    assert set(told(findings)) == damage
    assert (summary["foreign"], summary["rows"], summary["finished"]) == (1, 6, True)
    by_problem = {f["problem"]: f for f in findings}
    assert by_problem["row without bytes"]["id"] == gone["id"]
    assert (by_problem["wrong size"]["expected_bytes"], by_problem["wrong size"]["found_bytes"]) == (10, 4)
    assert all(f["remedy"] and "done" not in f for f in findings)
    assert set(told(audit(stack, *now, "--hash", "--rate", "50M", code=1)[0])) == damage | {("wrong hash", keys["changed"])}
    assert audit(stack, code=1)[1]["young"] == 1, "what was stored just now may belong to an upload under way"

    if not store.on_s3:
        kept = store.root / stack.key_of(whole)
        kept.chmod(0)
        assert ("unreadable", stack.key_of(whole)) in told(audit(stack, "--hash", code=1)[0])
        kept.chmod(0o600)

    # --fix: rehearsed first
    before = stack.snapshot(), stack.planned()
    rehearsed, summary = audit(stack, *now, "--fix", "--dry-run", code=1)
    assert set(told(rehearsed)) == damage and summary["would_mend"] == 2
    assert (stack.snapshot(), stack.planned()) == before
    mended, summary = audit(stack, *now, "--fix", code=1)
    assert {f["problem"]: f["done"] for f in mended if "done" in f} == {
        "bytes without row": "queued for deletion", "variant without bytes": "row removed"}
    assert summary["mended"] == 2 and ORPHAN in stack.planned() and ORPHAN in stack.objects()
    left = {("row without bytes", keys["gone"]), ("wrong size", keys["short"])}
    assert set(told(audit(stack, *now, code=1)[0])) == left
    stack.tool("jobs", "--once")
    assert ORPHAN not in stack.objects() and "photos/of-somebody-else.jpg" in stack.objects()
    assert stack.get(url_of(shown)).status == 200, "the preview is made again"
    # the rest is mended by hand, as it is told
    store.put(keys["gone"], b"bytes of 1")
    store.put(keys["short"], b"bytes of 2")
    store.put(keys["changed"], b"bytes of 3")
    assert audit(stack, *now, "--hash")[0] == []
    assert stack.get(whole["url"]).body == b"bytes of 0"


def test_a_preview_without_its_original_is_found(world):
    stack = world.stack(images=True, jobs=False).start()
    shown = stack.upload(picture(), "a.jpg")
    assert stack.get(url_of(shown)).status == 200
    [(preview,)] = stack.sql("SELECT key FROM variants")
    stack.sql("BEGIN; SET LOCAL session_replication_role = replica; DELETE FROM attachments; COMMIT")
    findings, _ = audit(stack, "--older-than", "0", code=1)
    assert ("variant without original", preview) in told(findings)
    assert ("bytes without row", preview) not in told(findings)


def test_words_for_people(world):
    stack = world.stack(jobs=False).start()
    assert "no problem" in stack.tool("audit").stdout
    gone = stack.upload(b"gone")
    Bytes(stack).remove(stack.key_of(gone))
    done = stack.tool("audit", check=False)
    assert done.returncode == 1
    assert done.stdout.startswith(f"row without bytes: local {stack.key_of(gone)}, attachment {gone['id']}\n    ")
    assert "put the object back" in done.stdout
    assert "1 rows, 0 objects: 1 problems" in done.stdout
    for words in (["--rate", "5M"], ["--store", "tape"], ["--limit", "3"]):
        assert stack.tool("audit", *words, check=False).returncode == 2
    assert stack.tool("audit", "--store", "s3", check=False).returncode == 78
    assert "cannot open" in world.stack({"UPLOAD_STORAGE_PATH": str(stack.dir / "none")}, like=stack).tool(
        "audit", check=False).stderr


def test_files_that_come_and_go_meanwhile_are_no_findings(local):
    """The job runner is at work, too."""
    seen = []
    for _ in range(6):
        run = subprocess.Popen(as_user([local.app / "bin/cloakroom", "audit", "--json", "--hash", "--older-than", "0",
                                        "--store", "local"]), env=local.env, stdout=subprocess.PIPE, text=True, cwd="/")
        while run.poll() is None:
            made = local.upload(b"short of life")
            local.call("DELETE", "/api/attachments/" + made["id"])
        seen += [json.loads(line) for line in run.stdout.read().splitlines()]
        assert run.returncode == 0, seen
    assert all("problem" not in line for line in seen)


def test_the_second_of_two_is_told_who_is_at_work(world):
    with ListingStore(2000) as many:
        stack = world.stack({**many.settings, "NODE_NAME": "node7"}, jobs=False)
        stack.tool("migrate")
        subprocess.run(["kill", "-STOP", str(many.process.pid)], check=True)
        first = subprocess.Popen(as_user([stack.app / "bin/cloakroom", "audit", "--json", "--store", "s3"]),
                                 env=stack.env, stdout=subprocess.PIPE, text=True, cwd="/")
        try:
            held = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'cloakroom audit, node7%'"
            wait_until(lambda: stack.sql(held)[0][0] == 1, 20, "the first one has the lock")
            second = stack.tool("audit", check=False)
            assert second.returncode == 75
            assert f"cloakroom audit is at work already: cloakroom audit, node7, pid {first.pid}, since 20" in second.stderr
        finally:
            subprocess.run(["kill", "-CONT", str(many.process.pid)], check=True)
        first.communicate(timeout=60)
        assert first.returncode == 1  # there are no rows
        assert stack.tool("audit", "--json", "--store", "s3", check=False).returncode == 1


def test_a_terminal_gets_a_bar_and_nobody_else(world):
    stack = world.stack(jobs=False).start()
    stack.upload(b"x" * 3000)
    words = as_user([stack.app / "bin/cloakroom", "audit", "--hash", "--rate", "3K"])
    ours, theirs = pty.openpty()
    subprocess.run(words, env=stack.env, stdout=subprocess.DEVNULL, stderr=theirs, check=True, cwd="/")
    os.close(theirs)
    seen = os.read(ours, 65536).decode()
    os.close(ours)
    assert "\r[" + "#" * 30 + "] 1 of 1 local rows, " in seen
    assert subprocess.run(words, env=stack.env, capture_output=True, check=True, cwd="/").stderr == b""


def test_a_stop_is_heard_and_said(world):
    stack = world.stack(jobs=False).start()
    stack.upload(b"x" * 300_000)
    stack.upload(b"y" * 300_000)
    run = subprocess.Popen(as_user([stack.app / "bin/cloakroom", "audit", "--json", "--hash", "--rate", "10K"]),
                           env=stack.env, stdout=subprocess.PIPE, text=True, cwd="/")
    time.sleep(1)
    run.send_signal(signal.SIGTERM)
    out, _ = run.communicate(timeout=10)
    assert run.returncode == 75 and json.loads(out)["finished"] is False


def test_a_large_store_takes_little_memory(world, record_property):
    """50,000 rows and objects; a million with SOAK=1."""
    missing, resized = [listing_store.key(i) for i in (7, ROWS // 2)], [listing_store.key(11)]
    extra = ["ff/" + "1" * 30 + "ff", "zz-of-somebody-else"]
    with ListingStore(ROWS, missing, extra, resized) as many:
        stack = world.stack(many.settings, jobs=False)
        stack.tool("migrate")
        stack.sql(listing_store.ROWS, ROWS)
        began = time.monotonic()
        run = subprocess.run(as_user(["/usr/bin/python3", "-c", MEASURED, stack.app / "bin/cloakroom", "audit", "--json",
                                      "--store", "s3"]), env=stack.env, capture_output=True, text=True, cwd="/")
        seconds = time.monotonic() - began
    *findings, summary = [json.loads(line) for line in run.stdout.splitlines()]
    peak = int(run.stderr.splitlines()[-1])
    print(f"\naudit of {ROWS} rows and objects: {seconds:.1f} s, peak {peak // 1024} MiB")
    assert told(findings) == sorted([("row without bytes", k) for k in missing] + [("bytes without row", extra[0])] +
                                    [("wrong size", resized[0])])
    assert (summary["rows"], summary["objects"], summary["foreign"]) == (ROWS, ROWS, 1)
    assert peak < MOST_KIB


MEASURED = """import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)"""


# --- usage ------------------------------------------------------------------------------------------------------------

def test_usage_is_a_table_and_json(world):
    stack = world.stack(jobs=False).start()
    for user, data in (("alice", b"x" * 2048), ("alice", b"y" * 1024), ("bob", b"z")):
        stack.upload(data, user=user)
    lines = stack.tool("usage", "--by", "user").stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["user", "files", "bytes", "previews", "bytes"], ["alice", "2", "3.0", "KiB", "0", "0", "B"],
        ["bob", "1", "1", "B", "0", "0", "B"], ["total", "3", "3.0", "KiB", "0", "0", "B"]]
    told = json.loads(stack.tool("usage", "--by", "user", "--top", "1", "--json").stdout)
    none = {"previews": 0, "preview_bytes": 0, "copies": 0, "copy_bytes": 0}
    assert told == {"by": "user", "groups": [{"name": "alice", "files": 2, "bytes": 3072, **none}],
                    "rest": {"files": 1, "bytes": 1, **none}, "total": {"files": 3, "bytes": 3073, **none}}
    stack.sql("UPDATE attachments SET uploader_id = E'\\x1b[2J' WHERE uploader_id = 'bob'")
    assert "\x1b" not in stack.tool("usage", "--by", "user").stdout
    for word in ("dialog", "type", "store", "month"):
        assert json.loads(stack.tool("usage", "--by", word, "--json").stdout)["total"]["files"] == 3
    assert stack.tool("usage", "--by", "day", check=False).returncode == 2


def test_files_that_live_elsewhere_are_counted_and_take_no_room(world):
    stack = world.stack(jobs=False).start()
    stack.upload(b"x" * 100)
    for user in ("alice", "carol"):
        answer = stack.register("https://media.example.com/a.png", uploader_id=user)
        assert answer.status == 201, str(answer)
    none = {"previews": 0, "preview_bytes": 0, "copies": 0, "copy_bytes": 0}
    groups = {by: [(g["name"], g["files"], g["bytes"]) for g in
                   json.loads(stack.tool("usage", "--by", by, "--json").stdout)["groups"]]
              for by in ("store", "type", "user", "dialog", "month")}
    assert groups["store"] == [("local", 1, 100), ("external", 2, 0)]
    assert groups["user"] == [("alice", 2, 100), ("carol", 1, 0)]
    assert groups["type"][0][1:] == (1, 100) and groups["type"][1] == ("image/png", 2, 0)
    assert groups["dialog"] == [(None, 3, 100)] and [g[1:] for g in groups["month"]] == [(3, 100)]
    told = json.loads(stack.tool("usage", "--by", "store", "--top", "1", "--json").stdout)
    assert told["rest"] == {"files": 2, "bytes": 0, **none} and told["total"] == {"files": 3, "bytes": 100, **none}
    assert stack.tool("usage").stdout.splitlines()[2].split() == ["external", "2", "0", "B", "0", "0", "B"]
    # an audit looks at what is here
    findings, summary = audit(stack, "--hash", "--older-than", "0")
    assert findings == [] and (summary["rows"], summary["objects"]) == (1, 1)
    done = stack.tool("audit", "--fix", "--older-than", "0")
    assert "1 rows, 1 objects: no problem" in done.stdout
    assert stack.sql("SELECT count(*) FROM attachments")[0][0] == 3 and not stack.planned()
