"""test_quotas.py — how much users and dialogs may keep: held while it is uploaded, exact, and given back by every way."""
import concurrent.futures
import os
import signal
import threading

import pytest

from processes import wait_until
from servers import connect
from test_direct_uploads import PNG, ask, complete, post, send
from test_failures import end_grace
from test_outage import Down

SIZE = 1000


def used(stack, who="alice", kind="user"):
    """(bytes, files) of a user or dialog, uploads under way included."""
    return tuple(stack.sql(f"SELECT bytes, files FROM cloakroom_usage_of_{kind}(%s)", who)[0])


def assert_exact(stack):
    assert stack.sql("SELECT * FROM cloakroom_recount_usage()") == []


def assert_full(answer, *words):
    assert answer.status == 413, str(answer)
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["status"]) == ("urn:cloakroom:error:quota", 413)
    for word in words:
        assert word in problem["detail"], problem["detail"]


def put(stack, size=SIZE, **more):
    return stack.put(os.urandom(size), **more)


def test_a_full_quota_is_named_and_nothing_is_stored(new_stack):
    stack = new_stack(QUOTA_USER_BYTES="10K", QUOTA_DIALOG_FILES="2")
    for _ in range(2):
        assert put(stack, 4000, query="?dialog_id=d1").status == 201
    before = stack.snapshot()
    assert_full(put(stack, 4000), "quota of the user", "10240 bytes", "2240 are left", "takes 4000")
    assert_full(stack.post_form([("a.bin", b"x" * 2000), ("b.bin", b"y" * 2000)]), "takes 4000")
    assert_full(put(stack, 10, query="?dialog_id=d1", user="bob"), "quota of the dialog", "2 files", "0 are left")
    stack.assert_nothing_kept(before)
    assert stack.sql("SELECT count(*) FROM deletion_tickets")[0][0] == 0
    limits = stack.get("/api/limits").json()
    assert limits["quota"] == {"bytes": 10240, "bytes_used": 8000}
    assert limits["max_upload_size"] == 64 << 20 and limits["allowed_types"] == [] and not limits["direct_uploads"]
    assert stack.get("/api/limits", user="carol").json()["quota"] == {"bytes": 10240, "bytes_used": 0}
    assert "quota" not in stack.get("/api/limits", user="service").json()
    assert stack.get("/api/limits", user=None).status == 401
    assert_exact(stack)


def test_without_quotas_nothing_is_counted_and_later_all_of_it_is(new_stack):
    stack = new_stack()
    for _ in range(3):
        assert put(stack, query="?dialog_id=d1").status == 201
    assert "quota" not in stack.get("/api/limits").json()
    assert stack.sql("SELECT count(*) FROM usage_totals")[0][0] == 0
    later = new_stack(stack={"like": stack}, start=False, QUOTA_USER_FILES="4")
    assert "counted" in later.tool("migrate").stdout
    assert "counted" not in later.tool("migrate").stdout
    later.start()
    assert used(later) == used(later, "d1", "dialog") == (3 * SIZE, 3)
    assert put(later).status == 201
    assert_full(put(later), "quota of the user", "4 files")
    assert put(stack).status == 201, "a node without a quota takes it, and it counts"
    assert used(later) == (5 * SIZE, 5)
    assert_exact(later)


def test_a_quota_that_nobody_counted_for_takes_nothing_and_says_why(new_stack):
    stack = new_stack()
    later = new_stack(stack={"like": stack}, QUOTA_USER_FILES="4")  # its service would have migrated
    answer = put(later)
    assert answer.status == 500
    assert "run cloakroom migrate" in later.logged(answer)["detail"]


@pytest.mark.parametrize("kind", ["user", "dialog"])
def test_of_twenty_uploads_at_once_to_two_nodes_exactly_those_that_fit_are_taken(new_stack, kind):
    quota = {f"QUOTA_{kind.upper()}_BYTES": str(7 * SIZE + SIZE // 2)}
    first = new_stack(WORKERS=4, **quota)
    second = new_stack(stack={"like": first}, WORKERS=4, **quota)
    query = "?dialog_id=d1" if kind == "dialog" else ""

    def one(number):
        user = f"user{number}" if kind == "dialog" else "alice"
        return put((first, second)[number % 2], query=query, user=user).status

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(one, range(20)))
    assert sorted(statuses) == [201] * 7 + [413] * 13
    assert used(first, "d1" if kind == "dialog" else "alice", kind) == (7 * SIZE, 7)
    assert len(first.objects()) == 7
    assert_exact(first)


def test_kill_9_amid_an_upload_holds_its_room_until_the_ticket_is_due(new_stack):
    stack = new_stack(QUOTA_USER_BYTES=SIZE)
    lock = connect(stack.database)  # the row waits: the bytes are stored, the ticket is there
    lock.autocommit = False
    lock.cursor().execute("LOCK TABLE attachments IN EXCLUSIVE MODE")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(put(stack)))
    thread.start()
    waiting = ("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
               " AND application_name LIKE 'cloakroom-fcgi%'")
    wait_until(lambda: stack.sql(waiting), 10, "the commit waits")
    for pid in stack.worker_children():
        os.kill(pid, signal.SIGKILL)
    stack.sql("SELECT pg_terminate_backend(pid) FROM (" + waiting + ") w")  # else PostgreSQL finishes it
    thread.join()
    lock.rollback()
    assert answers[0].status == 503
    wait_until(lambda: len(stack.worker_children()) == 2, 10)
    assert used(stack) == (SIZE, 1)
    assert_full(put(stack))
    end_grace(stack)
    wait_until(lambda: used(stack) == (0, 0), 10, "the room of a killed upload is free")
    assert put(stack).status == 201
    assert_exact(stack)


def test_whatever_removes_a_file_gives_its_room_back(new_stack):
    stack = new_stack(QUOTA_USER_FILES=3)
    made = [stack.upload() for _ in range(3)]
    assert_full(put(stack))
    assert stack.call("DELETE", "/api/attachments/" + made[0]["id"]).status == 204
    made[0] = stack.upload()
    assert stack.link("m1", made[0]["id"], made[1]["id"]).status == 200
    assert_full(put(stack))
    assert stack.call("DELETE", "/api/messages/m1", "service").status == 204
    assert used(stack)[1] == 1
    stack.sql("DELETE FROM attachments")  # the application's own
    assert used(stack) == (0, 0)
    assert_exact(stack)


def test_linking_takes_room_in_the_dialog_or_changes_nothing(new_stack):
    stack = new_stack(QUOTA_DIALOG_BYTES="5K")
    made = [put(stack, 2000).json()["id"] for _ in range(3)]
    assert used(stack, "d1", "dialog") == (0, 0)
    before = stack.snapshot()
    assert_full(stack.link("m1", *made, dialog_id="d1"), "quota of the dialog", "5120 are left", "takes 6000")
    assert stack.snapshot() == before
    for _ in range(2):  # the second repeats a lost answer
        assert stack.link("m1", *made[:2], dialog_id="d1").status == 200
    assert used(stack, "d1", "dialog") == (4000, 2)
    assert_full(stack.link("m2", made[2], dialog_id="d1"), "1120 are left")
    assert stack.link("m2", made[2], dialog_id="d2").status == 200
    assert_full(stack.link("m3", put(stack, 4000).json()["id"], dialog_id="d2"))
    assert_exact(stack)


def test_a_stranger_cannot_fill_a_dialog(new_stack):
    stack = new_stack(QUOTA_DIALOG_FILES="2")
    stack.members("d1", "alice")
    assert_full(put(stack, user="mallory", query="?dialog_id=d1"), "for its members")
    assert put(stack, query="?dialog_id=d1").status == 201
    assert put(stack, user="service", query="?dialog_id=d1").status == 201
    assert_full(put(stack, query="?dialog_id=d1"), "2 files")


# --- S3 ---------------------------------------------------------------------------------------------------------------

def test_a_store_that_fails_gives_the_room_back_at_once(new_stack, ceph):
    stack = new_stack(stack={"s3": True}, QUOTA_USER_BYTES=SIZE)
    with Down(ceph):
        answer = put(stack)
        assert answer.status in (502, 503), str(answer)
        assert used(stack) == (0, 0)
    assert stack.sql("SELECT count(*) FROM deletion_tickets")[0][0] == 1, "its object might still come"
    wait_until(lambda: put(stack).status == 201, 20, "uploads work again")
    assert_full(put(stack))
    assert_exact(stack)


def test_a_file_that_is_kept_aside_and_moved_counts_once(new_stack, ceph):
    stack = new_stack(stack={"s3": True}, QUOTA_USER_BYTES=SIZE, S3_FALLBACK="local", NODE_NAME="n1")
    with Down(ceph):
        assert put(stack).status == 201
        assert used(stack) == (SIZE, 1)
        assert_full(put(stack))
    wait_until(lambda: stack.sql("SELECT store FROM attachments") == [("s3",)], 60, "the file is moved")
    assert used(stack) == (SIZE, 1)
    assert_exact(stack)


def test_a_direct_upload_holds_its_room_from_the_ticket_on(new_stack):
    stack = new_stack(stack={"s3": True}, QUOTA_USER_BYTES=2 * SIZE, QUOTA_DIALOG_FILES=1, DIRECT_UPLOAD_EXPIRES=300)
    data = PNG + os.urandom(SIZE - len(PNG))
    ticket = ask(stack, data, dialog_id="d1")
    assert used(stack) == used(stack, "d1", "dialog") == (SIZE, 1)
    wish = {"filename": "b.png", "size": SIZE, "content_type": "image/png"}
    assert_full(post(stack, "/api/direct-uploads", {**wish, "size": SIZE + 1}), "quota of the user", "1000 are left")
    assert_full(post(stack, "/api/direct-uploads", {**wish, "dialog_id": "d1"}), "quota of the dialog")
    assert send(ticket, data).status_code in (200, 201, 204)
    for status in (201, 200):
        assert complete(stack, ticket).status == status
    assert used(stack) == used(stack, "d1", "dialog") == (SIZE, 1)

    void = ask(stack, data)
    assert_full(put(stack, 1))
    assert send(void, data[:-4] + b"else").status_code in (200, 201, 204)
    other = ask(stack, b"", "empty.txt", "text/plain")  # of no bytes there may be any number
    assert used(stack) == (2 * SIZE, 3)
    assert complete(stack, other).status == 409
    stack.sql("UPDATE direct_uploads SET expires_at = now() WHERE attachment_id IS NULL")
    assert used(stack) == (SIZE, 1)
    assert put(stack).status == 201
    assert_exact(stack)


def test_a_direct_upload_that_is_refused_gives_its_room_back(new_stack):
    stack = new_stack(stack={"s3": True}, QUOTA_USER_FILES=1, ALLOWED_TYPES="image/png,text/html")
    html = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
    ticket = ask(stack, html)
    assert_full(stack.put(PNG))
    assert send(ticket, html).status_code in (200, 201, 204)
    assert complete(stack, ticket).status == 415
    assert used(stack) == (0, 0)
