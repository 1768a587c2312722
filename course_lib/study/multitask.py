"""Lesson 05's question: when does another task help a smile detector with few labels, and when does it hurt?

Each row is one network; those of one seed and number of labels share faces, labels, start and batches, and differ
in the tasks they learn beside the smile. All other tasks have all labels; the faces are drawn by the kit, so that
the source of digits makes no difference. The setting (2,000 faces, no noise, 12 epochs, 100 labels) was chosen on
seeds 1000 to 1002, which no row has, as one in which the smile alone often is not learned.
"""

from __future__ import annotations

from collections.abc import Generator
from itertools import product
from typing import Any

from course_lib.multitask.config import Config
from course_lib.multitask.experiment import training
from course_lib.multitask.objective import Together, make_networks
from course_lib.multitask.pictures import training_set
from course_lib.randomness import generator
from course_lib.study import Row, Study

FIXED = {"n_train": 2000, "noise": 0, "epochs": 12, "batch_size": 64, "lr": 1e-2, "weight_decay": 1e-2}
SMILE_LABELS = (100, 500)
ARMS = {  # what is learned beside the smile, and in which unit
    "alone": ("", "standardised"),
    "gender": ("gender", "standardised"),
    "coin": ("coin", "standardised"),
    "age": ("age", "standardised"),
    "age in years": ("age", "years"),
}


def plan(source: str, seeds: int) -> list[Row]:
    """Return the runs of the study: each arm, for each number of smile labels and each seed."""
    return [
        {"seed": seed, "smile_labels": labels, "arm": arm, **FIXED}
        for seed, labels, arm in product(range(seeds), SMILE_LABELS, ARMS)
    ]


def config_of(configuration: Row) -> Config:
    """Return what decides the run of a row."""
    beside, unit = ARMS[configuration["arm"]]
    tasks = ("smile", beside) if beside else ("smile",)
    settings = {name: configuration[name] for name in FIXED}
    labels = {"smile": configuration["smile_labels"]}
    return Config(tasks=tasks, unit=unit, labels=labels, seed=configuration["seed"], **settings)


def measure(configuration: Row) -> Generator[Any, None, Row]:
    """Train one network and return its accuracy on the smiles of the test faces."""
    config = config_of(configuration)
    networks = make_networks(config, references=False)
    objective = Together(networks, training_set(config), generator(config.seed, "training"), config)
    for now in training(objective):
        yield now
    return {"accuracy": round(now.evaluation.score(config, "smile"), 4)}


STUDY = Study(plan, measure)
