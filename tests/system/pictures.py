"""pictures.py — pictures of every kind for the tests, good ones and bad ones, made on the spot."""
import random
import struct
import zlib
from io import BytesIO

from PIL import Image, ImageCms, ImageOps

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 180, 40), (20, 40, 210), (230, 220, 20)


def quadrants(width=64, height=48, mode="RGB"):
    """Four colours, so that a turned or mirrored picture is another one."""
    picture = Image.new("RGB", (width, height), RED)
    picture.paste(GREEN, (width // 2, 0, width, height // 2))
    picture.paste(BLUE, (0, height // 2, width // 2, height))
    picture.paste(YELLOW, (width // 2, height // 2, width, height))
    return picture.convert(mode)


def noise(width, height, seed=1):
    small = random.Random(seed).randbytes(width * height // 16 * 3)
    return Image.frombytes("RGB", (width // 4, height // 4), small).resize((width, height), Image.BICUBIC)


def saved(picture, format, **options):
    out = BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


def turned(orientation, width=64, height=48):
    """A JPEG with that EXIF orientation, and the picture that a viewer shows."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(quadrants(width, height), "JPEG", quality=95, subsampling=0, exif=exif.tobytes())
    return data, ImageOps.exif_transpose(Image.open(BytesIO(data))).convert("RGB")


def with_secrets(secret):
    """A JPEG that says where it was taken, and by whom."""
    exif = Image.Exif()
    exif[0x010F] = exif[0x9286] = exif[0x8298] = secret
    exif.get_ifd(0x8825)[0x001D] = secret
    return saved(quadrants(), "JPEG", exif=exif.tobytes(), comment=secret.encode())


def animated(format, frames=5, size=(40, 30), delay_ms=120):
    pictures = [Image.new("RGB", size, ((40 * i) % 256, (7 * i) % 256, (91 * i) % 256)) for i in range(frames)]
    return saved(pictures[0], format, save_all=True, append_images=pictures[1:], duration=delay_ms, loop=0)


def swapped_profile():
    """An ICC profile whose red is green and whose green is red."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"tmp!", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"tmp!", b"gXYZ", 1)


def png_16_bit(width=64, height=48, value=(220 * 257, 30 * 257, 30 * 257)):
    rows = (b"\0" + struct.pack(">3H", *value) * width) * height
    return png(width, height, zlib.compress(rows), depth=16)


def png(width, height, data, depth=8, colour=2):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def png_bomb(side=50000):
    """Some hundred kilobytes that become 7.5 GB."""
    squeeze = zlib.compressobj(9)
    row = b"\0" * (side * 3 + 1)
    return png(side, side, b"".join(squeeze.compress(row) for _ in range(200)) + squeeze.flush())


def tiff_bomb(side=60000):
    entries = [(256, 4, side), (257, 4, side), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1), (278, 4, side),
               (279, 4, side * 100)]
    body = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<I", 8) + body + b"\0" * 1000


def gif_bomb(side=65535):
    """One frame of 4 gigapixels, of which one is there."""
    size = struct.pack("<HH", side, side)
    return b"GIF89a" + size + b"\x80\0\0\xff\xff\xff\0\0\0,\0\0\0\0" + size + b"\0\x02\x02\x44\x01\0;"


def large_png(side=6000):
    """36 megapixels, made in a moment; a decoder has to do with it for longer."""
    row = b"\x02" + random.Random(1).randbytes(side * 3)
    return png(side, side, zlib.compress(row * side, 1))


def gif_of_many_frames(frames=200000):
    frame = b"!\xf9\x04\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0"
    return b"GIF89a\x01\0\x01\0\x80\0\0\xff\xff\xff\0\0\0" + frame * frames + b";"
