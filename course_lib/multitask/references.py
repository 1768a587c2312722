"""What each task alone answered: trained once and kept, since neither weights nor the other tasks change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from course_lib.multitask.config import LABELS, TASKS, UNITS, WEIGHTS, Config
from course_lib.runs import Latest

_answers: dict[tuple[str, int, Config], tuple[Tensor, ...]] = Latest(64)  # of some 100 kB


def kept(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return what the tasks of ``config`` answered alone in an earlier run: float [n, 4] of each evaluation."""
    known = {task: _answers.get(_key(config, task)) for task in config.compared()}
    return {task: answers for task, answers in known.items() if answers is not None}


def keep(config: Config, said: Mapping[str, tuple[Tensor, ...]]) -> None:
    """Keep what tasks answered alone in a run that is finished."""
    for task, answers in said.items():
        _answers[_key(config, task)] = answers


def _key(config: Config, task: str) -> tuple[str, int, Config]:
    """What decides the network of one task alone: all but the other tasks, and how they count."""
    unit = config.unit if task == "age" else UNITS[0]
    usual = replace(config, tasks=TASKS, alone=None, labels=LABELS, weights=WEIGHTS, balance="weights", unit=unit)
    return task, config.labels[TASKS.index(task)], usual
