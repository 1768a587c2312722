"""What decides a run: one frozen, checked dataclass, that is also the key under which its result is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from course_lib import config
from course_lib.data import biased_mnist, digits
from course_lib.data.biased_mnist import VARIABLES
from course_lib.data.render import require_cell
from course_lib.errors import CourseError
from course_lib.mitigation.methods import METHODS, Method
from course_lib.networks import NETWORKS
from course_lib.randomness import MAX_SEED
from course_lib.training import require_device


@dataclass(frozen=True)
class Config(config.Config):
    """Everything that decides a run; checked when made (`CourseError`), and usable as a key.

    ``strength`` is one number in [0, 1] or a mapping from variables to numbers (the others: 0.1).
    ``explicit`` is the bias variable that methods which know bias labels are told. ``settings`` are the
    method's own (see ``METHODS[method].settings``). The test set is always unbiased (strength 0.1).
    """

    method: str = "StdM"
    strength: float | tuple[float, ...] | Mapping[str, float] = 0.5
    explicit: str = "distractor_shape"
    source: str = "bundled"
    seed: int = 0
    epochs: int = 4
    settings: tuple[tuple[str, float], ...] | Mapping[str, float] = ()
    network: str = "laptop"
    cell: int = 14
    n_train: int = 8000
    n_test: int = 2000
    batch_size: int = 64
    lr: float = 1e-2
    weight_decay: float = 1e-2
    one_cycle: bool = True
    device: str = "cpu"
    # The bias variable that the method is told: ``explicit``, or None for a method told nothing.
    told: str | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self):
        strengths = self.strength
        if isinstance(strengths, tuple) and len(strengths) == len(VARIABLES):
            strengths = dict(zip(VARIABLES, strengths, strict=True))
        strengths = biased_mnist.strengths(strengths)
        self.put("strength", strengths[0] if len(set(strengths)) == 1 else strengths)
        self.choose("explicit", VARIABLES)
        method = METHODS[self.method]
        self.put("told", self.explicit if method.knows == "bias labels" else None)
        self.put("settings", self._changed_settings(method))
        self.choose("source", digits.SOURCES)
        self.choose("network", NETWORKS)
        self.integer("seed", 0, MAX_SEED)
        self.integer("epochs", 1, 100)
        self.integer("n_train", 100, biased_mnist.MAX_IMAGES)
        self.integer("n_test", 100, biased_mnist.MAX_IMAGES)
        self.put("cell", require_cell(self.cell))
        if self.network == "laptop" and self.cell % 2:
            raise CourseError(f"cell must be even for the laptop network, which halves the image; it was {self.cell}.")
        self.integer("batch_size", 2, 100_000)
        self.number("lr", 0, 100)
        self.number("weight_decay", 0, 100)
        self.choose("one_cycle", (True, False))
        require_device(self.device)

    def _changed_settings(self, method: type[Method]) -> tuple[tuple[str, float], ...]:
        """Return the settings that are not the method's defaults, so that equal runs have equal keys."""
        try:
            given = dict(self.settings)
        except (TypeError, ValueError):
            raise CourseError(f"settings must map names to numbers; they were {self.settings!r}.") from None
        checked, defaults = method.check(given), method.check({})
        return tuple(sorted((name, value) for name, value in checked.items() if value != defaults[name]))

    def named(self) -> str:
        """Return the method with the settings that were changed: "GDRO, eta 0.03"."""
        return ", ".join([self.method, *(f"{name} {value:g}" for name, value in self.settings)])

    def strengths(self) -> dict[str, float]:
        """Return the strength of each of the seven variables."""
        given = self.strength if isinstance(self.strength, tuple) else (self.strength,) * len(VARIABLES)
        return dict(zip(VARIABLES, given, strict=True))
