"""Bounded group loss: the best last layer whose error stays below a bound in both groups."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from course_lib.errors import CourseError, require_number

RIDGE = 1e-3  # keeps the equations solvable where features are always zero; too small to matter elsewhere
HALVINGS = 40


class BoundedHead(NamedTuple):
    """A last layer. head: float64 [D + 1], its weights and its bias; share: of the loss that is group 1's;
    errors: of the two groups on the data it was fitted to, root mean square; met: whether both keep the bound.
    """

    head: Tensor
    share: float
    errors: tuple[float, float]
    met: bool

    def predict(self, features: Tensor) -> Tensor:
        """Return predictions, float64 [N], for features float [N, D]."""
        return features.double() @ self.head[:-1] + self.head[-1]


class GroupSquares:
    """All that the squared errors of two groups depend on: some sums over their members, made once.

    features: float [N, D]; targets: float [N]; group: int64 [N] of 0 and 1, both of which must occur.
    """

    def __init__(self, features: Tensor, targets: Tensor, group: Tensor):
        x = torch.cat([features.double(), torch.ones(len(features), 1, dtype=torch.float64)], 1)
        y, sizes = targets.double(), torch.bincount(group, minlength=2)
        if len(sizes) != 2 or 0 in sizes:
            raise CourseError(f"This takes two groups, 0 and 1, that both have members; it got {sizes.tolist()}.")
        self.natural = float(sizes[1] / len(group))  # group 1's share of the loss if everybody counts the same
        self.small = RIDGE * torch.eye(x.shape[1], dtype=torch.float64)
        members = [group == one for one in (0, 1)]
        self.gram = [x[m].T @ x[m] / m.sum() for m in members]
        self.cross = [x[m].T @ y[m] / m.sum() for m in members]
        self.power = [y[m].square().mean() for m in members]

    def best(self, share: float) -> tuple[Tensor, tuple[float, float]]:
        """Return the head that is best if group 1 is ``share`` of the loss, and both groups' errors with it."""
        gram, cross = (torch.lerp(*pair, share) for pair in (self.gram, self.cross))
        head = torch.linalg.solve(gram + self.small, cross)
        sums = zip(self.gram, self.cross, self.power, strict=True)
        squares = [head @ gram @ head - 2 * cross @ head + power for gram, cross, power in sums]
        return head, tuple(float(square.clamp(min=0)) ** 0.5 for square in squares)

    def bounded(self, bound: float) -> BoundedHead:
        """Return the head with the least overall error among those that keep both groups' errors <= ``bound``.

        Where there is none, it returns the one whose worse group is best, and says that it does not meet the
        bound. As a Lagrangian: minimise the mean squared error plus a multiplier times what a group is above the
        bound; a multiplier only ever raises that group's share of the loss, so that a share can be looked for.
        Raises `CourseError` for a bound that is not positive. Source: Agarwal, Dudik, Wu, arXiv 1905.12843 (bounded
        group loss; there the multipliers follow from an exponentiated gradient). Taught in: notebook 06.
        """
        bound = require_number("bound", bound, 0)
        head, errors = self.best(self.natural)
        worse = int(errors[1] > errors[0])
        if max(errors) <= bound:
            return BoundedHead(head, self.natural, errors, True)
        # Towards the worse group's own best head its error falls and the other's rises, all the way.
        share = self._first(worse, lambda errors: errors[worse] <= max(bound, errors[1 - worse]))
        head, errors = self.best(share)
        return BoundedHead(head, share, errors, max(errors) <= bound * (1 + 1e-6))

    def _first(self, towards: int, enough) -> float:
        """Return the share nearest to the natural one, in the direction of a group, that is ``enough``."""
        near, far = self.natural, float(towards)
        for _ in range(HALVINGS):
            middle = (near + far) / 2
            near, far = (near, middle) if enough(self.best(middle)[1]) else (middle, far)
        return far
