"""test_films.py — a frame of a film and a drawing of a sound: of every kind, upright, and at no price that hurts."""
import os
import re
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

import films
import pictures
from conftest import SOAK
from imager import Imager, one_for_all, refused
from pictures import BLUE, GREEN, RED, quadrants, saved
from processes import wait_until
from test_images import TOLERANCE, colour, difference, near

BOMB_SECONDS = 3  # of processor time, with the start of two programs, on a machine that does other things meanwhile


@pytest.fixture(scope="module")
def imager(world):
    with one_for_all(world, "films") as one:
        yield one


@pytest.fixture(scope="module")
def studio(world):
    return world.folder("film-samples")


@pytest.fixture(scope="module")
def mp4(studio):
    return films.film(studio / "a.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac")


FILMS = {
    "h264.mp4": ("video/mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"),
    "mpeg4.mp4": ("video/mp4", "-c:v", "mpeg4", "-q:v", "2"),
    "a.mov": ("video/quicktime", "-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p", "-c:a", "pcm_s16le"),
    "vp8.webm": ("video/webm", "-c:v", "libvpx", "-b:v", "1M", "-c:a", "libopus"),
    "vp9.webm": ("video/webm", "-c:v", "libvpx-vp9", "-b:v", "1M", "-cpu-used", "8", "-c:a", "libvorbis"),
    "a.mkv": ("video/x-matroska", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "flac"),
    "a.ogv": ("video/ogg", "-c:v", "libtheora", "-q:v", "9", "-c:a", "libvorbis"),
    "a.avi": ("video/x-msvideo", "-c:v", "mpeg4", "-q:v", "2", "-c:a", "libmp3lame"),
    "a.mpg": ("video/mpeg", "-c:v", "mpeg1video", "-r", "25", "-q:v", "2"),
    "a.wmv": ("video/x-ms-asf", "-c:v", "wmv2", "-q:v", "2", "-c:a", "wmav2"),
    # of discs, cameras, archives and old pages
    "dts.mkv": ("video/x-matroska", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "dca", "-strict", "-2"),
    "truehd.mkv": ("video/x-matroska", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "truehd", "-strict", "-2", "-ar", "48000"),
    "speex.mkv": ("video/x-matroska", "-c:v", "mpeg4", "-q:v", "2", "-c:a", "libspeex", "-ar", "16000"),
    "nellymoser.flv": ("video/x-flv", "-c:v", "flv", "-q:v", "2", "-c:a", "nellymoser"),
    "adpcm.flv": ("video/x-flv", "-c:v", "flv", "-q:v", "2", "-c:a", "adpcm_swf"),
    "ffv1.mkv": ("video/x-matroska", "-c:v", "ffv1", "-pix_fmt", "yuv420p"),
    "raw.avi": ("video/x-msvideo", "-c:v", "rawvideo", "-pix_fmt", "yuv420p"),
    "cinepak.avi": ("video/x-msvideo", "-c:v", "cinepak"),
}
SOUNDS = {
    "a.mp3": ("audio/mpeg",), "a.ogg": ("audio/ogg", "-c:a", "libvorbis"), "a.opus": ("audio/ogg", "-c:a", "libopus"),
    "a.wav": ("audio/x-wav",), "a.flac": ("audio/flac",), "a.m4a": ("audio/x-m4a",), "a.aac": ("audio/x-hx-aac-adts",),
    "a.aiff": ("audio/x-aiff",),
    "voice.webm": ("video/webm", "-c:a", "libopus"),  # a voice message of a browser, whose type says film
}


# --- what good files give ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", FILMS)
def test_a_film_shows_a_frame(imager, studio, name):
    kind, *codec = FILMS[name]
    data = films.film(studio / name, *codec)
    facts = imager.probe(data, kind).facts
    assert (facts["width"], facts["height"], facts["frames"], facts["has_alpha"]) == (320, 240, 1, False), facts
    assert 2800 <= facts["duration_ms"] <= 3300 and facts["placeholder"].startswith("data:image/webp;base64,")
    for format in ("webp", "jpeg"):
        small = imager.render(data, kind, format, width=64)
        assert small.size == (64, 48) and small.picture().format == format.upper(), small
        assert difference(small.picture(), quadrants(64, 48)) < TOLERANCE, format


@pytest.mark.parametrize("name", SOUNDS)
def test_a_sound_is_drawn(imager, studio, name):
    kind, *codec = SOUNDS[name]
    data = films.sound(studio / name, *codec)
    facts = imager.probe(data, kind).facts
    assert (facts["width"], facts["height"], facts["has_alpha"], facts["placeholder"]) == (0, 0, True, ""), facts
    assert 1900 <= facts["duration_ms"] <= 2200
    small = imager.render(data, kind, "webp", width=400, height=300)
    assert small.size == (400, 100)
    alpha = small.picture().convert("RGBA").getchannel("A")
    assert alpha.getpixel((200, 50)) > 200 and alpha.getpixel((200, 2)) == 0, "a tone is a band in the middle"


@pytest.mark.parametrize("degrees, size", [(90, (240, 320)), (180, (320, 240)), (270, (240, 320))])
def test_what_was_filmed_upright_is_shown_upright(imager, studio, degrees, size):
    data = films.turned(studio / f"turned-{degrees}.mp4", degrees)
    facts = imager.probe(data, "video/mp4").facts
    assert (facts["width"], facts["height"]) == size
    shown = quadrants(320, 240).rotate(-degrees, expand=True)
    assert difference(imager.render(data, "video/mp4").picture(), shown) < TOLERANCE


def test_the_frame_is_of_the_first_second_or_the_first(imager, studio):
    dark_first = films.two_scenes(studio / "dark.mp4", (0, 0, 0), GREEN, cut=0.5, seconds=3)
    assert near(colour(imager.render(dark_first, "video/mp4")), GREEN)
    short = films.two_scenes(studio / "short.mp4", RED, BLUE, cut=0.4, seconds=0.8)
    assert near(colour(imager.render(short, "video/mp4")), RED)


def test_a_film_that_does_not_say_how_long_it_is_has_a_frame_too(imager, studio):
    """As browsers record it: written as it comes, and shorter than the moment that is looked for."""
    path = studio / "live.webm"
    films.ffmpeg("-f", "lavfi", "-i", films.quadrants_filter(320, 240, 0.5), "-c:v", "libvpx", "-b:v", "1M", "-live", "1",
                 "-f", "webm", path)
    answer = imager.probe(path.read_bytes(), "video/webm")
    assert answer.size == (320, 240) and answer.facts["duration_ms"] == 0, answer


def test_pixels_that_are_not_square_are_stretched(imager, studio):
    data = films.film(studio / "wide.mp4", "-c:v", "mpeg4", "-q:v", "2", "-vf", "setsar=2", sound=False)
    assert imager.probe(data, "video/mp4").size == (640, 240)


def test_a_large_film_shows_a_whole_picture_near_the_moment(imager, studio):
    data = films.film(studio / "large.mp4", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", width=2560,
                      height=1440, sound=False)
    assert imager.probe(data, "video/mp4").size == (2560, 1440)
    assert difference(imager.render(data, "video/mp4", "jpeg", width=64).picture(), quadrants(64, 36)) < TOLERANCE
    dark_first = films.two_scenes(studio / "large-dark.mp4", (0, 0, 0), GREEN, cut=0.4, seconds=3, size="2560x1440")
    assert near(colour(imager.render(dark_first, "video/mp4", width=64)), GREEN)


def test_of_a_very_large_file_its_beginning_and_its_end_are_enough(imager, studio):
    """100 MB, and the index at the end, as telephones write it."""
    data = films.film(studio / "padded.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p")
    at = data.index(b"mdat") - 4
    index = data.index(b"moov") - 4
    assert at < index
    padded = data[:index] + films.box(b"free", bytes(100 << 20)) + data[index:]
    assert imager.probe(padded, "video/mp4").size == (320, 240)


def test_a_cover_is_not_a_film(imager, studio):
    (studio / "cover.png").write_bytes(saved(quadrants(), "PNG"))
    films.sound(studio / "plain.mp3")
    films.ffmpeg("-i", studio / "plain.mp3", "-i", studio / "cover.png", "-map", "0", "-map", "1", "-c", "copy",
                 "-disposition:v", "attached_pic", studio / "cover.mp3")
    answer = imager.render((studio / "cover.mp3").read_bytes(), "audio/mpeg", "png")
    assert answer.size == (1600, 400)


def test_subtitles_and_attachments_are_passed_over(imager, studio, mp4):
    (studio / "font.ttf").write_bytes(os.urandom(100000))
    (studio / "words.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\nword\n")
    films.ffmpeg("-i", studio / "a.mp4", "-i", studio / "words.srt", "-attach", studio / "font.ttf", "-metadata:s:t",
                 "mimetype=application/x-truetype-font", "-c", "copy", "-c:s", "srt", studio / "attached.mkv")
    assert imager.probe((studio / "attached.mkv").read_bytes(), "video/x-matroska").size == (320, 240)


def test_names_and_places_in_a_film_are_not_in_its_picture(imager, studio):
    data = films.film(studio / "named.mp4", "-c:v", "mpeg4", "-metadata", "title=52.5200N", "-metadata", "comment=13.4050E")
    assert b"52.5200N" in data
    for format in ("jpeg", "png", "webp", "avif"):
        made = imager.render(data, "video/mp4", format).bytes
        assert made and b"52.5200N" not in made and b"13.4050E" not in made and b"Lavc" not in made


# --- what bad files give ----------------------------------------------------------------------------------------------

def test_a_list_of_other_files_is_not_followed(imager, world, studio, mp4):
    """Neither by what it is called, nor by what it begins with, nor from within a film."""
    for folder in (world.folder("film-references"), Path("/usr/share/cloakroom-test-films")):
        folder.mkdir(exist_ok=True)
        try:
            (folder / "secret.mp4").write_bytes(mp4)
            (folder / "secret.mp4").chmod(0o644)
            path = folder / "secret.mp4"
            lists = [
                f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{path}\n#EXT-X-ENDLIST\n",
                f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nfile://{path}\n#EXT-X-ENDLIST\n",
                f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nconcat:{path}|{path}\n#EXT-X-ENDLIST\n",
                f"ffconcat version 1.0\nfile {path}\n", f"file {path}\n",
                f'<?xml version="1.0"?><MPD type="static"><Period><BaseURL>{path}</BaseURL></Period></MPD>',
                f"RTSPtext\nrtsp://127.0.0.1:9{path}\n", f"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9999 RTP/AVP 96\n",
                f";FFMETADATA1\ntitle={path}\n"]
            kinds = ("video/mp4", "video/webm", "audio/mpeg", "video/x-msvideo", "audio/ogg")
            for n, text in enumerate(lists):
                readable = folder.is_relative_to("/usr")  # elsewhere it can read nothing at all
                for kind in kinds if readable and (SOAK or n == 0) else [kinds[n % len(kinds)]]:
                    refused(imager.render(text.encode(), kind, "png"))
            outer = films.with_outer_reference(mp4, path)
            cut = outer[:outer.index(b"mdat") - 4] + outer[outer.index(b"moov") - 4:]
            refused(imager.render(cut, "video/mp4", "png"))
        finally:
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()


def bombs(mp4, webm):
    sound_of_years = bytearray(b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\xff\xff\xff\xff")
    return {
        "declared sides": (films.with_sides(webm, 16000, 16000), "video/webm"),
        "truncated": (mp4[:len(mp4) // 3], "video/mp4"),
        "head alone": (mp4[:40], "video/mp4"),
        "zeros": (bytes(5_000_000), "video/mp4"),
        "noise": (b"\0\0\0\x20ftypisom" + os.urandom(2_000_000), "video/mp4"),
        "noise of sound": (b"\xff\xfb\x90\x64" + os.urandom(2_000_000), "audio/mpeg"),
        "text": (b"not a film at all\n" * 1000, "video/webm"),
        "a picture": (saved(quadrants(), "PNG"), "video/mp4"),
        "nested boxes": (b"\0\0\0\x14ftypisom\0\0\0\0isom" + b"\0\0\0\0moov" * 50000, "video/mp4"),
        "years of sound": (bytes(sound_of_years) + os.urandom(100), "audio/x-wav"),
    }


def test_a_bomb_costs_one_helper_and_little_time(imager, studio, mp4):
    assert mp4.index(b"mdat") < mp4.index(b"moov"), "a third of it has no index"
    webm = films.film(studio / "bomb.webm", "-c:v", "libvpx", "-b:v", "1M", sound=False)
    assert imager.probe(webm, "video/webm").size == (320, 240)
    for name, (data, kind) in bombs(mp4, webm).items():
        before = imager.cpu_seconds()
        for answer in (imager.probe(data, kind), imager.render(data, kind, "webp", width=250)):
            assert answer.seconds < 13, "IMAGE_TIMEOUT holds on a busy machine, too"
            if not name.endswith("of sound"):  # of which something may be heard
                refused(answer)
        wait_until(lambda: imager.cpu_seconds() > before, 5, "the helpers have ended")
        assert imager.cpu_seconds() - before < 2 * BOMB_SECONDS, name
    assert imager.probe(saved(quadrants(), "PNG"), "image/png").size == (64, 48)


def test_an_endless_film_is_looked_at_where_it_begins(imager, studio):
    """A frame every ten hours, for a year and a half: nothing is decoded but the first."""
    path = studio / "slow.mkv"
    films.ffmpeg("-f", "lavfi", "-i", films.quadrants_filter(320, 240, 120), "-c:v", "mjpeg", "-q:v", "2", "-vf",
                 "setpts=N*36000/TB", "-fps_mode", "passthrough", path)
    before = imager.cpu_seconds()
    answer = imager.probe(path.read_bytes(), "video/x-matroska")
    assert answer.size == (320, 240) and answer.facts["duration_ms"] == 2**31 - 1, answer
    wait_until(lambda: imager.cpu_seconds() > before, 5, "the helper has ended")
    assert imager.cpu_seconds() - before < BOMB_SECONDS


def test_a_long_sound_is_drawn_from_its_beginning(imager, studio):
    data = films.sound(studio / "long.mp3", "-b:a", "32k", "-ar", "22050", "-ac", "1", seconds=900)
    before = imager.cpu_seconds()
    answer = imager.render(data, "audio/mpeg", "png", width=400)
    assert answer.size == (400, 100), answer
    wait_until(lambda: imager.cpu_seconds() > before, 5, "the helper has ended")
    assert imager.cpu_seconds() - before < BOMB_SECONDS


def test_more_pixels_than_allowed_are_not_decoded(world, mp4):
    imager = Imager(world.app, world.folder("films-small"), IMAGE_MAX_PIXELS="76799")
    try:
        refused(imager.probe(mp4, "video/mp4"))
    finally:
        assert imager.stop() == 0


# --- what the processes do --------------------------------------------------------------------------------------------

def test_no_program_outlives_its_question(imager, studio, mp4):
    imager.render(mp4, "video/mp4", "webp", width=250)
    left = subprocess.run(["ps", "-eo", "ppid=,comm="], capture_output=True, text=True, check=True).stdout
    parents = {str(imager.process.pid), *map(str, imager.helpers())}
    assert not [line for line in left.splitlines() if line.split()[0] in parents and line.split()[1].startswith("ff")]


def filters(pid):
    try:
        return int(re.search(r"^Seccomp_filters:\t(\d+)$", Path(f"/proc/{pid}/status").read_text(), re.M)[1])
    except OSError:
        return 0


def test_who_decodes_a_picture_has_nothing_left_to_start_programs_with(imager):
    """Two filters at first, of signals and of calls, which know of programs; once the question is there a third one takes
    them away."""
    wait_until(lambda: [filters(pid) for pid in imager.helpers()] == [2] * 4, 10, "all are ready")
    connection, _ = imager.send(pictures.large_png(), "image/png")
    wait_until(lambda: sorted(filters(pid) for pid in imager.helpers())[-1] == 3, 10, "one decodes")
    assert b'"width":6000' in connection.recv(4096)


@pytest.mark.parametrize("setting", ["/nonexistent/ffmpeg", "off"])
def test_without_ffmpeg_there_are_no_pictures_of_films_and_nothing_fails(new_stack, mp4, setting):
    stack = new_stack(stack={"images": True}, IMAGE_FFMPEG=setting)
    made = stack.upload(mp4, "a.mp4")
    assert made["mime_type"] == "video/mp4" and made["width"] is None and made["thumb_url"] == ""
    assert stack.get(f"/api/files/{made['id']}/thumb/x").status == 404
    assert stack.get(made["url"]).body == mp4
    assert stack.upload(saved(quadrants(), "PNG"), "a.png")["width"] == 64
    said = [line for line in stack.images.process.text().splitlines() if "event=films.off" in line]
    assert len(said) == (1 if setting != "off" else 0), said


# --- the whole --------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def pictured(world):
    return world.stack({}, images=True).start()


def test_a_film_has_its_facts_and_previews(pictured, mp4):
    made = pictured.upload(mp4, "a.mp4")
    assert (made["file_type"], made["width"], made["height"], made["frames"]) == ("video", 320, 240, 1)
    assert 2800 <= made["duration_ms"] <= 3300 and made["placeholder"].startswith("data:image/webp")
    assert made["thumb_url"] == f"/api/files/{made['id']}/thumb/a.mp4"
    for accept, kind in (("image/webp,*/*", "WEBP"), ("*/*", "JPEG")):
        answer = pictured.get(made["thumb_url"], headers={"Accept": accept})
        image = Image.open(BytesIO(answer.body))
        assert answer.status == 200 and (image.format, image.size) == (kind, (250, 188))
        assert difference(image, quadrants(250, 188)) < TOLERANCE
    wait_until(lambda: pictured.sql("SELECT count(*) FROM variants WHERE attachment_id = %s AND format = 'webp'",
                                    made["id"]) == [(3,)], 30, "the job made the previews")


def test_a_sound_has_its_length_and_a_waveform(pictured, studio):
    made = pictured.upload(films.sound(studio / "whole.mp3"), "a.mp3")
    assert (made["file_type"], made["width"], made["height"], made["placeholder"]) == ("audio", None, None, None)
    assert 1900 <= made["duration_ms"] <= 2200 and made["thumb_url"]
    for accept, kind in (("image/webp,*/*", "WEBP"), ("*/*", "PNG")):
        answer = pictured.get(f"/api/files/{made['id']}/preview/a.mp3", headers={"Accept": accept})
        image = Image.open(BytesIO(answer.body))
        assert answer.status == 200 and (image.format, image.size) == (kind, (400, 100))


def test_a_broken_film_is_kept_and_looked_at_once(pictured, mp4):
    made = pictured.upload(mp4[:len(mp4) // 3], "broken.mp4")
    assert made["mime_type"] == "video/mp4" and made["width"] is None and made["thumb_url"] == ""
    for _ in range(3):
        assert pictured.get(f"/api/files/{made['id']}/thumb/x").status == 404
    assert pictured.get(made["url"]).body == mp4[:len(mp4) // 3]
    assert pictured.sql("SELECT picture FROM attachments WHERE id = %s", made["id"]) == [("none",)]
    assert pictured.log().count(f'event=picture.refused id="{made["id"]}"') == 1
