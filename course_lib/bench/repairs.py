"""What lesson 06 claims of its methods, over three seeds: whom each helps, who pays, and with how much weight decay."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from course_lib.bench import Figure
from course_lib.data.faces import BALANCED, GROUPS
from course_lib.fairness.experiment import run_each
from course_lib.fairness.methods import METHODS
from course_lib.fairness.stored import BALANCED_DATA, DECAYS, THREE_SEEDS

SEEDS = (0, 1, 2)


def plan() -> list[tuple[str, float, dict[str, object]]]:
    """Return the name, weight decay and settings of each run but for its seed."""
    runs = [(name, decay, {"method": name}) for name in METHODS for decay in DECAYS]
    return [*runs, (BALANCED_DATA, DECAYS[0], {"priors": BALANCED})]


def measure_repairs() -> Iterator[Figure]:
    """Train all runs, store their tables, and yield the mean of the worst group's accuracy."""
    rows = []
    for name, decay, settings in plan():
        for seed, run in enumerate(
            run_each(*(settings | {"weight_decay": decay, "seed": seed} for seed in SEEDS), progress=False)
        ):
            rows.append(run.summary() | {"method": name, "weight_decay": decay, "seed": seed})
    table = pd.DataFrame(rows)[["method", "weight_decay", "seed", *GROUPS, "equalized odds"]]
    table.round(4).to_csv(THREE_SEEDS, index=False, lineterminator="\n")
    for (name, decay), part in table.groupby(["method", "weight_decay"], sort=False):
        worst = part[list(GROUPS)].min(axis=1).mean()
        yield Figure(f"06 {name}, weight decay {decay:g}: worst group, mean of seeds", worst, "of 1")
