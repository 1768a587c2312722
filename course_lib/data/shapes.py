"""Masks of the distractor shapes and the texture glyphs, by whole-number arithmetic at pixel centres.

A shape is an outline in a box from -12 to 12 both ways (y downwards); the box is half a cell wide and in
the middle of the cell. A glyph is a list of pen strokes in a tile from 0 to 24 both ways; a cell has 2 x 2
tiles. Everything is decided at the centre of a pixel, so it is the same on every machine.
"""

from __future__ import annotations

import numpy as np

Point = tuple[int, int]

# The numbers are chosen so that all ten differ at every cell size, and can be told apart from 14 pixels on.
SHAPES: dict[str, list[Point]] = {
    "circle": [],  # round: see `shape_mask`
    "right triangle": [(-12, -12), (12, 12), (-12, 12)],
    "obtuse triangle": [(-12, -9), (12, 8), (-5, 8)],
    "square": [(-12, -12), (12, -12), (12, 12), (-12, 12)],
    "parallelogram": [(-4, -7), (12, -7), (4, 7), (-12, 7)],
    "kite": [(0, -12), (8, -4), (0, 12), (-8, -4)],
    "pentagon": [(0, -14), (13, -3), (9, 11), (-9, 11), (-13, -3)],
    "semicircle": [],
    "plus": [
        (-3, -12), (3, -12), (3, -3), (12, -3), (12, 3), (3, 3),
        (3, 12), (-3, 12), (-3, 3), (-12, 3), (-12, -3), (-3, -3),
    ],
    "arrow": [(-12, -3), (0, -3), (0, -12), (12, 0), (0, 12), (0, 3), (-12, 3)],
}  # fmt: skip

# Small, with room around them: among larger ones a small network hardly finds the digits in a few epochs.
GLYPHS: dict[str, list[tuple[Point, Point]]] = {
    "-": [((7, 12), (17, 12))],
    "/": [((7, 17), (17, 7))],
    "|": [((12, 7), (12, 17))],
    "+": [((7, 12), (17, 12)), ((12, 7), (12, 17))],
    "x": [((6, 6), (18, 18)), ((6, 18), (18, 6))],
    "~": [((3, 15), (8, 9)), ((8, 9), (16, 15)), ((16, 15), (21, 9))],
    "::": [((6, 6), (6, 6)), ((18, 6), (18, 6)), ((6, 18), (6, 18)), ((18, 18), (18, 18))],
    ">": [((7, 5), (17, 12)), ((17, 12), (7, 19))],
    "<": [((17, 5), (7, 12)), ((7, 12), (17, 19))],
    "\\": [((7, 7), (17, 17))],
}


def shape_mask(name: str, cell: int) -> np.ndarray:
    """Return bool [cell, cell]: the pixels of a cell whose centres lie in the shape ``name``."""
    # A pixel's centre in a box from -12 to 12 over half a cell is 24 * (2 x + 1 - cell) / cell: times cell.
    centre = 24 * (2 * np.arange(cell, dtype=np.int64) + 1 - cell)
    x, y = centre[None, :], centre[:, None]
    if name == "circle":
        return x * x + y * y <= (12 * cell) ** 2
    if name == "semicircle":  # the upper half of a circle, moved to the middle
        return (x * x + (y - 6 * cell) ** 2 <= (12 * cell) ** 2) & (y <= 6 * cell)
    return _in_polygon(x, y, [(a * cell, b * cell) for a, b in SHAPES[name]])


def glyph_mask(name: str, cell: int) -> np.ndarray:
    """Return bool [cell, cell]: the pixels of a cell that the glyph ``name`` covers in its 2 x 2 tiles."""
    # A tile is 24 units and cell / 2 pixels wide, so a pixel is 48 / cell units: times cell.
    centre = 24 * (2 * np.arange(cell, dtype=np.int64) + 1) % (24 * cell)
    x, y = centre[None, :], centre[:, None]
    width = max(48, 3 * cell)  # of a stroke: one pixel, or an eighth of a tile if that is more
    mask = np.zeros((cell, cell), bool)
    for (ax, ay), (bx, by) in GLYPHS[name]:
        mask |= _near_segment(x, y, (ax * cell, ay * cell), (bx * cell, by * cell), width)
    return mask


def _in_polygon(x: np.ndarray, y: np.ndarray, corners: list[Point]) -> np.ndarray:
    """Even-odd rule: a point is inside if a ray to its right crosses the outline an odd number of times."""
    inside = np.zeros(np.broadcast_shapes(x.shape, y.shape), bool)
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        spans = (ay <= y) != (by <= y)
        side = (x - ax) * (by - ay) - (y - ay) * (bx - ax)
        inside ^= spans & (side < 0 if by > ay else side > 0)
    return inside


def _near_segment(x: np.ndarray, y: np.ndarray, a: Point, b: Point, width: int) -> np.ndarray:
    """Points within half of ``width`` of the segment from ``a`` to ``b``, or of a dot's column and row.

    A point exactly half off counts on one side only, so that a stroke of one pixel never covers two.
    """
    dx, dy = b[0] - a[0], b[1] - a[1]
    if not (dx or dy):
        return _within(x - a[0], width, 1) & _within(y - a[1], width, 1)
    length2 = dx * dx + dy * dy
    along = (x - a[0]) * dx + (y - a[1]) * dy
    aside = (x - a[0]) * dy - (y - a[1]) * dx
    return (along >= 0) & (along <= length2) & _within(aside, width, length2)


def _within(aside: np.ndarray, width: int, scale2: int) -> np.ndarray:
    """Tell where -width / 2 <= aside / sqrt(scale2) < width / 2, without the root."""
    signed = 4 * aside * abs(aside)
    return (signed >= -(width**2) * scale2) & (signed < width**2 * scale2)
