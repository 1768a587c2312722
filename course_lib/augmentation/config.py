"""What decides a run or a gallery of lesson 03: one frozen, checked dataclass."""

from __future__ import annotations

from dataclasses import dataclass

from course_lib import config
from course_lib.augmentation.augmentations import AUGMENTATIONS, BUILT_IN
from course_lib.data.digits import SOURCES
from course_lib.errors import CourseError
from course_lib.randomness import MAX_SEED

NONE = "none"  # of your own augmentation: none is in use


@dataclass(frozen=True)
class Config(config.Config):
    """Everything that decides a run; checked when made (`CourseError`).

    The first eight fields are how much of each augmentation there is (0: none; see ``AUGMENTATIONS`` for the
    units), ``own`` the name of one that was registered, or "none". ``digit`` is what the gallery shows.
    ``n_train`` is how many training digits there are at most (bundled: 1,297).
    """

    translate: int = 2
    rotate: float = 0.0
    scale: float = 0.0
    flip_horizontal: float = 0.0
    flip_vertical: float = 0.0
    erase: float = 0.0
    gaussian: float = 0.0
    laplacian: float = 0.0
    own: str = NONE
    digit: int = 2
    source: str = "bundled"
    n_train: int = 1297
    epochs: int = 40
    seed: int = 0
    hidden: int = 100
    batch_size: int = 64
    lr: float = 3e-3

    def __post_init__(self):
        for name, augmentation in BUILT_IN.items():
            (self.integer if name == "translate" else self.number)(name, 0, augmentation.high)
        if self.own != NONE and self.own not in AUGMENTATIONS.own():
            raise CourseError(f"own must be {NONE!r} or an augmentation that you registered; it was {self.own!r}.")
        self.integer("digit", 0, 9)
        self.choose("source", SOURCES)
        self.integer("n_train", 10, 60_000)
        self.integer("epochs", 1, 1000)
        self.integer("seed", 0, MAX_SEED)
        self.integer("hidden", 1, 1000)
        self.integer("batch_size", 2, 10_000)
        self.number("lr", 0, 1)

    def amounts(self) -> dict[str, float]:
        """Return how much of each augmentation that is in use."""
        used = {name: getattr(self, name) for name in BUILT_IN if getattr(self, name)}
        return used | ({self.own: 1.0} if self.own != NONE else {})

    def named(self) -> str:
        """Return the augmentations in use in words: "translation 2 pixels, Gaussian noise 0.1"."""
        used = [(AUGMENTATIONS[name], amount) for name, amount in self.amounts().items()]
        texts = [f"{one.title} {amount:g} {one.unit}".strip() for one, amount in used]
        return ", ".join(texts) or "no augmentation"
