"""What the paper shows of its runs, drawn from the stored ones: after its figures 3 and 5. None trains."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes

from course_lib.mitigation.result import GROUPS
from course_lib.mitigation.stored import paper
from course_lib.mitigation.stored.results import STANDARD, tidy
from course_lib.mitigation.stored.tables import counts, of_table1
from course_lib.plotting import EXPLICIT, IMPLICIT, MAJORITY, MINORITY, STYLE, new_axes

SHIFTS = (-0.18, 0.18)  # of the two boxes of a method
# One look for each method, by color and marker; StdM is black in every picture.
LOOKS = {
    "StdM": ("black", "o"), "UpWt": ("#0173b2", "s"), "GDRO": ("#de8f05", "^"), "RUBi": ("#029e73", "v"),
    "LNL": ("#cc78bc", "D"), "IRMv1": ("#ca9161", "P"), "LFF": ("#d55e00", "X"), "SD": ("#949494", "*"),
}  # fmt: skip


def plot_gains(rows: pd.DataFrame | None = None, *, ax: Axes | None = None) -> Axes:
    """Plot each method's improvement over StdM for majority and minority groups, after the paper's figure 3a.

    A box holds the seven variables, all seeds and, for a method that is told something, whatever it was told in
    turn: quartiles and median; whiskers reach to 1.5 times the box. rows: of `runs`; by default those that come with
    the kit. Taught in: notebook 07.
    """
    ax = new_axes(ax, 7.4, 3.0)
    rows = of_table1(rows)
    long = tidy(rows)
    gains = {f"IOSM {group}": group for group in GROUPS}
    long = long.loc[long["method"] != STANDARD, ["method", *gains]].rename(columns=gains)
    long = long.melt(["method"], list(GROUPS), "group", "iosm").dropna()
    with mpl.rc_context(STYLE):
        colors = dict(zip(GROUPS, (MAJORITY, MINORITY), strict=True))
        _boxes(long, ax, "iosm", "group", colors, _order(long))
        ax.axhline(0, color="black", lw=0.8)
        ax.set(xlabel="", ylabel="accuracy - accuracy of StdM", title=f"improvement over StdM {_how(rows)}")
    return ax


def plot_gaps(rows: pd.DataFrame | None = None, *, ax: Axes | None = None) -> Axes:
    """Plot each method's MMD, of the variable that it is told and of the others, after the paper's figure 3b.

    Boxes as in `plot_gains`; crosses: the medians that the paper shows. rows: of `runs`; by default those that come
    with the kit. Taught in: notebook 07.
    """
    ax = new_axes(ax, 7.4, 3.0)
    rows = of_table1(rows)
    long = tidy(rows)
    with mpl.rc_context(STYLE):
        order = _order(long)
        _boxes(long, ax, "mmd", "kind", {"explicit": EXPLICIT, "implicit": IMPLICIT}, order)
        for medians, shift in zip((paper.EXPLICIT_MMD, paper.IMPLICIT_MMD), SHIFTS, strict=True):
            at = {i + shift: medians[m] for i, m in enumerate(order) if m in medians}
            label = None if shift < 0 else "the paper"
            ax.plot(list(at), list(at.values()), "x", color="black", ms=6, mew=1.6, label=label)
        ax.axhline(0, color="black", lw=0.8)
        ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
        ax.set(xlabel="", ylabel="majority - minority accuracy", title=f"MMD {_how(rows)}")
    return ax


def _boxes(long: pd.DataFrame, ax: Axes, y: str, hue: str, colors: dict[str, str], order: list[str]) -> None:
    """Draw a box for each method and value of ``hue``, side by side."""
    looks = {"flierprops": {"marker": ".", "ms": 3}, "medianprops": {"color": "black"}, "patch_artist": True}
    for (value, color), shift in zip(colors.items(), SHIFTS, strict=True):
        groups = long[long[hue] == value].groupby("method")[y]
        there = {order.index(method) + shift: group.dropna() for method, group in groups}
        if not there:
            continue
        boxes = {"widths": 0.3, "manage_ticks": False, "boxprops": {"facecolor": color, "lw": 0.8}, "label": value}
        ax.boxplot(list(there.values()), positions=list(there), **boxes, **looks)
    ax.set_xticks(range(len(order)), order)
    if order:
        ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    ax.grid(False, axis="x")


def _order(long: pd.DataFrame) -> list[str]:
    there = set(long["method"])
    return [method for method in paper.ACCURACY if method in there]


def _how(rows: pd.DataFrame) -> str:
    seeds = rows.groupby("method")["seed"].nunique()
    return f"at strength 0.7 ({'/'.join(rows['source'].unique())}, {len(rows)} runs, {seed_range(seeds)})"


def seed_range(seeds: pd.Series) -> str:
    """Return how many seeds there are, such as "3 seeds", or "2 to 3 seeds" if that differs."""
    low, high = (int(seeds.min()), int(seeds.max())) if len(seeds) else (0, 0)
    return f"{low} to {high} seeds" if low != high else f"{high} seed{'s' * (high != 1)}"


def plot_counts(rows: pd.DataFrame | None = None, *, axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """Plot the unbiased accuracy against how many variables a method is told, after the paper's figure 5.

    Of each variable a method is told who is in the majority and who is not, unlike in table 1, where it is told the
    value of one. Left: the ends of the paper's lines, read off its figure. Right: ours, mean and range over seeds.
    Methods that are told nothing are level lines. rows: of `runs`; by default those that come with the kit; ``axes``:
    two. Taught in: notebook 07.
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
        seeds = seed_range(table.groupby(["method", "count"])["seed"].nunique())
        for ax, title in zip(axes, ("the paper (ends of its lines)", f"ours: mean and range, {seeds}"), strict=True):
            ax.axhline(0.1, color="black", lw=0.6, ls=":")
            ax.set(ylim=(0, top), xticks=(1, 3, 5, 7), xlabel="variables that a method is told", title=title)
        axes[0].set_ylabel("unbiased accuracy")
        axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1.03))
    return axes
