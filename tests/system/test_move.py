"""test_move.py — move: from the disk to Ceph and back, under readers and uploads, killed anywhere, two at once."""
import hashlib
import json
import os
import random
import signal
import subprocess
import threading
import time
import uuid
from pathlib import Path

import pytest

from conftest import SOAK
from processes import Process, as_user, own, wait_until
from servers import connect

@pytest.fixture
def two_stores(new_stack, world):
    """Makes a stack that keeps new files on its disk and knows a bucket, too."""

    def make(**settings):
        s3 = {**world.s3_settings(f"move-{world.made + 1}"), "STORAGE": "local"}
        stack = new_stack(**{**s3, **settings})
        stack.s3 = world.ceph.client()
        stack.s3.create_bucket(Bucket=stack.settings["S3_BUCKET"])
        return stack

    return make


def bytes_of(number):
    size = (0, 1, 700, 5000, 30000)[number % 5]
    return random.Random(number).randbytes(size)


def seed(stack, count):
    """So many files on the disk with their rows, at once; id -> bytes."""
    root, made, lines = Path(stack.settings["UPLOAD_STORAGE_PATH"]), {}, []
    for number in range(count):
        data, name = bytes_of(number), uuid.uuid4()
        key = f"{name.hex[-2:]}/{name.hex}"
        if not (root / key).parent.exists():
            (root / key).parent.mkdir(mode=0o700)
            own((root / key).parent)
        (root / key).write_bytes(data)
        own(root / key)
        made[str(name)] = data
        lines.append((str(name), len(data), hashlib.sha256(data).digest(), key))
    connection = connect(stack.database)
    cursor = connection.cursor()
    cursor.executemany("INSERT INTO attachments (id, uploader_id, filename, mime_type, size_bytes, sha256, store, key, created_at)"
                       " VALUES (%s, 'alice', 'a.bin', 'application/octet-stream', %s, %s, 'local', %s, now())", lines)
    connection.close()
    return made


def move(stack, source, target, *words, check=True):
    """The report."""
    done = subprocess.run(as_user([stack.app / "bin/cloakroom", "move", "--from", source, "--to", target, "--json", *words]),
                          env=stack.env, capture_output=True, text=True, timeout=3600, cwd="/")
    assert not check or done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout)


def url_of(attachment_id):
    return f"/api/files/{attachment_id}/a.bin"


def stores(stack):
    """store -> {key: bytes length}"""
    return {"local": stack.objects(), "s3": {o["Key"]: o["Size"] for o in stack.bucket_list()}}


def rows(stack):
    """(store, key) -> (size, hex of the SHA-256), of files and previews."""
    return {(store, key): (size, bytes(sha).hex()) for store, key, size, sha in
            stack.sql("SELECT store, key, size_bytes, sha256 FROM attachments WHERE external_url IS NULL"
                      " UNION ALL SELECT store, key, size_bytes, sha256 FROM variants")}


def promised(stack):
    """(store, key) of what somebody will remove, or keeps for an undo."""
    return set(stack.sql("SELECT payload->>'store', payload->>'key' FROM jobs WHERE kind = 'delete_object'"
                         " UNION SELECT store, key FROM deletion_tickets UNION SELECT store, key FROM moved_sources"
                         " UNION SELECT store, key FROM tombstone_objects"))


def read(stack, store, key):
    if store == "s3":
        return stack.s3.get_object(Bucket=stack.settings["S3_BUCKET"], Key=key)["Body"].read()
    return (Path(stack.settings["UPLOAD_STORAGE_PATH"]) / key).read_bytes()


def assert_whole(stack):
    """Each row has its very bytes where it says, and nothing lies anywhere without a row or a promise."""
    for (store, key), (size, sha) in rows(stack).items():
        data = read(stack, store, key)
        assert (len(data), hashlib.sha256(data).hexdigest()) == (size, sha), (store, key)

    def lost():
        there = {(store, key) for store, objects in stores(stack).items() for key in objects}
        return there - promised(stack) - set(rows(stack))

    first = lost()
    assert not first or not first & lost(), f"nothing removes {first}"  # between two looks a promise may become a row


def end_grace(stack):
    stack.sql("UPDATE moved_sources SET remove_after = now(); SELECT pg_notify('cloakroom_jobs', '')")


def is_settled(stack):
    return not stack.sql("SELECT 1 FROM jobs UNION ALL SELECT 1 FROM moved_sources UNION ALL SELECT 1 FROM deletion_tickets")


def settle(stack):
    end_grace(stack)
    wait_until(lambda: is_settled(stack), 300 if SOAK else 60, "what the move left is removed")


def places(stack):
    return stack.sql("SELECT id, store, key FROM attachments ORDER BY id"), \
        stack.sql("SELECT attachment_id, name, format, store, key FROM variants ORDER BY 1, 2, 3")


def test_there_and_back_gives_the_starting_state(two_stores):
    stack = two_stores()
    big = random.Random(7).randbytes((80 if SOAK else 17) << 20)
    small, empty, large = stack.upload(b"small"), stack.upload(b""), stack.put(big).json()
    pest, buried, linked = stack.upload(b"pest"), stack.upload(b"buried"), stack.upload(b"linked", "Überblick 1.txt")
    assert stack.link("m1", linked["id"]).status == 200
    outside = stack.register("https://example.com/a.png").json()
    # a preview, without a program that makes it
    name = uuid.uuid4().hex
    preview = f"{name[-2:]}/{name}"  # as keys of ours are: others would not be kept
    path = Path(stack.settings["UPLOAD_STORAGE_PATH"]) / preview
    path.parent.mkdir(exist_ok=True)
    own(path.parent)
    path.write_bytes(b"preview")
    own(path)
    stack.sql("INSERT INTO variants VALUES (%s, 'thumb', 'webp', 'image/webp', 'local', %s, 8, 8, 7, sha256('preview'), now())",
              linked["id"], preview)
    stack.sql("UPDATE attachments SET status = 'quarantined' WHERE id = %s", pest["id"])
    stack.sql("UPDATE attachments SET created_at = now() - interval '9 days' WHERE id = %s", buried["id"])
    stack.tool("cleanup")
    before, on_disk = places(stack), stores(stack)["local"]

    said = stack.tool("move", "--from", "local", "--to", "s3", "--dry-run").stdout
    assert said.startswith("would move 5 files, ") and "1 previews, 7 bytes from local to s3" in said
    assert places(stack) == before and not stores(stack)["s3"]

    told = move(stack, "local", "s3")
    assert (told["files"], told["variants"], told["finished"], told["differences"]) == (5, 1, True, [])
    assert told["bytes"] == len(big) + 5 + 4 + 6 + 7 and told["left"]["files"] == 0
    assert [store for _, store, _ in places(stack)[0]].count("s3") == 5
    assert [key for _, _, key in places(stack)[0]] == [key for _, _, key in before[0]], "keys stay"
    assert stores(stack)["local"] == on_disk, "for those who are reading"
    for one, data in ((small, b"small"), (empty, b""), (large, big), (linked, b"linked")):
        assert stack.get(one["url"]).body == data
    assert stack.get(large["url"], headers={"Range": "bytes=100-199"}).body == big[100:200]
    assert stack.get(pest["url"]).status != 200
    info = stack.s3.head_object(Bucket=stack.settings["S3_BUCKET"], Key=stack.key_of(linked))
    assert info["ContentType"].startswith("text/plain") and "%C3%9C" in info["ContentDisposition"]
    status = json.loads(stack.tool("move", "--status", "--json").stdout)
    assert (status["stores"]["local"]["files"], status["stores"]["s3"]["files"]) == (0, 5)
    waiting, = status["waiting_for_removal"]
    assert (waiting["store"], waiting["objects"]) == ("local", 6)
    assert "6 objects that were moved away" in stack.tool("move", "--status").stdout
    assert move(stack, "local", "s3")["files"] == 0, "safe to repeat"
    assert json.loads(stack.tool("audit", "--json").stdout.splitlines()[-1])["problems"] == 0
    assert_whole(stack)

    # the undo finds its bytes where they were
    stack.tool("restore", buried["id"])
    assert stack.get(buried["url"]).body == b"buried"
    assert move(stack, "local", "s3")["files"] == 1
    settle(stack)
    assert not stores(stack)["local"]
    for one, data in ((small, b"small"), (large, big), (buried, b"buried")):
        assert stack.get(one["url"]).body == data
    cached = lambda: [p for p in (stack.dir / "nginx/cache").rglob("*") if p.is_file()]  # noqa: E731
    assert cached()

    told = move(stack, "s3", "local", "--verify", "size", "--parallel", "1")
    assert (told["files"], told["variants"], told["already_there"]) == (6, 1, 0)
    settle(stack)
    assert sorted(before[0] + [row for row in places(stack)[0] if str(row[0]) == buried["id"]]) == places(stack)[0]
    assert places(stack)[1] == before[1] and not stores(stack)["s3"]
    assert stores(stack)["local"] == on_disk
    wait_until(lambda: not cached(), 10, "what left the store leaves nginx's cache")
    for one, data in ((small, b"small"), (empty, b""), (large, big), (buried, b"buried")):
        assert stack.get(one["url"]).body == data
    assert stack.get(outside["url"], user="service").status == 302
    assert_whole(stack)


def test_a_way_back_at_once_has_the_old_objects_again(two_stores):
    stack = two_stores()
    made = seed(stack, 20)
    before = places(stack)
    gone, damaged = list(made)[2], list(made)[3]
    assert move(stack, "local", "s3")["files"] == 20
    # whoever deletes a file deletes both
    key = stack.key_of({"id": gone})
    assert stack.call("DELETE", f"/api/attachments/{gone}").status == 204
    wait_until(lambda: is_settled(stack) or not any(key in found for found in stores(stack).values()), 10, "both are gone")
    assert not any(key in found for found in stores(stack).values())
    path = Path(stack.settings["UPLOAD_STORAGE_PATH"]) / stack.key_of({"id": damaged})
    path.write_bytes(b"x" * len(made[damaged]))
    told = move(stack, "s3", "local")
    assert (told["files"], told["already_there"]) == (19, 18), "the damaged one is copied again"
    assert path.read_bytes() == made[damaged]
    assert places(stack)[0] == [row for row in before[0] if str(row[0]) != gone]
    assert stack.sql("SELECT DISTINCT store FROM moved_sources") == [("s3",)]
    settle(stack)
    assert not stores(stack)["s3"] and len(stores(stack)["local"]) == 19
    assert_whole(stack)


def test_it_stops_at_what_nobody_can_explain_and_says_what_it_cannot_do(two_stores):
    stack = two_stores()
    made = seed(stack, 12)
    bad = list(made)[4]
    path = Path(stack.settings["UPLOAD_STORAGE_PATH"]) / stack.key_of({"id": bad})
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b"?")
    stopped = stack.tool("move", "--from", "local", "--to", "s3", "--parallel", "1", check=False)
    assert stopped.returncode == 1 and f"stopped at attachment {bad}: the source has other bytes" in stopped.stdout
    assert path.name not in stopped.stdout + stopped.stderr, "no keys"
    assert stack.sql("SELECT store FROM attachments WHERE id = %s", bad) == [("local",)]
    path.unlink()
    told = move(stack, "local", "s3", check=False)
    assert told["differences"][0]["id"] == bad and "does not have the object" in told["differences"][0]["what"]
    path.write_bytes(good)
    own(path)
    assert move(stack, "local", "s3")["left"]["files"] == 0
    assert_whole(stack)

    # both stores must stay in the settings
    without = {name: value for name, value in stack.env.items() if not name.startswith("S3_")}
    done = subprocess.run(as_user([stack.app / "bin/cloakroom", "check", "--json"]), env=without, capture_output=True, text=True,
                          timeout=60, cwd="/")
    found = [one for one in json.loads(done.stdout)["checks"] if one["check"] == "database.stores"]
    assert done.returncode == 1 and "files in the store 's3'" in found[0]["text"]
    assert "database.stores" not in stack.tool("check", check=False).stdout

    def refused(code, *words):
        done = stack.tool("move", *words, check=False)
        assert done.returncode == code, done.stderr
        return done.stderr

    back = ("--from", "s3", "--to", "local")
    assert "the same store" in refused(78, "--from", "s3", "--to", "s3")
    assert "not a store" in refused(2, "--from", "s3", "--to", "moon")
    refused(2, "--from", "s3")
    assert "at least 10 s" in refused(78, "--from", "local", "--to", "s3", "--grace", "1s")
    assert "at least 3600 s" in refused(78, *back, "--grace", "59m")
    other = connect(stack.database)
    other.cursor().execute("SET application_name = 'cloakroom move, node7, pid 4711';"
                           " SELECT pg_advisory_lock(hashtextextended(current_schema() || '/command/move', 0))")
    assert "node7, pid 4711" in refused(75, *back)
    other.close()
    if os.geteuid() == 0:
        as_root = subprocess.run([stack.app / "bin/cloakroom", "move", *back], env=stack.env, capture_output=True, text=True,
                                 timeout=30)
        assert as_root.returncode == 78 and "UPLOAD_STORAGE_PATH belongs to" in as_root.stderr


class Clients:
    """Eight that read what there is, by turns through two workers, and upload to the second."""

    def __init__(self, old, new, made):
        self.stacks, self.made, self.failures = (old, new), dict(made), []
        self.reads = self.uploads = 0
        self.end = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(8)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        chance = random.Random(number)
        turn = 0
        while not self.end.is_set():
            turn += 1
            name = chance.choice(list(self.made))
            stack = self.stacks[turn % 2]
            try:
                answer = stack.get(url_of(name))
                if answer.status != 200 or answer.body != self.made[name]:
                    self.failures.append((name, answer.status, len(answer.body)))
                self.reads += 1
                if turn % 4 == 0:
                    data = chance.randbytes(chance.choice((1, 900, 20000)))
                    sent = self.stacks[1].put(data)
                    if sent.status == 201:
                        self.made[sent.json()["id"]] = data
                        self.uploads += 1
                    else:
                        self.failures.append(("upload", sent.status))
            except Exception as e:  # noqa: BLE001 a client that sees an error is a failure of the move
                self.failures.append(repr(e))

    def stop(self):
        self.end.set()
        for thread in self.threads:
            thread.join()


def test_nobody_notices_while_it_moves(two_stores, world):
    """The runbook: new files go to the new store, then the old ones follow, while eight clients read and upload."""
    count = 10000 if SOAK else 300
    old = two_stores(PRESIGN_EXPIRES=10)
    made = seed(old, count)
    before = places(old)[0]
    new = world.stack({"STORAGE": "s3"}, like=old)
    new.s3 = old.s3
    new.start()
    clients = Clients(old, new, made)
    try:
        told = move(old, "local", "s3", "--grace", "10s")
        assert (told["files"], told["left"]["files"]) == (count, 0)
        wait_until(lambda: not old.objects(), 120, "the sources are removed while they read on")
        assert not clients.failures, clients.failures[:5]
        reads_there = clients.reads
        clients.stacks = (old, old)
        move(old, "s3", "local", "--grace", "10s")
        told = move(old, "s3", "local", "--grace", "10s")  # and what was under way to the store
        assert told["left"]["files"] == 0
        assert clients.reads > reads_there > count // 10 and clients.uploads > 20
    finally:
        clients.stop()
        new.stop()
    assert not clients.failures, clients.failures[:5]
    settle(old)
    assert not stores(old)["s3"]
    now = {row[0]: row for row in places(old)[0]}
    assert all(now[row[0]] == row for row in before), "the starting state"
    assert_whole(old)
    print(f"{count} files there and back: {clients.reads} reads, {clients.uploads} uploads, none failed")


def test_killed_anywhere_it_loses_nothing(two_stores):
    """Some kills on the way there, as many on the way back, with a runner that removes what is due meanwhile."""
    count, kills = (2000, 50) if SOAK else (120, 8)
    stack = two_stores()
    made = seed(stack, count)
    before = places(stack)[0]
    chance = random.Random(os.environ.get("SEED", str(count)))
    runs = 0

    def start(*way):
        return Process([stack.app / "bin/cloakroom", "move", "--from", way[0], "--to", way[1], "--parallel", "2"], stack.env,
                       stack.dir / "log/move.log")

    for way in (("local", "s3"), ("s3", "local")):
        for number in range(kills // 2):
            began = time.monotonic()
            process = start(*way)
            time.sleep(chance.uniform(0.02, 1.5 if SOAK else 0.6))
            if process.running():
                os.kill(process.pid, signal.SIGKILL)
            process.wait()
            runs += 1
            if chance.random() < 0.5:  # some sources are due at once: some are being removed when the next run begins
                stack.sql("UPDATE moved_sources SET remove_after = now() WHERE hashtext(key) % 3 = 0;"
                          " SELECT pg_notify('cloakroom_jobs', '')")
            if chance.random() < 0.3:  # and it turns back half-way
                turned = start(*reversed(way))
                time.sleep(chance.uniform(0.02, 0.3))
                os.kill(turned.pid, signal.SIGKILL)
                turned.wait()
        # the lock of a killed run ends when PostgreSQL notices
        wait_until(lambda: start(*way).wait(600) == 0, 120, "a run to the end", every=0.5)
        assert_whole(stack)
        assert {store for _, store, _ in places(stack)[0]} == {way[1]}
    settle(stack)
    assert_whole(stack)
    assert not stores(stack)["s3"] and len(stores(stack)["local"]) == count
    assert [(i, s) for i, s, _ in places(stack)[0]] == [(i, s) for i, s, _ in before]
    for name in random.Random(1).sample(list(made), min(count, 60)):
        assert stack.get(url_of(name)).body == made[name]
    wait_until(lambda: not [p for p in stack.left_overs() if p.parent.name != ".tmp"], 5)
    print(f"{count} files there and back, {runs} runs killed: nothing lost, nothing left")


def test_two_at_once_on_two_nodes_one_works(two_stores):
    stack = two_stores(NODE_NAME="one")
    count = 2000 if SOAK else 100
    seed(stack, count)
    command = [stack.app / "bin/cloakroom", "move", "--from", "local", "--to", "s3", "--json"]
    first = Process(command, stack.env, stack.dir / "log/first.log")
    second = Process(command, {**stack.env, "NODE_NAME": "two"}, stack.dir / "log/second.log")
    codes = {"one": first.wait(300), "two": second.wait(300)}
    assert sorted(codes.values()) == [0, 75]
    worked, refused = (first, second) if codes["one"] == 0 else (second, first)
    assert json.loads(worked.text())["files"] == count
    holder = "one" if worked is first else "two"
    assert f"cloakroom move is at work already: cloakroom move, {holder}, pid {worked.pid}" in refused.text()
    assert stack.sql("SELECT count(*), count(DISTINCT key) FROM moved_sources") == [(count, count)]
    assert_whole(stack)


def test_the_rate_is_kept_by_all_together(two_stores):
    stack = two_stores()
    for number in range(6):
        stack.upload(random.Random(number).randbytes(500_000))
    process = Process([stack.app / "bin/cloakroom", "move", "--from", "local", "--to", "s3", "--rate", "50000"], stack.env,
                      stack.dir / "log/move.log")
    wait_until(lambda: stack.sql("SELECT 1 FROM deletion_tickets WHERE store = 's3'"), 20, "it is at work")
    assert process.stop(signal.SIGTERM) == 75 and "stopped before the end" in process.text()
    told = move(stack, "local", "s3", "--rate", "1500000", "--parallel", "3")
    assert told["bytes"] == 3_000_000 and 1700 <= told["ms"] <= 20000
    assert_whole(stack)
