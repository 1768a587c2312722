"""The pictures of the two strategies: what each does to the sets, and how often the classifier is right.

Species A is blue and round, species B orange and pointed; training birds are small and pale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from course_lib.errors import require_choice
from course_lib.normalization.experiment import FEATURES, SETS, STRATEGIES, UNITS, Result
from course_lib.plotting import MAJORITY, MINORITY, STYLE, LiveFigure, new_axes, new_figure

SPECIES = (("A", MAJORITY, "o"), ("B", MINORITY, "D"))  # name, colour, marker
PALE = ("#e3eff7", "#fbe9dc")  # where the classifier says A, and B
LINES = {1: (MAJORITY, "o", "-"), 2: (MINORITY, "D", "--")}  # of the strategies: colour, marker, line
TITLES = {None: "As measured", 1: "Strategy 1: by the training set", 2: "Strategy 2: each set by its own"}
MEASURED = ((140.0, 260.0), (1000.0, 7200.0))
WINDOWS = {"range": ((-2.2, 2.2),) * 2}  # of the scaled features; what lies beyond is drawn on the edge
WINDOW = ((-4.5, 4.5),) * 2


class ScatterPlot:
    """Both sets as measured (strategy None) or as scaled by a strategy, on the classifier's regions."""

    def __init__(self, ax: Axes, strategy: int | None = None, *, animated: bool = False):
        self.ax, self.strategy = ax, strategy
        ax.set_title(TITLES[strategy], pad=16)
        self.shown: tuple = ()
        if strategy:
            (self.region,) = ax.fill([0], [0], color=PALE[1], lw=0, zorder=0.5, animated=animated, in_layout=False)
            self.says = [
                ax.text(
                    0,
                    0,
                    f"says {name}",
                    color=color,
                    fontsize=8,
                    ha="center",
                    va="center",
                    animated=animated,
                    in_layout=False,
                )
                for name, color, _ in SPECIES
            ]
        self.edges = [
            line(v, color="#606060", lw=0.7, ls=":", visible=False, animated=animated)
            for line in (ax.axvline, ax.axhline) for v in (-1, 1)
        ]  # fmt: skip
        look = {"ls": "", "animated": animated, "in_layout": False}  # a line without points would count as one at 0
        self.train = [ax.plot([], [], marker=m, color=c, ms=2.5, alpha=0.4, mew=0, **look)[0] for _, c, m in SPECIES]
        self.test = [
            ax.plot([], [], marker=m, color=c, ms=5, mec="black", mew=0.6, clip_on=False, **look)[0]
            for _, c, m in SPECIES
        ]
        (self.wrong,) = ax.plot([], [], marker="x", color="black", ms=7, mew=1.1, clip_on=False, **look)
        self.text = ax.text(0, 1.025, "", transform=ax.transAxes, fontsize=8, color="#404040", animated=animated)

    def update(self, result: Result) -> bool:
        """Show ``result``; return whether the axes have changed."""
        changed = self._label(result.config.scaler)
        train = result.scaled_train if self.strategy else result.train
        test = result.scaled_test[self.strategy] if self.strategy else result.test
        limits = np.array([self.ax.get_xlim(), self.ax.get_ylim()])
        at = np.clip(test.numpy(), *limits.T)
        beyond = int((at != test.numpy()).any(1).sum())
        for species in (0, 1):
            self.train[species].set_data(*train[result.train_labels == species].T.numpy())
            self.test[species].set_data(*at[(result.labels == species).numpy()].T)
        n = len(test)
        words = [f"{n} test bird{'s' * (n > 1)}"]
        if self.strategy:
            right = result.right[self.strategy].numpy()
            self.wrong.set_data(*at[~right].T)
            words = [f"{right.sum()} of {n} right"]
            self._draw_regions(result.means.numpy(), limits)
        if beyond:
            words.append(f"{beyond} beyond the edge")
        self.text.set_text(", ".join(words))
        return changed

    def _label(self, scaler: str) -> bool:
        """Set limits and labels; return whether they are new."""
        if self.shown == (scaler if self.strategy else "measured",):
            return False
        self.shown = (scaler if self.strategy else "measured",)
        limits = WINDOWS.get(scaler, WINDOW) if self.strategy else MEASURED
        names = [f"{name} ({unit})" for name, unit in zip(FEATURES, UNITS, strict=True)]
        if self.strategy:
            names = [f"{name}, scaled (no unit)" for name in FEATURES]
            if scaler == "PCA whitening":
                names = [f"{which} axis (no unit)" for which in ("first", "second")]
        self.ax.set(xlim=limits[0], ylim=limits[1], xlabel=names[0], ylabel=names[1])
        for edge in self.edges:
            edge.set_visible(bool(self.strategy) and scaler == "range")
        return True

    def _draw_regions(self, means: np.ndarray, limits: np.ndarray) -> None:
        """Fill the half plane that is nearer to the mean of species B, and name both."""
        self.ax.set_facecolor(PALE[0])
        middle, normal = means.mean(0), means[1] - means[0]
        normal = normal / max(np.linalg.norm(normal), 1e-12)
        along, far = np.array([-normal[1], normal[0]]), 100
        corners = [middle - far * along, middle + far * along]
        self.region.set_xy([*corners, *(corner + far * normal for corner in corners[::-1])])
        for text, sign in zip(self.says, (-1, 1), strict=True):
            toward = np.where(normal * sign > 0, 1, -1)  # the corner that lies deepest in the region
            centre, half = limits.mean(1), np.diff(limits)[:, 0] / 2
            text.set_position(centre + half * toward * (0.77, 0.9))


class AccuracyPlot:
    """Accuracy of both strategies by the size of the test set, and on the test set that is shown."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax = ax
        ax.set(title="Accuracy by the size of the test set", xlabel="birds in the test set", ylabel="accuracy")
        ax.set(xscale="log", xlim=(0.85, 240), ylim=(0, 1.03))
        ax.set_xticks([1, 2, 5, 10, 20, 50, 100, 200], [1, 2, 5, 10, 20, 50, 100, 200])
        ax.minorticks_off()
        self.size = ax.axvline(1, color="#dcdcdc", lw=6, zorder=0.6, animated=animated)
        (self.common,) = ax.plot([], [], color="#606060", lw=1, ls=":", animated=animated, label="always the commoner")
        self.curves, self.here = {}, {}
        for strategy, (color, marker, line) in LINES.items():
            (self.curves[strategy],) = ax.plot(
                [], [], marker=marker, color=color, ls=line, ms=4, lw=1.4, animated=animated,
                label=f"strategy {strategy}",
            )  # fmt: skip
            self.here[strategy] = ax.vlines([], [], [], color=color, lw=1.2, animated=animated)
        (self.points,) = ax.plot([], [], "_", color="black", ms=8, mew=1.6, animated=animated, label="this test set")

    def update(self, result: Result) -> bool:
        """Show ``result``; only moving parts change."""
        n, table = result.config.n_test, result.by_size
        self.size.set_xdata([n, n])
        common = max(result.config.balance, 1 - result.config.balance)
        self.common.set_data(self.ax.get_xlim(), [common, common])
        places = {1: n / 1.035, 2: n * 1.035}  # side by side
        for strategy in STRATEGIES:
            self.curves[strategy].set_data(table["n"], table[f"strategy {strategy}"])
            low, high = result.interval(strategy)
            self.here[strategy].set_segments([[(places[strategy], low), (places[strategy], high)]])
        self.points.set_data([places[s] for s in STRATEGIES], [result.accuracy(s) for s in STRATEGIES])
        return False


class SetsPicture(LiveFigure):
    """Both sets as measured, by strategy 1, and by strategy 2, side by side."""

    SIZE = (8.4, 3.2)

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            axes = [self.figure.add_axes((left, 0.25, width, 0.6)) for left, width in
                    ((0.075, 0.245), (0.4, 0.245), (0.735, 0.245))]  # fmt: skip
            self.plots = [ScatterPlot(ax, s, animated=True) for ax, s in zip(axes, (None, 1, 2), strict=True)]
            for ax in axes:
                for spine in ax.spines.values():
                    spine.set_animated(True)  # it stands in front of what moves
            self.figure.legend(
                handles=legend_handles(), loc="lower center", ncols=5, bbox_to_anchor=(0.5, -0.01),
                handletextpad=0.2, columnspacing=1.6,
            )  # fmt: skip

    def update(self, result: Result) -> None:
        """Follow ``result``; the axes are redrawn only for another scaler."""
        changed = [plot.update(result) for plot in self.plots]
        if any(changed):
            self.refresh()

    @staticmethod
    def describe(result: Result) -> str:
        """Return the picture in words."""
        c = result.config
        sets = [
            f"by strategy {s} the test set's means are {_numbers(result.scaled_test[s].mean(0))} and the classifier "
            f"is right for {int(result.right[s].sum())} of {c.n_test} birds" for s in STRATEGIES
        ]  # fmt: skip
        return (
            f"Scaler {c.scaler}, {c.n_train} training and {c.n_test} test birds, shift {c.shift:.2f}, wing length "
            f"times {c.scale:.2f}, share of species B {c.balance:.2f}, seed {c.seed}: {'; '.join(sets)}."
        )


class AccuracyPicture(LiveFigure):
    """The accuracy of both strategies by the size of the test set."""

    SIZE = (5.4, 2.7)

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            ax = self.figure.add_axes((0.1, 0.17, 0.62, 0.71))
            self.plot = AccuracyPlot(ax, animated=True)
            ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), handlelength=1.6, fontsize=7.5)
            look = {"transform": ax.transAxes, "fontsize": 8, "va": "top", "animated": True}
            self.text = ax.text(1.04, 0.42, "", linespacing=1.5, **look)

    def update(self, result: Result) -> None:
        self.plot.update(result)
        c = result.config
        means = [f"strategy {s}: {result.mean_accuracy(s):.2f}" for s in STRATEGIES]
        self.text.set_text("\n".join([f"mean of {SETS} sets", f"of {c.n_test}:", *means]))

    @staticmethod
    def describe(result: Result) -> str:
        """Return the picture in words."""
        parts = []
        for s in STRATEGIES:
            curve = by_size_in_words(result.by_size, f"strategy {s}")
            low, high = result.interval(s)
            parts.append(f"strategy {s} {result.accuracy(s):.2f} ({low:.2f} to {high:.2f}), by size {curve}")
        return f"Accuracy with a test set of {result.config.n_test}: {'; '.join(parts)}."


def legend_handles() -> list[Line2D]:
    """Return what the marks of a scatter plot mean, for a legend."""
    marks = []
    for name, color, marker in SPECIES:
        marks.append(Line2D([], [], ls="", marker=marker, color=color, ms=5, mec="black", mew=0.6))
        marks[-1].set_label(f"test, species {name}")
    for name, color, marker in SPECIES:
        marks.append(Line2D([], [], ls="", marker=marker, color=color, ms=3, alpha=0.5, mew=0))
        marks[-1].set_label(f"training, species {name}")
    return [*marks, Line2D([], [], ls="", marker="x", color="black", ms=7, mew=1.1, label="classifier is wrong")]


def plot_scatter(result: Result, strategy: int | None = None, *, ax: Axes | None = None) -> Axes:
    """Plot both sets as measured (``strategy`` None), or as scaled by strategy 1 or 2, with what the classifier says.

    Birds beyond the edge are drawn on it. Raises `CourseError` for another strategy. Taught in: notebook 02.
    """
    require_choice("strategy", strategy, TITLES)
    return draw(lambda ax: ScatterPlot(ax, strategy), result, ax, 3.6, 3.2)


def plot_sets(result: Result) -> Sequence[Axes]:
    """Plot both sets side by side: as measured, by strategy 1, and by strategy 2. Taught in: notebook 02."""
    axes = new_axes(None, 9.0, 3.5, columns=3)
    with mpl.rc_context(STYLE):
        for ax, strategy in zip(axes, TITLES, strict=True):
            ScatterPlot(ax, strategy).update(result)
        axes[0].figure.legend(handles=legend_handles(), loc="outside lower center", ncols=5, handletextpad=0.2)
    return axes


def plot_accuracy(result: Result, *, ax: Axes | None = None) -> Axes:
    """Plot the accuracy of both strategies by the size of the test set: the mean over 400 sets of each size.

    At the size of the result's own test set: its accuracies, and their 95 % intervals. Taught in: notebook 02.
    """
    return draw(AccuracyPlot, result, ax, 6.0, 3.0, legend={"loc": "lower right", "ncols": 2})


def draw(
    make: Callable, result: object, ax: Axes | None, width: float, height: float, legend: dict | None = None
) -> Axes:
    """Make a plot on ``ax``, or on axes of its own, show ``result`` in it, and return its axes."""
    alone = ax is None
    ax = new_axes(ax, width, height)
    with mpl.rc_context(STYLE if alone else {}):
        make(ax).update(result)
        if legend:
            ax.legend(**legend)
    return ax


def by_size_in_words(table: pd.DataFrame, column: str) -> str:
    """Return "1: 0.50, 2: 0.75, ..." of the columns n and ``column``."""
    return ", ".join(f"{n}: {accuracy:.2f}" for n, accuracy in zip(table["n"], table[column], strict=True))


def _numbers(values: Tensor) -> str:
    return " and ".join(f"{value:.2f}" for value in values.tolist())
