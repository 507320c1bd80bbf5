#!/usr/bin/env bash
# A PNG of 16 bits a channel may name one colour that stands for "see-through" (tRNS). Pillow 13.0.0 keeps the high
# byte of each channel of the picture and the low byte of each of the key, and compares those. So the key's colour
# is opaque, unless its two bytes are equal. The pixel below is wholly see-through; Pillow shows it opaque.
#
# Exits 0 while that is so.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install pillow==13.0.0
"$work/venv/bin/python" - <<'PY'
import io
import struct
import sys
import zlib

import PIL
from PIL import Image


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(depth, pixel, key):
    header = struct.pack(">IIBBBBB", 1, 1, depth, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"tRNS", key), (b"IDAT", zlib.compress(b"\0" + pixel)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


key = struct.pack(">3H", 200 * 256 + 7, 100 * 256 + 7, 50 * 256 + 7)
found = {
    8: Image.open(io.BytesIO(png(8, bytes([200, 100, 50]), struct.pack(">3H", 200, 100, 50)))),
    16: Image.open(io.BytesIO(png(16, key, key))),
}
alpha = {depth: picture.convert("RGBA").getpixel((0, 0))[3] for depth, picture in found.items()}
print(f"Pillow {PIL.__version__}: alpha of the key's colour is {alpha[8]} with 8 bits and {alpha[16]} with 16")
sys.exit(alpha != {8: 0, 16: 255})
PY
