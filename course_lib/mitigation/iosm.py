"""The picture of runs compared: how much better than the standard model each is, group by group."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes

from course_lib import metrics
from course_lib.data.biased_mnist import VARIABLES
from course_lib.errors import CourseError
from course_lib.mitigation.config import Config
from course_lib.mitigation.plots import ROWS, TITLES
from course_lib.mitigation.result import GROUPS, Result
from course_lib.plotting import RUN_COLORS, STYLE, LiveFigure, new_axes, new_figure


def plot_iosm(
    results: Sequence[Result], standards: Sequence[Result], *, axes: Sequence[Axes] | None = None
) -> Sequence[Axes]:
    """Plot each run's improvement over the standard model (IOSM), for majority and minority groups.

    ``standards`` holds for each run the StdM run that it is compared with; ``axes`` are two axes, or None
    for new ones. Raises `CourseError` if the two differ in length. Taught in: notebook 07.
    """
    if len(results) != len(standards):
        raise CourseError(f"Each run needs its StdM run: there are {len(results)} runs and {len(standards)} standards.")
    if axes is None:
        axes = new_axes(None, 8.0, 3.0, columns=2)
        with mpl.rc_context(STYLE):
            plot_iosm(results, standards, axes=axes)
            axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper")
        return axes
    for ax, group in zip(axes, GROUPS, strict=True):
        ax.set(title=f"IOSM, {group}", xlabel="accuracy - accuracy of StdM", ylim=(6.6, -0.6))
        ax.axvline(0, color="black", lw=0.8)
        ax.set_yticks(ROWS, TITLES if ax is axes[0] else [""] * 7)
        for i, (result, standard) in enumerate(zip(results, standards, strict=True)):
            table = metrics.iosm(result.groups(), standard.groups())
            values = table.loc[table["group"] == group, "iosm"]
            offset = 0.6 * ((i + 0.5) / len(results) - 0.5)
            color, marker = RUN_COLORS[i % len(RUN_COLORS)], "oDs^vP*X"[i % 8]
            ax.plot(values, ROWS + offset, marker, color=color, ms=5, label=label(result.config))
    widest = max(0.1, *(abs(end) for ax in axes for end in ax.get_xlim()))
    for ax in axes:  # one scale for both, on which no difference looks like none
        ax.set_xlim(-widest, widest)
        ax.locator_params(axis="x", nbins=5)
    return axes


def label(config: Config) -> str:
    """Return a run's name in a legend: method, what it is told, strength, digits and seed."""
    strength = "mixed" if isinstance(config.strength, tuple) else f"{config.strength:.2f}"
    told = f" ({VARIABLES[config.told].title})" if config.told else ""
    return f"{config.named()}{told}\n{strength}, {config.source}, seed {config.seed}, {config.epochs} epochs"


class IOSMPicture(LiveFigure):
    """The kept runs in one picture: IOSM of majority and minority, and who is who."""

    def __init__(self, width: float = 8.4, height: float = 2.8):
        super().__init__(new_figure(width, height))

    def update(self, results: Sequence[Result], standards: Sequence[Result]) -> None:
        """Compare ``results`` with the StdM run of each; without any, say what is missing."""
        self.figure.clear()
        self.refresh()
        if not results:
            text = "IOSM compares with StdM at the same settings:\nchoose the method StdM and run it."
            self.figure.text(0.5, 0.5, text, ha="center", va="center", color="#404040", fontsize=9)
            return
        with mpl.rc_context(STYLE):
            axes = [self.figure.add_axes((left, 0.16, 0.26, 0.74)) for left in (0.145, 0.44)]
            plot_iosm(results, standards, axes=axes)
            self.figure.legend(*axes[0].get_legend_handles_labels(), loc="upper left", bbox_to_anchor=(0.71, 0.93))
