"""The outlines of the shapes: polygons around the origin, y down, of the area of the unit circle."""

import numpy as np


def _ring(count, radius, first=-90.0):
    angles = np.radians(first + np.arange(count) * 360.0 / count)
    return np.stack([np.cos(angles), np.sin(angles)], 1) * np.reshape(radius, (-1, 1))


def _circle():
    return _ring(48, np.ones(48))


def _square():
    return np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], float)


def _triangle():
    return _ring(3, np.ones(3))


def _star(depth=0.45):
    return _ring(10, np.where(np.arange(10) % 2, depth, 1.0))


def _diamond(slimness=0.72):
    return np.array([(0, -1), (slimness, 0), (0, 1), (-slimness, 0)], float)


def _heart():
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    points = np.stack([x, y], 1)
    return points - (points.max(0) + points.min(0)) / 2


def _cross(arm=0.36):
    a = arm
    return np.array(
        [(-a, -1), (a, -1), (a, -a), (1, -a), (1, a), (a, a)]
        + [(a, 1), (-a, 1), (-a, a), (-1, a), (-1, -a), (-a, -a)],
        float,
    )


def _area(points):
    x, y = points.T
    return abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def scaled(points):
    """The polygon, as large as the unit circle."""
    return points * np.sqrt(np.pi / _area(points))


OUTLINES = {
    "circle": scaled(_circle()),
    "square": scaled(_square()),
    "triangle": scaled(_triangle()),
    "star": scaled(_star()),
    "diamond": scaled(_diamond()),
    "heart": scaled(_heart()),
    "cross": scaled(_cross()),
}


def _blob(rng):
    angles = np.arange(36) * 2 * np.pi / 36
    lobes = int(rng.integers(2, 5))
    bulge = rng.uniform(0.25, 0.45) * np.sin(lobes * angles + rng.uniform(0, 2 * np.pi))
    return _ring(36, 1 + bulge + 0.15 * np.sin((lobes + 1) * angles + rng.uniform(0, 2 * np.pi)))


def _bar(rng):
    width = rng.uniform(1.9, 3.2)
    return np.array([(-width, -1), (width, -1), (width, 1), (-width, 1)])


def _ellipse(rng):
    return _ring(36, np.ones(36)) * (rng.uniform(1.8, 2.8), 1)


def _corner(rng):
    a = rng.uniform(-0.5, 0)
    return np.array([(-1, -1), (a, -1), (a, -a), (1, -a), (1, 1), (-1, 1)])


def _crescent(rng):
    t = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 20)
    outer = np.stack([np.cos(t), np.sin(t)], 1)
    inner = np.stack([rng.uniform(0.1, 0.55) * np.cos(t[::-1]), np.sin(t[::-1])], 1)
    return np.concatenate([outer, inner]) - (0.5, 0)


def _arrow(rng):
    a, b = rng.uniform(0.15, 0.35), rng.uniform(-0.2, 0.2)
    return np.array([(0, -1), (0.8, b), (a, b), (a, 1), (-a, 1), (-a, b), (-0.8, b)])


def _half(rng):
    t = np.linspace(0, np.pi, 24)
    return np.stack([np.cos(t), np.sin(t)], 1) - (0, 0.42)


NAMELESS = (_blob, _blob, _bar, _ellipse, _corner, _crescent, _arrow, _half)


def nameless(rng):
    """An outline that has no name here, and is no variety of one that has."""
    return scaled(NAMELESS[int(rng.integers(len(NAMELESS)))](rng))


def turned(points, degrees):
    """The polygon, turned clockwise."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return points @ np.array([[c, s], [-s, c]])
