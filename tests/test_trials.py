"""What grading rests on: summaries against closed forms, solutions against the library, stored runs."""

import functools
import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm
from torch import nn

from course_lib import metrics
from course_lib.environment import ROOT
from course_lib.errors import CourseError
from course_lib.grading import book, harness
from course_lib.grading.sheet import require_decimals
from course_lib.mitigation import trials
from course_lib.mitigation.methods import METHODS
from course_lib.training import Batch, TrainingSet


def reference(id, **numbers):
    """The solution with these numbers, or with those that the text names."""
    return functools.partial(book.exercise(id).reference, **(numbers or book.exercise(id).defaults))


# Summaries and solutions


@pytest.mark.parametrize("strength", [0.0, 0.3, 0.6, 1.0])
def test_cell_shares_of_the_solution_are_the_exact_probabilities(strength):
    own = book.exercise("07.1").defaults["own"]
    exact = torch.full((10, 9), (1 - strength) / 8)
    exact[range(10), own] = strength
    labels = torch.arange(10).repeat(20_000)
    cells = reference("07.1")(labels, strength, torch.Generator().manual_seed(1))
    error = 5 * (exact * (1 - exact) / 20_000).sqrt() + 1e-6
    for answer in (cells, cells.numpy(), cells.to(torch.uint8)):
        assert ((trials.cell_shares((labels,), answer) - exact).abs() <= error).all()


def test_cells_that_do_not_exist_count_nowhere():
    labels = torch.tensor([0, 0, 0, 0, 3])
    shares = trials.cell_shares((labels,), torch.tensor([2, -1, 9, 2, 8]))
    assert (shares[0, 2], shares[3, 8], float(shares.sum())) == (0.5, 1, 1.5)
    assert not trials.cell_shares((labels[:0],), labels[:0]).any()


def test_two_right_samples_differ_by_too_much_less_than_once_in_a_thousand_times():
    exercise = book.exercise("07.1")
    chance = 0.0
    for case in book.exercise("07.1").sheet([0]).cases:
        n, own = len(case.arguments[0]) / 10, case.arguments[1]
        for share, cells in ((own, 10), ((1 - own) / 8, 80)):
            deviation = math.sqrt(2 * share * (1 - share) / max(n, 1))
            chance += cells * 2 * norm.sf(exercise.atol / deviation) if deviation and n else 0
    assert chance < 1e-3 / 3  # also where a class has three times as many cases


@pytest.mark.parametrize("seed", range(3))
def test_group_gaps_are_those_of_the_library(seed):
    variables = [f"v{i}" for i in range(3)]
    for case in book.exercise("07.2").sheet([seed]).cases:
        right, standard, majority = case.arguments

        def table(right, majority=majority):
            rows = []
            for name, column in zip(variables, majority.T, strict=False):
                for group, members in (("majority", column), ("minority", ~column)):
                    counts = metrics.accuracy_table([int(right[members].sum())], [int(members.sum())])
                    rows.append(counts.assign(variable=name, group=group))
            return pd.concat(rows, ignore_index=True)

        mmd, iosm = reference("07.2")(right, standard, majority)
        assert mmd[:3].tolist() == pytest.approx(metrics.mmd(table(right))["mmd"].tolist(), abs=1e-6, nan_ok=True)
        known = metrics.iosm(table(right), table(standard))["iosm"]
        assert iosm[:3].flatten().tolist() == pytest.approx(known.tolist(), abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("eta", [0.01, 0.1, 0.5])
def test_the_weights_are_updated_as_gdro_does_it(eta):
    draw = torch.Generator().manual_seed(0)
    y, bias = torch.randint(3, (40,), generator=draw), torch.randint(2, (40,), generator=draw)
    logits = 3 * torch.randn(40, 3, generator=draw)
    method = METHODS["GDRO"](nn.Identity(), TrainingSet(logits, y, bias, 3, 2), draw, eta=eta)
    for part in torch.arange(40).split(8):  # some groups are absent
        losses = nn.functional.cross_entropy(logits[part], y[part], reduction="none")
        wanted = reference("07.3", eta=eta)(method.q.clone(), losses, method.group[part])
        method.loss(Batch(part, logits[part], y[part], bias[part]))
        torch.testing.assert_close(method.q, wanted)
        assert float(wanted.sum()) == pytest.approx(1)


@pytest.mark.parametrize(("lam", "gamma"), [(0.1, 2.0), (0.4, 1.3), (0.0, 0.0)])
def test_the_loss_and_its_gradient_are_those_of_sd(lam, gamma):
    for case in book.exercise("07.4").sheet([5]).cases:
        logits, y = case.arguments
        leaf = logits.clone().requires_grad_()
        method = METHODS["SD"](nn.Identity(), TrainingSet(logits, y), torch.Generator(), lam=lam, gamma=gamma)
        wanted = method.loss(Batch(torch.arange(len(y)), leaf, y))
        wanted.backward()
        loss, gradient = harness.loss_and_gradient(reference("07.4", lam=lam, gamma=gamma), logits, y)
        torch.testing.assert_close(loss, wanted.detach())
        torch.testing.assert_close(gradient, leaf.grad)


@pytest.mark.parametrize("answer", [torch.Tensor.item, torch.Tensor.detach, lambda loss: loss.detach().numpy()])
def test_a_loss_without_a_gradient_is_refused(answer):
    with pytest.raises(CourseError, match="cannot be differentiated"):
        harness.loss_and_gradient(lambda logits, y: answer(logits.sum()), torch.ones(2, 3), torch.tensor([0, 1]))


def test_what_is_no_number_is_returned_as_it_is_for_its_form_to_be_judged():
    logits, y = torch.ones(2, 3), torch.tensor([0, 1])
    for answer in (None, [1.0], "text", torch.ones(1), np.ones(2)):
        assert harness.loss_and_gradient(lambda *_, answer=answer: answer, logits, y)[0] is answer


def test_images_of_another_form_are_refused_with_a_sentence():
    x = torch.rand(16, 3, 42, 42)
    assert require_decimals(x.numpy(), x.shape).dtype == torch.float32
    for given in (x[:, :1], x > 0.5, None, x.tolist()):
        with pytest.raises(CourseError, match=r"must return decimal numbers of shape \[16, 3, 42, 42\], a tensor"):
            require_decimals(given, x.shape)


# What is graded by training

TRIED = [one for lesson in book.LESSONS for one in book.declared(lesson) if one.trial]
each_trial = pytest.mark.parametrize("exercise", TRIED, ids=lambda one: one.id)


def stored_runs(exercise):
    """The scores of an exercise's answers, from repeated runs: name -> scores, right ones and wrong ones."""
    table = pd.read_csv(ROOT / "data" / f"lesson{exercise.id[:2]}_thresholds.csv", dtype={"exercise": str})
    table = table[table["exercise"] == exercise.id]
    assert not table.duplicated(["answer", "seed"]).any()
    right, wrong = (
        {n: t["score"] for n, t in part.groupby("answer")} for part in (table[table.right], table[~table.right])
    )
    return right, wrong


def chance_below(threshold, scores, seeds):
    """How likely the mean of this many runs is below the threshold, by a normal distribution."""
    return norm.cdf((threshold - scores.mean()) / (scores.std() / math.sqrt(seeds)))


@each_trial
def test_every_answer_has_at_least_25_stored_runs(exercise):
    right, wrong = stored_runs(exercise)
    assert set(right) == {function.__name__ for function in (exercise.reference, *exercise.alternatives)}
    assert set(wrong) == {m.name for m in exercise.misconceptions}
    assert all(len(scores) >= 25 for scores in (right | wrong).values())


@each_trial
def test_a_right_answer_fails_the_threshold_less_than_once_in_a_thousand_times(exercise):
    threshold = exercise.trial.threshold
    for scores in stored_runs(exercise)[0].values():
        for seeds in (1, exercise.trial.seeds):  # in a notebook, and when a class is graded
            assert chance_below(threshold, scores, seeds) < 1e-3
            assert scores.sort_values()[:seeds].mean() > threshold  # so no stored runs average below it


@each_trial
def test_a_wrong_answer_passes_the_threshold_less_than_once_in_a_thousand_times(exercise):
    threshold = exercise.trial.threshold
    for scores in stored_runs(exercise)[1].values():
        assert scores.mean() < threshold
        if scores.std():
            assert chance_below(threshold, scores, exercise.trial.seeds) > 1 - 1e-3
        else:  # of an answer that changes nothing, or that nothing can be learned with
            assert scores.max() < threshold
