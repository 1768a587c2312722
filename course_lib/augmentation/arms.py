"""The networks of lesson 03, and how several of them learn from the same batches."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.augmentation.augmentations import augment
from course_lib.data.digits import SIZE
from course_lib.networks import build
from course_lib.randomness import generator
from course_lib.training import Batch, Objective, TrainingSet


class Arms(Objective):
    """Trains several networks in one go on the same batches, each with augmentations of its own.

    network: a ModuleDict arm -> network; amounts: arm -> name -> amount. The sum of their losses has for each
    network the gradient of its own, so that each learns exactly as it would alone.
    """

    def __init__(
        self,
        network: nn.ModuleDict,
        data: TrainingSet,
        generator: torch.Generator,
        amounts: Mapping[str, Mapping[str, float]],
    ):
        super().__init__(network, data, generator)
        self.amounts = amounts
        # Drawing an augmentation must not change the order of the batches.
        self.draws = torch.Generator(generator.device).manual_seed(generator.initial_seed() ^ 1)
        self.losses: list[tuple[float, ...]] = []  # of each step and arm

    def loss(self, batch: Batch) -> Tensor:
        losses = [
            F.cross_entropy(self.network[arm](augment(batch.x, self.draws, self.amounts[arm])), batch.y)
            for arm in self.network
        ]
        self.losses.append(tuple(loss.item() for loss in losses))
        return torch.stack(losses).sum()


def make_mlp(hidden: int, seed: int, like: nn.Module | None = None) -> nn.Sequential:
    """Return an MLP 784 - hidden - 10 with ReLU; its weights follow from the seed, or are those of ``like``.

    Input: float [B, 1, 28, 28] in 0..1; output: logits [B, 10]. Layer 1 holds the first weights.
    """

    def make() -> nn.Sequential:
        return nn.Sequential(nn.Flatten(), nn.Linear(SIZE * SIZE, hidden), nn.ReLU(), nn.Linear(hidden, 10))

    network = build(make, generator(seed, "network"))
    if like is not None:
        network.load_state_dict(like.state_dict())
    return network
