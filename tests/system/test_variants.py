"""test_variants.py — previews: made ahead, made once however many ask, sent as files are, gone with their original."""
import io
import random
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from http_client import call
from pictures import animated, noise, saved
from processes import wait_until

CHROMIUM = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


def picture(width=900, height=600, kind="JPEG", mode="RGB"):
    """The bytes of a picture that no other test has."""
    made = noise(width, height, random.randrange(1 << 30)).convert(mode)
    if mode == "RGBA":
        made.putalpha(120)
    return saved(made, kind)


def url_of(made, variant="thumb"):
    return f"/api/files/{made['id']}/{variant}/x"


def decoded(answer, kind, width, height):
    image = Image.open(io.BytesIO(answer.body))
    image.load()
    assert (image.format, image.size) == (kind, (width, height)), answer
    return image


def made_lines(stack, file_id):
    """What was decoded for a file, by every process of the stack."""
    return [line for name, text in stack.all_logs().items() if name.startswith(("worker", "jobs"))
            for line in text.splitlines() if "event=variant.made" in line and file_id in line]


def decodes(stack):
    """What the metrics of its worker say."""
    text = stack.get("/metrics", "service").body.decode()
    return int(re.search(r"^cloakroom_variants_made_total (\d+)$", text, re.M)[1])


def variants_of(stack, made):
    return {(name, format): key for name, format, key in
            stack.sql("SELECT name, format, key FROM variants WHERE attachment_id = %s", made["id"])}


@pytest.fixture(scope="module")
def pictured(world):
    """Nothing is made ahead: no runner."""
    return world.stack({}, images=True, jobs=False).start()


@pytest.fixture(scope="module")
def second_node(world, pictured):
    return world.stack({}, like=pictured, images=True).start()


@pytest.fixture(scope="module")
def eager(world):
    return world.stack({}, images=True).start()


# --- what is said of a picture ----------------------------------------------------------------------------------------

def test_an_upload_tells_the_sides_and_shows_a_placeholder(pictured):
    made = pictured.upload(picture(640, 480), "beach.jpg")
    assert (made["width"], made["height"], made["frames"], made["duration_ms"]) == (640, 480, 1, None)
    assert made["placeholder"].startswith("data:image/webp;base64,") and len(made["placeholder"]) <= 400
    assert made["thumb_url"] == f"/api/files/{made['id']}/thumb/beach.jpg"
    again = pictured.get("/api/attachments/" + made["id"]).json()
    assert again == made
    assert pictured.get(made["thumb_url"]).status == 200


def test_what_is_no_picture_has_none(pictured):
    made = pictured.upload(b"text", "a.txt")
    assert (made["width"], made["placeholder"], made["frames"], made["thumb_url"]) == (None, None, None, "")
    assert pictured.get(url_of(made)).status == 404


def test_a_broken_picture_is_kept_and_not_decoded_at_each_view(pictured):
    whole = picture(1200, 800)
    broken = whole[:300] + bytes(len(whole) // 2)
    made = pictured.upload(broken, "broken.jpg")
    assert made["mime_type"] == "image/jpeg" and made["sha256"]
    for _ in range(3):
        assert pictured.get(url_of(made)).status == 404
    assert pictured.get(made["url"]).body == broken
    assert pictured.sql("SELECT picture FROM attachments WHERE id = %s", made["id"]) == [("none",)]
    assert pictured.get("/api/attachments/" + made["id"]).json()["thumb_url"] == ""
    assert pictured.log().count(f'event=picture.refused id="{made["id"]}"') == 1


# --- which one, and how it is sent ------------------------------------------------------------------------------------

def test_a_browser_gets_webp_and_an_old_client_jpeg(pictured):
    made = pictured.upload(picture(900, 600), "beach.jpg")
    browser = pictured.get(url_of(made), headers={"Accept": CHROMIUM})
    assert browser.status == 200 and browser.headers["Content-Type"] == "image/webp"
    decoded(browser, "WEBP", 250, 167)
    for accept in ({}, {"Accept": "*/*"}, {"Accept": "image/webp;q=0"}):
        old = pictured.get(url_of(made), headers=accept)
        assert old.headers["Content-Type"] == "image/jpeg"
        decoded(old, "JPEG", 250, 167)
    for answer in (browser, old):
        assert answer.headers["Vary"] == "Accept" and "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert 'beach-thumb.webp' in browser.headers["Content-Disposition"]


def test_transparency_and_motion_are_kept(pictured):
    clear = pictured.upload(picture(500, 500, "PNG", "RGBA"), "clear.png")
    assert "A" in decoded(pictured.get(url_of(clear)), "PNG", 250, 250).getbands()
    gif = pictured.upload(animated("GIF", size=(320, 200)), "moving.gif")
    assert gif["frames"] == 5
    webp = decoded(pictured.get(url_of(gif), headers={"Accept": CHROMIUM}), "WEBP", 250, 156)
    assert webp.n_frames == 5


def test_it_is_never_larger_than_the_original(pictured):
    made = pictured.upload(picture(120, 80), "small.jpg")
    for variant in ("thumb", "preview", "large"):
        decoded(pictured.get(url_of(made, variant)), "JPEG", 120, 80)


def test_conditions_and_ranges_hold_as_for_files(pictured):
    made = pictured.upload(picture(), "x.jpg")
    whole = pictured.get(url_of(made))
    etag = whole.headers["ETag"]
    unchanged = pictured.get(url_of(made), headers={"If-None-Match": etag})
    assert unchanged.status == 304 and unchanged.headers["Vary"] == "Accept" and unchanged.headers["ETag"] == etag
    part = pictured.get(url_of(made), headers={"Range": "bytes=2-9"})
    assert part.status == 206 and part.body == whole.body[2:10]
    assert pictured.get(url_of(made), headers={"Range": "bytes=9999999-"}).status == 416
    assert pictured.get(url_of(made), headers={"If-Match": '"other"'}).status == 412
    assert pictured.get(url_of(made), headers={"Accept": CHROMIUM}).headers["ETag"] != etag


def check_headers(answer, status):
    """What a preview depends on is said once, and what is meant for nginx alone stays with nginx."""
    assert answer.status == status, str(answer)
    assert answer.headers.get_all("Vary") == ["Accept"]
    assert not [name for name in answer.headers if name.lower().startswith("x-cloakroom")]


def test_every_answer_of_a_preview_varies_and_those_of_its_original_do_not(pictured, new_stack):
    streamed = new_stack(stack={"like": pictured, "images": True}, DELIVERY="stream")
    for stack in (pictured, streamed):
        made = stack.upload(picture(), "x.jpg")
        check_headers(stack.get(url_of(made), method="HEAD"), 200)
        whole = stack.get(url_of(made))
        check_headers(whole, 200)
        check_headers(stack.get(url_of(made), method="HEAD"), 200)
        etag = whole.headers["ETag"]
        for headers, status in (({"If-None-Match": etag}, 304), ({"Range": "bytes=2-9"}, 206), ({"Range": "bytes=9999999-"}, 416),
                                ({"Range": "bytes=0-1,4-5"}, 206), ({"If-Match": etag}, 200)):
            check_headers(stack.get(url_of(made), headers=headers), status)
            original = stack.get(made["url"], headers={**headers, "If-Match": "*"} if "If-Match" in headers else headers)
            assert "Vary" not in original.headers and original.status in (200, status)


def test_a_head_makes_nothing_and_tells_of_what_is_there(pictured):
    made = pictured.upload(picture(), "x.jpg")
    before = pictured.get(url_of(made), method="HEAD")
    assert before.status == 200 and before.headers["Content-Type"] == "image/jpeg" and "ETag" not in before.headers
    assert variants_of(pictured, made) == {} and made_lines(pictured, made["id"]) == []
    whole = pictured.get(url_of(made))
    after = pictured.get(url_of(made), method="HEAD")
    assert after.headers["Content-Length"] == str(len(whole.body)) and after.headers["ETag"] == whole.headers["ETag"]


def test_unknown_names_are_the_404_of_all(pictured):
    made = pictured.upload(picture(), "x.jpg")
    for path in (url_of(made, "huge"), url_of(made, "THUMB"), url_of({"id": made["id"][:-1]})):
        answer = pictured.get(path)
        assert answer.status == 404 and "Vary" not in answer.headers


# --- once -------------------------------------------------------------------------------------------------------------

def test_a_hundred_first_requests_over_two_nodes_decode_once(pictured, second_node):
    made = pictured.upload(picture(4000, 3000), "large.jpg")
    identity = pictured.identity("alice")
    counted = decodes(pictured) + decodes(second_node)
    started = time.monotonic()
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda i: call((pictured, second_node)[i % 2].port, "GET", url_of(made), identity),
                                range(100)))
    took = time.monotonic() - started
    assert {answer.status for answer in answers} == {200}, [a.status for a in answers]
    assert len({answer.body for answer in answers}) == 1
    decoded(answers[0], "JPEG", 250, 188)
    lines = made_lines(pictured, made["id"]) + made_lines(second_node, made["id"])
    assert len(lines) == 1, lines
    assert decodes(pictured) + decodes(second_node) == counted + 1
    assert took < 15, took


def test_who_waits_for_a_picture_is_in_nobodys_way(pictured):
    """Twenty pictures at once for two children, and a small download among them."""
    gallery = [pictured.upload(picture(3000, 2000), f"{i}.jpg") for i in range(10)]
    small = pictured.upload(b"small")
    with ThreadPoolExecutor(40) as pool:
        views = [pool.submit(pictured.get, url_of(made, variant)) for made in gallery for variant in ("thumb", "large")]
        times = []
        while not all(view.done() for view in views):
            started = time.monotonic()
            assert pictured.get(small["url"]).body == b"small"
            times.append(time.monotonic() - started)
    assert {view.result().status for view in views} == {200}
    assert sorted(times)[len(times) // 2] < 0.5 and max(times) < 3, sorted(times)[-5:]


# --- ahead of need ----------------------------------------------------------------------------------------------------

def test_all_sizes_are_there_soon_after_the_upload(eager):
    made = eager.upload(picture(2000, 1500), "beach.jpg")
    wait_until(lambda: len(variants_of(eager, made)) == 4, 20, "the job made the previews")
    assert set(variants_of(eager, made)) == {("thumb", "webp"), ("preview", "webp"), ("large", "webp"), ("thumb", "plain")}
    decoded(eager.get(url_of(made, "preview"), headers={"Accept": CHROMIUM}), "WEBP", 400, 300)
    decoded(eager.get(url_of(made, "large"), headers={"Accept": CHROMIUM}), "WEBP", 1600, 1200)
    decoded(eager.get(url_of(made)), "JPEG", 250, 188)
    assert len(made_lines(eager, made["id"])) == 4
    assert eager.sql("SELECT count(*) FROM jobs WHERE kind = 'make_variants'") == [(0,)]


def test_they_go_with_the_original(eager):
    made = eager.upload(picture(), "beach.jpg")
    wait_until(lambda: len(variants_of(eager, made)) == 4, 20, "the job made the previews")
    keys = set(variants_of(eager, made).values())
    assert keys <= set(eager.objects())
    assert eager.call("DELETE", "/api/attachments/" + made["id"]).status == 204
    wait_until(lambda: not keys & set(eager.objects()), 10, "the objects of the previews are gone")
    assert variants_of(eager, made) == {}


def test_an_imager_that_is_away_fails_no_upload_and_is_caught_up_with(new_stack):
    stack = new_stack(stack={"images": True})
    stack.stop_images()
    made = stack.upload(picture(800, 600), "beach.jpg")
    assert made["width"] is None and made["placeholder"] is None
    away = stack.get(url_of(made))
    assert away.status == 503 and away.headers["Retry-After"] == "10" and away.json()["type"].endswith("imager_away")
    assert stack.get(url_of(made), "mallory").status == 404
    stack.start_images()
    wait_until(lambda: stack.get(url_of(made)).status == 200, 10, "it is asked again")
    decoded(stack.get(url_of(made)), "JPEG", 250, 188)
    later = stack.get("/api/attachments/" + made["id"]).json()
    assert (later["width"], later["height"]) == (800, 600) and later["placeholder"]
    wait_until(lambda: len(variants_of(stack, made)) == 4, 40, "the job came again")


def test_rebuild_makes_them_anew_and_says_what_it_did(eager):
    made = eager.upload(picture(), "beach.jpg")
    wait_until(lambda: len(variants_of(eager, made)) == 4, 20, "the job made the previews")
    before = variants_of(eager, made)
    assert '"finished":true' in eager.tool("variants", "--rebuild", "--json", "--missing").stdout
    assert variants_of(eager, made) == before
    assert "files may have pictures" in eager.tool("variants", "--rebuild", "--dry-run").stdout
    assert eager.tool("variants", "--rebuild", "--dry-run", "--missing", check=False).returncode == 2
    assert eager.tool("variants", "--rebuild").stdout.endswith("0 files failed\n")
    after = variants_of(eager, made)
    assert set(after) == set(before) and not set(after.values()) & set(before.values())
    wait_until(lambda: not set(before.values()) & set(eager.objects()), 10, "the old objects are gone")
    decoded(eager.get(url_of(made), headers={"Accept": CHROMIUM}), "WEBP", 250, 167)


# --- S3 ---------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def in_s3(world):
    return world.stack(world.s3_settings("previews"), images=True).start()


def test_in_s3_they_lie_beside_the_original_and_pass_nginx(in_s3):
    made = in_s3.upload(picture(), "beach.jpg")
    wait_until(lambda: len(variants_of(in_s3, made)) == 4, 30, "the job made the previews")
    keys = set(variants_of(in_s3, made).values())
    assert keys <= set(in_s3.objects())
    answer = in_s3.get(url_of(made), headers={"Accept": CHROMIUM})
    decoded(answer, "WEBP", 250, 167)
    assert answer.headers["Content-Type"] == "image/webp"
    check_headers(answer, 200)
    for headers, status in (({"Range": "bytes=0-1,4-5"}, 206), ({"Range": "bytes=9999999-"}, 416), ({"If-Match": "*"}, 200)):
        check_headers(in_s3.get(url_of(made), headers={"Accept": CHROMIUM, **headers}), status)
    decoded(in_s3.get(url_of(made)), "JPEG", 250, 167)
    assert in_s3.call("DELETE", "/api/attachments/" + made["id"]).status == 204
    wait_until(lambda: not keys & set(in_s3.objects()), 10, "the objects of the previews are gone")


def test_with_redirects_thumb_url_is_presigned_once_it_is_there(new_stack, in_s3):
    stack = new_stack(stack={"like": in_s3, "images": True}, DELIVERY="redirect")
    made = stack.upload(picture(), "beach.jpg")
    assert made["thumb_url"].startswith("/api/files/")
    wait_until(lambda: len(variants_of(stack, made)) == 4, 30, "the job made the previews")
    url = stack.get("/api/attachments/" + made["id"]).json()["thumb_url"]
    assert url.startswith("http") and "X-Amz-Signature" in url
    body = stack.curl(url, user=None)
    assert Image.open(io.BytesIO(body)).format == "WEBP"
    moved = stack.get(url_of(made), headers={"Accept": CHROMIUM})
    check_headers(moved, 302)
    check_headers(stack.get(url_of(made), headers={"Accept": CHROMIUM}, method="HEAD"), 302)
