"""DFR: keep the features, and decide anew what to make of them."""

import torch
import torch.nn.functional as F

from course_lib.fairness.methods.exemplars import set_aside, shuffled
from course_lib.mitigation.methods.base import Method, Setting


class DFR(Method):
    """Deep feature reweighting: standard training; then the head alone is fitted again, on a balanced set.

    The balanced set has ``exemplars`` samples of each group (b, y), at most half of the smallest one; the features
    are never trained on them. The new head minimises mean CE + l2 / 2 |W|^2 on standardised features, with L-BFGS.
    The paper averages heads of several balanced sets, with an l1 penalty.
    """

    title = "Deep feature reweighting"
    idea = "Train as usual; then fit only the last layer again, on a small set with all groups equal."
    source = "Kirichenko, Izmailov, Wilson 2023 (arXiv 2204.02937)"
    knows = "bias labels"
    settings = (
        Setting("exemplars", 40, 1, 1000, "samples of each group in the balanced set, at most half of the smallest"),
        Setting("l2", 0.1, 0.0, 100.0, "weight of the squared weights of the new head"),
    )

    def __init__(self, network, data, generator, **settings):
        super().__init__(network, data, generator, **settings)
        self.exemplars, self.rest = set_aside(data, self.exemplars, generator, "DFR")

    def batches(self, size):
        return shuffled(self.rest, size, self.generator)

    def conclude(self):
        batch = self.data.batch(self.exemplars)
        head = self.network.eval().head
        with torch.no_grad():
            z = self.network.features(batch.x)
            mean, scale = z.mean(0), z.std(0).clamp(min=1e-6)
        weight = torch.zeros_like(head.weight, requires_grad=True)
        bias = torch.zeros_like(head.bias, requires_grad=True)
        solver = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

        def closure():
            solver.zero_grad()
            loss = F.cross_entropy(F.linear((z - mean) / scale, weight, bias), batch.y)
            loss = loss + self.l2 / 2 * weight.square().sum()
            loss.backward()
            return loss

        solver.step(closure)
        with torch.no_grad():
            head.weight.copy_(weight / scale)  # the standardisation becomes part of the head
            head.bias.copy_(bias - head.weight @ mean)
