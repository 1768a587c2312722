"""The pictures of a run in lesson 06: who is read how well, and the group criteria. None trains."""

from __future__ import annotations

from collections.abc import Iterable

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_lib.data.faces import GENDERS, GROUPS
from course_lib.fairness.config import Config
from course_lib.fairness.criteria import RATES
from course_lib.fairness.experiment import shown_beside
from course_lib.fairness.pictures import held_out_faces
from course_lib.fairness.result import Evaluation, Result
from course_lib.fairness.roc import roc_curve
from course_lib.fairness.sheet import GROUP_COLORS, TEXT_COLORS
from course_lib.plotting import IMPLICIT, MAJORITY, MINORITY, STYLE, LiveFigure, new_axes, new_figure

GROUP_MARKS = "oDs^"
ROWS = np.arange(len(GROUPS))
SHORT = ("demographic\nparity", "equal\nopportunity", "equalized\nodds")


class CurvePlot:
    """Accuracy of each group at each evaluation, over the steps."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax = ax
        ax.set(title="training: accuracy of each group", xlabel="step", xlim=(0, 1), ylim=(0, 1.02))
        self.lines = [
            ax.plot([], [], f"{mark}-", color=color, ms=4, lw=1.2, animated=animated, label=name)[0]
            for name, mark, color in zip(GROUPS, GROUP_MARKS, GROUP_COLORS, strict=True)
        ]

    def update(self, result: Result) -> bool:
        """Show ``result``; return whether anything but the moving parts has changed."""
        steps = [e.step for e in result.evaluations]
        accuracies = [np.divide(*result.right(e)) for e in result.evaluations]
        for i, line in enumerate(self.lines):
            line.set_data(steps, [accuracy[i] for accuracy in accuracies])
        changed = self.ax.get_xlim() != (0, 1.03 * result.steps)
        self.ax.set_xlim(0, 1.03 * result.steps)
        return changed


class GroupsPlot:
    """The latest accuracy of each group with its interval, and those of runs to compare it with (grey, named)."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax = ax
        ax.set(title="accuracy on test faces", xlabel="accuracy (95 % interval)", xlim=(0.4, 1), ylim=(3.6, -0.6))
        ax.set_yticks(ROWS, GROUPS)
        of = {"ms": 16, "mew": 3, "animated": animated}
        self.marks = [ax.plot([], [], "|", color=color, **of)[0] for color in (IMPLICIT, "#c8c8c8")]
        at = {"ha": "center", "va": "center", "fontsize": 7, "color": "#606060", "animated": animated}
        self.names = [ax.text(0, y, "", **at) for y in (-0.45, 3.45)]  # above the first mark, below the last one
        self.intervals = ax.hlines(ROWS, np.nan, np.nan, color=TEXT_COLORS, lw=1.6, animated=animated)
        self.dots = [
            ax.plot([], [], mark, color=color, mec=edge, ms=6, animated=animated)[0]
            for mark, color, edge in zip(GROUP_MARKS, GROUP_COLORS, TEXT_COLORS, strict=True)
        ]
        at = {"va": "center", "fontsize": 8, "animated": animated, "transform": ax.get_yaxis_transform()}
        self.texts = [ax.text(1.03, row, "", **at) for row in ROWS]

    def update(self, result: Result, others: Iterable[Result | None] = (None, None)) -> bool:
        """Show the latest evaluation of ``result``, beside StdM and a control if they are there.

        Nothing but the moving parts changes.
        """
        table = result.groups()
        least, most = self.ax.get_xlim()
        ends = np.clip(table[["low", "high"]].to_numpy(), least, most)
        self.intervals.set_segments([[(a, row), (b, row)] for row, (a, b) in zip(ROWS, ends, strict=True)])
        for row, accuracy in enumerate(table["accuracy"]):
            self.dots[row].set_data([np.clip(accuracy, least, most)], [row])
            self.dots[row].set_marker("<" if accuracy < least else GROUP_MARKS[row])  # it lies beyond the edge
            n, train = table.loc[row, ["n", "train"]]
            self.texts[row].set_text(f"{number(accuracy)}\ntrain {train:,}\ntest {n:,}")
        for mark, text, row, run in zip(self.marks, self.names, (0, -1), others, strict=True):
            found = run.groups()["accuracy"].to_numpy() if run else np.full(len(ROWS), np.nan)
            mark.set_data(np.clip(found, least, most), ROWS)
            text.set_text(run.config.method if run else "")
            text.set_x(np.clip(np.nan_to_num(found[row]), 0.46, 0.94))  # where the name has room
        return False


class RunPicture(LiveFigure):
    """The live picture of a run: the training of each group, and the latest accuracies."""

    SIZE = (8.4, 2.9)

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            curve = self.figure.add_axes((0.06, 0.16, 0.34, 0.66))
            groups = self.figure.add_axes((0.57, 0.16, 0.31, 0.66))
            self.curve, self.groups = CurvePlot(curve, animated=True), GroupsPlot(groups, animated=True)
            curve.legend(loc="lower right", ncols=2, fontsize=7.5, columnspacing=0.8)
            self.title = self.figure.text(0.01, 0.97, "", fontsize=8.5, color="#404040", va="top")

    def update(self, result: Result) -> None:
        changed = self.curve.update(result) | self.groups.update(result, shown_beside(result.config))
        text = caption(result.config)
        if changed or text != self.title.get_text():
            self.title.set_text(text)
            self.refresh()

    @staticmethod
    def describe(result: Result) -> str:
        """Return a run in words, for those who do not see its picture."""
        start = f"{caption(result.config)}. Step {result.step} of {result.steps}"
        if not result.evaluations:
            return f"{start}."
        known = ", ".join(
            f"{row.group} {number(row.accuracy)}{interval(row.low, row.high)}, n {row.n}"
            for row in result.groups().itertuples()
        )
        beside = "".join(
            f" {run.config.method}: {', '.join(map(number, run.groups()['accuracy']))}."
            for run in shown_beside(result.config)
            if run
        )
        return f"{start}. Accuracy: {known}.{beside}"


def caption(config: Config) -> str:
    """Return what a picture shows, in one line: method, weight decay, training faces, seed."""
    c = config
    counts = " + ".join(f"{n:,}" for n in c.counts())
    training = f"weight decay {c.weight_decay:g} · {counts} training faces · camera noise {c.noise}"
    return f"{c.named()} · {training} · seed {c.seed}"


class RocPlot:
    """Who is said to smile at every threshold, women and men apart, and at the thresholds that are set."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax = ax
        ax.set(title="all thresholds (ROC)", xlim=(-0.01, 1), ylim=(0, 1.03))
        ax.set(xlabel="false positive rate", ylabel="true positive rate")
        self.curves, self.points = [], []
        self.drawn: Evaluation | None = None  # what the curves show: they do not follow the thresholds
        for name, color, mark in zip(GENDERS, SIDES, "Ds", strict=True):
            self.curves += ax.plot([], [], color=color, lw=1.3, animated=animated)
            self.points += ax.plot([], [], mark, color=color, mec="black", ms=7, animated=animated, label=name)
        ax.legend(loc="lower right")

    def update(self, result: Result) -> bool:
        """Show the latest evaluation of ``result``; nothing but the moving parts changes."""
        if result.evaluations[-1] is not self.drawn:
            self.drawn = result.evaluations[-1]
            smile, drawn = self.drawn.smile, held_out_faces()
            for i, line in enumerate(self.curves):
                these = drawn.gender[: len(smile)] == i
                curve = roc_curve(smile[these], drawn.smile[: len(smile)][these])
                line.set_data(curve.fpr, curve.tpr)
        for points, (_, rates) in zip(self.points, result.rates().iterrows(), strict=True):
            points.set_data([rates["false_positive_rate"]], [rates["true_positive_rate"]])
        return False


SIDES = (MINORITY, MAJORITY)  # women, men


class RatesPlot:
    """Share of women and of men that are said to smile: of all, of those who do, and of those who do not."""

    NAMES = ("of all", "of those\nwho smile", "of those\nwho do not")

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax = ax
        ax.set(title="said to smile", xlim=(-0.03, 1.03), ylim=(2.6, -0.6), xlabel="share")
        ax.set_yticks(range(3), self.NAMES)
        self.gaps = ax.hlines(range(3), np.nan, np.nan, color="#c8c8c8", lw=3, animated=animated)
        self.points = [
            ax.plot([], [], mark, color=color, ms=6, animated=animated)[0]
            for color, mark in zip(SIDES, "Ds", strict=True)
        ]

    def update(self, result: Result) -> bool:
        """Show the latest evaluation of ``result``; nothing but the moving parts changes."""
        rates = result.rates()[list(RATES[1:])].to_numpy()
        for points, shares in zip(self.points, rates, strict=True):
            points.set_data(shares, range(3))
        self.gaps.set_segments([[(a, row), (b, row)] for row, (a, b) in enumerate(rates.T)])
        return False


class CriteriaPlot:
    """The three group criteria side by side: 0 where one holds."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax = ax
        ax.set(title="women and men apart by", xlim=(0, 1), ylim=(2.6, -0.6), xlabel="difference (0: it holds)")
        ax.set_yticks(range(3), SHORT)
        self.bars = ax.barh(range(3), np.zeros(3), height=0.5, color="#404040", animated=animated)
        at = {"va": "center", "fontsize": 8.5, "animated": animated}
        self.texts = [ax.text(0, row, "", **at) for row in range(3)]

    def update(self, result: Result) -> bool:
        """Show the latest evaluation of ``result``; nothing but the moving parts changes."""
        for bar, text, apart in zip(self.bars, self.texts, result.criteria()["difference"], strict=True):
            bar.set_width(np.nan_to_num(apart))
            text.set_text(f" {number(apart)}")
            text.set_x(min(np.nan_to_num(apart), 0.8))
            text.set_color("white" if apart > 0.8 else "black")
        return False


class CriteriaPicture(LiveFigure):
    """The group criteria of a run as it is read now: ROC curves, rates, and differences."""

    SIZE = (8.4, 2.9)
    SPANS = ((0.065, 0.25), (0.435, 0.2), (0.765, 0.215))

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            axes = [self.figure.add_axes((left, 0.17, width, 0.65)) for left, width in self.SPANS]
            kinds = (RocPlot, RatesPlot, CriteriaPlot)
            self.plots = [kind(ax, animated=True) for kind, ax in zip(kinds, axes, strict=True)]
            at = {"transform": self.figure.transSubfigure, "va": "top", "animated": True}  # it says the thresholds
            self.title = axes[0].text(0.01, 0.97, "", fontsize=8.5, color="#404040", **at)

    def update(self, result: Result) -> None:
        if not result.evaluations:
            return
        for plot in self.plots:
            plot.update(result)
        self.title.set_text(reading(result.config))

    @staticmethod
    def describe(result: Result) -> str:
        """Return the criteria in words, for those who do not see the picture."""
        if not result.evaluations:
            return "No test faces seen yet."
        rates = result.rates().set_index("gender")
        said = "; ".join(
            f"{name}: {number(row.selection_rate)} of all are said to smile, {number(row.true_positive_rate)} of those "
            f"who do, {number(row.false_positive_rate)} of those who do not"
            for name, row in rates.iterrows()
        )
        apart = ", ".join(f"{row.criterion} {number(row.difference)}" for row in result.criteria().itertuples())
        return f"{reading(result.config)}. {said}. Differences: {apart}."


def number(value: float) -> str:
    """Return a rate or a difference as it is shown."""
    return "not estimable" if np.isnan(value) else f"{value:.3f}"


def interval(low: float, high: float) -> str:
    """Return an interval as it is told after its number."""
    return "" if np.isnan(low) else f" ({low:.3f} to {high:.3f})"


def reading(config: Config) -> str:
    """Return in words how a run is read."""
    shares = "500 of each group" if config.population == "balanced" else "in the shares of the training data"
    return (
        f"test faces {shares} · smiling from a probability of {config.threshold_women:.2f} (women), "
        f"{config.threshold_men:.2f} (men)"
    )


def plot_groups(result: Result, *, ax: Axes | None = None) -> Axes:
    """Plot a run's accuracy for each of the four groups, with 95 % intervals. Taught in: notebook 06."""
    return _plot(GroupsPlot, result, ax)


def plot_criteria(result: Result, *, ax: Axes | None = None) -> Axes:
    """Plot how far women and men are apart by the three group criteria. Taught in: notebook 06."""
    return _plot(CriteriaPlot, result, ax)


def _plot(kind: type, result: Result, ax: Axes | None) -> Axes:
    alone = ax is None
    ax = new_axes(ax)
    with mpl.rc_context(STYLE if alone else {}):
        kind(ax).update(result)
    if alone:
        ax.figure.suptitle(caption(result.config), fontsize=8, x=0.01, ha="left", color="#404040")
    return ax
