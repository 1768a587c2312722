"""The faces of lesson 05: pictures, and labels of which some are missing."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from course_lib.data import faces
from course_lib.data.faces import OLDEST, YOUNGEST, Faces
from course_lib.data.lazy import LazyPictures
from course_lib.multitask.config import TASKS, Config
from course_lib.randomness import derive_seed, generator
from course_lib.training import TrainingSet

TESTED = 2000  # faces; no network is trained on them
TEST_SEED = derive_seed("multitask/test", 0)
AGE = TASKS.index("age")
MEAN_AGE = (YOUNGEST + OLDEST) / 2
AGE_DEVIATION = (OLDEST - YOUNGEST) / 12**0.5  # of ages that are uniform between the two


def photograph(pictures: Tensor, noise: float, seed: int) -> Tensor:
    """Return what a noisy camera takes of drawings, uint8 [N, 3, 32, 32]; ``noise`` in grey levels of 255."""
    return faces.add_grain(pictures, noise, grain(seed))


def grain(seed: int) -> torch.Generator:
    """Return the generator of a camera's noise."""
    return generator(seed, "multitask/grain")


def truth(drawn: Faces, seed: int) -> Tensor:
    """Return all labels of faces, float [N, 4] in the order of `TASKS`: 0 or 1, and the age in years."""
    coin = torch.rand(len(drawn), generator=generator(seed, "multitask/coin")) < 0.5
    return torch.stack([drawn.smile.float(), drawn.age, drawn.gender.float(), coin.float()], 1)


def targets(labels: Tensor, unit: str) -> Tensor:
    """Return labels float [N, 4] as they are learned: the age in years, or standardised."""
    if unit == "years":
        return labels
    learned = labels.clone()
    learned[:, AGE] = (labels[:, AGE] - MEAN_AGE) / AGE_DEVIATION
    return learned


def in_years(said: Tensor, unit: str) -> Tensor:
    """Return what a network says of the age in years, whichever unit it has learned."""
    return said if unit == "years" else MEAN_AGE + AGE_DEVIATION * said


def has_label(config: Config) -> Tensor:
    """Return which training faces have a label of which task, bool [n_train, 4].

    Each task draws its own faces; with more labels, those that had one keep it. Taught in: notebook 05.
    """
    ranks = [
        torch.rand(config.n_train, generator=generator(config.seed, f"multitask/labels/{task}")).argsort().argsort()
        for task in TASKS
    ]
    return torch.stack(ranks, 1) < torch.tensor(config.labels)


def training_set(config: Config) -> TrainingSet:
    """Return a run's faces, with labels float [N, 4] as they are learned; NaN where one is missing.

    The images are drawn when they are first read: ``images[:]`` is a tensor uint8 [N, 3, 32, 32].
    """
    pictures, known = training_faces(config.n_train, config.noise, config.seed)
    learned = targets(known, config.unit)
    return TrainingSet(pictures, learned.masked_fill(~has_label(config), torch.nan))


@lru_cache(maxsize=4)
def training_faces(n: int, noise: int, seed: int) -> tuple[LazyPictures, Tensor]:
    """Return pictures uint8 [N, 3, 32, 32] and all their labels float [N, 4], also those kept from a run."""
    drawn, known = _drawn(n, seed)
    return faces.camera(drawn, noise, [(n, grain(seed))]), known


def first_faces(config: Config, count: int) -> tuple[Tensor, Tensor]:
    """Return what `training_faces` does of the first ``count`` faces; the camera takes no others."""
    drawn, known = _drawn(config.n_train, config.seed)
    return photograph(drawn[:count], config.noise, config.seed), known[:count]


@lru_cache(maxsize=2)
def _drawn(n: int, seed: int) -> tuple[LazyPictures, Tensor]:
    """Return drawings and all their labels, kept: a slider of the noise draws no face anew."""
    drawn = faces.sample(n, seed=seed)
    return faces.Drawings().of(drawn), truth(drawn, seed)


@lru_cache(maxsize=2)
def held_out(noise: int) -> tuple[Tensor, Tensor]:
    """Return the faces that every run is tested on: pictures uint8 [2000, 3, 32, 32], labels float [2000, 4]."""
    drawn, known = _drawn(TESTED, TEST_SEED)
    return photograph(drawn[:], noise, TEST_SEED), known
