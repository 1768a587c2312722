"""The picture of a network's layers: the filters of the first, and what all four see in one face."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.plotting import STYLE, LiveFigure, new_axes, new_figure
from course_lib.transfer.look import NETWORKS, Look, filters, maps
from course_lib.transfer.network import CHANNELS, FaceNet

ROWS, COLUMNS = 4, 6  # of the 24 filters
SHOWN = 4  # feature maps on each side of a mosaic
SIDES = (8, 8, 4, 4)  # pixels of a feature map, by layer


def filter_sheet(network: FaceNet) -> np.ndarray:
    """Return the 24 filters of the first layer as one picture, float [29, 43, 3]: grey is 0.

    Of all its weights, one in 50 or so is beyond the fullest colour.
    """
    weights = filters(network)
    limit = weights.abs().quantile(0.98).clamp(min=1e-9)
    return _tiled((0.5 + 0.5 * weights / limit).clamp(0, 1), COLUMNS)


def map_sheet(maps: Tensor) -> np.ndarray:
    """Return the first 16 feature maps of a layer as one picture, float [37, 37, 3]: white is the strongest.

    maps: float [channels, height, width], none below 0.
    """
    shown = maps[: SHOWN**2] / maps[: SHOWN**2].max().clamp(min=1e-9)
    shown = F.interpolate(shown[:, None], (8, 8), mode="nearest")  # each layer's maps as large as the others'
    return _tiled(shown.expand(-1, 3, -1, -1), SHOWN)


def _tiled(tiles: Tensor, columns: int) -> np.ndarray:
    """Return pictures [N, 3, H, W] side by side, in rows of ``columns``, with lines of a pixel between them."""
    n, _, height, width = tiles.shape
    framed = F.pad(tiles, (1, 0, 1, 0), value=0.3).view(-1, columns, 3, height + 1, width + 1)
    sheet = framed.permute(0, 3, 1, 4, 2).reshape(n // columns * (height + 1), columns * (width + 1), 3)
    return F.pad(sheet, (0, 0, 0, 1, 0, 1), value=0.3).numpy()


class LayersPicture(LiveFigure):
    """One face, the first layers' filters of three networks, and the feature maps of one of them."""

    SIZE = (5.4, 3.5)

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            self.face = self._image((0.005, 0.545, 0.212, 0.327), np.zeros((32, 32, 3)), "")
            blank = np.zeros((29, 43, 3))
            self.filters = {
                name: self._image((0.245 + 0.255 * i, 0.582, 0.245, 0.255), blank, f"filters: {name}")
                for i, name in enumerate(NETWORKS)
            }
            blank = np.zeros((37, 37, 3))
            self.maps = [
                self._image((0.005 + 0.253 * i, 0.01, 0.236, 0.364), blank, _title(i)) for i in range(len(CHANNELS))
            ]
            at = {"fontsize": 8.5, "animated": True, "transform": self.figure.transSubfigure, "va": "top"}
            ax = self.figure.axes[0]
            self.said = ax.text(0.005, 0.985, "", **at)
            self.whose = ax.text(0.005, 0.515, "", **at)

    def _image(self, box: tuple[float, ...], blank: np.ndarray, title: str) -> mpl.image.AxesImage:
        ax = self.figure.add_axes(box)
        ax.axis("off")
        ax.set_title(title, fontsize=8, pad=3)
        return ax.imshow(blank, animated=True, vmin=0, vmax=1, interpolation="nearest")

    def update(self, look: Look) -> None:
        networks = look.networks()
        self.face.set_data(look.picture().permute(1, 2, 0).numpy())
        for name, image in self.filters.items():
            image.set_data(filter_sheet(networks[name]))
        for image, found in zip(self.maps, maps(networks[look.config.network], look.picture()), strict=True):
            image.set_data(map_sheet(found))
        self.said.set_text(f"Test face {look.config.face}: {look.said()}")
        self.whose.set_text(f"What the layers of {WHOSE[look.config.network]} see in it, {SHOWN**2} maps of each")

    @staticmethod
    def describe(look: Look) -> str:
        """Return the picture in words, for those who do not see it."""
        moved = filters(look.pair.run.network) - filters(look.networks()["trunk"])
        same = "those of the trunk" if not moved.any() else "other than those of the trunk"
        return (
            f"Test face {look.config.face}: {look.said()}. The filters of this run's first layer are {same}. "
            f"Feature maps of the four layers of {WHOSE[look.config.network]}. {look.pair.config.target}, "
            f"{look.pair.config.named()}, seed {look.pair.config.seed}."
        )


WHOSE = {"trunk": "the trunk", "this run": "this run", "from scratch": "the run from scratch"}


def plot_filters(network: FaceNet, *, ax: Axes | None = None) -> Axes:
    """Plot the 24 filters of a network's first layer, 6 x 6 pixels in colour; grey is 0. Taught in: notebook 04."""
    ax = new_axes(ax, 3.6, 2.5)
    ax.axis("off")
    ax.imshow(filter_sheet(network), interpolation="nearest")
    return ax


def plot_maps(network: FaceNet, picture: Tensor, *, axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """Plot what the four layers make of a picture, uint8 [3, 32, 32]: 16 feature maps of each, white the strongest.

    ``axes`` are four axes, or None for new ones. Raises `CourseError` for another shape. Taught in: notebook 04.
    """
    found = maps(network, picture)
    axes = new_axes(None, 7.6, 2.1, columns=len(found)) if axes is None else axes
    for i, (ax, each) in enumerate(zip(axes, found, strict=True)):
        ax.axis("off")
        ax.set_title(_title(i), fontsize=8)
        ax.imshow(map_sheet(each), interpolation="nearest")
    return axes


def _title(layer: int) -> str:
    side = SIDES[layer]
    return f"layer {layer + 1}: {CHANNELS[layer]} of {side} x {side}"
