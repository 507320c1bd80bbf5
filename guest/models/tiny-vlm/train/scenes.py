"""Scenes: what is in a picture, before anything is drawn.

A scene is sampled from a seed alone. Lengths are fractions of the picture's longer side, so that
a shape is as large on a wide picture as on a square one.
"""

from dataclasses import dataclass, replace

import numpy as np

SHAPES = ("circle", "square", "triangle", "star", "diamond", "heart", "cross")
COLORS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")

# Never drawn and never asked about in training: whoever answers for these has understood that a
# colour and a shape are two things.
UNSEEN = frozenset(
    {
        ("purple", "triangle"),
        ("orange", "heart"),
        ("cyan", "square"),
        ("pink", "diamond"),
        ("green", "cross"),
        ("blue", "star"),
    }
)

# The radius of a circle of the same area. Between two sizes lies a gap, and what is medium is
# never called anything: a question about size has one answer.
RADII = {"small": (0.068, 0.088), "medium": (0.1, 0.122), "large": (0.145, 0.19)}

COUNTS = (0.03, 0.14, 0.2, 0.2, 0.17, 0.14, 0.12)
MOST = len(COUNTS) - 1


@dataclass(frozen=True)
class Thing:
    """A shape on the picture. The centre counts from the top left corner. In training, some shapes
    have no name here."""

    shape: str | None
    color: str
    size: str
    x: float
    y: float
    radius: float
    degrees: float


@dataclass(frozen=True)
class Scene:
    """The picture's sides (the longer one is 1) and its things, the lowest first."""

    width: float
    height: float
    things: tuple


def rng_of(seed, stream):
    """One stream of random numbers of a scene: its layout, its look and its questions each have
    their own, so that a change to one leaves the others as they were."""
    return np.random.Generator(np.random.PCG64([stream, seed]))


def pick(rng, options):
    return options[int(rng.integers(len(options)))]


def sample(seed, combinations="seen"):
    """The scene of a seed. `combinations` says which pairs of colour and shape may come: `seen`,
    those of training; `unseen`, where every second thing is one that training never shows."""
    rng = rng_of(seed, 0)
    width = height = 1.0
    if rng.random() < 0.4:
        side = rng.uniform(0.62, 1.0)
        if rng.random() < 0.5:
            width = side
        else:
            height = side
    count = int(rng.choice(len(COUNTS), p=COUNTS))
    if combinations == "unseen":
        count = max(count, 1)
    colors, shapes = COLORS, SHAPES
    if rng.random() < 0.45:  # few kinds, so that there are several of one
        colors = tuple(str(color) for color in rng.permutation(COLORS)[: rng.integers(1, 4)])
        shapes = tuple(str(shape) for shape in rng.permutation(SHAPES)[: rng.integers(1, 4)])
    sizes = ("small", "large") if rng.random() < 0.6 else ("small", "medium", "large")
    if count >= 5:
        sizes = ("small", "small", "large") if sizes[1] == "large" else ("small", "medium")
    closest = rng.uniform(0.72, 0.95) if rng.random() < 0.3 else rng.uniform(1.05, 1.3)
    things = []
    for index in range(count):
        color, shape = _kind(rng, colors, shapes, combinations, index)
        thing = _place(rng, things, color, shape, sizes, closest, width, height)
        if thing is not None:
            things.append(thing)
    return Scene(width, height, tuple(things))


def partly_named(scene, seed):
    """The scene with some shapes that have no name, for training: blue is blue on any outline."""
    rng = rng_of(seed, 7)
    if rng.random() < 0.5:
        return scene
    things = []
    for thing in scene.things:
        if rng.random() < 0.3:
            thing = replace(thing, shape=None, degrees=rng.uniform(-180, 180))
        things.append(thing)
    return replace(scene, things=tuple(things))


def _kind(rng, colors, shapes, combinations, index):
    if combinations == "unseen" and index % 2 == 0:
        return pick(rng, sorted(UNSEEN))
    for _ in range(20):
        color, shape = pick(rng, colors), pick(rng, shapes)
        if (color, shape) not in UNSEEN:
            return color, shape
    while True:  # the few kinds of this scene are all unseen ones
        color, shape = pick(rng, COLORS), pick(rng, SHAPES)
        if (color, shape) not in UNSEEN:
            return color, shape


def _place(rng, things, color, shape, sizes, closest, width, height):
    for _ in range(40):
        size = pick(rng, sizes)
        radius = rng.uniform(*RADII[size])
        margin = radius * 1.05
        x = rng.uniform(margin, width - margin)
        y = rng.uniform(margin, height - margin)
        if all(
            np.hypot(x - other.x, y - other.y) >= closest * (radius + other.radius)
            for other in things
        ):
            degrees = rng.uniform(-1, 1) * TILT[shape]
            return Thing(shape, color, size, x, y, radius, degrees)
    return None


# How far a shape may turn to either side and still be called by its name: a square on its corner
# is a diamond.
TILT = {
    "circle": 0.0,
    "square": 14.0,
    "triangle": 180.0,
    "star": 180.0,
    "diamond": 10.0,
    "heart": 25.0,
    "cross": 22.0,
}
