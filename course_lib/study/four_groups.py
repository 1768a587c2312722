"""Smile x gender: what each method of lesson 06 does to the four groups, with little and with much weight decay.

The faces, the camera and the network are lesson 06's, with its default settings, but for method, weight decay and
seed. Beside the methods stand the standard model on data with equal groups, which one would wish for, and most methods
with two other values of one of their settings. Nothing is chosen by the results: all rows are shown.
"""

from __future__ import annotations

from collections.abc import Generator
from itertools import product

from course_lib.data.faces import BALANCED, GROUPS, SOURCE
from course_lib.fairness.config import Config
from course_lib.fairness.experiment import stream
from course_lib.fairness.methods import METHODS
from course_lib.fairness.result import Result
from course_lib.study import Row, Study

WEIGHT_DECAYS = (1e-4, 1e-2, 0.1, 1.0)
TRAINING = {"unequal": SOURCE, "equal": BALANCED}  # the shares of the groups in the training data
# One setting of each method that has any, but for FORML's control, with two values beside its default.
OTHERWISE = {
    "GDRO": ("eta", (0.01, 0.1)),  # at the default of 0.001 hardly any weight moves: not less
    "DFR": ("l2", (0.01, 1.0)),
    "JTT": ("lam", (3, 20)),
    "RPDRO": ("tau", (0.1, 0.3)),  # at the default of 1 hardly any weight moves: not more
    "FERMI": ("lam", (0.5, 8)),
    "Adversary": ("reversal", (0.1, 1.0)),
    "FORML": ("eta", (0.1, 1.0)),
}


def plan(source: str, seeds: int) -> list[Row]:
    """Return the runs, seed by seed: each method at each weight decay, equal groups, and other settings."""
    runs = [(method, "", "unequal", decay) for method, decay in product(METHODS, WEIGHT_DECAYS)]
    runs += [("StdM", "", "equal", Config.weight_decay)]
    runs += [
        (method, f"{name}={value:g}", "unequal", Config.weight_decay)
        for method, (name, values) in OTHERWISE.items()
        for value in values
    ]
    names = ("method", "settings", "training", "weight_decay")
    fixed = {"n_train": Config.n_train, "epochs": Config.epochs}
    return [dict(zip(names, run, strict=True)) | {"seed": seed} | fixed for seed, run in product(range(seeds), runs)]


def measure(configuration: Row) -> Generator[Result, None, Row]:
    """Train one detector; return how it reads each group, mean and worst, and the three group criteria."""
    settings = dict(configuration)
    name, _, value = settings.pop("settings").partition("=")
    priors = TRAINING[settings.pop("training")]
    for result in stream(Config(**settings, priors=priors, settings={name: float(value)} if name else {})):
        yield result
    found = result.summary()
    names = (*GROUPS, "mean", "worst", "demographic parity", "equal opportunity", "equalized odds")
    return {name: round(float(found[name]), 4) for name in names} | {"n": int(result.groups()["n"].sum())}


STUDY = Study(plan, measure, digits=False)
