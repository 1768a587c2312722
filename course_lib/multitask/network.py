"""One trunk, and a head for each task."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_lib.multitask.config import TASKS, Config
from course_lib.networks import Laptop, build
from course_lib.randomness import generator


class SharedTrunk(nn.Module):
    """Small convolutions that all tasks share, and a linear head for each.

    Input: float [B, 3, H, W] in 0..1; output: float [B, 4] in the order of `TASKS`: logits, and the age as it is
    learned. There is always a head for every task, so that the start does not depend on which of them are
    learned. Taught in: notebook 05.
    """

    def __init__(self, channels: int = 32):
        super().__init__()
        self.trunk = Laptop(1, (max(2, channels // 4), max(2, channels // 2), channels))
        self.trunk.head = nn.Identity()
        self.heads = nn.ModuleDict({task: nn.Linear(channels, 1) for task in TASKS})

    def forward(self, x: Tensor) -> Tensor:
        features = self.trunk(x)
        return torch.cat([head(features) for head in self.heads.values()], 1)


def make_network(config: Config) -> SharedTrunk:
    """Return a network whose first weights follow from the config's seed."""
    network = build(lambda: SharedTrunk(config.channels), generator(config.seed, "multitask/network"))
    return network.to(memory_format=torch.channels_last)
