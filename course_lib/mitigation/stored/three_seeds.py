"""What lesson 07 claims of the laptop's own setting, over three seeds."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

THREE_SEEDS = Path(__file__).parents[3] / "data" / "lesson07_three_seeds.csv"


def three_seeds() -> pd.DataFrame:
    """Return a table of all methods at strength 0.5, told the distractor shape: mean (lowest to highest).

    Over seeds 0, 1 and 2, bundled digits, everything else as by default. One row per method; columns:
    unbiased accuracy, MMD of the variable that is told, mean MMD of the other six. Made by
    ``python -m course_lib bench findings``. Taught in: notebook 07.
    """
    rows = pd.read_csv(THREE_SEEDS).query("strength == 0.5")
    text = [f"{r.mean:.2f} ({r.lowest:.2f} to {r.highest:.2f})" for r in rows.itertuples()]
    table = rows.assign(text=text).pivot(index="method", columns="quantity", values="text")
    return table.loc[rows["method"].unique(), rows["quantity"].unique()].rename_axis(columns=None)
