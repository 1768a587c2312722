"""Lesson 05's losses: the same as without masks, silent where labels are missing, and weighted as the paper says."""

import math

import pytest
import torch
import torch.nn.functional as F

from course_lib.multitask import TASKS, Uncertainty, cosines, gradients, task_losses
from course_lib.multitask.losses import SPEED
from course_lib.multitask.pictures import AGE
from course_lib.randomness import generator


def draw(seed, n=40, missing=0.0):
    g = generator(seed, "multitask")
    said = torch.randn(n, 4, generator=g, requires_grad=True)
    labels = (torch.rand(n, 4, generator=g) < 0.5).float()
    labels[:, AGE] = 18 + 62 * torch.rand(n, generator=g)
    return said, labels.masked_fill(torch.rand(n, 4, generator=g) < missing, torch.nan)


@pytest.mark.parametrize("missing", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("seed", range(5))
def test_each_loss_is_torchs_over_the_faces_that_have_the_label(seed, missing):
    said, labels = draw(seed, missing=missing)
    losses = task_losses(said, labels)
    for column in range(4):
        known = ~labels[:, column].isnan()
        theirs = F.mse_loss if column == AGE else F.binary_cross_entropy_with_logits
        if known.any():
            expected = theirs(said[known, column], labels[known, column])
            torch.testing.assert_close(losses[column], expected)
            ours = torch.autograd.grad(losses[column], said, retain_graph=True)[0]
            torch.testing.assert_close(ours, torch.autograd.grad(expected, said)[0])


def test_a_task_without_labels_has_no_loss_and_no_gradient():
    said, labels = draw(0)
    labels[:, 0] = torch.nan
    losses = task_losses(said, labels)
    losses.sum().backward()
    assert losses[0] == 0
    assert said.grad.isfinite().all()
    assert (said.grad[:, 0] == 0).all()
    assert (said.grad[:, 1:] != 0).any(0).all()
    nothing = task_losses(said, torch.full_like(labels, torch.nan))
    assert nothing.tolist() == [0] * 4


def test_a_label_that_is_missing_changes_nothing_for_others():
    said, labels = draw(1)
    fewer = labels.clone()
    fewer[5:, 2] = torch.nan
    ours, theirs = task_losses(said, fewer), task_losses(said, labels)
    assert torch.equal(ours[[0, 1, 3]], theirs[[0, 1, 3]])


def test_uncertainty_is_the_papers_sum():
    sigma = torch.tensor([0.7, 18.0, 1.3, 2.0])
    losses = torch.tensor([0.6, 330.0, 0.2, 0.69])
    learned = Uncertainty()
    learned.slow.data = 2 * sigma.log() / SPEED
    total = learned(losses, torch.ones(4, dtype=torch.bool))
    factor = torch.tensor([1.0, 0.5, 1.0, 1.0])
    torch.testing.assert_close(total, (factor * losses / sigma**2 + sigma.log()).sum())


def test_the_best_uncertainty_of_a_squared_error_is_its_mean():
    # Of exp(-s) L / 2 + s / 2 the smallest is at s = log L, of exp(-s) L + s / 2 at s = log 2 L.
    losses, learned = torch.tensor([0.6, 330.0, 0.2, 0.69]), Uncertainty()
    best = torch.tensor([math.log(x if t == "age" else 2 * x) for t, x in zip(TASKS, losses.tolist(), strict=True)])
    learned.slow.data = best / SPEED
    learned(losses, torch.ones(4, dtype=torch.bool)).backward()
    torch.testing.assert_close(learned.slow.grad, torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(learned.weights(), 0.5 / losses)


def test_a_task_without_labels_leaves_its_uncertainty_alone():
    learned = Uncertainty()
    learned(torch.zeros(4), torch.tensor([True, False, True, True])).backward()
    assert (learned.slow.grad != 0).tolist() == [True, False, True, True]


def test_gradients_and_cosines_of_a_linear_trunk_are_the_closed_form():
    # Features z = W x and answers v_t . z: the gradient of mean (v_t . W x - y_t)^2 in W is v_t (outer) mean 2 e_t x.
    g = generator(0, "linear")
    x, y = torch.randn(30, 5, generator=g), torch.randn(30, 3, generator=g)
    trunk = torch.randn(4, 5, generator=g, requires_grad=True)
    heads = torch.randn(3, 4, generator=g)
    error = x @ trunk.T @ heads.T - y
    found = gradients(error.square().mean(0), [trunk])
    mean = (2 * error.T @ x / 30).detach()
    expected = torch.einsum("th,tx->thx", heads, mean).flatten(1)
    torch.testing.assert_close(found, expected)
    # A product of outer products is a product of cosines.
    by_factor = F.cosine_similarity(heads[:, None], heads[None], dim=2)
    by_factor = by_factor * F.cosine_similarity(mean[:, None], mean[None], dim=2)
    torch.testing.assert_close(cosines(found), by_factor)


def test_cosines_know_their_ends():
    same = cosines(torch.tensor([[1.0, 2.0], [2.0, 4.0], [-1.0, -2.0], [2.0, -1.0], [0.0, 0.0]]))
    torch.testing.assert_close(same[0, :4], torch.tensor([1.0, 1.0, -1.0, 0.0]))
    assert same[4].isnan().all()


def test_a_gradient_that_does_not_reach_a_parameter_is_zero():
    one, other = torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True)
    assert gradients([one.sum()], [one, other]).tolist() == [[1, 1, 0, 0, 0]]
