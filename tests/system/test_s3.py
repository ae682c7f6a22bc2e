"""test_s3.py — the bucket as another client sees it, presigned URLs, and what nginx keeps of objects."""
import concurrent.futures
import json
import os
import re
import subprocess
import time
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import http_client
from processes import wait_until
from stack import MIB

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89"


def curl(url, *words):
    done = subprocess.run(["curl", "-sS", "--noproxy", "*", "-w", "\n%{http_code}", *words, url], capture_output=True,
                          timeout=60)
    body, _, status = done.stdout.rpartition(b"\n")
    return int(status), body


@pytest.mark.parametrize("data, kind", [(PNG + b"x" * 5000, "image/png"), (b"plain text\n", "text/plain"),
                                        (b"", "application/octet-stream"),
                                        (b"\0" * 64 + os.urandom(9 * MIB + 1), "application/octet-stream")],
                         ids=["png", "text", "empty", "9 MiB"])
def test_boto3_sees_the_same_object_with_type_length_and_metadata(s3, data, kind):
    made = s3.upload(data, "ö.bin")
    seen = s3.s3.get_object(Bucket=s3.settings["S3_BUCKET"], Key=s3.key_of(made))
    assert seen["Body"].read() == data
    assert seen["ContentType"].partition(";")[0] == made["mime_type"] == kind
    assert seen["ContentLength"] == made["size"] == len(data)
    assert seen["Metadata"] == {"attachment-id": made["id"]}
    assert seen["CacheControl"] == "public, max-age=3600"


def test_nobody_else_reads_the_bucket(s3, ceph):
    made = s3.upload()
    url = f"{ceph.settings['S3_ENDPOINT']}/{s3.settings['S3_BUCKET']}/{s3.key_of(made)}"
    assert curl(url)[0] == 403
    wrong = boto3.client("s3", endpoint_url=ceph.settings["S3_ENDPOINT"], region_name="us-east-1",
                         aws_access_key_id=ceph.settings["S3_ACCESS_KEY_ID"], aws_secret_access_key="wrong",
                         config=Config(s3={"addressing_style": "path"}, proxies={}, retries={"max_attempts": 1}))
    with pytest.raises(ClientError):
        wrong.get_object(Bucket=s3.settings["S3_BUCKET"], Key=s3.key_of(made))


def test_a_presigned_url_works_for_plain_curl(s3, s3_redirect):
    data = PNG + b"x" * 5000
    made = s3.upload(data, "Bild ä.png")
    url = s3_redirect.get(made["url"]).headers["Location"]
    assert curl(url) == (200, data)
    assert s3_redirect.get("/api/attachments/" + made["id"]).json()["data_url"].split("?")[0] == url.split("?")[0]
    assert curl(s3_redirect.get("/api/attachments/" + made["id"]).json()["data_url"]) == (200, data)
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["3600"]


def test_a_presigned_url_with_one_character_changed_is_refused(s3, s3_redirect):
    url = s3_redirect.get(s3.upload(PNG, "a.png")["url"]).headers["Location"]
    parts = urlsplit(url)
    start = url.index(parts.path) + len("/" + s3.settings["S3_BUCKET"] + "/")
    changed_ones = 0
    for at in range(start, len(url)):
        # Only characters of values: another parameter name or a broken escape may be no request at all.
        if not url[at].isalnum() or url[at - 1] == "%" or url[at - 2] == "%":
            continue
        changed = url[:at] + ("0" if url[at] != "0" else "1") + url[at + 1:]
        if at % 7 and "Signature=" not in url[at - 70:at]:
            continue  # a sample, and every character of the signature
        status = curl(changed)[0] if changed_ones < 6 else raw_status(changed)
        assert status in (400, 401, 403, 404), (status, changed)
        changed_ones += 1
    assert changed_ones > 64
    assert curl(url)[0] == 200


def raw_status(url):
    target = urlsplit(url)
    return http_client.call(target.port, "GET", f"{target.path}?{target.query}").status


def test_a_presigned_url_ends_when_configured(s3, new_stack):
    short = new_stack(stack={"like": s3}, DELIVERY="redirect", PRESIGN_EXPIRES=3)
    url = short.get(s3.upload()["url"]).headers["Location"]
    assert curl(url)[0] == 200  # signed for whole seconds: with 1 it could end before it is asked for
    time.sleep(4.2)
    assert curl(url)[0] == 403


def test_browsers_get_the_public_endpoint_and_the_signature_fits_it(s3, new_stack, ceph):
    public = ceph.settings["S3_ENDPOINT"].replace("127.0.0.1", "s3.localhost")
    stack = new_stack(stack={"like": s3}, DELIVERY="redirect", S3_PUBLIC_ENDPOINT=public)
    url = stack.get(s3.upload(b"public")["url"]).headers["Location"]
    assert url.startswith(public + "/") and curl(url) == (200, b"public")


def test_virtual_addressing_reaches_the_same_bucket(s3, new_stack, ceph):
    virtual = ceph.settings["S3_ENDPOINT"].replace("127.0.0.1", "s3.localhost")
    # Without nginx, which would want the system to resolve names below localhost; libcurl does so by itself.
    stack = new_stack(stack={"like": s3}, start=False, S3_ENDPOINT=virtual, S3_ADDRESSING="virtual", DELIVERY="stream")
    status, _, answer = stack.cgi("PUT", "/api/upload/a.txt", b"by virtual host", CONTENT_LENGTH="15")
    assert status == 201
    made = json.loads(answer)
    assert s3.get(made["url"]).body == b"by virtual host" == stack.cgi("GET", made["url"])[2]


@pytest.mark.parametrize("naming, pattern", [("fanout", r"pre/fix/[0-9a-f]{2}/[0-9a-f]{32}"),
                                             ("uuid-name", r"pre/fix/{id}_._a__b_ü_.jpg"),
                                             ("folder", r"pre/fix/{id}/._a__b_ü_.jpg")])
@pytest.mark.parametrize("where", ["local", "s3"])
def test_keys_are_made_as_configured_and_names_stay_harmless(where, naming, pattern, new_stack, request):
    stack = new_stack(stack={"s3": where == "s3"}, KEY_PREFIX="pre/fix", KEY_NAMING=naming)
    made = stack.upload(PNG, './a%/b ü?.jpg')
    key = stack.key_of(made)
    assert re.fullmatch(pattern.replace("{id}", made["id"]), key), key
    assert stack.get(made["url"]).body == PNG
    assert stack.call("DELETE", "/api/attachments/" + made["id"]).status == 204
    wait_until(lambda: key not in stack.objects(), 10, "the object is deleted")


def test_nginx_fetches_an_object_once_for_many_readers(s3):
    data = os.urandom(2 * MIB)
    made = s3.upload(data)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for answer in pool.map(lambda _: s3.get(made["url"]), range(32)):
            assert answer.status == 200 and answer.body == data
    # cached: the store is not asked again
    s3.s3.delete_object(Bucket=s3.settings["S3_BUCKET"], Key=s3.key_of(made))
    assert s3.get(made["url"]).body == data
    assert s3.get(made["url"], headers={"Range": "bytes=5-9"}).body == data[5:10]
    assert s3.get(made["url"], "mallory").status == 404, "the cache knows no strangers"
    s3.sql("DELETE FROM attachments WHERE id = %s", made["id"])


def test_files_stay_readable_when_the_store_for_new_ones_changes(local, new_stack, world):
    """Rows say where their bytes lie: STORAGE is for new files only."""
    old = local.upload(b"on the disk")
    stack = new_stack(stack={"like": local}, **world.s3_settings("changed-store"))
    stack.s3 = world.ceph.client()
    new = stack.upload(b"in the bucket")
    assert stack.get(old["url"]).body == b"on the disk" and stack.get(new["url"]).body == b"in the bucket"
    assert stack.sql("SELECT store FROM attachments WHERE id IN (%s, %s) ORDER BY created_at", old["id"], new["id"]) \
        == [("local",), ("s3",)]
    # here and not by the session's job runner, which knows no bucket
    assert stack.call("DELETE", "/api/attachments/" + new["id"]).status == 204
    stack.sql("DELETE FROM jobs WHERE payload->>'store' = 's3'")
