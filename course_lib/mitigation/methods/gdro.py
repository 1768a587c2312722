"""GDRO: minimise the loss of the groups that fare worst."""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.mitigation.methods.base import Method, Setting, balanced_batches, pair_groups
from course_lib.training import Batch


class GDRO(Method):
    """Group distributionally robust optimisation over the K groups g = (b, y).

    With L_g the mean loss of group g in the batch (0 if it is absent): first
    q_g <- q_g exp(eta L_g), renormalised to sum 1; then the loss is sum_g q_g L_g.
    """

    title = "Group distributionally robust optimisation"
    idea = "Keep a weight for each group and raise it while that group's loss is high."
    source = "Sagawa, Koh, Hashimoto, Liang 2020 (arXiv 1911.08731), algorithm 1"
    knows = "bias labels"
    settings = (Setting("eta", 1e-3, 0.0, 1.0, "how fast the group weights move"),)

    def __init__(self, network, data, generator, **settings):
        super().__init__(network, data, generator, **settings)
        self.group, sizes = pair_groups(data)
        self.q = torch.full((len(sizes),), 1 / len(sizes), device=sizes.device)  # [K]

    def batches(self, size):
        return balanced_batches(self.data, size, self.generator)

    def loss(self, batch: Batch) -> Tensor:
        losses = F.cross_entropy(self.network(batch.x), batch.y, reduction="none")
        group_loss = mean_by_group(losses, self.group[batch.index], len(self.q))
        self.q *= torch.exp(self.eta * group_loss.detach())
        self.q /= self.q.sum()
        return self.q @ group_loss


def mean_by_group(losses: Tensor, group: Tensor, groups: int) -> Tensor:
    """Return the mean of ``losses`` [B] in each group, [groups]; 0 for a group without samples."""
    total = losses.new_zeros(groups).index_add(0, group, losses)
    return total / torch.bincount(group, minlength=groups).clamp(min=1)
