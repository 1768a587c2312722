"""The pictures of lesson 07. None of them trains; each says which digits it shows.

Each moving plot is a class that draws on an axes once and then follows a `Result` with ``update``;
``plot_...`` functions draw one and return its axes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Protocol

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from course_lib.data.biased_mnist import VARIABLES, BiasedMNIST
from course_lib.data.digits import SOURCES
from course_lib.mitigation.config import Config
from course_lib.mitigation.result import GROUPS, Result
from course_lib.mitigation.sheet import plot_sheet
from course_lib.plotting import (
    EXPLICIT,
    IMPLICIT,
    MAJORITY,
    MINORITY,
    STYLE,
    LiveFigure,
    new_axes,
    new_figure,
)

TITLES = [variable.title for variable in VARIABLES.values()]
ROWS = np.arange(len(TITLES))


class Beside(Protocol):
    """Stored runs of the method and strength of a live one: accuracies [seeds], and MMDs, a row for each variable."""

    accuracies: np.ndarray

    def mmd(self) -> pd.DataFrame: ...

    def said(self) -> str: ...


class CurvePlot:
    """Loss of each step (smoothed) and unbiased accuracy of each evaluation, over the steps."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax, self.loss_ax = ax, ax.twinx()
        ax.set(title="training", xlabel="step", ylabel="unbiased accuracy", ylim=(0, 1), xlim=(0, 1))
        self.loss_ax.set(ylim=(0, 3))
        self.loss_ax.set_ylabel("loss", color="#707070")
        self.loss_ax.tick_params(axis="y", colors="#707070", length=0)
        self.loss_ax.grid(False)
        (self.loss,) = self.loss_ax.plot([], [], color=IMPLICIT, lw=1, animated=animated, label="loss")
        (self.accuracy,) = ax.plot([], [], "o-", color="black", ms=4, lw=1.4, animated=animated)
        self.chance = ax.axhline(0.1, color="black", lw=0.6, ls=":", animated=animated)
        self.text = ax.text(0.03, 0.97, "", transform=ax.transAxes, va="top", animated=animated)

    def update(self, result: Result, beside: Beside | None = None) -> bool:
        """Show ``result``; return whether anything but the moving parts has changed."""
        losses = smooth(result.losses)
        self.loss.set_data(np.arange(1, len(losses) + 1), losses)
        evaluations = result.evaluations
        self.accuracy.set_data([e.step for e in evaluations], [e.unbiased for e in evaluations])
        text = f"unbiased accuracy {result.unbiased_accuracy:.3f}" if evaluations else ""
        self.text.set_text(f"{text}\nstored (MNIST): {beside.accuracies.mean():.3f}" if text and beside else text)
        top = max(3.0, 1.1 * float(np.max(losses, initial=0.0)))
        changed = self.ax.get_xlim() != (0, result.steps) or self.loss_ax.get_ylim() != (0, top)
        if changed:
            self.ax.set_xlim(0, result.steps)
            self.loss_ax.set_ylim(0, top)
        return changed


def smooth(losses: Sequence[float], decay: float = 0.9) -> np.ndarray:
    """Return the exponential moving average of ``losses`` that starts without a bias towards 0."""
    return pd.Series(losses, dtype=float).ewm(alpha=1 - decay).mean().to_numpy()


class GroupsPlot:
    """Accuracy of majority and minority for the seven variables; the line between them is the MMD."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax = ax
        ax.set(title="accuracy", xlim=(0, 1), ylim=(6.6, -0.6), xlabel="accuracy")
        ax.set_yticks(ROWS, TITLES)
        self.gaps = ax.hlines(ROWS, np.nan, np.nan, color="#c8c8c8", lw=3, animated=animated)
        self.dots, self.intervals = {}, {}
        for group, color, marker in zip(GROUPS, (MAJORITY, MINORITY), "oD", strict=True):
            self.intervals[group] = ax.hlines(ROWS, np.nan, np.nan, color=color, lw=1, animated=animated)
            (self.dots[group],) = ax.plot(
                np.full(7, np.nan), ROWS, marker, color=color, ms=5, label=group, animated=animated
            )
        ax.legend(loc="upper right", bbox_to_anchor=(1.02, 1.13), ncols=2, handletextpad=0.1, columnspacing=0.8)

    def update(self, result: Result, beside: Beside | None = None) -> bool:
        """Show the latest evaluation of ``result``, if it has one; nothing but the moving parts changes."""
        means = dict.fromkeys(GROUPS, np.full(7, np.nan))
        if result.evaluations:
            table = result.groups()
            of, numbers = table["group"].to_numpy(), table[["accuracy", "low", "high"]].to_numpy()
            for group in GROUPS:
                means[group], low, high = numbers[of == group].T
                self.intervals[group].set_segments(horizontal(low, high))
        else:
            for intervals in self.intervals.values():
                intervals.set_segments([])
        for group, dots in self.dots.items():
            dots.set_xdata(means[group])
        self.gaps.set_segments(horizontal(*means.values()))
        return False


NOTHING = np.full((3, 7), np.nan)


def _numbers(table: pd.DataFrame) -> np.ndarray:
    """Return the MMD of each variable, its low and its high end, [3, 7]."""
    return table[["mmd", "low", "high"]].to_numpy().T


def horizontal(left: Iterable[float], right: Iterable[float]) -> list[list[tuple[float, float]]]:
    """Return one horizontal segment per variable's row."""
    return [[(a, row), (b, row)] for row, a, b in zip(ROWS, left, right, strict=True)]


class MMDPlot:
    """The majority/minority difference of each variable; the explicit one has its own colour and hatch."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax = ax
        ax.set(title="MMD", xlim=(-0.4, 1), ylim=(6.6, -0.6), xlabel="majority - minority accuracy")
        ax.set_yticks(ROWS, [""] * 7)
        self.zero = ax.axvline(0, color="black", lw=0.8, animated=animated)
        self.bars = ax.barh(ROWS, np.zeros(7), height=0.55, linewidth=0, animated=animated)
        self.intervals = ax.hlines(ROWS, np.nan, np.nan, color="#404040", lw=1, animated=animated)
        (self.stored,) = ax.plot(np.full(7, np.nan), ROWS, "|", color="black", ms=11, mew=2, animated=animated)
        self.stored_range = ax.hlines(ROWS, np.nan, np.nan, color="black", lw=2, animated=animated)
        self.text = ax.text(0.98, 0.01, "", transform=ax.transAxes, ha="right", fontsize=7.5, animated=animated)
        kinds = [
            Patch(facecolor=EXPLICIT, hatch="////", edgecolor="white", label="explicit"),
            Patch(facecolor=IMPLICIT, label="implicit"),
        ]
        ax.legend(
            handles=kinds, loc="upper right", bbox_to_anchor=(1.02, 1.13), ncols=2, handlelength=1.2, columnspacing=0.8
        )

    def update(self, result: Result, beside: Beside | None = None) -> bool:
        """Show the latest evaluation of ``result``, if it has one; return whether the axis has changed."""
        mmd, low, high = _numbers(result.mmd()) if result.evaluations else (np.zeros(7), *NOTHING[1:])
        for variable, bar, width in zip(VARIABLES, self.bars, mmd, strict=True):
            explicit = result.kind(variable) == "explicit"
            bar.set_width(width)
            bar.set_facecolor(EXPLICIT if explicit else IMPLICIT)
            bar.set_edgecolor("white")  # of the hatch
            bar.set_hatch("////" if explicit else "")
        self.intervals.set_segments(horizontal(low, high))
        stored = _numbers(beside.mmd()) if beside else NOTHING
        self.stored.set_xdata(stored[0])
        self.stored_range.set_segments(horizontal(*stored[1:]))
        seeds = f"{len(beside.accuracies)} seed{'s' * (len(beside.accuracies) > 1)}" if beside else ""
        self.text.set_text(f"black: stored, MNIST, {seeds}" if beside else "")
        left = min([-0.4, *low[np.isfinite(low)]])
        changed = self.ax.get_xlim() != (left, 1)
        self.ax.set_xlim(left, 1)
        return changed


def plot_training(result: Result, *, ax: Axes | None = None) -> Axes:
    """Plot the loss and the unbiased accuracy of a run over its steps. Taught in: notebook 07."""
    return _plot(CurvePlot, result, ax)


def plot_groups(result: Result, *, ax: Axes | None = None) -> Axes:
    """Plot a run's accuracy for majority and minority of each variable, with 95 % intervals.

    Taught in: notebook 07.
    """
    return _plot(GroupsPlot, result, ax)


def plot_mmd(result: Result, *, ax: Axes | None = None) -> Axes:
    """Plot a run's majority/minority difference of each variable, with 95 % intervals.

    Taught in: notebook 07.
    """
    ax = _plot(MMDPlot, result, ax)
    ax.set_yticks(ROWS, TITLES)
    return ax


def _plot(kind: type, result: Result, ax: Axes | None) -> Axes:
    alone = ax is None
    ax = new_axes(ax)
    with mpl.rc_context(STYLE if alone else {}):
        kind(ax).update(result)
    if alone:
        text = textwrap.fill(caption(result.config), 68)  # characters that fit the figure
        ax.figure.suptitle(text, fontsize=8, x=0.01, ha="left", color="#404040")
    else:
        where = "left" if ax.get_title(loc="left") else "center"
        ax.set_title(f"{ax.get_title(loc=where)} ({result.config.source} digits)", loc=where)
    return ax


def caption(config: Config) -> str:
    """Return what a picture shows, in one line: method, what it was told, strength, digits, seed."""
    c = config
    each = c.strength if isinstance(c.strength, tuple) else (c.strength,)
    strength = " / ".join(f"{s:.2f}" for s in each)
    told = f" (told the {VARIABLES[c.told].title})" if c.told else ""
    return f"{c.named()}{told} · bias strength {strength} · {SOURCES[c.source]} · seed {c.seed} · {c.epochs} epochs"


class RunPicture(LiveFigure):
    """The live picture of a run: training curve, accuracy by group, and MMD, side by side."""

    # Left and width of each; MMD shares the names of the rows with the accuracies.
    SPANS = ((0.06, 0.23), (0.485, 0.25), (0.755, 0.235))

    def __init__(self, width: float = 8.4, height: float = 3.0):
        super().__init__(new_figure(width, height))
        with mpl.rc_context(STYLE):
            axes = [self.figure.add_axes((left, 0.15, width, 0.64)) for left, width in self.SPANS]
            kinds = (CurvePlot, GroupsPlot, MMDPlot)
            self.plots = [kind(ax, animated=True) for kind, ax in zip(kinds, axes, strict=True)]
            for ax in self.figure.axes:
                for spine in ax.spines.values():
                    spine.set_animated(True)  # it stands in front of what moves
            self.title = self.figure.text(0.01, 0.96, "", fontsize=8.5, color="#404040", va="top")

    def update(self, result: Result, beside: Beside | None = None) -> None:
        """Follow ``result``, with stored runs beside it; what stands still is redrawn only when it has to be."""
        changed = [plot.update(result, beside) for plot in self.plots]
        text = caption(result.config)
        if any(changed) or text != self.title.get_text():
            self.title.set_text(text)
            self.refresh()


def static_figure(data: BiasedMNIST, result: Result | None, beside: Beside | None = None) -> Figure:
    """Return one plain figure of a panel: the sheet of samples, and the run if there is one."""
    picture = RunPicture(8.4, 5.6)
    with mpl.rc_context(STYLE):
        for plot, (left, width) in zip(picture.plots, RunPicture.SPANS, strict=True):
            plot.ax.set_position((left, 0.09, width, 0.36))
        sheet = picture.figure.add_axes((0.06, 0.57, 0.88, 0.36))
        plot_sheet(data, ax=sheet).set_title("")
    if result is None:
        picture.title.set_text(f"training images, no run yet · {SOURCES[data.source]} · seed {data.seed}")
    else:
        picture.update(result, beside)
    return picture.figure


def describe(result: Result, beside: Beside | None = None) -> str:
    """Return a run in words, and the stored ones beside it, for those who do not see its picture."""
    start = f"{caption(result.config)}. Step {result.step} of {result.steps}"
    if not result.evaluations:
        return f"{start}, loss {result.losses[-1]:.3g}."
    table = result.mmd()
    gaps = ", ".join(f"{VARIABLES[v].title} {m:.2f}" for v, m in zip(table["variable"], table["mmd"], strict=True))
    stored = f" Stored runs with MNIST: {beside.said()}." if beside else ""
    return f"{start}: unbiased accuracy {result.unbiased_accuracy:.3f}. MMD: {gaps}.{stored}"
