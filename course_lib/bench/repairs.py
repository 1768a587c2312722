"""What lesson 06 claims of its methods, over three seeds: whom each helps, and who pays."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from course_lib.bench import Figure
from course_lib.data.faces import BALANCED, GROUPS
from course_lib.fairness.experiment import run
from course_lib.fairness.stored import THREE_SEEDS

SEEDS = (0, 1, 2)
RUNS = {"StdM": {}, "StdM, balanced data": {"priors": BALANCED}} | {
    name: {"method": name} for name in ("UpWt", "DFR", "FERMI", "JTT")
}


def measure_repairs() -> Iterator[Figure]:
    """Train all runs, store their tables, and yield the mean of the worst group's accuracy."""
    rows = [
        run(seed=seed, progress=False, **settings).summary() | {"method": name}
        for name, settings in RUNS.items()
        for seed in SEEDS
    ]
    table = pd.DataFrame(rows)[["method", "seed", *GROUPS, "equalized odds"]]
    table.round(4).to_csv(THREE_SEEDS, index=False, lineterminator="\n")
    for name, part in table.groupby("method", sort=False):
        yield Figure(f"06 {name}: worst group, mean of seeds", part[list(GROUPS)].min(axis=1).mean(), "of 1")
