"""Printed digits: those of the fonts that come with matplotlib, turned, slanted, scaled and moved at random."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from course_lib.data.digits import SIZE
from course_lib.errors import require_integer
from course_lib.randomness import generator

FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    "cmr10", "cmb10", "cmss10", "cmtt10", "cmti10",
)  # fmt: skip
FINE = 2  # a digit is turned at so many times the size, and then made smaller: its edges stay smooth
TALL = 20  # pixels, as in MNIST
TURN, SLANT, SCALE, SHIFT = 0.2, 0.25, 0.15, 2 / SIZE  # the most: radians; to the right for each up; share; share of 28
MAX_DIGITS = 100_000
CHUNK = 500  # digits that are drawn in one go


def sample(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return ``n`` printed digits, from 1 to 100,000: images uint8 [n, 28, 28] with ink 255 on 0, labels int64 [n].

    Each digit occurs as often as the others, each font about so. The same seed gives the same digits, on a machine
    with the same libraries. Raises `CourseError` for ``n`` out of range. Taught in: notebook 04.
    """
    n = require_integer("n", n, 1, MAX_DIGITS)
    random = generator(seed, "printed")
    labels = torch.randperm(n, generator=random) % 10
    font = torch.randint(len(FONTS), (n,), generator=random)
    chance = 2 * torch.rand(n, 5, generator=random) - 1  # from -1 to 1
    angle, slant = TURN * chance[:, 0], SLANT * chance[:, 1]
    size, moved = 1 + SCALE * chance[:, 2], 2 * SHIFT * chance[:, 3:]  # grid_sample counts from -1 to 1
    upright = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(n, 2, 2)
    slanted = torch.eye(2).repeat(n, 1, 1)
    slanted[:, 0, 1] = slant
    places = torch.cat([slanted @ upright / size[:, None, None], moved[:, :, None]], 2)  # where each pixel looks
    images = torch.empty(n, SIZE, SIZE, dtype=torch.uint8)
    for start in range(0, n, CHUNK):
        part = slice(start, start + CHUNK)
        drawn = _glyphs()[font[part], labels[part]][:, None]
        grid = F.affine_grid(places[part], list(drawn.shape), align_corners=False)
        turned = F.grid_sample(drawn, grid, align_corners=False)
        images[part] = F.avg_pool2d(turned, FINE)[:, 0].round().to(torch.uint8)
    return images, labels


@lru_cache(maxsize=1)
def _glyphs() -> Tensor:
    """Return each font's ten digits, as high as in MNIST and in the middle: float [fonts, 10, 56, 56], 0 to 255."""
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    side, tall = FINE * SIZE, FINE * TALL
    pages = []
    for name in FONTS:
        probe = ImageFont.truetype(folder / f"{name}.ttf", 100)
        _, top, _, bottom = probe.getbbox("8")
        font = ImageFont.truetype(folder / f"{name}.ttf", 100 * tall / (bottom - top))
        for digit in range(10):
            page = Image.new("L", (side, side))
            left, top, right, bottom = font.getbbox(str(digit))
            at = ((side - left - right) / 2, (side - top - bottom) / 2)
            ImageDraw.Draw(page).text(at, str(digit), font=font, fill=255)
            pages.append(np.asarray(page))
    return torch.tensor(np.stack(pages)).float().view(len(FONTS), 10, side, side)
