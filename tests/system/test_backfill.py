"""test_backfill.py — the files of an old application: taken over once each, wherever a run is killed."""
import json
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from application import Application
from conftest import SOAK
from legacy import STRIP, LegacyApp, backfill, result_of
from processes import Process, own, wait_until

FILES = 2000 if SOAK else 200
KILLS = 50 if SOAK else 8


def assert_all_taken(stack, app):
    """Every file of the old application is an attachment, once, readable, with its bytes."""
    rows = result_of(stack)
    assert {path: sha for _, path, *_, sha, _, _ in rows} == app.sha
    assert len(rows) == len(app.sha) == stack.sql("SELECT count(*) FROM attachments")[0][0]
    stack.assert_whole()


@pytest.fixture(params=["local", "s3"])
def old(world, request):
    stack = world.stack(s3=request.param == "s3", jobs=False).start()
    yield LegacyApp(stack, FILES // 2, files_each=2)
    stack.stop()
    world.stacks.remove(stack)


def test_killed_anywhere_it_ends_with_each_file_once(old):
    stack, mapping = old.stack, old.mapping()
    rehearsal, _ = backfill(stack, mapping, "--dry-run")
    assert (rehearsal["would_take"], rehearsal["failed"]) == (FILES, 0) and not stack.rows()

    tool = [stack.app / "bin/cloakroom", "backfill", mapping, "--json", "--batch", "20"]
    kills = 0
    for i in range(KILLS):
        run = Process(tool, stack.env, stack.dir / "log/backfill.log")
        before = len(stack.rows())
        wait_until(lambda: not run.running() or len(stack.rows()) > before, 60, "a file is taken", every=0.005)
        time.sleep(random.random() * 0.1)
        kills += run.running()
        run.stop(signal.SIGKILL)
        if len(stack.rows()) == FILES:
            break
    assert kills >= 3, "too quick to be killed"
    summary, failures = backfill(stack, mapping)
    assert summary["finished"] and not failures
    assert_all_taken(stack, old)
    first = result_of(stack)
    message, _, *rest = first[0]
    assert rest[:3] == ["1", "r1", "u1"] and rest[3].startswith("file 1 ") and rest[4] == "text/plain"
    assert rest[7].timestamp() == 1557126489 and rest[8] == "linked"

    again, _ = backfill(stack, mapping)
    assert (again["taken"], again["already"]) == (0, FILES) and result_of(stack) == first
    for made in stack.call("GET", "/api/attachments?message_ids=3", "u3").json():
        assert stack.get(made["url"], "u3").status == 200
        assert stack.get(made["url"], "u4").status == 404


MANY = 100_000 if SOAK else 2000
ROOT = "legacy"  # below UPLOAD_STORAGE_PATH


@pytest.fixture(scope="module")
def shared_stack(world):
    """Files of the old application lie in the store's folder. What is not taken over is for every user."""
    stack = world.stack()
    root = Path(stack.settings["UPLOAD_STORAGE_PATH"]) / ROOT
    root.mkdir(parents=True)
    stack.settings.update(LEGACY_FALLBACK_PATH="/uploads/", LEGACY_FALLBACK_ROOT=str(root), LEGACY_FALLBACK_ACCESS="users")
    own(root.parent)
    stack.start()
    yield stack
    stack.stop()
    world.stacks.remove(stack)


@pytest.fixture
def stack(shared_stack):
    """It, with nothing in it."""
    shared_stack.sql("DELETE FROM attachments; TRUNCATE backfilled, backfill_runs; SELECT pg_notify('cloakroom_jobs', '')")
    wait_until(lambda: not shared_stack.planned(), 30, "the objects of another test are gone")
    root = Path(shared_stack.settings["UPLOAD_STORAGE_PATH"]) / ROOT
    for path in root.iterdir():  # the worker has the folder itself open
        path.unlink() if path.is_file() or path.is_symlink() else shutil.rmtree(path)
    return shared_stack


def old_app(stack, messages, files_each=1):
    return LegacyApp(stack, messages, files_each, root=Path(stack.settings["UPLOAD_STORAGE_PATH"]) / ROOT)


def assert_whole(stack):
    """Without the old folder, which lies in the store's and is nobody's where files were copied."""
    stack.stored = lambda: {place: size for place, size in type(stack).stored(stack).items() if not place.startswith(f"local/{ROOT}/")}
    try:
        stack.assert_whole()
    finally:
        del stack.stored


def test_many_rows_twice_with_a_kill_between_and_old_addresses_meanwhile(stack):
    """Old addresses answer before, during and after; what was taken is for its readers alone."""
    app = old_app(stack, MANY)
    mapping = app.mapping(mode="adopt")
    paths = list(app.sha)

    def check(path):
        answer = stack.get(STRIP + path, "u1")
        taken = stack.sql("SELECT a.uploader_id FROM backfilled b JOIN attachments a ON a.id = b.attachment_id"
                          " WHERE b.path = %s", path)
        if answer.status == 200:
            assert answer.body == (app.root / path).read_bytes()
        else:
            assert answer.status == 404 and taken and taken[0][0] != "u1"
        return answer

    assert all(check(path).status == 200 for path in random.sample(paths, 5))
    run = Process([stack.app / "bin/cloakroom", "backfill", mapping, "--json"], stack.env, stack.dir / "log/backfill.log")
    looks = 0
    while run.running() and stack.sql("SELECT count(*) FROM backfilled")[0][0] < MANY // 2:
        check(random.choice(paths))
        looks += 1
    run.stop(signal.SIGKILL)
    assert looks > 3 and stack.sql("SELECT finished_at IS NULL FROM backfill_runs") == [(True,)]

    began = time.monotonic()
    summary, failures = backfill(stack, mapping)
    print(f"the second half of {MANY} rows: {time.monotonic() - began:.1f} s")
    assert summary["finished"] and not failures
    rows = result_of(stack)
    assert {path: sha for _, path, *_, sha, _, _ in rows} == app.sha and len(rows) == MANY
    assert {key for (key,) in stack.sql("SELECT key FROM attachments")} == {f"{ROOT}/{path}" for path in paths}
    again, _ = backfill(stack, mapping)
    assert (again["taken"], again["already"], again["failed"]) == (0, MANY, 0) and result_of(stack) == rows
    for path in random.sample(paths, 20):
        author, = stack.sql("SELECT a.uploader_id FROM backfilled b JOIN attachments a ON a.id = b.attachment_id"
                            " WHERE b.path = %s", path)[0]
        answer = stack.get(STRIP + path, author)
        assert answer.status == 200 and answer.body == (app.root / path).read_bytes()
        assert stack.get(STRIP + path, author, {"If-None-Match": answer.headers["ETag"]}).status == 304
        assert stack.get(STRIP + path, author, {"Range": "bytes=1-2"}).body == answer.body[1:3]
        assert stack.get(STRIP + path, "stranger").status == 404


def cloaked(answer):
    """All that a 404 says but for the request's id."""
    body = answer.json()
    body.pop("request_id")
    return answer.status, body, sorted(k for k in answer.headers.keys())


def test_old_addresses_are_sent_as_files_are_and_stop_when_switched_off(stack, new_stack):
    app = old_app(stack, 1)
    (page := app.root / "a b" / "page.html").parent.mkdir()
    page.write_bytes(b"<script>alert(1)</script>")
    (app.root / "link").symlink_to("/etc/passwd")
    app.own()
    never = cloaked(stack.get("/api/files/00000000-0000-7000-8000-000000000000/x"))
    answer = stack.get("/uploads/a%20b/page.html?v=2")
    assert (answer.status, answer.body) == (200, page.read_bytes())
    assert answer.headers["Content-Disposition"].startswith("attachment;") and "sandbox" in answer.headers["Content-Security-Policy"]
    assert (answer.headers["X-Content-Type-Options"], answer.headers["Cache-Control"]) == ("nosniff", "private, no-cache")
    assert stack.get("/uploads/a%20b/page.html", headers={"If-None-Match": answer.headers["ETag"]}).status == 304
    part = stack.get("/uploads/a%20b/page.html", headers={"Range": "bytes=1-6", "If-Range": answer.headers["ETag"]})
    assert (part.status, part.body) == (206, b"script")
    by_worker = stack.get("/uploads/a%20b/page.html", headers={"If-Match": answer.headers["ETag"]})
    assert (by_worker.status, by_worker.body) == (200, page.read_bytes())
    head = stack.get("/uploads/a%20b/page.html", method="HEAD")
    assert (head.status, head.headers["Content-Length"]) == (200, "25")
    assert stack.get("/uploads/a%20b/page.html", None).status == 401
    for path in ("link", "nothing", "..%2f..%2fetc/passwd", "a%20b/%2e%2e/01/1-0.txt", "01//1-0.txt", "01/1-0.txt/", "01/1-0.txt%00",
                 "%2e%2e/%2e%2e/etc/passwd", "01%5c1-0.txt", "01/./1-0.txt", "01/1-0.txt%0d%0aX-Y:z", ""):
        answer = stack.get(STRIP + path)
        assert answer.status == 400 or cloaked(answer) == never, path  # nginx itself refuses what leads above its root
    assert stack.get("/_cloakroom/default/legacy/01/1-0.txt").status == 404, "internal"

    # deleted after it was taken over: not even the service gets the old bytes
    backfill(stack, app.mapping())
    assert stack.get("/uploads/01/1-0.txt", "u1").status == 200
    assert stack.call("DELETE", "/api/messages/1", "service").status == 204
    assert (app.root / "01/1-0.txt").exists()
    for user in ("u1", "service"):
        assert cloaked(stack.get("/uploads/01/1-0.txt", user)) == never
    assert backfill(stack, app.mapping())[0]["taken"] == 0

    off = new_stack(stack={"like": stack})
    assert off.get("/uploads/a%20b/page.html", "service").status == 404
    off.settings.update(LEGACY_FALLBACK_PATH="/uploads")
    off.nginx.stop()
    off.worker.stop()
    off.start()
    assert cloaked(off.get("/uploads/a%20b/page.html", "service")) == never, "only what was taken over"


def test_what_is_wrong_with_one_file_is_told_and_tried_again(stack):
    app = old_app(stack, 3)
    shutil.copy("/etc/passwd", app.root / "twin")
    (app.root / "link").symlink_to("/etc/passwd")
    (app.root / "link2").symlink_to("/etc")
    app.write("locked", b"x")
    app.own()
    (app.root / "locked").chmod(0)
    for files in ('[{"url": "../../../etc/passwd"}, {"url": "link"}, {"url": "link2/passwd"}, {"url": "/etc/passwd"}]', "[{", '"x"',
                  '[{"url": "gone"}, {"url": "locked"}, {"url": "twin", "size": 1}]', None, "", "[]",
                  '[{"name": "no path"}, {"url": "%00"}, {"url": ""}]'):
        stack.sql("INSERT INTO app.messages (room, author, files) VALUES ('r', 'u', %s)", files)
    stack.sql("INSERT INTO app.messages (room, author, files) VALUES ('r', 'u', %s)", "[" + "1," * 200_000 + "1]")
    mapping = app.mapping()
    summary, failures = backfill(stack, mapping, code=1)
    assert (summary["taken"], summary["failed"], summary["finished"]) == (3, len(failures), True)
    told = sorted((f["message_id"], f["reason"]) for f in failures)
    assert told == sorted([("", "bad_row"), *[("4", "bad_path")] * 4, ("5", "bad_json"), ("6", "bad_json"), ("7", "missing"),
                           ("7", "wrong_size"), ("7", "unreadable"), *[("11", "bad_path")] * 3])
    app.write("gone", b"here after all")
    app.own()
    summary, failures = backfill(stack, mapping, code=1)
    assert (summary["taken"], summary["already"], len(failures)) == (1, 3, len(told) - 1)
    assert_whole(stack)


def test_another_folder_than_that_of_the_old_addresses_is_refused(stack):
    app = old_app(stack, 1)
    (below := app.root / "01").mkdir(exist_ok=True)
    for root, strip in ((below, STRIP + "01/"), (app.root.parent, "")):
        mapping = app.mapping(bytes={"root": str(root), "strip": strip, "percent_encoded": True})
        refused = stack.tool("backfill", str(mapping), check=False)
        assert refused.returncode == 78 and "LEGACY_FALLBACK_ROOT" in refused.stderr
    assert not stack.rows()


def test_of_two_nodes_one_works_and_the_other_says_who(stack):
    app = old_app(stack, 300)
    mapping = app.mapping()
    first = Process([stack.app / "bin/cloakroom", "backfill", mapping, "--json", "--rate", "20K"],
                    {**stack.env, "NODE_NAME": "node-one"}, stack.dir / "log/first.log")
    wait_until(lambda: stack.rows(), 10, "the first one works")
    second = stack.tool("backfill", str(mapping), check=False)
    assert second.returncode == 75 and "cloakroom backfill is at work already: cloakroom backfill, node-one, pid " in second.stderr
    first.stop(signal.SIGTERM)
    assert "stopped; run it again to go on" in first.text() and first.popen.returncode == 75
    before = len(stack.rows())
    assert 0 < before < 300
    limited, _ = backfill(stack, mapping, "--limit", "5", code=75)
    assert not limited["finished"] and len(stack.rows()) == before + 5
    backfill(stack, mapping)
    assert len(stack.rows()) == len(result_of(stack)) == 300
    assert_whole(stack)


def test_exports_and_active_storage_are_taken_as_well(stack):
    app = old_app(stack, 5)
    rows = stack.sql("SELECT id, room, author, files FROM app.messages ORDER BY id")
    lines = stack.dir / "messages.jsonl"
    lines.write_text("".join(json.dumps({"id": i, "room": room, "author": author, "files": json.loads(files), "at": 1557126489}) + "\n"
                             for i, room, author, files in rows) + "not json\n")
    summary, failures = backfill(stack, app.mapping(name="lines", source={"jsonl": {"path": str(lines)}}), code=1)
    assert summary["taken"] == 5 and [f["reason"] for f in failures] == ["bad_row"]

    export = stack.dir / "messages.csv"  # as MySQL's INTO OUTFILE … OPTIONALLY ENCLOSED BY '"' writes it
    quoted = lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    export.write_text("".join(f"{i},{quoted(room)},\\N,{quoted(files)},\\N\n" for i, room, _, files in rows))
    csv = {"csv": {"path": str(export), "dialect": "mysql", "columns": ["id", "room", "author", "files", "at"]}}
    assert backfill(stack, app.mapping(name="csv", source=csv))[0]["taken"] == 5
    assert stack.sql("SELECT count(*) FROM attachments WHERE uploader_id IS NULL") == [(5,)]

    blob = app.root / "xy" / "z1" / "xyz1abcdef"
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"%PDF-1.4 of rails")
    app.own()
    stack.sql("CREATE TABLE app.active_storage_blobs (id bigserial PRIMARY KEY, key text, filename text, content_type text,"
              " byte_size bigint, checksum text, created_at timestamp);"
              " CREATE TABLE app.active_storage_attachments (id bigserial PRIMARY KEY, name text, record_type text,"
              " record_id bigint, blob_id bigint);"
              " INSERT INTO app.active_storage_blobs (key, filename, byte_size, created_at)"
              " VALUES ('xyz1abcdef', 'Report.pdf', 17, '2020-02-03 04:05:06.789');"
              " INSERT INTO app.active_storage_attachments (name, record_type, record_id, blob_id)"
              " VALUES ('files', 'Message', 77, 1), ('avatar', 'User', 1, 1)")
    mapping = json.loads((stack.app / "share/cloakroom/mappings/active-storage.json").read_text())
    mapping["source"]["postgresql"].update(schema="app", database_env="OLD_DATABASE")
    mapping["bytes"]["root"] = str(app.root)
    path = stack.dir / "active-storage.json"
    path.write_text(json.dumps(mapping))
    refused = stack.tool("backfill", str(path), check=False)
    assert refused.returncode == 78 and "OLD_DATABASE" in refused.stderr
    stack.settings["OLD_DATABASE"] = stack.database
    assert backfill(stack, path)[0]["taken"] == 1
    del stack.settings["OLD_DATABASE"]
    assert stack.sql("SELECT message_id, filename, mime_type, (created_at AT TIME ZONE 'UTC')::text FROM attachments WHERE message_id = '77'") == \
        [("77", "Report.pdf", "application/pdf", "2020-02-03 04:05:06.789")]
    assert_whole(stack)


@pytest.mark.parametrize("mode", ["copy", "adopt"])
def test_objects_of_the_bucket_are_copied_or_adopted(new_stack, mode):
    stack = new_stack(stack={"s3": True})
    app = LegacyApp(stack, 4)
    for path in app.sha:
        stack.s3.put_object(Bucket=stack.settings["S3_BUCKET"], Key="old/" + path, Body=(app.root / path).read_bytes())
    mapping = app.mapping(mode=mode, bytes={"s3_prefix": "old/", "strip": STRIP})
    assert backfill(stack, mapping)[0]["taken"] == 4
    assert {path: sha for _, path, *_, sha, _, _ in result_of(stack)} == app.sha
    keys = {key for (key,) in stack.sql("SELECT key FROM attachments")}
    assert (keys == {"old/" + path for path in app.sha}) == (mode == "adopt")
    made, = stack.call("GET", "/api/attachments?message_ids=1", "u1").json()
    answer = stack.get(made["url"], "u1")
    assert answer.body == (app.root / "01/1-0.txt").read_bytes() and answer.headers["Content-Type"].startswith("text/plain")
    audit = stack.tool("audit", "--hash", check=False)
    assert audit.returncode == 0, audit.stdout
    assert stack.call("DELETE", "/api/messages/1", "service").status == 204
    wait_until(lambda: not stack.planned(), 10, "its object goes")
    assert ("old/01/1-0.txt" in stack.objects()) == (mode == "copy")


@pytest.fixture
def application():
    made = Application()
    made.sessions = {"a": "u1", "b": "bob"}
    yield made
    made.close()


def test_the_application_lets_users_in_at_old_addresses(new_stack, application):
    """AUTH=header: its grant counts for what was taken over and for what was not; and `public` asks it all the same."""
    stack = new_stack(start=False, AUTH="header", AUTH_REQUEST_URL=application.url, JWT_SECRET=None,
                      LEGACY_FALLBACK_PATH="/uploads/")
    root = own_folder(stack.dir / "old")
    stack.settings["LEGACY_FALLBACK_ROOT"] = str(root)
    stack.start()
    app = LegacyApp(stack, 2, root=root)
    one, two = "/uploads/01/1-0.txt", "/uploads/02/2-0.txt"

    def ask(path, sid, **headers):
        return stack.get(path, None, {"Cookie": f"sid={sid}", **headers}).status

    assert [ask(one, sid) for sid in ("a", "b", "nobody")] == [404, 404, 401]
    application.granted.add(("bob", one))
    assert [ask(one, "a"), ask(one, "b"), ask(two, "b"), ask(one + "?x=1", "b")] == [404, 200, 404, 404]
    backfill(stack, app.mapping())
    assert [ask(one, "a"), ask(one, "b"), ask(two, "a"), ask(two, "b")] == [200, 200, 404, 404], "u1 is the first one's author"

    stack.settings["LEGACY_FALLBACK_ACCESS"] = "public"
    stack.nginx.stop()
    stack.worker.stop()
    stack.start()
    (root / "new.txt").write_bytes(b"written meanwhile")
    app.own()
    assert [ask("/uploads/new.txt", sid) for sid in ("a", "nobody")] == [200, 200]
    assert [ask(one, "a"), ask(two, "a"), ask(one, "nobody")] == [200, 404, 404]


def own_folder(path):
    path.mkdir()
    return own(path)
