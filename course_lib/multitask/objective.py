"""Several tasks on one trunk, and beside it each task alone: the same start, the same batches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

import torch
from torch import Tensor, nn
from torch.func import functional_call

from course_lib.multitask.config import TASKS, Config
from course_lib.multitask.losses import Uncertainty, cosines, gradients, task_losses
from course_lib.multitask.network import SharedTrunk, make_network
from course_lib.multitask.pictures import first_faces, targets
from course_lib.parallel import at_once
from course_lib.training import Batch, Objective, TrainingSet, inputs

TOGETHER = "together"
PROBED = 128  # training faces, with all their labels, on which gradients are compared


@dataclass(frozen=True, eq=False)
class Probe:
    """How the tasks pull at the trunk before a step, on 128 faces with all labels; all in the order of ``tasks``.

    loss, norm: of each task alone and of its gradient in the trunk, float [T]; cosine: between those gradients,
    float [T, T]; weights: what each loss is multiplied by, float [T].
    """

    step: int
    tasks: tuple[str, ...]
    loss: Tensor = field(repr=False)
    norm: Tensor = field(repr=False)
    cosine: Tensor = field(repr=False)
    weights: Tensor = field(repr=False)

    def loss_shares(self) -> Tensor:
        """Return each task's share of the summed loss, float [T]; NaN where all losses count nothing."""
        return _shares(self.weights * self.loss)

    def gradient_shares(self) -> Tensor:
        """Return each task's share of the lengths of the weighted gradients, float [T]; NaN where all are zero."""
        return _shares(self.weights * self.norm)


def _shares(parts: Tensor) -> Tensor:
    return parts / parts.sum()


class Together(Objective):
    """Minimises the summed loss of one network, and the loss of each task in a network of its own.

    The networks share no weight, and Adam treats every number alone: each learns exactly as it would without the
    others, and several at once.
    """

    def __init__(self, network: nn.ModuleDict, data: TrainingSet, generator: torch.Generator, config: Config):
        super().__init__(network, data, generator)
        self.config, self.columns = config, config.columns()
        self.weights = torch.tensor(config.weights)
        self.on = torch.tensor([task in config.tasks for task in TASKS])
        self.uncertainty = Uncertainty() if config.balance == "uncertainty" else None
        if self.uncertainty:
            self.modules.append(self.uncertainty)
        self.losses: list[tuple[float, ...]] = []  # of each step and task, on the shared trunk

    def step(self, batch: Batch, optimizer: torch.optim.Optimizer) -> float:
        optimizer.zero_grad()
        losses = at_once([partial(self.learn, arm, batch) for arm in self.network])
        optimizer.step()
        return sum(losses)

    def learn(self, arm: str, batch: Batch) -> float:
        """Put the gradient of one network's loss into its parameters; return the loss."""
        losses = task_losses(self.network[arm](batch.x), batch.y)
        if arm == TOGETHER:
            self.losses.append(tuple(losses[self.columns].tolist()))
            loss = self.summed(losses, ~batch.y.isnan().all(0))
        else:
            loss = losses[TASKS.index(arm)]
        loss.backward()
        return loss.item()

    def summed(self, losses: Tensor, present: Tensor) -> Tensor:
        """Return the one loss that the shared trunk minimises, of the tasks' losses float [4]."""
        if self.uncertainty:
            return self.uncertainty(losses, present & self.on)
        return (self.weights * losses)[self.on].sum()

    def counted(self) -> Tensor:
        """Return what the loss of each task of this run is multiplied by now, float [T]."""
        weights = self.uncertainty.weights() if self.uncertainty else self.weights
        return heard(self.config, weights.detach())

    def probe(self, step: int) -> Probe:
        """Return how the tasks pull at the trunk now; changes nothing, the norms' running means included."""
        return pulls(self.network[TOGETHER], self.config, self.counted(), step)


def make_networks(config: Config, alone: Iterable[str] = ()) -> nn.ModuleDict:
    """Return the network of all tasks, and one for each of those to be trained alone; all start the same."""
    return nn.ModuleDict({arm: make_network(config) for arm in (TOGETHER, *alone)})


def pulls(network: SharedTrunk, config: Config, weights: Tensor, step: int = 0) -> Probe:
    """Return how the tasks of ``config`` pull at the trunk of a network, in training mode, whatever mode it is in."""
    pictures, known = first_faces(config, PROBED)
    x, y = inputs(pictures, slice(None)), targets(known, config.unit)
    training = network.training
    network.train()
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    losses = task_losses(functional_call(network, buffers, x), y)[config.columns()]
    network.train(training)
    gradient = gradients(losses, network.trunk.parameters())
    return Probe(step, config.tasks, losses.detach(), gradient.norm(dim=1), cosines(gradient), weights)


def start(config: Config) -> Probe:
    """Return how the tasks pull at the trunk before the first step. Taught in: notebook 05."""
    weights = Uncertainty().weights().detach() if config.balance == "uncertainty" else torch.tensor(config.weights)
    usual = {"weights": Config.weights, "labels": Config.labels, "balance": Config.balance}
    return replace(_first_pulls(replace(config, **usual)), weights=heard(config, weights))


def heard(config: Config, weights: Tensor) -> Tensor:
    """Return the weights float [4] of the tasks of ``config``, float [T]: 0 for one of which no face has a label."""
    return (weights * (torch.tensor(config.labels) > 0))[config.columns()]


@lru_cache(maxsize=32)
def _first_pulls(config: Config) -> Probe:
    """Return the pulls before the first step, kept: what a slider of weights or labels moves needs no gradient."""
    return pulls(_first_network(config.channels, config.seed), config, torch.ones(len(config.tasks)))


@lru_cache(maxsize=4)
def _first_network(channels: int, seed: int) -> SharedTrunk:
    """Return the network before its first step, kept: `pulls` leaves it as it is."""
    return make_network(Config(channels=channels, seed=seed))
