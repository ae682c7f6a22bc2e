"""camera_pictures.py — real pictures of each kind with a colour profile and with secrets, and exiftool as the judge of them."""
import io
import json
import random
import re
import subprocess

from PIL import Image, ImageCms

KINDS = ("jpg", "png", "webp", "heic", "avif")
SERIALS = ("BODY-7654321", "LENS-1234567", "AUX-5555555")
OWNER = "Jane Roe"
SECRET_TAG = re.compile(r"GPS|Serial|Owner|MakerNote|Latitude|Longitude|Altitude", re.I)


def noise(seed, size=(64, 48)):
    return Image.frombytes("RGB", size, random.Random(seed).randbytes(size[0] * size[1] * 3))


def profile():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def bare(kind, folder, seed=1):
    """The path of a picture without metadata but for its colour profile."""
    path = folder / f"p{seed}.{kind}"
    if kind in ("heic", "avif"):
        source = bare("png", folder, seed)
        flags = ["-A"] if kind == "avif" else []
        subprocess.run(["heif-enc", *flags, "-q", "60", source, "-o", path], check=True, capture_output=True)
        return path
    options = {"jpg": {"quality": 90}, "png": {}, "webp": {"lossless": True}}[kind]
    noise(seed).save(path, icc_profile=profile(), **options)
    return path


def with_secrets(kind, folder, seed=1, orientation=6, latitude="52.5162746", longitude="13.3777041", more=()):
    path = bare(kind, folder, seed)
    tags = {"GPSLatitude": latitude, "GPSLatitudeRef": "N", "GPSLongitude": longitude, "GPSLongitudeRef": "E",
            "GPSAltitude": "34.1", "EXIF:SerialNumber": SERIALS[0], "EXIF:LensSerialNumber": SERIALS[1],
            "EXIF:OwnerName": OWNER, "Orientation#": orientation, "Make": "Acme", "XMP-exif:GPSLatitude": latitude,
            "XMP-exif:GPSLongitude": longitude, "XMP-aux:SerialNumber": SERIALS[2], "XMP-aux:OwnerName": OWNER,
            "XMP-dc:Title": "A title", "UserComment": "a remark"}
    subprocess.run(["exiftool", "-q", "-overwrite_original", *(f"-{k}={v}" for k, v in tags.items()), *more, path],
                   check=True, capture_output=True)
    return path.read_bytes()


def tags(data):
    """What exiftool finds: "Group:Tag" -> value, unknown tags and those in pictures within the picture, too."""
    done = subprocess.run(["exiftool", "-json", "-a", "-u", "-G1", "-n", "-ee", "-"], input=data, capture_output=True, check=True)
    return json.loads(done.stdout)[0]


def colour_profile(data):
    return subprocess.run(["exiftool", "-b", "-icc_profile", "-"], input=data, capture_output=True, check=True).stdout


def pixels(kind, data, folder):
    if kind in ("heic", "avif"):
        (folder / f"in.{kind}").write_bytes(data)
        subprocess.run(["heif-convert", folder / f"in.{kind}", folder / "out.png"], check=True, capture_output=True)
        data = (folder / "out.png").read_bytes()
    with Image.open(io.BytesIO(data)) as image:
        return image.size, image.convert("RGB").tobytes()


def assert_clean(data):
    found = {name: value for name, value in tags(data).items() if SECRET_TAG.search(name)}
    assert not found, found
    for word in (*SERIALS, OWNER):
        assert word.encode() not in data
