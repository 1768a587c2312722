"""Four sliders that always sum to 1: moving one moves the others, which keep their ratio."""

from __future__ import annotations

import math
from collections.abc import Sequence


def steps_of(priors: Sequence[float], steps: int) -> list[int]:
    """Return priors in whole steps of 1 / ``steps`` that sum to ``steps``: largest remainder, ties to the first."""
    exact = [steps * prior for prior in priors]
    whole = [math.floor(value + 1e-9) for value in exact]
    order = sorted(range(len(priors)), key=lambda i: whole[i] - exact[i])
    for i in order[: steps - sum(whole)]:
        whole[i] += 1
    return whole


def link(anchor: Sequence[float], moved: int, value: float, steps: int = 100) -> tuple[float, ...]:
    """Return priors in which number ``moved`` is ``value`` and the others share the rest.

    They share it as in ``anchor``, the priors before this slider was taken, so that it can be moved to the end and
    back and nothing is lost; equally if ``anchor`` has nothing for them. All are multiples of 1 / ``steps``.
    """
    others = [i for i in range(len(anchor)) if i != moved]
    total = sum(anchor[i] for i in others)
    share = {i: anchor[i] / total if total > 1e-9 else 1 / len(others) for i in others}
    mine = round(value * steps)
    rest = iter(steps_of(list(share.values()), steps - mine))
    return tuple(mine / steps if i == moved else next(rest) / steps for i in range(len(anchor)))
