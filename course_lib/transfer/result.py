"""What a run of lesson 04 has found so far: how well a network that began somewhere else does its new task."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
import torch
from torch import Tensor, nn
from torch.func import functional_call

from course_lib.runs import RunSoFar
from course_lib.transfer.config import TARGETS, Config
from course_lib.transfer.pictures import held_out

MIDDLE, UNIT = 49.0, 18.0  # years: mean and standard deviation, nearly, of ages that are uniform from 18 to 80


@dataclass(frozen=True, eq=False)
class Evaluation:
    """After ``step`` steps: what the network says, float [n], of each of the first n test faces.

    For the target "smile" this is a logit, above 0 for a smile; for "age" it is in years.
    """

    step: int
    said: Tensor = field(repr=False)


def score(target: str, said: Tensor) -> float:
    """Return the share of the first n test faces that are read right, or by how many years the age is missed."""
    drawn, n = held_out()[0], len(said)
    if target == "age":
        return (said - drawn.age[:n]).abs().mean().item()
    return ((said > 0) == drawn.smile[:n]).double().mean().item()


@dataclass(frozen=True, eq=False)
class Result(RunSoFar):
    """A run so far: the losses [steps done], its evaluations, and the network as it is now."""

    config: Config
    steps: int
    losses: tuple[float, ...] = field(repr=False)
    evaluations: tuple[Evaluation, ...]
    network: nn.Module | None = field(repr=False, default=None)

    def __repr__(self) -> str:
        c = self.config
        return f"<{c.target}, {c.named()}: step {self.step} of {self.steps}, {TARGETS[c.target]} {self.score:.3g}>"

    @property
    def score(self) -> float:
        """Of the latest evaluation: accuracy, 0 to 1, or the mean error in years, of which less is better."""
        return score(self.config.target, self.evaluations[-1].said) if self.evaluations else float("nan")

    def curve(self) -> pd.DataFrame:
        """Return one row for each evaluation: step, n (test faces looked at), score. Taught in: notebook 04."""
        rows = [(e.step, len(e.said), score(self.config.target, e.said)) for e in self.evaluations]
        return pd.DataFrame(rows, columns=["step", "n", "score"])

    def trained(self) -> int:
        """Return how many numbers of the network are trained."""
        return count_trained(self.network) if self.network else 0


def count_trained(network: nn.Module) -> int:
    """Return how many numbers the optimiser moves: those that get a gradient from an answer of the network.

    It changes nothing, the norms' running means of a network in training included.
    """
    parameters, buffers = list(network.parameters()), {name: b.clone() for name, b in network.named_buffers()}
    answer = functional_call(network, buffers, torch.zeros(2, 3, 32, 32)).sum()
    found = torch.autograd.grad(answer, parameters, allow_unused=True)
    return sum(p.numel() for p, gradient in zip(parameters, found, strict=True) if gradient is not None)
