"""films.py — films and sounds of every kind for the tests, made by ffmpeg, and bad ones made by hand."""
import struct
import subprocess

from pictures import BLUE, GREEN, RED, YELLOW


def ffmpeg(*words):
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, words)], check=True, timeout=300)


def hex_of(colour):
    return "0x%02x%02x%02x" % colour


def quadrants_filter(width, height, seconds):
    """Four colours as pictures.quadrants() has them."""
    half = f"{width // 2}x{height // 2}:d={seconds}:r=10"
    parts = "".join(f"color={hex_of(c)}:s={half}[{n}];" for c, n in ((RED, "a"), (GREEN, "b"), (BLUE, "c"), (YELLOW, "d")))
    return parts + "[a][b]hstack[above];[c][d]hstack[below];[above][below]vstack"


def film(path, *codec, seconds=3, width=320, height=240, sound=True):
    """The four quadrants, with a tone."""
    tone = ["-f", "lavfi", "-i", f"sine=d={seconds}"] if sound else []
    ffmpeg("-f", "lavfi", "-i", quadrants_filter(width, height, seconds), *tone, *codec, path)
    return path.read_bytes()


def turned(path, degrees):
    """An MP4 that is to be shown turned so far clockwise: the matrix of its track (ISO/IEC 14496-12, 8.3.2)."""
    data = bytearray(film(path, "-c:v", "mpeg4", "-q:v", "2", sound=False))
    a, b, c, d = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    at = data.index(b"tkhd") + 44
    data[at:at + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    return bytes(data)


def two_scenes(path, first, second, cut, seconds, size="320x240"):
    """One colour until `cut`, then another one. A key frame every half second."""
    ffmpeg("-f", "lavfi", "-i", f"color={hex_of(first)}:s={size}:d={cut}:r=10", "-f", "lavfi", "-i",
           f"color={hex_of(second)}:s={size}:d={seconds - cut}:r=10", "-filter_complex", "[0][1]concat",
           "-c:v", "mpeg4", "-q:v", "2", "-g", "5", path)
    return path.read_bytes()


def sound(path, *codec, seconds=2):
    ffmpeg("-f", "lavfi", "-i", f"sine=d={seconds}", *codec, path)
    return path.read_bytes()


def with_sides(webm, width, height):
    """A WebM of VP8 whose pictures say that they have other sides (RFC 6386, 9.1)."""
    data = bytearray(webm)
    at = data.find(b"\x9d\x01\x2a")
    while at > 0:
        data[at + 3:at + 7] = struct.pack("<HH", width, height)
        at = data.find(b"\x9d\x01\x2a", at + 1)
    return bytes(data)


def box(name, *content):
    inside = b"".join(content)
    return struct.pack(">I", 8 + len(inside)) + name + inside


def with_outer_reference(mp4, path):
    """An MP4 whose bytes are said to lie in another file: dref's url of flags 0 instead of 'in this file'."""
    at = mp4.find(b"dref") - 4
    size = struct.unpack(">I", mp4[at:at + 4])[0]
    new = box(b"dref", struct.pack(">II", 0, 1), box(b"url ", struct.pack(">I", 0), b"file://" + str(path).encode() + b"\0"))
    grown = len(new) - size
    data = bytearray(mp4[:at] + new + mp4[at + size:])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):  # each holds the next
        start = data.rfind(name, 0, at) - 4
        data[start:start + 4] = struct.pack(">I", struct.unpack(">I", data[start:start + 4])[0] + grown)
    return bytes(data)
