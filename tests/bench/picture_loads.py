"""picture_loads.py — thumbnails: made by cloakroom-image beside vipsthumbnail and sharp, and served beside plain files.

A rate of making is pictures a second of processor time, of all processes that take part: what one core can make, whatever
else runs on the machine. Each competitor reads the same photograph of 4000x3000 and writes a JPEG 250 wide, quality 80.
"""
import json
import os
import random
import resource
import subprocess
import sys
from io import BytesIO

from PIL import Image, ImageFilter

from stage import HERE, REPOSITORY
from imager import Imager
from load import Load
from measure import cpu_seconds, request, wrk

WIDTH, HEIGHT = 4000, 3000
SIZE = (250, 188)
PICTURES = 40  # a round
READERS = 16   # connections
# Runs a command and says how large the largest of its processes was, in KiB. Not from here: a process counts as large as
# its parent was when it was forked, and this one is larger than what is measured.
LARGEST = """
import resource, signal, subprocess, sys
child = subprocess.Popen(sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: child.terminate())
child.wait()
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""


def photograph():
    """Colours that change slowly, edges, and the noise of a sensor: as large as a camera's picture of these dimensions."""
    random.seed(4000)
    coarse = Image.frombytes("RGB", (80, 60), random.randbytes(80 * 60 * 3)).resize((WIDTH, HEIGHT), Image.BICUBIC)
    edges = Image.frombytes("RGB", (400, 300), random.randbytes(400 * 300 * 3)).resize((WIDTH, HEIGHT), Image.NEAREST)
    grain = Image.frombytes("RGB", (WIDTH, HEIGHT), random.randbytes(WIDTH * HEIGHT * 3)).filter(ImageFilter.GaussianBlur(1))
    out = BytesIO()
    Image.blend(Image.blend(coarse, edges, 0.15), grain, 0.15).save(out, "JPEG", quality=88)
    return out.getvalue()


def rate(seconds):
    return {"rate": PICTURES / seconds}


class PictureLoads:
    def __init__(self, bench, served):
        """`served`: a pool of workers with a cloakroom-image, whose warm thumbnails are read."""
        self.bench, self.served = bench, served
        self.folder = bench.stage.dir / "pictures"
        self.bytes = photograph()
        self.picture = self.folder / "photograph.jpg"
        self.picture.write_bytes(self.bytes)

    # --- making -----------------------------------------------------------------------------------------------------

    def start(self, under=(), **settings):
        log = self.folder / "image.log"
        log.unlink(missing_ok=True)  # what an earlier one said is no sign of this one
        return Imager(self.bench.stage.app, self.folder, log, under, IMAGE_WORKERS="1", **settings)

    def reused(self, _):
        return self.ours(_, IMAGE_REUSE="1000")

    def ours(self, _, **settings):
        imager = self.start(**settings)
        try:
            self.check(imager)  # the first ones have all children started
            before = cpu_seconds(imager.process.pid)
            for _ in range(PICTURES):
                self.check(imager)
            return rate(cpu_seconds(imager.process.pid) - before)
        finally:
            imager.stop()

    def peak_mb(self):
        """Resident, of the largest of its processes."""
        imager = self.start(under=[sys.executable, "-c", LARGEST])
        self.check(imager)
        imager.stop()
        return int(imager.process.text().splitlines()[-1]) / 1024

    def check(self, imager):
        answer = imager.render(self.bytes, "image/jpeg", format="jpeg", width=SIZE[0])
        if answer.died or answer.error or answer.picture().size != SIZE:
            raise RuntimeError(f"thumbnail: {answer}")

    def vipsthumbnail(self, _):
        made = self.folder / "made.jpg"
        words = ["vipsthumbnail", str(self.picture), "--size", f"{SIZE[0]}x", "--export-profile", "srgb", "-o",
                 f"{made}[Q=80,strip]"]
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(PICTURES):
            subprocess.run(words, check=True, timeout=60, env={"PATH": "/usr/bin:/bin", "VIPS_CONCURRENCY": "1"})
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        if Image.open(made).size != SIZE:
            raise RuntimeError("vipsthumbnail made another size")
        return rate(now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime)

    def sharp(self, _):
        modules = REPOSITORY / "build/bench/sharp"
        if not (modules / "node_modules/sharp").exists():
            modules.mkdir(parents=True, exist_ok=True)
            subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", modules, "sharp"], check=True,
                           timeout=300, cwd=modules)
        done = subprocess.run(["node", HERE / "sharp.mjs", modules, self.picture, str(PICTURES)], check=True, timeout=120,
                              capture_output=True, text=True)
        made = json.loads(done.stdout)
        if (made["width"], made["height"]) != SIZE:
            raise RuntimeError(f"sharp made another size: {made}")
        return rate(made["seconds"])

    # --- serving ----------------------------------------------------------------------------------------------------

    def upload(self, name, data):
        status, _, body = request(self.served.port, "PUT", f"/api/upload/{name}", self.bench.identity, data)
        if status != 201:
            raise RuntimeError(f"{name}: {status} {body[:300]!r}")
        return json.loads(body)["url"]

    def paths(self):
        """Of a thumbnail that is there already, and of a file of as many bytes."""
        head, _, name = self.upload("photograph.jpg", self.bytes).rpartition("/")
        thumbnail = f"{head}/thumb/{name}"
        status, answer, body = request(self.served.port, "GET", thumbnail, self.bench.identity)
        if status != 200 or Image.open(BytesIO(body)).size != SIZE:
            raise RuntimeError(f"thumbnail: {status} {answer}")
        return thumbnail, self.upload("plain.bin", os.urandom(len(body)))

    def loads(self):
        me, seconds = (self.bench.bearer,), self.bench.options.seconds

        def read(path):
            return lambda _: wrk(f"http://127.0.0.1:{self.served.port}{path}", READERS, seconds, headers=me)
        thumbnail, plain = self.paths()
        return [
            Load("thumbnail, cold", self.ours, "vipsthumbnail", 0.8, unit="/s CPU"),
            Load("thumbnail, cold, IMAGE_REUSE", self.reused, "sharp", 1.0, unit="/s CPU"),
            Load("vipsthumbnail", self.vipsthumbnail, unit="/s CPU"),
            Load("sharp", self.sharp, unit="/s CPU"),
            Load("thumbnail, warm", read(thumbnail), "plain file, warm", 0.9),
            Load("plain file, warm", read(plain)),
        ]
