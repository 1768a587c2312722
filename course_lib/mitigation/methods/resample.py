"""Resample: rare groups are seen more often."""

from course_lib.mitigation.methods.base import Method, balanced_batches


class Resample(Method):
    """Mean cross-entropy over batches in which every non-empty group (b, y) is equally likely.

    The same aim as UpWt, and the fair comparison for GDRO, which draws its batches the same way.
    """

    title = "Resampling"
    idea = "Draw every group equally often, rare ones again and again."
    source = "Shrestha, Kafle, Kanan 2021 (arXiv 2104.00170); Buda et al. 2018 (arXiv 1710.05381)"
    knows = "bias labels"

    def batches(self, size):
        return balanced_batches(self.data, size, self.generator)
