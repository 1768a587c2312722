"""What decides a run of the age estimator, and what is done with it: one frozen, checked dataclass."""

from __future__ import annotations

from dataclasses import dataclass

from course_lib import config
from course_lib.randomness import MAX_SEED

GROUPS = ("indoors", "outdoors")  # where somebody works: nothing that a picture shows
N_TEST = 2000
YOUNGEST, OLDEST = 18, 70  # years, of the workers
LEAST, NO_BOUND = 5.0, 20.0  # years: the least bound, and what stands for none


@dataclass(frozen=True)
class AgeConfig(config.Config):
    """Everything that decides a run of the age estimator; checked when made (`CourseError`).

    share: of the workers who work outdoors, in training and test data. look: years that they look older than
    they are (at most as 80). gap: years by which the oldest of them are younger than the oldest indoors: the
    groups differ in truth. n_train: faces in the training data. bound: what each group's error may be at most on
    the training data, in years (root mean square; 20: no bound). strength: of the Wasserstein repair, 0 to 1.
    The last two are applied to the trained network, and train nothing anew but its last layer.
    """

    share: float = 0.1
    look: float = 20.0
    gap: float = 0.0
    n_train: int = 3000
    epochs: int = 6
    seed: int = 0
    bound: float = NO_BOUND
    strength: float = 0.0

    def __post_init__(self):
        self.number("share", 0.02, 0.5)
        self.number("look", 0, 30)
        self.number("gap", 0, 30)
        self.integer("n_train", 500, 20_000)
        self.integer("epochs", 1, 100)
        self.integer("seed", 0, MAX_SEED)
        self.number("bound", LEAST, NO_BOUND)
        self.number("strength", 0, 1)

    def trained(self) -> tuple[float | int, ...]:
        """Return what decides the network; the other settings are applied to it afterwards."""
        return self.share, self.look, self.gap, self.n_train, self.epochs, self.seed
