"""Lesson 04's study: which runs it has, and that a row is what the experiment finds."""

import pytest

from course_lib.runs import finish
from course_lib.study import find, transfer
from course_lib.transfer import REGIMES, Config, run


def test_the_study_has_every_regime_at_every_number_of_labels_for_every_seed_and_controls_at_some():
    plan = find("transfer").plan("bundled", 3)
    whole = [name for name in REGIMES if name not in transfer.CONTROLS]
    some = sum(len(labels) for labels in transfer.CONTROLS.values())
    assert len(plan) == len({tuple(row.values()) for row in plan}) == 2 * 3 * (7 * len(whole) + some)
    assert {row["labels"] for row in plan} == set(transfer.LABELS)
    assert {row["regime"] for row in plan} == set(REGIMES)
    for row in plan:
        assert Config(**row).values() == row


@pytest.mark.parametrize("target", ["smile", "age"])
def test_a_row_is_the_score_of_a_run(target):
    row = transfer.plan("bundled", 1)[1] | {"target": target, "steps": 12}
    found = finish(transfer.measure(row))
    assert found == {"score": run(Config(**row), progress=False).score, "n": 1000}
