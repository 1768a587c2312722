"""Results that come with the kit, because they take minutes: lesson 03's claim, on MNIST."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from course_lib.metrics import t95
from course_lib.plotting import MAJORITY, MINORITY, STYLE, new_axes

STUDY = Path(__file__).parents[2] / "data" / "study_augmentation.csv"
REPORTED = {"without": 98.07, "with": 98.44}  # per cent; by the class exercise that the study follows


def study() -> pd.DataFrame:
    """Return one row per run of the stored study: training, seed, accuracy (%), and the whole configuration.

    An MLP of 100 hidden units, trained on MNIST's 60,000 training digits without and with translation, tested
    on its 10,000 test digits; made by ``python -m course_lib study augmentation --source mnist``, whose
    docstring (``course_lib/study/augmentation.py``) says how the settings were chosen. Taught in: notebook 03.
    """
    rows = pd.read_csv(STUDY)
    training = np.where(rows["shift"] > 0, "with", "without")
    table = rows.assign(training=training, accuracy=100 * rows["accuracy"])
    front = ["training", "seed", "accuracy"]
    return table[front + [name for name in table if name not in front]]


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row per training: n, mean, standard deviation, lowest, highest (%), and what the source reports."""
    table = rows.groupby("training", sort=False)["accuracy"].agg(["count", "mean", "std", "min", "max"])
    names = {"count": "n (seeds)", "std": "sd", "min": "lowest", "max": "highest"}
    return table.rename(columns=names).assign(reported=pd.Series(REPORTED))


def plot_study(rows: pd.DataFrame | None = None, *, ax: Axes | None = None) -> Axes:
    """Plot the accuracy of each run of the study (default: the stored one), their means and what was reported.

    A thin line joins the two runs of a seed; the bars are 95 % intervals of the mean over seeds (Student's t).
    Taught in: notebook 03.
    """
    rows = study() if rows is None else rows
    ax = new_axes(ax, 6.0, 3.2)
    with mpl.rc_context(STYLE):
        for _, pair in rows.groupby("seed"):
            ax.plot(pair["training"], pair["accuracy"], color="#b8b8b8", lw=0.8, zorder=1)
        for x, (training, color, shape) in enumerate((("without", MAJORITY, "o"), ("with", MINORITY, "D"))):
            found = rows.loc[rows["training"] == training, "accuracy"]
            ax.plot(np.full(len(found), x), found, shape, color=color, ms=5, alpha=0.7)
            half = t95(len(found) - 1) * found.std() / math.sqrt(len(found))
            ax.errorbar(x + 0.12, found.mean(), half, fmt=shape, color="black", ms=4, capsize=4, lw=1.2)
            ax.plot(x - 0.14, REPORTED[training], "*", color="black", ms=9, mfc="white")
            text = f"mean {found.mean():.2f}\nn = {len(found)} seeds"
            ax.annotate(text, (x + 0.18, found.mean()), va="center", fontsize=8)
        ax.plot([], [], "*", color="black", mfc="white", ms=9, label="reported by the source")
        ax.plot([], [], "k.", label="mean over seeds, 95 %")
        ax.set(xlim=(-0.4, 1.6), xlabel="translation in training", ylabel="right test digits of 10,000 (%)")
        ax.legend(loc="upper left")
    return ax
