"""The pictures of batch normalisation: the same images in train mode and in eval mode."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_lib.normalization.batchnorm import SIZES, BatchNormResult, shown_batch
from course_lib.normalization.plots import by_size_in_words, draw
from course_lib.plotting import IMPLICIT, MAJORITY, MINORITY, STYLE, LiveFigure, new_figure

MODES = {"eval": (MAJORITY, "o", "-"), "train": (MINORITY, "D", "--")}  # colour, marker, line
REFUSED = "torch refuses\na batch of one\nin train mode"
GRID = 3  # images of the batch on each side of its mosaic


class BatchSizesPlot:
    """Accuracy in train mode and in eval mode by the size of the batches that the same images come in."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax = ax
        ax.set(title="Accuracy by the size of the batches", xlabel="images in a batch", ylabel="accuracy")
        ax.set(xscale="log", xlim=(0.85, 120), ylim=(0, 1.03))
        ax.set_xticks(SIZES, SIZES)
        ax.minorticks_off()
        self.size = ax.axvline(1, color="#dcdcdc", lw=6, zorder=0.6, animated=animated)
        self.curves = {}
        for mode, (color, marker, line) in MODES.items():
            (self.curves[mode],) = ax.plot(
                [], [], marker=marker, color=color, ls=line, ms=4, lw=1.4, animated=animated, label=f"{mode} mode"
            )
        ax.axhline(0.1, color="#606060", lw=1, ls=":", label="chance")

    def update(self, result: BatchNormResult) -> bool:
        """Show ``result``; only moving parts change."""
        self.size.set_xdata([result.config.batch_size] * 2)
        for mode, curve in self.curves.items():
            curve.set_data(result.by_size["n"], result.by_size[mode])
        return False


class ModesPlot:
    """One batch twice: the probability of the true digit in eval mode and in train mode, image by image."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax = ax
        ax.set(title="The same batch, twice", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
        ax.set(xlabel="p(true digit), eval mode", ylabel="p(true digit), train mode")
        ax.plot([0, 1], [0, 1], color="#606060", lw=0.8, ls=":")
        (self.points,) = ax.plot([], [], "o", color=MAJORITY, alpha=0.6, ms=5, mew=0, animated=animated)
        self.text = ax.text(0.5, 0.5, "", ha="center", va="center", backgroundcolor="white", animated=animated)

    def update(self, result: BatchNormResult) -> bool:
        """Show ``result``; only moving parts change."""
        refused = result.train_true is None
        self.text.set_text(REFUSED if refused else "")
        self.points.set_data(*([[], []] if refused else [result.eval_true, result.train_true]))
        return False


class DriftPlot:
    """Frozen weights in train mode: how far the running means move, and what eval mode makes of it."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax, self.right = ax, ax.twinx()
        ax.set(title="Weights frozen, train mode on", xlim=(-0.5, 20.5), ylim=(0, 1.03))
        ax.set(xlabel="batches fed, no weight changes", ylabel="accuracy, ordinary digits")
        ax.set_xticks([0, 5, 10, 15, 20])
        self.right.set(ylim=(0, 3.09))
        self.right.set_ylabel("running means moved by (sd)", color="#606060")
        self.right.tick_params(axis="y", colors="#606060", length=0)
        self.right.grid(False)
        (self.accuracy,) = ax.plot([], [], "o-", color="black", ms=4, lw=1.4, animated=animated)
        (self.moved,) = self.right.plot([], [], "s--", color=IMPLICIT, ms=3, lw=1.2, animated=animated)
        self.text = ax.text(10, 0.5, "", ha="center", va="center", backgroundcolor="white", animated=animated)

    def update(self, result: BatchNormResult) -> bool:
        """Show ``result``; only moving parts change."""
        self.text.set_text(REFUSED if result.drift is None else "")
        for line, name in ((self.accuracy, "accuracy"), (self.moved, "moved")):
            line.set_data([], []) if result.drift is None else line.set_data(
                result.drift["batches"], result.drift[name]
            )
        return False


class BatchSizesPicture(LiveFigure):
    """The live picture of accuracy by batch size."""

    SIZE = (5.4, 2.7)

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            ax = self.figure.add_axes((0.1, 0.17, 0.62, 0.71))
            self.plot = BatchSizesPlot(ax, animated=True)
            ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), handlelength=1.8)
            self.text = ax.text(
                1.04, 0.5, "", transform=ax.transAxes, fontsize=8, va="top", linespacing=1.5, animated=True
            )

    def update(self, result: BatchNormResult) -> None:
        self.plot.update(result)
        lines = [f"in batches of {result.config.batch_size}:"]
        for mode in MODES:
            accuracy = result.accuracy(mode)
            lines.append(f"{mode} mode: " + ("refused" if np.isnan(accuracy) else f"{accuracy:.2f}"))
        self.text.set_text("\n".join(lines))

    @staticmethod
    def describe(result: BatchNormResult) -> str:
        """Return the picture in words."""
        parts = [f"{mode} mode {by_size_in_words(result.by_size, mode)}" for mode in MODES]
        return f"Accuracy of the {result.config.layer} network by batch size: {'; '.join(parts)}."


class ModesPicture(LiveFigure):
    """The batch, its images in both modes, and the statistics that move while the weights are frozen."""

    SIZE = (8.4, 2.9)

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            left = self.figure.add_axes((0.01, 0.17, 0.235, 0.68))
            left.set(title="The batch", xticks=[], yticks=[])
            self.mosaic = left.imshow(np.zeros((88, 88)), cmap="gray_r", vmin=0, vmax=1, animated=True)
            left.grid(False)
            left.spines[:].set_visible(False)
            self.note = left.text(0, -0.1, "", transform=left.transAxes, fontsize=8, animated=True)
            axes = [self.figure.add_axes(place) for place in ((0.335, 0.17, 0.235, 0.68), (0.665, 0.17, 0.27, 0.68))]
            self.plots = [kind(ax, animated=True) for kind, ax in zip((ModesPlot, DriftPlot), axes, strict=True)]

    def update(self, result: BatchNormResult) -> None:
        self.mosaic.set_data(mosaic(shown_batch(result.config)))
        n = result.config.batch_size
        self.note.set_text(f"{min(n, GRID**2)} of {n} images" if n > GRID**2 else f"all {n}" if n > 1 else "one image")
        for plot in self.plots:
            plot.update(result)

    @staticmethod
    def describe(result: BatchNormResult) -> str:
        """Return the picture in words."""
        c, table = result.config, result.drift
        start = (
            f"{c.layer}, batches of {c.batch_size} {'of one digit' if c.by_digit else 'mixed'}, brightness "
            f"{c.brightness:.2f}, momentum {c.momentum:.2f}, seed {c.seed}"
        )
        if table is None:
            return f"{start}: torch refuses a batch of one in train mode."
        same = float((result.eval_true - result.train_true).abs().mean())
        return (
            f"{start}: the probability of the true digit differs by {same:.2f} on average between the modes. After "
            f"{c.batches} batches with frozen weights the running means have moved by {table['moved'].iloc[-1]:.2f} "
            f"standard deviations; accuracy went from {table['accuracy'].iloc[0]:.2f} to "
            f"{table['accuracy'].iloc[-1]:.2f}."
        )


def mosaic(images: torch.Tensor) -> np.ndarray:
    """Return up to nine images [B, 28, 28] in 0..1 side by side, [88, 88], with white between and around them."""
    sheet = np.zeros((88, 88))
    for i, image in enumerate(images[: GRID**2].numpy()):
        y, x = 1 + i // GRID * 29, 1 + i % GRID * 29
        sheet[y : y + 28, x : x + 28] = image
    return sheet


def plot_batch_sizes(result: BatchNormResult, *, ax: Axes | None = None) -> Axes:
    """Plot the accuracy in both modes by the size of the batches that the images come in. Taught in: notebook 02."""
    return draw(BatchSizesPlot, result, ax, 6.0, 3.0, legend={"loc": "lower right"})


def plot_modes(result: BatchNormResult, *, ax: Axes | None = None) -> Axes:
    """Plot the probability of the true digit in eval mode and in train mode, for each image of one batch.

    Taught in: notebook 02.
    """
    return draw(ModesPlot, result, ax, 3.6, 3.4)


def plot_drift(result: BatchNormResult, *, ax: Axes | None = None) -> Axes:
    """Plot what batches in train mode do to a network with frozen weights: accuracy, and the means' way.

    Taught in: notebook 02.
    """
    return draw(DriftPlot, result, ax, 5.0, 3.0)
