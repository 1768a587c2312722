"""What a run has found so far, as tidy tables."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from course_lib import metrics
from course_lib.data.biased_mnist import VARIABLES
from course_lib.mitigation.config import Config
from course_lib.runs import RunSoFar

GROUPS = ("majority", "minority")


@dataclass(frozen=True)
class Evaluation:
    """What a network says of the unbiased test images after ``step`` steps.

    correct, n: int arrays [7 variables, 2] for majority and minority; unbiased: the mean over groups;
    predicted: int64 [N test images].
    """

    step: int
    correct: np.ndarray
    n: np.ndarray
    unbiased: float
    predicted: np.ndarray = field(repr=False)

    def groups(self) -> pd.DataFrame:
        """Return one row per variable and group: variable, group, n, accuracy, low, high (95 %)."""
        index = pd.MultiIndex.from_product([VARIABLES, GROUPS], names=["variable", "group"])
        table = metrics.accuracy_table(self.correct.ravel(), self.n.ravel())
        return pd.concat([index.to_frame(index=False), table], axis=1)


@dataclass(frozen=True, eq=False)
class Result(RunSoFar):
    """A run so far: its losses [steps done] and evaluations; ``finished`` once all steps are done."""

    config: Config
    steps: int
    losses: tuple[float, ...]
    evaluations: tuple[Evaluation, ...]

    def __repr__(self) -> str:
        c = self.config
        return (
            f"<{c.method}, strength {c.strength}, {c.source} digits, seed {c.seed}: step {self.step} of {self.steps}, "
            f"unbiased accuracy {self.unbiased_accuracy:.3g}>"
        )

    @property
    def unbiased_accuracy(self) -> float:
        """The latest unbiased accuracy: the mean over the groups (value, digit) of all variables."""
        return self.evaluations[-1].unbiased if self.evaluations else float("nan")

    def groups(self) -> pd.DataFrame:
        """Return the latest accuracies: variable, group, n, accuracy, low, high."""
        return self.evaluations[-1].groups()

    def mmd(self) -> pd.DataFrame:
        """Return the latest majority/minority differences: variable, mmd, low, high, kind.

        kind is "explicit" for the variable that the method was told, else "implicit".
        """
        table = metrics.mmd(self.groups())
        return table.assign(kind=[self.kind(v) for v in table["variable"]])

    def kind(self, variable: str) -> str:
        """Return "explicit" for the variable that this run's method was told, else "implicit"."""
        return "explicit" if variable == self.config.told else "implicit"

    def summary(self) -> dict[str, object]:
        """Return one row for a table of runs: the settings, unbiased accuracy, worst minority, MMDs."""
        c, groups, mmd = self.config, self.groups(), self.mmd().set_index("variable")["mmd"]
        strength = "/".join(f"{s:g}" for s in c.strength) if isinstance(c.strength, tuple) else c.strength
        row = {"method": c.named(), "strength": strength, "told": c.told or "nothing", "digits": c.source}
        row |= {"seed": c.seed, "epochs": c.epochs, "unbiased accuracy": self.unbiased_accuracy}
        row["worst minority"] = groups.loc[groups["group"] == "minority", "accuracy"].min()
        return row | {f"MMD {v}": value for v, value in mmd.items()}

    def mean_iosm(self, standard: Result) -> dict[str, float]:
        """Return the improvement over a StdM run, averaged over the variables, for both groups."""
        table = metrics.iosm(self.groups(), standard.groups()).groupby("group")["iosm"].mean()
        return {f"IOSM {group}": table[group] for group in GROUPS}
