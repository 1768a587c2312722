"""Randomness without global seeds: one seed, and an independent stream for every purpose."""

from __future__ import annotations

import hashlib

import torch

from course_lib.errors import require_integer

MAX_SEED = 2**32 - 1


def generator(seed: int, purpose: str) -> torch.Generator:
    """Return a CPU generator of its own for this ``seed`` and this ``purpose``.

    Streams with different purposes are independent, so that drawing more numbers for one purpose never
    changes another. ``seed`` is a whole number from 0 to `MAX_SEED`; anything else raises `CourseError`.
    Equal arguments give the same numbers on every machine.

    Taught in: notebook 07.
    """
    seed = require_integer("seed", seed, 0, MAX_SEED)
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    # torch's CPU generator keeps 32 bits of its seed.
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "big"))


def derive_seed(*parts: object) -> int:
    """Return a seed that follows from ``parts`` (such as a secret and an exercise), the same everywhere."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "big")
