"""FORML-style: learn what each sample should count from a few samples that are known to be fair."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from course_lib.fairness.methods.exemplars import set_aside, shuffled
from course_lib.mitigation.methods.base import Method, Setting
from course_lib.training import Batch

EXEMPLARS = Setting("exemplars", 40, 1, 1000, "samples of each group in the exemplar set, at most half of the smallest")


class FORML(Method):
    """Sample weights that are learned: those that lower the loss of an exemplar set after a look-ahead step.

    Each sample i has a weight w_i, 1 at first. For a batch: theta' = theta - look_ahead sum_i w_i grad l_i / B; then
    w_i moves by ``eta`` times -dL(theta')/dw_i over its largest magnitude in the batch, and not below 0; L is the mean
    cross-entropy on the exemplars. The step itself minimises mean w_i l_i, with weights of mean 1. The method of the
    paper has a fairness loss in place of L. Exemplars: ``exemplars`` of each group, set aside from training.
    """

    title = "Learned sample weights (FORML-style)"
    idea = "Raise the weight of a sample if a step on it helps a small set with all groups equal."
    source = "Yan, Seto, Apostoloff 2022 (arXiv 2202.01719); look-ahead: Ren et al. 2018 (arXiv 1803.09050)"
    knows = "bias labels"
    settings = (
        EXEMPLARS,
        Setting("eta", 0.3, 0.0, 10.0, "how far a weight moves at most in one step"),
        Setting("look_ahead", 0.1, 0.0, 10.0, "learning rate of the look-ahead step"),
    )

    def __init__(self, network, data, generator, **settings):
        super().__init__(network, data, generator, **settings)
        self.exemplars, self.rest = set_aside(data, self.exemplars, generator, "FORML")
        self.fair = data.batch(self.exemplars)
        self.weight = torch.ones(len(data), device=data.labels.device)

    def batches(self, size):
        return shuffled(self.rest, size, self.generator)

    def loss(self, batch: Batch) -> Tensor:
        losses = F.cross_entropy(self.network(batch.x), batch.y, reduction="none")
        weight = self.weight[batch.index]
        gain = self.alignment(losses, weight)
        weight = (weight + self.eta * gain / gain.abs().max().clamp(min=1e-12)).clamp(min=0)
        self.weight[batch.index] = weight
        return torch.mean(weight / weight.mean().clamp(min=1e-12) * losses)

    def alignment(self, losses: Tensor, weight: Tensor) -> Tensor:
        """Return -dL/dw [B], where L is the exemplars' loss after the look-ahead step."""
        weight = weight.clone().requires_grad_()
        names, theta = zip(*self.network.named_parameters(), strict=True)
        slopes = torch.autograd.grad((weight * losses).mean(), theta, create_graph=True)
        ahead = {name: p - self.look_ahead * g for name, p, g in zip(names, theta, slopes, strict=True)}
        # Copies: the look-ahead must not move the running statistics of batch norm.
        ahead |= {name: buffer.clone() for name, buffer in self.network.named_buffers()}
        loss = F.cross_entropy(functional_call(self.network, ahead, (self.fair.x,)), self.fair.y)
        return -torch.autograd.grad(loss, weight, retain_graph=True)[0]


class Exemplars(Method):
    """Mean cross-entropy on the exemplar set of FORML alone: what it must beat to be worth its trouble."""

    title = "Exemplars only (control of FORML)"
    idea = "Train on FORML's exemplars and on nothing else: what FORML has to beat."
    source = "control"
    knows = "bias labels"
    settings = (EXEMPLARS,)

    def __init__(self, network, data, generator, **settings):
        super().__init__(network, data, generator, **settings)
        self.exemplars, _ = set_aside(data, self.exemplars, generator, "Exemplars")

    def batches(self, size):
        return shuffled(self.exemplars, size, self.generator)
