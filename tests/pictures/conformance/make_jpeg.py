"""Makes the JPEG files of the conformance set, and the pixels that libjpeg-turbo gives for each.

    apt-get install libjpeg-turbo-progs=1:2.1.5-2 imagemagick     (cjpeg, djpeg, jpegtran 2.1.5; 6.9.11)
    pip install pillow==13.0.0                                    (libjpeg-turbo 3.2.0)
    python make_jpeg.py

Writes `jpeg/*.jpg`, `jpeg.tsv` (a file, and its reference or the word of the refusal) and the references
in `reference/`, which files that show the same share. Fails where Pillow and djpeg disagree.
"""

import hashlib
import io
import math
import random
import struct
import subprocess
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw

FOLDER = Path(__file__).parent
JPEG, REFERENCE = FOLDER / "jpeg", FOLDER / "reference"
for folder in (JPEG, REFERENCE):
    folder.mkdir(exist_ok=True)
for old in JPEG.glob("*.jpg"):
    old.unlink()

entries = []


def scene(width, height, seed=1):
    """Slopes, discs with hard edges, stripes and a little noise."""
    random.seed(seed)
    picture = Image.new("RGB", (width, height))
    pixels = picture.load()
    for y in range(height):
        for x in range(width):
            pixels[x, y] = (
                (40 + 160 * x // width + 17 * seed) % 256,
                60 + 150 * y // height,
                int(128 + 100 * math.sin((x + 2 * y) / 9 + seed)),
            )
    draw = ImageDraw.Draw(picture)
    for colour in [(230, 30, 40), (20, 60, 220), (250, 240, 60), (255, 255, 255), (0, 0, 0)]:
        x, y, r = random.randrange(width), random.randrange(height), random.randrange(2, 3 + min(width, height) // 3)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    for _ in range(width * height // 12):
        x, y = random.randrange(width), random.randrange(height)
        pixels[x, y] = tuple(min(255, v + random.randrange(24)) for v in pixels[x, y])
    return picture


def run(*command, data):
    done = subprocess.run([*map(str, command)], input=data, capture_output=True)
    # djpeg ends with 2 where it warns of something and shows the picture nevertheless.
    if done.returncode not in ((0, 2) if command[0] == "djpeg" else (0,)):
        raise RuntimeError(f"{command}: {done.stderr.decode()}")
    return done.stdout


def cjpeg(picture, *options, scans=None):
    ppm = io.BytesIO()
    picture.save(ppm, "PPM")
    if scans is not None:
        with tempfile.NamedTemporaryFile("w") as script:
            script.write(scans)
            script.flush()
            return run("cjpeg", *options, "-scans", script.name, data=ppm.getvalue())
    return run("cjpeg", *options, data=ppm.getvalue())


def jpegtran(data, *options):
    return run("jpegtran", *options, data=data)


def pillow(picture, **options):
    file = io.BytesIO()
    picture.save(file, "JPEG", **options)
    return file.getvalue()


def magick(picture, *options):
    ppm = io.BytesIO()
    picture.save(ppm, "PPM")
    return run("convert", "ppm:-", *options, "jpeg:-", data=ppm.getvalue())


# --- the parts of a file


def parts(data):
    """Splits a file into (marker, content) pairs; a scan's data belongs to its SOS."""
    assert data[:2] == b"\xff\xd8"
    at, found = 2, []
    while data[at + 1] != 0xD9:
        assert data[at] == 0xFF, hex(at)
        length = struct.unpack(">H", data[at + 2 : at + 4])[0]
        end = at + 2 + length
        if data[at + 1] == 0xDA:
            while not (data[end] == 0xFF and data[end + 1] not in (0, *range(0xD0, 0xD8))):
                end += 1
        found.append((data[at + 1], data[at + 4 : end]))
        at = end
    return found


def segment(marker, content, before=b""):
    length = len(content) + 2
    if marker == 0xDA:
        length = 2 + 4 + 2 * content[0]
    return before + bytes([0xFF, marker]) + struct.pack(">H", length) + content


def join(found, end=b"\xff\xd9"):
    return b"\xff\xd8" + b"".join(segment(*part) for part in found) + end


def without(data, *markers):
    return join([part for part in parts(data) if part[0] not in markers])


def with_fill(data, marker, count):
    return join([(*part, b"\xff" * count) if part[0] == marker else part for part in parts(data)])


def with_ids(data, ids):
    """Another name for each component."""
    found = []
    for marker, content in parts(data):
        content = bytearray(content)
        if marker in (0xC0, 0xC1, 0xC2):
            for index, new in enumerate(ids):
                content[6 + 3 * index] = new
        if marker == 0xDA:
            for index in range(content[0]):
                content[1 + 2 * index] = ids[content[1 + 2 * index] - 1]
        found.append((marker, bytes(content)))
    return join(found)


def inserted(data, marker, new):
    """Segments put before the first of a marker."""
    found, done = [], False
    for part in parts(data):
        if part[0] == marker and not done:
            found += new
            done = True
        found.append(part)
    return join(found)


JFIF = (0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")


def adobe(transform):
    return (0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))


def assembled(width, height, factors, seed, sof=0xC0):
    """A file whose components are compressed apart, each in its own scan: any factors at all."""
    most = [max(f[axis] for f in factors) for axis in (0, 1)]
    planes = scene(width, height, seed).convert("YCbCr").split()
    frame = bytes([8]) + struct.pack(">HH", height, width) + bytes([len(factors)])
    head, scans = [], []
    for index, (plane, factor) in enumerate(zip(planes, factors)):
        size = [-(-side * f // m) for side, f, m in zip((width, height), factor, most)]
        grey = parts(cjpeg(plane.resize(size, Image.Resampling.BOX), "-grayscale"))
        head = [part for part in grey if part[0] in (0xE0, 0xDB, 0xC4)]
        frame += bytes([index + 1, factor[0] * 16 + factor[1], 0])
        for marker, content in grey:
            if marker == 0xDA:
                scans.append((0xDA, bytes([1, index + 1]) + content[2:]))
    return join([*head[:2], (sof, frame), *head[2:], *scans])


# --- the reference


def djpeg(data):
    return Image.open(io.BytesIO(run("djpeg", "-ppm", data=data))).convert("RGB")


def reference(data, by="both"):
    shown = [djpeg(data)] if by in ("both", "djpeg") else []
    if by in ("both", "pillow"):
        shown.append(Image.open(io.BytesIO(data)).convert("RGB"))
    assert all(other.tobytes() == shown[0].tobytes() for other in shown), "the references disagree"
    return shown[0]


def add(name, data, by="both", refused=None):
    assert not (JPEG / f"{name}.jpg").exists(), name
    (JPEG / f"{name}.jpg").write_bytes(data)
    if refused:
        entries.append((f"{name}.jpg", f"refused: {refused}"))
        return
    try:
        picture = reference(data, by)
    except Exception as found:
        raise SystemExit(f"{name}: {found}")
    digest = hashlib.sha256(repr(picture.size).encode() + picture.tobytes()).hexdigest()[:16]
    file = REFERENCE / f"{digest}.png"
    if not file.exists():
        picture.save(file, optimize=True)
    entries.append((f"{name}.jpg", file.name))


# --- sampling, with all kinds of scans

SAMPLINGS = {
    "444": "1x1", "422": "2x1", "440": "1x2", "420": "2x2", "411": "4x1", "410": "4x2", "441": "1x4",
    "2x4": "2x4", "3x1": "3x1", "1x3": "1x3", "3x2": "3x2", "2x3": "2x3",
    "luma-coarse": "1x1,2x2,2x2", "luma-coarse-across": "1x1,2x1,2x1", "luma-coarse-down": "1x1,1x2,1x2",
    "luma-half": "2x1,2x2,2x2", "chroma-differ": "2x2,2x1,1x2", "chroma-differ-2": "2x2,1x2,2x1",
    "mixed": "1x2,2x1,1x1", "mixed-2": "1x2,2x2,2x2", "all-2x1": "2x1,2x1,2x1", "all-1x2": "1x2,1x2,1x2",
    "quarter-half": "4x1,2x1,1x1", "cr-coarse": "2x2,2x2,1x1", "cb-coarse": "2x2,1x1,2x2",
}  # fmt: skip
for index, (name, sampling) in enumerate(SAMPLINGS.items()):
    picture = scene(67, 45, 1 + index % 3)
    add(f"sampling-{name}", cjpeg(picture, "-quality", 60 + index, "-sample", sampling))
    options = [["-optimize"], [], ["-restart", "1"], ["-restart", "5B"]][index % 4]
    add(
        f"progressive-{name}",
        cjpeg(scene(45, 51, 2), "-quality", 70, "-sample", sampling, "-progressive", *options),
    )

# --- restart intervals

for name, options in {
    "row-420": ["-restart", "1", "-sample", "2x2"],
    "block-422": ["-restart", "1B", "-sample", "2x1"],
    "odd-440": ["-restart", "3B", "-sample", "1x2"],
    "many-444": ["-restart", "2B", "-sample", "1x1", "-optimize"],
    "grey": ["-restart", "7B", "-grayscale"],
    "progressive": ["-restart", "4B", "-progressive"],
    "longer-than-picture": ["-restart", "9000B"],
}.items():
    add(f"restart-{name}", cjpeg(scene(67, 45, 3), "-quality", 65, *options))

# --- sizes, below and at the edges of blocks

for width, height in [
    (1, 1), (1, 37), (39, 1), (2, 2), (3, 5), (7, 8), (8, 8), (9, 16), (16, 16), (17, 33), (15, 31), (5, 64), (128, 3),
]:  # fmt: skip
    picture = scene(width, height, 2)
    add(f"size-{width}x{height}-420", cjpeg(picture, "-quality", 80, "-sample", "2x2"))
    other = [["-sample", "2x1", "-progressive"], ["-sample", "1x2"], ["-sample", "4x1", "-optimize"]]
    add(f"size-{width}x{height}-other", cjpeg(picture, "-quality", 85, *other[(width + height) % 3]))

# --- scan scripts

APART = "0;\n1;\n2;\n"
SCRIPTS = {
    "apart": APART,
    "apart-reversed": "2;\n1;\n0;\n",
    "luma-then-chroma": "0;\n1 2;\n",
    "chroma-then-luma": "1 2;\n0;\n",
    "two-and-one": "0 1;\n2;\n",
    "two-and-one-odd": "0 2;\n1;\n",
}
for index, (name, script) in enumerate(SCRIPTS.items()):
    for sampling in ("2x2", "1x1", "1x2", "2x1") if index < 3 else ("2x2",):
        add(f"scans-{name}-{sampling}", cjpeg(scene(67, 45, 1), "-sample", sampling, scans=script))
add("scans-apart-restart", cjpeg(scene(67, 45, 2), "-sample", "2x2", "-restart", "3B", scans=APART))
add("scans-apart-optimized", cjpeg(scene(67, 45, 2), "-sample", "2x1", "-optimize", scans=APART))
add("scans-apart-luma-coarse", cjpeg(scene(67, 45, 2), "-sample", "1x1,2x2,2x2", scans=APART))
add("scans-apart-3x3", assembled(67, 45, [(3, 3), (1, 1), (1, 1)], 1))
add("scans-apart-4x4", assembled(67, 45, [(4, 4), (1, 1), (2, 2)], 2))
add("scans-apart-all-2x2", assembled(67, 45, [(2, 2), (2, 2), (2, 2)], 3))
add("scans-apart-luma-1x1-of-4x2", assembled(67, 45, [(1, 1), (4, 2), (2, 1)], 1))
PROGRESSIVE = {
    "spectral-only": "0 1 2: 0-0, 0, 0;\n0: 1-63, 0, 0;\n1: 1-63, 0, 0;\n2: 1-63, 0, 0;\n",
    "many-bands": "0 1 2: 0-0, 0, 0;\n"
    + "".join(f"{c}: {a}-{b}, 0, 0;\n" for c in (2, 0, 1) for a, b in [(1, 1), (2, 5), (6, 14), (15, 15), (16, 63)]),
    "deep-refinement": "0 1 2: 0-0, 0, 4;\n"
    + "".join(f"0 1 2: 0-0, {n}, {n - 1};\n" for n in (4, 3, 2, 1))
    + "".join(f"{c}: 1-63, 0, 3;\n" for c in range(3))
    + "".join(f"{c}: 1-63, {n}, {n - 1};\n" for n in (3, 2, 1) for c in range(3)),
    "dc-apart": "2: 0-0, 0, 1;\n0: 0-0, 0, 0;\n1: 0-0, 0, 1;\n1 2: 0-0, 1, 0;\n"
    + "".join(f"{c}: 1-63, 0, 0;\n" for c in range(3)),
    "refined-bands-of-other-widths": "0 1 2: 0-0, 0, 0;\n0: 1-8, 0, 2;\n0: 9-63, 0, 2;\n0: 1-63, 2, 1;\n"
    "1: 1-63, 0, 1;\n2: 1-63, 0, 1;\n0: 1-20, 1, 0;\n0: 21-63, 1, 0;\n1: 1-63, 1, 0;\n2: 1-63, 1, 0;\n",
}
for name, script in PROGRESSIVE.items():
    for sampling in ("2x2", "1x1") if name != "dc-apart" else ("2x1",):
        add(f"progressive-{name}-{sampling}", cjpeg(scene(67, 45, 3), "-quality", 92, "-sample", sampling, scans=script))
add("progressive-restart-1", cjpeg(scene(67, 45, 3), "-restart", "1B", scans=PROGRESSIVE["deep-refinement"]))
flat = Image.new("RGB", (400, 40), (200, 90, 40))
flat.paste(scene(20, 20), (380, 20))
add("progressive-long-runs-of-ends", cjpeg(flat, "-progressive", "-sample", "2x2"))

# --- tables

for quality, sampling in [(3, "2x2"), (25, "2x1"), (95, "1x1"), (100, "2x2"), (100, "1x1")]:
    add(f"quality-{quality}-{sampling}", cjpeg(scene(67, 45, 1), "-quality", quality, "-sample", sampling))
add("quantisation-16-bits", cjpeg(scene(67, 45, 2), "-quality", "1"))
add("quantisation-16-bits-progressive", cjpeg(scene(67, 45, 2), "-quality", "2", "-progressive"))
photo = cjpeg(scene(67, 45, 2), "-quality", "70", "-sample", "2x2")


def merged(data, marker):
    """All tables of a kind in one segment."""
    found, first = [], None
    for part in parts(data):
        if part[0] == marker and first is not None:
            found[first] = (marker, found[first][1] + part[1])
            continue
        if part[0] == marker:
            first = len(found)
        found.append(part)
    return join(found)


def wide(data):
    """Quantisation tables of 16 bits that hold the same."""
    found = []
    for marker, content in parts(data):
        if marker == 0xDB:
            content = bytes([content[0] | 0x10]) + b"".join(struct.pack(">H", v) for v in content[1:])
        found.append((0xC1 if marker == 0xC0 else marker, content))
    return join(found)


add("tables-in-one-segment", merged(merged(photo, 0xC4), 0xDB))
add("tables-wide", wide(photo))
add("tables-none-of-huffman", without(photo, 0xC4))
add("tables-none-of-huffman-grey", without(cjpeg(scene(45, 45), "-grayscale"), 0xC4))
add("tables-none-of-huffman-apart", without(cjpeg(scene(45, 45), scans=APART), 0xC4))
only_luma = [(m, c) for m, c in parts(photo) if m != 0xC4 or c[0] & 15 == 0]
add("tables-of-luma-only", join(only_luma))
apart = parts(cjpeg(scene(67, 45, 1), "-sample", "2x2", "-optimize", scans=APART))
add("tables-between-scans", join(apart))
# Each component's quantisation table is given under number 0 just before its scan.
tables = {c[0] & 15: c for m, c in apart if m == 0xDB}
found, scan = [], 0
for marker, content in apart:
    if marker == 0xDB:
        continue
    if marker == 0xC0:
        content = content[:8] + b"\0" + content[9:11] + b"\0" + content[12:14] + b"\0"
    if marker == 0xDA:
        found.append((0xDB, b"\0" + tables[min(scan, 1)][1:]))
        scan += 1
    found.append((marker, content))
add("tables-of-quantisation-between-scans", join(found))
add("tables-redefined-before-use", inserted(photo, 0xDA, [(0xDB, b"\2" + bytes([9] * 64)), (0xC4, parts(photo)[-2][1])]))
add("tables-number-3", join([
    (m, (bytes([c[0] | 3]) + c[1:]) if m in (0xDB, 0xC4) else c[:8] + b"\3" if m == 0xC1 else c[:2] + b"\x33" + c[3:] if m == 0xDA else c)
    for m, c in [(0xC1 if m == 0xC0 else m, c) for m, c in parts(cjpeg(scene(45, 45), "-grayscale"))]
]))  # fmt: skip

# --- colour spaces and the markers that tell them

plain = without(cjpeg(scene(67, 45, 2), "-quality", "80", "-sample", "2x1"), 0xE0)
for name, markers in {
    "no-marker": [],
    "jfif": [JFIF],
    "adobe-0": [adobe(0)],
    "adobe-1": [adobe(1)],
    "jfif-adobe-0": [JFIF, adobe(0)],
    "adobe-0-jfif": [adobe(0), JFIF],
    "jfif-adobe-1": [JFIF, adobe(1)],
    "jfif-adobe-2": [JFIF, adobe(2)],
    "adobe-2": [adobe(2)],
    "short-adobe": [(0xEE, b"Adobe\0\x64\0\0")],
    "short-jfif": [(0xE0, b"JFIF\0\1\1")],
    "adobe-in-other-app": [(0xED, adobe(0)[1])],
    "app14-not-adobe": [(0xEE, b"Odobe\0\x64\0\0\0\0\0")],
    "jfxx-only": [(0xE0, b"JFXX\0\x10")],
}.items():
    add(f"colour-{name}", inserted(plain, 0xDB, markers))
add("colour-adobe-after-frame", inserted(plain, 0xDA, [adobe(0)]))
add("colour-jfif-after-frame", inserted(inserted(plain, 0xDB, [adobe(0)]), 0xDA, [JFIF]))
for name, ids in {"012": (0, 1, 2), "rgb": b"RGB", "rgb-small": b"rgb", "ycc": b"YCc", "321": (3, 2, 1), "122": (34, 35, 1)}.items():
    add(f"colour-ids-{name}", with_ids(plain, ids))
add("colour-ids-rgb-jfif", with_ids(inserted(plain, 0xDB, [JFIF]), b"RGB"))
add("colour-ids-rgb-adobe-1", with_ids(inserted(plain, 0xDB, [adobe(1)]), b"RGB"))
add("colour-rgb", cjpeg(scene(67, 45, 3), "-rgb"))
add("colour-rgb-420-progressive", cjpeg(scene(67, 45, 3), "-rgb", "-sample", "2x2", "-progressive"))
add("colour-rgb-no-marker", without(cjpeg(scene(67, 45, 3), "-rgb"), 0xEE))
add("colour-rgb-apart", cjpeg(scene(67, 45, 1), "-rgb", scans=APART))
for name, options in {
    "": [], "-progressive": ["-progressive"], "-optimized": ["-optimize"], "-2x2": ["-sample", "2x2"],
    "-1x2": ["-sample", "1x2"], "-4x3-progressive": ["-sample", "4x3", "-progressive"],
}.items():  # fmt: skip
    add(f"grey{name}", cjpeg(scene(67, 45, 1), "-grayscale", *options))
grey = parts(cjpeg(scene(53, 37, 3), "-grayscale"))
add("grey-factors-2x2", join([(m, c[:7] + b"\x22" + c[8:] if m == 0xC0 else c) for m, c in grey]))
add("grey-factors-3x1", join([(m, c[:7] + b"\x31" + c[8:] if m == 0xC0 else c) for m, c in grey]))
add("grey-adobe-0", inserted(join(grey), 0xDB, [adobe(0)]))
add("grey-id-82", with_ids(join(grey), (82,)))

cmyk = scene(67, 45, 2).convert("CMYK")
black = scene(67, 45, 3).convert("L")
cmyk = Image.merge("CMYK", [*cmyk.split()[:3], black.point(lambda v: v // 3)])
inks = pillow(cmyk, quality=88)
add("inks-cmyk", inks, by="pillow")
add("inks-cmyk-no-adobe", without(inks, 0xEE), by="pillow")
add("inks-cmyk-jfif", inserted(inks, 0xDB, [JFIF]), by="pillow")
add("inks-cmyk-jfif-no-adobe", inserted(without(inks, 0xEE), 0xDB, [JFIF]), by="pillow")
add("inks-cmyk-progressive", jpegtran(inks, "-progressive"), by="pillow")
add("inks-cmyk-restart", jpegtran(inks, "-restart", "2B"), by="pillow")
add("inks-cmyk-420", pillow(cmyk, quality=80, subsampling="4:2:0"), by="pillow")
add("inks-cmyk-422-progressive", pillow(cmyk, quality=80, subsampling="4:2:2", progressive=True), by="pillow")
ycck = inserted(without(inks, 0xEE), 0xDB, [adobe(2)])
add("inks-ycck", ycck, by="pillow")
add("inks-ycck-progressive", jpegtran(ycck, "-progressive"), by="pillow")
add("inks-ycck-adobe-1", inserted(without(inks, 0xEE), 0xDB, [adobe(1)]), by="pillow")
add("inks-ycck-420", inserted(without(pillow(cmyk, subsampling="4:2:0"), 0xEE), 0xDB, [adobe(2)]), by="pillow")
add("inks-magick", magick(scene(67, 45, 1), "-colorspace", "CMYK", "-quality", "85"), by="pillow")
add("inks-magick-420", magick(scene(67, 45, 1), "-colorspace", "CMYK", "-sampling-factor", "2x2"), by="pillow")

# --- markers and what lies between them

for marker, name in [(0xE0, "app0"), (0xDB, "dqt"), (0xC0, "sof"), (0xC4, "dht"), (0xDA, "sos")]:
    add(f"fill-before-{name}", with_fill(photo, marker, {0xE0: 5, 0xDB: 1, 0xC0: 2, 0xC4: 64, 0xDA: 3}[marker]))
add("fill-before-end", photo[:-2] + b"\xff\xff\xff\xff\xd9")
add("fill-before-every-marker", join([(*part, b"\xff\xff") for part in parts(photo)], b"\xff\xff\xff\xd9"))
restarted = cjpeg(scene(67, 45, 3), "-restart", "2B", "-sample", "2x2")
filled = b"".join(
    (b"\xff\xff" + restarted[at : at + 1]) if at and restarted[at - 1] == 0xFF and 0xD0 <= restarted[at] <= 0xD7 else restarted[at : at + 1]
    for at in range(len(restarted))
)
add("fill-before-restarts", filled)
progressive = cjpeg(scene(67, 45, 3), "-progressive", "-sample", "2x2")
add("fill-progressive", join([(*part, b"\xff") for part in parts(progressive)]))
add("end-data-after", photo + b"trailing \xff\xd8\xff\xd9 data")
add("end-second-picture-after", photo + cjpeg(scene(32, 32, 1)))
add("end-zeros-after", photo + bytes(500))
add("end-none", photo[:-2], by="djpeg")
add("end-none-grey", cjpeg(scene(53, 37), "-grayscale")[:-2], by="djpeg")
add("end-none-progressive", progressive[:-2], by="djpeg")
add("end-none-apart", cjpeg(scene(67, 45), scans=APART)[:-2], by="djpeg")
add("end-half-marker", photo[:-1], by="djpeg")
add("end-none-zeros", photo[:-2] + bytes(40), by="djpeg")
thumbnail = b"Exif\0\0" + cjpeg(scene(24, 16, 3))
add("markers-thumbnail-in-exif", inserted(photo, 0xDB, [(0xE1, thumbnail)]))
add("markers-thumbnail-in-jfif", inserted(without(photo, 0xE0), 0xDB, [
    (0xE0, b"JFIF\0\1\1\0\0\1\0\1\2\2" + bytes(range(12)))
]))  # fmt: skip
add("markers-jfxx-thumbnail", inserted(photo, 0xDB, [(0xE0, b"JFXX\0\x10" + cjpeg(scene(24, 16, 3)))]))
add("markers-comments", inserted(photo, 0xDB, [(0xFE, b"a comment"), (0xFE, b""), (0xFE, b"\xff\xd9\xff\xda\xff\xc0" * 9)]))
add("markers-every-app", inserted(photo, 0xDB, [(0xE0 + n, b"x" * n) for n in range(1, 16) if n not in (2, 13)]))
add("markers-long-app", inserted(photo, 0xDB, [(0xE5, bytes(9000))]))
add("markers-between-scans", join([p for part in parts(cjpeg(scene(67, 45), scans=APART)) for p in ([(0xFE, b"scan"), (0xED, b""), part] if part[0] == 0xDA else [part])]))
add("markers-restart-interval-zero", inserted(photo, 0xDA, [(0xDD, b"\0\0")]))
add("markers-restart-interval-twice", inserted(restarted, 0xDA, [(0xDD, b"\0\7"), (0xDD, b"\0\2")]))
add("markers-height-again", join([*parts(photo), (0xDC, struct.pack(">H", 45))]))
add("markers-jfif-after-exif", inserted(without(photo, 0xE0), 0xDB, [(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\0"), JFIF]))
pair = [scene(67, 45, 1), scene(67, 45, 2)]
file = io.BytesIO()
pair[0].save(file, "MPO", save_all=True, append_images=pair[1:], quality=75)
add("markers-several-pictures", file.getvalue(), by="pillow")
add("markers-icc-profile", pillow(scene(67, 45, 1), icc_profile=bytes(400)))

# --- other writers

add("pillow-default", pillow(scene(67, 45, 1)))
add("pillow-keep-rgb", pillow(scene(67, 45, 1), keep_rgb=True))
add("pillow-progressive-optimized", pillow(scene(67, 45, 2), progressive=True, optimize=True, subsampling="4:4:4"))
add("pillow-restart", pillow(scene(67, 45, 2), restart_marker_blocks=2))
add("pillow-grey", pillow(scene(67, 45, 2).convert("L"), progressive=True))
for name, options in {
    "422": ["-sampling-factor", "2x1"], "plane": ["-interlace", "plane"], "line": ["-interlace", "line"],
    "411": ["-sampling-factor", "4:1:1", "-quality", "60"], "grey": ["-colorspace", "Gray"],
    "3x1": ["-sampling-factor", "3x1"], "1x4": ["-sampling-factor", "1x4", "-interlace", "plane"],
    "chroma-2x1": ["-sampling-factor", "2x2,2x1,2x1"],
}.items():  # fmt: skip
    add(f"magick-{name}", magick(scene(67, 45, 3), *options))
for name, options in {
    "progressive": ["-progressive"], "optimized": ["-optimize"], "grey": ["-grayscale"], "turned": ["-rotate", "90"],
    "mirrored": ["-flip", "horizontal"], "restart": ["-restart", "2"],
}.items():  # fmt: skip
    add(f"jpegtran-{name}", jpegtran(photo, *options))

# --- what libjpeg-turbo's own tools refuse, or what no 8-bit guest reads

photo = cjpeg(scene(33, 21, 2), "-sample", "2x2")
add("refused-arithmetic", cjpeg(scene(33, 21), "-arithmetic"), refused="arithmetic")
add("refused-arithmetic-progressive", cjpeg(scene(33, 21), "-arithmetic", "-progressive"), refused="arithmetic")


def frame(sof, edit=lambda content: content):
    return join([(sof, edit(c)) if m == 0xC0 else (m, c) for m, c in parts(photo)])



add("refused-12-bits", frame(0xC1, lambda c: b"\x0c" + c[1:]), refused="12 bits")
add("refused-lossless", frame(0xC3), refused="lossless")
add("refused-hierarchical", frame(0xC5), refused="hierarchical")
add("refused-height-later", join([*parts(frame(0xC0, lambda c: c[:1] + b"\0\0" + c[3:])), (0xDC, b"\0\x15")]), refused="DNL")
add("refused-fractional", assembled(33, 21, [(3, 1), (2, 1), (1, 1)], 1), refused="sampling")
add("refused-fractional-down", assembled(33, 21, [(1, 3), (1, 2), (1, 1)], 1), refused="sampling")
two = parts(photo)
add("refused-two-components", join([
    (m, c[:5] + b"\2" + c[6:12] if m == 0xC0 else c) for m, c in two if m != 0xDA
] + [(0xDA, b"\2\1\0\2\x11\0\x3f\0" + bytes(600))]), refused="2 components")  # fmt: skip
cut = parts(cjpeg(scene(33, 21, 2), "-progressive", "-sample", "2x2"))
add("refused-progressive-not-all-scans", join(cut[:-2]), refused="scans")
add("refused-progressive-first-scan-only", join(cut[: [m for m, _ in cut].index(0xDA) + 1]), refused="scans")

(FOLDER / "jpeg.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in sorted(entries)))
used = {b for _, b in entries}
print(len(entries), "files,", len([b for b in used if b.endswith("png")]), "references")
