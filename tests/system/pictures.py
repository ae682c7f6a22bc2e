"""pictures.py — pictures of every kind for the tests, good ones and bad ones, made on the spot."""
import base64
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


def jpeg_of_many_scans(side=7000, scans=882):
    """A progressive JPEG of few bytes: each scan says of 49 million grey pixels that nothing changes, bit by bit of each coefficient."""
    def segment(marker, content):
        return b"\xff" + bytes([marker]) + struct.pack(">H", 2 + len(content)) + content

    def table(kind, symbol):
        return segment(0xc4, bytes([kind, 1]) + bytes(15) + bytes([symbol]))

    def scan(bits, first, last, high, low):
        bits += "1" * (-len(bits) % 8)
        body = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
        return segment(0xda, bytes([1, 1, 0, first, last, high << 4 | low])) + body

    blocks = ((side + 7) // 8) ** 2
    runs, rest = divmod(blocks, 32767)  # 0xe0: a run of 16384 blocks without anything, and of so many as 14 bits say
    nothing = ("0" + "1" * 14) * runs + "0" + format(max(0, rest - 16384), "014b")
    out = b"\xff\xd8" + segment(0xdb, b"\0" + b"\1" * 64) + segment(0xc2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0")
    out += table(0, 0) + table(0x10, 0xe0) + scan("0" * blocks, 0, 0, 0, 0)
    todo = [(k, bit) for k in range(1, 64) for bit in range(13, -1, -1)][:scans - 1]
    return out + b"".join(scan(nothing, k, k, 0 if bit == 13 else bit + 1, bit) for k, bit in todo) + b"\xff\xd9"


def large_png(side=6000):
    """36 megapixels, made in a moment; a decoder has to do with it for longer."""
    row = b"\x02" + random.Random(1).randbytes(side * 3)
    return png(side, side, zlib.compress(row * side, 1))


def gif_of_many_frames(frames=200000):
    frame = b"!\xf9\x04\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0"
    return b"GIF89a\x01\0\x01\0\x80\0\0\xff\xff\xff\0\0\0" + frame * frames + b";"


def svg(body="", width=64, height=48, head=""):
    return f"""<?xml version="1.0"?>{head}<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
        width="{width}" height="{height}">{body}</svg>""".encode()


def svg_quadrants():
    return svg("".join(f'<rect x="{x}" y="{y}" width="32" height="24" fill="rgb{colour}"/>' for x, y, colour in (
        (0, 0, RED), (32, 0, GREEN), (0, 24, BLUE), (32, 24, YELLOW))))


def svg_detailed(side):
    """Quickly drawn, slowly written: noise."""
    data = base64.b64encode(saved(noise(side, side), "JPEG")).decode()
    return svg(f'<image xlink:href="data:image/jpeg;base64,{data}" width="{side}" height="{side}"/>', side, side)


def svg_laughs():
    """A billion of them."""
    entities = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "ha"}">' for i in range(10))
    return svg("<text y='9'>&l9;</text>", head=f"<!DOCTYPE svg [{entities}]>")


def svg_of_uses(depth=30):
    """Each group shows the one before twice: a billion rectangles."""
    groups = "".join(f'<g id="g{i}"><use xlink:href="#g{i - 1}"/><use xlink:href="#g{i - 1}"/></g>' for i in range(1, depth))
    return svg(f'<defs><rect id="g0" width="9" height="9"/>{groups}</defs><use xlink:href="#g{depth - 1}"/>')


def pdf(width=64, height=48, pages=1):
    """The quadrants as a page."""
    def fill(colour, x, y):
        return "{:.3f} {:.3f} {:.3f} rg {} {} {} {} re f\n".format(*(c / 255 for c in colour), x, y, width / 2, height / 2)
    text = fill(RED, 0, height / 2) + fill(GREEN, width / 2, height / 2) + fill(BLUE, 0, 0) + fill(YELLOW, width / 2, 0)
    kids = " ".join(f"{4 + i} 0 R" for i in range(pages))
    objects = ["<</Type/Catalog/Pages 2 0 R>>", f"<</Type/Pages/Count {pages}/Kids[{kids}]>>",
               f"<</Length {len(text)}>>\nstream\n{text}endstream"]
    objects += [f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {width} {height}]/Contents 3 0 R>>"] * pages
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n" + "".join(f"{at:010} 00000 n \n" for at in places)
    return out + (table + f"trailer\n<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{len(out)}\n%%EOF").encode()
