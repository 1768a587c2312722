"""LNL: learn features from which the bias cannot be read."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.mitigation.methods.base import Method, Setting
from course_lib.networks import build
from course_lib.training import Batch


class LNL(Method):
    """Learning not to learn: two optimiser steps a batch, with h a bias classifier on the features z.

    Step 1 moves the main network only: CE(f, y) + lam * mean_i sum_k p_ik log p_ik with p = softmax h(z),
    which drives h towards "no idea". Step 2, on a fresh forward pass because the weights have moved,
    trains h to read b from z, while its gradient enters the network times -reversal.
    """

    title = "Learning not to learn"
    idea = "Train a second network to read the bias from the features, and the features to defeat it."
    source = "Kim, Kim, Kim, Kim, Kim 2019 (arXiv 1812.10352), section 3"
    knows = "bias labels"
    settings = (
        Setting("lam", 0.01, 0.0, 10.0, "weight of the entropy term in step 1"),
        Setting("reversal", 0.1, 0.0, 10.0, "strength of the reversed gradient in step 2"),
    )

    def __init__(self, network, data, generator, **settings):
        super().__init__(network, data, generator, **settings)
        reader = build(lambda: nn.Linear(network.head.in_features, data.values), generator)
        self.reader = reader.to(data.labels.device)
        self.modules.append(self.reader)

    def step(self, batch: Batch, optimizer: torch.optim.Optimizer) -> float:
        optimizer.zero_grad()
        loss = self.loss(batch)
        loss.backward()
        self.reader.zero_grad()  # without a gradient the optimiser passes it by: step 1 is not its
        optimizer.step()

        optimizer.zero_grad()
        self.reader_loss(batch).backward()
        optimizer.step()
        return loss.item()

    def loss(self, batch: Batch) -> Tensor:
        z = self.network.features(batch.x)
        p = torch.softmax(self.reader(z), 1)
        negative_entropy = torch.mean(torch.sum(p * torch.log(p.clamp(min=1e-8)), 1))
        return F.cross_entropy(self.network.head(z), batch.y) + self.lam * negative_entropy

    def reader_loss(self, batch: Batch) -> Tensor:
        z = ReverseGradient.apply(self.network.features(batch.x), self.reversal)
        return F.cross_entropy(self.reader(z), batch.b)


class ReverseGradient(torch.autograd.Function):
    """Identity forwards; backwards the gradient times -scale (Ganin, Lempitsky, arXiv 1409.7495)."""

    @staticmethod
    def forward(ctx, x: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        return -ctx.scale * gradient, None
