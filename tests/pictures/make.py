"""Makes the pictures beside this file: the same red circle on white in unusual encodings.

    pip install pillow==13.0.0
    python make.py
"""

import struct
import zlib
from pathlib import Path

from PIL import Image, ImageDraw

FOLDER = Path(__file__).parent
SIDE = 96

circle = Image.new("RGB", (SIDE, SIDE), "white")
ImageDraw.Draw(circle).ellipse((28, 26, 68, 66), fill=(220, 20, 20))
black = Image.new("RGB", (SIDE, SIDE))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, color, rows):
    """A PNG file of these rows, as they are, none of them filtered."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


circle.save(FOLDER / "circle.png", optimize=True)
circle.convert("CMYK").save(FOLDER / "circle_cmyk.jpeg", quality=85)
circle.save(FOLDER / "circle_progressive.jpeg", quality=85, progressive=True)
circle.convert("P", palette=Image.Palette.ADAPTIVE, colors=16).save(FOLDER / "circle_palette.png")
circle.save(
    FOLDER / "circle_animated.webp", lossless=True, save_all=True, append_images=[black], duration=100
)
pixels = circle.tobytes()
rows = [pixels[3 * SIDE * y : 3 * SIDE * (y + 1)] for y in range(SIDE)]
deep = [bytes(byte for value in row for byte in (value, value)) for row in rows]
(FOLDER / "circle_16_bit.png").write_bytes(png(SIDE, SIDE, 16, 2, deep))
see_through = circle.convert("RGBA")
see_through.putdata([(0, 0, 0, 0) if p[:3] == (255, 255, 255) else p for p in see_through.getdata()])
see_through.save(FOLDER / "circle_see_through.png", optimize=True)
# 900 million pixels, one bit each, in some hundred kilobytes.
(FOLDER / "bomb.png").write_bytes(png(30_000, 30_000, 1, 0, [bytes(3_750)] * 30_000))
# As many pixels as the host lets through, and next to nothing on the other side.
(FOLDER / "line.png").write_bytes(png(1 << 24, 1, 1, 0, [bytes(1 << 21)]))
(FOLDER / "column.png").write_bytes(png(1, 1 << 24, 1, 0, [b"\0"] * (1 << 24)))
# As many bytes as the guest decodes to: four channels of 16 bits each.
side = 2896
large = circle.resize((side, side), Image.Resampling.NEAREST).convert("RGBA").tobytes()
stretched = bytearray(2 * len(large))
stretched[0::2], stretched[1::2] = large, large
rows = [bytes(stretched[8 * side * y : 8 * side * (y + 1)]) for y in range(side)]
(FOLDER / "circle_large.png").write_bytes(png(side, side, 16, 6, rows))
