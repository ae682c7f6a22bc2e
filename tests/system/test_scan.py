"""test_scan.py — nothing that clamd finds, or cannot look at, is kept: on every way in, with a real clamd."""
import hashlib
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clamd import EICAR, SIGNATURE, Clamd, encrypted_zip, zipped
from processes import wait_until
from stack import MIB, parse_logfmt
from test_check import bad, findings
from test_direct_uploads import complete, post, quarantined, upload

CLEAN = b"words of no harm\n"


@pytest.fixture(scope="module")
def clamd(world):
    daemon = Clamd(world.folder("clamd"))
    yield daemon
    daemon.stop()


@pytest.fixture(scope="module")
def scanned(world, clamd):
    stack = world.stack({"CLAMD_SOCKET": clamd.socket, "CLAMD_TIMEOUT": "8"}).start()
    yield stack
    stack.stop()
    world.stacks.remove(stack)


def events(stack, name):
    return [parse_logfmt(line) for line in stack.log().splitlines() if f"event={name} " in line]


def assert_infected(stack, answer, filename):
    assert answer.status == 422, str(answer)
    problem = answer.json()
    assert problem["type"] == "urn:cloakroom:error:infected" and problem["status"] == 422
    assert f"'{filename}'" in problem["detail"] and SIGNATURE not in str(problem)


# --- every way in ---------------------------------------------------------------------------------------------------

def test_clean_files_pass_by_every_way(scanned):
    assert scanned.upload(CLEAN)["sha256"] == hashlib.sha256(CLEAN).hexdigest()
    large = os.urandom(5 * MIB)
    made = scanned.put(large, "large.bin")
    assert made.status == 201 and scanned.get(made.json()["url"]).body == large
    assert scanned.put(b"", "empty").status == 201
    status, _, body = scanned.cgi("PUT", "/api/upload/cgi.txt", CLEAN, CONTENT_LENGTH=str(len(CLEAN)))
    assert status == 201, body


@pytest.mark.parametrize("data", [EICAR, zipped(EICAR), zipped(zipped(EICAR))], ids=["eicar", "zip", "zip in zip"])
def test_what_is_infected_is_refused_and_nothing_of_the_request_is_kept(scanned, data):
    before = scanned.snapshot()
    assert_infected(scanned, scanned.put(data, "x 1.com"), "x 1.com")
    assert_infected(scanned, scanned.post_form([("a.txt", CLEAN), ("b.com", data), ("c.txt", CLEAN)]), "b.com")
    status, _, _ = scanned.cgi("PUT", "/api/upload/cgi.com", data, CONTENT_LENGTH=str(len(data)))
    assert status == 422
    scanned.assert_nothing_kept(before)
    assert scanned.get("/readyz", None).json()["scanner"] == "ok"


def test_an_audit_line_says_who_sent_what(scanned):
    assert scanned.post_form([("../who\u202e\t.com", EICAR)], user="bob").status == 422
    line = wait_until(lambda: next((e for e in events(scanned, "upload.infected") if e["user"] == "bob"), None), 5)
    assert line == {"event": "upload.infected", "signature": SIGNATURE, "way": "upload", "user": "bob",
                    "filename": ".._who.com", "size": str(len(EICAR)), "sha256": hashlib.sha256(EICAR).hexdigest()}
    assert "EICAR-STANDARD" not in scanned.log()


def test_a_direct_upload_is_scanned_when_it_is_completed(world, clamd):
    stack = world.stack({"CLAMD_SOCKET": clamd.socket}, s3=True).start()
    bad = [EICAR, zipped(EICAR)]  # once: an archive tells the time
    try:
        answer = complete(stack, upload(stack, CLEAN, kind="text/plain"))
        assert answer.status == 201 and answer.json()["sha256"] == hashlib.sha256(CLEAN).hexdigest()
        for data in bad:
            ticket = upload(stack, data, name="evil.com", kind="application/octet-stream")
            assert_infected(stack, complete(stack, ticket), "evil.com")
            assert complete(stack, ticket).status == 404
        wait_until(lambda: not quarantined(stack) and set(stack.objects()) == set(stack.rows()), 10, "the objects go")
        assert [e["way"] for e in events(stack, "upload.infected")] == ["direct_upload"] * 2
        assert {e["sha256"] for e in events(stack, "upload.infected")} == {hashlib.sha256(d).hexdigest() for d in bad}
        answer = post(stack, "/api/direct-uploads", {"filename": "big", "size": 26 * MIB})
        assert answer.status == 413 and "scanned" in answer.json()["detail"]
        # away: the ticket stays
        ticket = upload(stack, CLEAN, kind="text/plain")
        clamd.stop()
        try:
            answer = complete(stack, ticket)
            assert answer.status == 503 and answer.headers["Retry-After"] == "10"
            assert answer.json()["type"] == "urn:cloakroom:error:scanner_away"
        finally:
            clamd.start()
        assert complete(stack, ticket).status == 201
        assert_infected(stack, stack.put(EICAR, "raw.com"), "raw.com")
        stack.assert_whole()
    finally:
        stack.stop()
        world.stacks.remove(stack)


def test_a_file_that_is_kept_aside_is_scanned_too(world, clamd):
    stack = world.stack({"CLAMD_SOCKET": clamd.socket, "S3_FALLBACK": "local"}, s3=True).start()
    try:
        world.ceph.stop_gateway()
        try:
            assert stack.put(CLEAN, "a.txt").status == 201
            assert_infected(stack, stack.put(EICAR, "b.com"), "b.com")
            assert len(stack.rows()) == 1 and next(iter(stack.rows())).startswith(".kept/")
        finally:
            world.ceph.start_gateway()
            wait_until(stack.is_ready, 60, "the store is back")
    finally:
        stack.stop()
        world.stacks.remove(stack)


# --- clamd away, slow, or not looking -------------------------------------------------------------------------------

def test_while_clamd_is_down_uploads_are_refused_and_downloads_go_on(scanned, clamd):
    made = scanned.upload(CLEAN)
    before = scanned.snapshot()
    clamd.stop()
    try:
        for answer in (scanned.put(CLEAN), scanned.post_form([("a", CLEAN)])):
            assert answer.status == 503, str(answer)
            assert answer.json()["type"] == "urn:cloakroom:error:scanner_away"
            assert answer.headers["Retry-After"] == "10"
        assert scanned.get(made["url"]).body == CLEAN
        ready = scanned.get("/readyz", None)
        assert ready.status == 503 and ready.json()["scanner"] == "unavailable" and ready.json()["store"] == "ok"
        scanned.assert_nothing_kept(before)
    finally:
        clamd.start()
    wait_until(lambda: scanned.put(CLEAN).status == 201, 10, "clamd is asked again")
    assert scanned.is_ready()


def test_a_clamd_that_hangs_is_given_up_in_time(scanned, clamd):
    before = scanned.snapshot()
    os.kill(clamd.pid(), signal.SIGSTOP)
    try:
        begin = time.monotonic()
        answer = scanned.put(os.urandom(2 * MIB))
        assert answer.status == 503 and 2 < time.monotonic() - begin < 25
        assert "took too long" in scanned.logged(answer)["detail"]
        scanned.assert_nothing_kept(before)
    finally:
        os.kill(clamd.pid(), signal.SIGCONT)
    wait_until(lambda: scanned.put(CLEAN).status == 201, 10, "clamd is asked again")


def test_a_clamd_that_hangs_does_not_hold_every_child(new_stack, clamd):
    stack = new_stack(CLAMD_SOCKET=clamd.socket, CLAMD_TIMEOUT="12", WORKERS="4")
    made = stack.upload(CLEAN)
    before = stack.snapshot()
    os.kill(clamd.pid(), signal.SIGSTOP)
    try:
        def timed(_):
            begin = time.monotonic()
            answer = stack.put(CLEAN)
            return answer.status, time.monotonic() - begin
        with ThreadPoolExecutor(24) as pool:
            waiting = pool.map(timed, range(24))
            time.sleep(7)  # the first has found no place, and asked
            begin = time.monotonic()
            assert stack.get(made["url"]).body == CLEAN
            reading = time.monotonic() - begin
            outcomes = list(waiting)
        assert reading < 6, reading  # behind one question at most
        assert {status for status, _ in outcomes} == {503}
        held = [seconds for _, seconds in outcomes if seconds > 11.5]
        # without the guard 24 uploads take four children 12 s each at first
        assert 1 <= len(held) <= 3, outcomes
        assert timed(0)[1] < 6  # given up
        stack.assert_nothing_kept(before)
    finally:
        os.kill(clamd.pid(), signal.SIGCONT)
    wait_until(lambda: stack.put(CLEAN).status == 201, 10, "clamd is asked again")


def test_fail_open_keeps_files_unscanned_and_says_so_for_each(new_stack, world):
    clamd = Clamd(world.folder("clamd-open"))
    stack = new_stack(CLAMD_SOCKET=clamd.socket, CLAMD_FAIL="open", CLAMD_MAX_SIZE="1M")
    try:
        assert_infected(stack, stack.put(EICAR, "a.com"), "a.com")
        assert not events(stack, "upload.not_scanned")
        assert stack.put(b"x" * (MIB + 1), "large").status == 201
        assert wait_until(lambda: events(stack, "upload.not_scanned"), 5)[0]["filename"] == "large"
        clamd.stop()
        assert stack.post_form([("b", CLEAN), ("c", CLEAN)]).status == 201
        ready = stack.get("/readyz", None)
        assert ready.status == 200 and ready.json()["scanner"] == "unavailable"
        lines = wait_until(lambda: len(events(stack, "upload.not_scanned")) == 3 and events(stack, "upload.not_scanned"), 5)
        assert [e["filename"] for e in lines] == ["large", "b", "c"] and "clamd" in lines[1]["detail"]
    finally:
        clamd.stop()


def test_what_is_larger_than_clamd_looks_at_is_refused(new_stack, world):
    """clamd itself answers OK for it without a look (AlertExceedsMax no): the setting is what keeps it out."""
    clamd = Clamd(world.folder("clamd-small"), "StreamMaxLength", "4M", "MaxFileSize", "2M", "AlertExceedsMax", "no")
    stack = new_stack(CLAMD_SOCKET=clamd.socket, CLAMD_MAX_SIZE="2M")
    blind = new_stack(CLAMD_SOCKET=clamd.socket, CLAMD_MAX_SIZE="25M")
    try:
        hidden = zipped(EICAR) + b"\0" * (2 * MIB)
        before = stack.snapshot()
        answer = stack.put(hidden, "hidden.zip")
        assert answer.status == 413 and "'hidden.zip'" in answer.json()["detail"] and "scanned" in answer.json()["detail"]
        stack.assert_nothing_kept(before)
        assert_infected(stack, stack.put(hidden[:2 * MIB], "fits.zip"), "fits.zip")
        assert blind.put(hidden, "trap.zip").status == 201, "the trap that `cloakroom check` warns of"
        answer = blind.put(os.urandom(5 * MIB), "long.bin")  # above StreamMaxLength it says so
        assert answer.status == 413 and "'long.bin'" in answer.json()["detail"]
    finally:
        clamd.stop()


def test_what_clamd_says_it_could_not_look_into_is_refused(new_stack, world):
    clamd = Clamd(world.folder("clamd-strict"), "MaxFileSize", "2M", "AlertEncryptedArchive", "yes")
    stack = new_stack(CLAMD_SOCKET=clamd.socket)
    try:
        for data in (b"x" * (3 * MIB), encrypted_zip()):
            answer = stack.put(data, "odd.zip")
            assert answer.status == 422, str(answer)
            assert answer.json()["type"] == "urn:cloakroom:error:not_scanned"
            assert "cannot be scanned" in answer.json()["detail"]
            assert "Heuristics." in stack.logged(answer)["detail"]
        assert not stack.rows()
    finally:
        clamd.stop()


def test_an_encrypted_archive_is_kept_unless_clamd_minds(scanned):
    assert scanned.put(encrypted_zip(), "secret.zip").status == 201


# --- rescan -----------------------------------------------------------------------------------------------------------

def restart_jobs(stack):
    """A runner looks at clamd's version when it starts, and then every half minute."""
    stack.jobs.stop()
    stack.start_jobs()


def learn(clamd, number, text):
    before = clamd.reloaded()
    clamd.signatures(number, text)
    wait_until(lambda: clamd.reloaded() > before, 20, "clamd has the new signatures")


@pytest.mark.parametrize("where", ["local", "s3"])
def test_new_signatures_shut_away_what_was_kept_before(new_stack, world, where):
    clamd = Clamd(world.folder(f"clamd-new-{where}"))
    stack = new_stack(stack={"s3": where == "s3"}, CLAMD_SOCKET=clamd.socket, RESCAN_RATE="100M")
    try:
        stack.members("d1", "alice", "bob")
        words = b"a text with evil-of-tomorrow in it\n"
        packed = zipped(words)
        evil, linked, zip_ = stack.upload(words, "evil.txt"), stack.upload(words, "linked.txt"), stack.upload(packed, "e.zip")
        assert stack.link("m1", linked["id"], dialog_id="d1").status == 200
        good = [stack.upload(b"%d words\n" % i, f"{i}.txt") for i in range(40)] + [stack.upload(b"", "empty")]
        assert stack.get(linked["url"], "bob").body == words
        cache = Path(stack.settings["NGINX_CACHE_PATH"])
        if where == "s3":
            wait_until(lambda: any(words in p.read_bytes() for p in cache.rglob("*") if p.is_file()), 5, "a copy in the cache")
        learn(clamd, 2, "evil-of-tomorrow")
        assert stack.put(words).status == 422
        restart_jobs(stack)
        bad = {evil["id"], linked["id"], zip_["id"]}
        wait_until(lambda: {i for (i,) in stack.sql("SELECT id::text FROM attachments WHERE status = 'quarantined'")} == bad,
                   20, "the infected are in quarantine")
        wait_until(lambda: stack.sql("SELECT 1 FROM rescans WHERE signatures = 2 AND finished_at IS NOT NULL"), 20, "the end")
        for made in (evil, linked, zip_):
            for user in ("alice", "bob", "service"):
                assert stack.get(made["url"], user).status == 404
        for made in good:
            assert stack.get(made["url"]).status == 200
        if where == "s3":
            wait_until(lambda: not any(words in p.read_bytes() for p in cache.rglob("*") if p.is_file()), 10, "the copies go")
        lines = [parse_logfmt(line) for line in stack.jobs.text().splitlines() if "event=rescan.infected" in line]
        assert {e["id"] for e in lines} == bad and {e["signature"] for e in lines} == {"Test.Text.UNOFFICIAL"}
        assert {e["sha256"] for e in lines} == {hashlib.sha256(d).hexdigest() for d in (words, packed)}
        assert all(e["user"] == "alice" for e in lines)
        stack.assert_whole()
    finally:
        clamd.stop()


def test_a_walk_that_was_killed_goes_on_where_it_was_and_keeps_its_rate(new_stack, world):
    clamd = Clamd(world.folder("clamd-walk"))
    stack = new_stack(CLAMD_SOCKET=clamd.socket, RESCAN_RATE="1M")
    try:
        for i in range(48):
            stack.put(os.urandom(64 * 1024), f"{i}.bin")
        wait_until(lambda: stack.sql("SELECT 1 FROM rescans WHERE finished_at IS NOT NULL"), 10, "the first walk")
        learn(clamd, 2, "evil-of-tomorrow")
        restart_jobs(stack)
        begin = time.monotonic()
        def place():
            return stack.sql("SELECT after::text, finished_at FROM rescans WHERE signatures = 2")
        first = wait_until(lambda: [p for p in place() if p[0][:8] != "00000000"], 10, "the first step")[0]
        stack.jobs.stop(signal.SIGKILL)
        assert first[1] is None
        stack.sql("UPDATE rescans SET held_until = now()")  # else another waits until the lease of the dead one is over
        stack.start_jobs()
        wait_until(lambda: place()[0][1], 20, "the end")
        assert time.monotonic() - begin > 1.5, "3 MiB at 1 MiB a second"
        done = parse_logfmt([line for line in stack.jobs.text().splitlines() if "event=rescan.done" in line][-1])
        assert int(done["files"]) < 48, "what was scanned before it was killed is not scanned again"
        assert stack.tool("jobs", "--rescan").returncode == 0
        assert place() == [("00000000-0000-0000-0000-000000000000", None)]
    finally:
        clamd.stop()


# --- cloakroom check --------------------------------------------------------------------------------------------------

def test_check_looks_whether_clamd_looks(new_stack, world):
    clamd = Clamd(world.folder("clamd-check"), "StreamMaxLength", "8M", "MaxFileSize", "4M", "AlertExceedsMax", "no")
    stack = new_stack(start=False, CLAMD_SOCKET=clamd.socket, CLAMD_MAX_SIZE="4M", MAX_UPLOAD_SIZE="4M")
    stack.tool("migrate")

    def found(**settings):
        return {k: v for k, v in findings(stack, **settings).items() if k.startswith("clamd.")}
    try:
        good = found()
        assert set(good) == {"clamd.reach", "clamd.detects", "clamd.max_size"} and not bad(good)
        assert "ClamAV" in good["clamd.reach"]["text"]
        assert bad(found(MAX_UPLOAD_SIZE="5M")) == {"clamd.upload_size": "warning"}
        blind = found(CLAMD_MAX_SIZE="5M")
        assert bad(blind) == {"clamd.max_size": "failure"} and "called OK" in blind["clamd.max_size"]["text"]
        long = found(CLAMD_MAX_SIZE="9M")
        assert "StreamMaxLength" in long["clamd.max_size"]["text"]
        clamd.stop()
        assert bad(found()) == {"clamd.reach": "failure"}
    finally:
        clamd.stop()
