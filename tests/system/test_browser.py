"""test_browser.py — Chromium uploads from a page of nginx's origin straight to the bucket, which is another origin."""
import hashlib
import os
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from processes import wait_until
from stack import MIB, token

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89"
PAGE = Path(__file__).parent / "page.html"


@pytest.fixture(scope="module", params=["PUT", "POST"])
def site(request, world):
    provider = {"PUT": "swift", "POST": "ceph"}[request.param]
    page = f"location = /page {{ default_type text/html; alias {world.dir}/page.html; }}"
    (world.dir / "page.html").write_bytes(PAGE.read_bytes())
    stack = world.stack({"S3_PROVIDER": provider, "DIRECT_UPLOAD_PART_SIZE": "5M"}, s3=True, server=page).start()
    stack.method = request.param
    let_in(stack)
    yield stack
    stack.stop()
    world.stacks.remove(stack)


def let_in(stack):
    """What `cloakroom check --fix` does with CORS_ORIGINS."""
    rule = {"AllowedOrigins": [stack.url], "AllowedMethods": ["GET", "HEAD", "PUT", "POST"], "AllowedHeaders": ["*"],
            "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 600}
    stack.s3.put_bucket_cors(Bucket=stack.settings["S3_BUCKET"], CORSConfiguration={"CORSRules": [rule]})


def upload(driver, stack, path, **announced):
    """What the page's upload() returned, or the message of what it threw."""
    driver.get(stack.url + "/page")
    driver.find_element(By.ID, "file").send_keys(str(path))
    return driver.execute_async_script(
        "const done = arguments[2]; upload(arguments[0], arguments[1]).then(done, e => done({error: String(e)}));",
        token("alice"), announced)


def file_of(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def gone(stack, result):
    key = "quarantine/" + result["ticket"]["id"].replace("-", "")
    wait_until(lambda: key not in stack.objects(), 10, "the object goes")
    return not stack.sql("SELECT 1 FROM attachments WHERE filename LIKE 'lie%%'")


@pytest.mark.parametrize("name, size", [("Bild ä.png", 3000), ("large.png", 11 * MIB)])
def test_a_page_uploads_straight_to_the_store(chromium, site, tmp_path, name, size):
    data = PNG + os.urandom(size)
    result = upload(chromium, site, file_of(tmp_path, name, data))
    assert "error" not in result, result
    assert result["completed"]["status"] == 201, result
    assert set(result["sent"]) <= {200, 201, 204}
    assert ("parts" in result["ticket"]) == (size > 5 * MIB)
    if size <= 5 * MIB:
        assert result["ticket"]["method"] == site.method
        assert result["ticket"]["url"].startswith(site.settings["S3_ENDPOINT"])
    made = result["completed"]["body"]
    assert (made["filename"], made["mime_type"], made["size"]) == (name, "image/png", len(data))
    assert made["sha256"] == hashlib.sha256(data).hexdigest()
    assert site.get(made["url"]).body == data
    site.assert_whole()


def test_a_file_that_lies_about_its_type_is_refused_and_gone(chromium, site, tmp_path):
    result = upload(chromium, site, file_of(tmp_path, "lie.png", b"<!DOCTYPE html><html><script>alert(1)</script>"))
    assert result["ticket"] and result["completed"]["status"] == 415, result
    assert gone(site, result)


def test_a_file_that_lies_about_its_size_is_refused_and_gone(chromium, site, tmp_path):
    result = upload(chromium, site, file_of(tmp_path, "lie.png", PNG + b"x" * 100), size=len(PNG))
    # the signature has the size in it, so the store itself refuses, and there is nothing to complete
    assert result.get("error") or (result["sent"][0] in (400, 403) and result["completed"]["status"] == 409), result
    assert not site.sql("SELECT 1 FROM attachments WHERE filename = 'lie.png'")
    assert not [k for k in site.objects() if k.startswith("quarantine/")]


def test_a_size_that_the_store_did_not_check_is_refused_at_completion_and_gone(chromium, site, tmp_path):
    asked = upload(chromium, site, file_of(tmp_path, "lie.png", PNG), size=len(PNG) + 1)
    found = site.sql("SELECT id::text FROM direct_uploads WHERE filename = 'lie.png' ORDER BY id DESC LIMIT 1")[0][0]
    key = "quarantine/" + found.replace("-", "")
    site.s3.put_object(Bucket=site.settings["S3_BUCKET"], Key=key, Body=PNG)
    answer = site.call("POST", f"/api/direct-uploads/{found}/complete")
    assert answer.status == 400 and "but has" in answer.json()["detail"], (str(answer), asked)
    wait_until(lambda: key not in site.objects(), 10, "the object goes")


def test_a_page_of_another_origin_is_not_let_in(chromium, site, tmp_path):
    site.s3.delete_bucket_cors(Bucket=site.settings["S3_BUCKET"])
    try:
        result = upload(chromium, site, file_of(tmp_path, "a.png", PNG))
        assert "Failed to fetch" in result.get("error", ""), result
    finally:
        let_in(site)
