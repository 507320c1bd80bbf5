"""Draws the pictures that the first commands of the README ask about.

    python samples.py ../../../../samples
"""

import pathlib
import sys

import drawing
from scenes import Scene, Thing


def thing(size, color, shape, x, y, degrees=0.0):
    radius = {"small": 0.08, "large": 0.17}[size]
    return Thing(shape, color, size, x, y, radius, degrees)


SAMPLES = {
    "shapes.png": (
        13,
        Scene(
            1.0,
            0.75,
            (
                thing("large", "blue", "square", 0.24, 0.46, 5),
                thing("large", "red", "circle", 0.62, 0.28),
                thing("small", "yellow", "star", 0.84, 0.6, 12),
            ),
        ),
    ),
    "crowd.jpeg": (
        17,
        Scene(
            1.0,
            1.0,
            (
                thing("large", "green", "heart", 0.28, 0.3, -8),
                thing("small", "red", "star", 0.62, 0.2, 20),
                thing("small", "red", "star", 0.82, 0.44, -15),
                thing("small", "orange", "triangle", 0.2, 0.72, 30),
                thing("small", "red", "star", 0.48, 0.8, 5),
                thing("small", "purple", "diamond", 0.78, 0.76, 4),
            ),
        ),
    ),
    "night.webp": (
        12,
        Scene(
            0.8,
            1.0,
            (
                thing("large", "yellow", "circle", 0.52, 0.26),
                thing("small", "cyan", "star", 0.18, 0.18, 8),
                thing("small", "pink", "cross", 0.3, 0.74, 10),
            ),
        ),
    ),
}


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    for name, (seed, scene) in SAMPLES.items():
        drawing.draw(scene, seed, side=360).save(folder / name, quality=85)


if __name__ == "__main__":
    main()
