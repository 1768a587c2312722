"""The pictures of the stored study: what the paper shows of its own runs, and one setting of ours. None trains."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_lib.data.biased_mnist import VARIABLES
from course_lib.mitigation.plots import ROWS, TITLES, GroupsPlot, MMDPlot, horizontal
from course_lib.mitigation.result import GROUPS
from course_lib.mitigation.stored import paper
from course_lib.mitigation.stored.results import STANDARD, Stored, runs, settings, tidy
from course_lib.mitigation.stored.tables import counts, of_table1
from course_lib.plotting import EXPLICIT, IMPLICIT, MAJORITY, MINORITY, STYLE, LiveFigure, new_axes, new_figure

GREY = "#606060"
SHIFTS = (-0.18, 0.18)  # of the two boxes of a method
# One look for each method, by color and marker; StdM is black in every picture.
LOOKS = {
    "StdM": ("black", "o"), "UpWt": ("#0173b2", "s"), "GDRO": ("#de8f05", "^"), "RUBi": ("#029e73", "v"),
    "LNL": ("#cc78bc", "D"), "IRMv1": ("#ca9161", "P"), "LFF": ("#d55e00", "X"), "SD": ("#949494", "*"),
}  # fmt: skip


def plot_gains(rows: pd.DataFrame | None = None, *, ax: Axes | None = None) -> Axes:
    """Plot each method's improvement over StdM for majority and minority groups, after the paper's figure 3a.

    A box holds the seven variables, all seeds and, for a method that is told something, whatever it was told in
    turn: quartiles and median; whiskers reach to 1.5 times the box. rows: of a study; by default those that come with
    the kit. Taught in: notebook 07.
    """
    ax = new_axes(ax, 7.4, 3.0)
    long = tidy(of_table1(runs() if rows is None else rows)).query("method != @STANDARD")
    long = long.drop(columns=list(GROUPS)).rename(columns={f"IOSM {group}": group for group in GROUPS})
    long = long.melt(["method"], list(GROUPS), "group", "iosm")
    with mpl.rc_context(STYLE):
        colors = dict(zip(GROUPS, (MAJORITY, MINORITY), strict=True))
        _boxes(long, ax, "iosm", "group", colors, _order(long))
        ax.axhline(0, color="black", lw=0.8)
        ax.set(xlabel="", ylabel="accuracy - accuracy of StdM", title=f"improvement over StdM {_how(long)}")
    return ax


def plot_gaps(rows: pd.DataFrame | None = None, *, ax: Axes | None = None) -> Axes:
    """Plot each method's MMD, of the variable that it is told and of the others, after the paper's figure 3b.

    Boxes as in `plot_gains`; crosses: the medians that the paper shows. rows: of a study; by default those that come
    with the kit. Taught in: notebook 07.
    """
    ax = new_axes(ax, 7.4, 3.0)
    long = tidy(of_table1(runs() if rows is None else rows))
    with mpl.rc_context(STYLE):
        order = _order(long)
        _boxes(long, ax, "mmd", "kind", {"explicit": EXPLICIT, "implicit": IMPLICIT}, order)
        for medians, shift in zip((paper.EXPLICIT_MMD, paper.IMPLICIT_MMD), SHIFTS, strict=True):
            at = [(i + shift, medians[m]) for i, m in enumerate(order) if m in medians]
            ax.plot(*zip(*at, strict=True), "x", color="black", ms=6, mew=1.6, label=None if shift < 0 else "the paper")
        ax.axhline(0, color="black", lw=0.8)
        ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
        ax.set(xlabel="", ylabel="majority - minority accuracy", title=f"MMD {_how(long)}")
    return ax


def _boxes(long: pd.DataFrame, ax: Axes, y: str, hue: str, colors: dict[str, str], order: list[str]) -> None:
    """Draw a box for each method and value of ``hue``, side by side."""
    looks = {"flierprops": {"marker": ".", "ms": 3}, "medianprops": {"color": "black"}, "patch_artist": True}
    for (value, color), shift in zip(colors.items(), SHIFTS, strict=True):
        groups = long[long[hue] == value].groupby("method")[y]
        there = {order.index(method) + shift: group.dropna() for method, group in groups}
        boxes = {"widths": 0.3, "manage_ticks": False, "boxprops": {"facecolor": color, "lw": 0.8}, "label": value}
        ax.boxplot(list(there.values()), positions=list(there), **boxes, **looks)
    ax.set_xticks(range(len(order)), order)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    ax.grid(False, axis="x")


def _order(long: pd.DataFrame) -> list[str]:
    there = set(long["method"])
    return [method for method in paper.ACCURACY if method in there]


def _how(long: pd.DataFrame) -> str:
    return f"at strength 0.7 ({len(long):,} values: MNIST, seven variables, all seeds and runs)"


def plot_counts(rows: pd.DataFrame | None = None, *, axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """Plot the unbiased accuracy against how many variables a method is told, after the paper's figure 5.

    Left: the ends of the paper's lines, read off its figure. Right: ours, mean and range over seeds. Methods that are
    told nothing are level lines. rows: of a study; by default those that come with the kit; ``axes``: two.
    Taught in: notebook 07.
    """
    axes = new_axes(None, 8.0, 3.2, columns=2) if axes is None else axes
    table = counts(rows)
    with mpl.rc_context(STYLE):
        for method, (color, marker) in LOOKS.items():
            look = {"color": color, "marker": marker, "ms": 5, "lw": 1.3, "label": method}
            theirs = paper.COUNTS.get(method, (paper.ACCURACY[method],) * 2)
            axes[0].plot((1, 7), theirs, **look, ls="--" if method in paper.COUNTS else ":")
            spread = table[table["method"] == method].groupby("count")["unbiased accuracy"].agg(["mean", "min", "max"])
            if 0 in spread.index:  # told nothing: the same for every count
                spread = spread.loc[[0, 0]].set_axis([1, 7])
            axes[1].plot(spread.index, spread["mean"], **look, ls="-" if method in paper.COUNTS else ":")
            axes[1].fill_between(spread.index, spread["min"], spread["max"], color=color, alpha=0.12, lw=0)
        top = max(0.6, *(ax.get_ylim()[1] for ax in axes))
        seeds = table["seed"].nunique()
        for ax, title in zip(
            axes, ("the paper (ends of its lines)", f"ours: mean and range of {seeds} seeds"), strict=True
        ):
            ax.axhline(0.1, color="black", lw=0.6, ls=":")
            ax.set(ylim=(0, top), xticks=(1, 3, 5, 7), xlabel="variables that a method is told", title=title)
        axes[0].set_ylabel("unbiased accuracy")
        axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1.03))
    return axes


class StrengthPicture(LiveFigure):
    """Unbiased accuracy against the strength, of all methods; the chosen one stands out, and its seeds are dots."""

    SIZE = (5.4, 2.9)

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        rows = runs()
        rows = rows[(rows["told"] != "majority") & rows["explicit"].isin(("", "distractor_shape"))]
        with mpl.rc_context(STYLE):
            ax = self.figure.add_axes((0.1, 0.16, 0.87, 0.72))
            ax.set(xlim=(0, 1.05), ylim=(0, 1), xlabel="bias strength", ylabel="unbiased accuracy")
            ax.set_title("all methods; told the distractor shape if anything")
            self.means = rows.groupby(["method", "strength"])["unbiased accuracy"].mean()
            for method in settings()["method"]:
                part = self.means[method]
                ax.plot(part.index, part, "-", color="#c0c0c0" if method != STANDARD else "black", lw=1.1)
            ax.axhline(0.1, color="black", lw=0.6, ls=":")
            ax.text(0.005, 0.115, "chance", fontsize=7.5, color=GREY)
            (self.line,) = ax.plot([], [], "-", lw=2.2, animated=True)
            (self.dots,) = ax.plot([], [], ls="", ms=7, mew=1.2, mec="black", alpha=0.8, animated=True)
            self.at = ax.axvline(0.7, color=GREY, lw=0.8, ls="--", animated=True)
            self.text = ax.text(0.985, 0.96, "", transform=ax.transAxes, ha="right", va="top", animated=True)

    def update(self, stored: Stored) -> None:
        """Follow the setting; only moving parts change."""
        c = stored.config
        color, marker = LOOKS[c.method]
        part = self.means[c.method]
        self.line.set_data(part.index, part)
        self.line.set_color(color)
        self.dots.set_data([c.strength] * len(stored.accuracies), stored.accuracies)
        self.dots.set(color=color, marker=marker)
        self.at.set_xdata([c.strength] * 2)
        self.text.set_text(said(stored) + "\nblack: StdM, grey: the others")

    @staticmethod
    def describe(stored: Stored) -> str:
        """Return the picture in words."""
        return f"Unbiased accuracy of all methods against the bias strength. {caption(stored)}: {said(stored)}."


class SettingPicture(LiveFigure):
    """One setting: accuracy of majority and minority, MMD, and IOSM of each variable; lines: lowest to highest seed."""

    SIZE = (8.4, 3.0)
    SPANS = ((0.145, 0.25), (0.425, 0.245), (0.725, 0.255))

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            axes = [self.figure.add_axes((left, 0.15, width, 0.64)) for left, width in self.SPANS]
            kinds = (GroupsPlot, MMDPlot, GainsPlot)
            self.plots = [kind(ax, animated=True) for kind, ax in zip(kinds, axes, strict=True)]
            for ax in axes:
                for spine in ax.spines.values():
                    spine.set_animated(True)  # it stands in front of what moves
            look = {"fontsize": 8.5, "color": "#404040", "va": "top", "animated": True}  # of an axes: else it stays
            self.title = axes[0].text(0.01, 0.96, "", transform=self.figure.transSubfigure, clip_on=False, **look)

    def update(self, stored: Stored) -> None:
        """Follow the setting; what stands still is redrawn only when it has to be."""
        changed = [plot.update(stored) for plot in self.plots]
        self.title.set_text(caption(stored))
        if any(changed):
            self.refresh()

    @staticmethod
    def describe(stored: Stored) -> str:
        """Return the picture in words."""
        if not len(stored.accuracies):
            return f"{caption(stored)}: {said(stored)}."
        table = stored.mmd()
        gaps = ", ".join(f"{VARIABLES[v].title} {m:.2f}" for v, m in zip(table["variable"], table["mmd"], strict=True))
        return f"{caption(stored)}: {said(stored)}. MMD: {gaps}."


class GainsPlot:
    """The improvement over StdM of majority and minority, for the seven variables."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        ax.set(title="IOSM", xlim=(-0.4, 0.4), ylim=(6.6, -0.6), xlabel="accuracy - accuracy of StdM")
        ax.set_yticks(ROWS, [""] * len(TITLES))
        ax.axvline(0, color="black", lw=0.8)
        self.ax, self.dots, self.ranges = ax, {}, {}
        for group, color, marker in zip(GROUPS, (MAJORITY, MINORITY), "oD", strict=True):
            self.ranges[group] = ax.hlines(ROWS, np.nan, np.nan, color=color, lw=1, animated=animated)
            nowhere = np.full(len(ROWS), np.nan)
            (self.dots[group],) = ax.plot(nowhere, ROWS, marker, color=color, ms=5, label=group, animated=animated)

    def update(self, stored: Stored) -> bool:
        """Show the gains of ``stored``; return whether the axis has changed."""
        widest = 0.4
        for group in GROUPS:
            gains = stored.gains(group)
            self.dots[group].set_xdata(gains["mean"])
            self.ranges[group].set_segments(horizontal(gains["low"], gains["high"]))
            widest = max(widest, *gains[["low", "high"]].abs().max().fillna(0))
        changed = self.ax.get_xlim() != (-widest, widest)
        self.ax.set_xlim(-widest, widest)
        return changed


def caption(stored: Stored) -> str:
    """Return what a picture shows, in one line."""
    c = stored.config
    told = f" (told the {VARIABLES[c.told].title})" if c.told else ""
    return f"{c.method}{told} · bias strength {c.strength:g} · MNIST · stored runs, seeds: {len(stored.accuracies)}"


def said(stored: Stored) -> str:
    """Return the unbiased accuracy in words, or that there is none."""
    found = stored.accuracies
    if not len(found):
        return "not stored"
    return f"unbiased accuracy {found.mean():.3f} ({found.min():.3f} to {found.max():.3f})"
