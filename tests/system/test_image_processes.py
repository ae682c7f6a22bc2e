"""test_image_processes.py — what cloakroom-image does with its helpers: bombs, bursts, deaths, limits, reuse, confinement."""
import os
import re
import signal
import subprocess
import time

import pytest
from PIL import Image

import pictures
from imager import Imager, one_for_all, refused
from pictures import quadrants, saved
from processes import wait_until


@pytest.fixture(scope="module")
def imager(world):
    with one_for_all(world, "image-processes") as one:
        yield one


def test_the_parent_survives_fifty_bombs_in_a_row(imager):
    data = pictures.gif_bomb()
    for _ in range(50):
        refused(imager.probe(data, "image/gif"))
    for _ in range(50):
        imager.connect().close()  # no question at all
    assert imager.process.running()
    assert imager.probe(saved(quadrants(), "PNG"), "image/png").size == (64, 48)


def test_a_burst_waits_in_the_queue_and_everybody_is_served(imager):
    data = saved(quadrants(640, 480), "JPEG")
    asked = [imager.send(data, "image/jpeg") for _ in range(60)]
    assert all(b'"width":640' in connection.recv(4096) for connection, _ in asked)
    assert len(imager.helpers()) <= 4


def test_a_killed_helper_takes_its_own_question_along_and_no_other(imager):
    idle = set(imager.helpers())
    connection, _ = imager.send(pictures.large_png(), "image/png")
    wait_until(lambda: any(busy(pid) for pid in imager.helpers()), 10, "a helper decodes")
    victim = next(pid for pid in imager.helpers() if busy(pid))
    os.kill(victim, signal.SIGKILL)
    assert connection.recv(4096) == b""
    assert imager.probe(saved(quadrants(), "PNG"), "image/png").size == (64, 48)
    wait_until(lambda: len(imager.helpers()) >= len(idle), 10, "the pool is full again")
    assert re.search(rf'image\.helper_died pid={victim} signal=9', imager.process.text())


def test_nobody_works_for_those_who_have_hung_up(world):
    imager = Imager(world.app, world.folder("images-deserted"), IMAGE_WORKERS="1")
    try:
        first, _ = imager.send(pictures.large_png(), "image/png")
        wait_until(lambda: any(busy(pid) for pid in imager.helpers()), 10, "a helper decodes")
        for _ in range(10):
            imager.send(saved(quadrants(), "PNG"), "image/png")[0].close()
        assert imager.probe(saved(quadrants(), "PNG"), "image/png").size == (64, 48)
        assert first.recv(4096)
    finally:
        assert imager.stop() == 0
    text = imager.process.text()
    assert text.count("event=image.skipped") == 10 and text.count("event=image.done") == 2, text


def busy(pid):
    """Whether it has used the processor for longer than the start of a helper takes."""
    try:
        fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    except OSError:
        return False
    return int(fields[11]) + int(fields[12]) >= 8


def test_a_picture_that_takes_too_long_is_ended(world):
    imager = Imager(world.app, world.folder("images-slow"), IMAGE_TIMEOUT="1", IMAGE_WORKERS="1")
    try:
        connection = imager.connect()  # says nothing: the clock runs from here
        begin = time.monotonic()
        assert connection.recv(4096) == b""
        assert 0.5 < time.monotonic() - begin < 5
        assert "image.took_too_long" in imager.process.text()
        assert imager.probe(saved(quadrants(), "PNG"), "image/png").size == (64, 48)
    finally:
        assert imager.stop() == 0


def test_memory_is_limited(world):
    imager = Imager(world.app, world.folder("images-small"), IMAGE_MEMORY="256M")
    try:
        deep = saved(Image.new("RGB", (7000, 7000)), "TIFF", strip_size=1 << 30)  # 147 MB in one piece
        refused(imager.render(deep, "image/tiff", "png", width=250))
        small = saved(quadrants(), "PNG")
        for _ in range(30):  # what each of its threads reserves for a moment fits in, too
            assert imager.probe(small, "image/png").facts.get("width") == 64
    finally:
        assert imager.stop() == 0


def test_sigterm_lets_a_picture_be_finished(world):
    imager = Imager(world.app, world.folder("images-drain"))
    connection, _ = imager.send(pictures.large_png(), "image/png")
    wait_until(lambda: any(busy(pid) for pid in imager.helpers()), 10, "a helper decodes")
    imager.process.send(signal.SIGTERM)
    assert b'"width":6000' in connection.recv(4096)
    assert imager.process.wait() == 0


def test_a_process_may_make_several_jpegs_and_nothing_else(world):
    one = Imager(world.app, world.folder("reused"), IMAGE_WORKERS="1", IMAGE_REUSE="3")
    jpeg, png = saved(quadrants(1000, 800), "JPEG"), saved(quadrants(40, 20), "PNG")

    def made(data=jpeg, kind="image/jpeg"):
        for _ in range(3):  # closed unread by who takes JPEGs alone: asked again, as the worker does
            try:
                return one.render(data, kind, "jpeg", 100)
            except ConnectionResetError:
                pass
        raise AssertionError("nobody read it")

    try:
        wait_until(lambda: len(one.helpers()) == 2, 10, "two helpers")
        before = set(one.helpers())
        sizes = [made().picture().size for _ in range(7)]
        assert sizes == [(100, 80)] * 7
        wait_until(lambda: len(one.helpers()) == 2, 10, "two helpers again")
        assert not before & set(one.helpers()), "each ended after three"
        assert made().picture().size == (100, 80)
        assert made(png, "image/png").picture().size == (40, 20)
        refused(made(jpeg[:-len(jpeg) // 2]))
        assert made().picture().size == (100, 80), "the next one has another process"
        assert "took_too_long" not in one.process.text() and "helper_died" not in one.process.text()
    finally:
        assert one.stop() == 0


def test_a_socket_of_systemd_is_taken(world):
    """As descriptor 3, with LISTEN_FDS and LISTEN_PID."""
    import socket
    folder = world.folder("images-activated")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(folder / "s"))
    listener.listen(8)
    script = 'import os, sys; os.dup2(int(sys.argv[2]), 3); os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid())); ' \
             'os.execv(sys.argv[1], [sys.argv[1]])'
    log = open(folder / "log", "wb")
    process = subprocess.Popen(["/usr/bin/python3", "-c", script, str(world.app / "bin/cloakroom-image"), str(listener.fileno())],
                               pass_fds=[listener.fileno()], stderr=log)
    try:
        client = Imager.__new__(Imager)
        client.socket = str(folder / "s")
        assert client.probe(saved(quadrants(), "PNG"), "image/png").size == (64, 48)
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_no_other_program_has_a_decoder_in_it(world):
    for name in ("cloakroom-fcgi", "cloakroom"):
        linked = subprocess.run(["ldd", world.app / "bin" / name], capture_output=True, text=True, check=True).stdout
        assert "libcrypto" in linked
        for library in ("vips", "heif", "jpeg", "webp", "rsvg", "poppler", "glib"):
            assert library not in linked, (name, library)


def test_helpers_are_confined_and_have_nothing_but_their_question(imager):
    text = {pid: open(f"/proc/{pid}/status").read() for pid in imager.helpers()}
    assert text
    for status in text.values():
        assert re.search(r"^Seccomp:\t2$", status, re.M) and re.search(r"^NoNewPrivs:\t1$", status, re.M)
        assert re.search(r"^CapEff:\t0+$", status, re.M)


def test_check_says_whether_it_answers(new_stack):
    stack = new_stack(stack={"images": True})
    assert "images.answers: cloakroom-image answers" in stack.tool("check").stdout
    stack.settings["IMAGE_SOCKET"] = "/nonexistent/s"
    done = stack.tool("check", check=False)
    assert done.returncode == 1 and "failure  images.answers: imager: cannot connect" in done.stdout, done.stdout
