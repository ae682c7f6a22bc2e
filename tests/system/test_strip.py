"""test_strip.py — metadata of pictures is gone from what is kept, by every way in; pixels, profile and orientation stay."""
import hashlib
import io
import json
import random
import struct

import pytest
from PIL import Image

from camera_pictures import KINDS, assert_clean, bare, colour_profile, pixels, tags, with_secrets
from conftest import SOAK
from test_direct_uploads import ask, complete, send
from test_upload import assert_problem

TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "heic": "image/heic", "avif": "image/avif"}


@pytest.fixture(scope="module")
def strict(request):
    """A stack that removes all."""
    made = request.config.world.stack({"STRIP_METADATA": "all"}).start()
    yield made
    made.stop()
    request.config.world.stacks.remove(made)


@pytest.fixture(scope="module")
def direct(request):
    made = request.config.world.stack({"S3_PROVIDER": "ceph"}, s3=True).start()
    made.method = "POST"
    yield made
    made.stop()
    request.config.world.stacks.remove(made)


def by_form(stack, name, data):
    # between others, so that it is a part in the middle of the body
    answer = stack.post_form([("before.txt", b"GPS as text"), (name, data), ("behind.bin", data[:-1][::-1])])
    assert answer.status == 201, str(answer)
    before, made, behind = answer.json()
    assert stack.get(before["url"]).body == b"GPS as text" and stack.get(behind["url"]).body == data[:-1][::-1]
    return made


def by_put(stack, name, data):
    answer = stack.put(data, name)
    assert answer.status == 201, str(answer)
    return answer.json()


def by_cgi(stack, name, data):
    status, _, body = stack.cgi("PUT", f"/api/upload/{name}", data, CONTENT_LENGTH=str(len(data)))
    assert status == 201, body
    return json.loads(body)


def by_direct(stack, name, data):
    ticket = ask(stack, data, name, TYPES[name.rpartition(".")[2]], sha256=hashlib.sha256(data).hexdigest())
    assert send(ticket, data).ok
    answer = complete(stack, ticket)
    assert answer.status == 201, str(answer)
    return answer.json()


def assert_stripped(stack, made, sent, kind, folder):
    got = stack.get(made["url"]).body
    assert len(got) == len(sent) == made["size"] and got != sent
    assert made["sha256"] == hashlib.sha256(got).hexdigest()
    assert_clean(got)
    assert pixels(kind, got, folder) == pixels(kind, sent, folder)
    assert colour_profile(got) == colour_profile(sent) != b""
    assert tags(got)["IFD0:Orientation"] == tags(sent)["IFD0:Orientation"]
    return got


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", [by_form, by_put, by_cgi])
def test_positions_and_serials_are_gone_and_the_picture_is_the_same(way, kind, local, tmp_path):
    sent = with_secrets(kind, tmp_path, orientation=random.randint(1, 8))
    got = assert_stripped(local, way(local, f"a.{kind}", sent), sent, kind, tmp_path)
    before, after = tags(sent), tags(got)
    assert any("GPS" in name for name in before)
    assert (after["IFD0:Make"], after["XMP-dc:Title"], after["ExifIFD:UserComment"]) == ("Acme", "A title", "a remark")
    assert not any("Warning" in name or "Error" in name for name in set(after) - set(before))
    local.assert_whole()


@pytest.mark.parametrize("kind", KINDS)
def test_all_leaves_orientation_and_profile(kind, strict, tmp_path):
    more = ["-IPTC:City=Berlin", "-Comment=a comment"] if kind == "jpg" else ["-PNG:Author=Jane"] if kind == "png" else []
    sent = with_secrets(kind, tmp_path, more=more)
    got = assert_stripped(strict, by_put(strict, f"a.{kind}", sent), sent, kind, tmp_path)
    kept = {name for name, value in tags(got).items()
            if name.split(":")[0] in ("IFD0", "ExifIFD", "IPTC", "PNG") or name.startswith("XMP")}
    for word in (b"Acme", b"A title", b"a remark", b"Berlin", b"a comment", b"Jane"):
        assert word not in got
    assert "IFD0:Orientation" in kept and not [n for n in kept if n.startswith(("XMP", "ExifIFD", "IPTC"))]


@pytest.mark.parametrize("kind", KINDS)
def test_a_direct_upload_is_stripped_too(kind, direct, tmp_path):
    sent = with_secrets(kind, tmp_path)
    assert_stripped(direct, by_direct(direct, f"a.{kind}", sent), sent, kind, tmp_path)
    direct.assert_whole()


def test_an_upload_to_s3_is_stripped(direct, tmp_path):
    sent = with_secrets("jpg", tmp_path)
    assert_stripped(direct, by_form(direct, "a.jpg", sent), sent, "jpg", tmp_path)


def test_a_picture_without_secrets_is_kept_as_it_came(local, tmp_path):
    for kind in KINDS:
        sent = bare(kind, tmp_path).read_bytes()
        assert local.get(by_put(local, f"a.{kind}", sent)["url"]).body == sent


def test_none_keeps_what_was_sent(new_stack, tmp_path):
    stack = new_stack(STRIP_METADATA="none")
    sent = with_secrets("jpg", tmp_path)
    assert stack.get(by_put(stack, "a.jpg", sent)["url"]).body == sent


def test_no_digit_of_a_position_is_left_anywhere(local, tmp_path):
    generator = random.Random(20261121)
    for n in range(2 * len(KINDS) if SOAK else len(KINDS)):
        kind = KINDS[n % len(KINDS)]
        latitude, longitude = (f"{generator.uniform(1, most):.7f}" for most in (89, 179))
        order = "-ExifByteOrder=" + ["II", "MM"][n % 2]  # of an odd number of kinds each has both in the end
        # PIL reads the numbers that exiftool made of the position out of a JPEG; the other kinds have the same
        with Image.open(io.BytesIO(with_secrets("jpg", tmp_path, n, latitude=latitude, longitude=longitude))) as image:
            position = image.getexif().get_ifd(0x8825)
        needles = []
        for tag in (2, 4):
            seconds = position[tag][2]
            needles += [struct.pack(end + "II", seconds.numerator, seconds.denominator) for end in "<>"]
        sent = with_secrets(kind, tmp_path, n, latitude=latitude, longitude=longitude, more=[order])
        written = [str(v).encode() for name, v in tags(sent).items() if name.startswith("XMP-exif:GPS")]
        got = local.get(by_put(local, f"a.{kind}", sent)["url"]).body
        assert sum(needle in sent for needle in needles) >= 2, kind
        assert not [needle for needle in needles if needle in got], kind
        assert not [text for text in written if text[:8] in got], kind


def test_what_cannot_be_read_to_its_end_is_kept_with_a_line_or_refused(local, strict):
    broken = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89" + b"?" * 100
    answer = local.put(broken, "broken.png")
    assert answer.status == 201, str(answer)
    assert local.get(answer.json()["url"]).body == broken
    assert "event=upload.not_stripped" in local.log() and 'filename="broken.png"' in local.log()
    before = strict.snapshot()
    assert_problem(strict.put(broken, "broken.png"), 422, "undecodable")
    strict.assert_nothing_kept(before)
