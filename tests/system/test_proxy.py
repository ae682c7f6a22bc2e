"""test_proxy.py — DELIVERY=proxy on S3, seen from the store and from nginx's cache: what is asked for, kept and purged."""
import http.client
import os
import re
import socket
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from processes import wait_until
from recording_proxy import RecordingProxy
from stack import MIB, token

SLICE = 4 * MIB
NOSY = {"Cookie": "session=secret", "X-Secret": "secret", "Accept-Encoding": "gzip", "Referer": "http://secret/",
        "X-Amz-Security-Token": "secret", "User-Agent": "secret"}
# What AWS, Ceph, MinIO, Backblaze, Cloudflare and balancers say of themselves in answers to GET.
CHATTY = [f"{name}: 1" for name in """
x-amz-id-2 x-amz-version-id x-amz-expiration x-amz-restore x-amz-storage-class x-amz-replication-status x-amz-tagging-count
x-amz-server-side-encryption x-amz-server-side-encryption-aws-kms-key-id x-amz-server-side-encryption-bucket-key-enabled
x-amz-object-lock-mode x-amz-object-lock-retain-until-date x-amz-object-lock-legal-hold x-amz-checksum-crc32
x-amz-checksum-crc32c x-amz-checksum-crc64nvme x-amz-checksum-sha1 x-amz-checksum-sha256 x-amz-checksum-type x-amz-mp-parts-count
x-amz-bucket-region x-amz-missing-meta x-amz-request-charged x-amz-website-redirect-location x-amz-cf-id x-amz-cf-pop
x-rgw-object-type x-rgw-bytes-used x-trans-id x-openstack-request-id x-bz-file-name x-minio-deployment-id x-ratelimit-limit cf-ray
Via Alt-Svc""".split()] + ["Set-Cookie: store=1", "Vary: Origin", "Content-Security-Policy: block-all-mixed-content",
                           "X-Content-Type-Options: nosniff", "X-XSS-Protection: 1", "Strict-Transport-Security: max-age=1",
                           "Expires: Thu, 01 Dec 1994 16:00:00 GMT", "Server: SecretStore/1", "X-Accel-Buffering: no",
                           "X-Accel-Expires: 0", "Cross-Origin-Resource-Policy: cross-origin", "Referrer-Policy: unsafe-url", "X-Accel-Limit-Rate: 1", "X-Request-Id: theirs"]
OURS = {"server", "date", "content-type", "content-length", "connection", "content-disposition", "cache-control", "etag",
        "last-modified", "content-security-policy", "x-content-type-options", "x-request-id", "accept-ranges",
        "content-range", "referrer-policy", "cross-origin-resource-policy"}


@pytest.fixture
def recorded(s3, new_stack):
    """A stack whose nginx reaches the store of `s3` through a recording proxy: (stack, proxy)."""
    with RecordingProxy(urlsplit(s3.settings["S3_ENDPOINT"]).port, CHATTY) as proxy:
        stack = new_stack(stack={"like": s3}, S3_ENDPOINT=f"http://127.0.0.1:{proxy.port}")
        proxy.forget()
        yield stack, proxy


def cached_files(stack):
    return [p for p in Path(stack.settings["NGINX_CACHE_PATH"]).rglob("*") if p.is_file()]


@pytest.mark.parametrize("size", [10_000, 17 * MIB])
def test_the_store_hears_nothing_of_the_client_and_the_client_nothing_of_the_store(recorded, s3, size):
    stack, proxy = recorded
    data = os.urandom(size)
    made = s3.upload(data)
    answer = stack.get(made["url"], headers=NOSY)
    assert answer.status == 200 and answer.body == data
    again = stack.get(made["url"], headers={**NOSY, "Range": "bytes=5-9"})
    assert again.status == 206 and again.body == data[5:10]
    for one in (answer, again):
        assert {name.lower() for name in one.headers} <= OURS, set(one.headers) - OURS
        assert all(len(one.headers.get_all(name)) == 1 for name in one.headers), one.headers.items()
        assert one.headers["Server"].startswith("nginx") and one.headers["X-Request-Id"] != "theirs"
    for line, headers in proxy.requests():
        assert set(headers) <= {"host", "range"}, headers
        assert "secret" not in line and token() not in line
        assert parse_qs(urlsplit(line.split()[1]).query)["X-Amz-Expires"] == ["604800"], "slow readers outlive it"


def test_errors_of_the_store_stay_behind_nginx(recorded, s3):
    stack, _ = recorded
    for size in (10, 17 * MIB):
        made = s3.upload(b"x" * size)
        s3.s3.delete_object(Bucket=s3.settings["S3_BUCKET"], Key=s3.key_of(made))
        answer = stack.get(made["url"])
        assert answer.status == 404 and answer.headers["Content-Type"] == "application/problem+json"
        assert not [n for n in answer.headers if re.match("x-(amz|rgw|trans|minio|openstack)", n, re.I)]
        assert b"NoSuchKey" not in answer.body and b"<" not in answer.body
        s3.sql("DELETE FROM attachments WHERE id = %s", made["id"])


def test_a_store_neither_sends_clients_elsewhere_nor_speaks_to_them(recorded, s3):
    stack, proxy = recorded
    proxy.inject += b"Location: http://elsewhere.example.com/secret\r\n"
    for size in (10, 17 * MIB):
        made = s3.upload(b"x" * size)
        for status in (301, 302, 303, 307, 308, 409, 410):
            proxy.status = str(status).encode()
            answer = stack.get(made["url"])
            assert answer.status == 502 and answer.headers["Content-Type"] == "application/problem+json", status
            assert "Location" not in answer.headers and answer.json()["type"] == "urn:cloakroom:error:store"
        proxy.status = b"408"
        with pytest.raises(http.client.RemoteDisconnected):
            stack.get(made["url"])
        proxy.status = None
        assert stack.get(made["url"]).status == 200


def test_an_object_is_fetched_once_whatever_the_signature(recorded, s3):
    stack, proxy = recorded
    made = s3.upload(b"once only " * 100)
    targets = []
    for _ in range(2):
        assert stack.get(made["url"]).status == 200
        targets.append(len(proxy.requests()))
        time.sleep(1.1)   # another second, another signature
    assert targets == [1, 1]


def test_connections_to_the_store_are_kept(recorded, s3):
    stack, proxy = recorded
    for i in range(12):
        assert stack.get(s3.upload(b"small %d" % i)["url"]).status == 200
    assert len(proxy.requests()) == 12
    assert proxy.connections <= 2, "one for each of nginx's two processes"


@pytest.mark.parametrize("asked", ["first-last", "suffix", "if-range"])
def test_the_end_of_a_large_object_comes_without_the_rest(recorded, s3, asked):
    stack, proxy = recorded
    size = 40 * MIB + 7
    data = os.urandom(MIB) * 40 + b"the end"
    made = s3.upload(data)
    headers = {"Range": f"bytes={size - 7}-{size - 1}" if asked != "suffix" else "bytes=-7"}
    if asked == "if-range":
        headers["If-Range"] = stack.get(made["url"], method="HEAD").headers["ETag"]
    answer = stack.get(made["url"], headers=headers)
    assert answer.status == 206 and answer.body == b"the end"
    assert answer.headers["Content-Range"] == f"bytes {size - 7}-{size - 1}/{size}"
    # nginx needs the first slice to learn the size, unless the range begins with a number
    most = SLICE if asked == "first-last" else 2 * SLICE
    assert proxy.answered <= most + 64 * 1024
    proxy.forget()
    assert stack.get(made["url"], headers={"Range": "bytes=10-19"}).body == data[10:20]
    assert proxy.answered <= SLICE + 64 * 1024
    assert stack.get(made["url"]).body == data


def test_a_slow_reader_of_slices_gets_everything(recorded, s3):
    stack, proxy = recorded
    data = os.urandom(20 * MIB)
    made = s3.upload(data)
    with socket.create_connection(("127.0.0.1", stack.port)) as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        reader.sendall(f"GET {made['url']} HTTP/1.0\r\nAuthorization: Bearer {token()}\r\n\r\n".encode())
        got = reader.recv(65536)
        time.sleep(1)
        assert proxy.answered < len(data), "nginx does not run ahead of the reader by more than a few slices"
        while block := reader.recv(1 << 20):
            got += block
    assert got.partition(b"\r\n\r\n")[2] == data


# --- purge ------------------------------------------------------------------------------------------------------------

def fill_cache(stack):
    """A small and a large file, read whole and in part, so that both lie in nginx's cache."""
    small, large = stack.upload(os.urandom(5000), "ä b.bin"), stack.upload(os.urandom(17 * MIB + 1))
    assert stack.get(small["url"]).status == 200 and stack.get(large["url"]).status == 200
    wait_until(lambda: len(cached_files(stack)) == 1 + 5, 10, "copies in nginx's cache")
    return small, large


@pytest.mark.parametrize("naming", ["fanout", "folder"])
def test_a_deleted_file_leaves_the_cache(new_stack, naming):
    stack = new_stack(stack={"s3": True}, KEY_NAMING=naming)
    kept = stack.upload(b"stays")
    assert stack.get(kept["url"]).status == 200
    small, large = (stack.upload(os.urandom(5000), "ä b.bin"), stack.upload(os.urandom(17 * MIB + 1)))
    for made in (small, large):
        assert stack.get(made["url"]).status == 200
    wait_until(lambda: len(cached_files(stack)) == 1 + 1 + 5, 10, "copies in nginx's cache")
    assert stack.link("m1", large["id"]).status == 200
    assert stack.call("DELETE", "/api/attachments/" + small["id"]).status == 204
    assert stack.call("DELETE", "/api/messages/m1", "service").status in (200, 204)
    wait_until(lambda: len(stack.objects()) == 1, 20, "the objects are deleted")
    [last] = wait_until(lambda: len(cached_files(stack)) == 1 and cached_files(stack), 20, "the copies are purged")
    assert b"stays" in last.read_bytes()
    assert stack.get(kept["url"]).body == b"stays"
    log = (stack.dir / "log/jobs.log").read_text()
    assert "event=cache.purged" in log and small["id"].replace("-", "") not in log


def test_a_host_that_was_down_purges_when_it_is_back(new_stack):
    stack = new_stack(stack={"s3": True, "jobs": False})
    made = fill_cache(stack)
    # by the application's own SQL, in one statement, and by a truncation of what is left
    stack.sql("DELETE FROM attachments WHERE id = %s", made[0]["id"])
    stack.sql("TRUNCATE attachments CASCADE")
    assert len(cached_files(stack)) == 6
    assert stack.get(made[0]["url"]).status == 404, "a copy alone gives nobody anything"
    stack.start_jobs()
    wait_until(lambda: not cached_files(stack), 20, "the copies are purged")


def test_copies_that_the_runner_may_not_touch_are_told_of_once(new_stack):
    """As with a runner that is not nginx's user."""
    stack = new_stack(stack={"s3": True})
    first, second = stack.upload(b"first"), stack.upload(b"second")
    for made in (first, second):
        assert stack.get(made["url"]).status == 200
    wait_until(lambda: len(cached_files(stack)) == 2, 10, "copies in nginx's cache")
    folders = {p.parent for p in cached_files(stack)}
    log = stack.dir / "log/jobs.log"
    try:
        for folder in folders:
            folder.chmod(0o500)
        assert stack.call("DELETE", "/api/attachments/" + first["id"]).status == 204
        wait_until(lambda: "event=cache.purge_failed" in log.read_text(), 10, "the warning")
        assert stack.call("DELETE", "/api/attachments/" + second["id"]).status == 204
        wait_until(lambda: not stack.objects(), 20, "the objects are deleted all the same")
        for made in (first, second):
            assert stack.get(made["url"]).status == 404
    finally:
        for folder in folders:
            folder.chmod(0o700)
    assert log.read_text().count("event=cache.purge_failed") == 1
