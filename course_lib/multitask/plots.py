"""The pictures of lesson 05: how tasks pull before the first step, and what each gains from the others. None trains."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from course_lib.multitask.config import TASKS, Config
from course_lib.multitask.objective import Probe
from course_lib.multitask.result import MEASURES, Result
from course_lib.plotting import IMPLICIT, RUN_COLORS, STYLE, LiveFigure, new_axes, new_figure

COLORS = (*RUN_COLORS[:3], IMPLICIT)  # of the tasks, in their order
MARKS = "osD^"
PAIRS = tuple(combinations(TASKS, 2))
PAIR_LINES = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)))
ARM_STYLES = {
    "together": {"ls": "-", "marker": "o", "ms": 3.5},
    "alone": {"ls": "--", "marker": "o", "ms": 3.5, "mfc": "white"},
}
WORST_AGE = 25  # years of error that a picture shows; more is drawn at its edge
ROWS = np.arange(len(TASKS))


@dataclass(frozen=True, eq=False)
class Before:
    """A run that has not begun: its settings, and how its tasks pull at the trunk."""

    config: Config
    probe: Probe


class SharesPlot:
    """Each task's share of the summed loss, and of the lengths of the gradients in the trunk."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax = ax
        ax.set(title="who is heard: share of …", xlim=(0, 1), ylim=(3.6, -0.6), xticks=(0, 0.5, 1))
        ax.set_yticks(ROWS, TASKS)
        ax.grid(axis="y", visible=False)
        self.bars, self.texts = [], []
        for offset, alpha, name in ((-0.2, 1.0, "loss"), (0.2, 0.45, "gradient")):
            self.bars.append(ax.barh(ROWS + offset, 0.0, 0.36, color=COLORS, alpha=alpha, animated=animated))
            at = {"va": "center", "fontsize": 7.5, "animated": animated}
            self.texts.append([(ax.text(0, row + offset, "", **at), name) for row in ROWS])

    def update(self, tasks: tuple[str, ...], shares: tuple[np.ndarray, np.ndarray]) -> None:
        """Show the shares of the loss and of the gradient, each float [T] in the order of ``tasks``."""
        for bars, texts, found in zip(self.bars, self.texts, shares, strict=True):
            for row, task in enumerate(TASKS):
                share = float(found[tasks.index(task)]) if task in tasks else np.nan
                (text, name), inside = texts[row], share > 0.6
                bars[row].set_width(np.nan_to_num(share))
                text.set_text("" if np.isnan(share) else f"{name} {100 * share:.3g} %")
                text.set(
                    x=0.02 if inside else np.nan_to_num(share) + 0.02,
                    color="white" if inside and name == "loss" else "black",
                )


class CosinePlot:
    """The cosine between the gradients of each pair of tasks, as a table."""

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax = ax
        ax.set(title="cosine of gradients", xlim=(-0.5, 3.5), ylim=(3.5, -0.5))
        ax.set_xticks(ROWS, [task[:3] for task in TASKS])
        ax.set_yticks(ROWS, [task[:3] for task in TASKS])
        ax.grid(visible=False)
        blank = np.full((4, 4), np.nan)
        self.image = ax.imshow(blank, cmap="RdBu", vmin=-1, vmax=1, aspect="auto", animated=animated)
        at = {"ha": "center", "va": "center", "fontsize": 7.5, "animated": animated}
        self.texts = {(i, j): ax.text(j, i, "", **at) for i in ROWS for j in ROWS[:i]}  # once for each pair

    def update(self, tasks: tuple[str, ...], cosine: np.ndarray) -> None:
        """Show cosines, float [T, T] in the order of ``tasks``."""
        shown = np.full((4, 4), np.nan)
        columns = [TASKS.index(task) for task in tasks]
        shown[np.ix_(columns, columns)] = cosine
        self.image.set_data(shown)
        for (i, j), text in self.texts.items():
            text.set_text("" if np.isnan(shown[i, j]) else f"{shown[i, j]:.2f}".replace("-", "−"))
            text.set_color("white" if abs(np.nan_to_num(shown[i, j])) > 0.6 else "black")


class StartPicture(LiveFigure):
    """What can be said before the first step: who is heard, and who agrees."""

    SIZE = (5.4, 2.2)

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            self.shares = SharesPlot(self.figure.add_axes((0.11, 0.11, 0.45, 0.71)), animated=True)
            self.cosine = CosinePlot(self.figure.add_axes((0.66, 0.11, 0.33, 0.71)), animated=True)
            text = "before the first step, on 128 training faces with all their labels"
            self.figure.text(0.01, 0.985, text, fontsize=8.5, color="#404040", va="top")

    def update(self, before: Before) -> None:
        probe = before.probe
        self.shares.update(probe.tasks, (probe.loss_shares().numpy(), probe.gradient_shares().numpy()))
        self.cosine.update(probe.tasks, probe.cosine.numpy())

    @staticmethod
    def describe(before: Before) -> str:
        """Return in words what the picture shows, for those who do not see it."""
        probe, pairs = before.probe, combinations(range(len(before.probe.tasks)), 2)
        heard = ", ".join(
            f"{task} {100 * loss:.3g} % of the loss and {100 * pull:.3g} % of the gradient"
            for task, loss, pull in zip(probe.tasks, probe.loss_shares(), probe.gradient_shares(), strict=True)
        )
        cosine = ", ".join(f"{probe.tasks[i]} and {probe.tasks[j]} {probe.cosine[i, j]:.2f}" for i, j in pairs)
        return f"Before the first step: {heard}." + (f" Cosine of gradients: {cosine}." if cosine else "")


class TaskPlot:
    """How good one task is at each evaluation, together and alone."""

    def __init__(self, ax: Axes, task: str, *, animated: bool = False):
        self.ax, self.task, i = ax, task, TASKS.index(task)
        years = task == "age"
        ax.set(xlabel="step", xlim=(0, 1), ylim=(0, WORST_AGE) if years else (0.45, 1.02))
        kind = {"color": COLORS[i], "lw": 1.3, "animated": animated}
        self.lines = {arm: ax.plot([], [], label=arm, **kind | style)[0] for arm, style in ARM_STYLES.items()}

    def update(self, result: Result) -> bool:
        """Show ``result``; return whether anything but the moving parts has changed."""
        rows = result.curves()
        rows = rows[rows["task"] == self.task]
        for arm, line in self.lines.items():
            found = rows[rows["arm"] == arm]
            line.set_data(found["step"], found["value"].clip(upper=WORST_AGE if self.task == "age" else 1.0))
        on = self.task in result.config.tasks
        n = result.config.labels[TASKS.index(self.task)]
        title = f"{self.task}: {MEASURES[self.task]}\n{n:,} labels" if on else f"{self.task}: not learned\n"
        changed = self.ax.get_title(loc="left") != title or self.ax.get_xlim() != (0, 1.03 * result.steps)
        self.ax.set_title(title, loc="left", fontsize=9)  # named: the style holds only while axes are made
        self.ax.set_xlim(0, 1.03 * result.steps)
        return changed


class CurvesPicture(LiveFigure):
    """The live picture of a run: each task on test faces, together and alone."""

    SIZE = (8.4, 2.25)

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            spans = [(0.045 + 0.245 * i, 0.19, 0.205, 0.55) for i in ROWS]
            self.plots = [
                TaskPlot(self.figure.add_axes(span), task, animated=True)
                for task, span in zip(TASKS, spans, strict=True)
            ]
            arms = [Line2D([], [], color="black", **style) for style in ARM_STYLES.values()]
            self.figure.legend(arms, list(ARM_STYLES), loc="upper right", ncols=2, fontsize=8, borderaxespad=0.2)
            self.title = self.figure.text(0.01, 0.985, "", fontsize=8, color="#404040", va="top")

    def update(self, result: Result) -> None:
        changed = [plot.update(result) for plot in self.plots]
        text = caption(result.config)
        if any(changed) or text != self.title.get_text():
            self.title.set_text(text)
            self.refresh()

    @staticmethod
    def describe(result: Result) -> str:
        """Return a run in words, for those who do not see its picture."""
        begin = f"{result.config.named()}; {caption(result.config)}. Step {result.step} of {result.steps}"
        known = ", ".join(
            f"{row.task} {row.together:.3g} together"
            + (f" and {row.alone:.3g} alone" if row.task in result.config.compared() else "")
            + f" ({row.measure})"
            for row in result.table().itertuples()
        )
        return f"{begin}: {known}." if known else f"{begin}."


class PullsPicture(LiveFigure):
    """How the tasks pull at the shared trunk while it learns: cosines, shares of the gradient, weights."""

    SIZE = (8.4, 2.25)
    SPANS = ((0.055, 0.25), (0.475, 0.19), (0.725, 0.19))

    def __init__(self, figure: Figure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            axes = [self.figure.add_axes((left, 0.19, width, 0.68)) for left, width in self.SPANS]
            self.cosine, self.share, self.weight = axes
            self.cosine.set(title="cosine of gradients", ylim=(-1, 1))
            self.share.set(title="share of the gradient", ylim=(-0.02, 1.02))
            self.weight.set(title="weight of the loss", yscale="log", ylim=(1e-4, 1e3))
            self.pairs = [
                self.cosine.plot([], [], ls=style, color=color, lw=1.4, animated=True, label=" · ".join(pair))[0]
                for pair, style, color in zip(PAIRS, PAIR_LINES, RUN_COLORS, strict=False)
            ]
            self.cosine.legend(loc="upper left", bbox_to_anchor=(0.99, 1.05), fontsize=7, handlelength=2.4)
            self.shares, self.weights = ([self._line(ax, i) for i in ROWS] for ax in (self.share, self.weight))
            self.weight.legend(loc="upper left", bbox_to_anchor=(0.98, 1.05), fontsize=7, handlelength=1.2)
            for ax in axes:
                ax.set(xlabel="step", xlim=(0, 1))

    @staticmethod
    def _line(ax: Axes, i: int) -> Line2D:
        style = {"color": COLORS[i], "marker": MARKS[i], "ms": 2.5, "lw": 1.2, "animated": True}
        return ax.plot([], [], label=TASKS[i], **style)[0]

    def update(self, result: Result) -> None:
        tasks, steps = result.config.tasks, [probe.step for probe in result.probes]
        for line, (one, other) in zip(self.pairs, PAIRS, strict=True):
            both = one in tasks and other in tasks
            line.set_data(steps if both else [], result.cosine(one, other)["cosine"] if both else [])
        for i, task in enumerate(TASKS):
            on, column = task in tasks, tasks.index(task) if task in tasks else 0
            self.shares[i].set_data(
                steps if on else [], [float(probe.gradient_shares()[column]) for probe in result.probes] if on else []
            )
            known = np.clip(result.weights()[:, column].numpy(), *self.weight.get_ylim()) if on else []
            self.weights[i].set_data(steps if on else [], known)
        if self.cosine.get_xlim() != (limits := (0, 1.03 * result.steps)):
            for ax in (self.cosine, self.share, self.weight):
                ax.set_xlim(limits)
            self.refresh()

    @staticmethod
    def describe(result: Result) -> str:
        """Return the latest of the pulls in words, for those who do not see the picture."""
        probe, tasks = result.probes[-1], result.config.tasks
        shares = ", ".join(
            f"{task} {100 * share:.3g} % of the gradient at weight {weight:.3g}"
            for task, share, weight in zip(tasks, probe.gradient_shares(), probe.weights, strict=True)
        )
        pairs = combinations(range(len(tasks)), 2)
        cosine = ", ".join(f"{tasks[i]} and {tasks[j]} {probe.cosine[i, j]:.2f}" for i, j in pairs)
        return f"At step {probe.step}: {shares}." + (f" Cosine of gradients: {cosine}." if cosine else "")


def caption(config: Config) -> str:
    """Return what is the same for all tasks of a run, in one line."""
    age = f" · age {config.unit if config.unit == 'standardised' else 'in years'}" if "age" in config.tasks else ""
    weights = "learned weights" if config.balance == "uncertainty" else "weights as set"
    return (
        f"on test faces · {config.n_train:,} training faces · camera noise {config.noise}{age} · {weights}"
        f" · {config.epochs} epochs · seed {config.seed}"
    )


def plot_task(result: Result, task: str = "smile", *, ax: Axes | None = None) -> Axes:
    """Plot how good a task of a run is on test faces, together and alone, over the steps. Taught in: notebook 05."""
    alone = ax is None
    ax = new_axes(ax, 4.5, 2.8)
    with mpl.rc_context(STYLE if alone else {}):
        TaskPlot(ax, task).update(result)
        ax.legend(loc="best")
    return ax


def plot_cosines(result: Result, *, ax: Axes | None = None) -> Axes:
    """Plot the cosine between the gradients of a run's tasks over the steps. Taught in: notebook 05."""
    alone = ax is None
    ax = new_axes(ax, 6.0, 2.8)
    with mpl.rc_context(STYLE if alone else {}):
        for (one, other), style, color in zip(PAIRS, PAIR_LINES, RUN_COLORS, strict=False):
            if one in result.config.tasks and other in result.config.tasks:
                found = result.cosine(one, other)
                ax.plot(found["step"], found["cosine"], ls=style, color=color, label=f"{one} · {other}")
        ax.axhline(0, color="black", lw=0.8)
        ax.set(title="cosine of the tasks' gradients in the trunk", xlabel="step", ylabel="cosine", ylim=(-1, 1))
        ax.legend(loc="upper right", ncols=3)
    return ax
