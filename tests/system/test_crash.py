"""test_crash.py — each command that changes something, killed with -9 at any moment, on the disk, on Ceph and on both.

2,000 files and 50 kills of each with SOAK=1. After the kills a last run, and then: no row without its bytes, no bytes
without a row or a tombstone, every file read back with its hash."""
import json
import random
from pathlib import Path

import pytest

from crash import FILES, KILLS, assert_nothing_lost, fill, fill_both, killed_runs
from processes import own

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

    def end_leases(self):
        self.stack.sql("UPDATE jobs SET locked_until = NULL, locked_by = NULL")

    def do_all_jobs(self):
        self.end_leases()
        self.stack.sql("UPDATE jobs SET run_at = now()")
        self.stack.tool("jobs", "--once")
        assert not self.stack.sql("SELECT kind, last_error FROM jobs UNION ALL SELECT kind, last_error FROM dead_jobs")


def ids(files):
    return [one["id"] for one in files]


@pytest.fixture(params=["local", "s3", "both"])
def crowd(request, new_stack):
    return Crowd(request.param, new_stack)


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
        crowd.end_leases()  # as if they were over
        stack.assert_whole(hashes=False)
        stack.sql("UPDATE jobs SET run_at = now() WHERE id IN (SELECT id FROM jobs ORDER BY random() LIMIT %s)", share)

    stack.sql("UPDATE jobs SET run_at = now() + interval '1 hour'; UPDATE deletion_tickets SET due_at = now() + interval '1 hour'")
    after_jobs()
    done = killed_runs(stack, ["jobs", "--once"], after=after_jobs)
    assert done.hits == KILLS
    stack.sql("UPDATE deletion_tickets SET due_at = now()")
    crowd.do_all_jobs()
    assert stack.sql("SELECT count(*) FROM tombstones") == [(0,)]
    in_rows = {place for (place,) in stack.sql("SELECT store || '/' || key FROM attachments")}
    assert set(stack.stored()) == in_rows and not any("/.kept/" in place for place in in_rows)
    counted = assert_nothing_lost(stack, crowd.files, may_be_gone=True)
    assert counted == {"read": KEPT_FILES + len(back), "buried": 0, "gone": len(crowd.stale) - len(back)}
    assert json.loads(stack.tool("audit", "--json", "--hash", "--older-than", "0").stdout)["problems"] == 0


def test_audit_fix_queues_each_orphan_once_wherever_it_is_killed(crowd):
    stack = crowd.stack
    orphans = crowd.put(FILES // 2)
    # previews whose objects are lost
    lost = [(one["id"], one["id"].replace("-", "")[:2] + "/" + one["id"].replace("-", "")) for one in crowd.stale[:FILES // 20]]

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
    last = stack.tool(*words)
    assert json.loads(last.stdout.splitlines()[-1])["finished"] is True
    assert sorted(place for place in queued() if place not in previews) == sorted(orphans)
    assert stack.sql("SELECT count(*) FROM variants") == [(0,)]
    crowd.do_all_jobs()
    assert not set(stack.stored()) & set(orphans)
    assert assert_nothing_lost(stack, crowd.files)["read"] == len(crowd.files)
