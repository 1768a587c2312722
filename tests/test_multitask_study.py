"""Lesson 05's study: its rows are paired, and measure what a run of the lesson finds."""

import pytest

from course_lib import study
from course_lib.multitask import run
from course_lib.study import multitask
from course_lib.training import finish


def test_rows_of_a_seed_differ_in_the_tasks_alone():
    rows = multitask.plan("bundled", 2)
    assert len(rows) == 2 * len(multitask.SMILE_LABELS) * len(multitask.ARMS)
    assert len({tuple(row.values()) for row in rows}) == len(rows)
    configs = [multitask.config_of(row) for row in rows]
    assert {config.tasks[0] for config in configs} == {"smile"}
    assert [config.seed for config in configs] == [row["seed"] for row in rows]
    assert sum(config.unit == "years" for config in configs) == 4
    assert study.find("multitask") is multitask.STUDY


@pytest.mark.parametrize("arm", ["alone", "gender", "age in years"])
def test_a_row_is_what_a_run_finds(arm):
    row = multitask.plan("bundled", 1)[0] | {"arm": arm, "n_train": 200, "epochs": 2}
    config = multitask.config_of(row)
    found = run(config, progress=False).table()["together"][0]
    assert finish(multitask.measure(row))["accuracy"] == pytest.approx(found, abs=6e-4)
