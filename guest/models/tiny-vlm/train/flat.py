"""Another way to draw a scene, which shares nothing with `drawing.py` but the scene: each shape is
a formula that says which pixels are inside, colours are the named ones of the web, edges are
hard, backgrounds plain, and sizes are any. Whoever learned shapes, and not a generator's habits,
knows them here as well."""

import dataclasses

import numpy as np
from PIL import Image

from scenes import rng_of

WEB = {
    "red": (255, 0, 0),
    "orange": (255, 140, 0),
    "yellow": (255, 235, 0),
    "green": (0, 160, 0),
    "cyan": (0, 230, 230),
    "blue": (0, 0, 255),
    "purple": (128, 0, 160),
    "pink": (255, 130, 190),
}
BACKGROUNDS = ((255, 255, 255), (0, 0, 0), (235, 235, 235), (60, 60, 60), (245, 240, 220))


def _inside(shape, u, v):
    """Which points are inside the shape; the unit circle touches most of them from outside."""
    if shape == "circle":
        return u * u + v * v <= 1
    if shape == "square":
        return np.maximum(abs(u), abs(v)) <= 0.86
    if shape == "diamond":
        return abs(u) / 0.68 + abs(v) <= 1.2
    if shape == "cross":
        a, b = np.minimum(abs(u), abs(v)), np.maximum(abs(u), abs(v))
        return (a <= 0.32) & (b <= 1.05)
    if shape == "triangle":
        return (v <= 0.7) & (v >= 1.75 * abs(u) - 1.05)
    if shape == "heart":
        lobes = (abs(u) - 0.47) ** 2 + (v + 0.35) ** 2 <= 0.27
        return lobes | ((v >= -0.35) & (abs(u) + 0.85 * v <= 0.93) & (abs(u) <= 0.99))
    if shape == "star":
        angle = np.arctan2(u, -v) % (2 * np.pi / 5)
        angle = np.minimum(angle, 2 * np.pi / 5 - angle)
        # The side from a tip (radius 1.2 at angle 0) to the next notch (0.46 at 36 degrees).
        radius = np.hypot(u, v)
        x, y = radius * np.cos(angle), radius * np.sin(angle)
        tip = np.array([1.2, 0.0])
        notch = 0.46 * np.array([np.cos(np.pi / 5), np.sin(np.pi / 5)])
        side = notch - tip
        return side[0] * (y - tip[1]) - side[1] * (x - tip[0]) >= 0
    raise ValueError(shape)


def resized(scene, seed):
    """The scene with any sizes: there is no small and no large in it."""
    rng = rng_of(seed, 5)
    things = tuple(
        dataclasses.replace(thing, size="medium", radius=thing.radius * rng.uniform(0.85, 1.15))
        for thing in scene.things
    )
    return dataclasses.replace(scene, things=things)


def draw(scene, seed):
    """The picture of a scene: an RGB image of 120 to 400 pixels on its longer side."""
    rng = rng_of(seed, 6)
    side = int(rng.integers(120, 401))
    width, height = round(scene.width * side), round(scene.height * side)
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = BACKGROUNDS[int(rng.integers(len(BACKGROUNDS)))]
    y, x = np.mgrid[0:height, 0:width] + 0.5
    for thing in scene.things:
        u, v = (x / side - thing.x) / thing.radius, (y / side - thing.y) / thing.radius
        pixels[_inside(thing.shape, u, v)] = WEB[thing.color]
    return Image.fromarray(pixels)
