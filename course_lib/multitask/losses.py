"""Losses of several tasks: with labels that are missing, summed with weights given or learned, and their gradients."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.multitask.config import TASKS
from course_lib.multitask.pictures import AGE
from course_lib.parallel import at_once

SPEED = 30.0  # how many times faster than a weight of the network the learned s may move


def task_losses(said: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of each task, float [4]: its mean over the faces that have its label.

    said, labels: float [B, 4] in the order of `TASKS`; a label that is missing is NaN. The loss is the binary
    cross-entropy, in nats, and for the age the squared error, in its unit squared. A task without any label here
    has the loss 0 and no gradient. Taught in: notebook 05.
    """
    known = ~labels.isnan()
    filled = labels.nan_to_num()  # before the loss: the gradient of a NaN is NaN, also where it is masked later
    each = F.binary_cross_entropy_with_logits(said, filled, reduction="none")
    squared = (said - filled).square()
    is_age = torch.arange(len(TASKS)) == AGE
    # A cross-entropy makes no sense of an age, but it is finite, and its gradient is dropped here.
    return (torch.where(is_age, squared, each) * known).sum(0) / known.sum(0).clamp(min=1)


class Uncertainty(nn.Module):
    """Learns what each task counts, from how uncertain the network is about it.

    Kendall, Gal and Cipolla (arXiv 1705.07115): with s = log sigma^2 of each task, the sum is that of
    exp(-s) L + s / 2 for a cross-entropy L, and of exp(-s) L / 2 + s / 2 for a squared error. A task without a
    label in the batch adds nothing, or its s would sink without end. s starts at 0. Taught in: notebook 05.
    """

    def __init__(self):
        super().__init__()
        # Adam moves each number about as far: those that are multiplied by `SPEED` reach the scale of years in one run.
        self.slow = nn.Parameter(torch.zeros(len(TASKS)))

    @property
    def s(self) -> Tensor:
        """log sigma^2 of each task, float [4]."""
        return SPEED * self.slow

    def weights(self) -> Tensor:
        """Return what each task's loss is multiplied by, float [4]."""
        half = torch.ones(len(TASKS))
        half[AGE] = 0.5
        return half * torch.exp(-self.s)

    def forward(self, losses: Tensor, present: Tensor) -> Tensor:
        """Return the sum of losses, float [4], over the tasks that are present, bool [4]."""
        return ((self.weights() * losses + self.s / 2) * present).sum()


def gradients(losses: Iterable[Tensor], parameters: Iterable[Tensor]) -> Tensor:
    """Return the gradient of each of T losses in all parameters, flat: float [T, P]."""
    parameters = list(parameters)

    def row(loss: Tensor) -> Tensor:
        parts = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True, materialize_grads=True)
        return torch.cat([part.flatten() for part in parts])

    return torch.stack(at_once([partial(row, loss) for loss in losses]))


def cosines(gradient: Tensor) -> Tensor:
    """Return the cosine of each pair of T gradients float [T, P], as float [T, T]; NaN where one of them is zero."""
    norms = gradient.norm(dim=1)
    return ((gradient @ gradient.T) / (norms[:, None] * norms)).clamp(-1, 1)
