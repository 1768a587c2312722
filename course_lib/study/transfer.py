"""Lesson 04's curves: how good each regime is with 10 to 2,000 labels, for both targets.

Every regime has its own learning rate (`REGIMES`) and the same number of steps; another seed means other labelled
faces, other random weights and another order. All are tested on the same 1,000 faces.
"""

from __future__ import annotations

from collections.abc import Generator
from itertools import product

from course_lib.study import Row, Study
from course_lib.transfer.config import REGIMES, TARGETS, Config
from course_lib.transfer.experiment import stream
from course_lib.transfer.result import Result

LABELS = (10, 30, 100, 300, 1000, 2000)
STEPS = 150


def plan(source: str, seeds: int) -> list[Row]:
    """Return the runs: each regime and number of labels, for each seed and target; faces have no other source."""
    return [
        {"target": target, "seed": seed, "labels": labels, "regime": regime, "lr": REGIMES[regime].lr, "steps": STEPS}
        for target, seed, labels, regime in product(TARGETS, range(seeds), LABELS, REGIMES)
    ]


def measure(configuration: Row) -> Generator[Result, None, Row]:
    """Train one network and score it: accuracy for "smile", the mean error in years for "age"."""
    result = yield from _last(Config(**configuration))
    return {"score": result.score, "n": len(result.evaluations[-1].said)}


def _last(config: Config) -> Generator[Result, None, Result]:
    for result in stream(config):
        yield result
    return result


STUDY = Study(plan, measure)
