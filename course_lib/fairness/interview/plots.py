"""The pictures of the interview scorer: one applicant twice, all applicants, and the training. None trains."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_lib.data import faces
from course_lib.fairness.interview.applicants import held_out_applicants
from course_lib.fairness.interview.config import APPLICANTS, CHANGES, GROUPINGS, InterviewConfig
from course_lib.fairness.interview.result import InterviewResult
from course_lib.plotting import EXPLICIT, IMPLICIT, MAJORITY, MINORITY, STYLE, LiveFigure, new_axes, new_figure

LINES = {"bookshelf": (MINORITY, "D", "-"), "glasses": (IMPLICIT, "s", ":"), "smile": (MAJORITY, "o", "--"),
         "light": (EXPLICIT, "^", "-.")}  # fmt: skip
LIMIT = 45.0  # points: the ends of the axis of shifts; what lies beyond is counted at them
BINS = np.linspace(-LIMIT, LIMIT, 46)
MOVED = 5.0  # points: a shift that a recruiter would notice


class Look(NamedTuple):
    """A finished run, and what of it is looked at."""

    config: InterviewConfig
    run: InterviewResult

    def pair(self) -> tuple[float, float]:
        """Return the applicant's scores without the change and with it."""
        without, with_it = self.run.scores(self.config.change)[self.config.applicant].tolist()
        return without, with_it

    def shift(self) -> np.ndarray:
        """Return the shift of each applicant's score, [500]."""
        without, with_it = self.run.scores(self.config.change).numpy().T
        return with_it - without

    def groups(self) -> pd.DataFrame:
        return _by_group(self.run, self.config.change, self.config.by)


@lru_cache(maxsize=8)
def _by_group(run: InterviewResult, change: str, by: str) -> pd.DataFrame:
    """Return the means by group, kept: they are the same for every applicant that is looked at."""
    return run.by_group(change, by)


class ApplicantPicture(LiveFigure):
    """The same face without and with the change, what the network says of each, and the difference."""

    SIZE = (5.4, 3.7)

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            self.images, self.titles = [], []
            for left in (0.05, 0.53):
                ax = self.figure.add_axes((left, 0.27, 0.42, 0.613))
                ax.axis("off")
                blank = np.zeros((64, 64, 3), np.uint8)
                self.images.append(ax.imshow(blank, animated=True))
                at = {"transform": ax.transAxes, "ha": "center", "va": "bottom", "animated": True}
                self.titles.append(ax.text(0.5, 1.03, "", fontsize=10, **at))
            self.ax = self.figure.add_axes((0.05, 0.12, 0.9, 0.1))
            self.ax.set(xlim=(0, 100), ylim=(-1, 1), yticks=[], xticks=range(0, 101, 10))
            self.ax.spines["left"].set_visible(False)
            self.ax.set_xlabel("score (points)", fontsize=8, labelpad=1)
            (self.line,) = self.ax.plot([], [], color="#404040", lw=1.4, animated=True)
            (self.off,) = self.ax.plot([], [], "o", color="white", mec=MAJORITY, mew=1.8, ms=9, animated=True)
            (self.on,) = self.ax.plot([], [], "D", color=MINORITY, ms=8, animated=True)

    def update(self, look: Look) -> None:
        change, pair = CHANGES[look.config.change], look.pair()
        both = portraits(look.config.applicant, change.attribute, (change.off, change.on))
        for image, title, drawn, words, score in zip(
            self.images, self.titles, both, (change.without, change.with_it), pair, strict=True
        ):
            image.set_data(drawn)
            title.set_text(f"{words}: {score:.1f} points")
        at = np.clip(pair, 1, 99)
        self.line.set_data(at, [0, 0])
        self.off.set_data(at[:1], [0])
        self.on.set_data(at[1:], [0])

    @staticmethod
    def describe(look: Look) -> str:
        """Return the picture in words, for those who do not see it."""
        change, (without, with_it) = CHANGES[look.config.change], look.pair()
        return (
            f"Applicant {look.config.applicant}, drawn twice: with {change.without}, the network gives {without:.1f} "
            f"points; with {change.with_it}, the same face gets {with_it:.1f}: a shift of {with_it - without:+z.1f}. "
            f"{_trained(look.run)}"
        )


@lru_cache(maxsize=64)
def portraits(applicant: int, attribute: str, values: tuple[float, ...]) -> np.ndarray:
    """Return an applicant's drawings, uint8 [V, 64, 64, 3], with one attribute set to each of V values."""
    same = held_out_applicants()[torch.full((len(values),), applicant)]
    return faces.render(same.change(**{attribute: torch.tensor(values)}), 64).permute(0, 2, 3, 1).numpy()


class ShiftsPlot:
    """How far the change moves each applicant's score: a histogram, and the applicant who is shown."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax = ax
        ax.set(xlim=(-LIMIT, LIMIT), ylim=(0, 1.18 * APPLICANTS), xlabel="shift of the score (points)")
        ax.set_ylabel("applicants")
        ax.axvline(0, color="#404040", lw=0.8)
        edges = {"color": MINORITY, "alpha": 0.55, "lw": 0, "animated": animated, "in_layout": False}
        self.bars = ax.stairs(np.zeros(len(BINS) - 1), BINS, fill=True, **edges)
        (self.mean,) = ax.plot([], [], color=MINORITY, lw=2, animated=animated)
        (self.one,) = ax.plot([], [], "v", color="black", ms=7, animated=animated)
        self.text = ax.text(0, 1.03, "", transform=ax.transAxes, va="bottom", fontsize=8, animated=animated)

    def update(self, look: Look) -> bool:
        """Show ``look``; return whether anything but the moving parts has changed."""
        change, shift = CHANGES[look.config.change], np.clip(look.shift(), -LIMIT + 1e-6, LIMIT - 1e-6)
        counts = np.histogram(shift, BINS)[0]
        top = 50 * np.ceil(1.25 * counts.max() / 50)
        self.bars.set_data(counts)
        self.mean.set_data([shift.mean()] * 2, [0, 0.9 * top])
        self.one.set_data([shift[look.config.applicant]], [0.95 * top])
        self.text.set_text(
            f"{change.without} → {change.with_it}: shift of {APPLICANTS} scores\nmean {shift.mean():+z.1f}, "
            f"sd {shift.std():.1f} points; triangle: applicant {look.config.applicant}"
        )
        changed = self.ax.get_ylim()[1] != top
        if changed:
            self.ax.set_ylim(0, top)
        return changed


class GapsPlot:
    """Means by group with 95 % intervals: the score without the change, or the shift."""

    def __init__(self, ax: Axes, what: str, *, animated: bool = False):
        self.ax, self.what = ax, what
        limits = (20, 80) if what == "score" else (-15, 35)
        ax.set(xlim=limits, xlabel=f"mean {what} (points)", ylim=(3.6, -0.6))
        color, marker = (MAJORITY, "o") if what == "score" else (MINORITY, "D")
        (self.bars,) = ax.plot([], [], color=color, lw=2, animated=animated)
        (self.means,) = ax.plot([], [], marker, color=color, ms=6, animated=animated)
        if what == "shift":
            ax.axvline(0, color="#404040", lw=0.8)

    def update(self, look: Look) -> bool:
        """Show ``look``; return whether anything but the moving parts has changed."""
        table = look.groups()
        y = np.arange(len(table))
        mean, low, high = (table[f"{name} {self.what}"].to_numpy() for name in ("mean", "low", "high"))
        gaps = np.full(len(table), np.nan)
        self.means.set_data(mean, y)
        self.bars.set_data(np.stack([low, high, gaps], 1).ravel(), np.stack([y, y, gaps], 1).ravel())
        labels = [f"{row.group}\nn = {row.n}" for row in table.itertuples()] if self.what == "score" else [""] * len(y)
        changed = [tick.get_text() for tick in self.ax.get_yticklabels()] != labels
        if changed:
            self.ax.set_yticks(y, labels)
            self.ax.set_ylim(len(y) - 0.4, -0.6)
        return changed


class EffectsPicture(LiveFigure):
    """What the change does to all applicants, and to each group of them."""

    SIZE = (8.4, 2.8)

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            self.plots = [
                ShiftsPlot(self.figure.add_axes((0.07, 0.16, 0.33, 0.66)), animated=True),
                GapsPlot(self.figure.add_axes((0.56, 0.16, 0.19, 0.66)), "score", animated=True),
                GapsPlot(self.figure.add_axes((0.79, 0.16, 0.19, 0.66)), "shift", animated=True),
            ]
            self.titles = [
                plot.ax.text(0, 1.03, "", transform=plot.ax.transAxes, va="bottom", fontsize=8, animated=True)
                for plot in self.plots[1:]
            ]

    def update(self, look: Look) -> None:
        change = CHANGES[look.config.change]
        self.titles[0].set_text(f"Score with\n{change.without}")
        self.titles[1].set_text(f"Shift with\n{change.with_it}")
        changed = [plot.update(look) for plot in self.plots]
        if any(changed):
            self.refresh()

    @staticmethod
    def describe(look: Look) -> str:
        """Return the picture in words, for those who do not see it."""
        shift, change = look.shift(), CHANGES[look.config.change]
        rows = "; ".join(
            f"{row[0]}: {row[2]:.1f} points, {row[5]:+z.1f} with {change.with_it} (n = {row[1]})"
            for row in look.groups().itertuples(index=False, name=None)
        )
        return (
            f"From {change.without} to {change.with_it}, the scores of {APPLICANTS} applicants shift by "
            f"{shift.mean():+z.1f} points on average, standard deviation {shift.std():.1f}; "
            f"{(np.abs(shift) > MOVED).mean():.0%} of them by more than {MOVED:g} points. "
            f"By {look.config.by}: {rows}. {_trained(look.run)}"
        )


class LearningPicture(LiveFigure):
    """What each change is worth to the network while it trains."""

    SIZE = (8.4, 2.0)

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            self.ax = self.figure.add_axes((0.07, 0.23, 0.72, 0.62))
            self.ax.set(ylim=(-8, 32), xlabel="step", ylabel="mean shift (points)")
            self.lines = {
                name: self.ax.plot([], [], line, color=color, marker=marker, ms=4, lw=1.4, label=name, animated=True)[0]
                for name, (color, marker, line) in LINES.items()
            }
            self.ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.05))
            self.title = self.ax.set_title("")

    def update(self, result: InterviewResult) -> None:
        steps = [0, *(e.step for e in result.evaluations)]
        for name, line in self.lines.items():
            line.set_data(steps, [0, *(e.shift(name) for e in result.evaluations)])
        title = f"What the network makes of each change while it trains · {caption(result.config)}"
        if title != self.title.get_text() or self.ax.get_xlim()[1] != result.steps:
            self.title.set_text(title)
            self.ax.set_xlim(0, result.steps)
            self.refresh()

    @staticmethod
    def describe(result: InterviewResult) -> str:
        """Return a run in words, for those who do not see its picture."""
        known = "; ".join(
            f"{name} {result.evaluations[-1].shift(name):+z.1f}" for name in CHANGES if result.evaluations
        )
        return (
            f"Training, {caption(result.config)}: step {result.step} of {result.steps}. "
            f"Mean shift of the score in points: {known or 'not yet known'}."
        )


def caption(config: InterviewConfig) -> str:
    """Return what decides a run, in one line."""
    epochs = f"{config.epochs} epoch{'s' * (config.epochs > 1)}"
    return f"strength {config.strength:g} · {config.n_train:,} faces · {epochs} · seed {config.seed}"


def _trained(run: InterviewResult) -> str:
    return f"Trained with: {caption(run.config)}."


def plot_shifts(result: InterviewResult, change: str = "bookshelf", *, ax: Axes | None = None) -> Axes:
    """Plot how far a change moves the score of each of the 500 applicants. Taught in: notebook 06."""
    ax = new_axes(ax, 5.0, 2.8)
    with mpl.rc_context(STYLE):
        plot = ShiftsPlot(ax)
        plot.update(Look(InterviewConfig(change=change), result))
        plot.one.set_visible(False)
        shift = Look(InterviewConfig(change=change), result).shift()
        plot.text.set_text(f"{change}: mean shift {shift.mean():+z.1f}, sd {shift.std():.1f} points")
    return ax


def plot_score_gaps(
    result: InterviewResult, change: str = "bookshelf", by: str = "gender x smile", *, ax: Axes | None = None
) -> Axes:
    """Plot the mean shift of each group, with its 95 % interval; ``by`` as in `GROUPINGS`. Taught in: notebook 06."""
    ax = new_axes(ax, 5.0, 2.6)
    with mpl.rc_context(STYLE):
        plot = GapsPlot(ax, "shift")
        plot.update(Look(InterviewConfig(change=change, by=by), result))
        ax.set_yticks(range(len(GROUPINGS[by])), GROUPINGS[by])
        ax.set_title(f"{change}, by {by}")
    return ax
