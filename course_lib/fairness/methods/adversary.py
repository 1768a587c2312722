"""Adversary: features from which a second network cannot read the group."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.mitigation.methods.base import Method, Setting
from course_lib.mitigation.methods.lnl import ReverseGradient
from course_lib.networks import build
from course_lib.training import Batch


class Adversary(Method):
    """CE(f, y) + CE(h(reverse(z), y), b): h reads b from the features z, whose gradient is reversed and scaled.

    h is told the label as well: it gains nothing from b and y going along with each other, and only what the
    features say of the group *beyond* the label is driven out (equalized odds rather than demographic parity).
    """

    title = "Adversary with gradient reversal"
    idea = "A second network tries to read the group from the features; the features learn to defeat it."
    source = "Ganin et al. 2016 (arXiv 1505.07818); told the label: Zhang, Lemoine, Mitchell 2018 (arXiv 1801.07593)"
    knows = "bias labels"
    settings = (Setting("reversal", 0.3, 0.0, 10.0, "strength of the reversed gradient"),)

    def __init__(self, network, data, generator, **settings):
        super().__init__(network, data, generator, **settings)
        size = network.head.in_features + data.classes
        self.reader = build(
            lambda: nn.Sequential(nn.Linear(size, 32), nn.ReLU(), nn.Linear(32, data.values)), generator
        ).to(data.labels.device)
        self.modules.append(self.reader)

    def loss(self, batch: Batch) -> Tensor:
        z = self.network.features(batch.x)
        label = F.one_hot(batch.y, self.data.classes).to(z.dtype)
        read = self.reader(torch.cat([ReverseGradient.apply(z, self.reversal), label], 1))
        return F.cross_entropy(self.network.head(z), batch.y) + F.cross_entropy(read, batch.b)
