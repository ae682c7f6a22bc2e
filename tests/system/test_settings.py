"""test_settings.py — settings as a sysadmin gives them: checked as a whole, from files, by older names."""
import json
import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from http_client import form
from processes import ROOT, as_user, own, wait_until


def run_worker(stack, *words, **settings):
    env = {"PATH": "/usr/bin:/bin", **{k: str(v) for k, v in settings.items()}}
    return subprocess.run(as_user([stack.app / "bin/cloakroom-fcgi", *words]), env=env, capture_output=True, text=True,
                          timeout=20, stdin=subprocess.DEVNULL, cwd="/")


@pytest.mark.parametrize("words", [["--check-config"], ["--socket", "/tmp/never.sock"], []])
def test_bad_settings_end_it_with_78_and_all_problems_named(local, words):
    done = run_worker(local, *words, STORAGE="tape", MAX_UPLOAD_SIZE="huge", WORKERS="0", DELIVERY="pigeon",
                      PRESIGN_EXPIRES="604801", AUTH="jwt", SERVICE_TOKEN="short", KEY_PREFIX="../up", LOG_LEVEL="loud",
                      S3_SECRET_ACCESS_KEY_FILE="/nonexistent/secret")
    assert done.returncode == 78 and done.stdout == ""
    for name in ("STORAGE", "MAX_UPLOAD_SIZE", "WORKERS", "DELIVERY", "PRESIGN_EXPIRES", "JWT_SECRET", "SERVICE_TOKEN",
                 "KEY_PREFIX", "LOG_LEVEL", "DATABASE_URL", "S3_SECRET_ACCESS_KEY_FILE"):
        assert re.search(rf"^{name}: ", done.stderr, re.M), f"{name} is not named in:\n{done.stderr}"
    assert not os.path.exists("/tmp/never.sock")


def test_check_config_shows_the_settings_and_no_secret(local):
    secrets = {"DATABASE_URL": "postgresql://u:topsecret1@h/d", "JWT_SECRET": "topsecret2-0123456789",
               "SERVICE_TOKEN": "topsecret3-0123456789", "S3_ACCESS_KEY_ID": "topsecret4",
               "S3_SECRET_ACCESS_KEY": "topsecret5", "S3_SESSION_TOKEN": "topsecret6", "S3_BUCKET": "abc",
               "STORAGE": "s3"}
    done = run_worker(local, "--check-config", **secrets)
    assert done.returncode == 0, done.stderr
    assert "topsecret" not in done.stdout + done.stderr
    assert "STORAGE=s3" in done.stdout and "SERVICE_TOKEN=(set)" in done.stdout and "R2_ACCOUNT_ID=" in done.stdout


def test_a_setting_may_come_from_a_file_or_an_older_name(local, world):
    path = own(world.folder("named")) / "bucket"
    path.write_text("from-a-file\n")
    own(path)
    done = run_worker(local, "--check-config", DATABASE_URL="x", JWT_SECRET="0123456789abcdef", AWS_BUCKET_FILE=path,
                      MAX_UPLOAD_SIZE_MB="7", AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="s", AWS_REGION="eu-west-9")
    assert done.returncode == 0, done.stderr
    assert "S3_BUCKET=from-a-file  # AWS_BUCKET_FILE" in done.stdout
    assert "MAX_UPLOAD_SIZE=7  # MAX_UPLOAD_SIZE_MB" in done.stdout
    assert "S3_REGION=eu-west-9  # AWS_REGION" in done.stdout


def test_a_bad_key_is_found_at_the_check(local, world):
    path = own(world.folder("badpem")) / "key.pem"
    path.write_text("-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----\n")
    own(path)
    done = run_worker(local, "--check-config", DATABASE_URL="x", JWT_PUBLIC_KEY_FILE=path)
    assert done.returncode == 78 and "JWT_PUBLIC_KEY" in done.stderr


def test_without_a_socket_or_a_request_it_says_what_is_missing(local):
    done = run_worker(local, DATABASE_URL="x", JWT_SECRET="0123456789abcdef")
    assert done.returncode == 2 and "--socket" in done.stderr


def test_nginx_includes_are_checked_against_the_settings(local):
    assert local.tool("config", "--nginx-check", local.dir / "nginx").returncode == 0
    path = local.dir / "nginx/default-server.conf"
    good = path.read_text()
    try:
        path.write_text(good.replace("client_max_body_size", "client_max_body_size  "))
        assert local.tool("config", "--nginx-check", local.dir / "nginx", check=False).returncode == 1
    finally:
        path.write_text(good)


def test_another_prefix_and_instance_name_work_throughout(new_stack):
    stack = new_stack(ROUTE_PREFIX="/chat/v1", WORKERS=1)
    body, kind = form([("a.txt", b"prefixed")])
    made = stack.call("POST", "/chat/v1/upload", headers={"Content-Type": kind}, body=body)
    assert made.status == 201 and made.json()[0]["url"].startswith("/chat/v1/files/")
    assert stack.get(made.json()[0]["url"]).body == b"prefixed"
    assert stack.get(made.json()[0]["url"].replace("/chat/v1", "/api")).status == 404


CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def in_an_etc_of_its_own(stack, folder, settings, as_root=True):
    """`cloakroom -i chat`, for words behind it, where /etc/cloakroom/chat.env has these settings and is root's alone."""
    (folder / "chat.env").write_text("".join(f"{name}='{value}'\n" for name, value in settings.items()))
    etc = folder / "etc"
    shutil.rmtree(etc, ignore_errors=True)
    script = (f'cp -a /etc {etc}; install -d -m 750 {etc}/cloakroom; install -m 640 {folder}/chat.env {etc}/cloakroom/;'
              f' mount --bind {etc} /etc; exec "$@"')
    command = [str(stack.app / "bin/cloakroom"), "-i", "chat"]
    return ["unshare", "--mount", "--", "sh", "-ec", script, "sh", *(command if as_root else as_user(command))]


def by_instance(stack, folder, settings, *words, as_root=True):
    command = in_an_etc_of_its_own(stack, folder, settings, as_root)
    return subprocess.run([*command, *map(str, words)], env=CLEAN, capture_output=True, text=True, timeout=60, cwd="/")


def identity_of(stack, folder, env):
    """User and group of a command that stays. Of root's ids, groups and capabilities nothing may be left."""
    with open(folder / "jobs.log", "wb") as log:  # unshare and the shell become the command itself
        process = subprocess.Popen([*in_an_etc_of_its_own(stack, folder, env), "jobs"], env=CLEAN, stdout=log, stderr=log, cwd="/")
    status = Path(f"/proc/{process.pid}/status")
    try:
        wait_until(lambda: process.poll() is None and "0" not in fields(status)["Uid"].split(), 20, "it has stepped down")
        facts = fields(status)
        uid, gid = facts["Uid"].split(), facts["Gid"].split()
        assert len(set(uid)) == len(set(gid)) == 1 and "0" not in facts["Groups"].split(), facts
        assert int(facts["CapEff"], 16) == int(facts["CapPrm"], 16) == 0
        return uid[0], gid[0]
    finally:
        process.kill()
        process.wait()


def fields(status):
    return dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)


@pytest.mark.skipif(not ROOT, reason="is about root")
def test_for_an_instance_root_becomes_the_user_of_its_workers(new_stack, tmp_path):
    stack = new_stack()
    files = Path(stack.settings["UPLOAD_STORAGE_PATH"])
    env = {name: value for name, value in stack.env.items() if name not in ("PATH", "INSTANCE")}

    def verdict():
        done = by_instance(stack, tmp_path, env, "check", "--json")
        assert done.returncode in (0, 1) and done.stdout, done.stderr
        return {one["check"]: one["verdict"] for one in json.loads(done.stdout)["checks"]}["local.write"]
    assert verdict() == "ok"
    for folder in (files, *(one for one in files.iterdir() if one.is_dir())):
        folder.chmod(0o500)  # which is nothing to root
    try:
        assert verdict() == "failure"
    finally:
        for folder in (files, *(one for one in files.iterdir() if one.is_dir())):
            folder.chmod(0o700)
    assert identity_of(stack, tmp_path, env) == (str(pwd.getpwnam("www-data").pw_uid), str(pwd.getpwnam("www-data").pw_gid))
    os.chown(files, 64123, 0)  # a number without a name, in root's group: it gets neither that nor another
    assert identity_of(stack, tmp_path, env) == ("64123", "64123")
    os.chown(files, 0, 0)  # root's own: as the units
    assert identity_of(stack, tmp_path, env)[0] == str(pwd.getpwnam("www-data").pw_uid)
    shutil.chown(files, "www-data", "www-data")
    for_root_alone = tmp_path / "nginx"
    for_root_alone.mkdir(mode=0o700)
    done = by_instance(stack, tmp_path, env, "config", "--nginx", for_root_alone)
    assert done.returncode == 0 and (for_root_alone / "chat-http.conf").stat().st_uid == 0, done.stderr
    done = by_instance(stack, tmp_path, env, "check", as_root=False)
    assert done.returncode == 78 and "sudo" in done.stderr
