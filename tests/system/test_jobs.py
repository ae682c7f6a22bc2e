"""test_jobs.py — the job runner as a sysadmin meets it: what is in the queue, what failed, several processes, a stop."""
import json
import os
import signal

from processes import children, wait_until


def add_bad_job(stack):
    return stack.sql("INSERT INTO jobs (kind, payload) VALUES ('delete_object', '{}') RETURNING id")[0][0]


def hurry(stack):
    stack.sql("UPDATE jobs SET run_at = now() WHERE locked_until IS NULL; SELECT pg_notify('cloakroom_jobs', '')")


def kinds(stack):
    done = stack.tool("jobs", "--status", "--json", check=False)
    return {one["kind"]: one for one in json.loads(done.stdout)}, done.returncode


def test_a_job_that_fails_too_often_is_put_aside_seen_and_tried_again(new_stack):
    stack = new_stack(JOBS_MAX_FAILURES=3)
    assert "there are no jobs" in stack.tool("jobs", "--status").stdout
    job = add_bad_job(stack)
    hurry(stack)
    wait_until(lambda: kinds(stack)[0].get("delete_object", {}).get("failing"), 10, "the job failed once")
    assert kinds(stack)[1] == 0
    wait_until(lambda: hurry(stack) or kinds(stack)[0]["delete_object"]["dead"], 20, "it is dead", every=0.1)
    status, code = kinds(stack)
    assert code == 1 and status["delete_object"]["due"] == status["delete_object"]["later"] == 0
    assert "event=job.dead" in stack.jobs.text()
    failed, = json.loads(stack.tool("jobs", "--failed", "--json", check=False).stdout)
    assert (failed["id"], failed["kind"], failed["failures"]) == (job, "delete_object", 3)
    assert failed["error"] == "the payload of a delete_object job is malformed"
    table = stack.tool("jobs", "--failed", check=False)
    assert table.returncode == 1 and failed["error"] in table.stdout and str(job) in table.stdout
    assert "delete_object" in stack.tool("jobs", "--status", check=False).stdout
    assert 'cloakroom_jobs{kind="delete_object",state="dead"} 1\n' in stack.tool("jobs", "--metrics").stdout
    assert b'cloakroom_jobs{kind="delete_object",state="dead"} 1\n' in stack.get("/metrics", "service").body
    assert stack.get("/metrics").status == 403

    assert stack.tool("jobs", "--retry", "12345678", check=False).returncode == 1
    assert stack.tool("jobs", "--retry", "nonsense", check=False).returncode == 2
    assert stack.tool("jobs", "--retry", "", check=False, timeout=20).returncode == 2, "and does not become a runner"
    made = stack.upload(b"bytes")
    key = stack.key_of(made)
    stack.sql("UPDATE dead_jobs SET payload = jsonb_build_object('store', 'local', 'key', 'aa/' || 'nothing-is-there')")
    assert "1 job is tried again" in stack.tool("jobs", "--retry", job).stdout
    wait_until(lambda: not kinds(stack)[0], 10, "mended, it is done")
    assert stack.tool("jobs", "--retry", "all").stdout.startswith("0 jobs")
    assert key in stack.objects()


def test_several_processes_share_the_work_and_one_that_dies_is_replaced(new_stack):
    stack = new_stack(stack={"jobs": False}, JOBS_PARALLEL=3)
    made = []
    while len(made) < 300:
        made += stack.post_form([(f"{i}.bin", b"x") for i in range(60)]).json()
    stack.start_jobs()

    def runners():
        return {line.split("pid=")[1].split()[0] for line in stack.jobs.text().splitlines() if "event=jobs.ready" in line}
    wait_until(lambda: len(runners()) == 3, 20, "three processes are ready")
    victim = children(stack.jobs.pid)[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(runners()) == 4, 20, "another one is ready")
    assert len(children(stack.jobs.pid)) == 3 and victim not in children(stack.jobs.pid)
    stack.sql("DELETE FROM attachments")
    wait_until(lambda: not stack.planned(), 30, "all objects are deleted")
    assert not stack.objects()
    assert len(runners()) == 4
    pids = children(stack.jobs.pid)
    assert stack.jobs.stop() == 0
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), 5, "nobody stays behind")
