"""What lesson 07 claims, over three seeds: bias costs accuracy, and a told method closes one gap of seven."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from course_lib.bench import Figure
from course_lib.mitigation import METHODS, Result, run

SEEDS = (0, 1, 2)
TOLD = "distractor_shape"


def measure_findings() -> Iterator[Figure]:
    for strength in (0.1, 0.5):
        yield _mean(f"StdM, strength {strength}: unbiased accuracy", _runs("StdM", strength), _accuracy)
    for name in METHODS:
        runs = _runs(name, 0.5)
        yield _mean(f"{name}, strength 0.5: unbiased accuracy", runs, _accuracy)
        yield _mean(f"{name}: MMD of {TOLD}", runs, lambda r: _mmd(r)[TOLD])
        yield _mean(f"{name}: mean MMD of the other six", runs, lambda r: _mmd(r).drop(TOLD).mean())


def _runs(name: str, strength: float) -> list[Result]:
    return [run(method=name, strength=strength, explicit=TOLD, seed=seed, progress=False) for seed in SEEDS]


def _accuracy(result: Result) -> float:
    return result.unbiased_accuracy


def _mmd(result: Result):
    return result.mmd().set_index("variable")["mmd"]


def _mean(what: str, runs: list[Result], value) -> Figure:
    values = [value(run) for run in runs]
    return Figure(what, statistics.mean(values), f"{min(values):.2f} to {max(values):.2f}")
