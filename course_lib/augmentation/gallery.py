"""The gallery: one digit under the augmentations in use, and what is still read of each."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_lib.augmentation.augmentations import AUGMENTATIONS, KEEPS, augment, effects
from course_lib.augmentation.config import Config
from course_lib.augmentation.reference import REFERENCE, Reading
from course_lib.data import digits
from course_lib.data.digits import SIZE
from course_lib.plotting import MAJORITY, MINORITY, STYLE, LiveFigure, new_axes, new_figure
from course_lib.randomness import generator
from course_lib.training import inputs

ROWS, COLUMNS = 4, 8


@dataclass(frozen=True, eq=False)
class Gallery:
    """One digit, untouched and then augmented: tiles float [32, 28, 28] in 0..1; reading: None if not yet known."""

    config: Config
    tiles: np.ndarray
    reading: Reading | None


def make_gallery(config: Config, *, wait: bool = True) -> Gallery:
    """Return the first test digit of the label that ``config`` names, untouched and under 31 augmentations.

    wait: whether to train the reference classifier if there is none yet (a few seconds); without, what it
    reads stays unknown. Taught in: notebook 03.
    """
    images, labels = digits.load_shared(config.source, "test")
    first = images[int((labels == config.digit).nonzero()[0, 0])]
    x = inputs(first[None, None], slice(None)).expand(ROWS * COLUMNS, -1, -1, -1).contiguous()
    moved = augment(x[1:], generator(config.seed, "gallery"), config.amounts())
    tiles = np.concatenate([x[:1, 0].numpy(), moved[:, 0].detach().numpy()])
    reading = REFERENCE.reading(config.amounts()) if wait or REFERENCE.ready else None
    return Gallery(config, tiles, reading)


def mosaic(tiles: np.ndarray, columns: int, gap: float) -> np.ndarray:
    """Return tiles [N, H, W] as one image, row by row, with a pixel of value ``gap`` between them."""
    rows = -(-len(tiles) // columns)
    framed = np.full((rows * columns, tiles.shape[1] + 1, tiles.shape[2] + 1), gap, dtype=np.float32)
    framed[: len(tiles), 1:, 1:] = tiles
    height, width = framed.shape[1:]
    image = framed.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)
    return np.pad(image, ((0, 1), (0, 1)), constant_values=gap)


def sentence(config: Config) -> str:
    """Return what the augmentations in use do to the label of the digit, in words."""
    found = {name: word for name, word in effects(config.amounts(), config.digit).items() if word != KEEPS}
    if not config.amounts():
        return "No augmentation is in use."
    if not found:
        return f"By the kit's table, a {config.digit} keeps its label."
    parts = ", ".join(f"{AUGMENTATIONS[name].title}: {word}" for name, word in found.items())
    return f"By the kit's table, the label of a {config.digit}: {parts}."


class GalleryPicture(LiveFigure):
    """The digit 32 times, what happens to its label, and the share of each label that is no longer read."""

    SIZE = (5.4, 4.7)

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            ax = self.figure.add_axes((0.02, 0.39, 0.96, 0.555))
            ax.axis("off")
            blank = np.zeros((ROWS * (SIZE + 1) + 1, COLUMNS * (SIZE + 1) + 1))
            self.image = ax.imshow(blank, cmap="gray", vmin=0, vmax=1, interpolation="nearest", animated=True)
            edge = [-0.5, SIZE + 1.5, SIZE + 1.5, -0.5, -0.5]
            self.frame = ax.plot(edge, [-0.5, -0.5, SIZE + 1.5, SIZE + 1.5, -0.5], color="#de8f05", lw=2.5)[0]
            self.frame.set_animated(True)
            self.title = ax.text(0, 1.03, "", transform=ax.transAxes, va="bottom", fontsize=9, animated=True)
            self.words = ax.text(
                0, -0.03, "", transform=ax.transAxes, va="top", fontsize=8.5, animated=True, linespacing=1.2
            )
            self.bars = ReadingPlot(self.figure.add_axes((0.115, 0.085, 0.87, 0.155)), animated=True)

    def update(self, gallery: Gallery) -> None:
        """Show a gallery; nothing but moving parts changes."""
        c = gallery.config
        self.image.set_data(mosaic(gallery.tiles, COLUMNS, 0.35))
        self.title.set_text(f"a {c.digit} from the {c.source} test digits; framed: untouched")
        self.words.set_text("\n".join(textwrap.wrap(sentence(c), 82)[:2]))
        self.bars.update(gallery)

    def describe(self, gallery: Gallery) -> str:
        """Return the gallery in words."""
        c = gallery.config
        read = "not yet known" if gallery.reading is None else f"{100 * gallery.reading.unread():.0f} %"
        return (
            f"A {c.digit} ({c.source} digits), untouched and 31 times with {c.named()}. {sentence(c)} "
            f"Test digits that the reference classifier no longer reads: {read}."
        )


class ReadingPlot:
    """Share of the 500 bundled test digits that the reference classifier does not read, by label."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax = ax
        ax.set(xlim=(-0.6, 9.6), ylim=(0, 100), ylabel="not read (%)", xlabel="label of the test digits")
        ax.set_xticks(range(10))
        ax.set_yticks((0, 50, 100))
        ax.grid(False, axis="x")
        self.bars = ax.bar(range(10), np.zeros(10), 0.6, edgecolor="white", animated=animated)
        (self.untouched,) = ax.plot(range(10), np.zeros(10), "_", color="black", ms=13, mew=1.6, animated=animated)
        self.text = ax.text(
            0, 1.08, "", transform=ax.transAxes, va="bottom", fontsize=8.5, animated=animated, linespacing=1.2
        )

    def update(self, gallery: Gallery) -> None:
        """Show what is read; without a reading, say so."""
        reading, digit = gallery.reading, gallery.config.digit
        shares = np.zeros(10) if reading is None else 100 * (1 - reading.read / reading.n)
        before = np.full(10, np.nan) if reading is None else 100 * (1 - reading.untouched / reading.n)
        for label, (bar, height) in enumerate(zip(self.bars, shares, strict=True)):
            bar.set(height=height, facecolor=MINORITY if label == digit else MAJORITY)
            bar.set_hatch("////" if label == digit else "")
        self.untouched.set_ydata(before)
        if reading is None:
            self.text.set_text(
                "What the reference classifier still reads is not yet known:\nit is trained before the first run."
            )
        else:
            untouched = 100 * (1 - reading.untouched.sum() / reading.n.sum())
            self.text.set_text(
                f"The reference classifier no longer reads {100 * reading.unread():.1f} % of 500 bundled test digits\n"
                f"(dashes: untouched, {untouched:.1f} %); of the {digit}s (hatched): {shares[digit]:.0f} %"
            )


def plot_gallery(gallery: Gallery, *, ax: Axes | None = None) -> Axes:
    """Plot one digit, untouched (top left) and under the augmentations in use. Taught in: notebook 03."""
    ax = new_axes(ax, 6.0, 3.2)
    c = gallery.config
    ax.imshow(mosaic(gallery.tiles, COLUMNS, 0.35), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.axis("off")
    ax.set_title(f"top left: untouched, from the {c.source} digits; the rest: {c.named()}", fontsize=9, loc="left")
    return ax


def plot_reading(gallery: Gallery, *, ax: Axes | None = None) -> Axes:
    """Plot which share of each label the reference classifier no longer reads. Taught in: notebook 03."""
    ax = new_axes(ax, 6.0, 2.4)
    with mpl.rc_context(STYLE):
        ReadingPlot(ax).update(gallery)
    return ax
