"""Lesson 04's curves: how good each regime is with 10 to 2,000 labels, for both targets.

Every regime has its own learning rate (`REGIMES`) and the same number of steps; another seed means other labelled
faces, other random weights and another order. All are tested on the same 1,000 faces. The two controls, which
hardly learn anything, are run at two numbers of labels only.
"""

from __future__ import annotations

from collections.abc import Generator
from itertools import product

from course_lib.study import Row, Study
from course_lib.training import Progress
from course_lib.transfer.config import REGIMES, TARGETS, Config
from course_lib.transfer.experiment import begin, training
from course_lib.transfer.result import score

LABELS = (10, 20, 50, 100, 200, 500, 2000)
CONTROLS = {"fine-tuning, rate too low": (50, 2000), "frozen random": (50, 2000)}
STEPS = 150


def plan(source: str, seeds: int) -> list[Row]:
    """Return the runs: each regime and number of labels, for each seed and target; faces have no source of digits."""
    return [
        {"target": target, "seed": seed, "labels": labels, "regime": regime, "lr": REGIMES[regime].lr, "steps": STEPS}
        for seed, target, labels, regime in product(range(seeds), TARGETS, LABELS, REGIMES)
        if labels in CONTROLS.get(regime, LABELS)
    ]


def measure(configuration: Row) -> Generator[Progress, None, Row]:
    """Train one network and score it: accuracy for "smile", the mean error in years for "age"."""
    config = Config(**configuration)
    for progress in training(config, begin(REGIMES[config.regime], config.seed), evaluations=1):
        yield progress
    said = progress.evaluation.said
    return {"score": score(config.target, said), "n": len(said)}


STUDY = Study(plan, measure, digits=False)
