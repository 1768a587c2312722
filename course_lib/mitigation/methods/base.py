"""What every mitigation method is: an objective with a name tag. One file per method beside this one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from course_lib.errors import CourseError, require_number
from course_lib.training import Objective, TrainingSet

Knows = Literal["nothing", "bias labels"]


@dataclass(frozen=True)
class Setting:
    """One number that a method can be tuned by, with its range."""

    name: str
    default: float
    low: float
    high: float
    text: str


class Method(Objective):
    """Base of all mitigation methods: override ``loss`` (most), ``batches`` or ``step`` (some).

    A method that ``knows`` "bias labels" is given ``batch.b`` and ``self.data.bias``, the values of one
    explicit bias variable; for one that knows "nothing" both are None. Settings become attributes.
    """

    title: ClassVar[str] = ""
    idea: ClassVar[str] = ""
    source: ClassVar[str] = ""
    knows: ClassVar[Knows] = "nothing"
    settings: ClassVar[tuple[Setting, ...]] = ()

    def __init__(self, network: nn.Module, data: TrainingSet, generator: torch.Generator, **settings: float):
        super().__init__(network, data, generator)
        for name, value in self.check(settings).items():
            setattr(self, name, value)
        if self.knows == "bias labels" and data.bias is None:
            raise CourseError(f"{self.title or type(self).__name__} must be told the bias labels.")

    @classmethod
    def check(cls, settings: Mapping[str, float]) -> dict[str, float]:
        """Return all settings, given or default; raise `CourseError` for an unknown one or one out of range."""
        known = [s.name for s in cls.settings]
        for name in settings:
            if name not in known:
                raise CourseError(f"{cls.__name__} has no setting {name!r}; it has {', '.join(known) or 'none'}.")
        return {s.name: require_number(s.name, settings.get(s.name, s.default), s.low, s.high) for s in cls.settings}


def pair_groups(data: TrainingSet) -> tuple[Tensor, Tensor]:
    """Return the group (b, y) of each sample, int64 [N] in 0..K-1, and the sizes of all K groups, [K]."""
    group = data.bias * data.classes + data.labels
    return group, torch.bincount(group, minlength=data.values * data.classes)


def balanced_batches(data: TrainingSet, size: int, generator: torch.Generator) -> Iterable[Tensor]:
    """Return one epoch of batches, drawn with replacement so that each non-empty group is as likely."""
    group, sizes = pair_groups(data)
    weights = (1.0 / sizes)[group].to(generator.device)
    return torch.multinomial(weights, len(data), replacement=True, generator=generator).split(size)
