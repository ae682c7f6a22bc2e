"""test_hybrid_crash.py — replicate, the jobs that copy and repair, and scrub, killed with -9 at any moment.

2,000 files and 50 kills of each with SOAK=1."""
import concurrent.futures
import hashlib
import os
import random
import signal
import threading
import time

from conftest import SOAK
from crash import FILES, KILLS, end_leases, fill, is_over, killed_runs, read_back
from processes import Process, wait_until
from test_hybrid import HYBRID, all_done, assert_whole, bucket, copy_of, damage, file_of, put_object, scrub, status


class Damaged:
    """Files of which one side was damaged; the other one is right, or there would be nothing to mend it from."""

    def __init__(self, stack, files):
        self.stack, self.files, self.sides = stack, files, {}
        self.dice = random.Random(11)

    def is_right(self, one):
        path, key = file_of(self.stack, one), copy_of(self.stack, one)
        try:
            local = path.read_bytes()
        except FileNotFoundError:
            return False
        if key is None:
            return False
        try:
            copy = self.stack.s3.get_object(Bucket=self.stack.settings["S3_BUCKET"], Key=key)["Body"].read()
        except self.stack.s3.exceptions.NoSuchKey:
            return False
        return all(hashlib.sha256(side).hexdigest() == one["sha256"] for side in (local, copy))

    def forget_what_is_mended(self):
        self.sides = {id: one for id, one in self.sides.items() if not self.is_right(one)}

    def damage_up_to(self, count):
        for one in self.dice.sample(self.files, count):
            if one["id"] in self.sides or len(self.sides) >= count:
                continue
            if self.dice.random() < 0.5:
                damage(self.stack, one, self.dice.choice(("gone", "cut", "other", "rotten")))
            elif key := copy_of(self.stack, one):
                if self.dice.random() < 0.5:
                    self.stack.s3.delete_object(Bucket=self.stack.settings["S3_BUCKET"], Key=key)
                else:
                    put_object(self.stack, key, b"something else")
            self.sides[one["id"]] = one


def test_replicate_its_jobs_and_scrub_lose_nothing_wherever_they_are_killed(new_stack):
    disk = new_stack(stack={"jobs": False})
    files = fill(disk, FILES)
    disk.stop()
    stack = new_stack(stack={"like": disk, "s3": True, "jobs": False}, **HYBRID,
                      UPLOAD_STORAGE_PATH=disk.settings["UPLOAD_STORAGE_PATH"])

    def each_wish_has_its_job():
        # the server may have had its statement already, and be about to commit it
        wait_until(lambda: is_over(stack, "replicate"), 10, "the killed one is out of the database")
        wishes = [id for (id,) in stack.sql("SELECT attachment_id::text FROM copies")]
        asked = [id for (id,) in stack.sql("SELECT payload->>'id' FROM jobs WHERE kind = 'copy_object'")]
        assert sorted(wishes) == sorted(asked), "each is wished for and asked for once"
        if len(wishes) > FILES // 2:
            stack.sql("DELETE FROM copies; DELETE FROM jobs")
    killed_runs(stack, ["replicate"], after=each_wish_has_its_job)
    stack.tool("replicate")
    assert status(stack)["files"] == FILES
    assert stack.sql("SELECT count(*), count(DISTINCT payload->>'id') FROM jobs WHERE kind = 'copy_object'") == [(FILES, FILES)]

    share = max(10, FILES // KILLS)

    def some_are_due():
        wait_until(lambda: is_over(stack, "jobs"), 10, "the killed one is out of the database")
        end_leases(stack)
        stack.sql("UPDATE jobs SET run_at = now() WHERE id IN (SELECT id FROM jobs WHERE kind = 'copy_object' ORDER BY random()"
                  " LIMIT %s)", share)
        copied = {key for (key,) in stack.sql("SELECT key FROM copies WHERE key IS NOT NULL")}
        there = bucket(stack)
        assert copied <= there, "no copy is believed in before it is there"
        assert there - copied <= stack.planned(), "what a killed one stored has a ticket"
        if status(stack)["files"] < share:  # once more
            stack.sql("DELETE FROM copies")
            stack.sql("UPDATE jobs SET run_at = now()")
            stack.tool("jobs", "--once")
            stack.tool("replicate")
            stack.sql("UPDATE jobs SET run_at = now() + interval '1 hour'")
    stack.sql("UPDATE jobs SET run_at = now() + interval '1 hour'")
    some_are_due()
    killed_runs(stack, ["jobs", "--once"], after=some_are_due)
    end_leases(stack)
    stack.sql("UPDATE deletion_tickets SET due_at = now()")
    wait_until(lambda: all_done(stack) and not stack.planned(), 120, "all is copied, and nothing is left over")
    assert_whole(stack)

    damaged = Damaged(stack, files)
    damaged.damage_up_to(FILES // 40)

    def mend_and_damage():
        wait_until(lambda: is_over(stack, "scrub"), 10, "the killed one is out of the database")
        end_leases(stack)
        damaged.forget_what_is_mended()
        damaged.damage_up_to(FILES // 40)
        read_back(stack, random.sample([one for one in files if one["id"] not in damaged.sides], 10))
    killed_runs(stack, ["scrub", "--rate", "0"], after=mend_and_damage)
    end_leases(stack)
    stack.sql("UPDATE deletion_tickets SET due_at = now()")
    for _ in range(2):  # the first one goes on where the killed one was, and does not see what is before
        wait_until(lambda: scrub(stack, "--rate", "0")[0] == 0 and all_done(stack), 120, "a scrub that finds nothing broken")
    damaged.forget_what_is_mended()
    assert not damaged.sides and scrub(stack, "--dry-run", "--rate", "0")[0] == 0
    assert not stack.sql("SELECT 1 FROM dead_jobs")
    assert_whole(stack)
    read_back(stack, files)
    assert stack.tool("audit", "--older-than", "0").returncode == 0


def test_killed_at_any_moment_nothing_is_lost_or_doubled(world):
    stack = world.stack({**HYBRID, "ORPHAN_GRACE": "60"}, s3=True, jobs=False).start()
    rounds = 200 if SOAK else 12
    dice = random.Random(7)
    kept, stop = {}, threading.Event()

    def load():
        while not stop.is_set():
            data = os.urandom(dice.choice((0, 10, 30_000, 3_000_000)))
            made = stack.put(data).json()
            kept[made["id"]] = (made, data)
            if len(kept) > 40:
                victim = dice.choice(list(kept))
                made, _ = kept.pop(victim)
                assert stack.call("DELETE", f"/api/attachments/{victim}").status == 204
            time.sleep(0.02)
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            loading = pool.submit(load)
            for number in range(rounds):
                copied = [a for (a,) in stack.sql("SELECT attachment_id::text FROM copies WHERE key IS NOT NULL")]
                for victim in dice.sample(copied, min(len(copied), 4)):
                    try:
                        if victim in kept:
                            damage(stack, kept[victim][0], dice.choice(("gone", "cut", "other")))
                            stack.get(kept[victim][0]["url"])  # asks for the repair
                    except (IndexError, OSError, KeyError):
                        pass  # deleted meanwhile, or empty
                stack.sql("UPDATE jobs SET run_at = now(), locked_until = NULL, locked_by = NULL")
                words = ["jobs"] if number % 2 else ["scrub", "--rate", "0"]
                run = Process([stack.app / "bin/cloakroom", *words], stack.env, stack.dir / "log/killed.log")
                time.sleep(dice.uniform(0.05, 0.6))
                run.stop(signal.SIGKILL)
            stop.set()
            loading.result()
        wait_until(lambda: (end_leases(stack), all_done(stack))[1], 60)
        # tickets of copies that were under way
        stack.sql("UPDATE deletion_tickets SET due_at = now()")
        all_done(stack)
        wait_until(lambda: scrub(stack, "--rate", "0")[0] == 0, 60, "a scrub that finds nothing broken")
        wait_until(lambda: all_done(stack), 60)
        assert scrub(stack, "--dry-run", "--rate", "0")[0] == 0
        assert not stack.sql("SELECT 1 FROM dead_jobs")
        assert len(stack.rows()) == len(kept) and len(bucket(stack) - stack.planned()) == len(kept)
        assert_whole(stack)
        for made, data in kept.values():
            assert stack.get(made["url"]).body == data
        assert stack.tool("audit", "--older-than", "0").returncode == 0
    finally:
        stop.set()
        stack.stop()
        world.stacks.remove(stack)
