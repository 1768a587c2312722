"""What the networks of lesson 06 see: faces through a noisy camera, in which a smile is not easy to tell."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from course_lib.data import faces
from course_lib.data.faces import GROUPS, Faces
from course_lib.fairness.config import Config
from course_lib.randomness import derive_seed, generator
from course_lib.training import TrainingSet

TESTED = 2000  # faces, as many of each group; no network is trained on them
TEST_SEED = derive_seed("fairness/test", 0)


def photograph(drawn: Faces, noise: float, seed: int) -> Tensor:
    """Return what a noisy camera takes of faces, uint8 [N, 3, 32, 32]; ``noise`` in grey levels of 255."""
    pictures = faces.render(drawn)
    if not noise:
        return pictures
    grain = torch.randn(pictures.shape, generator=generator(seed, "fairness/grain"))
    return grain.mul_(noise).add_(pictures).round_().clamp_(0, 255).to(torch.uint8)


def training_set(config: Config) -> TrainingSet:
    """Return a run's faces: labels 1 for a smile, bias 1 for a man; at most four sets are kept."""
    c = config
    return _training_set(c.n_train, c.priors, c.more, c.noise, c.seed)


@lru_cache(maxsize=4)
def _training_set(n: int, priors: tuple[float, ...], more: tuple[int, ...], noise: int, seed: int) -> TrainingSet:
    drawn = [faces.sample(n, priors, seed)]
    for group, (name, number) in enumerate(zip(GROUPS, more, strict=True)):
        if number:
            drawn.append(faces.sample(number, {name: 1.0}, derive_seed("fairness/more", seed, group)))
    pictures = [photograph(part, noise, derive_seed("fairness/camera", seed, i)) for i, part in enumerate(drawn)]
    smile = torch.cat([part.smile.long() for part in drawn])
    return TrainingSet(torch.cat(pictures), smile, torch.cat([part.gender for part in drawn]), classes=2, values=2)


@lru_cache(maxsize=1)
def held_out_faces() -> Faces:
    """Return the faces that every run is tested on: 500 of each group. Taught in: notebook 06."""
    return faces.sample(TESTED, seed=TEST_SEED)


@lru_cache(maxsize=2)
def held_out_pictures(noise: int) -> Tensor:
    """Return what the camera takes of `held_out_faces`, uint8 [2000, 3, 32, 32]."""
    return photograph(held_out_faces(), noise, TEST_SEED)
