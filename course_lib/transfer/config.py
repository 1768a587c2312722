"""What decides a run of lesson 04: how many labels there are, and what is done with the pre-trained layers."""

from __future__ import annotations

from dataclasses import dataclass

from course_lib import config
from course_lib.randomness import MAX_SEED
from course_lib.transfer.pictures import MOST

FEWEST = 10  # labels


@dataclass(frozen=True)
class Regime:
    """How a network starts and what of it is trained; the head always starts anew and is always trained.

    taken: how many of the four layers, from the first on, come from the trunk; the others start at random.
    kept: how many of them, from the first on, stay as they are. lr: the learning rate, if none is chosen.
    """

    taken: int
    kept: int
    lr: float
    text: str


REGIMES = {
    "from scratch": Regime(0, 0, 1e-2, "every layer starts at random and is trained"),
    "frozen features": Regime(4, 4, 3e-2, "all four layers are taken and kept; the head is trained"),
    "first layers": Regime(2, 2, 1e-2, "the first two layers are taken and kept; the others start at random"),
    "fine-tuning": Regime(4, 0, 3e-3, "all four layers are taken, and everything is trained"),
    "fine-tuning, rate too low": Regime(4, 0, 1e-5, "as fine-tuning, with a learning rate far too low"),
    "frozen random": Regime(0, 4, 3e-2, "a control: all four layers start at random and are kept"),
}
SCRATCH = "from scratch"
TARGETS = {"smile": "accuracy", "age": "mean error (years)"}  # and how each is scored


@dataclass(frozen=True)
class Config(config.Config):
    """Everything that decides a run; checked when made (`CourseError`), and usable as a key.

    target: what is learned, "smile" or "age". regime: one of `REGIMES`. labels: labelled faces to learn from, 10
    to 2,000. lr: AdamW's highest learning rate, up to 1; None takes the regime's own. steps: of training, 10 to
    2,000, rounded up to whole epochs. seed: of the labelled faces, the random weights and the order of batches.
    """

    target: str = "smile"
    regime: str = "frozen features"
    labels: int = 50
    lr: float | None = None
    steps: int = 150
    seed: int = 0

    def __post_init__(self):
        self.choose("target", TARGETS)
        self.choose("regime", REGIMES)
        self.integer("labels", FEWEST, MOST)
        if self.lr is not None:
            self.number("lr", 0, 1)
        self.integer("steps", 10, 2000)
        self.integer("seed", 0, MAX_SEED)

    def rate(self) -> float:
        """Return the learning rate: the chosen one, or the regime's own."""
        return REGIMES[self.regime].lr if self.lr is None else self.lr

    def named(self) -> str:
        """Return what is done with how much, in words: "frozen features, 50 labels"."""
        return f"{self.regime}, {self.labels} labels"
