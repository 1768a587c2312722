"""The pictures of the stored study's panel: all strengths, and one setting. They only follow what is looked at.

What they show stands in the panel's line of status. Only a picture on a figure of somebody else's, such as a slide,
says it itself: drawing text takes as long as all else that moves.
"""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_lib.data.biased_mnist import VARIABLES
from course_lib.mitigation.plots import ROWS, TITLES, GroupsPlot, MMDPlot, horizontal
from course_lib.mitigation.result import GROUPS
from course_lib.mitigation.stored.figures import LOOKS, seed_range
from course_lib.mitigation.stored.results import STANDARD, Stored, runs, tidy
from course_lib.plotting import MAJORITY, MINORITY, STYLE, LiveFigure, new_figure

GREY = "#606060"
SHAPE = "distractor_shape"  # what methods are told at all strengths


class StrengthPicture(LiveFigure):
    """Unbiased accuracy against the strength, of all methods, told the distractor shape if they are told anything.

    Lines are means over seeds, upright lines reach from the lowest seed to the highest; those of the methods
    stand side by side, about their strength. The chosen method stands out; dots are the seeds of the chosen setting.
    """

    SIZE = (5.4, 2.9)
    ASIDE = 0.007  # in strength, from one method's range to the next

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        rows = runs()
        rows = rows[(rows["told_as"] != "majority") & rows["explicit"].isin(("", SHAPE))]
        by_method = rows.groupby(["method", "strength"])["unbiased accuracy"].agg(["mean", "min", "max", "count"])
        self.spread = f"means of {seed_range(by_method.pop('count'))}; upright lines: lowest to highest"
        self.lines = {m: part.reset_index("strength").to_numpy().T for m, part in by_method.groupby("method")}
        with mpl.rc_context(STYLE):
            ax = self.figure.add_axes((0.1, 0.16, 0.87, 0.72))
            ax.set(xlim=(0, 1.05), ylim=(0, 1), xlabel="bias strength", ylabel="unbiased accuracy")
            ax.set_title("all methods; lines: told the distractor shape, if anything")
            for i, (method, (strength, mean, low, high)) in enumerate(self.lines.items()):
                color = "black" if method == STANDARD else "#c0c0c0"
                ax.plot(strength, mean, "-", color=color, lw=1.1)
                ax.vlines(strength + (i - (len(self.lines) - 1) / 2) * self.ASIDE, low, high, color=color, lw=1)
            ax.axhline(0.1, color="black", lw=0.6, ls=":")
            ax.text(0.005, 0.115, "chance", fontsize=7.5, color=GREY)
            (self.line,) = ax.plot([], [], "-", lw=2.2, animated=True)
            self.ranges = ax.vlines([], 0, 1, lw=1.6, animated=True)
            (self.dots,) = ax.plot([], [], ls="", ms=7, mew=1.2, mec="black", alpha=0.8, animated=True)
            self.at = ax.axvline(0.7, color=GREY, lw=0.8, ls="--", animated=True)
            at = {"transform": ax.transAxes, "ha": "right", "va": "top"}
            said = f"black: StdM, grey: the others\n{self.spread}"
            ax.text(0.985, 0.87, said, fontsize=8, color=GREY, **at)
            self.text = ax.text(0.985, 0.97, "", visible=figure is not None, **at)

    def update(self, stored: Stored) -> None:
        """Follow the setting; only moving parts change."""
        c = stored.config
        color, marker = LOOKS[c.method]
        known = c.method in self.lines and c.told in ("", SHAPE)  # the lines are of that only
        strength, mean, low, high = self.lines[c.method] if known else np.empty((4, 0))
        self.line.set_data(strength, mean)
        self.line.set_color(color)
        self.ranges.set_segments(np.stack([strength, low, strength, high], 1).reshape(-1, 2, 2))
        self.ranges.set_color(color)
        self.dots.set_data([c.strength] * len(stored.accuracies), stored.accuracies)
        self.dots.set(color=color, marker=marker)
        self.at.set_xdata([c.strength] * 2)
        self.text.set_text(stored.said())

    def describe(self, stored: Stored) -> str:
        """Return the picture in words."""
        shown = f"Unbiased accuracy of all methods against the bias strength, {self.spread}."
        return f"{shown} {caption(stored)}: {stored.said()}."


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
            at = {"fontsize": 7.5, "color": GREY, "ha": "right", "va": "top"}
            self.figure.text(0.985, 0.96, "thin lines: from the lowest seed to the highest", **at)
            look = {"fontsize": 8.5, "color": "#404040", "va": "top", "visible": figure is not None}
            self.title = self.figure.text(0.01, 0.96, "", **look)

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
            return f"{caption(stored)}: {stored.said()}."
        table = stored.mmd()
        gaps = ", ".join(f"{VARIABLES[v].title} {m:.2f}" for v, m in zip(table["variable"], table["mmd"], strict=True))
        return f"{caption(stored)}: {stored.said()}. MMD: {gaps}."


class GainsPlot:
    """The improvement over StdM of majority and minority, for the seven variables; the axis holds all stored gains."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        widest = tidy()[[f"IOSM {group}" for group in GROUPS]].abs().max().max() + 0.05
        ax.set(title="IOSM", xlim=(-widest, widest), ylim=(6.6, -0.6), xlabel="accuracy - accuracy of StdM")
        ax.set_yticks(ROWS, [""] * len(TITLES))
        ax.axvline(0, color="black", lw=0.8)
        self.dots, self.ranges = {}, {}
        for group, color, marker in zip(GROUPS, (MAJORITY, MINORITY), "oD", strict=True):
            self.ranges[group] = ax.hlines(ROWS, np.nan, np.nan, color=color, lw=1, animated=animated)
            nowhere = np.full(len(ROWS), np.nan)
            (self.dots[group],) = ax.plot(nowhere, ROWS, marker, color=color, ms=5, label=group, animated=animated)

    def update(self, stored: Stored) -> bool:
        """Show the gains of ``stored``; nothing but the moving parts changes."""
        for group in GROUPS:
            gains = stored.gains(group)
            self.dots[group].set_xdata(gains["mean"])
            self.ranges[group].set_segments(horizontal(gains["low"], gains["high"]))
        return False


def caption(stored: Stored) -> str:
    """Return what a picture shows, in one line."""
    c = stored.config
    told = f" (told the {VARIABLES[c.told].title})" if c.told else ""
    return f"{c.method}{told} · bias strength {c.strength:g} · stored runs, MNIST"
