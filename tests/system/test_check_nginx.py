"""test_check_nginx.py — `cloakroom check --url`: what is wrong between a client and the workers is named with its remedy."""
import os
import re
import signal
import subprocess

import pytest

from processes import ROOT, children, free_port, own, wait_until
from servers import TlsFront
from test_check import bad, findings

NAMES = {"nginx." + name for name in ("reach", "request_size", "internal", "static_rules", "upload", "upload_size",
                                      "download", "range", "not_modified", "headers", "delete")}


def through(stack, code=None, **settings):
    """The findings about nginx."""
    found = findings(stack, "--url", stack.url, code=code, **settings)
    return {name: f for name, f in found.items() if name.startswith("nginx.")}


def assert_nothing_kept(stack):
    assert stack.rows() == {}
    wait_until(lambda: not stack.objects(), 30, "what was deleted is gone")
    assert not stack.left_overs()


@pytest.fixture(scope="module")
def live(world):
    stack = world.stack({"MAX_UPLOAD_SIZE": "1M"}).start()
    yield stack
    stack.stop()
    world.stacks.remove(stack)


class Planted:
    """A fault in the include that nginx reads, for as long as it lasts."""

    def __init__(self, stack, pattern, instead):
        self.stack, self.file = stack, stack.dir / "nginx/default-server.conf"
        self.right = self.file.read_text()
        self.wrong, times = re.subn(pattern, instead, self.right, count=1)
        assert times == 1, pattern

    def __enter__(self):
        self.load(self.wrong)

    def __exit__(self, *_):
        self.load(self.right)

    def load(self, text):
        nginx = self.stack.nginx
        before = set(children(nginx.pid))
        self.file.write_text(text)
        nginx.send(signal.SIGHUP)
        wait_until(lambda: children(nginx.pid) and not before & set(children(nginx.pid)), 20, "nginx has reloaded")


def test_a_good_installation_has_no_faults_and_keeps_nothing(live):
    found = findings(live, "--url", live.url, code=0)
    assert bad(found) == {} and NAMES <= set(found)
    assert "1048576 bytes" in found["nginx.upload_size"]["text"], "one byte less and one more were sent"
    assert_nothing_kept(live)
    done = live.tool("check", "--url", live.url)
    assert "ok       nginx.internal: " in done.stdout and done.stdout.endswith(" ok, 0 warnings, 0 failures\n")
    assert live.settings["JWT_SECRET"] not in done.stdout and "eyJ" not in done.stdout


def test_without_an_address_it_says_that_nginx_was_not_asked(live):
    found = findings(live, code=0)
    assert not NAMES & set(found) and found["nginx.url"]["verdict"] == "warning"
    assert "--url" in found["nginx.url"]["remedy"]
    for wrong in ("127.0.0.1:80", "http://127.0.0.1/", "http://a@b", "ftp://127.0.0.1"):
        assert live.tool("check", "--url", wrong, check=False).returncode == 2, wrong


FILES = r"(location \^~ /_cloakroom/default/file/ \{[^}]*?)"


@pytest.mark.parametrize("pattern, instead, name, words, remedy", [
    (r"client_max_body_size +\d+;", "client_max_body_size 1k;", "nginx.request_size", "refuses an upload of 5242880 bytes",
     "config --nginx"),
    (r"client_max_body_size +\d+;", "client_max_body_size 0;", "nginx.request_size", "takes more than MAX_REQUEST_SIZE",
     "config --nginx"),
    (FILES + "internal;", r"\1", "nginx.internal", "can be asked from outside", "`internal;`"),
    (r"location \^~ /api/ \{", "location /api/ {", "nginx.static_rules", "*.jpg (answered 418", "location ^~"),
    (FILES + "max_ranges 16;", r"\1max_ranges 0;", "nginx.range", "answered 200", "anew"),
    (FILES + r"add_header ETag +\S+;", r"\1", "nginx.not_modified", "without its ETag", "anew"),
    (FILES + r"add_header X-Content-Type-Options +nosniff always;", r"\1", "nginx.headers", "nosniff", "add_header"),
    (FILES + r"add_header Content-Security-Policy +\S+;", r"\1", "nginx.headers", "sandbox", "add_header"),
    (FILES + "alias [^;]+;", r"\1alias /nowhere/;", "nginx.download", "answered 404", "nginx's error log"),
], ids=["limit too low", "no limit", "not internal", "static rule", "no ranges", "no ETag", "no nosniff", "no policy",
        "wrong alias"])
def test_a_fault_in_nginx_is_named_with_its_remedy(live, pattern, instead, name, words, remedy):
    with Planted(live, pattern, instead):
        found = through(live, code=1)
    assert found[name]["verdict"] == "failure", found
    assert words in found[name]["text"] and remedy in found[name]["remedy"], found[name]
    assert_nothing_kept(live)


def test_a_site_that_caches_otherwise_is_warned_of(live):
    with Planted(live, FILES + r"add_header Cache-Control +\S+;", r'\1add_header Cache-Control "public, max-age=5";'):
        found = through(live, code=0)
    assert bad(found) == {"nginx.headers": "warning"} and "max-age=5" in found["nginx.headers"]["text"]


def test_who_does_not_answer_is_named(live):
    found = findings(live, "--url", f"http://127.0.0.1:{free_port()}", code=1)
    assert found["nginx.reach"]["verdict"] == "failure" and "--url" in found["nginx.reach"]["remedy"]
    assert "nginx.upload" not in found, "the rest is not asked"
    with Planted(live, r"(?s)\A.*\Z", "# nothing of ours\n"):
        found = through(live, code=1)
    assert bad(found) == {"nginx.reach": "failure"} and "default-server.conf" in found["nginx.reach"]["remedy"]
    live.worker.stop(signal.SIGTERM)
    try:
        found = through(live, code=1)
        assert bad(found) == {"nginx.reach": "failure"} and "cloakroom@default" in found["nginx.reach"]["remedy"]
    finally:
        live.start_worker()
        wait_until(live.is_ready, 20, "the worker is back")


def test_identities(live, new_stack, world):
    assert bad(through(live, code=0, JWT_ISSUER="somebody")) == {}, "by the service token"
    found = through(live, code=0, JWT_ISSUER="somebody", SERVICE_TOKEN="")
    assert bad(found) == {"nginx.upload": "warning"} and "SERVICE_TOKEN" in found["nginx.upload"]["remedy"]
    found = through(live, code=1, JWT_SECRET="another-secret-than-the-workers-have-0123456789")
    assert bad(found) == {"nginx.upload": "failure"} and "same settings" in found["nginx.upload"]["remedy"]
    assert bad(through(new_stack(AUTH="none", JWT_SECRET=None, MAX_UPLOAD_SIZE="1M"), code=0)) == {}
    passwords = world.dir / "htpasswd-check"
    passwords.write_text("alice:nobody-needs-it\n")
    own(passwords)
    found = through(new_stack(AUTH="header", AUTH_BASIC_FILE=str(passwords), JWT_SECRET=None), code=0)
    assert bad(found) == {"nginx.upload": "warning"} and "AUTH=header" in found["nginx.upload"]["text"]


def test_types_that_are_not_allowed_are_not_a_fault(new_stack):
    found = through(new_stack(ALLOWED_TYPES="application/pdf", MAX_UPLOAD_SIZE="1M"), code=0)
    assert bad(found) == {} and "check.jpg" in found["nginx.upload"]["text"]
    found = through(new_stack(ALLOWED_TYPES="video/*"), code=0)
    assert bad(found) == {"nginx.upload": "warning"} and "ALLOWED_TYPES" in found["nginx.upload"]["text"]


@pytest.mark.parametrize("delivery", ["proxy", "redirect", "stream"])
def test_a_good_installation_on_s3_has_no_faults(new_stack, delivery):
    stack = new_stack(stack={"s3": True}, DELIVERY=delivery)
    assert bad(through(stack, code=0)) == {}
    assert_nothing_kept(stack)


# --- beside nginx -----------------------------------------------------------------------------------------------------

def test_an_old_schema_is_named(new_stack):
    stack = new_stack(start=False)
    stack.tool("migrate")
    stack.sql("DELETE FROM cloakroom.schema_version WHERE version > 1")
    found = findings(stack, code=1)["database.schema"]
    assert found["verdict"] == "failure" and found["remedy"] == "run: cloakroom migrate"
    assert "version 1, this program needs" in found["text"]


@pytest.fixture
def mounted(new_stack):
    """mounted(words of mount, folder below the stack's) mounts there; all is unmounted afterwards."""
    stack, folders = new_stack(start=False), []
    stack.tool("migrate")
    for folder in ("files", "files/.body", "files/.tmp", "other"):
        (stack.dir / folder).mkdir()
        own(stack.dir / folder)

    def mount(folder, *words):
        done = subprocess.run(["mount", *map(str, words), stack.dir / folder], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"may not mount: {done.stderr}")
        folders.append(stack.dir / folder)
        own(stack.dir / folder)
        return stack.dir / folder

    stack.mount = mount
    yield stack
    for folder in reversed(folders):
        subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(not ROOT, reason="mounts")
def test_a_disk_that_is_nearly_full_is_named(mounted):
    mounted.mount("files", "-t", "tmpfs", "-o", "size=40M,mode=755", "none")
    for folder in ("files/.body", "files/.tmp"):
        (mounted.dir / folder).mkdir()
        own(mounted.dir / folder)
    small = {"MAX_UPLOAD_SIZE": "1k", "MAX_REQUEST_SIZE": "1k"}
    assert bad(findings(mounted, code=0, **small)) == {}
    full = mounted.dir / "files/full"
    with open(full, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, 39 << 20)
    found = findings(mounted, code=0, **small)
    assert bad(found) == {"local.room": "warning"} and "(2%) are free" in found["local.room"]["text"]
    found = findings(mounted, code=1)
    assert bad(found) == {"local.room": "failure"} and "make room" in found["local.room"]["remedy"]


@pytest.mark.skipif(not ROOT, reason="mounts")
def test_a_bind_mount_is_another_file_system_too(mounted):
    """It has the device of what it shows, and all the same no link leads out of it."""
    mounted.mount("files/.body", "--bind", mounted.dir / "other")
    found = findings(mounted, code=0)
    assert bad(found) == {"local.one_file_system": "warning"}
    assert "BODY_TEMP_PATH" in found["local.one_file_system"]["remedy"]
    mounted.mount("files/.tmp", "--bind", mounted.dir / "other")
    found = findings(mounted, code=1)
    assert bad(found) == {"local.one_file_system": "failure"} and "no upload" in found["local.one_file_system"]["text"]
    assert not [name for _, _, names in os.walk(mounted.dir / "files") for name in names]


def test_a_cdn_with_a_wrong_path_is_named(new_stack, world):
    world.start_ceph()
    front = TlsFront(world.folder("cdn-check"), world.ceph.ready().port)
    try:
        stack = new_stack(stack={"s3": True}, start=False, VISIBILITY="public", KEY_PREFIX="pre", S3_CA_FILE=front.ca)
        stack.tool("migrate")
        bucket = stack.settings["S3_BUCKET"]
        stack.s3.create_bucket(Bucket=bucket)

        def fetched(path, code):
            return findings(stack, code=code, CDN_URL=front.url + path)["cdn.fetch"]
        closed = fetched("/" + bucket, 1)
        assert "answers 403" in closed["text"] and "s3:GetObject" in closed["remedy"]
        stack.s3.put_bucket_policy(Bucket=bucket, Policy='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", '
                                   f'"Principal": "*", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::{bucket}/*"]}}]}}')
        assert fetched("/" + bucket, 0)["verdict"] == "ok"
        for path in ("", "/files", f"/{bucket}/pre"):
            wrong = fetched(path, 1)
            assert wrong["verdict"] == "failure" and "CDN_URL/key must lead to the key" in wrong["remedy"], path
        assert not stack.bucket_list()
        away = findings(stack, code=0, CDN_URL=f"https://127.0.0.1:{free_port()}")["cdn.fetch"]
        assert away["verdict"] == "warning" and "cannot reach" in away["text"]
    finally:
        front.close()
