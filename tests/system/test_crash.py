"""test_crash.py — each command that changes something, killed with -9 at any moment, on the disk, on Ceph and on both.

2,000 files and 50 kills of each with SOAK=1. After the kills a last run, and then: no row without its bytes, no bytes
without a row or a tombstone, every file read back with its hash."""
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from crash import FILES, KILLS, assert_nothing_lost, end_leases, fill, fill_both, killed_runs
from conftest import SOAK
from processes import as_user, own, wait_until
from test_variants import picture

KEPT_FILES = 20  # young ones, that no clean-up may touch


class Crowd:
    """A stack without a runner, and its files."""

    def __init__(self, where, new_stack):
        self.where = where
        if where == "both":
            self.stack, self.files = fill_both(new_stack, FILES)
        else:
            self.stack = new_stack(stack={"s3": where == "s3", "jobs": False})
            self.files = fill(self.stack, FILES)
        self.young, self.stale = self.files[:KEPT_FILES], self.files[KEPT_FILES:]
        self.stack.sql("UPDATE attachments SET created_at = created_at - interval '8 days' WHERE id = ANY (%s::uuid[])",
                       ids(self.stale))
        self.places = set(self.stack.stored())

    def put(self, count):
        """Objects of nobody, in each of the stores: STORE/KEY."""
        stores = {"both": ("local", "s3")}.get(self.where, (self.where,))
        made = []
        for i in range(count):
            key = f"{i % 256:02x}/{random.randbytes(15).hex()}{i % 256:02x}"
            store = stores[i % len(stores)]
            if store == "s3":
                self.stack.s3.put_object(Bucket=self.stack.settings["S3_BUCKET"], Key=key, Body=b"nobody's")
            else:
                path = Path(self.stack.settings["UPLOAD_STORAGE_PATH"]) / key
                path.parent.mkdir(parents=True, exist_ok=True)
                own(path.parent)
                path.write_bytes(b"nobody's")
                own(path)
            made.append(f"{store}/{key}")
        return made

    def restore_all(self):
        self.stack.sql("SELECT cloakroom_restore(id) FROM tombstones ORDER BY id")

    def do_jobs(self, kinds="%"):
        for _ in range(3):  # a move leaves a job that removes what it moved from, some seconds later
            end_leases(self.stack)
            self.stack.sql("UPDATE jobs SET run_at = now() + CASE WHEN kind LIKE %s THEN '0 s' ELSE '1 day' END::interval", kinds)
            self.stack.tool("jobs", "--once")
            left = self.stack.sql("SELECT kind, last_error FROM jobs WHERE kind LIKE %s UNION ALL"
                                  " SELECT kind, last_error FROM dead_jobs", kinds)
            if not left:
                return
        assert not left, left


def ids(files):
    return [one["id"] for one in files]


@pytest.fixture(scope="module", params=["local", "s3", "both"])
def crowd(request, world):
    """Each test leaves all files of it as they were, but for the last."""
    made = []

    def new_stack(stack=None, **settings):
        made.append(world.stack(settings, **(stack or {})))
        return made[-1].start()

    yield Crowd(request.param, new_stack)
    for stack in made:
        stack.stop()
        world.stacks.remove(stack)


def test_audit_fix_queues_each_orphan_once_wherever_it_is_killed(crowd):
    stack = crowd.stack
    orphans = crowd.put(FILES // 2)
    # previews whose objects are lost
    lost = [(one["id"], f"lost/{one['id']}") for one in crowd.stale[:FILES // 20]]

    def lose_previews():
        stack.sql("INSERT INTO variants (attachment_id, name, format, mime_type, store, key, width, height, size_bytes,"
                  " sha256, created_at) SELECT id, 'thumb', 'webp', 'image/webp', %s, key, 1, 1, 1, sha256('x'), now()"
                  " FROM unnest(%s::uuid[], %s::text[]) AS gone (id, key) ON CONFLICT DO NOTHING",
                  "local" if crowd.where == "local" else "s3", [id for id, _ in lost], [key for _, key in lost])

    def queued():
        return [place for (place,) in stack.sql("SELECT (payload->>'store') || '/' || (payload->>'key') FROM jobs"
                                                " WHERE kind = 'delete_object'")]

    previews = {f"{'local' if crowd.where == 'local' else 's3'}/{key}" for _, key in lost}

    def after():
        seen = [place for place in queued() if place not in previews]
        assert len(seen) == len(set(seen)) and set(seen) <= set(orphans), "each is queued once, and nothing else is"
        if len(seen) > len(orphans) // 2:
            stack.sql("DELETE FROM jobs WHERE kind = 'delete_object'")
        lose_previews()

    lose_previews()
    words = ["audit", "--fix", "--json", "--older-than", "0", "--limit", FILES]
    done = killed_runs(stack, words, after=after)
    assert done.hits == KILLS
    last = stack.tool(*words, check=False)
    assert last.returncode == 0, last.stdout + last.stderr
    assert json.loads(last.stdout.splitlines()[-1])["finished"] is True
    assert sorted(place for place in queued() if place not in previews) == sorted(orphans)
    assert stack.sql("SELECT count(*) FROM variants") == [(0,)]
    crowd.do_jobs("delete_object")
    assert not set(stack.stored()) & set(orphans)
    assert assert_nothing_lost(stack, crowd.files)["read"] == len(crowd.files)


def test_cleanup_restore_and_jobs_lose_nothing_wherever_they_are_killed(crowd):
    stack = crowd.stack
    orphans = crowd.put(FILES // 20)
    for place in orphans:
        stack.sql("INSERT INTO deletion_tickets (store, key, due_at) VALUES (%s, %s, now())", *place.split("/", 1))
    stored = crowd.places | set(orphans)

    def each_file_is_there_once():
        seen = [place for (place,) in stack.sql("SELECT store || '/' || key FROM attachments UNION ALL"
                                                " SELECT store || '/' || key FROM tombstone_objects")]
        assert sorted(seen) == sorted(crowd.places), "each file has a row or a tombstone, and none has both"
        waiting = [place for (place,) in stack.sql("SELECT store || '/' || key FROM deletion_tickets UNION ALL"
                                                   " SELECT (payload->>'store') || '/' || (payload->>'key') FROM jobs"
                                                   " WHERE kind = 'delete_object'")]
        assert sorted(waiting) == sorted(orphans), "what nobody needs is asked for once"

    def after_cleanup():
        each_file_is_there_once()
        [(left,)] = stack.sql("SELECT count(*) FROM attachments WHERE id = ANY (%s::uuid[])", ids(crowd.stale))
        if left < FILES // 2:
            crowd.restore_all()

    done = killed_runs(stack, ["cleanup", "--json", "--batch", max(5, FILES // 40)], after=after_cleanup)
    assert done.hits == KILLS
    stack.tool("cleanup")
    each_file_is_there_once()
    assert set(stack.stored()) == stored, "nothing is deleted before its time"
    assert {id for (id,) in stack.sql("SELECT id::text FROM attachments")} == set(ids(crowd.young))
    assert assert_nothing_lost(stack, crowd.files) == {"read": KEPT_FILES, "buried": len(crowd.stale), "gone": 0}

    back = random.sample(crowd.stale, len(crowd.stale) // 2)
    # some by the command, one at a time, each tried again until it worked; the rest as it does it
    by_command = ids(back[:KILLS])

    def next_one():
        [(one,)] = stack.sql("SELECT coalesce((SELECT id::text FROM tombstones WHERE id = ANY (%s::uuid[]) ORDER BY id LIMIT 1), '')",
                             by_command)
        if one:
            return ["restore", one]
        crowd.restore_all()
        stack.tool("cleanup")
        return ["restore", by_command[0]]

    done = killed_runs(stack, next_one, after=each_file_is_there_once)
    assert done.hits == KILLS
    stack.sql("SELECT cloakroom_restore(id) FROM tombstones WHERE id = ANY (%s::uuid[])", ids(back))
    assert {id for (id,) in stack.sql("SELECT id::text FROM attachments")} == set(ids(crowd.young + back))
    assert assert_nothing_lost(stack, crowd.files)["read"] == KEPT_FILES + len(back)

    # the jobs: tombstones are purged, orphans deleted, and what was kept aside is moved; a share is due at a time
    share = max(10, FILES // KILLS)

    def after_jobs():
        end_leases(stack)  # as if they were over
        stack.assert_whole(hashes=False)
        stack.sql("UPDATE jobs SET run_at = now() WHERE id IN (SELECT id FROM jobs ORDER BY random() LIMIT %s)", share)

    stack.sql("UPDATE jobs SET run_at = now() + interval '1 hour'; UPDATE deletion_tickets SET due_at = now() + interval '1 hour'")
    after_jobs()
    done = killed_runs(stack, ["jobs", "--once"], after=after_jobs)
    assert done.hits == KILLS
    stack.sql("UPDATE deletion_tickets SET due_at = now()")
    crowd.do_jobs()
    assert stack.sql("SELECT count(*) FROM tombstones") == [(0,)]
    in_rows = {place for (place,) in stack.sql("SELECT store || '/' || key FROM attachments")}
    assert set(stack.stored()) == in_rows and not any("/.kept/" in place for place in in_rows)
    counted = assert_nothing_lost(stack, crowd.files, may_be_gone=True)
    assert counted == {"read": KEPT_FILES + len(back), "buried": 0, "gone": len(crowd.stale) - len(back)}
    assert json.loads(stack.tool("audit", "--json", "--hash", "--older-than", "0").stdout)["problems"] == 0


# --- two nodes ---------------------------------------------------------------------------------------------------------

def second_node(new_stack, first):
    """Another host: of `first` it has the database, the bucket, and where there is none the disk."""
    node = new_stack(stack={"like": first, "jobs": False}, start=False, NODE_NAME="node2")
    node.settings.update({k: v for k, v in first.settings.items() if k.startswith(("IMAGE_", "VARIANTS"))})
    return node


def holds_lock(stack, command, node):
    return stack.sql("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND"
                     f" application_name LIKE 'cloakroom {command}, {node}, pid %%'") != []


class Rivals:
    """Runs of one command on two nodes at once; what those did that had the lock, and how many were refused."""

    def __init__(self, nodes, words):
        self.nodes, self.words, self.command = nodes, words, words[0]
        self.lines, self.refused, self.worked = [], 0, []

    def take(self, node, process):
        out, err = process.communicate(timeout=120)
        if process.returncode == 75:
            self.refused += 1
            assert f"cloakroom {self.command} is at work already: cloakroom {self.command}, node" in err, err
            assert not out, "who is refused has done nothing"
            return
        assert process.returncode in (0, 1), err
        self.worked.append(node)
        self.lines.append([json.loads(line) for line in out.splitlines()])

    def run_one_while_the_other_is_refused(self):
        """The first one is held as soon as it has the lock."""
        first, second = self.nodes
        process = self.begin(first)
        name = first.settings["NODE_NAME"]
        try:
            wait_until(lambda: holds_lock(first, self.command, name) or process.poll() is not None, 20, "it has the lock", every=0.001)
            os.killpg(process.pid, signal.SIGSTOP)
            assert holds_lock(first, self.command, name), "it was too quick"
            refused = second.tool(*self.words, check=False)
        finally:
            os.killpg(process.pid, signal.SIGCONT)
        assert refused.returncode == 75 and not refused.stdout
        assert f"cloakroom {self.command} is at work already: cloakroom {self.command}, {name}, pid {process.pid}, since 20" in refused.stderr
        self.refused += 1
        self.take(first, process)

    def run_both(self):
        """At the same moment."""
        processes = [(node, self.begin(node)) for node in random.sample(self.nodes, 2)]
        for node, process in processes:
            self.take(node, process)

    def begin(self, node):
        return subprocess.Popen(as_user([node.app / "bin/cloakroom", *self.words]), env=node.env, cwd="/", text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def test_of_two_nodes_one_works_and_no_file_is_handled_twice(new_stack):
    first = new_stack(stack={"s3": True, "jobs": False}, NODE_NAME="node1")
    nodes = [first, second_node(new_stack, first)]
    stale = fill(first, FILES)
    first.sql("UPDATE attachments SET created_at = created_at - interval '8 days'")
    cleaning = Rivals(nodes, ["cleanup", "--json", "--batch", 5, "--limit", FILES // 3 + 1])
    cleaning.run_one_while_the_other_is_refused()
    while len(cleaning.worked) < 6:  # three runs have all of it
        cleaning.run_both()
    removed = [line["id"] for lines in cleaning.lines for line in lines if line["what"] == "removed"]
    assert sorted(removed) == sorted(ids(stale)), "each by one run"
    assert sum(lines[-1]["removed"] for lines in cleaning.lines) == FILES
    assert first.sql("SELECT count(*), count(DISTINCT id) FROM tombstones") == [(FILES, FILES)]

    orphans = [f"{i % 256:02x}/{random.randbytes(15).hex()}{i % 256:02x}" for i in range(FILES // 3)]
    for key in orphans:
        first.s3.put_object(Bucket=first.settings["S3_BUCKET"], Key=key, Body=b"nobody's")
    time.sleep(1.1)  # the store tells times in seconds
    auditing = Rivals(nodes, ["audit", "--fix", "--json", "--older-than", "0", "--store", "s3", "--limit", len(orphans) // 3 + 1])
    auditing.run_one_while_the_other_is_refused()
    while len(auditing.worked) < 6:
        auditing.run_both()
    mended = [line["key"] for lines in auditing.lines for line in lines if line.get("done") == "queued for deletion"]
    assert sorted(mended) == sorted(orphans), "each by one run"
    assert first.sql("SELECT count(*) FROM jobs WHERE kind = 'delete_object'") == [(len(orphans),)]
    print(f"\n{FILES} files, {len(orphans)} orphans: {cleaning.refused + auditing.refused} runs were refused, "
          f"{len(cleaning.worked) + len(auditing.worked)} worked")


def test_previews_are_rebuilt_by_one_of_two_nodes_and_whole_wherever_it_is_killed(new_stack):
    count = 40 if SOAK else 10
    first = new_stack(stack={"images": True, "jobs": False}, NODE_NAME="node1", VARIANTS="thumb:64")
    nodes = [first, second_node(new_stack, first)]
    files = [first.upload(picture(200 + i, 150), f"{i}.jpg") for i in range(count)]

    def every_row_has_its_bytes():
        first.assert_whole(hashes=False)
        stored = first.stored()
        for place, size in first.sql("SELECT store || '/' || key, size_bytes FROM variants"):
            assert stored.get(place) == size, place

    done = killed_runs(first, ["variants", "--rebuild", "--json"], after=every_row_has_its_bytes)
    assert done.hits == KILLS
    first.sql("DELETE FROM variants")
    rebuilding = Rivals(nodes, ["variants", "--rebuild", "--missing", "--json"])
    rebuilding.run_one_while_the_other_is_refused()
    for _ in range(3):
        rebuilding.run_both()
    made = [lines[-1]["made"] for lines in rebuilding.lines]
    assert sum(made) == first.sql("SELECT count(*) FROM variants")[0][0] >= count, made
    every_row_has_its_bytes()
    first.sql("UPDATE jobs SET run_at = now(); UPDATE deletion_tickets SET due_at = now()")
    first.tool("jobs", "--once")
    assert set(first.stored()) == {p for (p,) in first.sql("SELECT store || '/' || key FROM attachments UNION ALL"
                                                           " SELECT store || '/' || key FROM variants")}
    assert json.loads(first.tool("audit", "--json", "--hash", "--older-than", "0").stdout)["problems"] == 0
    assert assert_nothing_lost(first, files)["read"] == count
