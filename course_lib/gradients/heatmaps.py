"""The picture of a Transformer's gradients while it trains, and the plot of a report."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from course_lib.errors import CourseError, require_integer
from course_lib.gradients.config import ORDERS, TASKS, TRANSFORMER_ACTIVATIONS, TransformerConfig
from course_lib.gradients.report import Report
from course_lib.gradients.transformer import BINS, HIGHEST, LOWEST, History
from course_lib.plotting import MAJORITY, MINORITY, STYLE, LiveFigure, new_axes, new_figure

MAPS = 6  # layers that are shown; of more, evenly spaced ones
STEP = (HIGHEST - LOWEST) / BINS  # powers of ten that one bin is wide
DARKEST = 0.3  # share of the gradients in one bin from which on the colour stays the same
SIZE_OF_GRADIENT = "$\\log_{10}$ |gradient|"
ZERO = LOWEST - 2 * STEP  # where the row of exact zeros begins


def plot_histograms(history: History, layer: int = 1, *, ax: Axes | None = None) -> Axes:
    """Plot the histograms of one layer's gradients (from 1, next to the input) over the steps, as a heat map.

    The lowest row holds gradients that are exactly 0. Raises `CourseError` for a layer that is not there.
    Taught in: notebook 01.
    """
    layer = require_integer("layer", layer, 1, history.config.layers)
    ax = new_axes(ax, 6.0, 3.0)
    with mpl.rc_context(STYLE):
        HeatMap(ax).update(history, layer)
        ax.set(
            title=f"gradients of layer {layer} of {history.config.layers}",
            xlabel="step",
            ylabel=SIZE_OF_GRADIENT,
        )
    return ax


class HeatMap:
    """Histograms of one layer's gradients, step by step; the row at the bottom is of exact zeros."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax = ax
        ax.grid(False)
        self.image = ax.imshow(
            np.zeros((BINS + 2, 1)), origin="lower", aspect="auto", cmap="cividis", vmin=0, vmax=DARKEST,
            interpolation="nearest", extent=(0, 1, ZERO, HIGHEST), animated=animated,
        )  # fmt: skip
        ax.set_yticks([ZERO + STEP / 2, -12, -8, -4, 0], ["0", "-12", "-8", "-4", "0"])
        ax.set_yticklabels(["none", "−12", "−8", "−4", "0"])

    def update(self, history: History, layer: int) -> None:
        """Show the histograms of ``layer``, counted from 1."""
        shares = np.full((BINS + 2, history.steps), np.nan, dtype=np.float32)
        so_far = history.histograms[:, layer - 1].T
        shares[0, : history.step], shares[2:, : history.step] = so_far[0], so_far[1:]
        self.image.set_data(shares)
        self.image.set_extent((0, history.steps, ZERO, HIGHEST))


class HistoryPicture(LiveFigure):
    """The live picture of a run: loss, accuracy, and a heat map for each of up to six layers."""

    SIZE = (8.4, 4.6)

    def __init__(self, figure: Figure | SubFigure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            self.loss = self.figure.add_axes((0.07, 0.56, 0.3, 0.32))
            self.accuracy = self.figure.add_axes((0.07, 0.12, 0.3, 0.32))
            self.loss.set(title="loss (cross-entropy)", ylim=(0, 4), xticklabels=[])
            self.accuracy.set(title="share of right digits", ylim=(0, 1.03), xlabel="step")
            self.accuracy.axhline(0.1, color="black", lw=0.6, ls=":")
            self.accuracy.text(0.99, 0.12, "guessing", transform=self.accuracy.transAxes, ha="right", fontsize=8)
            (self.losses,) = self.loss.plot([], [], color=MAJORITY, lw=1.2, animated=True)
            (self.right,) = self.accuracy.plot([], [], "o-", color=MINORITY, ms=3, animated=True)
            self.title = self.figure.text(0.01, 0.98, "", fontsize=8.5, color="#404040", va="top")
            self.heading = self.figure.text(0.46, 0.905, "histogram of the gradients, layer by layer", fontsize=9.5)
            self.figure.text(0.905, 0.905, "layer", fontsize=8, ha="center")
            self.maps: list[HeatMap] = []
            self._color_bar()

    def _color_bar(self) -> None:
        bar = self.figure.add_axes((0.947, 0.12, 0.013, 0.74))
        gradient = np.linspace(0, 1, 64)[:, None]
        bar.imshow(gradient, origin="lower", aspect="auto", cmap="cividis", extent=(0, 1, 0, 100 * DARKEST))
        bar.set(xticks=[], yticks=[0, 10, 20, 30], yticklabels=["0", "10", "20", "≥ 30"])
        bar.set_title("% in bin", fontsize=7, loc="center")
        bar.tick_params(labelsize=7, left=False, labelleft=False, right=True, labelright=True)
        bar.grid(False)

    def update(self, history: History) -> None:
        """Follow ``history``; axes are drawn anew when there are other layers or another number of steps."""
        c = history.config
        self.losses.set_data(np.arange(1, history.step + 1), history.losses)
        self.right.set_data([step for step, _ in history.accuracies], [right for _, right in history.accuracies])
        if caption(c) != self.title.get_text():
            self._prepare(c)
        top = max(4.0, float(np.ceil(1.1 * history.losses.max())))
        if self.loss.get_ylim() != (0, top):
            self.loss.set_ylim(0, top)
            self.refresh()
        for heat_map, layer in zip(self.maps, shown_layers(c.layers), strict=True):
            heat_map.update(history, layer)

    def _prepare(self, c: TransformerConfig) -> None:
        """Draw the axes for the layers of ``c``: the last layer on top, as it gets its gradient first."""
        for heat_map in self.maps:
            heat_map.ax.remove()
        layers = shown_layers(c.layers)
        height = 0.76 / len(layers)
        with mpl.rc_context(STYLE):
            axes = [self.figure.add_axes((0.5, 0.12 + i * height, 0.4, height - 0.012)) for i in range(len(layers))]
            self.maps = [HeatMap(ax, animated=True) for ax in axes]
            for i, (ax, layer) in enumerate(zip(axes, layers, strict=True)):
                ax.tick_params(labelsize=6.5, labelbottom=i == 0, length=2)
                ax.text(1.01, 0.5, f"{layer}", transform=ax.transAxes, va="center", fontsize=8)
                ax.set_xlim(0, c.steps)
                ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axes[0].set_xlabel("step")
            axes[0].set_ylabel(SIZE_OF_GRADIENT, y=len(layers) / 2, fontsize=8)
            for ax in (self.loss, self.accuracy):
                ax.set_xlim(0, c.steps)
        self.title.set_text(caption(c))
        self.refresh()

    @staticmethod
    def describe(history: History) -> str:
        """Return a run in words, for those who do not see its picture."""
        first, last = (typical(history, layer) for layer in (0, -1))
        return (
            f"{caption(history.config)}. Step {history.step} of {history.steps}: loss {history.loss:.3g}, "
            f"{history.accuracy:.0%} of the digits right. Median gradient of layer 1: {first}, of the last: {last}."
        )


def shown_layers(layers: int) -> list[int]:
    """Return which layers, from 1, have a heat map: the first, the last, and those evenly between."""
    return sorted({round(float(layer)) for layer in np.linspace(1, layers, min(MAPS, layers))})


def typical(history: History, layer: int) -> str:
    """Return the median size of a layer's gradients in the latest step, as a power of ten."""
    shares = np.cumsum(history.histograms[-1, layer])
    middle = int(np.searchsorted(shares, 0.5 * shares[-1]))
    return "0" if middle == 0 else f"10^{LOWEST + (middle - 0.5) * STEP:.3g}"


def caption(c: TransformerConfig) -> str:
    """Return what a run is, in one line."""
    norm = ORDERS[c.order].partition("(")[2].rstrip(")")
    warm_up = f"warm-up {c.warm_up} steps" if c.warm_up else "no warm-up"
    parts = [f"{c.layers} layers, {norm}", TRANSFORMER_ACTIVATIONS[c.activation], f"learning rate {c.lr:.3g}", warm_up]
    return " · ".join([*parts, TASKS[c.task], f"seed {c.seed}"])


def plot_report(report: Report, *, ax: Axes | None = None) -> Axes:
    """Plot a `Report`: for each parameter the root-mean-square gradient and the update-to-weight ratio.

    Share of exact zeros and of dead units stand on a second axis (0 to 1). Taught in: notebook 01.
    """
    if not isinstance(report, Report):
        raise CourseError(f"plot_report shows what gradients.report returns; it was given {report!r}.")
    table = report.table
    x = np.arange(len(table))
    ax = new_axes(ax, 8.0, 3.6)
    with mpl.rc_context(STYLE), np.errstate(divide="ignore"):
        shares = ax.twinx()
        shares.grid(False)
        shares.set(ylim=(0, 1.02), ylabel="share of gradients or units")
        shares.bar(x, table["zeros"], 0.8, color="#d9d9d9", label="exact zeros (share)")
        shares.plot(x, table["dead"], "_", color="black", ms=8, mew=2, label="dead units (share)")
        ax.set_zorder(shares.get_zorder() + 1)
        ax.patch.set_visible(False)
        ax.plot(x, _positive(table["rms"]), "o", color=MAJORITY, ms=4, label="gradient (root mean square)")
        ax.plot(x, _positive(table["update"]), "D", color=MINORITY, ms=4, mfc="none", label="update / weight")
        ax.set(
            yscale="log",
            xlabel="parameter, from input to output",
            ylabel="size (logarithmic)",
            xlim=(-0.6, len(x) - 0.4),
        )
        every = max(1, -(-len(x) // 16))
        ax.set_xticks(x[::every], table["parameter"][::every], rotation=60, ha="right", fontsize=7)
        handles = [*ax.get_legend_handles_labels()[0], *shares.get_legend_handles_labels()[0]]
        ax.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, columnspacing=1, handletextpad=0.3
        )
    return ax


def _positive(values) -> np.ndarray:
    return np.where(np.asarray(values, dtype=float) > 0, values, np.nan)
