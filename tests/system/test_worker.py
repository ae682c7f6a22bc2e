"""test_worker.py — the worker as a process: signals, replacement, other ways to start it, and its log."""
import concurrent.futures
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

from http_client import fastcgi_request, form
from processes import AS_USER, Process, as_user, children, is_alive, own, wait_until
from servers import connect
from stack import MIB, PLAIN_LOCATION, SECRET, SERVICE_TOKEN, token


class Load:
    """Requests from several threads until stopped; `answers` are their statuses, "lost" where none came."""

    def __init__(self, stack, request, threads=4):
        self.stack, self.request, self.answers, self.stopping = stack, request, [], threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]

    def run(self):
        while not self.stopping.is_set():
            try:
                self.answers.append(self.request())
            except OSError as e:
                self.answers.append(f"lost: {e}")

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for t in self.threads:
            t.join()


# --- signals ----------------------------------------------------------------------------------------------------------

def has_other_children(pid, old):
    now = children(pid)
    return now and not set(now) & set(old)


def slow_upload(stack):
    """A PUT that the worker is busy with for a while: the row's INSERT waits for a lock that the test holds."""
    lock = connect(stack.database)
    lock.autocommit = False
    lock.cursor().execute("LOCK TABLE attachments IN EXCLUSIVE MODE")
    return lock


def busy_children(stack):
    return stack.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                     "AND datname = current_database()")[0][0]


def test_sigterm_lets_a_request_in_flight_finish(new_stack):
    stack = new_stack()
    lock = slow_upload(stack)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(stack.put, os.urandom(5 * MIB))
        wait_until(lambda: busy_children(stack) == 1, 10, "the upload waits for its row")
        os.kill(stack.worker.pid, signal.SIGTERM)
        time.sleep(0.4)
        assert stack.worker.running(), "it ended with a request in flight"
        lock.rollback()
        assert answer.result().status == 201
    assert stack.worker.wait(10) == 0
    assert stack.rows() and not stack.planned()
    assert stack.get("/healthz").status == 503


def test_sigterm_cuts_what_takes_too_long(new_stack):
    stack = new_stack(SHUTDOWN_TIMEOUT=1)
    lock = slow_upload(stack)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(stack.put, b"never")
        wait_until(lambda: busy_children(stack) == 1, 10)
        began = time.monotonic()
        os.kill(stack.worker.pid, signal.SIGTERM)
        assert stack.worker.wait(15) == 0 and time.monotonic() - began < 10
        result = answer.result()
        assert result.status == 503 and result.headers["Content-Type"] == "application/problem+json"
    lock.rollback()
    stack.assert_whole()
    assert not stack.rows()


def test_sighup_rolls_under_load_without_a_failed_request_and_reads_a_changed_secret(new_stack, world):
    secret = world.dir / "rolled-secret"
    secret.write_text("the-first-secret-0123456789\n")
    own(secret)
    stack = new_stack(JWT_SECRET=None, JWT_SECRET_FILE=secret)
    sent = lambda key: stack.call("GET", "/api/attachments?status=uploaded", None,
                                  {"Authorization": "Bearer " + token(key=key)}).status
    assert sent("the-first-secret-0123456789") == 200
    parent, before = stack.worker.pid, stack.worker_children()
    with Load(stack, lambda: stack.put(b"x" * 1000, user="service").status) as load:
        time.sleep(0.3)
        secret.write_text("the-second-secret-9876543210\n")
        for _ in range(3):
            os.kill(parent, signal.SIGHUP)
            time.sleep(0.3)
        wait_until(lambda: has_other_children(stack.worker.pid, before), 10, "new children")
        time.sleep(0.2)
    assert len(load.answers) > 20 and set(load.answers) == {201}, {a: load.answers.count(a) for a in set(load.answers)}
    assert stack.worker.running() and stack.worker.pid == parent
    assert sent("the-second-secret-9876543210") == 200 and sent("the-first-secret-0123456789") == 401
    wait_until(lambda: len(stack.worker_children()) == 2, 5, "as many children as before")


def test_sighup_with_bad_settings_goes_on_as_before(new_stack, world):
    secret = world.dir / "soon-bad-secret"
    secret.write_text(SECRET)
    own(secret)
    stack = new_stack(JWT_SECRET=None, JWT_SECRET_FILE=secret)
    before = stack.worker_children()
    secret.write_text("short")
    os.kill(stack.worker.pid, signal.SIGHUP)
    wait_until(lambda: "parent.roll_refused" in stack.log(), 5)
    assert stack.worker_children() == before and stack.put(b"x").status == 201


def test_a_store_that_hangs_at_the_start_does_not_keep_sigterm_away(new_stack, ceph):
    stack = new_stack(stack={"s3": True}, start=False)
    os.kill(ceph.gateway_pid(), signal.SIGSTOP)
    try:
        worker = Process([stack.app / "bin/cloakroom-fcgi", "--socket", stack.settings["FASTCGI_SOCKET"]], stack.env,
                         stack.dir / "log/worker.log")
        wait_until(lambda: os.path.exists(stack.settings["FASTCGI_SOCKET"]), 5, "it listens")
        time.sleep(0.3)
        worker.stop(seconds=3)
    finally:
        os.kill(ceph.gateway_pid(), signal.SIGCONT)


def test_a_killed_child_is_replaced_and_the_others_go_on(new_stack):
    stack = new_stack()
    for round_ in range(3):
        victim = stack.worker_children()[0]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(set(stack.worker_children()) - {victim}) == 2, 10, "a new child")
        assert stack.put(b"x").status == 201
    assert stack.log().count("event=child.died") == 3 and f'signal={int(signal.SIGKILL)}' in stack.log()


def test_a_parent_that_dies_takes_its_children_along(new_stack):
    stack = new_stack()
    pids = stack.worker_children()
    os.kill(stack.worker.pid, signal.SIGKILL)
    wait_until(lambda: not any(is_alive(p) for p in pids), 5, "no child is left")
    answer = stack.get("/healthz")
    assert answer.status == 503 and answer.headers["Content-Type"] == "application/problem+json"


def test_max_requests_recycles_children_without_a_failed_request(new_stack):
    stack = new_stack(MAX_REQUESTS=20)
    before = set(stack.worker_children())
    with Load(stack, lambda: stack.get("/api/attachments?status=uploaded").status) as load:
        wait_until(lambda: len(load.answers) > 400, 20)
    assert set(load.answers) == {200}, {a: load.answers.count(a) for a in set(load.answers)}
    assert not before & set(stack.worker_children())
    assert "child.died" not in stack.log()


def test_a_front_end_that_is_slow_to_hang_up_does_not_hold_a_child(new_stack):
    stack = new_stack(WORKERS=1)
    asked = fastcgi_request({"REQUEST_METHOD": "GET", "REQUEST_URI": "/healthz", "SERVER_PROTOCOL": "HTTP/1.1"})
    kept = []
    begun = time.monotonic()
    for _ in range(3):
        front = socket.socket(socket.AF_UNIX)
        front.connect(stack.settings["FASTCGI_SOCKET"])
        front.settimeout(5)
        front.sendall(asked)
        answer = b""
        while block := front.recv(65536):
            answer += block
        assert b"Status: 200" in answer
        kept.append(front)  # our end stays open
    assert time.monotonic() - begun < 1.5, "the child waited for each of them to close"


# --- other ways to start it -------------------------------------------------------------------------------------------

def test_it_answers_one_request_as_a_plain_cgi_program(local, local_stream):
    body, kind = form([("cgi.txt", b"by cgi\n"), ("two.txt", b"2")])
    status, headers, answer = local.cgi("POST", "/api/upload", body, CONTENT_TYPE=kind, CONTENT_LENGTH=str(len(body)))
    assert status == 201 and headers["Content-Type"] == "application/json"
    made = json.loads(answer)
    assert [a["filename"] for a in made] == ["cgi.txt", "two.txt"] and local.get(made[0]["url"]).body == b"by cgi\n"
    assert local_stream.cgi("GET", made[0]["url"])[2] == b"by cgi\n"
    status, headers, answer = local_stream.cgi("GET", made[0]["url"], HTTP_RANGE="bytes=3-5")
    assert (status, answer, headers["Content-Range"]) == (206, b"cgi", "bytes 3-5/7")
    assert local_stream.cgi("HEAD", made[0]["url"])[2] == b""
    assert local.cgi("GET", made[0]["url"], user=None)[0] == 401
    assert re.fullmatch("[0-9a-f]{32}", local.cgi("GET", "/healthz")[1]["X-Request-Id"])


def test_a_cgi_body_without_length_or_cut_short_is_refused(local):
    before = local.snapshot()
    assert local.cgi("PUT", "/api/upload/a", b"abc")[0] == 411
    assert local.cgi("PUT", "/api/upload/a", b"abc", CONTENT_LENGTH="5")[0] == 400
    assert local.cgi("PUT", "/api/upload/a", b"abc", CONTENT_LENGTH="99999999999")[0] == 413
    assert local.cgi("PUT", "/api/upload/a", b"abc", CONTENT_LENGTH="x")[0] == 400
    local.assert_nothing_kept(before)


def test_a_body_file_outside_of_its_folder_is_never_read(local):
    before = local.snapshot()
    body = local.settings["UPLOAD_STORAGE_PATH"] + "/.body"
    for path in ("/etc/passwd", body + "/../../../../etc/passwd", body + "x/y", body):
        assert local.cgi("PUT", "/api/upload/a", REQUEST_BODY_FILE=path)[0] in (400, 500)
    os.symlink("/etc/passwd", body + "/link")
    try:
        assert local.cgi("PUT", "/api/upload/a", REQUEST_BODY_FILE=body + "/link")[0] in (400, 500)
    finally:
        os.unlink(body + "/link")
    local.assert_nothing_kept(before)


def test_it_takes_its_socket_on_descriptor_0(new_stack):
    stack = new_stack(start=False)
    stack.tool("migrate")
    path = stack.settings["FASTCGI_SOCKET"]
    with socket.socket(socket.AF_UNIX) as listening:  # as systemd does
        listening.bind(path)
        own(path)
        listening.listen(128)
        stack.worker = subprocess.Popen(as_user([stack.app / "bin/cloakroom-fcgi"]), stdin=listening, env=stack.env,
                                        stderr=open(stack.dir / "log/worker.log", "wb"), cwd="/")
    try:
        own_files = stack.settings["UPLOAD_STORAGE_PATH"]
        os.mkdir(own_files)
        own(own_files)
        stack.start_nginx()
        wait_until(stack.is_ready, 10)
        made = stack.upload(b"by descriptor 0")
        assert stack.get(made["url"]).body == b"by descriptor 0"
        old = children(stack.worker.pid)
        os.kill(stack.worker.pid, signal.SIGHUP)
        wait_until(lambda: has_other_children(stack.worker.pid, old), 10, "it rolled")
        assert stack.get(made["url"]).body == b"by descriptor 0"
    finally:
        stack.worker.terminate()
        assert stack.worker.wait(10) == 0
        stack.worker = None


def test_a_body_may_come_through_the_fastcgi_connection(new_stack):
    stack = new_stack(stack={"server": PLAIN_LOCATION})
    data = os.urandom(3 * MIB + 7)
    body, kind = form([("plain.bin", data), ("b", b"2")])
    made = stack.call("POST", "/plain/api/upload", headers={"Content-Type": kind}, body=body)
    assert made.status == 201, str(made)
    assert stack.get(made.json()[0]["url"]).body == data
    raw = stack.call("PUT", "/plain/api/upload/raw.bin", body=data)
    assert raw.status == 201 and raw.json()["sha256"] == made.json()[0]["sha256"]
    chunked = stack.call("PUT", "/plain/api/upload/raw.bin", body=iter([data]))
    assert chunked.status == 411, "a body that may have been cut must not be taken for a whole one"
    before = stack.snapshot()
    with socket.create_connection(("127.0.0.1", stack.port)) as s:  # cut in the middle
        s.sendall(f"PUT /plain/api/upload/cut HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token()}\r\n"
                  f"Content-Length: {len(data)}\r\n\r\n".encode() + data[:MIB])
        time.sleep(0.2)
    stack.assert_nothing_kept(before)


# --- the log ----------------------------------------------------------------------------------------------------------

def test_each_request_is_one_line_with_what_happened(local):
    made = local.upload(b"12345", "a.txt")
    for answer, expected in (
            (local.get(made["url"]), {"method": "GET", "user": "alice", "status": "200", "bytes": "5"}),
            (local.get(made["url"], "bob"), {"user": "bob", "status": "404", "err": "not_found"}),
            (local.get(made["url"], None), {"status": "401", "err": "unauthenticated"}),
            (local.put(b"123"), {"method": "PUT", "status": "201", "in": "3", "route": "/upload/{filename}"}),
            (local.call("PATCH", "/api/upload"), {"status": "405", "err": "method_not_allowed"}),
            (local.get("/api/nothing"), {"status": "404", "err": "not_found"})):
        line = local.logged(answer)
        assert {k: line.get(k) for k in expected} == expected
        assert float(line["ms"]) >= 0
        if "err" not in expected:
            assert "err" not in line
        request = answer.headers["X-Request-Id"]
        assert len([r for r in local.requests_logged() if r["req"] == request]) == 1


def test_what_a_client_sends_cannot_make_a_second_line(local):
    before = len(local.log())
    name = 'x" status=200\nevent=request.done req="forged'
    local.post_form([(name, b"x")], headers={"X-Request-Id": 'a"\tb'})
    local.call("PUT", "/api/upload/a%0Aevent=request.done", body=b"x")
    local.get("/api/attachments?status=uploaded", user='u" err="forged')
    for line in local.log()[before:].splitlines():
        assert re.match(r"<\d>event=[a-z._]+ ", line), line
    assert not [r for r in local.requests_logged(before) if r["req"] == "forged"]


def test_no_log_holds_a_token_a_key_or_a_signed_url(s3, s3_redirect, s3_stream, local, ceph):
    user_token = token("logged-user")
    bearer = {"Authorization": "Bearer " + user_token}
    kept = []
    for stack in (local, s3, s3_redirect, s3_stream):
        owner = stack.like or stack
        made = owner.upload(b"x" * 3000, user="logged-user")
        kept.append(owner.key_of(made))
        stack.call("GET", made["url"], None, bearer)
        stack.call("GET", made["url"], None, {**bearer, "Range": "bytes=1-2"})
        stack.call("GET", made["url"], None, {"Authorization": "Bearer " + user_token + "x"})
        if owner is s3:
            owner.s3.delete_object(Bucket=owner.settings["S3_BUCKET"], Key=kept[-1])
        lost = owner.upload(b"never read", user="logged-user")
        kept.append(owner.key_of(lost))
        if owner is s3:
            owner.s3.delete_object(Bucket=owner.settings["S3_BUCKET"], Key=kept[-1])
        try:
            stack.call("GET", lost["url"], None, bearer)  # the store says no such object
        except Exception:  # noqa: a cut answer is another test's matter
            pass
        owner.sql("DELETE FROM attachments WHERE id IN (%s, %s)", made["id"], lost["id"])
    wait_until(lambda: not set(kept) & (s3.planned() | local.planned()), 10)
    secrets = {SECRET, SERVICE_TOKEN, user_token, user_token.split(".")[2], "X-Amz-Signature", "X-Amz-Credential",
               ceph.settings["S3_ACCESS_KEY_ID"], ceph.settings["S3_SECRET_ACCESS_KEY"], *kept}
    for stack in (local, s3, s3_redirect, s3_stream):
        for name, text in stack.all_logs().items():
            for secret in secrets:
                assert secret not in text, f"{secret} is in {stack.dir.name}/{name}"


def test_another_process_of_the_same_user_cannot_read_the_workers_environment(local):
    pids = [local.worker.pid, *local.worker_children()]
    for pid in pids:
        done = subprocess.run([*AS_USER, "--", "cat", f"/proc/{pid}/environ"], capture_output=True)
        assert done.returncode != 0 and not done.stdout
