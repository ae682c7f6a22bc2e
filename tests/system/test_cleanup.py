"""test_cleanup.py — cleanup and restore: what goes, what stays, what comes back, wherever one is killed."""
import json
import os
import pty
import re
import subprocess
import uuid

import pytest

from crash import fill
from processes import as_user, wait_until
from servers import connect


def age(stack, *made, days):
    for one in made:
        stack.sql("UPDATE attachments SET created_at = created_at - %s * interval '1 day',"
                  " linked_at = linked_at - %s * interval '1 day' WHERE id = %s", days, days, one["id"])


def end_undo(stack):
    stack.sql("UPDATE jobs SET run_at = now() WHERE kind = 'purge_tombstone'; SELECT pg_notify('cloakroom_jobs', '')")


def cleanup(stack, *words, check=True):
    """The summary, and the other lines by id, or name."""
    done = stack.tool("cleanup", "--json", *words, check=check)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return lines[-1], {line.get("id") or line["name"]: line for line in lines[:-1]}


def cloaked(answer):
    """All that a 404 says but for the request's id."""
    body = answer.json()
    body.pop("request_id")
    return answer.status, body, sorted(k for k in answer.headers.keys())


@pytest.mark.parametrize("where", ["local", "s3"])
def test_a_stale_upload_goes_comes_back_and_goes_for_good(new_stack, where):
    stack = new_stack(stack={"s3": where == "s3"})
    stale, young, linked = stack.upload(b"stale"), stack.upload(b"young"), stack.upload(b"linked")
    assert stack.link("m1", linked["id"]).status == 200
    age(stack, stale, linked, days=8)
    assert stack.get(stale["url"]).body == b"stale"  # with S3: it is in nginx's cache now
    key, before = stack.key_of(stale), stack.sql("SELECT * FROM attachments ORDER BY id")

    said = stack.tool("cleanup", "--dry-run").stdout
    assert said.startswith(f"would remove {stale['id']} test.bin (5 bytes): linked to nothing since ")
    assert "1 files, 5 bytes would be removed" in said
    assert stack.sql("SELECT * FROM attachments ORDER BY id") == before and not stack.planned()

    summary, lines = cleanup(stack)
    assert (summary["removed"], summary["bytes"], summary["finished"]) == (1, 5, True)
    assert list(lines) == [stale["id"]] and "STALE_HOURS=168" in lines[stale["id"]]["reason"]
    never = f"/api/files/{uuid.uuid4()}/test.bin"
    assert cloaked(stack.get(stale["url"])) == cloaked(stack.get(never))
    assert stack.get(young["url"]).body == b"young" and stack.get(linked["url"]).body == b"linked"
    assert key in stack.objects(), "its bytes wait"
    if where == "s3":
        wait_until(lambda: "event=cache.purged" in stack.jobs.text(), 10, "the copy leaves nginx's cache")
    assert cleanup(stack)[0]["removed"] == 0, "safe to repeat"

    listed, = json.loads(stack.tool("restore", "--list", "--json").stdout)
    assert (listed["id"], listed["filename"], listed["bytes"], listed["too_late"]) == (stale["id"], "test.bin", 5, False)
    assert stale["id"] in stack.tool("restore", "--list").stdout
    assert stack.tool("restore", stale["id"]).stdout == f"restored {stale['id']}\n"
    assert stack.sql("SELECT * FROM attachments ORDER BY id") == before
    assert stack.get(stale["url"]).body == b"stale"

    cleanup(stack)
    end_undo(stack)
    wait_until(lambda: not stack.planned(), 20, "the tombstone is purged")
    assert key not in stack.objects() and len(stack.objects()) == 2
    late = stack.tool("restore", stale["id"], check=False)
    assert late.returncode == 1 and "its time is over" in late.stderr
    stack.assert_whole()


def test_without_undo_the_bytes_go_at_once(new_stack):
    stack = new_stack(UNDO_DAYS=0, STALE_HOURS=1)
    made = stack.upload()
    age(stack, made, days=1)
    assert cleanup(stack)[0]["removed"] == 1
    wait_until(lambda: not stack.objects(), 10, "the object is deleted")
    assert stack.tool("restore", made["id"], check=False).returncode == 1


def test_a_restore_that_cannot_be_says_why(new_stack):
    stack = new_stack()
    made = stack.upload()
    age(stack, made, days=8)
    cleanup(stack)
    os.unlink(os.path.join(stack.settings["UPLOAD_STORAGE_PATH"], next(iter(stack.objects()))))
    gone = stack.tool("restore", made["id"], check=False)
    assert gone.returncode == 1 and "its bytes are gone from the store" in gone.stderr
    assert not stack.rows()
    for words in ([str(uuid.uuid4())], ["nonsense"], [], [made["id"], "--list"]):
        assert stack.tool("restore", *words, check=False).returncode in (1, 2)


def test_retention_and_the_owner_say_what_linked_files_go(new_stack):
    stack = new_stack(RETENTION="text/plain:30d *:365d",
                      OWNER_QUERY="SELECT id FROM app.messages WHERE id = ANY($1::text[])")
    stack.sql("CREATE SCHEMA app; CREATE TABLE app.messages (id text PRIMARY KEY); INSERT INTO app.messages VALUES ('there')")
    text, young_text = stack.upload(b"old text", "a.txt"), stack.upload(b"new text", "b.txt")
    orphan, fresh_orphan, kept = (stack.upload(b"\x00\x01%d" % i, "c.bin") for i in range(3))
    for message, made in (("there", text), ("there", young_text), ("gone", orphan), ("gone", fresh_orphan), ("there", kept)):
        assert stack.link(message, made["id"]).status == 200
    age(stack, text, days=31)
    age(stack, orphan, kept, days=2)
    summary, lines = cleanup(stack)
    assert set(lines) == {text["id"], orphan["id"]} and summary["removed"] == 2
    assert lines[text["id"]]["reason"].endswith("(RETENTION text/plain:30d)")
    assert lines[orphan["id"]]["reason"] == "its message gone is gone (OWNER_QUERY)"
    stack.tool("restore", orphan["id"])
    seen = stack.get("/api/attachments?message_ids=gone").json()
    assert orphan["id"] in json.dumps(seen), "with its link"


def test_an_owner_query_that_fails_or_knows_nothing_removes_nothing(new_stack):
    stack = new_stack(OWNER_QUERY="SELECT id FROM app.messages WHERE id = ANY($1::text[])")
    made = [stack.upload(b"%d" % i) for i in range(20)]
    for i, one in enumerate(made):
        stack.link(f"m{i}", one["id"])
    age(stack, *made, days=2)
    failed = stack.tool("cleanup", check=False)
    assert failed.returncode == 1 and "OWNER_QUERY failed" in failed.stderr and "app.messages" in failed.stderr
    stack.sql("CREATE SCHEMA app; CREATE TABLE app.messages (id text PRIMARY KEY)")
    doubted = stack.tool("cleanup", check=False)
    assert doubted.returncode == 1 and "knows none of 20 messages" in doubted.stderr
    assert len(stack.rows()) == 20
    assert cleanup(stack, "--force")[0]["removed"] == 20


def test_two_at_once_one_works_and_the_other_names_it(new_stack):
    stack = new_stack()
    made = stack.upload()
    age(stack, made, days=8)
    other = connect(stack.database)
    other.cursor().execute("SET application_name = 'cloakroom cleanup, node7, pid 4711';"
                           " SELECT pg_advisory_lock(hashtextextended(current_schema() || '/command/cleanup', 0))")
    refused = stack.tool("cleanup", check=False)
    assert refused.returncode == 75 and "node7, pid 4711" in refused.stderr
    assert stack.rows()
    other.close()
    wait_until(lambda: stack.tool("cleanup", check=False).returncode == 0, 10, "the lock is free")
    assert not stack.rows()


def test_left_overs_are_named_and_cleared(new_stack):
    stack = new_stack(stack={"s3": True, "jobs": False}, MAX_UPLOAD_SIZE="64M", DIRECT_UPLOAD_PART_SIZE="5M")
    body = json.dumps({"filename": "big.bin", "size": 6 << 20, "mime_type": "application/octet-stream"})
    assert stack.call("POST", "/api/direct-uploads", headers={"Content-Type": "application/json"}, body=body).status == 201
    stack.sql("UPDATE direct_uploads SET expires_at = now() - interval '1 day'")
    stack.sql("UPDATE deletion_tickets SET due_at = now()")
    [(ticket,)] = stack.sql("SELECT id::text FROM direct_uploads")
    [(promised,)] = stack.sql("SELECT store || '/' || key FROM deletion_tickets")
    rehearsed, lines = cleanup(stack, "--dry-run")
    assert (rehearsed["direct_uploads"], rehearsed["tickets"]) == (1, 1)
    names = {f"{ticket} big.bin ({6 << 20} bytes)": ("would clear", "direct upload", "it expired"),
             promised: ("would clear", "object", "its upload never got its row")}
    assert {name: (one["what"], one["kind"], one["reason"]) for name, one in lines.items()} == names
    said = stack.tool("cleanup", "--dry-run").stdout
    assert f"would clear object {promised}: its upload never got its row\n" in said
    assert stack.sql("SELECT count(*) FROM direct_uploads") == [(1,)]
    done, lines = cleanup(stack)
    assert (done["direct_uploads"], done["tickets"]) == (1, 1) and set(lines) == set(names)
    assert {one["what"] for one in lines.values()} == {"cleared"}
    assert stack.sql("SELECT kind FROM jobs ORDER BY kind") == [("abort_multipart",), ("delete_object",)]
    assert cleanup(stack)[0]["direct_uploads"] == 0

    # of many the first hundred have names
    stack.sql("INSERT INTO deletion_tickets (store, key, due_at) SELECT 's3', 'ab/' || md5(n::text), now()"
              " FROM generate_series(1, 250) n")
    done, lines = cleanup(stack, "--dry-run")
    assert done["tickets"] == 250 and len(lines) == 100


def test_a_terminal_sees_how_far_it_is_how_fast_and_how_long_yet(new_stack):
    stack = new_stack(stack={"jobs": False}, RETENTION="*:3d")
    files = fill(stack, 60)
    age(stack, *files[:40], days=8)
    age(stack, *files[40:50], days=4)
    for settings, all_files in (({"RETENTION": ""}, 40), ({}, 60)):
        ours, theirs = pty.openpty()
        words = as_user([stack.app / "bin/cloakroom", "cleanup", "--dry-run", "--batch", "10"])
        subprocess.run(words, env={**stack.env, **settings}, stdout=subprocess.DEVNULL, stderr=theirs, check=True, cwd="/")
        os.close(theirs)
        seen = os.read(ours, 65536).decode()
        os.close(ours)
        share = "#" * (30 * 10 // all_files)
        first = rf"\r\[{share} +\] 10 of {all_files} files, [\d.]+/s, \d+ s left, 10 to remove"
        assert re.search(first, seen), seen
        assert re.search(rf"\r\[#{{30}}\] {all_files} of {all_files} files, [\d.]+/s, {40 if all_files == 40 else 50} to remove", seen), seen
    quiet = subprocess.run([*words, "--json"], env=stack.env, capture_output=True, check=True, cwd="/")
    assert quiet.stderr == b""
