"""What decides a run of lesson 06, and how it is read: one frozen, checked dataclass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from course_lib import config
from course_lib.data import faces
from course_lib.data.faces import GROUPS, SOURCE
from course_lib.errors import CourseError, require_integer
from course_lib.fairness.methods import METHODS
from course_lib.randomness import MAX_SEED

POPULATIONS = ("balanced", "as in training")
MOST_MORE = 5000  # faces of a group that can be collected
CHANNELS = (8, 16, 32)  # of the convolutions of each network of this lesson


@dataclass(frozen=True)
class Config(config.Config):
    """Everything that decides a run; checked when made (`CourseError`), and usable as a key.

    priors: shares of the four groups (`GROUPS`) among the ``n_train`` training faces, as a tuple or by name; they
    sum to 1. more: faces of each group that were collected besides, 0 to 5,000. method, settings: the mitigation
    method, and its own settings where they are not the defaults. noise: standard deviation of the camera's noise,
    in grey levels of 255. lr, weight_decay: of AdamW, which shrinks all weights by ``lr * weight_decay`` a step.

    The last three do not decide what is trained, but how its answers are read: from which probability on a
    woman (man) is said to smile, and the shares that the groups have where the criteria are asked for.
    """

    priors: tuple[float, ...] | Mapping[str, float] = SOURCE
    more: tuple[int, ...] = (0, 0, 0, 0)
    method: str = "StdM"
    settings: tuple[tuple[str, float], ...] | Mapping[str, float] = ()
    weight_decay: float = 0.1
    noise: int = 40
    n_train: int = 4000
    epochs: int = 8
    seed: int = 0
    batch_size: int = 64
    lr: float = 1e-2
    threshold_women: float = 0.5
    threshold_men: float = 0.5
    population: str = POPULATIONS[0]

    def __post_init__(self):
        self.integer("n_train", 100, 50_000)
        faces.counts(self.n_train, self.priors)  # checks them
        by_name = isinstance(self.priors, Mapping)
        self.put("priors", tuple(float(p) for p in (map(self._prior, GROUPS) if by_name else self.priors)))
        if not isinstance(self.more, tuple | list) or len(self.more) != len(GROUPS):
            raise CourseError(f"more must be four whole numbers, for {'; '.join(GROUPS)}; it was {self.more!r}.")
        self.put("more", tuple(require_integer("more", number, 0, MOST_MORE) for number in self.more))
        method = METHODS[self.method]
        given = _as_dict(self.settings)
        changed = {name: value for name, value in method.check(given).items() if value != method.check({})[name]}
        self.put("settings", tuple(sorted(changed.items())))
        self.number("weight_decay", 0, 10)
        self.integer("noise", 0, 100)
        self.integer("epochs", 1, 100)
        self.integer("seed", 0, MAX_SEED)
        self.integer("batch_size", 2, 10_000)
        self.number("lr", 0, 1)
        self.number("threshold_women", 0, 1)
        self.number("threshold_men", 0, 1)
        self.choose("population", POPULATIONS)

    def _prior(self, group: str) -> float:
        return self.priors.get(group, 0.0)

    def counts(self) -> list[int]:
        """Return how many training faces each group has, those collected besides included."""
        return [n + more for n, more in zip(faces.counts(self.n_train, self.priors), self.more, strict=True)]

    def missing_label(self) -> str:
        """Return "smiling" or "not smiling" if no training face is, "" otherwise."""
        counts = self.counts()
        return next((name for i, name in enumerate(("not smiling", "smiling")) if not sum(counts[i::2])), "")

    def trained(self) -> Self:
        """Return what decides the network: this config, read as usual."""
        return replace(self, threshold_women=0.5, threshold_men=0.5, population=POPULATIONS[0])

    def named(self) -> str:
        """Return the method with the settings that were changed: "GDRO, eta 0.03"."""
        return ", ".join([self.method, *(f"{name} {value:g}" for name, value in self.settings)])


def _as_dict(settings: object) -> dict[str, float]:
    try:
        return dict(settings)
    except (TypeError, ValueError):
        raise CourseError(f"settings must map names to numbers; they were {settings!r}.") from None
