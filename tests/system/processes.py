"""processes.py — starts, watches and ends the processes of a test run; only ever its own."""
import itertools
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = os.geteuid() == 0
# No worker runs as root, and PostgreSQL refuses to. A killed test run takes its processes along (--pdeathsig).
USER = "www-data" if ROOT else None
AS_USER = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"] if ROOT else ["setpriv"]


def as_user(command):
    return AS_USER + ["--pdeathsig", "TERM", "--"] + [str(word) for word in command]


def own(path):
    """Gives a path to the user the services run as."""
    if ROOT:
        import shutil
        shutil.chown(path, USER, USER)
    return Path(path)


# Below the ports that the kernel gives to clients: none of them can take one between our look and the server's bind.
# Runs side by side (xdist) have a share each.
_SHARE = 22000 // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_FIRST = 10000 + _SHARE * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_ports = itertools.cycle(random.sample(range(_FIRST, _FIRST + _SHARE), _SHARE))


def free_port():
    while True:
        port = next(_ports)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_until(true, seconds=10.0, what=None, every=0.02):
    """What true() returns as soon as it is truthy; a TimeoutError that names `what` otherwise."""
    end = time.monotonic() + seconds
    while True:
        value = true()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s: {what or true}")
        time.sleep(every)


def children(pid):
    """The pids of a process's living children."""
    try:
        pids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [int(p) for p in pids if is_alive(int(p))]


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def memory_kib(pid, name):
    """VmRSS or VmHWM (the peak of VmRSS) of a process, in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise KeyError(name)


def reset_peak(pid):
    """Makes VmHWM begin anew. An ordinary user may not, for the workers hide from him: then the old peak stays."""
    try:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    except OSError:
        pass


class PeakMemory:
    """`with PeakMemory(pids) as peak: …` then peak.growth_kib: how far any peak rose above its level before."""

    def __init__(self, pids):
        self.pids = pids

    def __enter__(self):
        for pid in self.pids:
            reset_peak(pid)
        self.before = {pid: memory_kib(pid, "VmHWM") for pid in self.pids}
        return self

    def __exit__(self, *_):
        self.growth_kib = max(memory_kib(pid, "VmHWM") - self.before[pid] for pid in self.pids)


class Process:
    """A child with its standard error in a file."""

    def __init__(self, command, env, log, privileged=False, stdin=subprocess.DEVNULL):
        self.log = Path(log)
        words = [str(word) for word in command]
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen(words if privileged else as_user(words), env=env, stdin=stdin, stdout=out,
                                          stderr=out, cwd="/")
        self.pid = self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def send(self, number):
        if self.running():
            os.kill(self.pid, number)

    def wait(self, seconds=30):
        return self.popen.wait(seconds)

    def stop(self, number=signal.SIGTERM, seconds=20):
        """The exit code; a process that does not stop is killed and its test fails."""
        self.send(number)
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            for pid in children(self.pid) + [self.pid]:
                os.kill(pid, signal.SIGKILL)
            self.popen.wait()
            raise

    def text(self):
        return self.log.read_text(errors="replace")
