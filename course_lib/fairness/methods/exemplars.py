"""Small group-balanced sets, for the methods that need one: as many samples of each group, drawn at random."""

import torch
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.mitigation.methods.base import pair_groups
from course_lib.training import TrainingSet


def balanced(data: TrainingSet, most: int | None, generator: torch.Generator, title: str) -> Tensor:
    """Return int64 indices of equally many samples of each group (b, y): as many as the smallest one has, or ``most``.

    Raises `CourseError`, which names ``title``, the method, if there is a group without samples.
    """
    group, sizes = pair_groups(data)
    smallest = int(sizes.min())
    each = smallest if most is None else min(most, smallest)
    if each < 1:
        enough = "a sample" if most is None else "two samples"  # one to set aside, one to train on
        raise CourseError(f"{title} needs {enough} of every group: raise the prior of each, or collect more.")
    order = torch.randperm(len(group), generator=generator)
    return torch.cat([order[group[order] == g][:each] for g in range(len(sizes))])


def set_aside(data: TrainingSet, each: float, generator: torch.Generator, title: str) -> tuple[Tensor, Tensor]:
    """Return the indices of a balanced set, at most half of the smallest group from each, and all other indices."""
    _, sizes = pair_groups(data)
    chosen = balanced(data, min(round(each), int(sizes.min()) // 2), generator, title)
    rest = torch.ones(len(data), dtype=torch.bool)
    rest[chosen] = False
    return chosen, rest.nonzero().flatten()


def shuffled(index: Tensor, size: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    """Return one epoch of batches of the samples at ``index``; none of a single sample, on which batch norm fails."""
    order = index[torch.randperm(len(index), generator=generator)]
    batches = order.split(size)
    return batches if len(batches) == 1 or len(batches[-1]) > 1 else batches[:-1]
