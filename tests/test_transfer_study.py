"""Lesson 04's study: which runs it has, and that a row is what the experiment finds."""

from course_lib.study import find, transfer
from course_lib.training import finish
from course_lib.transfer import REGIMES, Config, run


def test_the_study_has_every_regime_at_every_number_of_labels_for_every_seed():
    plan = find("transfer").plan("bundled", 3)
    assert len(plan) == len({tuple(row.values()) for row in plan}) == 2 * 3 * 6 * len(REGIMES)
    assert {row["labels"] for row in plan} == set(transfer.LABELS)
    for row in plan:
        assert Config(**row).values() == row


def test_a_row_is_the_score_of_a_run():
    row = transfer.plan("bundled", 1)[1] | {"steps": 12}
    found = finish(transfer.measure(row))
    assert found == {"score": run(Config(**row), progress=False).score, "n": 1000}
