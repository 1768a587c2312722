"""What a run of the interview scorer has found so far, and tables of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from course_lib.errors import require_choice
from course_lib.fairness.interview.applicants import groups_of, held_out_applicants
from course_lib.fairness.interview.config import CHANGES, GROUPINGS, InterviewConfig
from course_lib.metrics import MIN_SAMPLES, Z95


@dataclass(frozen=True)
class Evaluation:
    """After ``step`` steps: change -> scores float [N, 2] of the first N applicants without it and with it."""

    step: int
    scores: Mapping[str, Tensor]

    def shift(self, change: str) -> float:
        """Return how many points the change is worth to the network: the mean over the applicants."""
        without, with_it = self.scores[change].unbind(1)
        return float((with_it - without).mean())


@dataclass(frozen=True, eq=False)
class InterviewResult:
    """A run so far: how far it is, the loss of its latest step, and its evaluations; the last one is of all 500.

    network: as it is now.
    """

    config: InterviewConfig
    network: nn.Module = field(repr=False)
    step: int
    steps: int
    loss: float
    evaluations: tuple[Evaluation, ...]

    def __repr__(self) -> str:
        known = ", ".join(f"{name} {self.evaluations[-1].shift(name):+z.3g}" for name in CHANGES if self.evaluations)
        return f"<scorer, strength {self.config.strength:g}: step {self.step} of {self.steps}; shifts: {known}>"

    @property
    def finished(self) -> bool:
        return bool(self.evaluations) and self.evaluations[-1].step == self.steps

    def scores(self, change: str) -> Tensor:
        """Return the scores, float [500, 2] in points, of all applicants without and with a change.

        Raises `CourseError` for an unknown change. Taught in: notebook 06.
        """
        require_choice("change", change, CHANGES)
        return self.evaluations[-1].scores[change]

    def shifts(self) -> pd.DataFrame:
        """Return one row per change: change, n, shift (mean, in points), low, high (95 %), sd, largest.

        sd is the standard deviation from applicant to applicant, largest the largest shift of any one of them. The
        interval is over applicants, for this one network: another seed trains another one.
        Taught in: notebook 06.
        """
        rows = []
        for name in CHANGES:
            without, with_it = self.scores(name).unbind(1)
            shift = with_it - without
            row = mean_table(shift, torch.zeros(len(shift), dtype=torch.int64), [name]).iloc[0]
            rows.append((name, row.n, row["mean"], row.low, row.high, float(shift.std()), float(shift.abs().max())))
        return pd.DataFrame(rows, columns=["change", "n", "shift", "low", "high", "sd", "largest"])

    def by_group(self, change: str, by: str) -> pd.DataFrame:
        """Return one row per group: group, n, and mean, low, high of the score without the change and of its shift.

        ``by`` is "gender x smile", "skin tone" or "light"; low and high bound 95 % intervals, and are NaN, as the
        mean, where a group has fewer than 10 applicants. Raises `CourseError` for an unknown change or grouping.
        Taught in: notebook 06.
        """
        without, with_it = self.scores(change).unbind(1)
        group = groups_of(held_out_applicants(), by)
        score = mean_table(without, group, GROUPINGS[by])
        shift = mean_table(with_it - without, group, GROUPINGS[by])
        return score.merge(shift, on=["group", "n"], suffixes=(" score", " shift"))


def mean_table(values: Tensor, group: Tensor, names: list[str] | tuple[str, ...]) -> pd.DataFrame:
    """Return one row per group: group, n, mean, low, high (95 %, normal); NaN where n is below 10."""
    rows = []
    for index, name in enumerate(names):
        of_group = values[group == index].double().numpy()
        n = len(of_group)
        mean, half = (of_group.mean(), Z95 * of_group.std(ddof=1) / n**0.5) if n >= MIN_SAMPLES else (np.nan, np.nan)
        rows.append((name, n, mean, mean - half, mean + half))
    return pd.DataFrame(rows, columns=["group", "n", "mean", "low", "high"])
