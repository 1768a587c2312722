"""The sheet of training faces, as the network sees them, sorted by group."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure

from course_lib.data import faces
from course_lib.data.faces import GROUPS, Drawings
from course_lib.fairness.config import Config
from course_lib.fairness.pictures import add_grain
from course_lib.plotting import MAJORITY, MINORITY, RUN_COLORS, STYLE, LiveFigure, Pixels, new_figure

COLUMNS, LINES = 12, 6  # of the sheet of faces
GROUP_COLORS = (RUN_COLORS[5], MINORITY, RUN_COLORS[3], MAJORITY)
TEXT_COLORS = ("#0b6fa4", "#b34700", "#a0478f", MAJORITY)  # the groups' colours, dark enough to read


class Sheet(NamedTuple):
    """Faces as they are in the training data of ``config``: pictures uint8 [N, 3, 32, 32], sorted by group [N]."""

    config: Config
    pictures: torch.Tensor
    group: torch.Tensor


def make_sheet(config: Config) -> Sheet:
    """Return 72 faces in which the groups have the shares of the training data, as the network sees them.

    Taught in: notebook 06.
    """
    pictures, group = _drawn(tuple(shares(config)), config.seed)
    order = group.argsort(stable=True)
    return Sheet(config, add_grain(pictures, config.noise, config.seed)[order], group[order])


_drawings = Drawings()


@lru_cache(maxsize=1)
def _drawn(shares: tuple[float, ...], seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the drawings and their groups, kept: a slider of the noise draws no face anew."""
    drawn = faces.sample(COLUMNS * LINES, shares, seed)
    return _drawings.of(drawn)[:], drawn.group


def shares(config: Config) -> list[float]:
    """Return the shares of the groups among all training faces, those collected besides included."""
    counts = config.counts()
    return [n / sum(counts) for n in counts]


class FacesPicture(LiveFigure):
    """The sheet of faces, sorted by group; each group's faces are framed in its colour."""

    SIZE = (5.4, 3.3)

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            ax = self.figure.add_axes((0.01, 0.08, 0.98, 0.91))
            ax.axis("off")
            self.image = Pixels(ax)
            at = {"va": "bottom", "fontsize": 7.5}
            self.texts = []  # what moves is short: to draw text takes long
            places = (0.0, 0.274, 0.52, 0.775)
            for left, name, frame, color in zip(places, GROUPS, GROUP_COLORS, TEXT_COLORS, strict=True):
                self.figure.text(left, 0.015, "■", color=frame, **at)
                self.figure.text(left + 0.084, 0.015, name, color=color, **at)
                moving = {"ha": "right", "color": color, "animated": True, "transform": self.figure.transSubfigure}
                self.texts.append(ax.text(left + 0.078, 0.015, "", **at, **moving))

    def update(self, sheet: Sheet) -> None:
        self.image.set_data(framed(sheet))
        for text, share in zip(self.texts, shares(sheet.config), strict=True):
            text.set_text(f"{100 * share:.0f} %")

    @staticmethod
    def describe(sheet: Sheet) -> str:
        """Return the picture in words, for those who do not see it."""
        parts = ", ".join(f"{100 * share:.3g} % {n}" for n, share in zip(GROUPS, shares(sheet.config), strict=True))
        noise = f"camera noise {sheet.config.noise} of 255"
        return f"{COLUMNS * LINES} training faces, in the shares of their groups: {parts}; {noise}."


EDGE = 36  # pixels of a face with its frame


def framed(sheet: Sheet) -> np.ndarray:
    """Return the sheet as one picture, uint8 [6 * 36, 12 * 36, 3]."""
    colors = torch.tensor([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in GROUP_COLORS], dtype=torch.uint8)
    tiles = colors[sheet.group][:, :, None, None].expand(-1, 3, EDGE, EDGE).clone()
    tiles[:, :, 2:-2, 2:-2] = sheet.pictures
    rows = tiles.view(LINES, COLUMNS, 3, EDGE, EDGE).permute(0, 3, 1, 4, 2)
    return rows.reshape(LINES * EDGE, COLUMNS * EDGE, 3).numpy()
