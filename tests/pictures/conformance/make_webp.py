"""Makes the WebP files of the conformance set, and the pixels that libwebp gives for each.

    apt-get install webp=1.2.4-0.2+deb12u1      (cwebp)
    pip install pillow==13.0.0                  (libwebp 1.6.0)
    python make_webp.py

The pixels are those of libwebp through Pillow, turned, in front of white.
"""

import io
import struct
import subprocess
import tempfile
from pathlib import Path

from PIL import Image, ImageCms, ImageOps

from listing import Listing, exif, on_white, rgba, xmp

WEBP = Listing("webp")
ICC, ALPHA, EXIF, XMP, ANIMATION = 0x20, 0x10, 0x08, 0x04, 0x02


def cwebp(picture, *options):
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "in.png", Path(folder) / "out.webp"
        picture.save(source)
        subprocess.run(["cwebp", "-quiet", *map(str, options), source, "-o", made], check=True)
        return made.read_bytes()


def pillow(picture, **options):
    file = io.BytesIO()
    picture.save(file, "WEBP", **options)
    return file.getvalue()


def chunks(data):
    at, end, found = 12, 8 + struct.unpack("<I", data[4:8])[0], []
    while at + 8 <= end:
        length = struct.unpack("<I", data[at + 4 : at + 8])[0]
        found.append((data[at : at + 4], data[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return found


def chunk(name, content, padding=b"\0"):
    return name + struct.pack("<I", len(content)) + content + padding * (len(content) % 2)


def join(found, padding=b"\0"):
    body = b"WEBP" + b"".join(chunk(*part, padding) for part in found)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def vp8x(flags, width, height):
    return b"VP8X", bytes([flags, 0, 0, 0]) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]


def picture_of(data):
    """The chunks of the picture itself."""
    return [part for part in chunks(data) if part[0] in (b"ALPH", b"VP8 ", b"VP8L")]


def add(name, data):
    picture = Image.open(io.BytesIO(data))
    picture.load()
    WEBP.add(name, data, on_white(ImageOps.exif_transpose(picture)))


WIDTH, HEIGHT = 37, 26
see_through = rgba(WIDTH, HEIGHT)
solid = see_through.convert("RGB")

# --- lossy, with all of the encoder's switches, and lossless
for quality in (1, 40, 90, 100):
    add(f"lossy-{quality}", cwebp(solid, "-q", quality))
for name, options in {
    "simple-filter": ("-nostrong", "-f", 60), "strong-filter": ("-strong", "-f", 100), "no-filter": ("-f", 0),
    "sharpness": ("-sharpness", 7, "-f", 50), "segments": ("-segments", 4, "-sns", 100), "one-segment": ("-segments", 1),
    "partitions": ("-partition_limit", 100), "fast": ("-m", 0), "slow": ("-m", 6), "sharp-yuv": ("-sharp_yuv",),
    "jpeg-like": ("-jpeg_like",), "low-memory": ("-low_memory",), "photo": ("-preset", "photo"),
}.items():
    add(f"lossy-{name}", cwebp(solid, "-q", 50, *options))
for width, height in [(1, 1), (1, 17), (17, 1), (16, 16), (15, 33), (33, 15), (2, 2), (3, 50)]:
    add(f"lossy-size-{width}-{height}", cwebp(rgba(width, height).convert("RGB"), "-q", 70))
    add(f"lossless-size-{width}-{height}", cwebp(rgba(width, height), "-lossless", "-exact"))
for level in (0, 3, 6, 9):
    add(f"lossless-{level}", cwebp(see_through, "-lossless", "-z", level))
for colours in (2, 4, 16, 200):
    few = solid.quantize(colours).convert("RGB")
    add(f"lossless-{colours}-colours", cwebp(few, "-lossless"))
add("lossless-near", cwebp(see_through, "-near_lossless", 40))
add("lossless-solid", cwebp(solid, "-lossless"))

# --- see-through
for filter in ("none", "fast", "best"):
    for method in (0, 1):
        add(f"alpha-{filter}-{method}", cwebp(see_through, "-q", 60, "-alpha_filter", filter, "-alpha_method", method))
for quality in (0, 50, 100):
    add(f"alpha-quality-{quality}", cwebp(see_through, "-q", 60, "-alpha_q", quality))

# --- extended files
lossy, lossless, alpha = cwebp(solid, "-q", 70), cwebp(solid, "-lossless"), cwebp(see_through, "-q", 70)
clear = cwebp(see_through, "-lossless", "-exact")
for name, flags in {
    "nothing": 0, "exif": EXIF, "xmp": XMP, "icc": ICC, "alpha": ALPHA, "all": EXIF | XMP | ICC | ALPHA,
    "exif-and-alpha": EXIF | ALPHA,
}.items():
    add(f"flags-{name}-lossy", join([vp8x(flags, WIDTH, HEIGHT), *picture_of(lossy)]))
    add(f"flags-{name}-lossless", join([vp8x(flags, WIDTH, HEIGHT), *picture_of(lossless)]))
    add(f"flags-{name}-alph", join([vp8x(flags, WIDTH, HEIGHT), *picture_of(alpha)]))
    add(f"flags-{name}-lossless-alpha", join([vp8x(flags, WIDTH, HEIGHT), *picture_of(clear)]))

profile = (b"ICCP", ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
note = (b"EXIF", exif(1) + b"!")
text = (b"XMP ", xmp(1))
stranger = (b"WHAT", b"odd")
for name, parts in {
    "all-chunks": [profile, *picture_of(alpha), note, text],
    "xmp-before-exif": [profile, *picture_of(alpha), text, note],
    "metadata-first": [note, text, profile, *picture_of(lossy)],
    "profile-last": [*picture_of(lossy), profile, note, text],
    "unknown-before": [stranger, *picture_of(lossy), note, text],
    "unknown-after": [profile, *picture_of(lossy), stranger, note, stranger, text],
    "two-exif": [*picture_of(lossy), note, (b"EXIF", exif(6)), text],
}.items():
    add(f"order-{name}", join([vp8x(ICC | EXIF | XMP | ALPHA, WIDTH, HEIGHT), *parts]))
add("chunks-without-flags", join([vp8x(0, WIDTH, HEIGHT), profile, *picture_of(lossy), (b"EXIF", exif(6)), (b"XMP ", xmp(6))]))
add("chunks-after-a-simple-picture", join([*picture_of(lossy), (b"EXIF", exif(6))]))
add("padding-that-is-not-0", join([vp8x(EXIF | XMP, WIDTH, HEIGHT), *picture_of(alpha), (b"EXIF", exif(1) + b"!"), text], b"\xff"))
add("data-after-the-end", lossy + b"and more" * 30)
add("data-after-the-end-extended", join([vp8x(EXIF, WIDTH, HEIGHT), *picture_of(lossy), note]) + chunk(b"EXIF", exif(6)))

# --- turned
for number in range(1, 9):
    tag = exif(number, "<>"[number % 2])
    add(f"turned-{number}", join([vp8x(EXIF, WIDTH, HEIGHT), *picture_of(lossy), (b"EXIF", tag)]))
for name, flags, parts in [
    ("prefixed", EXIF, [*picture_of(lossy), (b"EXIF", b"Exif\0\0" + exif(6))]),
    ("prefixed-twice", EXIF, [*picture_of(lossy), (b"EXIF", b"Exif\0\0" * 2 + exif(8))]),
    ("before-the-picture", EXIF | ALPHA, [(b"EXIF", exif(6)), *picture_of(alpha)]),
    ("lossless", EXIF, [*picture_of(lossless), (b"EXIF", exif(5))]),
    ("xmp", XMP, [*picture_of(lossy), (b"XMP ", xmp(6))]),
    ("xmp-element", XMP, [*picture_of(lossy), (b"XMP ", xmp(7, element=True))]),
    ("exif-before-xmp", EXIF | XMP, [*picture_of(lossy), (b"XMP ", xmp(6)), (b"EXIF", exif(3))]),
    ("exif-flag-alone-and-xmp", EXIF | XMP, [*picture_of(lossy), (b"XMP ", xmp(6))]),
    ("by-0", EXIF, [*picture_of(lossy), (b"EXIF", exif(0))]),
    ("long", EXIF, [*picture_of(lossy), (b"EXIF", exif(6, kind=4))]),
]:
    add(f"turned-{name}", join([vp8x(flags, WIDTH, HEIGHT), *parts]))

# --- animated
black = Image.new("RGB", solid.size)
animation = {"save_all": True, "append_images": [black], "duration": 100}
add("animated-lossy", pillow(solid, quality=70, **animation))
add("animated-lossless", pillow(solid, lossless=True, **animation))
add("animated-mixed", pillow(see_through, allow_mixed=True, **animation))
add("animated-alpha-lossy", pillow(see_through, quality=60, **animation))
add("animated-background", pillow(see_through, lossless=True, background=(20, 40, 200, 255), **animation))
add("animated-turned", pillow(solid, quality=70, exif=exif(6), **animation))


def anmf(left, top, width, height, parts, flags=0):
    numbers = b"".join(struct.pack("<I", v)[:3] for v in (left // 2, top // 2, width - 1, height - 1, 100))
    return b"ANMF", numbers + bytes([flags]) + b"".join(chunk(*part) for part in parts)


anim = (b"ANIM", bytes([10, 200, 30, 255, 0, 0]))
small = rgba(15, 12)
for name, flags, frame in [
    ("small-frame", ANIMATION, anmf(4, 6, 15, 12, picture_of(cwebp(small.convert("RGB"), "-q", 70)))),
    ("small-frame-alpha", ANIMATION | ALPHA, anmf(4, 6, 15, 12, picture_of(cwebp(small, "-q", 70)))),
    ("small-frame-over", ANIMATION | ALPHA, anmf(4, 6, 15, 12, picture_of(cwebp(small, "-lossless")), 2)),
    ("flags-without-chunks", ANIMATION | EXIF | XMP | ICC, anmf(0, 0, WIDTH, HEIGHT, picture_of(lossy))),
    ("alpha-announced-in-vain", ANIMATION | ALPHA, anmf(0, 0, WIDTH, HEIGHT, picture_of(lossy))),
]:
    second = anmf(0, 0, WIDTH, HEIGHT, picture_of(cwebp(black, "-lossless")))
    add(f"animated-{name}", join([vp8x(flags, WIDTH, HEIGHT), anim, frame, second]))
denied = join([vp8x(ANIMATION, WIDTH, HEIGHT), anim, anmf(0, 0, WIDTH, HEIGHT, picture_of(clear)), second])
WEBP.add("refused-alpha-denied", denied, refused="see-through")
add("animation-without-its-flag", join([vp8x(0, WIDTH, HEIGHT), *picture_of(lossy), anim, second]))

# --- what libwebp refuses too (and above one that it shows without its transparency)
WEBP.add("refused-cut", lossy[:-20], refused="ends before")
WEBP.add("refused-animation-without-frames", join([vp8x(ANIMATION, WIDTH, HEIGHT), *picture_of(lossy)]), refused="animation")
WEBP.add("refused-other-size", join([vp8x(0, WIDTH, HEIGHT + 1), *picture_of(lossy)]), refused="should be")
for name in ("refused-cut", "refused-animation-without-frames", "refused-other-size"):
    try:
        Image.open(WEBP.folder / f"{name}.webp").load()
    except OSError:
        continue
    raise SystemExit(f"{name}: Pillow takes it")

WEBP.write()
