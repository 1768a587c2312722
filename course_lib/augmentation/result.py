"""What a run has found so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd
from torch import Tensor, nn

from course_lib import metrics
from course_lib.augmentation.arms import make_mlp
from course_lib.augmentation.config import Config
from course_lib.data.digits import SIZE

ARMS = ("without", "with")  # augmentation in training; tests never have any


@dataclass(frozen=True)
class Evaluation:
    """What the networks get right of ``n`` test digits after ``step`` steps: one number for each arm."""

    step: int
    correct: tuple[int, ...]
    n: int


@dataclass(frozen=True, eq=False)
class Result:
    """A run so far: losses [steps done][arm], evaluations, and the networks' weights as they are now.

    n_train: training digits that there are; parameters: arm -> the network's state dict, a copy.
    """

    config: Config
    n_train: int
    step: int
    steps: int
    losses: tuple[tuple[float, ...], ...]
    evaluations: tuple[Evaluation, ...]
    parameters: Mapping[str, Mapping[str, Tensor]] = field(repr=False)

    def __repr__(self) -> str:
        c = self.config
        known = ", ".join(f"{arm} {self.accuracy(arm):.3f}" for arm in ARMS)
        return f"<{c.named()}, {c.source} digits, seed {c.seed}: step {self.step} of {self.steps}, accuracy {known}>"

    @property
    def loss(self) -> float:
        """The mean loss of the arms at the latest step."""
        return sum(self.losses[-1]) / len(self.losses[-1])

    @property
    def finished(self) -> bool:
        return bool(self.evaluations) and self.evaluations[-1].step == self.steps

    def accuracy(self, arm: str) -> float:
        """Return the latest test accuracy of the network trained "without" or "with" augmentation."""
        if not self.evaluations:
            return float("nan")
        latest = self.evaluations[-1]
        return latest.correct[ARMS.index(arm)] / latest.n

    def accuracies(self) -> pd.DataFrame:
        """Return one row per arm: training, n, accuracy, low, high (Wilson, 95 %) of the latest evaluation."""
        latest = self.evaluations[-1]
        table = metrics.accuracy_table(latest.correct, [latest.n] * len(ARMS))
        return pd.concat([pd.DataFrame({"training": ARMS}), table], axis=1)

    def weights(self, arm: str) -> Tensor:
        """Return the first layer's weights as images, float [hidden, 28, 28]. Taught in: notebook 03."""
        return self.parameters[arm]["1.weight"].view(-1, SIZE, SIZE)

    def network(self, arm: str) -> nn.Module:
        """Return the network of an arm, ready to be asked. Taught in: notebook 03."""
        network = make_mlp(self.config.hidden, 0).eval()
        network.load_state_dict(dict(self.parameters[arm]))
        return network
