"""UpWt: rare groups count more in the loss."""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.mitigation.methods.base import Method, pair_groups
from course_lib.training import Batch


class UpWt(Method):
    """Mean of N / (K n_g) times the cross-entropy, over K non-empty groups g = (b, y) of sizes n_g.

    The weights average to 1 over the training set, so the learning rate keeps its meaning.
    """

    title = "Upweighting"
    idea = "Weight each sample by one over the size of its group, so that all groups count the same."
    source = "Shrestha, Kafle, Kanan 2021 (arXiv 2104.00170), section 3"
    knows = "bias labels"

    def __init__(self, network, data, generator, **settings):
        super().__init__(network, data, generator, **settings)
        group, sizes = pair_groups(data)
        self.weight = (len(data) / ((sizes > 0).sum() * sizes))[group]  # [N]

    def loss(self, batch: Batch) -> Tensor:
        losses = F.cross_entropy(self.network(batch.x), batch.y, reduction="none")
        return torch.mean(self.weight[batch.index] * losses)
