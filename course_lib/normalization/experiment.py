"""Strategy 1 against strategy 2: the same two sets, the same scaler, the same classifier.

The data are made up: wing length and mass of two species of a bird, drawn from normal distributions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import pandas as pd
import torch
from torch import Tensor

from course_lib.metrics import wilson
from course_lib.normalization.config import MAX_TEST, MAX_TRAIN, Config
from course_lib.normalization.scalers import SCALERS
from course_lib.randomness import generator

FEATURES = ("wing length", "mass")
UNITS = ("mm", "g")
MEANS = torch.tensor([[190.0, 3700.0], [210.0, 4500.0]], dtype=torch.float64)  # of species A and B
WITHIN = torch.tensor([7.0, 400.0], dtype=torch.float64)  # standard deviation in a species
CORRELATION = 0.5  # of the two features in a species
# Standard deviation of both species together, half of each: the unit of ``shift``.
DEVIATION = (WITHIN.square() + (MEANS[1] - MEANS[0]).square() / 4).sqrt()

STRATEGIES = (1, 2)
TIE = 1e-9  # strategy 2 puts a single bird just between the means: there rounding must not decide
SETS = 400  # test sets behind each mean accuracy
SIZES = (1, 2, 3, 5, 10, 20, 50, 100, 200)


@dataclass(frozen=True, eq=False)
class Result:
    """Two sets before and after scaling, and what the classifier makes of them.

    train, test: float64 [N, 2] as measured; labels: int64, 0 for species A and 1 for B; scaled_train and
    scaled_test[strategy]: the same on the new scale; means: [2, 2], the classifier: the mean of each species
    in ``scaled_train``; right[strategy]: bool [n_test]; by_size: mean accuracy over 400 test sets of each size.
    """

    config: Config
    train: Tensor
    train_labels: Tensor
    test: Tensor
    labels: Tensor
    scaled_train: Tensor
    scaled_test: dict[int, Tensor]
    means: Tensor
    right: dict[int, Tensor]
    by_size: pd.DataFrame

    def __repr__(self) -> str:
        one, two = (self.mean_accuracy(s) for s in STRATEGIES)
        return f"<{self.config.scaler}, {self.config.n_test} test birds: strategy 1 {one:.3g}, strategy 2 {two:.3g}>"

    def accuracy(self, strategy: int) -> float:
        """Return the accuracy on this test set."""
        return float(self.right[strategy].double().mean())

    def interval(self, strategy: int) -> tuple[float, float]:
        """Return Wilson's 95 % interval of the accuracy on this test set."""
        right = self.right[strategy]
        low, high = wilson(right.sum().numpy(), len(right))
        return float(low), float(high)

    def mean_accuracy(self, strategy: int) -> float:
        """Return the mean accuracy over 400 test sets like this one, of the same size."""
        return float(self.by_size.loc[self.by_size["n"] == self.config.n_test, f"strategy {strategy}"].iloc[0])


def run(config: Config | None = None, **changes: object) -> Result:
    """Scale a training and a test set by both strategies and classify, e.g. ``run(n_test=5)``: some 15 ms.

    Pass a `Config`, its fields by name, or a `Config` and what to change. The classifier is fitted once, on
    the scaled training data, and says of each bird the species whose mean is nearer. Raises `CourseError` for
    settings out of range. Taught in: notebook 02.
    """
    return _run(Config.made_of(config, changes))


@lru_cache(maxsize=64)
def _run(c: Config) -> Result:
    train, train_labels = training_set(c)
    tests, labels = test_sets(c)
    scaler = SCALERS[c.scaler]().fit(train)
    scaled = scaler.transform(train)
    means = torch.stack([scaled[train_labels == species].mean(0) for species in (0, 1)])
    right_1 = classify(means, scaler.transform(tests)) == labels

    def by_own(n: int) -> Tensor:
        return SCALERS[c.scaler]().fit_transform(tests[:, :n])

    rows = []
    for n in sorted({*SIZES, c.n_test}):
        right_2 = classify(means, by_own(n)) == labels[:, :n]
        rows.append((n, float(right_1[:, :n].double().mean()), float(right_2.double().mean())))
    test, n = tests[0, : c.n_test], c.n_test
    scaled_test = {1: scaler.transform(test), 2: SCALERS[c.scaler]().fit_transform(test)}
    right = {s: classify(means, scaled_test[s]) == labels[0, :n] for s in STRATEGIES}
    by_size = pd.DataFrame(rows, columns=["n", "strategy 1", "strategy 2"])
    return Result(c, train, train_labels, test, labels[0, :n], scaled, scaled_test, means, right, by_size)


def classify(means: Tensor, x: Tensor) -> Tensor:
    """Return the species (0 or 1) whose mean is nearer to each sample: [..., N] for means [2, D], x [..., N, D].

    A sample that is as near to both, up to rounding, is said to be 0. Taught in: notebook 02.
    """
    normal, middle = means[1] - means[0], means.mean(0)
    return ((x - middle) @ normal > TIE).long()


def finding(result: Result) -> str:
    """Return in one line what a result shows, and why. Taught in: notebook 02."""
    c, (one, two) = result.config, (result.mean_accuracy(s) for s in STRATEGIES)
    numbers = f"Strategy 1: {one:.2f}, strategy 2: {two:.2f}"
    if c.n_test == 1:
        return f"{numbers} (a guess): one bird has no spread, so all birds land on one point."
    if two > one + 0.05 and abs(c.balance - 0.5) > 0.15:
        return f"{numbers}. Another unit, and strategy 2 takes it out; the mixture with it."
    if two > one + 0.05:
        return f"{numbers}. Another unit or zero point, and strategy 2 takes it out again."
    if one > two + 0.05 and abs(c.balance - 0.5) > 0.15:
        return f"{numbers}. Another mixture of species, and strategy 2 takes that out, too."
    if one > two + 0.05:
        return f"{numbers}: too few birds to say where their middle is and how far they spread."
    return f"{numbers}: hardly a difference."


def training_set(config: Config) -> tuple[Tensor, Tensor]:
    """Return birds [n_train, 2] in mm and g and their species [n_train], half of each."""
    labels = torch.arange(config.n_train) % 2
    return measure(labels, _draws(config.seed)[0][: config.n_train]), labels


def test_sets(config: Config) -> tuple[Tensor, Tensor]:
    """Return 400 test sets of the largest size, [400, 200, 2] as measured, and their species [400, 200].

    Smaller test sets are the first birds of each; the one that is shown is the first.
    """
    _, uniform, normal = _draws(config.seed)
    labels = (uniform < config.balance).long()
    x = measure(labels, normal) + config.shift * DEVIATION
    return x * torch.tensor([config.scale, 1.0]), labels


def measure(labels: Tensor, normal: Tensor) -> Tensor:
    """Return wing length and mass, [..., 2], of birds of species ``labels`` from standard normal numbers."""
    first, second = normal.unbind(-1)
    correlated = torch.stack([first, CORRELATION * first + (1 - CORRELATION**2) ** 0.5 * second], -1)
    return MEANS[labels] + WITHIN * correlated


@lru_cache(maxsize=8)
def _draws(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return what is random: normal numbers of the training set, uniform and normal ones of the test sets."""
    train, test = generator(seed, "birds, training"), generator(seed, "birds, test")
    return (
        torch.randn(MAX_TRAIN, 2, generator=train, dtype=torch.float64),
        torch.rand(SETS, MAX_TEST, generator=test, dtype=torch.float64),
        torch.randn(SETS, MAX_TEST, 2, generator=test, dtype=torch.float64),
    )
