"""Smile x gender: what each method of lesson 06 does to the four groups, with little and with much weight decay.

The faces, the camera and the network are lesson 06's, with its default settings; only method, weight decay and
seed differ. Nothing is chosen by the results: all methods and all weight decays are shown, each method has the
settings that it comes with.
"""

from __future__ import annotations

from collections.abc import Generator
from itertools import product

from course_lib.data.faces import GROUPS
from course_lib.fairness.config import Config
from course_lib.fairness.experiment import stream
from course_lib.fairness.methods import METHODS
from course_lib.fairness.result import Result
from course_lib.study import Row, Study

WEIGHT_DECAYS = (1e-4, 1e-2, 0.1, 1.0)


def plan(source: str, seeds: int) -> list[Row]:
    """Return the runs: each method and weight decay, for each seed; faces have no source of digits."""
    return [
        {"method": method, "weight_decay": decay, "seed": seed, "n_train": Config.n_train, "epochs": Config.epochs}
        for seed, decay, method in product(range(seeds), WEIGHT_DECAYS, METHODS)
    ]


def measure(configuration: Row) -> Generator[Result, None, Row]:
    """Train one detector; return how it reads each group, mean and worst, and the three group criteria."""
    for result in stream(Config(**configuration)):
        yield result
    found = result.summary()
    names = (*GROUPS, "mean", "worst", "demographic parity", "equal opportunity", "equalized odds")
    return {name: round(float(found[name]), 4) for name in names} | {"n": int(result.groups()["n"].sum())}


STUDY = Study(plan, measure, digits=False)
