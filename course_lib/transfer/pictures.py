"""What the networks of lesson 04 see: faces through a noisy camera, some of them with a label."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from course_lib.data import faces
from course_lib.data.faces import Faces
from course_lib.randomness import derive_seed, generator

MOST = 2000  # labels that can be bought
TESTED = 1000  # faces, half of them smile; no network is trained on them
TEST_SEED = derive_seed("transfer/test", 0)
NOISE = 30  # standard deviation of the camera's noise, in grey levels of 255


def photograph(drawn: Faces, seed: int) -> Tensor:
    """Return what a noisy camera takes of faces, uint8 [N, 3, 32, 32]."""
    return faces.add_grain(faces.render(drawn), NOISE, generator(seed, "transfer/grain"))


@lru_cache(maxsize=4)
def labelled(seed: int) -> tuple[Faces, Tensor]:
    """Return the 2,000 faces that labels can be bought for, and their pictures uint8 [2000, 3, 32, 32].

    They come in a fixed order, with and without a smile in turn: more labels are the same ones and more.
    """
    seed = derive_seed("transfer/labels", seed)
    drawn = faces.sample(MOST, seed=seed)
    pairs = torch.stack([drawn.smile.nonzero()[:, 0], (~drawn.smile).nonzero()[:, 0]], 1)
    drawn = drawn[pairs.flatten()]
    return drawn, photograph(drawn, seed)


@lru_cache(maxsize=1)
def held_out() -> tuple[Faces, Tensor]:
    """Return the faces that every run is tested on, and their pictures uint8 [1000, 3, 32, 32]."""
    drawn = faces.sample(TESTED, seed=TEST_SEED)
    return drawn, photograph(drawn, TEST_SEED)
