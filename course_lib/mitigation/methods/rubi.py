"""RUBi: a network that sees only the bias takes the easy samples off the main network's hands."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.mitigation.methods.base import Method
from course_lib.networks import build
from course_lib.training import Batch, TrainingSet


class RUBi(Method):
    """CE(f * sigmoid(h(b)), y) + CE(h(b), y), where h sees nothing but the one-hot bias label.

    f is used alone to predict. Where h guesses the label from b, its mask makes the loss of f small.
    """

    title = "Reducing unimodal biases"
    idea = "A second network that sees only the bias masks the logits, so easy samples teach less."
    source = "Cadene, Dancette, Ben-younes, Cord, Parikh 2019 (arXiv 1906.10169), section 3"
    knows = "bias labels"

    def __init__(self, network, data, generator, **settings):
        super().__init__(network, data, generator, **settings)
        self.branch = build(lambda: reads_bias(data), generator).to(data.labels.device)
        self.modules.append(self.branch)

    def loss(self, batch: Batch) -> Tensor:
        from_bias = self.branch(F.one_hot(batch.b, self.data.values).float())
        masked = self.network(batch.x) * torch.sigmoid(from_bias)
        return F.cross_entropy(masked, batch.y) + F.cross_entropy(from_bias, batch.y)


def reads_bias(data: TrainingSet) -> nn.Module:
    """Return h: from a one-hot bias label [B, values] to logits [B, classes]."""
    return nn.Sequential(nn.Linear(data.values, 32), nn.ReLU(), nn.Linear(32, data.classes))
