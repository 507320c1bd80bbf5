"""Draws a scene the way cameras and encoders leave pictures: soft edges, uneven paint, noise, JPEG.

Everything that does not matter varies: the tint within a colour's name, the background, the
number of pixels, the noise and the encoder.
"""

import colorsys
import io

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from outlines import OUTLINES, nameless, turned
from scenes import rng_of

# Hue in degrees, saturation and value: what still goes by the name.
TINTS = {
    "red": ((-8, 8), (0.78, 1.0), (0.65, 1.0)),
    "orange": ((24, 34), (0.85, 1.0), (0.88, 1.0)),
    "yellow": ((51, 60), (0.75, 1.0), (0.88, 1.0)),
    "green": ((95, 145), (0.6, 1.0), (0.4, 0.85)),
    "cyan": ((175, 190), (0.6, 1.0), (0.8, 1.0)),
    "blue": ((214, 242), (0.72, 1.0), (0.6, 1.0)),
    "purple": ((268, 288), (0.6, 1.0), (0.45, 0.78)),
    "pink": ((320, 342), (0.32, 0.58), (0.93, 1.0)),
}

OVERSAMPLING = 2


def _paint(rng, color):
    hue, saturation, value = (rng.uniform(*limits) for limits in TINTS[color])
    return np.array(colorsys.hsv_to_rgb(hue / 360 % 1, saturation, value)) * 255


def _grey(rng):
    """A background's colour: nearly without hue, and light more often than not."""
    value = (rng.uniform(0.78, 1), rng.uniform(0.04, 0.3), rng.uniform(0.35, 0.7))[
        int(rng.choice(3, p=(0.6, 0.25, 0.15)))
    ]
    return np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, 0.13), value)) * 255


def _background(rng, width, height):
    base = np.broadcast_to(_grey(rng), (height, width, 3))
    kind = rng.random()
    if kind < 0.4:
        return base
    y, x = np.mgrid[0:height, 0:width]
    if kind < 0.65:  # a gradient
        angle = rng.uniform(0, 2 * np.pi)
        along = (x * np.cos(angle) + y * np.sin(angle)) / max(width, height)
        change = along * rng.uniform(10, 60)
    elif kind < 0.82:  # stripes or squares
        pitch = rng.uniform(0.06, 0.25) * width
        angle = rng.uniform(0, np.pi)
        u = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / pitch)
        if rng.random() < 0.4:
            u = u * np.sin((y * np.cos(angle) - x * np.sin(angle)) * 2 * np.pi / pitch)
        change = np.sign(u) * rng.uniform(3, 14)
    else:  # blotches
        coarse = rng.normal(0, rng.uniform(6, 18), (6, 6)).astype(np.float32)
        change = np.asarray(Image.fromarray(coarse).resize((width, height), Image.BICUBIC))
    return np.clip(base + change[:, :, None], 0, 255)


def draw(scene, seed, side=None):
    """The picture of a scene: an RGB image of 96 to 200 pixels on its longer side, or of `side`."""
    rng = rng_of(seed, 1)
    any_side = int(rng.integers(96, 201))
    side = side or any_side
    width, height = round(scene.width * side), round(scene.height * side)
    scale = OVERSAMPLING * side
    image = Image.fromarray(_background(rng, width, height).astype(np.uint8)).resize(
        (width * OVERSAMPLING, height * OVERSAMPLING), Image.NEAREST
    )
    canvas = ImageDraw.Draw(image)
    outlined = rng.random() < 0.2
    for thing in scene.things:
        outline = OUTLINES[thing.shape] if thing.shape else nameless(rng)
        points = turned(outline, thing.degrees) * thing.radius
        points = [((x + thing.x) * scale, (y + thing.y) * scale) for x, y in points]
        paint = _paint(rng, thing.color)
        canvas.polygon(points, fill=tuple(int(v) for v in paint))
        if outlined:
            edge = paint * rng.uniform(0.15, 0.6)
            canvas.line(
                points + points[:2],
                fill=tuple(int(v) for v in edge),
                width=max(1, round(rng.uniform(0.006, 0.016) * scale)),
                joint="curve",
            )
    image = image.reduce(OVERSAMPLING)
    if rng.random() < 0.2:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.012 * side)))
    if rng.random() < 0.6:
        pixels = np.asarray(image, np.float32)
        pixels = pixels * rng.uniform(0.9, 1.08)
        pixels = pixels + rng.standard_normal(pixels.shape, np.float32) * rng.uniform(0, 14)
        image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return image


def encode(image, seed, png=0.3):
    """The picture as a file, `(bytes, format)`: a JPEG of any quality, or sometimes a PNG."""
    rng = rng_of(seed, 2)
    file = io.BytesIO()
    if rng.random() < 1 - png:
        image.save(file, "JPEG", quality=int(rng.integers(25, 96)))
        return file.getvalue(), "jpeg"
    image.save(file, "PNG")
    return file.getvalue(), "png"


def letterbox(image, side):
    """The model's input: the whole picture on a grey square, `[side, side, 3]` bytes. The guest
    does exactly this."""
    image = image.convert("RGB")
    longer = max(image.size)
    size = tuple(max(1, (length * side * 2 + longer) // (2 * longer)) for length in image.size)
    if image.size != size:
        image = image.resize(size, Image.BILINEAR)
    square = Image.new("RGB", (side, side), (128, 128, 128))
    square.paste(image, tuple((side - length) // 2 for length in size))
    return np.asarray(square)
