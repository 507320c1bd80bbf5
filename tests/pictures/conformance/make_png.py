"""Makes the PNG files of the conformance set, and the pixels that each shows.

    pip install pillow==13.0.0
    python make_png.py

The files are put together chunk by chunk, since no one tool writes all of them. The pixels are those of the
specification (sections 11.3.1 and 13.12), turned as Pillow turns them. Pillow has to agree within 2, except where
`pillow_agrees` is false: it clips grey of 16 bits at 255, finds no key of 16 bits, and does not look for EXIF after
the frames of an animation.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms, ImageOps

from listing import Listing, exif, on_white, scene, xmp

PNG = Listing("png")
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
NAMES = {GREY: "grey", RGB: "rgb", PALETTE: "palette", GREY_ALPHA: "grey-alpha", RGB_ALPHA: "rgb-alpha"}
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def samples(kind, depth, width, height):
    """Whole numbers [height][width][channels] of the scene."""
    top = (1 << depth) - 1
    rows = []
    for y, row in enumerate(scene(width, height)):
        line = []
        for x, (r, g, b, a) in enumerate(row):
            if kind == PALETTE:
                line.append((round(g * (min(top, 6) if depth > 2 else top)),))
            else:
                pick = {GREY: (g,), RGB: (r, g, b), GREY_ALPHA: (g, a), RGB_ALPHA: (r, g, b, a)}[kind]
                line.append(tuple(round(top * v) for v in pick))
        rows.append(line)
    return rows


def pack(line, depth):
    values = [v for pixel in line for v in pixel]
    if depth == 16:
        return struct.pack(f">{len(values)}H", *values)
    bits = "".join(f"{v:0{depth}b}" for v in values)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


def filtered(lines, depth, channels, kind=None):
    """Rows with their filters: one for all, or each in turn."""
    size = max(1, depth * channels // 8)
    before, out = None, b""
    for number, line in enumerate(lines):
        raw = pack(line, depth)
        before = before or bytes(len(raw))
        which = number % 5 if kind is None else kind
        row = bytearray()
        for i, v in enumerate(raw):
            a = raw[i - size] if i >= size else 0
            b = before[i]
            c = before[i - size] if i >= size else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            row.append((v - [0, a, b, (a + b) // 2, paeth][which]) & 255)
        out += bytes([which]) + row
        before = raw
    return out


PALETTE_COLOURS = [(20, 30, 200), (250, 220, 10), (0, 0, 0), (255, 255, 255), (200, 20, 60), (10, 180, 90), (90, 90, 90)]


def data_of(rows, depth, channels, interlaced, filter=None):
    if not interlaced:
        return filtered(rows, depth, channels, filter)
    out = b""
    for left, top, right, down in PASSES:
        lines = [line[left::right] for line in rows[top::down]]
        lines = [line for line in lines if line]
        out += filtered(lines, depth, channels, filter)
    return out


def shown(rows, kind, depth, key=None, alphas=()):
    """What the specification shows, in front of white."""
    top = (1 << depth) - 1
    out = []
    for line in rows:
        for pixel in line:
            alpha = 1.0
            if kind == PALETTE:
                colour = [v / 255 for v in PALETTE_COLOURS[pixel[0]]]
                alpha = alphas[pixel[0]] / 255 if pixel[0] < len(alphas) else 1.0
            else:
                values = [v / top for v in pixel]
                if kind in (GREY_ALPHA, RGB_ALPHA):
                    alpha = values.pop()
                elif key is not None and pixel == key:
                    alpha = 0.0
                colour = values * 3 if len(values) == 1 else values
            out.append(tuple(round(255 * (v * alpha + 1 - alpha)) for v in colour))
    picture = Image.new("RGB", (len(rows[0]), len(rows)))
    picture.putdata(out)
    return picture


def png(kind, depth, width=23, height=17, interlaced=False, key=None, alphas=None, before=b"", between=b"", after=b"",
        rows=None, filter=None, pieces=1, end=b""):
    rows = rows or samples(kind, depth, width, height)
    width, height = len(rows[0]), len(rows)
    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced))
    file += before
    if kind == PALETTE:
        colours = PALETTE_COLOURS[: 1 << depth]
        file += chunk(b"PLTE", bytes(v for colour in colours for v in colour))
        if alphas is not None:
            file += chunk(b"tRNS", bytes(alphas))
    elif key is not None:
        file += chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))
    file += between
    data = zlib.compress(data_of(rows, depth, CHANNELS[kind], interlaced, filter), 9)
    step = -(-len(data) // pieces)
    for at in range(0, len(data), step):
        file += chunk(b"IDAT", data[at : at + step])
    return file + after + chunk(b"IEND", b"") + end


def add(name, file, picture, pillow_agrees=True):
    found = ImageOps.exif_transpose(Image.open(io.BytesIO(file)))
    found = on_white(found)
    same = found.size == picture.size
    off = np.abs(np.array(found, dtype=int) - np.array(picture, dtype=int)).max() if same else 999
    if (off <= 2) != pillow_agrees:
        raise SystemExit(f"{name}: Pillow is off by {off}")
    PNG.add(name, file, picture)


KINDS = [(kind, depth) for kind, depths in {
    GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16), RGB_ALPHA: (8, 16)
}.items() for depth in depths]

for kind, depth in KINDS:
    for interlaced in (False, True):
        rows = samples(kind, depth, 23, 17)
        name = f"{NAMES[kind]}-{depth}" + "-interlaced" * interlaced
        agrees = (kind, depth) != (GREY, 16)
        add(name, png(kind, depth, interlaced=interlaced), shown(rows, kind, depth), agrees)
        if kind == PALETTE:
            alphas = [128, 0, 255, 40, 200][: min(5, 1 << depth)]
            file = png(kind, depth, interlaced=interlaced, alphas=alphas)
            add(f"{name}-alpha", file, shown(rows, kind, depth, alphas=alphas))
        elif kind in (GREY, RGB):
            # A colour that the scene has.
            key = rows[5][7]
            agrees = depth != 16
            file = png(kind, depth, interlaced=interlaced, key=key)
            add(f"{name}-key", file, shown(rows, kind, depth, key), agrees)

plain = samples(RGB, 8, 23, 17)
upright = shown(plain, RGB, 8)
profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
ICC = chunk(b"iCCP", b"a profile\0\0" + zlib.compress(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()))
for name, chunks in {
    "gamma-1": chunk(b"gAMA", struct.pack(">I", 100_000)),
    "gamma-2.2": chunk(b"gAMA", struct.pack(">I", 45_455)),
    "srgb": chunk(b"sRGB", b"\0"),
    "srgb-and-gamma": chunk(b"sRGB", b"\0") + chunk(b"gAMA", struct.pack(">I", 45_455)),
    "chromaticities": chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 70800, 29200, 17000, 79700, 13100, 4600)),
    "profile": ICC,
    "profile-of-another-space": chunk(b"iCCP", b"lab\0\0" + zlib.compress(profile)),
    "profile-cut-short": chunk(b"iCCP", b"a profile\0\0" + zlib.compress(profile)[:60]),
    "significant-bits": chunk(b"sBIT", b"\5\6\5"),
    "background": chunk(b"bKGD", struct.pack(">3H", 10, 20, 30)),
    "pixel-shape": chunk(b"pHYs", struct.pack(">IIB", 1000, 2000, 0)),
    "time": chunk(b"tIME", struct.pack(">H5B", 2026, 2, 3, 4, 5, 6)),
    "text": chunk(b"tEXt", b"Comment\0caf\xe9") + chunk(b"zTXt", b"Title\0\0" + zlib.compress(b"x" * 3000)),
    "unknown-chunk": chunk(b"prVt", b"whatever"),
    "coding-independent": chunk(b"cICP", bytes([9, 16, 0, 1])),
}.items():
    add(f"with-{name}", png(RGB, 8, before=chunks), upright)

add("with-background-see-through", png(RGB_ALPHA, 8, before=chunk(b"bKGD", struct.pack(">3H", 10, 20, 30))),
    shown(samples(RGB_ALPHA, 8, 23, 17), RGB_ALPHA, 8))
add("suggested-palette", png(RGB, 8, between=chunk(b"PLTE", bytes(range(30)))), upright)
for number, name in enumerate(["none", "sub", "up", "average", "paeth"]):
    add(f"filter-{name}", png(RGB, 8, filter=number), upright)
for pieces in (2, 40):
    add(f"data-in-{pieces}-pieces", png(RGB, 8, pieces=pieces), upright)
add("data-in-empty-pieces", png(RGB, 8, between=chunk(b"IDAT", b""), after=chunk(b"IDAT", b"")), upright)
for width, height in [(1, 1), (1, 9), (9, 1), (2, 3), (3, 2), (5, 5), (8, 8), (4, 1)]:
    rows = samples(RGB, 8, width, height)
    add(f"size-{width}-{height}-interlaced", png(RGB, 8, rows=rows, interlaced=True), shown(rows, RGB, 8))
    rows = samples(GREY, 1, width, height)
    add(f"size-{width}-{height}-1-bit", png(GREY, 1, rows=rows), shown(rows, GREY, 1))
add("data-after-the-end", png(RGB, 8, end=b"and more" * 20), upright)
add("picture-after-the-end", png(RGB, 8, end=png(GREY, 8)), upright)

# --- turned
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
turned = {number: upright.transpose(turn) for number, turn in TURNS.items()} | {0: upright, 1: upright, 9: upright}
for number in range(1, 9):
    order = "<>"[number % 2]
    add(f"turned-{number}-before", png(RGB, 8, before=chunk(b"eXIf", exif(number, order))), turned[number])
    add(f"turned-{number}-after", png(RGB, 8, after=chunk(b"eXIf", exif(number, order))), turned[number])


def raw_profile(data):
    """As ImageMagick and exiftool wrote it before there was `eXIf`."""
    digits = data.hex()
    lines = "\n".join(digits[i : i + 72] for i in range(0, len(digits), 72))
    return f"\nexif\n{len(data):8}\n{lines}\n".encode()


KEY = b"Raw profile type exif\0"
profile = raw_profile(b"Exif\0\0" + exif(6))
XMP_KEY = b"XML:com.adobe.xmp\0"
for name, chunks, number in [
    ("old-compressed", chunk(b"zTXt", KEY + b"\0" + zlib.compress(profile)), 6),
    ("old-plain", chunk(b"tEXt", KEY + profile), 6),
    ("old-international", chunk(b"iTXt", KEY + b"\0\0\0\0" + profile), 6),
    ("old-international-compressed", chunk(b"iTXt", KEY + b"\1\0en\0x\0" + zlib.compress(profile)), 6),
    ("old-without-prefix", chunk(b"zTXt", KEY + b"\0" + zlib.compress(raw_profile(exif(8)))), 8),
    ("old-and-new", chunk(b"tEXt", KEY + profile) + chunk(b"eXIf", exif(3)), 3),
    ("prefixed", chunk(b"eXIf", b"Exif\0\0" + exif(6)), 6),
    ("long", chunk(b"eXIf", exif(6, kind=4)), 6),
    ("long-big-end", chunk(b"eXIf", exif(6, ">", kind=4)), 6),
    ("byte", chunk(b"eXIf", exif(6, kind=1)), 0),
    ("byte-big-end", chunk(b"eXIf", exif(8, ">", kind=1)), 0),
    ("second-entry", chunk(b"eXIf", exif(6, before=[(0x100, 4, 1, 23), (0x101, 3, 1, 17)])), 6),
    ("by-0", chunk(b"eXIf", exif(0)), 0),
    ("by-9", chunk(b"eXIf", exif(9)), 9),
    ("xmp", chunk(b"iTXt", XMP_KEY + b"\0\0\0\0" + xmp(6)), 6),
    ("xmp-element", chunk(b"iTXt", XMP_KEY + b"\0\0\0\0" + xmp(8, element=True)), 8),
    ("xmp-compressed", chunk(b"iTXt", XMP_KEY + b"\1\0\0\0" + zlib.compress(xmp(5))), 5),
    ("exif-before-xmp", chunk(b"iTXt", XMP_KEY + b"\0\0\0\0" + xmp(6)) + chunk(b"eXIf", exif(3)), 3),
    ("xmp-beside-exif-without", chunk(b"iTXt", XMP_KEY + b"\0\0\0\0" + xmp(6)) + chunk(b"eXIf", exif(23).replace(b"\x12\1", b"\0\1")), 6),
]:
    add(f"turned-{name}", png(RGB, 8, before=chunks), turned[number])
    add(f"turned-{name}-after", png(RGB, 8, after=chunks), turned[number])

# --- animated
control = chunk(b"acTL", struct.pack(">II", 2, 0))


def frame(number, width=23, height=17, left=0, top=0):
    return chunk(b"fcTL", struct.pack(">5I2H2B", number, width, height, left, top, 1, 10, 0, 0))


def frame_data(number, kind, depth):
    rows = [[(0,) * CHANNELS[kind]] * 23] * 17
    return chunk(b"fdAT", struct.pack(">I", number) + zlib.compress(filtered(rows, depth, CHANNELS[kind])))


for kind, depth in [(RGB, 8), (PALETTE, 4), (RGB_ALPHA, 8)]:
    rows = samples(kind, depth, 23, 17)
    first = png(kind, depth, before=control, between=frame(0), after=frame(1) + frame_data(2, kind, depth))
    add(f"animated-{NAMES[kind]}", first, shown(rows, kind, depth))
apart = png(RGB, 8, before=control, after=frame(0) + frame_data(1, RGB, 8) + frame(2) + frame_data(3, RGB, 8))
add("animated-with-another-picture-first", apart, upright)
add("animated-turned-after", png(RGB, 8, before=control, between=frame(0),
    after=frame(1) + frame_data(2, RGB, 8) + chunk(b"eXIf", exif(6))), turned[6], pillow_agrees=False)

PNG.write()
