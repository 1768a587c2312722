"""SUBG: throw away what there is too much of."""

from course_lib.fairness.methods.exemplars import balanced, shuffled
from course_lib.mitigation.methods.base import Method


class SUBG(Method):
    """Mean cross-entropy on a subset, drawn once, in which each group (b, y) has as many samples as the smallest.

    It takes as many steps as the other methods do, so that each sample of the subset is seen more often.
    """

    title = "Subsampling to the smallest group"
    idea = "Throw samples away until all groups are as small as the smallest."
    source = "Idrissi, Arjovsky, Pezeshki, Lopez-Paz 2022 (arXiv 2110.14503)"
    knows = "bias labels"

    def __init__(self, network, data, generator, **settings):
        super().__init__(network, data, generator, **settings)
        self.subset = balanced(data, None, generator, "SUBG")

    def batches(self, size):
        return shuffled(self.subset, size, self.generator)
