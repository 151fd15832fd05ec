"""Hypothesis strategies for what arrives from outside: image files, names, values, archives."""

from __future__ import annotations

import gzip
import io
import struct
import zlib

import numpy as np
from hypothesis import strategies as st
from PIL import Image

FORMATS = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "TIFF": ".tif", "BMP": ".bmp"}
MODES = {
    "PNG": ["RGB", "L", "P", "RGBA", "LA", "1", "I;16"],
    "JPEG": ["RGB", "L", "CMYK"],
    "WEBP": ["RGB", "RGBA"],
    "TIFF": ["RGB", "L", "P", "RGBA", "CMYK", "I;16", "F", "LAB"],
    "BMP": ["RGB", "L", "P", "1"],
}


def one_line(error: Exception, name: object) -> str:
    """Return a refusal, which must be one line that names the thing."""
    told = str(error)
    assert "\n" not in told
    assert str(name) in told
    return told


def picture(mode: str, size: tuple[int, int], seed: int, opaque: bool = False) -> Image.Image:
    """Return noise in a colour mode of Pillow."""
    draw = np.random.default_rng(seed)
    height, width = size
    if mode in ("I;16", "F"):
        kind = np.uint16 if mode == "I;16" else np.float32
        return Image.fromarray(draw.integers(0, 65536, (height, width)).astype(kind))
    image = Image.fromarray(draw.integers(0, 256, (height, width, 3), dtype=np.uint8))
    if mode == "LAB":
        return Image.merge("LAB", image.split())
    image = image.convert(mode)
    if opaque and "A" in mode:
        image.putalpha(255)
    return image


@st.composite
def image_files(draw: st.DrawFn) -> bytes:
    """Image files that a decoder may meet: many of them whole, most of them not."""
    kind = draw(st.sampled_from(sorted(FORMATS)))
    mode = draw(st.sampled_from(MODES[kind]))
    size = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    image = picture(mode, size, draw(st.integers(0, 99)), draw(st.booleans()))
    options: dict[str, object] = {}
    if kind in ("JPEG", "WEBP", "PNG", "TIFF") and draw(st.booleans()):
        exif = Image.Exif()
        exif[274] = draw(st.integers(0, 12))  # orientation; 9 and more mean nothing
        options["exif"] = exif
    if kind in ("PNG", "WEBP", "TIFF") and draw(st.integers(0, 5)) == 0:
        more = [picture(mode, size, seed) for seed in range(draw(st.integers(1, 3)))]
        options |= {"save_all": True, "append_images": more}
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return draw(mutated(st.just(buffer.getvalue())))


@st.composite
def mutated(draw: st.DrawFn, content: st.SearchStrategy[bytes]) -> bytes:
    """Bytes as they are, truncated, with bits flipped, with a piece cut out, doubled or overwritten."""
    data = bytearray(draw(content))
    for _ in range(draw(st.integers(0, 3))):
        if not data:
            break
        place = draw(st.integers(0, len(data) - 1))
        how = draw(st.sampled_from(["cut", "flip", "remove", "insert", "overwrite"]))
        if how == "cut":
            del data[place:]
        elif how == "flip":
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif how == "remove":
            del data[place : place + draw(st.integers(1, 64))]
        else:
            piece = draw(st.binary(min_size=1, max_size=8))
            data[place : place + (len(piece) if how == "overwrite" else 0)] = piece
    return bytes(data)


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """Return a PNG made of chunks with right checksums."""
    parts = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def header(width: int, height: int, depth: int = 8, colour: int = 2) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)


BOMB = zlib.compress(bytes(64 * 2**20), 9)
"""64 MiB in 64 KiB."""

END = (b"IEND", b"")
PIXELS = (b"IDAT", zlib.compress(b"\x00" + bytes(3 * 4)))


def special_files() -> dict[str, bytes]:
    """Files made to hurt, by what they are."""
    whole = io.BytesIO()
    picture("RGB", (8, 8), 0).save(whole, "PNG")
    jpeg = io.BytesIO()
    picture("RGB", (8, 8), 0).save(jpeg, "JPEG")
    at = jpeg.getvalue().index(b"\xff\xc0")
    huge_jpeg = bytearray(jpeg.getvalue())
    huge_jpeg[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    animation = io.BytesIO()
    picture("RGB", (8, 8), 0).save(animation, "GIF", save_all=True, append_images=[picture("RGB", (8, 8), 1)])
    return {
        "nothing": b"",
        "one byte": b"\x89",
        "text": b"this is no image\n",
        "a script": b"#!/bin/sh\ntouch canary\n",
        "a zip": b"PK\x03\x04" + bytes(50),
        "huge PNG": png(header(2**31 - 1, 2**31 - 1), PIXELS, END),
        "large PNG that is a bomb": png(header(20000, 20000), (b"IDAT", zlib.compress(bytes(2**20))), END),
        "just above the limit": png(header(8193, 8192), PIXELS, END),
        "wide PNG without pixels": png(header(60000, 1000), (b"IDAT", zlib.compress(b"")), END),
        "zero width": png(header(0, 5), PIXELS, END),
        "zero height": png(header(5, 0), PIXELS, END),
        "no pixels": png(header(4, 1), END),
        "no end": png(header(4, 1), PIXELS),
        "text bomb": png(header(4, 1), (b"zTXt", b"Comment\0\0" + BOMB), PIXELS, END),
        "international text bomb": png(header(4, 1), (b"iTXt", b"Comment\0\1\0\0\0" + BOMB), PIXELS, END),
        "many text bombs": png(header(4, 1), *[(b"zTXt", b"C%d\0\0" % n + BOMB) for n in range(40)], PIXELS, END),
        "profile bomb": png(header(4, 1), (b"iCCP", b"icc\0\0" + BOMB), PIXELS, END),
        "pixel bomb": png(header(4, 1), (b"IDAT", BOMB), END),
        "wrong depth": png(header(4, 1, depth=3), PIXELS, END),
        "wrong colour": png(header(4, 1, colour=9), PIXELS, END),
        "16-bit PNG": png(header(1, 1, depth=16), (b"IDAT", zlib.compress(bytes(7))), END),
        "chunk that lies about its length": png(header(4, 1))[:-4] + struct.pack(">I", 2**31 - 1) + b"IDAT",
        "huge JPEG": bytes(huge_jpeg),
        "huge BMP": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 2**31 - 1, 2**31 - 1, 1, 24, *[0] * 6),
        "negative BMP": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, -4, -4, 1, 24, *[0] * 6),
        "TIFF that points at itself": b"II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00",
        "TIFF of nothing but a promise": b"II*\x00\xff\xff\xff\x7f",
        "animated GIF": animation.getvalue(),
        "gzip of an image": gzip.compress(whole.getvalue()),
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(canary) (w) file closefile\n",
        "image and something behind it": whole.getvalue() + b"MZ" + bytes(1000),
    }


NAMES = st.text(
    st.one_of(
        st.sampled_from(list("abc.-_ ='\"{}[](),:;~^%#@!$&*?|<>`\\+\n\r\t\x1b\x7f…éеا中🙂\u0301\u202e\u200b\ufeff")),
        st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"),
    ),
    min_size=1,
    max_size=24,
)
"""Names of files, as far as a file system takes them."""

NASTY_NAMES = (
    "-rf", "--help", "-m", "a=b", "${oc.env:HOME}", "{id}", "%s%n", "..a", "a..", "...", "CON", "nul", "aux.txt", "~",
    "~root", "a\nb", "\r\n", "'", '"', "'; touch canary; '", "$(touch canary)", "`touch canary`", "é", "e\u0301", " ",
    " a ", "a\tb", "<script>alert(1)</script>", "&amp;", "[a]", "a,b", "a:b", "x" * 200, "中" * 60, "\u202egnp.exe", "#", "?",
    "\\", "a\\b", "*", "|", "null", "???", "true", "1e5", "=", "@", "\x1b[31mred", "{{7*7}}", "{% x %}", "\\input{x}", "$x$",
)  # fmt: skip
