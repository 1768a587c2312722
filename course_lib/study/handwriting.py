"""Lesson 04's other source: how well a network reads handwriting, from scratch and after printed digits.

Each row is one network, trained for 150 steps on some labelled handwritten digits; another seed means other digits,
other random weights and another order. Those that start from print start from the same network. With no label nothing
is trained, and one seed says it all. The learning rates are those of lesson 04's regimes; nothing was searched.
"""

from __future__ import annotations

from collections.abc import Generator
from itertools import product

from course_lib.data import digits
from course_lib.study import Row, Study
from course_lib.training import Progress
from course_lib.transfer.handwriting import STARTS, STEPS, TESTED, reading

LABELS = (0, 10, 20, 50, 100, 200, 500, 1000)


def plan(source: str, seeds: int) -> list[Row]:
    """Return the runs: both starts with each number of labels, for each seed."""
    return [
        {"source": source, "seed": seed, "labels": labels, "start": start, "lr": STARTS[start], "steps": STEPS}
        for seed, labels, start in product(range(seeds), LABELS, STARTS)
        if labels or (start, seed) == ("print", 0)
    ]


def measure(configuration: Row) -> Generator[Progress, None, Row]:
    """Train one network and return its accuracy on handwritten digits."""
    c = configuration
    accuracy = yield from reading(c["labels"], c["start"], c["seed"], c["source"])
    return {"accuracy": round(accuracy, 4), "n": min(TESTED, len(digits.load_shared(c["source"], "test")[1]))}


STUDY = Study(plan, measure)
