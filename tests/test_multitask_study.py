"""Lesson 05's study: its rows are paired, and measure what a run of the lesson finds."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from course_lib import multitask as multitask_lesson
from course_lib import study
from course_lib.multitask import run
from course_lib.plotting import new_figure
from course_lib.study import multitask
from course_lib.training import finish


def test_rows_of_a_seed_differ_in_the_tasks_alone():
    rows = multitask.plan("bundled", 2)
    assert len(rows) == sum(map(len, multitask.ASKED.values())) + len(multitask.ASKED[multitask.EVERY_SEED])
    assert {arm for arms in multitask.ASKED.values() for arm in arms} == set(multitask.ARMS)
    assert len({tuple(row.values()) for row in rows}) == len(rows)
    configs = [multitask.config_of(row) for row in rows]
    assert {config.tasks[0] for config in configs} == {"smile"}
    assert [config.seed for config in configs] == [row["seed"] for row in rows]
    assert sum(config.unit == "years" for config in configs) == 1
    assert study.find("multitask") is multitask.STUDY


@pytest.mark.parametrize("arm", ["alone", "gender", "age in years"])
def test_a_row_is_what_a_run_finds(arm):
    row = multitask.plan("bundled", 1)[0] | {"arm": arm, "n_train": 200, "epochs": 2}
    config = multitask.config_of(row)
    found = run(config, progress=False).table()["together"][0]
    assert finish(multitask.measure(row))["accuracy"] == pytest.approx(found, abs=6e-4)


# The stored study, and what notebook 05 says of it


@pytest.fixture(scope="module")
def stored():
    return multitask_lesson.study()


def test_the_stored_study_is_the_plan_and_was_made_in_one_way(stored):
    seeds = stored["seed"].nunique()
    rows = stored.rename(columns={"beside": "arm"})
    done = {(row.seed, row.smile_labels, row.arm) for row in rows.itertuples()}
    plan = multitask.plan("bundled", seeds)
    assert len(stored) == len(plan)
    assert done == {(row["seed"], row["smile_labels"], row["arm"]) for row in plan}
    for name, value in multitask.FIXED.items():
        assert set(stored[name]) == {value}, name


def made_up(seed=0, n=7):
    """Rows as the study's, of two arms whose accuracies are drawn."""
    draw = np.random.default_rng(seed)
    alone, gender = draw.uniform(0.5, 1, (2, n))
    return pd.DataFrame(
        [
            {"smile_labels": 100, "beside": beside, "seed": i, "accuracy": accuracy[i]}
            for beside, accuracy in (("alone", alone), ("gender", gender))
            for i in range(n)
        ]
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_summary_is_scipys_paired_t_interval(seed):
    rows = made_up(seed).sample(frac=1, random_state=seed)  # in any order
    by_seed = rows.pivot(index="seed", columns="beside", values="accuracy")
    interval = stats.ttest_rel(by_seed["gender"], by_seed["alone"]).confidence_interval(0.95)
    table = multitask_lesson.summarise(rows).set_index("beside")
    found = table.loc["gender"]
    assert (found["low"], found["high"]) == pytest.approx((interval.low, interval.high))
    assert found["gain"] == pytest.approx((by_seed["gender"] - by_seed["alone"]).mean())
    assert found["better"] == (by_seed["gender"] > by_seed["alone"]).sum()
    assert found["learned"] == (by_seed["gender"] >= 0.8).sum()
    assert table.loc["alone", ["gain", "low", "high", "better"]].isna().all()


def test_the_plot_shows_every_gain_and_its_mean(stored):
    ax = multitask_lesson.plot_study(ax=new_figure(6, 4).add_subplot())
    gains = multitask_lesson.gains()
    drawn = sorted(x for line in ax.lines if line.get_marker() == "o" for x in line.get_xdata())
    assert drawn == sorted(gains["gain"])
    means = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "D"]
    assert means == list(gains.groupby(["smile_labels", "beside"], sort=False)["gain"].mean())


def test_what_the_study_shows(stored):
    """Gender helps and age in years hurts, beyond chance; age in its own unit does neither by much."""
    table = multitask_lesson.summarise(stored).set_index(["smile_labels", "beside"])
    assert table.loc[(100, "gender"), "low"] > 0
    assert table.loc[(500, "age in years"), "high"] < -0.4
    assert table.loc[(500, "age"), ["low", "high"]].abs().max() < 0.01
