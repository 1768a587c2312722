"""IRMv1: look for features on which the same classifier is best in every environment."""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.mitigation.methods.base import Method, Setting
from course_lib.training import Batch


class IRMv1(Method):
    """Invariant risk minimisation, with the values of b as environments e.

    mean l + lam * sum_e g_e1 g_e2, where g is the derivative of an environment's mean loss with respect
    to a factor w on the logits, at w = 1, on the first (e1) and the second (e2) half of its samples in
    the batch. The two halves make each product unbiased, and possibly negative. A batch holds up to
    16 environments with equally many samples each, drawn with replacement.
    """

    title = "Invariant risk minimisation"
    idea = "Punish a classifier that could still be improved for one value of the bias alone."
    source = "Arjovsky, Bottou, Gulrajani, Lopez-Paz 2019 (arXiv 1907.02893), appendix D"
    knows = "bias labels"
    settings = (Setting("lam", 0.01, 0.0, 1000.0, "weight of the invariance penalty"),)

    def __init__(self, network, data, generator, **settings):
        super().__init__(network, data, generator, **settings)
        members = [torch.nonzero(data.bias.cpu() == e).flatten() for e in range(data.values)]
        self.members = [m for m in members if len(m)]  # sample indices of each environment

    def batches(self, size):
        used = min(16, len(self.members))
        each = max(2, size // used)
        for _ in range(-(-len(self.data) // size)):
            chosen = torch.randperm(len(self.members), generator=self.generator)[:used].tolist()
            draws = [torch.randint(len(self.members[e]), (each,), generator=self.generator) for e in chosen]
            yield torch.cat([self.members[e][draw] for e, draw in zip(chosen, draws, strict=True)])

    def loss(self, batch: Batch) -> Tensor:
        logits = self.network(batch.x)
        slope = scale_gradient(logits, batch.y)
        penalty = sum(half_product(slope[batch.b == e]) for e in batch.b.unique())
        return F.cross_entropy(logits, batch.y) + self.lam * penalty


def scale_gradient(logits: Tensor, y: Tensor) -> Tensor:
    """Return d CE(w * logits, y) / dw at w = 1 for each sample, [B]: sum_k (p_k - [k = y]) logit_k."""
    error = torch.softmax(logits, 1) - F.one_hot(y, logits.shape[1])
    return torch.sum(error * logits, 1)


def half_product(slope: Tensor) -> Tensor:
    """Return the product of the means of both halves of ``slope`` [n]; 0 where a half would be empty."""
    half = len(slope) // 2
    return slope[:half].mean() * slope[half:].mean() if half else slope.sum() * 0
