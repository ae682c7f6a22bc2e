"""crash.py — kills a command with -9 at any moment of its run, again and again, and looks whether anything was lost.

    files = fill(stack, FILES)                       many small files, in a second or two
    killed_runs(stack, ["cleanup"], after=check)     KILLS kills, spread over the length of a run
    assert_nothing_lost(stack, files)                every row has its bytes, all bytes a row, every file its hash

FILES and KILLS fit `make check`; with SOAK=1 they are 2,000 and 50.
"""
import concurrent.futures
import hashlib
import os
import random
import signal
import subprocess
import time
from dataclasses import dataclass, field

from conftest import SOAK
from processes import as_user, wait_until

FILES, KILLS = (2000, 50) if SOAK else (120, 6)
KEPT = {"S3_FALLBACK": "local", "NODE_NAME": "node1"}
_NOWHERE = "http://127.0.0.1:1"
_CLIENTS = 8


@dataclass
class Kills:
    """What killed_runs did: `hits` are kills of a live process, `moments` when in its life, `longest` that of a whole run."""
    words: list
    seed: int
    hits: int = 0
    runs: int = 0
    longest: float = 0
    moments: list = field(default_factory=list)

    def __str__(self):
        spread = sorted(round(m * 1000) for m in self.moments)
        return (f"cloakroom {' '.join(map(str, self.words))}: killed {self.hits} times in {self.runs} runs, "
                f"{spread[0]} to {spread[-1]} ms after their begin, where a whole one takes {self.longest * 1000:.0f} ms "
                f"(seed {self.seed})")


def fill(stack, count, first=0, name="{}.bin", user="alice"):
    """`count` small files of different bytes, uploaded in forms of 50: their attachments."""
    def upload(begin):
        files = [(name.format(i), b"bytes %d" % i) for i in range(begin, min(begin + 50, end))]
        # a store on a busy machine may be given up for a moment, and with S3_FALLBACK a worker is ready before its bucket
        # is made: then nothing was kept
        for _ in range(5):
            answer = stack.post_form(files, user=user)
            if answer.status not in (502, 503):
                break
            time.sleep(2)
        assert answer.status == 201, str(answer)
        return answer.json()

    end = first + count
    with concurrent.futures.ThreadPoolExecutor(2) as pool:  # as many as there are workers
        return [one for made in pool.map(upload, range(first, end, 50)) for one in made]


def fill_both(new_stack, count, **settings):
    """A stack that has files on its disk, from before it went to S3, some that it keeps aside, and some in its bucket."""
    disk = new_stack(stack={"jobs": False}, NODE_NAME="node1", **settings)
    stack = new_stack(stack={"like": disk, "s3": True, "jobs": False}, **KEPT, **settings)
    cut_off = new_stack(stack={"like": stack, "jobs": False}, **KEPT, **settings, S3_ENDPOINT=_NOWHERE,
                        UPLOAD_STORAGE_PATH=disk.settings["UPLOAD_STORAGE_PATH"])
    share = count // 3
    files = fill(disk, share) + fill(cut_off, share, share) + fill(stack, count - 2 * share, 2 * share)
    places = stack.sql("SELECT store, key LIKE '.kept/%%', count(*) FROM attachments GROUP BY 1, 2 ORDER BY 1, 2")
    assert places == [("local", False, share), ("local", True, share), ("s3", False, count - 2 * share)], places
    stack.sql("DELETE FROM deletion_tickets WHERE store = 's3'")  # for what the one that was cut off could not send
    for other in (disk, cut_off):
        other.stop()
    return stack, files


def start(stack, words, out=subprocess.DEVNULL):
    """`cloakroom WORDS` in a process group of its own."""
    with open(stack.dir / "log/killed.log", "ab") as log:
        return subprocess.Popen(as_user([stack.app / "bin/cloakroom", *words]), env=stack.env, cwd="/",
                                stdin=subprocess.DEVNULL, stdout=out, stderr=log, start_new_session=True)


def end_leases(stack):
    """As if those that killed runners had were over."""
    stack.sql("UPDATE jobs SET locked_until = NULL, locked_by = NULL")


def is_over(stack, word):
    """Whether PostgreSQL has noticed that nobody is there any more: until then the lock is held."""
    return not stack.sql("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND"
                         " (application_name LIKE 'cloakroom-' || %s || '@%%' OR application_name LIKE 'cloakroom ' || %s || ',%%')",
                         word, word)


def killed_runs(stack, words, kills=None, after=None, longest=None, seed=None):
    """Runs `cloakroom WORDS` until `kills` of its runs were killed, with all their processes, at moments that are spread
    over the length of a run: one in each of so many equal parts of it, in an order of chance. `after()` follows each run:
    it looks whether all is well, and makes new work, or else the runs become shorter; that is measured, and followed.
    `words` may be a function that is asked before each run. `longest`: seconds of a whole run at first; else one that
    nobody kills is measured. Returns Kills."""
    kills = KILLS if kills is None else kills
    words = words if callable(words) else (lambda always=list(words): always)
    first = words()
    after = after or (lambda: None)
    seed = random.randrange(1 << 32) if seed is None else seed
    chance, done = random.Random(seed), Kills(first, seed)
    if longest is None:
        began = time.monotonic()
        code = start(stack, first).wait(300)
        longest = time.monotonic() - began
        assert code in (0, 1), f"{done.words} ended with {code} (see killed.log)"
        after()
    shares = [(i + chance.random()) / kills for i in range(kills)]
    chance.shuffle(shares)
    missed = 0
    while shares:
        wait_until(lambda: is_over(stack, first[0]), 10, "the killed one is out of the database")
        began = time.monotonic()
        process = start(stack, words())
        done.runs += 1
        try:
            code = process.wait(shares[-1] * longest)
            # sooner at its end than it was thought
            assert code in (0, 1), f"{done.words} ended with {code} (see killed.log)"
            longest = max(time.monotonic() - began, 0.005)
            missed += 1
            assert missed < 20 + 10 * kills, f"{done.words} is always sooner at its end: {longest} s"
            if missed % 3 == 0:
                shares[-1] = chance.random()
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            moment = time.monotonic() - began
            if process.wait(10) == -signal.SIGKILL:
                done.hits += 1
                done.moments.append(moment)
                share = shares.pop()
                longest *= 1.1 if share > 0.9 else 1
        after()
    done.longest = longest
    print(f"\n{done}")
    return done


def read_back(stack, files, user="alice"):
    """Each of these files is served, whole."""
    def read(one):
        answer = stack.get(one["url"], user)
        assert answer.status == 200, f"{one['id']}: {answer}"
        assert hashlib.sha256(answer.body).hexdigest() == one["sha256"], f"{one['id']} is served with other bytes"

    with concurrent.futures.ThreadPoolExecutor(_CLIENTS) as pool:
        list(pool.map(read, files))


def assert_nothing_lost(stack, files, may_be_gone=False, user="alice"):
    """What Stack.assert_whole says; each of these files has a row, and is served with its hash, or has a tombstone and all
    its bytes, or else, where that is allowed, is gone. Returns how many there are of each."""
    stack.assert_whole()
    rows = {id for (id,) in stack.sql("SELECT id::text FROM attachments")}
    buried = dict(stack.sql("SELECT id::text, (attachment->>'store') || '/' || (attachment->>'key') FROM tombstones"
                            " WHERE NOT purge_begun"))
    there = [one for one in files if one["id"] in rows]
    read_back(stack, there, user)
    stored = stack.stored()
    for one in files:
        assert one["id"] in rows or one["id"] not in buried or buried[one["id"]] in stored, f"{one['id']} has no bytes"
    gone = [one["id"] for one in files if one["id"] not in rows and one["id"] not in buried]
    assert may_be_gone or not gone, f"without row or tombstone: {gone}"
    return {"read": len(there), "buried": len(buried), "gone": len(gone)}
