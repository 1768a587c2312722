"""The pictures of a run of lesson 03: curves and weight images. None of them trains."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_lib.augmentation.gallery import mosaic
from course_lib.augmentation.measures import smoothness
from course_lib.augmentation.result import ARMS, Result
from course_lib.data.digits import SIZE
from course_lib.plotting import MAJORITY, MINORITY, STYLE, LiveFigure, new_axes, new_figure

LOOKS = {"without": (MAJORITY, "o", "--"), "with": (MINORITY, "D", "-")}  # colour, marker, line
SIDE = 10  # weight images on each side of a mosaic
LEAST = 0.1  # per cent: what a logarithmic axis shows for no error at all
# Few colours: the picture of noisy weights stays small. Grey between the tiles.
COLORS = mpl.colormaps["RdBu"].resampled(41).with_extremes(bad="#b0b0b0")
TICKS = (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


class ErrorPlot:
    """Share of wrong test digits after each evaluation, in per cent on a logarithmic axis, for both arms."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax = ax
        ax.set(yscale="log", xlim=(0, 1), ylim=(0.5, 100), ylabel="wrong test digits (%)", xlabel="step")
        ax.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
        ax.minorticks_off()
        self.lines = _lines(ax, animated, ms=3)
        ax.legend(loc="lower left", bbox_to_anchor=(-0.04, 0.99), ncols=2, columnspacing=1, borderpad=0.2)

    def update(self, result: Result) -> bool:
        """Show ``result``; return whether anything but the moving parts has changed."""
        steps = [e.step for e in result.evaluations]
        wrong = [[100 * (1 - correct / e.n) for correct in e.correct] for e in result.evaluations]
        for i, arm in enumerate(ARMS):
            self.lines[arm].set_data(steps, [max(row[i], LEAST) for row in wrong])
        low = 0.5 if np.min(wrong, initial=1) >= 0.5 else LEAST
        return _set(self.ax, (0, result.steps), (low, 100))


class LossPlot:
    """Training loss of each step, smoothed, for both arms: on what each was trained on."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax = ax
        ax.set(xlim=(0, 1), ylim=(0.003, 3), yscale="log", ylabel="training loss", xlabel="step")
        ax.set_yticks((0.001, 0.01, 0.1, 1), ("0.001", "0.01", "0.1", "1"))
        ax.minorticks_off()
        self.lines = _lines(ax, animated, marker=False)

    def update(self, result: Result) -> bool:
        """Show ``result``; return whether anything but the moving parts has changed."""
        losses = pd.DataFrame(result.losses).ewm(alpha=0.05).mean().to_numpy()
        for i, arm in enumerate(ARMS):
            self.lines[arm].set_data(np.arange(1, len(losses) + 1), losses[:, i])
        return _set(self.ax, (0, result.steps), (0.001, 4))


def _lines(ax: Axes, animated: bool, marker: bool = True, **style: float) -> dict:
    return {
        arm: ax.plot([], [], line, color=color, marker=shape if marker else "", lw=1.4, label=arm, animated=animated,
                     **style)[0]
        for arm, (color, shape, line) in LOOKS.items()
    }  # fmt: skip


def _set(ax: Axes, x: tuple[float, float], y: tuple[float, float]) -> bool:
    changed = (ax.get_xlim(), ax.get_ylim()) != (x, y)
    if changed:
        ax.set(xlim=x, ylim=y)
    return changed


class WeightsPlot:
    """The first 100 hidden units' weights as images; red is negative, white 0, blue positive."""

    def __init__(self, ax: Axes, title: str, *, animated: bool = False):
        ax.axis("off")
        side = SIDE * (SIZE + 1) + 1
        self.image = ax.imshow(
            np.zeros((side, side)), cmap=COLORS, vmin=-1, vmax=1, interpolation="nearest", animated=animated
        )
        ax.text(0, 1.05, title, transform=ax.transAxes, va="bottom", fontsize=9)
        self.text = ax.text(0, 1.01, "", transform=ax.transAxes, va="bottom", fontsize=8, animated=animated)

    def update(self, weights: np.ndarray, limit: float, text: str) -> None:
        """Show weights float [hidden, 28, 28] on a scale from -limit to limit."""
        shown = np.zeros((SIDE**2, SIZE, SIZE), np.float32)
        shown[: len(weights)] = weights[: SIDE**2] / limit
        self.image.set_data(mosaic(shown, SIDE, np.nan))
        self.text.set_text(text)


def weight_limit(result: Result) -> float:
    """Return the weight that both mosaics draw as full colour: 99.5 % of all are smaller. To 2 digits."""
    every = np.abs(np.concatenate([result.weights(arm)[: SIDE**2].flatten().numpy() for arm in ARMS]))
    return float(f"{max(np.quantile(every, 0.995), 1e-6):.1e}")


class RunPicture(LiveFigure):
    """The live picture of a run: error and loss of both networks, and what their first layers have become."""

    SIZE = (8.4, 4.0)

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            self.curves = [
                ErrorPlot(self.figure.add_axes((0.075, 0.56, 0.2, 0.36)), animated=True),
                LossPlot(self.figure.add_axes((0.075, 0.115, 0.2, 0.33)), animated=True),
            ]
            self.curves[0].ax.set_xlabel("")
            self.mosaics = {}
            for arm, left in zip(ARMS, (0.3, 0.652), strict=True):
                ax = self.figure.add_axes((left, 0.085, 0.3464, 0.7275))
                title = f"{arm} augmentation"
                self.mosaics[arm] = WeightsPlot(ax, title, animated=True)
            bar = self.figure.add_axes((0.47, 0.04, 0.16, 0.02))
            bar.imshow(np.linspace(-1, 1, 82)[None], cmap=COLORS, aspect="auto", vmin=-1, vmax=1)
            bar.axis("off")
            self.low = bar.text(-0.02, 0.5, "", transform=bar.transAxes, ha="right", va="center", animated=True)
            self.high = bar.text(1.02, 0.5, "", transform=bar.transAxes, ha="left", va="center", animated=True)
            self.title = self.figure.text(0.3, 0.99, "", fontsize=8.5, color="#404040", va="top", linespacing=1.3)

    def update(self, result: Result) -> None:
        """Follow ``result``; what stands still is redrawn only when it has to be."""
        changed = [plot.update(result) for plot in self.curves]
        limit = weight_limit(result)
        for arm, plot in self.mosaics.items():
            weights = result.weights(arm)
            text = f"{right(result, arm)}mean smoothness {float(smoothness(weights).mean()):.2f}"
            plot.update(weights.numpy(), limit, text)
        self.low.set_text(f"weight -{limit:.2g}")
        self.high.set_text(f"{limit:.2g}")
        text = f"{caption(result)}\nWeights of the first {SIDE**2} hidden units, each as an image of {SIZE} x {SIZE}"
        if any(changed) or text != self.title.get_text():
            self.title.set_text(text)
            self.refresh()

    def describe(self, result: Result) -> str:
        """Return a run in words, for those who do not see its picture."""
        start = f"{caption(result)}. Step {result.step} of {result.steps}"
        parts = []
        for arm in ARMS:
            smooth = f"mean smoothness of the weights {float(smoothness(result.weights(arm)).mean()):.2f}"
            parts.append(f"{arm} augmentation: {right(result, arm)}{smooth}")
        return f"{start}; {'; '.join(parts)}."


def right(result: Result, arm: str) -> str:
    """Return the share of right test digits with its 95 % interval: '97.8 % right (96.1 to 98.8), '."""
    if not result.evaluations:
        return ""
    row = result.accuracies().set_index("training").loc[arm]
    return f"{100 * row.accuracy:.1f} % right ({100 * row.low:.1f} to {100 * row.high:.1f}), "


def caption(result: Result) -> str:
    """Return what a run's picture shows, in one line."""
    c = result.config
    name = c.named() if len(c.named()) <= 46 else f"{len(c.amounts())} augmentations"
    return f"{name} · {result.n_train:,} {c.source} digits · {c.epochs} epochs · seed {c.seed}"


def plot_curves(result: Result, *, ax: Axes | None = None) -> Axes:
    """Plot the share of wrong test digits over the steps, without and with. Taught in: notebook 03."""
    ax = new_axes(ax, 6.0, 3.0)
    with mpl.rc_context(STYLE):
        ErrorPlot(ax).update(result)
        ax.set_title(caption(result), fontsize=8)
    return ax


def plot_weights(result: Result, *, axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """Plot the first 100 hidden units' weights of both networks as images, on one scale.

    ``axes`` are two axes, or None for new ones. Taught in: notebook 03.
    """
    axes = new_axes(None, 8.0, 4.3, columns=2) if axes is None else axes
    limit = weight_limit(result)
    for ax, arm in zip(axes, ARMS, strict=True):
        weights = result.weights(arm)
        plot = WeightsPlot(ax, f"{arm} augmentation", animated=False)
        plot.update(weights.numpy(), limit, f"mean smoothness {float(smoothness(weights).mean()):.2f}")
    axes[0].text(
        0, -0.03, f"red: -{limit:.2g}, white: 0, blue: {limit:.2g}", transform=axes[0].transAxes, va="top", fontsize=8
    )
    return axes
