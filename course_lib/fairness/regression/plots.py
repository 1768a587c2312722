"""The pictures of the age estimator: errors by group, the repair, and the training. None of them trains."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.fairness.regression.bounded import BoundedHead
from course_lib.fairness.regression.config import GROUPS, LEAST, NO_BOUND, AgeConfig
from course_lib.fairness.regression.repair import parity_distance, parity_distances, wasserstein_repair
from course_lib.fairness.regression.result import AgeResult, error_table
from course_lib.plotting import IMPLICIT, MAJORITY, MINORITY, STYLE, LiveFigure, new_axes, new_figure

LOOKS = ((MAJORITY, "o", "-"), (MINORITY, "D", "--"))  # of the groups: colour, marker, line
STRENGTHS = np.linspace(0, 1, 21)
AGES = np.arange(10.0, 81.0, 0.5)
WORST = 26.0  # years: the end of the axes of errors


@dataclass(frozen=True, eq=False)
class Bounded:
    """A finished run with a bound, and all that follows at each strength of the repair."""

    run: AgeResult
    bound: float

    @cached_property
    def head(self) -> BoundedHead:
        return self.run.head(self.bound)

    @cached_property
    def ends(self) -> tuple[Tensor, Tensor]:
        """Predictions without any repair and with the full one, [2000] each."""
        start = self.head.predict(self.run.trained.features)
        return start, wasserstein_repair(start, self.run.outdoors)

    def at(self, strength: float | Tensor) -> Tensor:
        """Return the predictions with a repair of this strength; [S, 2000] for strengths [S, 1]."""
        start, end = self.ends
        return start + strength * (end - start)

    @cached_property
    def distances(self) -> np.ndarray:
        """The distance from parity at each of `STRENGTHS`, [21]."""
        return parity_distances(self.at(torch.from_numpy(STRENGTHS)[:, None]), self.run.outdoors).numpy()

    @cached_property
    def pay(self) -> np.ndarray:
        """The errors of the groups and of all at each of `STRENGTHS`, [21, 3]."""
        start, end = (p.numpy() - self.run.age.double().numpy() for p in self.ends)
        group = self.run.outdoors.numpy()
        masks = [group == 0, group == 1, np.ones(len(group), bool)]
        off = start + STRENGTHS[:, None] * (end - start)
        return np.stack([np.sqrt((off[:, mask] ** 2).mean(1)) for mask in masks], 1)


@lru_cache(maxsize=4)
def bounded(run: AgeResult, bound: float) -> Bounded:
    """Return the run with a bound, kept: a slider of the repair's strength changes nothing about it."""
    return Bounded(run, bound)


@lru_cache(maxsize=4)
def as_trained(run: AgeResult) -> pd.DataFrame:
    """Return the errors without a bound or a repair."""
    return error_table(run.as_trained, run.age, run.outdoors)


@lru_cache(maxsize=4)
def limits(run: AgeResult) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the ends of the axes of errors and of distances: the same for all bounds, so that the axes stay."""
    ends = [Bounded(run, bound) for bound in (LEAST, NO_BOUND)]
    pay, far = np.stack([end.pay for end in ends]), max(end.distances.max() for end in ends)
    return (np.floor(pay.min()) - 1, np.ceil(pay.max()) + 1), (0, max(0.4, np.ceil(10 * far) / 10))


@dataclass(frozen=True)
class AgeLook:
    """A finished run, and what is done with it: a bound, a repair, and all that follows."""

    config: AgeConfig
    run: AgeResult

    @property
    def bounded(self) -> Bounded:
        return bounded(self.run, self.config.bound)

    @cached_property
    def after(self) -> Tensor:
        """The predictions with the bound and the repair, [2000]."""
        return self.bounded.at(self.config.strength)

    @cached_property
    def errors(self) -> pd.DataFrame:
        """The groups' errors with the bound and the repair."""
        return error_table(self.after, self.run.age, self.run.outdoors)

    @cached_property
    def distance(self) -> float:
        """The distance from parity with the bound and the repair."""
        return parity_distance(self.after, self.run.outdoors)


class ErrorsPicture(LiveFigure):
    """The error of each group as trained, and with the bound and the repair."""

    SIZE = (5.4, 3.4)

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            self.ax = ax = self.figure.add_axes((0.17, 0.14, 0.8, 0.6))
            ax.set(xlim=(0, WORST), ylim=(2.6, -0.6), xlabel="error (years, root mean square; with 95 % interval)")
            (self.bound,) = ax.plot([], [], color="black", lw=1.2, ls=(0, (4, 3)), animated=True)
            self.bound_text = ax.text(0, 2.56, "", fontsize=8, va="bottom", animated=True)
            self.marks = [
                (ax.plot([], [], color=color, lw=1.6, animated=True)[0],
                 ax.plot([], [], marker, color=face, mec=color, mew=1.5, ms=7, animated=True)[0], offset)
                for color, face, marker, offset in ((IMPLICIT, "white", "o", -0.14), (MINORITY, MINORITY, "D", 0.14))
            ]  # fmt: skip
            self.means = [ax.text(WORST, y, "", fontsize=8, ha="right", va="center", animated=True) for y in range(3)]
            self.figure.text(0.02, 0.93, "○ as trained", color="#606060", fontsize=9)
            self.figure.text(0.2, 0.93, "◆ with bound and repair", color=MINORITY, fontsize=9)
            self.figure.text(0.97, 0.93, "mean error: as trained → now", fontsize=8, ha="right")
            # A text of the axes, though it stands above them: only those of axes can be animated.
            self.text = ax.text(-0.19, 1.06, "", transform=ax.transAxes, fontsize=8, linespacing=1.35, animated=True)

    def update(self, look: AgeLook) -> None:
        tables = [as_trained(look.run), look.errors]
        for (bar, mark, offset), table in zip(self.marks, tables, strict=True):
            y = np.arange(3) + offset
            gaps = np.full(3, np.nan)
            mark.set_data(table["error"].clip(upper=WORST), y)
            bar.set_data(np.stack([table["low"], table["high"], gaps], 1).ravel(), np.stack([y, y, gaps], 1).ravel())
        for text, old, new in zip(self.means, tables[0]["mean"], tables[1]["mean"], strict=True):
            text.set_text(f"{old:+z.1f} → {new:+z.1f}")
        bounded = look.config.bound < NO_BOUND
        self.bound.set_data([look.config.bound] * 2 if bounded else [], [-0.6, 2.6] if bounded else [])
        self.bound_text.set_position((look.config.bound + 0.15, 2.56))
        self.bound_text.set_text("bound" if bounded else "")
        labels = [f"{row.group}\nn = {row.n:,}" for row in tables[0].itertuples()]
        self.text.set_text(bound_said(look))
        if [tick.get_text() for tick in self.ax.get_yticklabels()] != labels:
            self.ax.set_yticks(range(3), labels)
            self.refresh()

    @staticmethod
    def describe(look: AgeLook) -> str:
        """Return the picture in words, for those who do not see it."""
        rows = zip(as_trained(look.run).itertuples(), look.errors.itertuples(), strict=True)
        errors = "; ".join(
            f"{a.group} (n = {a.n}): {a.error:.1f} as trained, now {b.error:.1f} ({b.low:.1f} to {b.high:.1f}), "
            f"mean error {a.mean:+z.1f}, now {b.mean:+z.1f}"
            for a, b in rows
        )
        return f"Errors in years, root mean square. {errors}. {bound_said(look)} {caption(look.run.config)}."


def bound_said(look: AgeLook) -> str:
    """Return in one line what the bound does to the training."""
    head, natural = look.bounded.head, look.run.config.share
    errors = " and ".join(f"{error:.1f}" for error in head.errors)
    if look.config.bound >= NO_BOUND:
        return f"No bound. Training errors: {errors} years (indoors and outdoors)."
    kept = "kept" if head.met else f"cannot be kept, {max(head.errors):.1f} is the least"
    return (
        f"Bound {look.config.bound:.1f} years: {kept}. Training errors: {errors}.\n"
        f"Outdoors are {natural:.0%} of the faces and get {head.share:.0%} of the loss."
    )


class RepairPicture(LiveFigure):
    """The distributions of the predictions, their distance from parity, and who pays for the repair."""

    SIZE = (8.4, 2.9)

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            axes = [self.figure.add_axes((left, 0.165, 0.245, 0.6)) for left in (0.065, 0.395, 0.725)]
            self.shares = SharesPlot(axes[0], animated=True)
            self.distance, self.costs = axes[1:]
            self.distance.set(xlim=(-0.02, 1.02), ylim=(0, 0.6), xlabel="strength of the repair")
            self.distance.set_title("Distance from parity", fontsize=8.5)
            (self.curve,) = self.distance.plot([], [], color="#404040", lw=1.4, animated=True)
            (self.now,) = self.distance.plot([], [], "s", color="black", ms=7, animated=True)
            self.now_text = self.distance.text(0.95, 0.9, "", transform=self.distance.transAxes, ha="right",
                                               animated=True)  # fmt: skip
            self.costs.set(xlim=(-0.02, 1.02), ylim=(4, 16), xlabel="strength of the repair")
            self.costs.set_title("Error by group (years)", fontsize=8.5)
            styles = [*LOOKS, (IMPLICIT, "s", ":")]
            self.lines = [
                (self.costs.plot([], [], line, color=color, lw=1.5, animated=True)[0],
                 self.costs.plot([], [], marker, color=color, ms=6, animated=True)[0])
                for color, marker, line in styles
            ]  # fmt: skip
            handles = [
                mpl.lines.Line2D([], [], color=color, marker=marker, ls=line, ms=4, label=name)
                for (color, marker, line), name in zip(styles, (*GROUPS, "all"), strict=True)
            ]
            self.figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.055, 1.02), ncols=3, fontsize=8)
            self.figure.text(0.4, 0.955, "pale: as trained; dark: with bound and repair", fontsize=8, color="#606060")

    def update(self, look: AgeLook) -> None:
        self.shares.update(look)
        strength, known = look.config.strength, look.bounded
        self.curve.set_data(STRENGTHS, known.distances)
        self.now.set_data([strength], [look.distance])
        self.now_text.set_text(f"now {look.distance:.2f}")
        for i, (line, mark) in enumerate(self.lines):
            line.set_data(STRENGTHS, known.pay[:, i])
            mark.set_data([strength], [look.errors["error"][i]])
        if limits(look.run) != (self.costs.get_ylim(), self.distance.get_ylim()):
            costs, distances = limits(look.run)
            self.costs.set_ylim(costs)
            self.distance.set_ylim(distances)
            self.refresh()

    @staticmethod
    def describe(look: AgeLook) -> str:
        """Return the picture in words, for those who do not see it."""
        pay, distances = look.bounded.pay, look.bounded.distances
        costs = "; ".join(f"{name} {pay[0, i]:.1f} to {pay[-1, i]:.1f}" for i, name in enumerate((*GROUPS, "all")))
        return (
            f"Wasserstein repair with strength {look.config.strength:g}: distance from parity {distances[0]:.2f} "
            f"without, {look.distance:.2f} now, {distances[-1]:.2f} in full. "
            f"Errors in years from no repair to the full one: {costs}."
        )


class SharesPlot:
    """The share of each group whose predicted age is at most so many years: before (pale) and now."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax = ax
        ax.set(xlim=(AGES[0], AGES[-1]), ylim=(0, 1.02), xlabel="predicted age z (years)")
        ax.set_title("Share predicted up to z", fontsize=8.5)
        self.old = [ax.plot([], [], ls, color=c, lw=1.1, alpha=0.4, animated=animated)[0] for c, _, ls in LOOKS]
        self.new = [ax.plot([], [], ls, color=c, lw=1.6, animated=animated)[0] for c, _, ls in LOOKS]

    def update(self, look: AgeLook) -> None:
        group = look.run.outdoors
        for one in (0, 1):
            for lines, predictions in ((self.old, look.run.as_trained), (self.new, look.after)):
                values = predictions[group == one].sort().values.numpy()
                lines[one].set_data(AGES, np.searchsorted(values, AGES, side="right") / len(values))


class TrainingPicture(LiveFigure):
    """The error of each group on test faces while the network trains."""

    SIZE = (8.4, 1.9)

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            self.ax = self.figure.add_axes((0.07, 0.24, 0.76, 0.6))
            self.ax.set(ylim=(0, WORST), xlabel="step", ylabel="error (years)")
            self.lines = [
                self.ax.plot([], [], line, color=color, marker=marker, ms=4, lw=1.4, label=name, animated=True)[0]
                for name, (color, marker, line) in zip(GROUPS, LOOKS, strict=True)
            ]
            self.ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.05))
            self.title = self.ax.set_title("", fontsize=8.5)

    def update(self, result: AgeResult) -> None:
        steps = [e.step for e in result.evaluations]
        for i, line in enumerate(self.lines):
            line.set_data(steps, [min(e.errors[i], WORST) for e in result.evaluations])
        title = f"Test errors while it trains · {caption(result.config)}"
        if title != self.title.get_text() or self.ax.get_xlim()[1] != result.steps:
            self.title.set_text(title)
            self.ax.set_xlim(0, result.steps)
            self.refresh()

    @staticmethod
    def describe(result: AgeResult) -> str:
        """Return a run in words, for those who do not see its picture."""
        latest = result.evaluations[-1].errors if result.evaluations else ()
        known = "; ".join(f"{name} {error:.1f}" for name, error in zip(GROUPS, latest, strict=False))
        return (
            f"Training, {caption(result.config)}: step {result.step} of {result.steps}. "
            f"Test errors in years: {known or 'not yet known'}."
        )


def caption(config: AgeConfig) -> str:
    """Return what decides a run, in one line."""
    return (
        f"{config.share:.0%} outdoors, look {config.look:g} years older, oldest {config.gap:g} years younger · "
        f"{config.n_train:,} faces · seed {config.seed}"
    )


def plot_repair(result: AgeResult, strength: float = 1.0, *, ax: Axes | None = None) -> Axes:
    """Plot the predictions' distributions by group, as trained and repaired. Taught in: notebook 06."""
    ax = new_axes(ax, 5.0, 3.0)
    with mpl.rc_context(STYLE):
        plot = SharesPlot(ax)
        plot.update(AgeLook(AgeConfig(strength=strength), result))
        ax.legend(plot.new, GROUPS, loc="upper left")
    return ax
