"""test_run.py — `make run` in a copy of the project: what it prints can be pasted, data stays, processes do not."""
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

import http_client
from conftest import PROJECT, SOAK
from processes import ROOT, free_port, is_alive, wait_until

pytestmark = pytest.mark.run


@pytest.fixture(scope="module")
def checkout(world):
    """The files of the project as they are now, in a folder of their own. Objects are taken along unless SOAK is set:
    compiling all anew takes minutes and proves no more than `make` did."""
    folder = world.dir / "checkout"
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=PROJECT, capture_output=True)
    names = [n for n in listed.stdout.decode().split("\0") if n and (PROJECT / n).is_file()]
    if not names:
        pytest.skip("not a git checkout")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / name, folder / name)
    if not SOAK and (PROJECT / "build/release").is_dir():
        shutil.copytree(PROJECT / "build/release", folder / "build/release",
                        ignore=shutil.ignore_patterns("tests", "stage"))
    return folder


def make_run_words(checkout):
    """With the compiler and the flags of the objects that are there, or all would be compiled anew."""
    flags = checkout / "build/release/FLAGS"
    words = flags.read_text().split() if flags.exists() else []
    compiler = " ".join(itertools.takewhile(lambda word: not word.startswith("-"), words))
    return ["make", "run", *([f"CXX={compiler}"] if compiler else []), *(["WERROR=1"] if "-Werror" in words else [])]


def processes_of(*folders):
    """The processes whose command line names one of the folders."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if any(str(f) in line for f in folders) and is_alive(int(entry.name)):
                found.append((int(entry.name), line.replace("\0", " ")))
    return found


class Run:
    def __init__(self, checkout, var, **settings):
        self.checkout, self.var, self.port = checkout, var, free_port()
        self.output = checkout / "run.out"
        # a clean environment: nothing of this test's may help
        env = {k: os.environ[k] for k in ("PATH", "HOME", "USER", "LANG", "TERM") if k in os.environ}
        with open(self.output, "wb") as out:
            self.popen = subprocess.Popen(make_run_words(checkout), cwd=checkout, stdout=out, stderr=out,
                                          stdin=subprocess.DEVNULL, start_new_session=True,
                                          env={**env, "PORT": str(self.port), "VAR": str(var), **settings})

    def text(self):
        return self.output.read_text(errors="replace")

    def ready(self, seconds=600):
        wait_until(lambda: "Ctrl-C stops" in self.text() or self.popen.poll() is not None, seconds, "make run is ready")
        assert self.popen.poll() is None, self.text()
        return self

    def paste(self):
        """The commands it prints, as they are, in one shell. Returns what that shell said."""
        commands = [line[2:] for line in self.text().splitlines() if re.match(r"  (TOKEN=|curl )", line)]
        assert len(commands) == 3, self.text()
        done = subprocess.run(["bash", "-ec", "\n".join(commands)], cwd=self.checkout, capture_output=True, text=True,
                              env={"PATH": os.environ["PATH"], "no_proxy": "*"}, timeout=60)
        assert done.returncode == 0, done.stderr + self.text()
        return done.stdout

    def demo(self):
        return dict(line.split("=", 1) for line in (self.var / "demo.env").read_text().splitlines())

    def tool(self, *words):
        """What it prints as the tool on this instance, in an environment of its own."""
        done = subprocess.run([self.var / "cloakroom", *words], capture_output=True, text=True, timeout=60,
                              env={"PATH": os.environ["PATH"]})
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def stop(self, number, pid=None):
        os.kill(pid or self.popen.pid, number)
        code = self.popen.wait(30)
        wait_until(lambda: not processes_of(self.var), 10, "all its processes end")
        return code

    def kill(self):
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, signal.SIGTERM)
            self.popen.wait(30)


@pytest.fixture
def make_run(checkout):
    runs = []

    def make(var, **settings):
        runs.append(Run(checkout, var, **settings))
        return runs[-1].ready()

    yield make
    for run in runs:
        run.kill()


def same_bytes(checkout):
    return (checkout / "copy").read_bytes() == (checkout / "README.md").read_bytes()


def test_what_make_run_prints_can_be_pasted_and_a_second_run_finds_the_data(make_run, checkout):
    var = checkout / "var-first"
    run = make_run(var)
    assert '"filename":"README.md"' in run.paste() and same_bytes(checkout)
    demo = run.demo()
    assert demo["BASE_URL"] == f"http://127.0.0.1:{run.port}"
    assert set(demo) >= {"BASE_URL", "ALICE_TOKEN", "BOB_TOKEN", "SERVICE_TOKEN", "PID"}
    assert oct((var / "demo.env").stat().st_mode & 0o777) == "0o600"
    listed = http_client.call(run.port, "GET", "/api/attachments?status=uploaded",
                              {"Authorization": "Bearer " + demo["ALICE_TOKEN"]}).json()
    assert len(listed) == 1
    link = http_client.call(run.port, "POST", f"/api/attachments/{listed[0]['id']}/link-token",
                            {"Authorization": "Bearer " + demo["ALICE_TOKEN"]}).json()["url"]
    assert http_client.call(run.port, "GET", link).status == 200
    if ROOT:
        services = [pid for pid, line in processes_of(var, checkout / "build")
                    if line.split()[0].endswith(("postgres", "cloakroom", "cloakroom-fcgi"))]
        assert len(services) >= 3 and 0 not in {real_uid(pid) for pid in services}
    assert oct((var / "cloakroom").stat().st_mode & 0o777) == "0o700"
    assert json.loads(run.tool("usage", "--by", "user", "--json").stdout)["total"]["files"] == 1
    assert ", 0 failures" in run.tool("check", "--url", demo["BASE_URL"]).stdout
    another = subprocess.run(make_run_words(checkout), cwd=checkout, capture_output=True, text=True, timeout=120,
                             env={**os.environ, "VAR": str(var), "PORT": str(free_port())})
    assert another.returncode != 0 and "stop it, or choose another VAR" in another.stderr
    run.stop(signal.SIGTERM, int(demo["PID"]))
    assert not (var / "demo.env").exists() and not (var / "cloakroom").exists()

    again = make_run(var)
    for name, event in (("image", "pool.ready"), ("worker", "parent.ready"), ("jobs", "jobs.ready")):
        assert (var / f"log/{name}.log").read_text().count(f"event={event}") == 1, f"{name}.log is that of this run"
    token = {"Authorization": "Bearer " + demo["ALICE_TOKEN"]}  # the secret stayed too
    answer = http_client.call(again.port, "GET", listed[0]["url"], token)
    assert answer.status == 200 and answer.body == (checkout / "README.md").read_bytes()
    assert http_client.call(again.port, "GET", link).status == 200
    again.stop(signal.SIGTERM)  # to make, as a supervisor or a `kill` would


def real_uid(pid):
    return int(re.search(r"^Uid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M).group(1))


def test_ctrl_c_stops_everything(make_run, checkout):
    var = checkout / "var-interrupt"
    run = make_run(var)
    assert processes_of(var)
    os.killpg(run.popen.pid, signal.SIGINT)  # as a terminal does: to the whole group
    run.popen.wait(30)
    wait_until(lambda: not processes_of(var), 10, "all its processes end")
    assert not (var / "demo.env").exists()


def test_make_run_with_a_store_keeps_the_bytes_there(make_run, checkout, ceph):
    run = make_run(checkout / "var-s3", S3_BUCKET="make-run", **ceph.settings)
    assert '"filename":"README.md"' in run.paste() and same_bytes(checkout)
    objects = ceph.client().list_objects_v2(Bucket="make-run")["Contents"]
    assert [o["Size"] for o in objects] == [(checkout / "README.md").stat().st_size]
    assert not [p for p in (run.var / "files").rglob("*") if p.is_file()]
    assert json.loads(run.tool("audit", "--json").stdout.splitlines()[-1])["finished"]
    run.stop(signal.SIGTERM, int(run.demo()["PID"]))


def test_a_port_in_use_is_said_clearly(checkout, local):
    began = time.monotonic()
    done = subprocess.run(make_run_words(checkout), cwd=checkout, capture_output=True, text=True, timeout=120,
                          env={**os.environ, "PORT": str(local.port), "VAR": str(checkout / "var-port")})
    assert done.returncode != 0 and f"port {local.port} is in use" in done.stderr
    assert time.monotonic() - began < 100 and not processes_of(checkout / "var-port")
