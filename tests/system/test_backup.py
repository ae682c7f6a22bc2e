"""test_backup.py — the drill: a backup under load by the commands of docs/operations.md, restored in another cluster and store."""
import hashlib
import json
import os
import random
import re
import subprocess
import threading
import time

import pytest

from conftest import PROJECT
from processes import own, wait_until
from test_audit import audit
from test_quotas import assert_exact, used
from test_variants import made_lines, picture, url_of

ELSEWHERE = "https://media.example.com/a.png"
CLIENTS = 2


def documented(words):
    """The one block of commands in "Backup and restore" that has these words."""
    text = (PROJECT / "docs/operations.md").read_text()
    section = text[text.index("## Backup and restore"):text.index("## Audit\n")]
    [block] = [b for b in re.findall(r"^```\w+\n(.*?)^```", section, re.S | re.M) if words in b]
    return block


def run(words, stack, backup, code=(0,)):
    """Runs a documented block with the settings of a stack."""
    s = stack.settings
    env = {**stack.env, "PATH": f"{stack.app / 'bin'}:/usr/bin:/bin", "BACKUP": str(backup), "HOME": str(backup),
           "BACKUP_BUCKET": backup.name, "NO_PROXY": "*"}
    if "S3_BUCKET" in s:
        env.update(AWS_ACCESS_KEY_ID=s["S3_ACCESS_KEY_ID"], AWS_SECRET_ACCESS_KEY=s["S3_SECRET_ACCESS_KEY"],
                   AWS_DEFAULT_REGION="us-east-1")
    done = subprocess.run(["bash", "-uc", documented(words)], env=env, capture_output=True, text=True, timeout=120, cwd="/")
    assert done.returncode in code, (done.stdout, done.stderr)


def copy_store(stack, backup):
    if stack.settings.get("STORAGE") == "s3":
        run('"s3://$S3_BUCKET" "s3://$BACKUP_BUCKET"', stack, backup)
    else:
        run("rsync -a --exclude", stack, backup, code=(0, 24))


def restore_store(stack, backup):
    if stack.settings.get("STORAGE") == "s3":
        stack.s3.create_bucket(Bucket=stack.settings["S3_BUCKET"])
        run('"s3://$BACKUP_BUCKET" "s3://$S3_BUCKET"', stack, backup)
    else:
        run('rsync -a "$BACKUP/files/"', stack, backup)


class Client(threading.Thread):
    """Uploads, and deletes some of it again, until it is stopped."""

    def __init__(self, stack, user):
        super().__init__(daemon=True)
        self.stack, self.user, self.stopped, self.failed = stack, user, threading.Event(), None
        self.done = 0
        self.start()

    def run(self):
        mine = []
        try:
            while not self.stopped.is_set():
                mine.append(self.stack.upload(os.urandom(random.randrange(1, 20_000)), user=self.user))
                if len(mine) > 5:
                    gone = mine.pop(random.randrange(len(mine)))
                    answer = self.stack.call("DELETE", "/api/attachments/" + gone["id"], self.user)
                    assert answer.status == 204, str(answer)
                self.done += 1
        except BaseException as e:  # told by stop(), in the thread of the test
            self.failed = e

    def stop(self):
        self.stopped.set()
        self.join(30)
        assert self.failed is None, self.failed


def spend_transactions(stack, count=5000):
    """So that the numbers of this cluster are in the future of one that is new."""
    stack.sql("CREATE TEMP TABLE t (n int); DO $$ BEGIN FOR i IN 1.." + str(count) +
              " LOOP BEGIN INSERT INTO t VALUES (i); EXCEPTION WHEN others THEN NULL; END; END LOOP; END $$")


@pytest.mark.parametrize("where", ["local", "s3"])
def test_a_backup_under_load_is_whole_on_an_empty_machine(world, new_stack, own_postgres, where):
    stack = new_stack(stack={"s3": where == "s3", "images": True}, QUOTA_USER_BYTES="1G")
    backup = own(world.folder(f"backup-{where}"))
    if where == "s3":
        stack.s3.create_bucket(Bucket=backup.name)
    spend_transactions(stack)
    stack.members("d1", "alice", "bob")
    sent, shown = stack.upload(b"sent", dialog_id="d1"), stack.upload(picture(), "a.jpg")
    assert stack.link("m1", sent["id"], shown["id"], dialog_id="d1").status == 200
    large, infected = stack.upload(os.urandom(9 << 20), "large.bin"), stack.upload(b"evil")
    stack.upload(b"", "empty")
    stack.sql("UPDATE attachments SET status = 'quarantined' WHERE id = %s", infected["id"])
    there = stack.register(ELSEWHERE, uploader_id="alice", message_id="m2", dialog_id="d1").json()
    wait_until(lambda: stack.sql("SELECT 1 FROM variants WHERE attachment_id = %s", shown["id"]), 20, "its preview")
    assert stack.get(url_of(shown)).status == 200
    doomed = stack.upload(b"deleted between dump and copy")
    doomed_key = stack.key_of(doomed)

    clients = [Client(stack, f"client{i}") for i in range(CLIENTS)]
    try:
        wait_until(lambda: all(c.done > 20 or c.failed for c in clients), 60, "the clients are at work")
        stack.jobs.stop()
        before = sum(c.done for c in clients)
        run("pg_dump", stack, backup)
        assert stack.call("DELETE", "/api/attachments/" + doomed["id"]).status == 204
        late = stack.upload(b"uploaded between dump and copy")
        wait_until(lambda: sum(c.done for c in clients) > before + 20 or any(c.failed for c in clients), 60, "more of it")
        copy_store(stack, backup)
        late_key = stack.key_of(late)
        assert doomed_key in stack.planned() and doomed_key in stack.objects()
        stack.start_jobs()
        wait_until(lambda: doomed_key not in stack.objects(), 20, "the runner goes on")
    finally:
        for client in clients:
            client.stop()

    keep = {k: v for k, v in stack.settings.items() if k.startswith(("QUOTA_", "JWT_", "SERVICE_"))}
    restored = world.stack(keep, s3=where == "s3", database=own_postgres.new_database(), images=True, jobs=False)
    run("pg_restore", restored, backup)
    restore_store(restored, backup)
    in_the_future = "SELECT count(*) FROM cache_purges WHERE tx >= pg_snapshot_xmax(pg_current_snapshot())"
    assert (restored.sql(in_the_future)[0][0] > 0) == (where == "s3"), "the drill would not show it"
    kept = restored.sql("SELECT count(*) FROM cache_purges")
    if where == "local":
        assert own(restored.dir / "files").stat().st_mode & 0o777 == (stack.dir / "files").stat().st_mode & 0o777
    assert "nothing to do" in restored.tool("migrate").stdout
    assert restored.sql(in_the_future) == [(0,)] and restored.sql("SELECT count(*) FROM cache_purges") == kept

    try:
        # every row has its bytes; what came meanwhile is told of, and stays
        if where == "s3":
            time.sleep(1.1)  # the store tells times in seconds
        findings, summary = audit(restored, "--hash", "--older-than", "0", code=1)
        assert {f["problem"] for f in findings} == {"bytes without row"}
        assert late_key in {f["key"] for f in findings} and doomed_key not in {f["key"] for f in findings}
        assert summary["rows"] > 10 and summary["finished"]
        restored.start()
        rows = restored.sql("SELECT id::text, coalesce(uploader_id, 'service'), encode(sha256, 'hex'), external_url, status"
                            " FROM attachments")
        assert {sent["id"], shown["id"], large["id"], infected["id"], there["id"], doomed["id"]} < {row[0] for row in rows}
        assert late["id"] not in {row[0] for row in rows}
        for file_id, user, sha256, elsewhere, status in rows:
            answer = restored.get(f"/api/files/{file_id}/x", user)
            if elsewhere:
                assert (answer.status, answer.headers["Location"]) == (302, ELSEWHERE)
            elif status == "quarantined":
                assert answer.status == 404 and file_id == infected["id"]
            else:
                assert answer.status == 200 and hashlib.sha256(answer.body).hexdigest() == sha256, (file_id, str(answer))
        assert restored.get(large["url"]).headers["Content-Disposition"] == stack.get(large["url"]).headers["Content-Disposition"]
        if where == "s3":
            heads = [s.s3.head_object(Bucket=s.settings["S3_BUCKET"], Key=stack.key_of(large)) for s in (stack, restored)]
            for header in ("ContentType", "ContentDisposition", "CacheControl"):
                assert heads[0].get(header) == heads[1].get(header), header
        assert [a["id"] for a in restored.get("/api/attachments?message_ids=m1", "bob").json()] == [sent["id"], shown["id"]]
        assert restored.get(sent["url"], "mallory").status == 404
        assert restored.get(url_of(shown)).status == 200 and not made_lines(restored, shown["id"]), "the preview is the old one"

        # totals are those of the rows, neither lost nor doubled, and go on from there
        assert_exact(restored)
        [(size, files)] = restored.sql("SELECT sum(size_bytes)::int8, count(*) FROM attachments"
                                       " WHERE uploader_id = 'alice' AND external_url IS NULL")
        assert used(restored) == (size, files)
        added = restored.upload(b"12345")
        assert used(restored) == (size + 5, files + 1) and restored.get(added["url"]).body == b"12345"

        # the runner finds work that the dump had, and takes nothing that a row needs
        restored.start_jobs()
        assert restored.call("DELETE", "/api/attachments/" + added["id"]).status == 204
        wait_until(lambda: not restored.sql("SELECT 1 FROM jobs WHERE kind = 'delete_object'"), 20, "what was to be deleted is")
        assert used(restored) == (size, files)
        assert {f["problem"] for f in audit(restored, "--older-than", "0", code=1)[0]} == {"bytes without row"}
        assert late_key in restored.objects() and set(restored.rows()) <= set(restored.objects())
        assert restored.get(doomed["url"]).body == b"deleted between dump and copy"
        rebuilt = json.loads(restored.tool("variants", "--rebuild", "--missing", "--json").stdout)
        assert rebuilt["failed"] == 0
    finally:
        restored.stop()
    assert audit(stack, "--hash", "--older-than", "0")[0] == [], "the old one took no harm"


def test_a_database_older_than_its_store_loses_nothing_more(new_stack, world):
    """Versioned, on Ceph: what was deleted since the dump comes back, what was uploaded since stays."""
    stack = new_stack(stack={"s3": True})
    backup = own(world.folder("backup-older"))
    run("put-bucket-versioning", stack, backup)
    kept, deleted = stack.upload(b"kept"), stack.upload(b"deleted since")
    # an upload whose bytes are there at the moment of the dump, and whose row comes just after it
    under_way = stack.upload(b"under way")
    key, deleted_key = stack.key_of(under_way), stack.key_of(deleted)
    stack.jobs.stop()
    stack.sql("BEGIN; SET LOCAL session_replication_role = replica; DELETE FROM attachments WHERE id = %s;"
              " INSERT INTO deletion_tickets (store, key, due_at) VALUES ('s3', %s, now()); COMMIT",
              under_way["id"], key)
    run("pg_dump", stack, backup)
    stack.sql("DELETE FROM deletion_tickets")  # as the row does
    stack.start_jobs()
    assert stack.call("DELETE", "/api/attachments/" + deleted["id"]).status == 204
    wait_until(lambda: deleted_key not in stack.objects(), 20, "the object goes")
    since = stack.key_of(stack.upload(b"uploaded since"))
    stack.stop()

    restored = new_stack(stack={"like": stack, "database": None}, start=False,
                         DATABASE_URL=world.postgres.new_database())
    restored.database = restored.settings["DATABASE_URL"]
    run("pg_restore", restored, backup)
    restored.sql(documented("TRUNCATE cloakroom.deletion_tickets"))
    restored.tool("migrate")
    time.sleep(1.1)  # the store tells times in seconds
    told_of = {("row without bytes", deleted_key), ("bytes without row", since), ("bytes without row", key)}
    assert {(f["problem"], f["key"]) for f in audit(restored, "--older-than", "0", code=1)[0]} == told_of
    run("list-object-versions", restored, backup)
    told_of.remove(("row without bytes", deleted_key))
    assert {(f["problem"], f["key"]) for f in audit(restored, "--hash", "--older-than", "0", code=1)[0]} == told_of
    restored.start()
    restored.tool("jobs", "--once")
    assert restored.get(deleted["url"]).body == b"deleted since" and restored.get(kept["url"]).body == b"kept"
    assert {since, key} <= set(restored.objects())
