"""What a run of lesson 05 has found so far: how good each task is with the others, and alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from course_lib.multitask.config import TASKS, Config
from course_lib.multitask.objective import TOGETHER, Probe
from course_lib.multitask.pictures import held_out, in_years
from course_lib.runs import RunSoFar

MEASURES = {"smile": "accuracy", "age": "error in years", "gender": "accuracy", "coin": "accuracy"}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """After ``step`` steps: what each network says of the first n test faces, by arm, float [n, 4]."""

    step: int
    said: Mapping[str, Tensor] = field(repr=False)

    def score(self, config: Config, task: str, arm: str = TOGETHER) -> float:
        """Return the accuracy of a task, 0 to 1, or the mean absolute error of the age, in years."""
        return float(right_or_off(config, task, self.said[arm]).mean())


def right_or_off(config: Config, task: str, said: Tensor) -> Tensor:
    """Return for each face whether a task is answered right, 1 or 0, or by how many years: float [n]."""
    column = TASKS.index(task)
    answer, label = said[:, column], held_out(config.noise)[1][: len(said), column]
    if task == "age":
        return (in_years(answer, config.unit) - label).abs()
    return ((answer > 0) == label.bool()).float()


@dataclass(frozen=True, eq=False)
class Result(RunSoFar):
    """A run so far: the tasks' losses [steps done, T] on the shared trunk, evaluations, probes."""

    config: Config
    steps: int
    losses: tuple[tuple[float, ...], ...] = field(repr=False)
    evaluations: tuple[Evaluation, ...]
    probes: tuple[Probe, ...] = field(repr=False)

    def __repr__(self) -> str:
        rows = list(self.table().itertuples())
        alone = {row.task: f" (alone {row.alone:.3g})" for row in rows if row.task in self.config.compared()}
        known = "; ".join(f"{row.task} {row.together:.3g}{alone.get(row.task, '')}" for row in rows)
        return f"<{self.config.named()}, seed {self.config.seed}: step {self.step} of {self.steps}; {known}>"

    @property
    def loss(self) -> float:
        """The sum of the tasks' losses of the latest step, as they count now."""
        if not self.losses:
            return float("nan")
        return float(np.dot(self.probes[-1].weights.numpy(), self.losses[-1]))

    def table(self) -> pd.DataFrame:
        """Return one row for each task: task, labels, measure, n, together, alone, gain.

        n: test faces; gain: by how much sharing the trunk is better than learning alone (more accuracy, or fewer
        years of error). NaN for what was not trained. Taught in: notebook 05.
        """
        if not self.evaluations:
            return pd.DataFrame(columns=["task", "labels", "measure", "n", "together", "alone", "gain"])
        return pd.DataFrame([self._row(task) for task in self.config.tasks])

    def _row(self, task: str) -> dict[str, object]:
        now, config = self.evaluations[-1], self.config
        labels, unknown = config.labels[TASKS.index(task)], float("nan")
        together = now.score(config, task) if labels else unknown
        alone = now.score(config, task, task) if labels and task in now.said else unknown
        gain = alone - together if task == "age" else together - alone
        return {
            "task": task, "labels": labels, "measure": MEASURES[task],
            "n": len(now.said[TOGETHER]), "together": together, "alone": alone, "gain": gain,
        }  # fmt: skip

    def curves(self) -> pd.DataFrame:
        """Return what each evaluation found: step, task, arm ("together" or "alone"), value. Taught in: notebook 05."""
        return pd.DataFrame(
            [
                {"step": e.step, "task": t, "arm": name, "value": e.score(self.config, t, arm)}
                for e in self.evaluations
                for t in self.config.tasks
                for name, arm in ((TOGETHER, TOGETHER), ("alone", t))
                if arm in e.said
            ],
            columns=["step", "task", "arm", "value"],
        )

    def cosine(self, one: str, other: str) -> pd.DataFrame:
        """Return the cosine of two tasks' gradients in the trunk: step, cosine. Taught in: notebook 05."""
        i, j = self.config.tasks.index(one), self.config.tasks.index(other)
        rows = [(probe.step, float(probe.cosine[i, j])) for probe in self.probes]
        return pd.DataFrame(rows, columns=["step", "cosine"])

    def weights(self) -> Tensor:
        """Return what each task counted at each probe, float [probes, T]."""
        return torch.stack([probe.weights for probe in self.probes])
