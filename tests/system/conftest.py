"""The system tests: real nginx, real PostgreSQL, real S3 (Ceph), and the workers as they are installed.

    make system                                        everything, two files at a time where nothing measures time
    /usr/bin/python3 -m pytest tests/system            the same, on what `make stage` has built
    … -m "not run"                                     without the tests of `make run` itself
    … -k "not s3"                                      does not start Ceph
    CLOAKROOM_APP=build/asan/stage …                   another build
    SOAK=1 …                                           at full size and length

`Stack` (stack.py) is one cloakroom: nginx whose configuration only includes what `cloakroom config --nginx` wrote, a
worker with its children, the job runner, a database. As root everything but nginx's master runs as www-data. Each run
has a folder of its own in /tmp and free ports; whatever it starts it stops.

Stacks that most tests share live for the whole session: `local` (DELIVERY=proxy on a disk), `s3` (the same on Ceph),
and for other deliveries the variants that share their rows and bytes: `local_stream`, `s3_redirect`, `s3_stream`. A
test that breaks things, or needs other settings, makes its own with `new_stack(SETTING=…)`.

A failed test prints the end of every log of the stacks it used.
"""
import atexit
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from processes import own  # noqa: E402
from servers import Ceph, Postgres, Swift  # noqa: E402
from stack import Stack  # noqa: E402

PROJECT = Path(__file__).resolve().parent.parent.parent
SOAK = bool(os.environ.get("SOAK"))


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: measures time, and wants the machine for itself")
    config.addinivalue_line("markers", "run: runs `make run` from a copy of the project")
    os.environ["NO_PROXY"] = "*"
    # A run that is ended by a supervisor, too, must stop what it started: Ceph and PostgreSQL are daemons.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", 143))


def pytest_runtest_logreport(report):
    """The names of what failed, for a second try: tests/run-system. Of two processes the one that hears of all writes."""
    if report.failed and "FAILED_TESTS" in os.environ and "PYTEST_XDIST_WORKER" not in os.environ:
        with open(os.environ["FAILED_TESTS"], "a", encoding="utf-8") as names:
            names.write(report.nodeid + "\n")


class World:
    """What all stacks of a session share. Ceph starts as soon as it is known that a test needs it."""

    def __init__(self):
        self.dir = own(tempfile.mkdtemp(prefix="clk-", dir="/tmp"))
        self.dir.chmod(0o755)
        self.stacks, self.made, self._postgres, self.ceph, self._swift = [], 0, None, None, None
        atexit.register(self.close)
        # A copy: another build must not change the programs under a running test, and www-data must be able to enter.
        source = Path(os.environ.get("CLOAKROOM_APP", PROJECT / "build/release/stage"))
        if not (source / "bin/cloakroom-fcgi").exists():
            pytest.exit(f"{source} has no programs: run 'make stage' first", 2)
        self.app = self.dir / "app"
        shutil.copytree(source, self.app)

    @property
    def postgres(self):
        if self._postgres is None:
            self._postgres = Postgres(self.folder("pg"))
        return self._postgres

    @property
    def swift(self):
        if self._swift is None:
            self._swift = Swift(self.dir / "swift")
        return self._swift

    def folder(self, name):
        path = self.dir / name
        path.mkdir()
        return own(path)

    def start_ceph(self):
        if self.ceph is None:
            self.ceph = Ceph(self.dir / "ceph")

    def s3_settings(self, bucket):
        self.start_ceph()
        return {"STORAGE": "s3", "S3_BUCKET": bucket, **self.ceph.ready().settings}

    def stack(self, settings=None, like=None, database=None, s3=False, **more):
        self.made += 1
        if s3:
            settings = {**self.s3_settings(f"bucket-{self.made}"), **(settings or {})}
        if like is None and database is None:
            database = self.postgres.new_database()
        made = Stack(self.app, self.dir / f"s{self.made}", database, settings, like, **more)
        if made.settings.get("STORAGE") in ("s3", "hybrid") and self.ceph is not None:
            made.s3 = self.ceph.client()
        self.stacks.append(made)
        return made

    def close(self):
        atexit.unregister(self.close)
        for stack in reversed(self.stacks):
            try:
                stack.stop()
            except Exception as e:  # the rest must be stopped all the same
                print(f"cannot stop {stack.dir.name}: {e}", file=sys.stderr)
        for server in (self.ceph, self._swift, self._postgres):
            if server:
                server.close()
        shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture(scope="session")
def world(request):
    return request.config.world


def pytest_collection_finish(session):
    if session.config.option.collectonly:
        return
    session.config.world = world = World()
    if any({"s3", "s3_redirect", "s3_stream", "ceph", "two"} & set(item.fixturenames) for item in session.items):
        world.start_ceph()


def pytest_unconfigure(config):
    if hasattr(config, "world"):
        config.world.close()


def shared(**arguments):
    """A session-long stack; `like` and `s3` as in World.stack."""

    def make(request):
        like = arguments.get("like")
        more = {**arguments, "like": request.getfixturevalue(like) if like else None}
        return request.config.world.stack(**more).start()

    return pytest.fixture(scope="session")(make)


local = shared()
local_stream = shared(like="local", settings={"DELIVERY": "stream"})
s3 = shared(s3=True)
s3_redirect = shared(like="s3", settings={"DELIVERY": "redirect"})
s3_stream = shared(like="s3", settings={"DELIVERY": "stream"})


@pytest.fixture(scope="session")
def ceph(world):
    world.start_ceph()
    return world.ceph.ready()


@pytest.fixture(scope="session")
def swift(world):
    return world.swift


@pytest.fixture
def new_stack(world):
    """Makes a stack for one test: new_stack(SETTING=value, …); stack=dict(…) are arguments of World.stack."""
    made = []

    def make(stack=None, start=True, **settings):
        made.append(world.stack(settings, **(stack or {})))
        return made[-1].start() if start else made[-1]

    yield make
    for stack in made:
        stack.stop()
        world.stacks.remove(stack)


@pytest.fixture(scope="session")
def chromium(world, tmp_path_factory):
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
                 "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
                 "--no-proxy-server", "--host-resolver-rules=MAP *.test 127.0.0.1", f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    # what browsers are set to today would hide whether our own defence holds
    options.add_experimental_option("prefs", {"profile.cookie_controls_mode": 0, "profile.block_third_party_cookies": False})
    home = tmp_path_factory.mktemp("home")
    service = Service("/usr/bin/chromedriver", env={**os.environ, "HOME": str(home)})
    driver = webdriver.Chrome(service=service, options=options)
    driver.set_script_timeout(60)
    yield driver
    driver.quit()


@pytest.fixture
def own_postgres(world):
    """A cluster that the test may stop."""
    world.made += 1
    cluster = Postgres(world.folder(f"pg{world.made}"))
    yield cluster
    cluster.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    world = getattr(item.config, "world", None)
    if not report.failed or not world:
        return
    shared_ones = [s for s in item.funcargs.values() if isinstance(s, Stack)]
    for stack in shared_ones + [s for s in world.stacks[len(world.stacks) - 1:] if s not in shared_ones]:
        for name, text in stack.all_logs().items():
            lines = [line for line in text.splitlines() if "[info]" not in line and "[notice]" not in line]
            if name != "nginx-access.log" and lines:
                report.sections.append((f"{stack.dir.name}/{name}", "\n".join(lines[-8:])))
