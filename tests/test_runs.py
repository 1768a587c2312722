import re
import time
from dataclasses import dataclass

import pytest
import torch

from course_lib import augmentation, fairness, gradients, mitigation, multitask, parallel, runs, transfer
from course_lib.errors import CourseError
from course_lib.fairness import experiment
from course_lib.fairness.interview import experiment as scorer
from course_lib.fairness.regression import experiment as ages
from course_lib.runs import Latest, Several, finish_each, progress_bar, side_by_side
from course_lib.training import Progress


@dataclass(frozen=True)
class Step:
    name: str
    step: int
    steps: int
    loss: float = 0.5

    @property
    def finished(self):
        return self.step == self.steps


def steps(name, n, ended=None):
    try:
        for i in range(1, n + 1):
            yield Step(name, i, n)
    finally:
        if ended is not None:
            ended.append(name)


@pytest.fixture(autouse=True)
def short_turns(monkeypatch):
    monkeypatch.setattr(runs, "TURN", 0.0)


def test_only_the_latest_are_kept():
    latest = Latest(2)
    for key in "abac":
        latest[key] = key.upper()
    assert latest == {"b": "B", "c": "C"}
    assert len(latest) == latest.most == 2
    assert latest.get("d") is None


def test_a_progress_bar_passes_everything_on_and_leaves_nothing(capsys):
    steps = [Progress(i, 5, 1.0 / i) for i in (1, 2, 2, 3, 4, 5)]
    assert list(progress_bar(iter(steps), "StdM")) == steps
    captured = capsys.readouterr()
    assert "StdM" in captured.out
    assert captured.err == ""
    assert captured.out.rstrip(" ").endswith("\r")


def test_runs_side_by_side_go_on_together_and_each_to_its_end():
    rounds = [tuple(now.step for now in latest) for latest in side_by_side([steps("a", 3), steps("b", 5)])]
    assert rounds == [(1, 1), (2, 2), (3, 3), (3, 4), (3, 5), (3, 5)]


def test_a_run_that_is_known_already_is_there_at_once():
    *_, last = side_by_side([iter([Step("a", 9, 9)]), steps("b", 2)])
    assert last == [Step("a", 9, 9), Step("b", 2, 2)]


def test_who_stops_iterating_cancels_all():
    ended = []
    several = [steps("a", 5, ended), steps("b", 5, ended)]
    going = side_by_side(several)
    assert [now.step for now in next(going)] == [1, 1]
    going.close()
    del several, going
    end = time.monotonic() + 10
    while len(ended) < 2 and time.monotonic() < end:  # a thread may hold on to what it has just done
        time.sleep(0.01)
    assert sorted(ended) == ["a", "b"]


def test_several_runs_have_one_bar_of_all_their_steps(capsys):
    found = finish_each([steps("a", 2), steps("b", 6)], "two runs")
    assert found == [Step("a", 2, 2), Step("b", 6, 6)]
    assert "two runs" in capsys.readouterr().out
    half = Several([Step("a", 2, 2, 0.25), Step("b", 2, 6, 0.75)])
    assert (half.step, half.steps, half.loss, half.finished) == (4, 8, 0.5, False)


@pytest.mark.parametrize("text", [None, "two runs"])
def test_runs_that_were_done_before_and_those_without_a_bar_say_nothing(text, capsys):
    assert finish_each([iter([Step("a", 2, 2)]), iter([Step("b", 2, 2)])] if text else [steps("a", 2)], text)
    assert capsys.readouterr().out == ""


SHORT = {"n_train": 300, "epochs": 1, "progress": False}


@pytest.mark.parametrize("at_a_time", [1, 2, 3])
def test_each_run_beside_others_is_what_it_is_alone_to_the_last_bit(at_a_time, monkeypatch):
    monkeypatch.setattr(parallel, "_cores", at_a_time)
    monkeypatch.setattr(parallel, "_pool", None)
    settings = [{"n_train": 300, "epochs": 1, "method": method} for method in ("StdM", "GDRO", "UpWt")]
    experiment._finished.clear()
    beside = fairness.run_each(*settings, progress=False)
    experiment._finished.clear()
    for one, setting in zip(beside, settings, strict=True):
        alone = fairness.run(progress=False, **setting)
        assert alone is not one
        assert one.losses == alone.losses
        for mine, theirs in zip(one.evaluations, alone.evaluations, strict=True):
            assert torch.equal(mine.smile, theirs.smile)


def without_addresses(content):
    return re.sub(r" at 0x\w+", "", str(content))


@pytest.mark.parametrize(("each", "one", "settings"), [
    (fairness.run_each, fairness.run, {"n_train": 300, "epochs": 1}),
    (multitask.run_each, multitask.run, {"n_train": 300, "epochs": 1, "labels": {"smile": 50}}),
    (transfer.run_each, transfer.run, {"labels": 10, "steps": 10}),
    (mitigation.run_each, mitigation.run, {"n_train": 300, "epochs": 1}),
    (augmentation.run_each, augmentation.run, {"n_train": 300, "epochs": 1}),
    (gradients.run_each, gradients.run, {"steps": 12}),
    (fairness.train_ages_each, fairness.train_ages, {"n_train": 500, "epochs": 1}),
    (fairness.train_scorer_each, fairness.train_scorer, {"n_train": 300, "epochs": 1}),
], ids=["fairness", "multitask", "transfer", "mitigation", "augmentation", "gradients", "ages", "scorer"])  # fmt: skip
def test_several_runs_are_those_that_one_after_the_other_would_give(each, one, settings):
    seeds = [settings | {"seed": seed} for seed in (5, 6)]
    first, second = each(*seeds, progress=False)
    assert first.finished
    assert second.finished
    for kept in (experiment, multitask.experiment, transfer.experiment, mitigation.experiment, ages, scorer):
        kept._finished.clear()
    multitask.references._answers.clear()
    for found, setting in zip((first, second), seeds, strict=True):
        alone = one(progress=False, **setting)
        assert alone is not found
        assert alone.loss == found.loss
        assert without_addresses(vars(alone)) == without_addresses(vars(found))
        assert str(alone) == str(found)
    assert (first.config.seed, second.config.seed) == (5, 6)
    with pytest.raises(CourseError, match=r'nothing to run: give settings for each run, such as \{\}, \{"seed": 1\}'):
        each()
    with pytest.raises(CourseError, match=r"Each run needs its settings, .* it was 3"):
        each({}, 3)
    with pytest.raises(CourseError, match="There is no setting sed"):
        each({"sed": 1})
    assert [str(found) for found in each(first.config, progress=False)] == [str(first)]
