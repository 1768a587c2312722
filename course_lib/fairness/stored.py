"""Results that come with the kit, because they take minutes: the methods of lesson 06 over three seeds."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from course_lib.data.faces import GROUPS
from course_lib.metrics import mean_and_range

THREE_SEEDS = Path(__file__).parents[2] / "data" / "lesson06_three_seeds.csv"
DECAYS = (0.1, 1.0)  # of the weights; the first is the default of a run
BALANCED_DATA = "StdM, balanced data"  # not a method, but what one would wish for
SHOWN = ("StdM", BALANCED_DATA, "UpWt", "DFR", "FERMI", "JTT")


def three_seeds() -> pd.DataFrame:
    """Return how well some methods read each group: mean (lowest to highest) over seeds 0, 1 and 2.

    Everything else as by default; one row per method, and one for balanced data. Columns: the accuracy in the four
    groups, and the equalized odds difference. Made by ``python -m course_lib bench repairs``. Taught in: notebook 06.
    """
    rows = pd.read_csv(THREE_SEEDS)
    rows = rows[(rows["weight_decay"] == DECAYS[0]) & rows["method"].isin(SHOWN)]
    by_method = rows.drop(columns=["seed", "weight_decay"]).groupby("method", sort=False)
    return by_method.agg(mean_and_range).loc[list(SHOWN)]


def weight_decays() -> pd.DataFrame:
    """Return what a weight decay of 0.1 and of 1 makes of every method: mean (lowest to highest) over three seeds.

    One row per method. Columns: the accuracy, mean of the four groups, and that of the worst group, at both weight
    decays. Made by ``python -m course_lib bench repairs``. Taught in: notebook 06.
    """
    rows = pd.read_csv(THREE_SEEDS)
    rows = rows[rows["method"] != BALANCED_DATA]
    groups = rows[list(GROUPS)]
    rows = rows.assign(**{"all groups": groups.mean(axis=1), "worst group": groups.min(axis=1)})
    columns = [
        part.groupby("method", sort=False)[name].agg(mean_and_range).rename(f"{name}, decay {decay:g}")
        for name in ("all groups", "worst group")
        for decay, part in rows.groupby("weight_decay")
    ]
    return pd.concat(columns, axis=1)
