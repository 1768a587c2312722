"""Post-processing that gives all groups the same distribution of predictions, and how far they are from it."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.errors import CourseError, require_number


def wasserstein_repair(predictions: Tensor, group: Tensor, strength: float = 1.0) -> Tensor:
    """Return repaired predictions, float64 [N]: the fewest changes that make all groups' distributions the same.

    predictions: float [N]; group: int64 [N]. g(x) = sum over groups h of P(h) Q_h(F_a(f(x))): who is at 30 % of
    the own group a gets the mean of what is at 30 % in each group. ``strength`` s in 0..1 goes part of the way:
    (1 - s) f(x) + s g(x). Everybody keeps the place within the own group; ties stay ties.

    Raises `CourseError` for shapes that differ, numbers that are not finite, or a strength out of range.
    Source: Chzhen, Denis, Hebiri, Oneto, Pontil, arXiv 2006.07286; the way in between: Chzhen, Schreuder,
    arXiv 2007.14265. Taught in: notebook 06.
    """
    strength = require_number("strength", strength, 0, 1)
    predictions, parts = _by_group(predictions, group)
    repaired = predictions.clone()
    for members in parts:
        place = _places(predictions[members])
        barycentre = sum(len(other) / len(predictions) * quantiles(predictions[other], place) for other in parts)
        repaired[members] += strength * (barycentre - predictions[members])
    return repaired


def quantiles(values: Tensor, place: Tensor) -> Tensor:
    """Return the quantiles of ``values`` [N] at ``place`` [M], 0 to 1: piecewise linear, value i at (i + 0.5) / N.

    This is the method that numpy calls "hazen".
    """
    ordered = values.sort().values
    position = (place * len(ordered) - 0.5).clamp(0, len(ordered) - 1)
    below = position.long()
    above = (below + 1).clamp(max=len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def parity_distance(predictions: Tensor, group: Tensor) -> float:
    """Return how far predictions are from demographic parity: 0 (each group has the same distribution) to 1.

    predictions: float [N]; group: int64 [N]. The largest difference, over thresholds z and groups a, of
    P(f >= z | a) and P(f >= z): Kolmogorov and Smirnov's distance of a group and everybody. Raises `CourseError`
    as `wasserstein_repair`. Taught in: notebook 06.
    """
    predictions, parts = _by_group(predictions, group)
    return float(_distances(predictions, parts))


def parity_distances(predictions: Tensor, group: Tensor) -> Tensor:
    """Return the `parity_distance` of each row of predictions, float [S, N]: float64 [S]."""
    return _distances(predictions, _by_group(predictions[0], group)[1])


def _distances(predictions: Tensor, parts: list[Tensor]) -> Tensor:
    ordered, order = predictions.sort()
    n = predictions.shape[-1]
    everybody = torch.arange(1, n + 1, dtype=torch.float64) / n  # the share up to each value in order
    last = torch.ones_like(ordered, dtype=torch.bool)  # of equal values: only there all of them are counted
    last[..., :-1] = ordered[..., :-1] < ordered[..., 1:]
    gaps = []
    for members in parts:
        member = torch.zeros(n, dtype=torch.int64)
        member[members] = 1
        gaps.append(((member[order].cumsum(-1).double() / len(members) - everybody).abs() * last).amax(-1))
    return torch.stack(gaps).amax(0)


def _places(values: Tensor) -> Tensor:
    """Return where each value stands among all, 0 to 1: the middle of its step, the same for ties."""
    ordered = values.sort().values
    first, last = (torch.searchsorted(ordered, values, right=right) for right in (False, True))
    return (first + last).double() / (2 * len(values))


def _by_group(predictions: Tensor, group: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Check both [N] and return the predictions as float64, and the indices of each group's members."""
    predictions, group = torch.as_tensor(predictions).double(), torch.as_tensor(group)
    if predictions.dim() != 1 or predictions.shape != group.shape or not len(group):
        raise CourseError(
            "predictions and group must be equally long, [N], and not empty; "
            f"they have the shapes {list(predictions.shape)} and {list(group.shape)}."
        )
    if not bool(predictions.isfinite().all()):
        raise CourseError("predictions must be finite numbers; some are not.")
    return predictions, [(group == one).nonzero()[:, 0] for one in group.unique()]
