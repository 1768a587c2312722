"""What decides a run: one frozen, checked dataclass, that is also the key under which its result is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from course_lib.data import biased_mnist, digits
from course_lib.data.biased_mnist import VARIABLES
from course_lib.data.render import require_cell
from course_lib.errors import CourseError, require_choice, require_integer, require_number
from course_lib.mitigation.methods import METHODS, Method
from course_lib.networks import NETWORKS
from course_lib.randomness import MAX_SEED
from course_lib.training import require_device


@dataclass(frozen=True)
class Config:
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
        same = len(set(strengths)) == 1
        self._set("strength", strengths[0] if same else strengths)
        require_choice("explicit", self.explicit, VARIABLES)
        method = METHODS[self.method]
        self._set("told", self.explicit if method.knows == "bias labels" else None)
        self._set("settings", self._changed_settings(method))
        require_choice("source", self.source, digits.SOURCES)
        require_choice("network", self.network, NETWORKS)
        self._set("seed", require_integer("seed", self.seed, 0, MAX_SEED))
        self._set("epochs", require_integer("epochs", self.epochs, 1, 100))
        self._set("n_train", require_integer("n_train", self.n_train, 100, biased_mnist.MAX_IMAGES))
        self._set("n_test", require_integer("n_test", self.n_test, 100, biased_mnist.MAX_IMAGES))
        self._set("cell", require_cell(self.cell))
        if self.network == "laptop" and self.cell % 2:
            raise CourseError(f"cell must be even for the laptop network, which halves the image; it was {self.cell}.")
        self._set("batch_size", require_integer("batch_size", self.batch_size, 2, 100_000))
        self._set("lr", require_number("lr", self.lr, 0, 100))
        self._set("weight_decay", require_number("weight_decay", self.weight_decay, 0, 100))
        require_choice("one_cycle", self.one_cycle, (True, False))
        require_device(self.device)

    @classmethod
    def of(cls, **values: object) -> Config:
        """Return ``Config(**values)``; raise `CourseError` that lists the fields for an unknown one."""
        known = [field.name for field in fields(cls) if field.init]
        if unknown := sorted(values.keys() - set(known)):
            raise CourseError(f"A run has no {', '.join(unknown)}; it has {', '.join(known)}.")
        return cls(**values)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)  # the way to normalise a field of a frozen dataclass

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
