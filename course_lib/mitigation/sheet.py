"""A sheet of training images: what a bias looks like, one column for each digit."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.axes import Axes

from course_lib.data.biased_mnist import BiasedMNIST
from course_lib.data.digits import SOURCES
from course_lib.errors import CourseError, require_integer
from course_lib.plotting import new_axes


def sheet_pixels(data: BiasedMNIST, *, rows: int = 3, gap: int = 3) -> np.ndarray:
    """Return a sheet of images, uint8 [height, width, 3]: one column per digit, ``rows`` images each.

    Which images stand on it depends on the labels alone, so that it stays put while the bias changes.
    Raises `CourseError` if there are too few images. Taught in: notebook 07.
    """
    rows = require_integer("rows", rows, 1)
    chosen = [torch.nonzero(data.labels == digit).flatten()[:rows] for digit in range(10)]
    if min(map(len, chosen)) < rows:
        raise CourseError(f"A sheet of {rows} rows needs {rows} images of each digit; make more images.")
    tiles = data.batch(torch.cat(chosen)).permute(0, 2, 3, 1).numpy()
    size = tiles.shape[1] + gap
    sheet = np.full((rows * size - gap, 10 * size - gap, 3), 255, dtype=np.uint8)
    for i, tile in enumerate(tiles):
        top, left = i % rows * size, i // rows * size
        sheet[top : top + size - gap, left : left + size - gap] = tile
    return sheet


def plot_sheet(data: BiasedMNIST, *, rows: int = 3, ax: Axes | None = None) -> Axes:
    """Plot a sheet of images (see `sheet_pixels`), named by digit. Taught in: notebook 07."""
    pixels = sheet_pixels(data, rows=rows)
    ax = new_axes(ax, 9.0, 0.6 + 9.0 * pixels.shape[0] / pixels.shape[1])
    ax.imshow(pixels, interpolation="nearest")
    ax.set(xticks=pixels.shape[1] * (np.arange(10) + 0.5) / 10, xticklabels=range(10), yticks=[])
    ax.tick_params(length=0)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    strengths = " / ".join(f"{s:.2f}" for s in dict.fromkeys(data.strength))
    ax.set_title(f"bias strength {strengths}, {SOURCES[data.source]}")
    return ax
