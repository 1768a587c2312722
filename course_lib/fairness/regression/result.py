"""What a run of the age estimator has found so far: predictions with any bound and repair, and their errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.fairness.regression.bounded import BoundedHead, GroupSquares
from course_lib.fairness.regression.config import GROUPS, NO_BOUND, AgeConfig
from course_lib.fairness.regression.repair import wasserstein_repair
from course_lib.metrics import MIN_SAMPLES, Z95

UNBOUNDED = 1e6  # years


class Evaluation(NamedTuple):
    """After ``step`` steps: the errors of the groups on test faces, root mean square, in years."""

    step: int
    errors: tuple[float, float]


class Trained(NamedTuple):
    """What is left to work with once a network is trained.

    features: float [2000, 32], of the test workers; age: float [2000]; outdoors: int64 [2000]; squares: what the
    last layer can make of the training workers' features.
    """

    features: Tensor
    age: Tensor
    outdoors: Tensor
    squares: GroupSquares


@dataclass(frozen=True, eq=False)
class AgeResult:
    """A run so far: how far it is, the loss of its latest step, its evaluations and, at the end, `Trained`."""

    config: AgeConfig
    step: int
    steps: int
    loss: float
    evaluations: tuple[Evaluation, ...]
    trained: Trained | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        errors = dict(zip(GROUPS, self.evaluations[-1].errors, strict=True)) if self.evaluations else {}
        known = ", ".join(f"{name} {error:.3g}" for name, error in errors.items())
        return f"<ages: step {self.step} of {self.steps}; errors in years: {known}>"

    @property
    def finished(self) -> bool:
        return self.trained is not None

    @property
    def age(self) -> Tensor:
        """The true ages of the 2,000 test workers, float [2000] in years."""
        return self._done().age

    @property
    def outdoors(self) -> Tensor:
        """Who of the test workers works outdoors, int64 [2000]: 1 who does."""
        return self._done().outdoors

    @cached_property
    def as_trained(self) -> Tensor:
        """The predicted ages of the test workers, float64 [2000], without a bound and without a repair."""
        return self.predictions()

    def head(self, bound: float = NO_BOUND) -> BoundedHead:
        """Return the last layer that is best with each group's error at most ``bound`` years on the training data.

        20 and more is no bound. Raises `CourseError` before the run has finished. Taught in: notebook 06.
        """
        return self._done().squares.bounded(bound if bound < NO_BOUND else UNBOUNDED)

    def predictions(self, bound: float = NO_BOUND, strength: float = 0.0) -> Tensor:
        """Return the predicted ages of the test workers, float64 [2000], with a bound and a repair.

        Raises `CourseError` before the run has finished, and for values out of range. Taught in: notebook 06.
        """
        trained = self._done()
        predicted = self.head(bound).predict(trained.features)
        return wasserstein_repair(predicted, trained.outdoors, strength)

    def _done(self) -> Trained:
        if self.trained is None:
            raise CourseError("This run has not finished: there are no predictions yet.")
        return self.trained


def error_table(predictions: Tensor, truth: Tensor, group: Tensor, names: tuple[str, ...] = GROUPS) -> pd.DataFrame:
    """Return one row per group and one for all: group, n, error, low, high, mae, mean.

    error is the root of the mean squared error, low and high its 95 % interval (from the normal interval of the
    mean square); mae the mean absolute error; mean the mean of prediction - truth: above 0, too old. All in the
    units of the predictions; NaN for a group with fewer than 10 members. Taught in: notebook 06.
    """
    off = (predictions.double() - truth.double()).numpy()
    parts = [off[(group == index).numpy()] for index in range(len(names))]
    rows = [_errors(name, part) for name, part in zip([*names, "all"], [*parts, off], strict=True)]
    return pd.DataFrame(rows, columns=["group", "n", "error", "low", "high", "mae", "mean"])


def _errors(name: str, off: np.ndarray) -> tuple:
    n = len(off)
    if n < MIN_SAMPLES:
        return (name, n, *[np.nan] * 5)
    squares = off**2
    half = Z95 * squares.std(ddof=1) / n**0.5
    mean = squares.mean()
    low, high = max(mean - half, 0.0) ** 0.5, (mean + half) ** 0.5
    return name, n, mean**0.5, low, high, np.abs(off).mean(), off.mean()
