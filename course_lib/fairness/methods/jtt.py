"""JTT: look which samples go wrong, and show them again and again."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.mitigation.methods.base import Method, Setting
from course_lib.networks import initialise
from course_lib.runs import finish
from course_lib.training import Batch, predict


class JTT(Method):
    """Just train twice: a first network learns for a while; what it gets wrong is repeated for the second one.

    The first network has ``first`` of the epochs (at least one), the second one the steps that are left. Each error
    of the first is there ``lam`` times in the data of the second. Both share one learning-rate cycle here, and the
    number of steps of the other methods; the paper trains the second one afresh, and longer.
    """

    title = "Just train twice"
    idea = "Train a first network for a while; repeat what it gets wrong for the second."
    source = "Liu, Haghgoo, Chen et al. 2021 (arXiv 2107.09044)"
    settings = (
        Setting("first", 0.25, 0.05, 0.8, "share of the epochs for the first network"),
        Setting("lam", 6, 1, 100, "how often each error of the first network is shown to the second"),
    )

    def __init__(self, network, data, generator, **settings):
        super().__init__(network, data, generator, **settings)
        self.scout = initialise(copy.deepcopy(network), generator)
        self.modules.append(self.scout)
        self.epoch, self.training = 0, self.scout
        self.repeated: Tensor | None = None  # indices of the training data with each error lam times

    def batches(self, size):
        if self.epochs < 2:
            raise CourseError("JTT trains twice: it needs at least 2 epochs.")
        self.epoch += 1
        if self.epoch <= min(max(1, round(self.first * self.epochs)), self.epochs - 1):
            return super().batches(size)
        if self.repeated is None:
            self.repeated, self.training = self._repeat_errors(), self.network
        return self.repeated[torch.randperm(len(self.repeated), generator=self.generator)].split(size)

    def loss(self, batch: Batch) -> Tensor:
        return F.cross_entropy(self.training(batch.x), batch.y)  # the other network has no gradient: it stays

    def _repeat_errors(self) -> Tensor:
        predicted = finish(predict(self.scout.eval(), self.data.images, len(self.data)))
        wrong = (predicted != self.data.labels).nonzero().flatten()
        return torch.cat([torch.arange(len(self.data)), wrong.repeat(round(self.lam) - 1)])
