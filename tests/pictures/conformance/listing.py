"""What `make_png.py` and `make_webp.py` share: a scene, EXIF, XMP, and the list of files with their references."""

import hashlib
import math
import struct
from pathlib import Path

from PIL import Image

FOLDER = Path(__file__).parent
REFERENCE = FOLDER / "reference"


class Listing:
    """The files of a format, and the pixels that each must give."""

    def __init__(self, name):
        self.name, self.folder, self.entries = name, FOLDER / name, []
        for folder in (self.folder, REFERENCE):
            folder.mkdir(exist_ok=True)
        for old in self.folder.iterdir():
            old.unlink()

    def add(self, name, data, picture=None, refused=None):
        """A file, and its pixels (an RGB picture) or a word of the refusal."""
        name = f"{name}.{self.name}"
        assert not (self.folder / name).exists(), name
        (self.folder / name).write_bytes(data)
        if refused:
            self.entries.append((name, f"refused: {refused}"))
            return
        assert picture.mode == "RGB", name
        digest = hashlib.sha256(repr(picture.size).encode() + picture.tobytes()).hexdigest()[:16]
        file = REFERENCE / f"{digest}.png"
        if not file.exists():
            picture.save(file, optimize=True)
        self.entries.append((name, file.name))

    def write(self):
        lines = "".join(f"{name}\t{expected}\n" for name, expected in sorted(self.entries))
        (FOLDER / f"{self.name}.tsv").write_text(lines)
        refused = sum(expected.startswith("refused") for _, expected in self.entries)
        print(f"{self.name}: {len(self.entries) - refused} valid files, {refused} to refuse")


def scene(width, height):
    """Slopes and waves in red, green, blue and alpha, each from 0 to 1 with both ends there."""

    def wave(x, y, a, b, c):
        return min(1.0, max(0.0, 0.5 + 0.7 * math.sin(a * x + b * y + c)))

    return [
        [tuple(wave(x, y, *k) for k in [(0.3, 0.1, 0), (0.1, 0.35, 2), (0.2, -0.25, 4), (-0.15, 0.3, 1)]) for x in range(width)]
        for y in range(height)
    ]


def rgba(width, height):
    """The scene as a picture of four channels."""
    picture = Image.new("RGBA", (width, height))
    picture.putdata([tuple(round(255 * v) for v in pixel) for row in scene(width, height) for pixel in row])
    return picture


def on_white(picture):
    """What a person sees of a picture in front of white."""
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def exif(orientation, order="<", kind=3, count=1, before=()):
    """A TIFF file of one directory with the orientation in it; other entries are (tag, kind, count, value)."""
    entries = [*before, (0x112, kind, count, orientation)]
    code = {1: "B3x", 3: "H2x", 4: "I"}
    body = b"".join(struct.pack(f"{order}HHI{code[k]}", tag, k, n, v) for tag, k, n, v in entries)
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    return head + struct.pack(f"{order}H", len(entries)) + body + bytes(4)


def xmp(orientation, element=False):
    """XMP with the orientation as an attribute or as an element."""
    inner = f"<tiff:Orientation>{orientation}</tiff:Orientation>" if element else ""
    attribute = "" if element else f' tiff:Orientation="{orientation}"'
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/"{attribute}>{inner}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()
