"""test_sandbox.py — what the workers gave up, as the kernel tells it; and that everything still works without it.

What is refused to them is tried in tests/unit/sandbox_test.cc: the product has no door through which a test could ask.
"""
import ctypes
import os
import signal
import subprocess
from pathlib import Path

import pytest

from processes import ROOT, Process, children, own, wait_until
from stack import SECRET, SERVICE_TOKEN


def status(pid):
    lines = (line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: value.strip() for name, value in lines}


NOTHING = "0" * 16


def assert_confined(pid):
    now = status(pid)
    assert {name: now[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == dict.fromkeys(
        ("CapInh", "CapPrm", "CapEff", "CapAmb"), NOTHING)
    assert (now["NoNewPrivs"], now["Seccomp"]) == ("1", "2")


def test_children_have_no_capabilities_and_a_filter(local):
    for pid in local.worker_children():
        assert_confined(pid)
    assert status(local.worker.pid)["NoNewPrivs"] == "1"


def test_the_job_runner_is_confined_too(local):
    assert_confined(local.jobs.pid)


def test_children_of_a_roll_and_replaced_ones_have_it_too(new_stack):
    stack = new_stack()
    first = stack.worker_children()
    os.kill(stack.worker.pid, signal.SIGHUP)  # the parent executes itself: it must be able to
    wait_until(lambda: len(set(stack.worker_children()) - set(first)) == 2, 10, "new children")
    wait_until(lambda: not set(first) & set(stack.worker_children()), 10, "the old ones are gone")
    killed = stack.worker_children()[0]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: killed not in stack.worker_children() and len(stack.worker_children()) == 2, 10, "another child")
    wait_until(lambda: all(status(pid)["Seccomp"] == "2" for pid in stack.worker_children()), 5, "it is confined")
    for pid in stack.worker_children():
        assert_confined(pid)
    assert stack.get(stack.upload(b"after a roll")["url"]).body == b"after a roll"


@pytest.mark.skipif(not ROOT, reason="needs root, to have something to lose")
def test_children_of_a_parent_that_is_root_are_not_almighty(new_stack):
    stack = new_stack(start=False)
    stack.tool("migrate")
    Path(stack.settings["UPLOAD_STORAGE_PATH"]).mkdir()
    worker = Process([stack.app / "bin/cloakroom-fcgi", "--socket", stack.settings["FASTCGI_SOCKET"]], stack.env,
                     stack.dir / "log/worker.log", privileged=True)
    try:
        pids = wait_until(lambda: len(children(worker.pid)) == 2 and children(worker.pid), 10, "the children")
        wait_until(lambda: all(status(pid)["Seccomp"] == "2" for pid in pids), 5, "they are confined")
        for pid in pids:
            assert_confined(pid)
            assert status(pid)["CapBnd"] == NOTHING
    finally:
        assert worker.stop() == 0


def has_landlock():
    return ctypes.CDLL(None).syscall(444, None, 0, 1) >= 2  # landlock_create_ruleset, its version


@pytest.mark.skipif(not has_landlock(), reason="this kernel has no Landlock, or an old one")
@pytest.mark.parametrize("sandbox, code", [("on", 500), ("off", 201)])
def test_nothing_is_written_outside_of_the_store(new_stack, world, sandbox, code):
    stack = new_stack(SANDBOX=sandbox)
    outside = world.folder(f"outside-{sandbox}")
    temporary = Path(stack.settings["UPLOAD_STORAGE_PATH"]) / ".tmp"
    temporary.rmdir()
    temporary.symlink_to(outside)  # as if an intruder had the worker write elsewhere
    assert stack.post_form([("a.txt", b"x")]).status == code
    assert not list(outside.iterdir())


def test_it_can_be_switched_off(new_stack):
    stack = new_stack(SANDBOX="off")
    for pid in stack.worker_children():
        assert (status(pid)["NoNewPrivs"], status(pid)["Seccomp"]) == ("1", "0")
    assert stack.get(stack.upload(b"x")["url"]).body == b"x"


def test_one_request_as_cgi_is_confined_and_works(local):
    code, headers, answer = local.cgi("PUT", "/api/upload/cgi.txt", b"by cgi", CONTENT_LENGTH="6", LOG_LEVEL="debug")
    assert code == 201, answer


def test_secrets_come_from_files_as_systemd_gives_them(new_stack, world):
    """LoadCredential= puts a file into a folder that only the service can enter, and names the folder."""
    folder = world.folder("credentials")
    folder.chmod(0o500)
    for name, value in {"jwt": SECRET, "service": SERVICE_TOKEN}.items():
        (folder / name).write_text(value + "\n")
        own(folder / name)
        (folder / name).chmod(0o400)
    stack = new_stack(JWT_SECRET=None, SERVICE_TOKEN=None, JWT_SECRET_FILE=folder / "jwt",
                      SERVICE_TOKEN_FILE=folder / "service")
    assert stack.get(stack.upload(b"x")["url"]).body == b"x"
    assert stack.put(b"x", user="service").status == 201
    environment = subprocess.run(["cat", f"/proc/{stack.worker.pid}/environ"], capture_output=True).stdout.decode()
    if ROOT:
        assert "JWT_SECRET_FILE" in environment
    assert SECRET not in environment and SERVICE_TOKEN not in environment
