"""RP-DRO: an opponent chooses what each sample counts, and makes the network work where it is bad."""

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.mitigation.methods.base import Method, Setting
from course_lib.mitigation.methods.lnl import ReverseGradient
from course_lib.networks import initialise
from course_lib.training import Batch


class RPDRO(Method):
    """Parametric distributionally robust optimisation: min over f, max over h of mean r l - tau mean r log r.

    l_i is the cross-entropy of sample i, and r_i = B softmax_i(h(x_i)[y_i]) over a batch of B what it counts, of mean
    1. The opponent h, a network like f, is told x and y and starts at r = 1. It is one function for all samples: to
    count one more it must count those like it more, so that a mislabelled face has less to say than a group has. The
    second term, tau times the KL divergence of r from 1, keeps the weights from going to few samples. Both move in
    the same step, of one optimiser: its weight decay, too, pulls r to 1. Its forerunner P-DRO (arXiv 2103.10282)
    needs a generative model of the data in place of h.
    """

    title = "Ratio-based parametric distributionally robust optimisation"
    idea = "A second network weights up the kinds of samples that the first one is bad at."
    source = "Michel, Hashimoto, Neubig 2022 (arXiv 2204.06340)"
    settings = (Setting("tau", 1.0, 0.01, 100.0, "how dear it is to leave equal weights"),)

    def __init__(self, network, data, generator, **settings):
        super().__init__(network, data, generator, **settings)
        self.opponent = initialise(copy.deepcopy(network), generator)
        nn.init.zeros_(self.opponent.head.weight)
        nn.init.zeros_(self.opponent.head.bias)
        self.modules.append(self.opponent)

    def loss(self, batch: Batch) -> Tensor:
        losses = F.cross_entropy(self.network(batch.x), batch.y, reduction="none")
        log_r = self.log_ratios(batch)
        r = log_r.exp()
        return torch.mean(r * losses) - self.tau * torch.mean(r * log_r)

    def log_ratios(self, batch: Batch) -> Tensor:
        """Return log r [B]; what minimises the loss maximises it in the opponent, whose gradient is reversed."""
        h = ReverseGradient.apply(self.opponent(batch.x), 1.0).gather(1, batch.y[:, None]).squeeze(1)
        return h.log_softmax(0) + math.log(len(h))
