"""measure.py — load by wrk, one large body by sendfile, and what /proc tells about the cost."""
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from processes import children

LUA = Path(__file__).resolve().parent / "load.lua"
TICKS = os.sysconf("SC_CLK_TCK")
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


def cpu_seconds(pid):
    """Of a process, its children and those it has reaped: worker children come and go."""
    def own(one, reaped):
        try:
            stat = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0
        return sum(int(field) for field in stat[11:15 if reaped else 13])
    return (own(pid, True) + sum(own(child, False) for child in children(pid))) / TICKS


def pss_kib(pids):
    """None when the kernel does not show it: the workers hide from other processes of their user."""
    try:
        texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
        return sum(int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1]) for text in texts)
    except OSError:
        return None


def wrk(url, connections, seconds, headers=(), method=None, body=None, body_type=None, names=None):
    """One run of one thread: requests a second, how many, and latencies in ms. An answer that is an error stops all."""
    env = {"PATH": os.environ["PATH"]}
    for name, value in {"METHOD": method, "BODY": body, "TYPE": body_type, "NAMES": names}.items():
        if value is not None:
            env["BENCH_" + name] = str(value)
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", LUA]
    for header in headers:
        words += ["-H", header]
    done = subprocess.run([*words, url], env=env, capture_output=True, text=True, timeout=seconds + 60)
    out = done.stdout
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    # "read" errors are connections that wrk itself cuts at the end
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    if done.returncode != 0 or not rate or failed or (broken and (int(broken[1]) or int(broken[2]) or int(broken[4]))):
        raise RuntimeError(f"wrk {url}: {done.stderr}{out}")
    latency = {p: float(v) * UNITS[u] for p, v, u in re.findall(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s|m)$", out, re.M)}
    return {"rate": float(rate[1]), "requests": int(re.search(r"(\d+) requests in", out)[1]),
            "p50_ms": latency.get("50"), "p99_ms": latency.get("99")}


def with_cpu(groups, run):
    """run()'s result with µs of CPU a request for each group of processes, {name: pid of the parent}."""
    before = {name: cpu_seconds(pid) for name, pid in groups.items()}
    result = run()
    result["cpu_us"] = {name: (cpu_seconds(pid) - before[name]) / max(1, result["requests"]) * 1e6
                        for name, pid in groups.items()}
    return result


def request(port, method, path, headers, body=None):
    """One small request by the standard library: (status, headers, bytes)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def send_file(port, method, path, headers, file, before=b"", after=b""):
    """Seconds for one large body, sent by sendfile(2) so that the client costs next to nothing."""
    size = os.stat(file).st_size
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", "Connection: close",
             f"Content-Length: {len(before) + size + len(after)}", *headers, "", ""]
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as s, open(file, "rb") as source:
        s.sendall("\r\n".join(lines).encode() + before)
        sent = 0
        while sent < size:
            sent += os.sendfile(s.fileno(), source.fileno(), sent, size - sent)
        s.sendall(after)
        answer = b""
        while block := s.recv(65536):
            answer += block
    seconds = time.monotonic() - start
    if not answer.startswith(b"HTTP/1.1 201"):
        raise RuntimeError(f"{method} {path}: {answer[:400]!r}")
    return seconds


def syscalls(pids, run, folder):
    """System calls a request of these processes, {name: count}, or None without strace or the right to trace."""
    if not shutil.which("strace") or os.geteuid() != 0:
        return None
    report = Path(folder) / "strace"
    words = ["strace", "-f", "-c", "-o", report, *(f"-p{pid}" for pid in pids)]
    tracer = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    requests = run()["requests"]
    tracer.send_signal(signal.SIGINT)
    tracer.wait(20)
    rows = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", report.read_text(), re.M)
    counts = {name: int(count) / requests for count, name in rows if name != "total"}
    return {name: round(count, 2) for name, count in sorted(counts.items(), key=lambda one: -one[1]) if count >= 0.05}
