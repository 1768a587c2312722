"""Results that come with the kit, because they take minutes: what other tasks did to the smile, over seeds."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from course_lib.metrics import t95
from course_lib.plotting import MAJORITY, MINORITY, STYLE, new_axes

STUDY = Path(__file__).parents[2] / "data" / "study_multitask.csv"
ALONE = "alone"
LEARNED = 0.8  # accuracy from which a run is said to have learned the smile


def study() -> pd.DataFrame:
    """Return one row per network of the stored study: smile_labels, beside, seed, accuracy, and the configuration.

    beside: what was learned beside the smile; "alone" is nothing. accuracy: 0 to 1, of the smile on 2,000 test
    faces. Rows of the same seed share faces, labels, start and batches. Made by ``python -m course_lib study
    multitask``, whose docstring (``course_lib/study/multitask.py``) says how the settings were chosen.
    Taught in: notebook 05.
    """
    rows = pd.read_csv(STUDY).rename(columns={"arm": "beside"})
    front = ["smile_labels", "beside", "seed", "accuracy"]
    return rows[front + [name for name in rows if name not in front]]


def gains(rows: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row for each run beside another task: smile_labels, beside, seed, gain over the same seed alone.

    rows: as `study` returns them, which is the default. Taught in: notebook 05.
    """
    rows = study() if rows is None else rows
    key = ["smile_labels", "seed"]
    alone = rows[rows["beside"] == ALONE].set_index(key)["accuracy"].rename("alone")
    table = rows[rows["beside"] != ALONE].join(alone, on=key)
    return table.assign(gain=table["accuracy"] - table["alone"])[["smile_labels", "beside", "seed", "gain"]]


def summarise(rows: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row for each number of labels and each task beside the smile.

    Columns: n (seeds), learned (networks with an accuracy of 0.8 or more), mean and sd (of the accuracy, 0 to 1), gain
    (mean over seeds of the difference to the same seed alone), low and high (its 95 % interval, Student's t), better
    (seeds that gained). Taught in: notebook 05.
    """
    rows = study() if rows is None else rows
    key = ["smile_labels", "beside"]
    table = rows.groupby(key, sort=False)["accuracy"].agg(
        n="count", learned=lambda found: int((found >= LEARNED).sum()), mean="mean", sd="std"
    )
    gain = (
        gains(rows)
        .groupby(key, sort=False)["gain"]
        .agg(gain="mean", reach=reach, better=lambda found: int((found > 0).sum()))
    )
    table = table.join(gain)
    table["better"] = table["better"].astype("Int64")
    table = table.assign(low=table["gain"] - table["reach"], high=table["gain"] + table["reach"])
    return table[["n", "learned", "mean", "sd", "gain", "low", "high", "better"]].reset_index()


def reach(found: pd.Series) -> float:
    """Return half the width of the 95 % interval of a mean (Student's t); NaN for fewer than two values."""
    return t95(len(found) - 1) * found.std() / math.sqrt(len(found))


def plot_study(rows: pd.DataFrame | None = None, *, ax: Axes | None = None) -> Axes:
    """Plot what each run gained from what was learned beside the smile, the means, and their 95 % intervals.

    Each dot is a seed: the accuracy minus that of the same seed alone. Taught in: notebook 05.
    """
    table = gains(rows)
    ax = new_axes(ax, 7.2, 3.2)
    groups = list(table.groupby(["smile_labels", "beside"], sort=False))
    with mpl.rc_context(STYLE):
        for row, (_, found) in enumerate(groups):
            mean, half = found["gain"].mean(), reach(found["gain"])
            shown = "#606060" if mean - half <= 0 <= mean + half else MAJORITY if mean > 0 else MINORITY
            spread = np.linspace(-0.14, 0.14, len(found))  # so that equal dots can be told apart
            ax.plot(found["gain"], row - 0.1 + spread, "o", color=shown, ms=4, alpha=0.5)
            ax.errorbar(mean, row + 0.28, xerr=half, fmt="D", color=shown, ms=5, capsize=4, lw=1.4)
        ax.set_yticks(range(len(groups)), [f"{beside}\n({labels} smile labels)" for (labels, beside), _ in groups])
        ax.axvline(0, color="black", lw=0.8)
        ax.set(ylim=(len(groups) - 0.4, -0.6), xlabel="gain in smile accuracy over the same seed alone")
    return ax
