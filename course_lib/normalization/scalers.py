"""Four ways to bring features to one scale: each learns its parameters in ``fit`` and uses them in ``transform``.

``fit`` is where the question of this lesson is decided: whoever calls it chooses which samples decide.
All take float tensors [N, D] (N samples, D features), or [..., N, D]: many sets at once, each for itself.
"""

from __future__ import annotations

from typing import ClassVar, Self

import torch
from torch import Tensor

from course_lib.errors import CourseError, require_number

EPS = torch.finfo(torch.float64).eps
EMPTY = 1e-10  # of the largest variance: a direction with less counts as one without variance


class Scaler:
    """Base of the scalers: subclasses learn their parameters in ``learn`` and use them in ``apply``.

    idea: what a selector or a table says of it; takes_nan: whether NaN, a value that is missing, may stand
    in the data. Infinite values, other shapes than [..., N, D] with N, D >= 1, another number of features
    than in ``fit``, and ``transform`` before ``fit`` raise `CourseError`. Taught in: notebook 02.
    """

    idea: ClassVar[str] = ""
    takes_nan: ClassVar[bool] = True
    features: int | None = None  # of the data that was fitted

    def fit(self, x: Tensor) -> Self:
        """Learn the parameters from the samples ``x``, and return this scaler."""
        x = self._check(x)
        self.learn(x)
        self.features = x.shape[-1]
        return self

    def transform(self, x: Tensor) -> Tensor:
        """Return ``x`` on the new scale, float64, by the parameters that ``fit`` learned."""
        if self.features is None:
            raise CourseError(f"This {type(self).__name__} has no parameters yet: call fit before transform.")
        x = self._check(x)
        if x.shape[-1] != self.features:
            raise CourseError(f"x must have {self.features} features, as in fit; it has {x.shape[-1]}.")
        return self.apply(x)

    def fit_transform(self, x: Tensor) -> Tensor:
        """Return ``fit(x).transform(x)``."""
        return self.fit(x).transform(x)

    def learn(self, x: Tensor) -> None:
        raise NotImplementedError

    def apply(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _check(self, x: Tensor) -> Tensor:
        try:
            x = torch.as_tensor(x)
        except (TypeError, ValueError, RuntimeError):  # texts, rows of different lengths
            x = torch.empty(0)
        if x.ndim < 2 or 0 in x.shape or x.is_complex():
            raise CourseError(
                f"x must be numbers of shape [samples, features], at least one each; its shape was {[*x.shape]}."
            )
        x = x.to(torch.float64)
        if x.isinf().any():
            raise CourseError("x must hold finite numbers; there is an infinite one among them.")
        if not self.takes_nan and x.isnan().any():
            raise CourseError(
                "Whitening mixes all features of a sample, so one missing value (NaN) would spoil all of them: "
                "leave such samples out, or fill the gaps first."
            )
        return x


class Range(Scaler):
    """Maps each feature linearly, so that its smallest value becomes ``low`` and its largest ``high``.

    Like scikit-learn's MinMaxScaler: a constant feature (and so every feature of a single sample) becomes
    ``low``; NaN is ignored in ``fit`` and stays NaN in ``transform``; nothing is clipped. Raises `CourseError`
    unless low < high. Taught in: notebook 02.
    """

    idea = "smallest value to -1, largest to 1"

    def __init__(self, low: float = -1.0, high: float = 1.0):
        self.low, self.high = require_number("low", low, -1e100), require_number("high", high, -1e100)
        if not self.low < self.high:
            raise CourseError(f"low must be less than high; they were {low!r} and {high!r}.")

    def learn(self, x: Tensor) -> None:
        missing = x.isnan()
        nothing = missing.all(-2, keepdim=True)
        smallest = x.masked_fill(missing, torch.inf).amin(-2, keepdim=True).masked_fill(nothing, torch.nan)
        span = x.masked_fill(missing, -torch.inf).amax(-2, keepdim=True) - smallest
        self.smallest, self.span = smallest, span.masked_fill(span < 10 * EPS, 1.0)

    def apply(self, x: Tensor) -> Tensor:
        return (x - self.smallest) / self.span * (self.high - self.low) + self.low


class ZScore(Scaler):
    """Maps each feature linearly, so that its mean becomes 0 and its standard deviation 1.

    The standard deviation is the population's (divided by n), as in scikit-learn's StandardScaler. A constant
    feature (and so every feature of a single sample) becomes 0; NaN is ignored in ``fit`` and stays NaN in
    ``transform``. Taught in: notebook 02.
    """

    idea = "mean to 0, standard deviation to 1"

    def learn(self, x: Tensor) -> None:
        n = (~x.isnan()).sum(-2, keepdim=True)
        mean = x.nanmean(-2, keepdim=True)
        self.mean = mean + (x - mean).nanmean(-2, keepdim=True)  # without rounding: a constant's is the constant
        variance = (x - self.mean).square().nanmean(-2, keepdim=True)
        rounding = n * EPS * variance + (n * self.mean * EPS).square()  # what is left of a constant's variance
        self.deviation = variance.sqrt().masked_fill(variance <= rounding, 1.0)

    def apply(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.deviation


class PCAWhitening(Scaler):
    """Maps onto the axes of the covariance, the one with the largest variance first, each with variance 1.

    The covariance is divided by n - 1, as in scikit-learn's PCA(whiten=True); each axis points where its
    largest component is positive. A direction with less than 1e-10 of the largest variance counts as one
    without variance and becomes 0; so does everything, where there is one sample. NaN raises `CourseError`.
    Taught in: notebook 02.
    """

    idea = "uncorrelated, variances 1, on the axes of the covariance"
    takes_nan = False

    def learn(self, x: Tensor) -> None:
        mean = x.mean(-2, keepdim=True)
        self.mean = mean + (x - mean).mean(-2, keepdim=True)  # without rounding, as in `ZScore`
        centred = x - self.mean
        covariance = centred.mT @ centred / max(x.shape[-2] - 1, 1)
        variances, axes = torch.linalg.eigh(covariance)  # in ascending order, the axes as columns
        variances, axes = variances.flip(-1), axes.flip(-1)
        largest = axes.gather(-2, axes.abs().argmax(-2, keepdim=True))
        axes = axes * largest.sign()
        # What rounding leaves of a constant's variance is no variance either.
        floor = torch.maximum(EMPTY * variances[..., :1], (EPS * x.abs().amax((-2, -1)).unsqueeze(-1)).square())
        filled = variances > floor
        scale = torch.where(filled, variances.where(filled, 1.0).rsqrt(), 0.0)
        self.matrix = self.combine(axes, axes * scale[..., None, :])

    def combine(self, axes: Tensor, whitening: Tensor) -> Tensor:
        """Return the matrix [..., D, D] that centred samples (rows) are multiplied with."""
        return whitening

    def apply(self, x: Tensor) -> Tensor:
        return (x - self.mean) @ self.matrix


class ZCAWhitening(PCAWhitening):
    """Whitens and turns back: of all whitened versions the one that is nearest to the centred data.

    For directions without variance, one sample, and NaN see `PCAWhitening`. Source: A. J. Bell and
    T. J. Sejnowski, Vision Res. 37 (1997). Taught in: notebook 02.
    """

    idea = "uncorrelated, variances 1, turned back: each feature stays where it was"

    def combine(self, axes: Tensor, whitening: Tensor) -> Tensor:
        return whitening @ axes.mT


SCALERS: dict[str, type[Scaler]] = {
    "range": Range,
    "z-score": ZScore,
    "PCA whitening": PCAWhitening,
    "ZCA whitening": ZCAWhitening,
}
