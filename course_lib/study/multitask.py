"""Lesson 05's question: when does another task help a smile detector with few labels, and when does it hurt?

Each row is one network; those of one seed and number of labels share faces, labels, start and batches, and differ
in the task that they learn beside the smile, which has all labels. The faces are drawn by the kit, and there are no
digits. The setting was chosen on seeds from 1000 on, which no row has: of some
fifteen (50 to 200 labels, 32 or 64 channels, noise, learning rates, weights, age and gender as the other task, a
few seeds each), it is the one in which gender helped most. In most of the others the gain was not clear.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from course_lib.multitask.config import Config
from course_lib.multitask.experiment import training
from course_lib.multitask.objective import Together, make_networks
from course_lib.multitask.pictures import training_set
from course_lib.randomness import generator
from course_lib.study import Row, Study

FIXED = {
    "n_train": 2000, "noise": 0, "channels": 64, "epochs": 12, "batch_size": 64, "lr": 1e-2, "weight_decay": 1e-2,
}  # fmt: skip
ARMS = {  # what is learned beside the smile, and in which unit
    "alone": ("", "standardised"),
    "gender": ("gender", "standardised"),
    "coin": ("coin", "standardised"),
    "age": ("age", "standardised"),
    "age in years": ("age", "years"),
}
ASKED = {100: ("alone", "gender", "coin"), 500: ("alone", "age", "age in years")}  # by the number of smile labels
EVERY_SEED = 100  # smile labels; with more of them the effects are plain, and a third of the seeds will do


def plan(source: str, seeds: int) -> list[Row]:
    """Return the runs of the study: for each seed and number of smile labels, the arms that are asked for."""
    return [
        {"seed": seed, "smile_labels": labels, "arm": arm, **FIXED}
        for seed in range(seeds)
        for labels, arms in ASKED.items()
        for arm in arms
        if 3 * seed < seeds or labels == EVERY_SEED
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
    networks = make_networks(config)
    objective = Together(networks, training_set(config), generator(config.seed, "training"), config)
    for now in training(objective):
        yield now
    return {"accuracy": round(now.evaluation.score(config, "smile"), 4)}


STUDY = Study(plan, measure, digits=False)
