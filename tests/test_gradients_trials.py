"""How lesson 01's exercises are measured: what the numbers mean, and that training with weights tells them apart."""

import functools

import pytest
import torch

from course_lib.errors import CourseError
from course_lib.gradients import trials
from course_lib.grading import book
from course_lib.runs import finish

X = torch.rand(16, 64, generator=torch.Generator().manual_seed(0))


def he(x, depth, generator):
    return torch.randn(depth, x.shape[1], x.shape[1], generator=generator) * (2 / x.shape[1]) ** 0.5


def test_propagation_measures_the_factor_of_a_layer():
    for factor in (1e-8, 0.5, 1.0, 3.0):  # over 400 layers far beyond every float
        weights = factor * torch.eye(64).repeat(400, 1, 1)
        assert trials.propagation((X,), weights)[0] == pytest.approx(factor, rel=1e-6)


def test_propagation_tells_whether_units_differ():
    same, none = torch.full((5, 64, 64), 1 / 64), torch.zeros(5, 64, 64)
    assert trials.propagation((X,), same)[1] == pytest.approx(0, abs=1e-6)
    assert trials.propagation((X,), he(X, 5, torch.Generator().manual_seed(0)))[1] > 0.3
    assert trials.propagation((X,), none).tolist() == [0, 0]
    assert trials.propagation((X,), -same).tolist() == [0, 0]


@functools.cache
def accuracies(answer):
    one = book.exercise("01.5")
    functions = {f.__name__: f for f in (one.reference, *one.alternatives, *(m.answer for m in one.misconceptions))}
    return [finish(trials.accuracy(functions[answer], seed)) for seed in (0, 1)]


@pytest.mark.parametrize("answer", ["initial_weights", "near_the_identity", "orthogonal_weights"])
def test_right_weights_train(answer):
    assert sum(accuracies(answer)) / 2 > book.exercise("01.5").trial.threshold


@pytest.mark.parametrize("answer", ["xavier", "as_pytorch_does", "all_equal", "twice_too_much"])
def test_wrong_weights_do_not(answer):
    assert sum(accuracies(answer)) / 2 < book.exercise("01.5").trial.threshold


def test_the_same_seed_gives_the_same_accuracy():
    assert finish(trials.accuracy(he, 3)) == finish(trials.accuracy(he, 3))


@pytest.mark.parametrize(("weights", "said"), [
    (lambda x, depth, generator: torch.zeros(depth, 5, 5), "decimal numbers of shape"),
    (lambda x, depth, generator: torch.zeros(depth, 128, 128, dtype=torch.int64), "decimal numbers of shape"),
    (lambda x, depth, generator: 50 * he(x, depth, generator), "signal grows from layer to layer"),
    (lambda x, depth, generator: None, "decimal numbers of shape"),
])  # fmt: skip
def test_weights_that_cannot_be_trained_with_are_told(weights, said):
    with pytest.raises(CourseError, match=said):
        finish(trials.accuracy(weights, 0))
