"""The pictures of a run in lesson 04: beside the run from scratch, and among the stored curves. None trains."""

from __future__ import annotations

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_lib.errors import CourseError, require_choice
from course_lib.plotting import IMPLICIT, RUN_COLORS, STYLE, LiveFigure, new_axes, new_figure
from course_lib.transfer.beside import Pair
from course_lib.transfer.config import REGIMES, TARGETS, Config
from course_lib.transfer.result import Result
from course_lib.transfer.stored import summarise

GREY = "#606060"
LOOKS = dict(
    zip(
        REGIMES,
        ((GREY, "o", "--"), (RUN_COLORS[0], "s", "-"), (RUN_COLORS[2], "^", "-"), (RUN_COLORS[1], "D", "-"),
         (RUN_COLORS[3], "v", ":"), (IMPLICIT, "x", ":")),
        strict=True,
    )
)  # fmt: skip  # colour, marker, line
LIMITS = {"smile": (0.45, 1.0), "age": (5.0, 20.0)}
SCALES = {"smile": (0.5, 0.6, 0.7, 0.8, 0.9, 1.0), "age": (5, 10, 15, 20)}
TICKS = (10, 20, 50, 100, 200, 500, 2000)
CHANCE = {"smile": 0.5, "age": 15.5}  # a coin; 49 years for everybody, where ages are uniform from 18 to 80


class CurvePlot:
    """The score at each evaluation, over the steps: of the run, and of the one from scratch beside it."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax = ax
        ax.set(xlabel="step", xlim=(0, 1), ylim=(0, 1))
        (self.scratch,) = ax.plot([], [], "o--", color=GREY, ms=3.5, lw=1.2, animated=animated)
        (self.run,) = ax.plot([], [], ms=4.5, lw=1.6, animated=animated)
        self.chance = ax.axhline(0, color="#b8b8b8", lw=0.8, ls=":")
        self.shown: tuple[object, ...] = ()  # what the parts that do not move were drawn for

    def update(self, pair: Pair) -> bool:
        """Show ``pair``; return whether anything but the moving parts has changed."""
        color, marker, line = LOOKS[pair.config.regime]
        self.run.set(color=color, marker=marker, linestyle=line)
        for artist, result in ((self.scratch, pair.scratch), (self.run, pair.run)):
            curve = result.curve()
            artist.set_data(curve["step"], curve["score"].clip(*LIMITS[pair.config.target]))
        target, shown = pair.config.target, (pair.config.target, pair.run.steps)
        if shown == self.shown:
            return False
        self.shown = shown
        self.ax.set(xlim=(0, 1.03 * pair.run.steps), ylim=LIMITS[target], ylabel=TARGETS[target], yticks=SCALES[target])
        self.chance.set_ydata([CHANCE[target]] * 2)
        return True


class StudyPlot:
    """The stored curves of one target: mean and range over seeds of each regime, against the number of labels."""

    def __init__(self, ax: Axes, target: str, rows: pd.DataFrame | None = None):
        self.ax = ax
        self.draw(target, rows)

    def draw(self, target: str, rows: pd.DataFrame | None = None) -> None:
        """Draw the curves of ``target`` anew."""
        for artist in [*self.ax.lines, *self.ax.collections]:
            if not artist.get_animated():
                artist.remove()
        for regime, part in summarise(target, rows).groupby("regime", sort=False):
            color, marker, line = LOOKS[regime]
            self.ax.plot(part["labels"], part["mean"], marker + line, color=color, ms=4, lw=1.3, label=regime)
            self.ax.fill_between(part["labels"], part["lowest"], part["highest"], color=color, alpha=0.15, lw=0)
        self.ax.set(xscale="log", xlim=(8.5, 2400), ylim=LIMITS[target], xlabel="labels", ylabel=TARGETS[target])
        self.ax.set_yticks(SCALES[target])
        self.ax.set_xticks(TICKS, [f"{tick:,}" for tick in TICKS])
        self.ax.minorticks_off()


class RunPicture(LiveFigure):
    """A run beside the one from scratch; and both as points among the stored curves."""

    SIZE = (8.4, 2.9)

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        self.target = "smile"
        with mpl.rc_context(STYLE):
            self.curve = CurvePlot(self.figure.add_axes((0.065, 0.155, 0.275, 0.68)), animated=True)
            ax = self.figure.add_axes((0.415, 0.155, 0.355, 0.68))
            self.study = StudyPlot(ax, self.target)
            ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.04), fontsize=7.5, handlelength=2.4)
            (self.scratch,) = ax.plot([], [], "o", mfc="white", mec=GREY, mew=2, ms=9, animated=True)
            (self.run,) = ax.plot([], [], mec="black", mew=1.2, ms=10, animated=True)
            at = {"fontsize": 8, "color": GREY, "transform": ax.transAxes, "va": "top"}
            ax.text(1.03, 0.3, "lines: stored runs,\nmean; bands: range\nover seeds.\nLarge marks: this run,\n"
                    "and from scratch\n(white)", **at)  # fmt: skip
            self.title = self.figure.text(0.01, 0.97, "", fontsize=8.5, color="#404040", va="top")

    def update(self, pair: Pair) -> None:
        changed = self.curve.update(pair)
        if pair.config.target != self.target:
            self.target, changed = pair.config.target, True
            self.study.draw(self.target)
        color, marker, _ = LOOKS[pair.config.regime]
        self.run.set(color=color, marker=marker)
        for artist, result in ((self.scratch, pair.scratch), (self.run, pair.run)):
            known = result.evaluations
            at = [min(max(result.score, LIMITS[self.target][0]), LIMITS[self.target][1])] if known else []
            artist.set_data([pair.config.labels] * len(at), at)
        if (text := caption(pair.config)) != self.title.get_text() or changed:
            self.title.set_text(text)
            self.refresh()

    @staticmethod
    def describe(pair: Pair) -> str:
        """Return a run in words, for those who do not see its picture."""
        start = f"{caption(pair.config)}. Step {pair.run.step} of {pair.run.steps}"
        return f"{start}. {said(pair)}." if pair.run.evaluations else f"{start}."


def said(pair: Pair) -> str:
    """Return the latest scores in words; the run from scratch may have none yet."""
    what, form, unit = ("Mean error", ".1f", " years") if pair.config.target == "age" else ("Accuracy", ".3f", "")
    scratch = f"; from scratch {pair.scratch.score:{form}}" if pair.scratch.evaluations else ""
    return f"{what} {pair.run.score:{form}}{unit}{scratch}"


def caption(config: Config) -> str:
    """Return what a picture shows, in one line."""
    return (
        f"{config.target} · {config.regime} · {config.labels:,} labels · learning rate {config.rate():g} · "
        f"{config.steps:,} steps · seed {config.seed}"
    )


def plot_study(target: str = "smile", rows: pd.DataFrame | None = None, *, ax: Axes | None = None) -> Axes:
    """Plot the score of each regime against the number of labels: mean and range over the seeds of the study.

    rows: of a study; by default those that come with the kit. Raises `CourseError` for an unknown target.
    Taught in: notebook 04.
    """
    require_choice("target", target, TARGETS)
    ax = new_axes(ax, 7.4, 3.4)
    with mpl.rc_context(STYLE):
        StudyPlot(ax, target, rows)
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), handlelength=2.6)
        ax.set_title(f"{target}: mean of the seeds, and their range")
    return ax


def plot_curves(*results: Result, ax: Axes | None = None) -> Axes:
    """Plot the score of runs with the same target over their steps.

    Raises `CourseError` for no runs, and for runs with different targets. Taught in: notebook 04.
    """
    targets = {result.config.target for result in results}
    if len(targets) != 1:
        raise CourseError(f"plot_curves needs runs with one target; these had {', '.join(sorted(targets)) or 'none'}.")
    ax = new_axes(ax, 6.0, 3.0)
    with mpl.rc_context(STYLE):
        for result in results:
            color, marker, line = LOOKS[result.config.regime]
            curve = result.curve()
            ax.plot(curve["step"], curve["score"], marker + line, color=color, ms=4, label=result.config.named())
        target = targets.pop()
        ax.set(xlabel="step", ylim=LIMITS[target], ylabel=TARGETS[target])
        ax.legend()
    return ax
