"""Lesson 06: the references answer as Fairlearn and closed forms do, and as training on other data would."""

import math

import fairlearn.metrics as fl
import pytest
import torch

from course_lib.grading import book
from course_lib.randomness import generator


def solve(id, *arguments, **numbers):
    """The answer of the solution; ``numbers`` are its own constants where they are not the defaults."""
    return book.exercise(id).reference(*arguments, **numbers)


@pytest.fixture(params=range(6))
def sampled(request):
    """Predictions, labels and groups of a few hundred samples, in 2 to 4 groups."""
    draw, groups = generator(request.param, "fairness exercises"), 2 + request.param % 3
    n = 200 + 50 * request.param
    predicted, labels = torch.randint(2, (2, n), generator=draw)
    return predicted, labels, torch.randint(groups, (n,), generator=draw), groups


def test_the_table_is_fairlearns(sampled):
    predicted, labels, group, groups = sampled
    n, accuracy = solve("06.1", predicted, labels, group, groups)
    theirs = fl.MetricFrame(
        metrics={"n": fl.count, "accuracy": lambda y, said: (y == said).mean()},
        y_true=labels.numpy(),
        y_pred=predicted.numpy(),
        sensitive_features=group.numpy(),
    ).by_group
    assert n.tolist() == theirs["n"].tolist()
    assert accuracy.tolist() == pytest.approx(theirs["accuracy"].tolist(), abs=1e-6)


@pytest.mark.parametrize("right", [0, 1])
def test_a_group_of_which_too_little_is_known_is_neither_at_0_nor_at_1(right):
    group = torch.tensor([0] * 10 + [1] * 9 + [3] * 11)
    labels = torch.ones(30, dtype=torch.int64)
    n, accuracy = solve("06.1", labels * right, labels, group, 4, least=10)
    assert n.tolist() == [10, 9, 0, 11]
    assert accuracy.isnan().tolist() == [False, True, True, False]
    assert accuracy[[0, 3]].tolist() == [right, right]


def test_the_three_differences_are_fairlearns(sampled):
    predicted, labels, group, groups = sampled
    given = {"y_true": labels.numpy(), "y_pred": predicted.numpy(), "sensitive_features": group.numpy()}
    theirs = (
        fl.demographic_parity_difference(**given),
        fl.equal_opportunity_difference(**given),
        fl.equalized_odds_difference(**given),
    )
    assert solve("06.2", predicted, labels, group, groups).tolist() == pytest.approx(theirs, abs=1e-6)


def test_a_perfect_classifier_breaks_parity_alone_by_the_difference_of_the_base_rates():
    group = torch.arange(2).repeat_interleave(100)
    labels = (torch.arange(200) % 100 < torch.tensor([4, 89])[group]).long()
    assert solve("06.2", labels, labels, group, 2).tolist() == pytest.approx([0.85, 0, 0], abs=1e-6)


def test_a_criterion_that_asks_for_an_unknown_rate_is_unknown():
    predicted, group = torch.tensor([1, 0, 1, 0]), torch.tensor([0, 0, 1, 1])
    gaps = solve("06.2", predicted, torch.tensor([1, 0, 0, 0]), group, 2)  # nobody of group 1 has the label 1
    assert gaps[0] == 0
    assert gaps[1:].isnan().all()


def test_weighted_means_are_those_of_data_with_the_target_shares():
    draw = generator(0, "fairness exercises/weights")
    group = torch.randint(3, (400,), generator=draw)
    target, values = torch.tensor([0.2, 0.3, 0.5]), torch.randn(400, generator=draw)
    weights, _ = solve("06.3", group, target)
    assert weights.mean() == pytest.approx(1, abs=1e-5)
    wanted = sum(share * values[group == g].mean() for g, share in enumerate(target))
    assert (weights * values).mean() == pytest.approx(float(wanted), abs=1e-5)


def test_the_effective_size_is_n_for_equal_weights_and_never_more():
    group = torch.tensor([0] * 450 + [1] * 20 + [2] * 60 + [3] * 470)
    shares = torch.bincount(group) / len(group)
    assert solve("06.3", group, shares)[1] == pytest.approx(1000, rel=1e-4)
    equal = torch.full((4,), 0.25)
    closed_form = len(group) / (equal**2 / shares).sum()  # each group's weight is target / share
    size = solve("06.3", group, equal)[1]
    assert size == pytest.approx(float(closed_form), rel=1e-4)
    assert size == pytest.approx(225, abs=1)  # the share of N that notebook 06 names


def test_the_effective_size_says_how_far_a_weighted_mean_varies():
    """The variance of a weighted mean of independent values of variance 1 is 1 / n_eff."""
    group = torch.tensor([0] * 90 + [1] * 10)
    weights, size = solve("06.3", group, torch.tensor([0.5, 0.5]))
    values = torch.randn(20_000, 100, generator=generator(0, "fairness exercises/worth"))
    assert (values @ weights / 100).var() == pytest.approx(1 / float(size), rel=0.03)


def test_the_share_of_a_group_without_samples_goes_to_the_others():
    weights, _ = solve("06.3", torch.tensor([0, 0, 2, 2, 2, 2]), torch.tensor([0.2, 0.5, 0.3]))
    assert weights[0] * 2 / 6 == pytest.approx(0.4)
    assert weights[2] * 4 / 6 == pytest.approx(0.6)


def test_without_multipliers_the_bounded_loss_is_the_mean_squared_error():
    predicted, truth = torch.tensor([1.0, 2.0, 4.0]), torch.zeros(3)
    assert solve("06.4", predicted, truth, torch.tensor([0, 1, 1]), torch.zeros(2)) == pytest.approx(7)


def test_the_bounded_loss_rises_with_a_multiplier_by_the_groups_excess():
    draw = generator(0, "fairness exercises/bounded")
    group = torch.randint(3, (60,), generator=draw)
    predicted, truth = torch.randn(2, 60, generator=draw)
    multipliers = torch.rand(4, generator=draw).requires_grad_()  # nobody is in group 3
    solve("06.4", predicted, truth, group, multipliers, bound=0.7).backward()
    errors = (predicted - truth) ** 2
    excess = [errors[group == g].mean().item() - 0.7 for g in range(3)]
    assert multipliers.grad.tolist() == pytest.approx([*excess, 0.0], abs=1e-5)


def test_raising_the_multipliers_brings_the_worse_group_to_the_bound():
    """The exercise's loss does what it is for: gradient steps against rising multipliers keep the bound."""
    draw = generator(0, "fairness exercises/training")
    group = (torch.arange(400) >= 360).long()
    truth = torch.where(group == 1, 2.0, 0.0) + 0.1 * torch.randn(400, generator=draw)
    guess, multipliers = torch.zeros((), requires_grad=True), torch.zeros(2)  # one number for all: 0.2 is best
    for _ in range(2000):
        loss = solve("06.4", guess.expand(400), truth, group, multipliers, bound=1.5)
        (step,) = torch.autograd.grad(loss, guess)
        guess = (guess - 0.05 * step).detach().requires_grad_()
        errors = (guess.detach() - truth) ** 2
        excess = torch.stack([errors[group == g].mean() for g in range(2)]) - 1.5
        multipliers = (multipliers + 0.02 * excess).clamp(min=0)
    assert excess[1] == pytest.approx(0, abs=0.02)
    assert guess.item() == pytest.approx(2 - math.sqrt(1.5), abs=0.03)
    assert multipliers[0] == 0


def test_the_best_answers_to_the_lessons_table_take_points_off_smiles_of_women():
    """Against every other rule for cues and groups: none is more accurate; and who pays is who is rare."""
    joint = torch.tensor([[0.45, 0.02], [0.06, 0.47]])
    cue = torch.tensor([[0.5, 0.05], [0.3, 0.15], [0.15, 0.3], [0.05, 0.5]])
    labels, right = solve("06.5", joint, cue)
    assert labels.tolist() == [[0, 0, 0, 0], [0, 1, 1, 1]]
    assert right.flatten().tolist() == pytest.approx([1, 0, 0.5, 0.95])
    weight = joint[:, None] * cue  # P(a, x, y)
    rules = torch.cartesian_prod(*[torch.arange(2)] * 8).view(-1, 2, 4)
    accuracies = weight.expand(len(rules), -1, -1, -1).gather(3, rules[..., None]).sum((1, 2, 3))
    assert (right * joint).sum() == pytest.approx(float(accuracies.max()))
