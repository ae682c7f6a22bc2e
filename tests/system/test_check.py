"""test_check.py — `cloakroom check`: every part of the chain tried, each fault named with what to do about it."""
import http.client
import http.server
import json
import os
import signal
import subprocess
import threading
import time
from email.utils import formatdate

import pytest

from processes import as_user, free_port, own

ORIGINS = "http://chat.example.com,http://127.0.0.1:8080"


def findings(stack, *words, code=None, **settings):
    """name -> finding, by `cloakroom check --json`."""
    before = dict(stack.settings)
    stack.settings.update({k: str(v) for k, v in settings.items()})
    try:
        done = stack.tool("check", "--json", *words, check=False)
    finally:
        stack.settings = before
    assert done.returncode in (0, 1), done.stderr
    answer = json.loads(done.stdout)
    assert answer["ok"] == (done.returncode == 0)
    assert code is None or done.returncode == code, done.stdout
    return {f["check"]: f for f in answer["checks"]}


def bad(found):
    """But for the word that nginx was not asked: test_check_nginx.py does."""
    return {name: f["verdict"] for name, f in found.items() if f["verdict"] != "ok" and name != "nginx.url"}


@pytest.fixture
def checked(new_stack):
    """Settings for a bucket that does not exist yet, and a migrated database; nothing runs."""
    stack = new_stack(stack={"s3": True}, start=False, S3_PROVIDER="ceph", CORS_ORIGINS=ORIGINS, KEY_PREFIX="pre/fix")
    stack.tool("migrate")
    for folder in ("files", "files/.body"):
        (stack.dir / folder).mkdir()
        own(stack.dir / folder)
    stack.bucket = stack.settings["S3_BUCKET"]
    return stack


@pytest.fixture
def ready(checked):
    checked.tool("check", "--fix")
    return checked


def assert_empty(stack):
    versions = stack.s3.list_object_versions(Bucket=stack.bucket)
    assert not versions.get("Versions") and not versions.get("DeleteMarkers"), versions
    assert not stack.s3.list_multipart_uploads(Bucket=stack.bucket).get("Uploads")


def test_check_tries_the_whole_chain_and_says_so_in_words(ready):
    done = ready.tool("check")
    for name in ("settings", "database.reach", "database.schema", "local.body_room", "s3.endpoint", "s3.clock",
                 "s3.region", "s3.credentials", "s3.bucket", "s3.put", "s3.head", "s3.get", "s3.range", "s3.list",
                 "s3.presigned_get", "s3.response_overrides", "s3.presigned_put", "s3.post_policy", "s3.cors",
                 "s3.multipart", "s3.lifecycle", "s3.unsigned_payload", "s3.checksums", "s3.conditional_put",
                 "s3.delete_many", "s3.delete"):
        assert f"ok       {name}: " in done.stdout, done.stdout
    assert done.stdout.endswith(" ok, 1 warnings, 0 failures\n") and "warning  nginx.url: " in done.stdout
    assert "profile 'ceph'" in done.stdout
    assert ready.settings["S3_SECRET_ACCESS_KEY"] not in done.stdout + done.stderr
    assert_empty(ready)


def test_fix_makes_bucket_cors_and_lifecycle_and_keeps_the_rules_of_others(checked):
    found = findings(checked, code=1)
    assert bad(found) == {"s3.bucket": "failure"} and "--fix" in found["s3.bucket"]["remedy"]
    assert "s3.put" not in found, "what cannot work is not tried"
    checked.s3.create_bucket(Bucket=checked.bucket)
    checked.s3.put_bucket_cors(Bucket=checked.bucket, CORSConfiguration={"CORSRules": [
        {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://other.example"]}]})
    checked.s3.put_bucket_lifecycle_configuration(Bucket=checked.bucket, LifecycleConfiguration={"Rules": [
        {"ID": "logs", "Filter": {"Prefix": "logs/"}, "Status": "Enabled", "Expiration": {"Days": 9}}]})

    found = findings(checked, code=1)
    assert bad(found) == {"s3.cors": "failure", "s3.lifecycle": "warning"}
    assert "http://chat.example.com are not let in" in found["s3.cors"]["text"]
    assert "--fix" in found["s3.cors"]["remedy"] and "--fix" in found["s3.lifecycle"]["remedy"]

    for _ in range(2):  # the second time there is nothing to mend
        assert bad(findings(checked, "--fix", code=0)) == {}
    assert bad(findings(checked, code=0)) == {}
    rules = {r.get("ID"): r for r in checked.s3.get_bucket_cors(Bucket=checked.bucket)["CORSRules"]}
    assert set(rules["cloakroom"]["AllowedOrigins"]) == set(ORIGINS.split(","))
    assert set(rules["cloakroom"]["AllowedMethods"]) == {"GET", "HEAD", "PUT", "POST"}
    assert rules["cloakroom"]["ExposeHeaders"] == ["ETag"]
    assert [r["AllowedOrigins"] for r in rules.values() if r.get("ID") != "cloakroom"] == [["https://other.example"]]
    life = {r["ID"]: r for r in checked.s3.get_bucket_lifecycle_configuration(Bucket=checked.bucket)["Rules"]}
    assert life["logs"]["Expiration"] == {"Days": 9}
    assert life["cloakroom"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert_empty(checked)


@pytest.mark.parametrize("settings, name, words, remedy", [
    ({"S3_SECRET_ACCESS_KEY": "wrong"}, "s3.credentials", "SignatureDoesNotMatch", "S3_SECRET_ACCESS_KEY"),
    ({"S3_ACCESS_KEY_ID": "nobody"}, "s3.credentials", "InvalidAccessKeyId", "S3_ACCESS_KEY_ID"),
    ({"S3_BUCKET": "absent-bucket"}, "s3.bucket", "does not exist", "S3_BUCKET"),
    ({"S3_ENDPOINT": "http://127.0.0.1:9"}, "s3.endpoint", "cannot reach the store", "S3_ENDPOINT"),
    ({"DATABASE_URL": "postgresql://127.0.0.1:9/x"}, "database.reach", "", "DATABASE_URL"),
    ({"DATABASE_SCHEMA": "another"}, "database.schema", "version 0", "cloakroom migrate"),
])
def test_a_wrong_setting_is_named_with_its_remedy(ready, settings, name, words, remedy):
    found = findings(ready, code=1, **settings)
    assert bad(found) == {name: "failure"}
    assert words in found[name]["text"] and remedy in found[name]["remedy"]
    assert_empty(ready)


def test_settings_that_cannot_be_end_it_with_78(checked):
    checked.settings["S3_PROVIDER"] = "floppy"
    done = checked.tool("check", check=False)
    assert done.returncode == 78 and "S3_PROVIDER: 'floppy' is not one of" in done.stderr and done.stdout == ""


def test_a_local_store_is_checked_for_folder_room_and_file_system(local, new_stack):
    found = findings(local, code=0)
    assert {"local.write", "local.room", "local.one_file_system"} <= set(found) and not bad(found)
    assert not [name for name in found if name.startswith("s3.")]
    stack = new_stack(start=False)
    stack.tool("migrate")
    assert bad(findings(stack, code=0))["local.write"] == "warning", "not made yet"
    found = findings(local, code=1, MAX_REQUEST_SIZE="60T")
    assert bad(found) == {"local.room": "failure"} and "make room" in found["local.room"]["remedy"]
    found = findings(local, code=0, BODY_TEMP_PATH="/dev/shm")
    assert bad(found) == {"local.one_file_system": "warning"}
    found = findings(local, code=1, UPLOAD_STORAGE_PATH="/proc")
    assert found["local.write"]["verdict"] == "failure"
    assert not local.left_overs()


def test_a_bucket_that_keeps_versions_is_told_and_left_as_it_was(ready):
    ready.s3.put_bucket_versioning(Bucket=ready.bucket, VersioningConfiguration={"Status": "Enabled"})
    found = findings(ready, code=0)
    assert bad(found) == {"s3.delete": "warning"} and "old versions" in found["s3.delete"]["remedy"]
    assert_empty(ready)


def test_a_store_that_hides_what_is_deleted_and_does_not_say_so_is_left_clean(ready):
    """Backblaze B2, as its profile has it: only a listing of versions shows what is left."""
    ready.s3.put_bucket_versioning(Bucket=ready.bucket, VersioningConfiguration={"Status": "Enabled"})

    def silent(request, answer):
        header(answer, "x-amz-version-id", None)
        header(answer, "x-amz-delete-marker", None)
    with BentStore(ready.settings["S3_ENDPOINT"], silent) as bent:
        found = findings(ready, code=0, S3_ENDPOINT=bent.endpoint, S3_PROVIDER="b2")
    assert bad(found) == {"s3.delete": "warning"} and "as this store does" in found["s3.delete"]["text"]
    assert_empty(ready)
    ready.s3.put_bucket_versioning(Bucket=ready.bucket, VersioningConfiguration={"Status": "Suspended"})


def test_what_a_killed_check_left_is_removed_an_hour_later(ready):
    now = int(time.time())
    for age in (30, 4000):
        ready.s3.put_object(Bucket=ready.bucket, Key=f"pre/fix/cloakroom-check-{now - age}-0123456789abcdef-form",
                            Body=b"left")
    for others in ("1-own", "1-0123456789abcdef/file", "1-0123456789abcdefg", "x-0123456789abcdef", "1-0123456789abcdeF"):
        ready.s3.put_object(Bucket=ready.bucket, Key=f"pre/fix/cloakroom-check-{others}", Body=b"of somebody")
    assert bad(findings(ready, code=0)) == {}
    kept = [o["Key"] for o in ready.bucket_list()]
    assert len(kept) == 6 and f"pre/fix/cloakroom-check-{now - 30}-0123456789abcdef-form" in kept


class BentStore:
    """Passes everything on to the real store, but for what `bend(request, answer)` changes.
    request: (method, path, headers, body); answer: [status, headers, body]; True cuts the connection."""

    def __init__(self, endpoint, bend):
        host = endpoint.partition("://")[2]
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                real = http.client.HTTPConnection(host, timeout=20)
                try:
                    real.request(self.command, self.path, body, dict(self.headers))
                    got = real.getresponse()
                    answer = [got.status, dict(got.getheaders()), got.read()]
                except OSError:  # Ceph hangs up when a form holds too much
                    answer = [502, {}, b""]
                real.close()
                outer.seen.append((self.command, self.path))
                if outer.bend((self.command, self.path, self.headers, body), answer):
                    self.close_connection = True
                    return
                self.send_response_only(answer[0])
                for name, value in answer[1].items():
                    if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                        self.send_header(name, value)
                length = answer[1].get("Content-Length", "0") if self.command == "HEAD" else str(len(answer[2]))
                self.send_header("Content-Length", length)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer[2])

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_OPTIONS = answer

            def log_message(self, *_):
                pass

        self.bend, self.seen = bend, []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def header(answer, name, value):
    answer[1] = {k: v for k, v in answer[1].items() if k.lower() != name.lower()} | ({name: value} if value else {})


def late(seconds):
    return lambda request, answer: header(answer, "Date", formatdate(time.time() + seconds, usegmt=True))


def replace(test, status, body=b"<Error><Code>NotImplemented</Code></Error>"):
    def bend(request, answer):
        if test(request):
            answer[:] = [status, {"Content-Type": "application/xml", "Date": formatdate(usegmt=True)}, body]
    return bend


def is_form(request):
    return request[0] == "POST" and b'name="policy"' in request[3]


@pytest.mark.parametrize("bend, name, verdict, words", [
    (late(300), "s3.clock", "warning", "300 s behind"),
    (late(-1200), "s3.clock", "failure", "1200 s ahead"),
    (lambda q, a: header(a, "x-amz-meta-attachment-id", None), "s3.head", "warning", "x-amz-meta-attachment-id"),
    (lambda q, a: a.__setitem__(2, b"x" + a[2][1:]) if q[0] == "GET" and "x-id" not in q[1] and "?" not in q[1] else None,
     "s3.get", "failure", "other bytes"),
    (replace(lambda q: "Range" in q[2], 200, b"all of it"), "s3.range", "failure", "status 200"),
    (replace(lambda q: "list-type=2" in q[1] and "max-keys=1000" in q[1], 200, b"<ListBucketResult/>"), "s3.list",
     "failure", "does not show"),
    (replace(lambda q: "X-Amz-Signature" in q[1] and q[0] == "GET", 403), "s3.presigned_get", "failure", "refused"),
    (lambda q, a: header(a, "Content-Disposition", "inline") if "response-content" in q[1] else None,
     "s3.response_overrides", "warning", "unlike what the profile 'ceph' says"),
    (replace(lambda q: "X-Amz-Signature" in q[1] and q[0] == "PUT", 200), "s3.presigned_put", "failure",
     "another Content-Type"),
    (replace(is_form, 501), "s3.post_policy", "warning", "unlike what the profile 'ceph' says"),
    (replace(is_form, 201), "s3.post_policy", "failure", "larger than its content-length-range"),
    (replace(lambda q: q[0] == "OPTIONS", 403), "s3.cors", "failure", "are not let in"),
    (lambda q, a: header(a, "Access-Control-Expose-Headers", None), "s3.cors", "failure", "are not shown the ETag"),
    (replace(lambda q: "uploads=" in q[1] and q[0] == "POST", 501), "s3.multipart", "failure", "cannot begin"),
    (replace(lambda q: "uploadId=" in q[1] and q[0] == "PUT", 400), "s3.multipart", "failure", "cannot upload a part"),
    (replace(lambda q: "lifecycle" in q[1], 501), "s3.lifecycle", "warning", "unlike what the profile 'ceph' says"),
    (replace(lambda q: "delete=" in q[1], 501), "s3.delete_many", "warning", "one by one"),
], ids=lambda v: v if isinstance(v, str) else "")
def test_what_a_store_does_otherwise_is_named(ready, bend, name, verdict, words):
    with BentStore(ready.settings["S3_ENDPOINT"], bend) as bent:
        found = findings(ready, code=0 if verdict == "warning" else 1, S3_ENDPOINT=bent.endpoint)
    assert bad(found).get(name) == verdict, bad(found)
    assert words in found[name]["text"] + found[name]["remedy"], found[name]
    assert found[name]["remedy"], "what to do is said"
    assert_empty(ready)


def test_a_store_that_dies_half_way_is_left_clean(ready):
    """The connection breaks at every answer after a part was uploaded, but for the removal."""
    def bend(request, answer):
        return any("partNumber" in path for _, path in bent.seen) and request[0] != "DELETE"
    with BentStore(ready.settings["S3_ENDPOINT"], bend) as bent:
        found = findings(ready, code=1, S3_ENDPOINT=bent.endpoint)
    assert found["s3.multipart"]["verdict"] == "failure" and "s3.clean_up" not in found
    assert_empty(ready)


def test_what_cannot_be_removed_is_told(ready):
    with BentStore(ready.settings["S3_ENDPOINT"], lambda q, a: q[0] == "DELETE") as bent:
        bent.server.RequestHandlerClass.do_DELETE = lambda handler: handler.send_error(403)
        found = findings(ready, code=1, S3_ENDPOINT=bent.endpoint)
    assert found["s3.clean_up"]["verdict"] == found["s3.delete"]["verdict"] == "failure"
    assert "pre/fix/cloakroom-check-" in found["s3.clean_up"]["text"]


def test_a_key_without_the_right_to_delete_is_named(ready):
    """Refused by the store itself."""
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": ["s3:DeleteObject"],
                                                    "Resource": [f"arn:aws:s3:::{ready.bucket}/*"]}]}
    ready.s3.put_bucket_policy(Bucket=ready.bucket, Policy=json.dumps(deny))
    try:
        found = findings(ready, code=1)
        assert found["s3.delete"]["verdict"] == "failure" and "AccessDenied" in found["s3.delete"]["text"]
        assert "s3:DeleteObject" in found["s3.delete"]["remedy"] and found["s3.clean_up"]["verdict"] == "failure"
    finally:
        ready.s3.delete_bucket_policy(Bucket=ready.bucket)


def test_a_check_that_is_told_to_end_cleans_up_first(ready):
    reached = threading.Event()

    def bend(request, answer):
        if request[0] == "POST" and "uploads=" in request[1]:
            reached.set()
            time.sleep(1)
    with BentStore(ready.settings["S3_ENDPOINT"], bend) as bent:
        process = subprocess.Popen(as_user([ready.app / "bin/cloakroom", "check"]), stdout=subprocess.PIPE, text=True,
                                   env={**ready.env, "S3_ENDPOINT": bent.endpoint}, cwd="/")
        assert reached.wait(30)
        os.kill(process.pid, signal.SIGTERM)
        out = process.communicate(timeout=30)[0]
    assert process.returncode == -signal.SIGTERM
    assert "failure  s3.stopped: stopped before s3.lifecycle" in out
    assert_empty(ready)


def test_a_stopped_store_is_named_within_seconds(ready):
    began = time.monotonic()
    found = findings(ready, code=1, S3_ENDPOINT=f"http://127.0.0.1:{free_port()}")
    assert bad(found) == {"s3.endpoint": "failure"} and time.monotonic() - began < 10


def test_a_key_without_the_right_to_list_still_stores(ready):
    with BentStore(ready.settings["S3_ENDPOINT"],
                   replace(lambda q: "list-type=2" in q[1], 403, b"<Error><Code>AccessDenied</Code></Error>")) as bent:
        found = findings(ready, code=0, S3_ENDPOINT=bent.endpoint)
    assert bad(found) == {"s3.bucket": "warning", "s3.list": "warning"}
    assert "s3:ListBucket" in found["s3.bucket"]["remedy"]


def test_swift_does_what_its_profile_says(swift, new_stack):
    stack = new_stack(start=False, STORAGE="s3", S3_BUCKET="checked-bucket", S3_PROVIDER="swift", **swift.settings)
    stack.tool("migrate")
    for folder in ("files", "files/.body"):
        (stack.dir / folder).mkdir()
        own(stack.dir / folder)
    assert bad(findings(stack, "--fix", code=0)) == {}
    found = findings(stack, code=0)
    assert bad(found) == {} and not any("unlike what the profile" in f["text"] for f in found.values())
    assert "browsers get a presigned PUT" in found["s3.post_policy"]["text"]

    found = findings(stack, code=1, CORS_ORIGINS=ORIGINS)
    assert bad(found) == {"s3.cors": "failure"} and "cors_preflight_allow_origin" in found["s3.cors"]["remedy"]
    found = findings(stack, "--fix", code=1, CORS_ORIGINS=ORIGINS)
    assert bad(found) == {"s3.cors": "failure"} and "cannot be set" not in found["s3.cors"]["text"], "it is not tried"
    found = findings(stack, code=0, S3_REGION="eu-west-1")
    assert bad(found) == {"s3.region": "warning"} and found["s3.region"]["remedy"] == "set S3_REGION=us-east-1"
    wrong = findings(stack, code=0, S3_PROVIDER="ceph")
    assert wrong["s3.post_policy"]["verdict"] == "warning" and "S3_PROVIDER" in wrong["s3.post_policy"]["remedy"]
