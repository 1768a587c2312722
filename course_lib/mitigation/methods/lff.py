"""LFF: a network that is biased on purpose shows which samples the main network should learn from."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.mitigation.methods.base import Method, Setting
from course_lib.networks import initialise
from course_lib.training import Batch


class LFF(Method):
    """Learning from failure: two networks, trained side by side.

    The biased one minimises the generalised cross-entropy, mean q p_y^q CE (p_y not differentiated),
    which favours what is easy. The main one minimises mean W CE with W = B / (B + M + 1e-8), where B and
    M are moving averages of a sample's loss in the biased and in the main network, each divided by the
    largest average in its class: a sample that only the biased network fails on counts most.
    """

    title = "Learning from failure"
    idea = "Train one network to fall for the bias, and weight up the samples on which it fails."
    source = "Nam, Cha, Ahn, Lee, Shin 2020 (arXiv 2007.02561), algorithm 1"
    settings = (Setting("q", 0.5, 0.0, 1.0, "how strongly the biased network favours easy samples"),)

    def __init__(self, network, data, generator, **settings):
        super().__init__(network, data, generator, **settings)
        self.biased = initialise(copy.deepcopy(network), generator)
        self.modules.append(self.biased)
        self.average_biased = MovingAverage(data.labels, data.classes)
        self.average_main = MovingAverage(data.labels, data.classes)

    def loss(self, batch: Batch) -> Tensor:
        biased, main = self.biased(batch.x), self.network(batch.x)
        loss_biased = F.cross_entropy(biased, batch.y, reduction="none")
        loss_main = F.cross_entropy(main, batch.y, reduction="none")
        b = self.average_biased.update(batch.index, batch.y, loss_biased.detach())
        m = self.average_main.update(batch.index, batch.y, loss_main.detach())
        p_y = torch.exp(-loss_biased.detach())
        generalised = self.q * p_y**self.q * loss_biased
        return torch.mean(generalised) + torch.mean(b / (b + m + 1e-8) * loss_main)


class MovingAverage:
    """One moving average per training sample (decay 0.7, first value raw), and its maximum per class."""

    def __init__(self, labels: Tensor, classes: int):
        self.value = torch.full(labels.shape, torch.nan, device=labels.device)
        self.members = [torch.nonzero(labels == c).flatten() for c in range(classes)]

    def update(self, index: Tensor, y: Tensor, losses: Tensor) -> Tensor:
        """Take in the ``losses`` [B] of the samples at ``index``; return their averages over class maxima."""
        old = self.value[index]
        self.value[index] = torch.where(old.isnan(), losses, 0.7 * old + 0.3 * losses)
        largest = losses.new_ones(len(self.members))
        for c in y.unique():
            largest[c] = self.value[self.members[c]].nan_to_num(0).max()
        return self.value[index] / largest[y].clamp(min=1e-12)
