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
    return faces.add_grain(pictures, noise, grain(seed))


def grain(seed: int) -> torch.Generator:
    """Return the generator of a camera's noise."""
    return generator(seed, "fairness/grain")


def training_set(config: Config) -> TrainingSet:
    """Return a run's faces: labels 1 for a smile, bias 1 for a man; drawn when a batch first asks for them."""
    c = config
    return _training_set(c.n_train, c.priors, c.more, c.noise, c.seed)


@lru_cache(maxsize=2)
def _training_set(n: int, priors: tuple[float, ...], more: tuple[int, ...], noise: int, seed: int) -> TrainingSet:
    parts = [faces.sample(n, priors, seed)]
    for group, (name, number) in enumerate(zip(GROUPS, more, strict=True)):
        if number:
            parts.append(faces.sample(number, {name: 1.0}, derive_seed("fairness/more", seed, group)))
    everyone = Faces.joined(parts)
    cameras = [(len(part), grain(derive_seed("fairness/camera", seed, i))) for i, part in enumerate(parts)]
    pictures = faces.camera(_drawings.of(everyone), noise, cameras)
    return TrainingSet(pictures, everyone.smile.long(), everyone.gender, classes=2, values=2)


_drawings = Drawings()  # with other priors few faces differ, and with more noise none


@lru_cache(maxsize=1)
def held_out_faces() -> Faces:
    """Return the faces that every run is tested on: 500 of each group. Taught in: notebook 06."""
    return faces.sample(TESTED, seed=TEST_SEED)


@lru_cache(maxsize=2)
def held_out_pictures(noise: int) -> Tensor:
    """Return what the camera takes of `held_out_faces`, uint8 [2000, 3, 32, 32]."""
    return photograph(held_out_faces(), noise, TEST_SEED)
