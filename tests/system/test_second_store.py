"""test_second_store.py — two S3 stores at once, Ceph and Swift: files of both are served, deleted, audited and purged, and
each may be away without the other."""
import json
import os
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gate import Gate
from processes import wait_until
from stack import MIB
from test_check import bad, findings
from test_direct_uploads import PNG, complete, send

OFF = {f"S3_{word}": None for word in ("BUCKET", "ENDPOINT", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "PROVIDER", "REGION")}


class Two:
    """`first` and `second` differ in STORAGE alone, and share rows, buckets and files."""

    def __init__(self, world):
        swift = {k.replace("S3_", "S3_SECONDARY_"): v for k, v in world.swift.settings.items()}
        settings = {**swift, "S3_SECONDARY_BUCKET": "second-store", "S3_SECONDARY_PROVIDER": "swift", "S3_PROVIDER": "ceph"}
        self.first = world.stack(settings, s3=True).start()
        self.second = world.stack({"STORAGE": "s3-secondary"}, like=self.first).start()
        self.buckets = {"s3": (world.ceph.client(), self.first.settings["S3_BUCKET"]),
                        "s3-secondary": (world.swift.client(), "second-store")}
        self.stacks = {"s3": self.first, "s3-secondary": self.second}

    def place_of(self, made):
        [place] = self.first.sql("SELECT store, key FROM attachments WHERE id = %s", made["id"])
        return place

    def put(self, store, key, data):
        client, bucket = self.buckets[store]
        client.put_object(Bucket=bucket, Key=key, Body=data)

    def has(self, store, key):
        client, bucket = self.buckets[store]
        return any(o["Key"] == key for o in client.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents", ()))

    def other(self, **settings):
        """A stack that is asked by CGI alone."""
        return dict(stack={"like": self.first, "jobs": False}, start=False, **settings)


@pytest.fixture(scope="module")
def two(world):
    made = Two(world)
    yield made
    for stack in (made.second, made.first):
        stack.stop()
        world.stacks.remove(stack)


@pytest.fixture(scope="module")
def files(two):
    """store -> (attachment, bytes) of a small and a large file, stored by the instance whose new files go there."""
    made = {}
    for store, stack in two.stacks.items():
        for size in (5000, 17 * MIB + 1):
            data = os.urandom(size)
            made[store, size > MIB] = (stack.upload(data, "ä b.bin"), data)
    return made


def copies(stack, data):
    """Files in nginx's cache that hold these bytes."""
    found = []
    for path in Path(stack.settings["NGINX_CACHE_PATH"]).rglob("*"):
        try:
            # while nginx writes it, its name has an ending
            if path.is_file() and not path.suffix and data in path.read_bytes():
                found.append(path)
        except FileNotFoundError:
            pass
    return found


def curl(url):
    done = subprocess.run(["curl", "-sS", "--noproxy", "*", "-w", "\n%{http_code}", url], capture_output=True, timeout=60)
    body, _, status = done.stdout.rpartition(b"\n")
    return int(status), body


def test_new_files_go_where_storage_says_and_nowhere_else(two, files):
    for (store, _), (made, data) in files.items():
        place, key = two.place_of(made)
        assert place == store and two.has(store, key)
        assert not any(two.has(other, key) for other in two.buckets if other != store)
        client, bucket = two.buckets[store]
        assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == data


@pytest.mark.parametrize("by", ["s3", "s3-secondary"])
@pytest.mark.parametrize("store", ["s3", "s3-secondary"])
def test_files_of_both_are_served_through_nginx(two, files, store, by):
    for is_large in (False, True):
        made, data = files[store, is_large]
        stack = two.stacks[by]
        answer = stack.get(made["url"])
        assert answer.status == 200 and answer.body == data
        assert answer.headers["Content-Disposition"].startswith("attachment; ")
        part = stack.get(made["url"], headers={"Range": "bytes=-7"})
        assert part.status == 206 and part.body == data[-7:]
        assert part.headers["Content-Range"] == f"bytes {len(data) - 7}-{len(data) - 1}/{len(data)}"
        several = stack.get(made["url"], headers={"Range": "bytes=0-1,9-9"})
        assert several.status == 206 and several.headers["Content-Type"].startswith("multipart/byteranges")
        matching = stack.get(made["url"], headers={"If-Match": answer.headers["ETag"], "Range": "bytes=3-5"})
        assert matching.status == 206 and matching.body == data[3:6], "by the worker"
        assert stack.get(made["url"], headers={"If-None-Match": answer.headers["ETag"]}).status == 304
        assert stack.get(made["url"], headers={"Range": f"bytes={len(data)}-"}).status == 416
        head = stack.get(made["url"], method="HEAD")
        assert head.status == 200 and int(head.headers["Content-Length"]) == len(data) and not head.body
        assert stack.get(made["url"], "mallory").status == 404


@pytest.mark.parametrize("store", ["s3", "s3-secondary"])
def test_other_deliveries_find_the_store_of_the_row(two, files, store, new_stack):
    made, data = files[store, False]
    stream = new_stack(**two.other(DELIVERY="stream"))
    assert stream.cgi("GET", made["url"])[2] == data
    assert stream.cgi("GET", made["url"], HTTP_RANGE="bytes=5-9")[2] == data[5:10]
    redirect = new_stack(**two.other(DELIVERY="redirect"))
    status, headers, _ = redirect.cgi("GET", made["url"])
    endpoint = two.first.settings["S3_ENDPOINT" if store == "s3" else "S3_SECONDARY_ENDPOINT"]
    assert status == 302 and headers["Location"].startswith(endpoint + "/")
    assert curl(headers["Location"]) == (200, data)
    known = json.loads(redirect.cgi("GET", "/api/attachments/" + made["id"])[2])
    assert curl(known["data_url"]) == (200, data)
    signed = two.first.tool("sign", made["id"], "--endpoint", "internal").stdout.strip()
    assert signed.startswith(endpoint) and curl(signed) == (200, data)


def test_a_cdn_is_before_the_bucket_of_new_files_alone(two, files, new_stack):
    stack = new_stack(**two.other(DELIVERY="redirect", VISIBILITY="public", CDN_URL="https://cdn.example",
                                  STORAGE="s3-secondary"))
    old, new = files["s3", False], files["s3-secondary", False]
    assert stack.cgi("GET", new[0]["url"])[1]["Location"] == "https://cdn.example/" + two.place_of(new[0])[1]
    assert curl(stack.cgi("GET", old[0]["url"])[1]["Location"]) == (200, old[1])


def test_objects_of_one_key_in_two_stores_are_two_files(two):
    one, other = two.first.upload(b"in the first"), two.second.upload(b"in the second")
    key = two.place_of(one)[1]
    two.put("s3-secondary", key, b"in the second")
    two.first.sql("UPDATE attachments SET key = %s WHERE id = %s", key, other["id"])
    for stack in two.stacks.values():
        for _ in range(2):  # the second time from nginx's cache
            assert stack.get(one["url"]).body == b"in the first" and stack.get(other["url"]).body == b"in the second"
    assert two.first.call("DELETE", "/api/attachments/" + one["id"]).status == 204
    wait_until(lambda: not two.has("s3", key), 20, "the first one's object is deleted")
    assert two.has("s3-secondary", key) and two.second.get(other["url"]).body == b"in the second"


@pytest.mark.parametrize("store", ["s3", "s3-secondary"])
def test_what_is_deleted_leaves_its_store_and_the_cache(two, store):
    data = os.urandom(5000)
    made = two.stacks[store].upload(data)
    key = two.place_of(made)[1]
    assert two.first.get(made["url"]).body == data
    wait_until(lambda: copies(two.first, data), 10, "a copy in the cache")
    assert two.first.call("DELETE", "/api/attachments/" + made["id"]).status == 204
    wait_until(lambda: not two.has(store, key), 20, "the object is deleted")
    wait_until(lambda: not copies(two.first, data), 20, "the copy is purged")


def test_a_file_that_moves_is_served_from_its_new_place_and_leaves_no_copy_of_the_old(two):
    """As a program that moves files would do it."""
    data = os.urandom(5000)
    made = two.first.upload(data)
    key = two.place_of(made)[1]
    assert two.first.get(made["url"]).body == data
    [old] = wait_until(lambda: copies(two.first, data), 10, "a copy in the cache")
    two.put("s3-secondary", key, data)
    two.first.sql("UPDATE attachments SET store = 's3-secondary' WHERE id = %s", made["id"])
    wait_until(lambda: not old.exists(), 20, "the old copy is purged")
    assert two.first.get(made["url"]).body == data == two.second.get(made["url"]).body
    client, bucket = two.buckets["s3"]
    client.delete_object(Bucket=bucket, Key=key)
    assert two.second.get(made["url"], headers={"Range": "bytes=1-2"}).body == data[1:3]


def test_an_audit_reads_both_and_tells_them_apart(two):
    def audit(*words):
        done = two.first.tool("audit", "--json", "--older-than", "0", *words, check=False)
        assert done.returncode in (0, 1), done.stderr
        *found, summary = [json.loads(line) for line in done.stdout.splitlines()]
        return {(f["problem"], f["store"], f["key"]) for f in found}, summary

    wait_until(lambda: not two.first.planned(), 30, "all jobs are done")
    lost = two.second.upload(b"will be lost")
    key = two.place_of(lost)[1]
    time.sleep(1.1)  # stores tell times in seconds: else what a test before left is too young to be seen
    before, summary = audit()
    assert summary["stores"][-2:] == ["s3", "s3-secondary"]
    client, bucket = two.buckets["s3-secondary"]
    client.delete_object(Bucket=bucket, Key=key)
    orphan = "ab/" + "0" * 30 + "ab"
    two.put("s3-secondary", orphan, b"nobody's")
    time.sleep(1.1)
    after, _ = audit()
    assert after - before == {("row without bytes", "s3-secondary", key), ("bytes without row", "s3-secondary", orphan)}
    only, summary = audit("--store", "s3")
    assert summary["stores"] == ["s3"] and not any(store == "s3-secondary" for _, store, _ in only)
    audit("--fix", "--store", "s3-secondary")
    wait_until(lambda: not two.has("s3-secondary", orphan), 20, "the orphan is deleted")
    two.first.sql("DELETE FROM attachments WHERE id = %s", lost["id"])
    assert {"s3", "s3-secondary"} <= {g["name"] for g in json.loads(two.first.tool("usage", "--json").stdout)["groups"]}


def test_unfinished_uploads_of_both_are_swept(two):
    for store, (client, bucket) in two.buckets.items():
        client.create_multipart_upload(Bucket=bucket, Key="cd/" + "0" * 30 + "cd")
        assert client.list_multipart_uploads(Bucket=bucket).get("Uploads"), store
    time.sleep(1.1)  # what began in this second is not older than it
    two.first.tool("jobs", "--sweep", "--older-than", "0")
    for store, (client, bucket) in two.buckets.items():
        assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads"), store


def test_check_tries_both(two):
    found = findings(two.first, "--fix", code=0)
    assert bad(found) == {} and {"s3.put", "s3-secondary.put", "s3-secondary.delete"} <= set(found)
    assert found["stores.apart"]["verdict"] == "ok"
    found = findings(two.first, code=1, S3_SECONDARY_SECRET_ACCESS_KEY="wrong")
    assert bad(found) == {"s3-secondary.credentials": "failure"}
    assert "S3_SECONDARY_SECRET_ACCESS_KEY" in found["s3-secondary.credentials"]["remedy"]


def test_one_bucket_under_two_names_is_found_and_no_move_begins(two, files):
    """Another address of the same store: what the settings cannot tell."""
    def places():
        objects = [{o["Key"]: o["ETag"] for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
                    for o in page.get("Contents", ())} for client, bucket in two.buckets.values()]
        return objects, two.first.sql("SELECT id, store, key FROM attachments ORDER BY id"), \
            two.first.sql("SELECT store, key FROM moved_sources UNION ALL SELECT store, key FROM deletion_tickets")

    def move(source, target, **settings):
        usual = dict(two.first.settings)
        two.first.settings.update(settings)
        try:
            return two.first.tool("move", "--from", source, "--to", target, check=False)
        finally:
            two.first.settings = usual

    wait_until(lambda: not two.first.planned(), 30, "all jobs are done")
    before = places()
    first = {k.replace("S3_", "S3_SECONDARY_"): v for k, v in two.first.settings.items()
             if k.startswith("S3_") and not k.startswith("S3_SECONDARY_")}
    gate = Gate(urlsplit(first["S3_SECONDARY_ENDPOINT"]).port)
    one_bucket = {**first, "S3_SECONDARY_ENDPOINT": f"http://127.0.0.1:{gate.port}"}
    try:
        assert bad(findings(two.first, code=1, **one_bucket)) == {"stores.apart": "failure"}
        for source, target in (("s3", "s3-secondary"), ("s3-secondary", "s3")):
            refused = move(source, target, **one_bucket)
            assert refused.returncode == 78 and "one bucket under two names" in refused.stderr, refused
    finally:
        gate.close()
    unseen = move("s3", "s3-secondary", S3_SECONDARY_SECRET_ACCESS_KEY="wrong")
    assert unseen.returncode == 78 and "could not be seen" in unseen.stderr, unseen
    assert places() == before, "not even an object to try with is left"


def test_internal_locations_of_both_are_closed(two, files):
    for store in two.buckets:
        for variant in ("", "-sliced", "-once"):
            assert two.first.get(f"/_cloakroom/default/{store}{variant}", None,
                                 {"X-Cloakroom-Target": "/" + two.place_of(files[store, False][0])[1]}).status == 404


def test_direct_uploads_go_to_the_store_of_new_files_and_end_where_they_began(two):
    def ask(stack):
        wish = {"filename": "a.png", "size": len(PNG), "content_type": "image/png"}
        answer = stack.call("POST", "/api/direct-uploads", "alice", {"Content-Type": "application/json"}, json.dumps(wish))
        assert answer.status == 201, str(answer)
        return answer.json()

    for store, stack in two.stacks.items():
        for finisher in two.stacks.values():
            ticket = ask(stack)
            assert send(ticket, PNG).status_code in (200, 201, 204)
            made = complete(finisher, ticket)
            assert made.status == 201, str(made)
            place, key = two.place_of(made.json())
            assert place == store and two.has(store, key)
            assert finisher.get(made.json()["url"]).body == PNG


def test_without_the_first_ones_settings_the_second_is_enough(two, files, new_stack):
    only = new_stack(**two.other(STORAGE="s3-secondary", DELIVERY="stream", **OFF))
    made, data = files["s3-secondary", False]
    assert only.cgi("GET", made["url"])[2] == data
    status, _, answer = only.cgi("PUT", "/api/upload/a.txt", b"after the move", CONTENT_LENGTH="14")
    assert status == 201 and two.place_of(json.loads(answer))[0] == "s3-secondary"
    assert only.cgi("GET", files["s3", False][0]["url"])[0] == 502, "it is not there any more"
    only.tool("config", "--nginx", only.dir / "nginx")
    text = (only.dir / "nginx/default-http.conf").read_text() + (only.dir / "nginx/default-server.conf").read_text()
    assert "cloakroom_default_s3-secondary" in text and "cloakroom_default_s3$" not in text and "_s3 {" not in text


@pytest.mark.alone
def test_a_second_store_that_is_away_does_not_disturb_the_first(two, files, new_stack):
    """Nor does anybody wait for it: its breaker is its own."""
    gate = Gate(urlsplit(two.first.settings["S3_SECONDARY_ENDPOINT"]).port)
    stack = new_stack(stack={"like": two.first}, S3_SECONDARY_ENDPOINT=f"http://127.0.0.1:{gate.port}")
    mine, theirs = files["s3", False], files["s3-secondary", False]
    by_worker = {"If-Match": "*"}
    assert stack.get(theirs[0]["url"], headers=by_worker).body == theirs[1]
    gate.close()
    for _ in range(8):
        away = stack.get(theirs[0]["url"], headers=by_worker)
        assert away.status in (502, 503), str(away)
    assert away.status == 503 and away.json()["type"].endswith("store_away")
    assert stack.get(theirs[0]["url"]).status == 502, "by nginx"
    for _ in range(10):
        assert stack.get(mine[0]["url"], headers=by_worker).body == mine[1] and stack.put(b"x" * 5000).status == 201
    assert stack.get("/readyz", None).status == 200
    assert "event=store_secondary.given_up" in stack.log() and "event=store.given_up" not in stack.log()


def test_all_files_move_from_one_store_to_the_other_and_back_while_they_are_read(two):
    """From Ceph to Swift, whose answers differ in much, and back. The last of all: it moves the others' files, too."""
    stack = two.first
    made = {m["id"]: (m, data) for m, data in ((two.first.upload(data), data) for data in (b"", b"x", os.urandom(70000)))}

    def keys(store):
        rows = stack.sql("SELECT id::text, key FROM attachments WHERE store = %s", store)
        return {key for file_id, key in rows if file_id in made}
    begun = keys("s3")
    assert len(begun) == 3
    for source, target in (("s3", "s3-secondary"), ("s3-secondary", "s3")):
        done = stack.tool("move", "--from", source, "--to", target, "--json")
        report = json.loads(done.stdout)
        assert report["finished"] and not report.get("differences"), report
        assert keys(target) == begun and not keys(source), "an object keeps its key"
        for attachment, data in made.values():
            assert all(s.get(attachment["url"]).body == data for s in two.stacks.values())
        stack.sql("UPDATE moved_sources SET remove_after = now(); SELECT pg_notify('cloakroom_jobs', '')")
        wait_until(lambda: not stack.sql("SELECT 1 FROM moved_sources UNION ALL SELECT 1 FROM jobs"), 30, "the old ones go")
        assert not any(two.has(source, key) for key in begun) and all(two.has(target, key) for key in begun)
