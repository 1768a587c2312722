"""Lesson 06's stored trainings: what the notebook says of its methods is what the table holds."""

import pandas as pd
import pytest

from course_lib.bench.repairs import RUNS, SEEDS
from course_lib.data.faces import GROUPS
from course_lib.fairness.stored import THREE_SEEDS, three_seeds


@pytest.fixture(scope="module")
def rows():
    return pd.read_csv(THREE_SEEDS)


def test_it_holds_every_run_once(rows):
    assert [*rows[["method", "seed"]].itertuples(index=False, name=None)] == [(m, s) for m in RUNS for s in SEEDS]
    assert rows[[*GROUPS, "equalized odds"]].map(lambda share: 0 <= share <= 1).all(axis=None)


def test_the_table_shows_mean_and_range_of_every_method():
    table = three_seeds()
    assert [*table.index] == [*RUNS]
    assert [*table.columns] == [*GROUPS, "equalized odds"]
    assert table.loc["StdM", "woman, smiling"] == "0.84 (0.81 to 0.85)"


def test_what_the_text_says_of_the_methods_is_so(rows):
    smiling = rows.groupby("method")["woman, smiling"].agg(["mean", "min", "max"])
    told = ["UpWt", "DFR", "FERMI"]
    assert (smiling.loc[told, "mean"] > smiling.loc["StdM", "mean"]).all()
    assert (smiling.loc[told, "mean"] < smiling.loc["StdM, balanced data", "mean"]).all()
    assert round(smiling.loc["StdM", "max"], 2) == 0.85
    assert round(smiling.loc[["DFR", "FERMI"], "min"].min(), 2) == 0.86
    means = rows.groupby("method")[list(GROUPS)].mean()
    for payer in ("man, smiling", "woman, not smiling"):
        assert means.loc["UpWt", payer] < means.loc["StdM", payer]
    assert means.loc["JTT"].min() < means.loc["StdM"].min()
