"""What decides a picture of this lesson: two frozen, checked dataclasses."""

from __future__ import annotations

from dataclasses import dataclass

from course_lib import config
from course_lib.normalization.scalers import SCALERS
from course_lib.randomness import MAX_SEED

MAX_TRAIN, MAX_TEST = 500, 200
LAYERS = ("BatchNorm1d", "BatchNorm2d")


@dataclass(frozen=True)
class Config(config.Config):
    """Two sets of birds, and how they are scaled; raises `CourseError` for a value out of range.

    scaler: a key of ``SCALERS``; n_train: 10 to 500 birds, half of each species; n_test: 1 to 200.
    What is special about the test set: shift, -3 to 3, is added to both features, in standard deviations;
    scale, 0.1 to 3, multiplies the wing length (0.1: in cm, not mm); balance, 0 to 1: the share of species B.
    """

    scaler: str = "z-score"
    n_train: int = 200
    n_test: int = 100
    shift: float = 0.0
    scale: float = 1.0
    balance: float = 0.5
    seed: int = 0

    def __post_init__(self):
        self.choose("scaler", SCALERS)
        self.integer("n_train", 10, MAX_TRAIN)
        self.integer("n_test", 1, MAX_TEST)
        self.number("shift", -3, 3)
        self.number("scale", 0.1, 3)
        self.number("balance", 0, 1)
        self.integer("seed", 0, MAX_SEED)


@dataclass(frozen=True)
class BatchNormConfig(config.Config):
    """A network with batch normalisation, and what it is shown; raises `CourseError` for a value out of range.

    layer: BatchNorm1d (a dense network) or BatchNorm2d (a convolutional one); batch_size: 1 to 50 images;
    brightness: 0 to 0.9, each pixel p becomes brightness + (1 - brightness) p; by_digit: batches come sorted
    by digit, not mixed; batches: 1 to 20, fed in train mode to frozen weights; momentum: 0 to 1, the weight
    of the newest batch in the running statistics.
    """

    layer: str = "BatchNorm1d"
    batch_size: int = 20
    brightness: float = 0.3
    by_digit: bool = False
    batches: int = 10
    momentum: float = 0.1
    seed: int = 0

    def __post_init__(self):
        self.choose("layer", LAYERS)
        self.integer("batch_size", 1, 50)
        self.number("brightness", 0, 0.9)
        self.choose("by_digit", (True, False))
        self.integer("batches", 1, 20)
        self.number("momentum", 0, 1)
        self.integer("seed", 0, MAX_SEED)
