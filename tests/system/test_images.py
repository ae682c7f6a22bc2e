"""test_images.py — cloakroom-image over a corpus: what each file looks like small, or that it is refused and costs one helper."""
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageSequence, ImageStat

import pictures
from imager import Imager, one_for_all, refused
from pictures import quadrants, saved

TOLERANCE = 12  # of 255, mean over a channel: lossy formats and two different resamplers
BOMB_SECONDS = 2  # of processor time, on a machine that does other things meanwhile


@pytest.fixture(scope="module")
def imager(world):
    with one_for_all(world, "images") as one:
        yield one


def difference(a, b):
    """The largest mean difference of a channel."""
    assert a.size == b.size, (a.size, b.size)
    return max(ImageStat.Stat(ImageChops.difference(a.convert("RGB"), b.convert("RGB"))).mean)


def colour(answer):
    return answer.picture().convert("RGB").resize((1, 1), Image.BOX).getpixel((0, 0))


def near(a, b, tolerance=TOLERANCE):
    return all(abs(x - y) <= tolerance for x, y in zip(a, b))


@pytest.fixture(scope="module")
def originals(imager):
    """type -> the quadrants, 64x48, in that type."""
    found = {f"image/{name}": saved(quadrants(), name.upper(), **how) for name, how in (
        ("jpeg", {"quality": 95}), ("png", {}), ("gif", {}), ("webp", {"lossless": True}), ("tiff", {}), ("bmp", {}))}
    found["image/avif"] = imager.render(found["image/png"], "image/png", "avif").bytes
    return found


KINDS = ["image/jpeg", "image/png", "image/gif", "image/webp", "image/tiff", "image/avif", "image/bmp"]


# --- what good files give ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_known_and_becomes_every_format(imager, originals, kind):
    facts = imager.probe(originals[kind], kind).facts
    assert (facts["width"], facts["height"], facts["frames"], facts["duration_ms"]) == (64, 48, 1, 0), facts
    assert facts["placeholder"].startswith("data:image/webp;base64,UklGR") and len(facts["placeholder"]) <= 400
    for format in ("jpeg", "png", "webp", "gif", "avif"):
        small = imager.render(originals[kind], kind, format, width=32)
        assert small.size == (32, 24) and small.facts["format"] == format, small
        if format == "avif":
            assert small.bytes[4:12] == b"ftypavif"
            small = imager.render(small.bytes, "image/avif", "png")
        else:
            assert small.picture().format == format.upper()
        assert difference(small.picture(), quadrants(32, 24)) < TOLERANCE, format


def test_a_placeholder_is_a_small_picture_of_the_picture(imager, originals):
    import base64
    uri = imager.probe(originals["image/png"], "image/png").facts["placeholder"]
    small = Image.open(BytesIO(base64.b64decode(uri.split(",")[1])))
    assert small.format == "WEBP" and small.size == (16, 12)
    assert difference(small, quadrants(16, 12)) < 40
    assert len(imager.probe(saved(pictures.noise(800, 800), "PNG"), "image/png").facts["placeholder"]) in range(50, 401)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(imager, orientation):
    data, shown = pictures.turned(orientation)
    assert imager.probe(data, "image/jpeg").size == shown.size
    for format in ("png", "jpeg", "webp"):
        whole = imager.render(data, "image/jpeg", format)
        assert difference(whole.picture(), shown) < 6, format
        assert not whole.picture().getexif().get(0x0112)
    small = imager.render(data, "image/jpeg", "png", width=24, height=24)
    assert max(small.size) == 24 and difference(small.picture(), quadrants_like(shown, small.size)) < TOLERANCE


def quadrants_like(picture, size):
    return picture.resize(size, Image.BOX)


def test_colours_are_those_of_srgb(imager):
    cmyk = saved(Image.new("CMYK", (64, 48), (0, 255, 255, 0)), "JPEG", quality=95)
    assert near(colour(imager.render(cmyk, "image/jpeg")), (230, 30, 40), 40)
    assert imager.probe(cmyk, "image/jpeg").facts["has_alpha"] is False
    deep = imager.render(pictures.png_16_bit(), "image/png")
    assert deep.picture().mode == "RGB" and near(colour(deep), pictures.RED, 2)
    grey = imager.render(saved(Image.new("I;16", (64, 48), 0x8000), "PNG"), "image/png")
    assert near(colour(grey), (128, 128, 128), 2)
    odd = saved(Image.new("RGB", (64, 48), (250, 10, 10)), "PNG", icc_profile=pictures.swapped_profile())
    red, green, _ = colour(imager.render(odd, "image/png"))
    assert green > 200 > 100 > red, "the profile was not applied"
    assert difference(imager.render(saved(quadrants(), "JPEG", progressive=True, quality=95), "image/jpeg").picture(), quadrants()) < 6
    assert near(colour(imager.render(saved(quadrants(mode="L"), "JPEG"), "image/jpeg")), colour_of(quadrants(mode="L")), 4)


def colour_of(picture):
    return picture.convert("RGB").resize((1, 1), Image.BOX).getpixel((0, 0))


def test_transparency_is_kept_or_laid_on_white(imager):
    clear = Image.new("RGBA", (64, 48), (220, 30, 30, 0))
    clear.paste((20, 40, 210, 255), (0, 0, 32, 48))
    data = saved(clear, "PNG")
    assert imager.probe(data, "image/png").facts["has_alpha"] is True
    for format in ("png", "webp"):
        picture = imager.render(data, "image/png", format, width=32).picture().convert("RGBA")
        assert picture.getpixel((28, 12))[3] == 0 and near(picture.getpixel((4, 12)), (20, 40, 210, 255)), format
    laid = imager.render(data, "image/png", "jpeg", width=32).picture()
    assert near(laid.getpixel((28, 12)), (255, 255, 255)) and near(laid.getpixel((4, 12)), (20, 40, 210))


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_what_moves_keeps_moving_where_it_can(imager, kind):
    data, mime_type = pictures.animated(kind), f"image/{kind.lower()}"
    facts = imager.probe(data, mime_type).facts
    assert (facts["width"], facts["height"], facts["frames"], facts["duration_ms"]) == (40, 30, 5, 600), facts
    for format in ("webp", "gif"):
        moving = imager.render(data, mime_type, format, width=20)
        assert moving.size == (20, 15)
        assert sum(1 for _ in ImageSequence.Iterator(moving.picture())) == 5, format
    for format in ("png", "jpeg"):
        still = imager.render(data, mime_type, format, width=20)
        assert still.size == (20, 15) and getattr(still.picture(), "n_frames", 1) == 1
        assert near(colour(still), (0, 0, 0))


def test_frames_are_capped(imager):
    many = imager.render(pictures.animated("GIF", frames=150, size=(16, 16)), "image/gif", "webp", width=8)
    assert many.picture().n_frames == 100
    assert imager.probe(pictures.animated("GIF", frames=150, size=(16, 16)), "image/gif").facts["frames"] == 150


def test_odd_sizes(imager):
    dot = saved(Image.new("RGB", (1, 1), pictures.RED), "PNG")
    line = saved(Image.new("RGB", (20000, 1), pictures.RED), "PNG")
    assert imager.probe(dot, "image/png").size == (1, 1)
    assert imager.probe(line, "image/png").size == (20000, 1)
    for format in ("jpeg", "png", "webp", "avif", "gif"):
        assert imager.render(dot, "image/png", format, width=250).size == (1, 1), format
        assert imager.render(line, "image/png", format, width=250).size == (250, 1), format
    assert imager.render(line, "image/png", "webp").size == (16383, 1)


def test_nothing_is_enlarged_and_the_box_holds(imager, originals):
    data = originals["image/png"]
    assert imager.render(data, "image/png", width=1000, height=1000).size == (64, 48)
    assert imager.render(data, "image/png", width=1000, height=24).size == (32, 24)
    assert imager.render(data, "image/png", height=12).size == (16, 12)


def test_no_metadata_survives(imager):
    data = pictures.with_secrets("52.5200N 13.4050E")
    assert b"52.5200N" in data
    for format in ("jpeg", "png", "webp", "avif", "gif"):
        made = imager.render(data, "image/jpeg", format).bytes
        assert b"52.5200N" not in made and b"13.4050E" not in made
        assert b"Exif" not in made and b"EXIF" not in made, format


def test_a_drawing_is_rasterised(imager):
    data = pictures.svg_quadrants()
    facts = imager.probe(data, "image/svg+xml").facts
    assert (facts["width"], facts["height"], facts["frames"]) == (64, 48, 1)
    for format in ("png", "webp", "jpeg"):
        small = imager.render(data, "image/svg+xml", format, width=32)
        assert small.size == (32, 24) and difference(small.picture(), quadrants(32, 24)) < TOLERANCE
    words = imager.render(pictures.svg("<text x='2' y='40' font-size='40'>WWW</text>"), "image/svg+xml", "jpeg")
    assert colour(words) < (250, 250, 250), "no font was found"


def test_the_time_of_a_drawing_is_for_the_drawing_and_not_for_its_picture(world):
    """Two seconds are needed to write 2000 pixels of noise as AVIF; a drawing has one."""
    patient = Imager(world.app, world.folder("images-patient"), IMAGE_TIMEOUT="60")
    try:
        for data, kind in ((pictures.svg_detailed(2000), "image/svg+xml"), (pictures.pdf(2000, 2000), "application/pdf")):
            made, spent = patient.measured(lambda: patient.render(data, kind, "avif", width=2000))
            assert made.facts and made.size == (2000, 2000), made
            assert spent > 1 or kind == "application/pdf", "or this shows nothing"
    finally:
        assert patient.stop() == 0


def test_a_drawing_loads_nothing_from_outside(imager, world):
    for folder in (world.folder("svg-references"), Path("/usr/share/cloakroom-test-references")):
        folder.mkdir(exist_ok=True)
        try:
            (folder / "red.png").write_bytes(saved(Image.new("RGB", (64, 48), pictures.RED), "PNG"))
            (folder / "red.svg").write_bytes(pictures.svg('<rect id="r" width="64" height="48" fill="red"/>'))
            (folder / "red.css").write_text("rect { fill: red }")
            (folder / "words").write_text('<rect width="64" height="48" fill="red"/>')
            at = f"file://{folder}"
            for body, head in ((f'<image xlink:href="{at}/red.png" width="64" height="48"/>', ""),
                               (f'<image href="{folder}/red.png" width="64" height="48"/>', ""),
                               (f'<use xlink:href="{at}/red.svg#r"/>', ""),
                               (f'<style>@import url("{at}/red.css");</style><rect width="64" height="48" fill="white"/>', ""),
                               (f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{at}/words"/>', ""),
                               ("&outside;", f'<!DOCTYPE svg [<!ENTITY outside SYSTEM "{at}/words">]>')):
                made = imager.render(pictures.svg(body, head=head), "image/svg+xml", "jpeg")
                assert made.error == "undecodable" or near(colour(made), (255, 255, 255), 1), body
        finally:
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()


def test_the_first_page_of_a_document_is_shown(imager):
    facts = imager.probe(pictures.pdf(pages=3), "application/pdf").facts
    assert (facts["width"], facts["height"], facts["frames"], facts["has_alpha"]) == (64, 48, 3, False)
    small = imager.render(pictures.pdf(pages=3), "application/pdf", "jpeg", width=32)
    assert small.size == (32, 24) and difference(small.picture(), quadrants(32, 24)) < TOLERANCE
    refused(imager.probe(pictures.pdf()[:60], "application/pdf"))
    refused(imager.probe(pictures.pdf(width=20000, height=20000), "application/pdf"))


def test_photographs_of_telephones_are_known(imager, world):
    folder = world.folder("heic")
    (folder / "a.png").write_bytes(saved(quadrants(640, 480), "PNG"))
    subprocess.run(["heif-enc", "-q", "90", "-o", folder / "a.heic", folder / "a.png"], check=True, capture_output=True)
    data = (folder / "a.heic").read_bytes()
    for kind in ("image/heic", "image/heif"):
        assert imager.probe(data, kind).size == (640, 480)
    small = imager.render(data, "image/heic", "webp", width=32)
    assert small.size == (32, 24) and difference(small.picture(), quadrants(32, 24)) < TOLERANCE
    refused(imager.probe(data[:len(data) // 2], "image/heic"))


# --- what bad files give ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", KINDS)
def test_what_was_cut_off_is_refused(imager, kind):
    whole = {"image/avif": None}.get(kind) or saved(pictures.noise(400, 300), kind[6:].upper() if kind != "image/avif" else "PNG")
    if kind == "image/avif":
        whole = imager.render(whole, "image/png", "avif").bytes
    for part in (len(whole) // 2, 40, 1):
        for answer in (imager.probe(whole[:part], kind), imager.render(whole[:part], kind, "webp", width=32)):
            refused(answer)


BOMBS = {
    "png": (pictures.png_bomb, "image/png"), "tiff": (pictures.tiff_bomb, "image/tiff"), "gif": (pictures.gif_bomb, "image/gif"),
    "jpeg": (lambda: saved(Image.new("L", (64, 64)), "JPEG").replace(b"\x00\x40\x00\x40", b"\xff\xff\xff\xff"), "image/jpeg"),
    "jpeg of scans": (pictures.jpeg_of_many_scans, "image/jpeg"),
    "svg of laughs": (pictures.svg_laughs, "image/svg+xml"), "svg of uses": (pictures.svg_of_uses, "image/svg+xml"),
    "large svg": (lambda: pictures.svg(width=60000, height=60000), "image/svg+xml"),
    "deep svg": (lambda: pictures.svg("<g>" * 100000), "image/svg+xml"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_one_helper_and_little_time(imager, name):
    make, kind = BOMBS[name]
    data = make()
    for question in (lambda: imager.probe(data, kind), lambda: imager.render(data, kind, "webp", width=250)):
        answer, spent = imager.measured(question)
        refused(answer)
        assert answer.seconds < 13, "IMAGE_TIMEOUT holds on a busy machine, too"
        assert spent < BOMB_SECONDS, spent
    assert imager.probe(saved(quadrants(), "PNG"), "image/png").size == (64, 48)


def test_hundreds_of_thousands_of_frames_cost_little(imager):
    data = pictures.gif_of_many_frames()
    for question in (lambda: imager.probe(data, "image/gif"), lambda: imager.render(data, "image/gif", "webp", width=250)):
        answer, spent = imager.measured(question)
        assert answer.seconds < 13, answer
        assert spent < BOMB_SECONDS, spent


def test_the_type_must_be_what_the_decoder_sees(imager, originals):
    for kind in KINDS:
        for other in KINDS:
            if kind != other:
                refused(imager.probe(originals[kind], other))
    assert imager.probe(originals["image/png"], "text/html").error == "unsupported"
    assert imager.probe(originals["image/png"], "image/x-portable-pixmap").error == "unsupported"
    for data in (b"P6 1 1 255 abc", b"<html>", b"", b"\0" * 1000):
        for kind in KINDS:
            refused(imager.probe(data or b" ", kind))


def test_complaints_of_libraries_do_not_reach_the_log(imager):
    """libvips warns of each tile, poppler prints what it cannot read; the fixture looks at the log in the end."""
    data = bytearray(saved(pictures.noise(400, 300), "JPEG", progressive=True))
    data[len(data) // 2:len(data) // 2 + 200] = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" * 20
    assert imager.render(bytes(data), "image/jpeg").facts
    assert imager.render(pictures.pdf().replace(b"rg", b"r\ng <6>event=forged"), "application/pdf").facts


def test_polyglots_are_pictures_and_nothing_else(imager, originals):
    for kind in ("image/jpeg", "image/png", "image/gif"):
        data = originals[kind] + b"<script>alert(1)</script>PK\x05\x06" + b"\0" * 18
        made = imager.render(data, kind, "png", width=32)
        assert made.size == (32, 24) and b"script" not in made.bytes
