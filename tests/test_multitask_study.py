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
from course_lib.multitask import Config, run
from course_lib.plotting import new_figure
from course_lib.runs import finish
from course_lib.study import multitask


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
    plan = multitask.plan("bundled", stored["seed"].nunique())
    done = list(stored[["seed", "smile_labels", "beside"]].itertuples(index=False, name=None))
    assert done == [(row["seed"], row["smile_labels"], row["arm"]) for row in plan]
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
    assert means == pytest.approx(list(gains.groupby(["smile_labels", "beside"], sort=False)["gain"].mean()))


def test_what_the_study_shows(stored):
    """Gender helps and age in years hurts, beyond chance; age in its own unit does neither by much."""
    table = multitask_lesson.summarise(stored).set_index(["smile_labels", "beside"])
    assert table.loc[(100, "gender"), "low"] > 0
    assert table.loc[(500, "age in years"), "high"] < -0.4
    assert table.loc[(500, "age"), ["low", "high"]].abs().max() < 0.01


ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def notebook():
    return json.loads((ROOT / "notebooks" / "05_multitask_learning.ipynb").read_text("utf-8"))["cells"]


@pytest.fixture(scope="module")
def said(notebook):
    """All text of the notebook, with plain minus signs."""
    return " ".join("".join(c["source"]) for c in notebook if c["cell_type"] == "markdown").replace("−", "-")


def short(number, digits=3):
    return f"{number:.{digits}f}".replace("0.", ".", 1)


def test_the_notebook_says_what_the_study_shows(stored, said):
    table = multitask_lesson.summarise(stored).set_index(["smile_labels", "beside"])
    alone, gender, coin = (table.loc[(100, beside)] for beside in ("alone", "gender", "coin"))
    years, age, plenty = (table.loc[(500, beside)] for beside in ("age in years", "age", "alone"))
    by_seed = stored[stored["smile_labels"] == 100].pivot(index="seed", columns="beside", values="accuracy")
    gains = by_seed["gender"] - by_seed["alone"]
    stuck = by_seed["alone"] < 0.6
    more = by_seed["gender"] - by_seed["coin"]
    interval = stats.ttest_1samp(more, 0).confidence_interval(0.95)
    n, few = int(alone["n"]), int(years["n"])
    for claim in (
        f"Here are {n}, trained beforehand (`python -m course_lib study multitask --seeds {n}`)",
        f"Alone, {alone['learned']:.0f} of the {n} networks have learned the smile (an accuracy of 0.80 or more), "
        f"beside gender {gender['learned']:.0f}",
        f"mean gain is {short(gender['gain'])}, with a 95 % interval from {short(gender['low'])} to "
        f"{short(gender['high'])}",
        f"one seed is *worse* by {short(-gains.min(), 2)}",
        f"none of the {few} networks learns the smile: the mean accuracy is {short(years['mean'], 2)}, against "
        f"{short(plenty['mean'], 2)} alone, and all {few} lose",
        f"from {short(age['low'])} to {short(age['high'])}",
        f"{coin['learned']:.0f} of {n} networks learn the smile, against {alone['learned']:.0f} alone and "
        f"{gender['learned']:.0f} with gender",
        f"mean gain is {short(coin['gain'])}, with an interval from {short(coin['low'])} to {short(coin['high'])}",
        f"Gender is better than the coin by {short(more.mean())} on average; the interval of these {n} differences "
        f"goes from {short(interval.low)} to {short(interval.high)}",
        f"the coin brings the smile to {short(by_seed.loc[0, 'coin'], 2)}",
        f"of the {int(stuck.sum())} networks that are stuck near guessing alone (below 0.60), gender gets "
        f"{int((gains[stuck] > 0.4).sum())} loose, by more than .4",
        f"in years it starts at about {round(float(multitask_lesson.start(Config(unit='years')).loss[1]), -2):,.0f},",
    ):
        assert claim in said, claim
    assert (years["learned"], years["better"]) == (0, 0)
    assert (gains < -0.1).sum() == 1
    assert gains[by_seed["alone"] >= 0.8].median() < 0.01


def test_the_notebook_says_what_its_own_runs_show(notebook, said):
    outputs = "".join(
        "".join(output.get("text", "")) for cell in notebook for output in cell.get("outputs", []) if cell["outputs"]
    )
    together, alone = map(float, re.search(r"smile +100 accuracy 2000 +([\d.]+) +([\d.]+)", outputs).groups())
    assert alone < 0.6 < 0.8 < together
    learned = re.search(r"in years, learned weights +([\d.]+) +[\d.]+ +([\d.]+) +([\d.]+) +([\d.]+)", outputs)
    smile, other, weight, share = map(float, learned.groups())
    assert f"from 0.5 for the age to {weight:.3f}" in said
    assert smile < 0.6 < other < 0.8  # near guessing; in part
    assert 0.7 < share < 0.8  # three quarters
    in_years = re.search(r"in years +([\d.]+) +[\d.]+ +([\d.]+) +1\.000", outputs)
    assert max(map(float, in_years.groups())) < 0.6
    standard = re.search(r"standardised +([\d.]+) +[\d.]+ +([\d.]+) +1\.000", outputs)
    assert float(standard[1]) > 0.95
    before, after = re.findall(r"loss ([\d.]+), gradient is NaN for (\d+) of 256", outputs)
    assert before[0] == after[0]
    assert before[1] == "0" != after[1]
    predicted = re.findall(r"(smile|gender): predicted (\S+), measured (\S+)", outputs)
    assert len(predicted) == 2
    for _, told, measured in predicted:
        assert float(measured) == pytest.approx(float(told), rel=0.1)
