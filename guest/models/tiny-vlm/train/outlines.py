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


def turned(points, degrees):
    """The polygon, turned clockwise."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return points @ np.array([[c, s], [-s, c]])
