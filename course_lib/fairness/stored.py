"""Results that come with the kit, because they take minutes: some methods of lesson 06 over three seeds."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

THREE_SEEDS = Path(__file__).parents[2] / "data" / "lesson06_three_seeds.csv"


def three_seeds() -> pd.DataFrame:
    """Return how well some methods read each group: mean (lowest to highest) over seeds 0, 1 and 2.

    Everything else as by default; one row per method, and one for balanced data. Columns: the accuracy in the four
    groups, and the equalized odds difference. Made by ``python -m course_lib bench repairs``. Taught in: notebook 06.
    """
    rows = pd.read_csv(THREE_SEEDS)
    by_method = rows.drop(columns="seed").groupby("method", sort=False)
    return by_method.agg(lambda one: f"{one.mean():.2f} ({one.min():.2f} to {one.max():.2f})")
