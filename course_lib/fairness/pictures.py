"""What the networks of lesson 06 see: faces through a noisy camera, in which a smile is not easy to tell."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from course_lib.data import faces
from course_lib.data.faces import GROUPS, Drawings, Faces
from course_lib.fairness.config import Config
from course_lib.randomness import derive_seed, generator
from course_lib.training import TrainingSet

TESTED = 2000  # faces, as many of each group; no network is trained on them
TEST_SEED = derive_seed("fairness/test", 0)


def photograph(drawn: Faces, noise: float, seed: int) -> Tensor:
    """Return what a noisy camera takes of faces, uint8 [N, 3, 32, 32]; ``noise`` in grey levels of 255."""
    return add_grain(faces.render(drawn), noise, seed)


def add_grain(pictures: Tensor, noise: float, seed: int) -> Tensor:
    """Return what a noisy camera takes of drawings, uint8 [N, 3, 32, 32]; ``noise`` in grey levels of 255."""
    return faces.add_grain(pictures, noise, generator(seed, "fairness/grain"))


def training_set(config: Config) -> TrainingSet:
    """Return a run's faces: labels 1 for a smile, bias 1 for a man; at most four sets are kept."""
    c = config
    return _training_set(c.n_train, c.priors, c.more, c.noise, c.seed)


@lru_cache(maxsize=4)
def _training_set(n: int, priors: tuple[float, ...], more: tuple[int, ...], noise: int, seed: int) -> TrainingSet:
    drawn = [_drawn(n, priors, seed)]
    for group, (name, number) in enumerate(zip(GROUPS, more, strict=True)):
        if number:
            drawn.append(_draw(faces.sample(number, {name: 1.0}, derive_seed("fairness/more", seed, group))))
    pictures = [add_grain(p, noise, derive_seed("fairness/camera", seed, i)) for i, (_, p) in enumerate(drawn)]
    smile = torch.cat([part.smile.long() for part, _ in drawn])
    return TrainingSet(torch.cat(pictures), smile, torch.cat([part.gender for part, _ in drawn]), classes=2, values=2)


def _draw(drawn: Faces) -> tuple[Faces, Tensor]:
    return drawn, faces.render(drawn)


_drawings = Drawings()


@lru_cache(maxsize=2)
def _drawn(n: int, priors: tuple[float, ...], seed: int) -> tuple[Faces, Tensor]:
    """Return faces and their drawings, kept: those collected besides, or more noise, draw none of them anew."""
    drawn = faces.sample(n, priors, seed)
    return drawn, _drawings.render(drawn)  # with other priors few faces differ


@lru_cache(maxsize=1)
def held_out_faces() -> Faces:
    """Return the faces that every run is tested on: 500 of each group. Taught in: notebook 06."""
    return faces.sample(TESTED, seed=TEST_SEED)


@lru_cache(maxsize=2)
def held_out_pictures(noise: int) -> Tensor:
    """Return what the camera takes of `held_out_faces`, uint8 [2000, 3, 32, 32]."""
    return photograph(held_out_faces(), noise, TEST_SEED)
