"""test_thumbnails.py — previews where they are used: on a page in Chromium, in a client that says nothing, behind a CDN."""
import io
import json

import pytest
from PIL import Image

from pictures import noise, saved
from processes import wait_until
from stack import token
from test_public import CDN, fetched_by_the_cdn

PAGE = "location = /gallery { default_type text/html; return 200 '<!DOCTYPE html><title>pictures</title>'; }"
WIRE = """log_format wire escape=json '{{"uri":"$request_uri","status":$status,"type":"$sent_http_content_type","vary":"$sent_http_vary"}}';
access_log {log} wire;"""


def photograph(seed):
    return saved(noise(900, 600, seed), "JPEG")


@pytest.fixture(scope="module", params=["webp", "avif,webp"])
def gallery(request, world):
    """A page of nginx's origin, whose user a cookie names; and a log of what nginx sent."""
    log = world.folder("wire-" + request.param.replace(",", "-")) / "wire.log"
    stack = world.stack({"JWT_COOKIE": "session", "VARIANT_FORMATS": request.param}, images=True, server=PAGE,
                        http=WIRE.format(log=log)).start()
    stack.wire, stack.best = log, request.param.partition(",")[0]
    yield stack
    stack.stop()
    world.stacks.remove(stack)


def shown(driver, url):
    """Width and height of what the browser has made of a picture; [0, 0] where it could not."""
    return driver.execute_async_script("""
        const done = arguments[1], image = new Image();
        image.onload = image.onerror = () => done([image.naturalWidth, image.naturalHeight]);
        image.src = arguments[0];
        document.body.append(image);""", url)


def sent(stack, path):
    """What went over the wire for an address."""
    lines = [json.loads(line) for line in stack.wire.read_text().splitlines()]
    return [line for line in lines if line["uri"] == path]


def test_a_page_shows_a_thumbnail_in_the_best_format_of_the_settings(chromium, gallery):
    made = gallery.upload(photograph(1), "beach.jpg")
    chromium.get(gallery.url + "/gallery")
    chromium.add_cookie({"name": "session", "value": token("alice")})
    assert shown(chromium, made["thumb_url"]) == [250, 167]
    wire = wait_until(lambda: sent(gallery, made["thumb_url"]), 5, "nginx has written its log")
    assert [(line["status"], line["type"], line["vary"]) for line in wire] == [(200, "image/" + gallery.best, "Accept")]
    # what it keeps it shows again without a word to us
    chromium.refresh()
    assert shown(chromium, made["thumb_url"]) == [250, 167]
    assert len(sent(gallery, made["thumb_url"])) == 1


def test_a_page_of_somebody_else_shows_nothing(chromium, gallery):
    made = gallery.upload(photograph(2), "beach.jpg")
    chromium.get(gallery.url + "/gallery")
    chromium.add_cookie({"name": "session", "value": token("mallory")})
    assert shown(chromium, made["thumb_url"]) == [0, 0]
    wire = wait_until(lambda: sent(gallery, made["thumb_url"]), 5, "nginx has written its log")
    assert [line["status"] for line in wire] == [404]


def test_an_old_client_gets_jpeg(gallery):
    made = gallery.upload(photograph(3), "beach.jpg")
    answer = gallery.get(made["thumb_url"])
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/jpeg")
    image = Image.open(io.BytesIO(answer.body))
    assert (image.format, image.size) == ("JPEG", (250, 167))


# --- CDN --------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def cdn(world):
    """Before a bucket that everybody may read."""
    stack = world.stack({"VISIBILITY": "public", "CDN_URL": CDN}, s3=True, images=True).start()
    bucket = stack.settings["S3_BUCKET"]
    stack.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"],
                       "Resource": [f"arn:aws:s3:::{bucket}/*"]}]}))
    return stack


def test_thumb_url_is_the_cdn_s_once_it_is_there(cdn):
    made = cdn.upload(photograph(4), "beach.jpg")
    assert made["thumb_url"] == f"/api/files/{made['id']}/thumb/beach.jpg"  # answers at once, whoever asks
    first = cdn.get(made["thumb_url"], None)
    assert first.status == 200 and Image.open(io.BytesIO(first.body)).size == (250, 167)

    def address():
        url = cdn.get("/api/attachments/" + made["id"]).json()["thumb_url"]
        return url if url.startswith(CDN + "/") else None

    url = wait_until(address, 30, "the job made the previews")
    answer = fetched_by_the_cdn(cdn, url)
    assert answer.status == 200 and answer.headers["Content-Type"] == "image/webp", str(answer)
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "beach-thumb.webp" in answer.headers["Content-Disposition"]
    image = Image.open(io.BytesIO(answer.body))
    assert (image.format, image.size) == ("WEBP", (250, 167))
