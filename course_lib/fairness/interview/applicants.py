"""The applicants that every scorer is looked at with, their pictures, and their groups."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from course_lib.data import faces
from course_lib.data.faces import Faces
from course_lib.errors import require_choice
from course_lib.fairness.interview.config import APPLICANTS, CHANGES, GROUPINGS
from course_lib.randomness import derive_seed

TEST_SEED = derive_seed("interview/test", 0)


@lru_cache(maxsize=1)
def held_out_applicants() -> Faces:
    """Return the 500 applicants that are looked at: the same for every network, and in no training data.

    Half of them sit before a bookshelf, a quarter have glasses, and so on: as in the training data.
    Taught in: notebook 06.
    """
    return faces.sample(APPLICANTS, seed=TEST_SEED, bookshelf=0.5)


@lru_cache(maxsize=1)
def held_out_pictures() -> dict[str, tuple[Tensor, Tensor]]:
    """Return drawings of all applicants without and with each change, uint8 [500, 3, 32, 32]."""
    applicants = held_out_applicants()
    return {
        name: tuple(faces.render(applicants.change(**{c.attribute: value})) for value in (c.off, c.on))
        for name, c in CHANGES.items()
    }


def groups_of(applicants: Faces, by: str) -> Tensor:
    """Return the group of each face, int64 [N]: gender as drawn and smile, or thirds of skin tone or light."""
    require_choice("by", by, GROUPINGS)
    if by == "gender x smile":
        return applicants.group
    value, borders = (applicants.skin, (1 / 3, 2 / 3)) if by == "skin tone" else (applicants.light, (-1 / 3, 1 / 3))
    return torch.bucketize(value, torch.tensor(borders))
