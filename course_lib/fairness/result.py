"""What a run of lesson 06 has found so far: who is read how well, and by how much the groups are apart."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from course_lib import metrics
from course_lib.data.faces import GENDERS, GROUPS
from course_lib.fairness.config import Config
from course_lib.fairness.criteria import criteria, group_rates
from course_lib.fairness.pictures import held_out_faces
from course_lib.runs import RunSoFar


@dataclass(frozen=True, eq=False)
class Evaluation:
    """After ``step`` steps: the probability, float [n], that each of the first n test faces smiles."""

    step: int
    smile: Tensor = field(repr=False)


@dataclass(frozen=True, eq=False)
class Result(RunSoFar):
    """A run so far: the losses [steps done], its evaluations, and the network as it is now."""

    config: Config
    steps: int
    losses: tuple[float, ...] = field(repr=False)
    evaluations: tuple[Evaluation, ...]
    network: nn.Module | None = field(repr=False, default=None)

    def __repr__(self) -> str:
        c, table = self.config, self.groups()
        known = ", ".join(f"{g} {a:.3f}" for g, a in zip(table["group"], table["accuracy"], strict=True))
        return f"<{c.named()}, seed {c.seed}: step {self.step} of {self.steps}, accuracy: {known}>"

    def read(self, config: Config) -> Result:
        """Return the same run, read with the thresholds and the population of ``config``."""
        names = ("threshold_women", "threshold_men", "population")
        return replace(self, config=replace(self.config, **{name: getattr(config, name) for name in names}))

    def predicted(self, evaluation: Evaluation | None = None) -> Tensor:
        """Return who is said to smile, bool [n] of the test faces, in an evaluation or the latest."""
        smile = (evaluation or self.evaluations[-1]).smile
        thresholds = torch.tensor([self.config.threshold_women, self.config.threshold_men])
        return smile >= thresholds[held_out_faces().gender[: len(smile)]]

    def same_answer(self) -> float:
        """Return which share of the test faces get the answer that is given more often, 0.5 to 1."""
        smiles = self.predicted().double().mean().item()
        return max(smiles, 1 - smiles)

    def groups(self, evaluation: Evaluation | None = None) -> pd.DataFrame:
        """Return one row for each of the four groups: group, train, n, accuracy, low, high (Wilson, 95 %).

        train: training faces of the group; n: faces it was tested on. Taught in: notebook 06.
        """
        correct, n = self.right(evaluation) if self.evaluations else (np.zeros(len(GROUPS)),) * 2
        names = pd.DataFrame({"group": GROUPS, "train": self.config.counts()})
        return pd.concat([names, metrics.accuracy_table(correct, n)], axis=1)

    def right(self, evaluation: Evaluation | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return how many faces of each group are read right, and how many there are, int64 [4] each."""
        predicted, drawn = self.predicted(evaluation), held_out_faces()
        group = drawn.group[: len(predicted)]
        hits = group[predicted == drawn.smile[: len(predicted)]]
        return tuple(torch.bincount(one, minlength=len(GROUPS)).numpy() for one in (hits, group))

    def worst(self) -> pd.Series:
        """Return the row of `groups` with the lowest accuracy."""
        table = self.groups()
        return table.loc[table["accuracy"].fillna(1).idxmin()]

    def weights(self) -> Tensor:
        """Return what each test face counts, float [n]: 1, or such that its group has the training's share."""
        group = held_out_faces().group[: len(self.evaluations[-1].smile)]
        if self.config.population == "balanced":
            return torch.ones(len(group))
        counts = torch.tensor(self.config.counts(), dtype=torch.float64)
        return (4 * counts / counts.sum())[group]

    def rates(self) -> pd.DataFrame:
        """Return `group_rates` of women and men, where the groups have the shares of ``population``."""
        return self._rates

    @cached_property
    def _rates(self) -> pd.DataFrame:
        drawn, predicted = held_out_faces(), self.predicted()
        gender = pd.Categorical.from_codes(drawn.gender[: len(predicted)].numpy(), list(GENDERS))
        labels = drawn.smile[: len(predicted)].numpy()
        return group_rates(predicted.numpy(), labels, {"gender": gender}, weights=self.weights().numpy())

    def criteria(self) -> pd.DataFrame:
        """Return how far women and men are apart: criterion, difference, left_out. Taught in: notebook 06."""
        return criteria(self.rates())

    def summary(self) -> dict[str, object]:
        """Return one row for a table of runs: settings, accuracy by group, mean, worst, the three criteria."""
        c, table = self.config, self.groups()
        row = {"method": c.named(), "weight decay": c.weight_decay, "seed": c.seed}
        row |= dict(zip(table["group"], table["accuracy"], strict=True))
        row |= {"mean": table["accuracy"].mean(), "worst": table["accuracy"].min()}
        return row | dict(self.criteria()[["criterion", "difference"]].itertuples(index=False))
