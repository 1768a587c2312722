"""An exercise as data: what is needed to judge answers to some of its cases, without its solution."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor, as_tensor

from course_lib.errors import CourseError


@dataclass(frozen=True)
class Case:
    """The arguments of one call; ``edge`` says what is special about them ("an empty group"), if anything is."""

    arguments: tuple
    edge: str = ""


@dataclass(frozen=True)
class Answer:
    """An answer as it is compared: its form, its value (summarised, if it has the right form), or its error."""

    form: list
    value: Any = None
    error: str = ""


class Later(Sequence):
    """What ``make()`` gives, once it is looked at: nobody whose answer is right waits for the wrong ones."""

    def __init__(self, make: Callable[[], Iterable]):
        self._make = make

    @cached_property
    def _made(self) -> tuple:
        return tuple(self._make())

    def __getitem__(self, index: Any) -> Any:
        return self._made[index]

    def __len__(self) -> int:
        return len(self._made)


@dataclass(frozen=True)
class Trial:
    """Grades a function by training with it.

    ``score(function, seed)`` is a generator that yields now and then and returns one number; it is run for
    each of ``seeds`` seeds, and their mean must reach ``threshold``. ``told`` is a sentence about the score,
    with {score} and {threshold} in it; ``hint`` is for a mean below it.
    """

    score: Callable[[Callable, int], Generator]
    threshold: float
    told: str
    hint: str
    seeds: int = 2


def require_decimals(given: object, shape: Sequence[int]) -> Tensor:
    """Return what a function gave in training, without its history; raise `CourseError` if it has another form."""
    given = as_tensor(given) if isinstance(given, (Tensor, np.ndarray)) else given
    if not isinstance(given, Tensor) or given.shape != tuple(shape) or not given.is_floating_point():
        raise CourseError(f"The function must return decimal numbers of shape {list(shape)}, a tensor.")
    return given.detach()


@dataclass(frozen=True)
class Sheet:
    """An exercise as data: all that is needed to judge answers to some of its cases, without the solution.

    name, parameters: of the student's function; expected: what a right answer gives for each case;
    misconceptions: name, hint, and what it gives; numbers: the constants that the answers are for, and told:
    what each of them is. For the rest see `Exercise`.
    """

    id: str
    title: str
    name: str
    parameters: tuple[str, ...]
    points: int
    core: int
    rtol: float
    atol: float
    summary: Callable | None
    harness: Callable | None
    trial: Trial | None
    numbers: Mapping[str, Any]
    told: Mapping[str, str]
    cases: tuple[Case, ...]
    expected: tuple[Answer, ...]
    misconceptions: Sequence[tuple[str, str, tuple[Answer, ...]]]

    def pack(self) -> dict[str, Any]:
        """Return the sheet as plain data; its functions, which are the library's, by name."""
        packed = {field.name: getattr(self, field.name) for field in fields(self)}
        packed |= {name: name_of(getattr(self, name)) for name in ("summary", "harness")}
        packed["trial"] = self.trial and {**vars(self.trial), "score": name_of(self.trial.score)}
        packed["cases"] = [[case.arguments, case.edge] for case in self.cases]
        packed["expected"] = [_row(answer) for answer in self.expected]
        packed["misconceptions"] = [[name, hint, [_row(a) for a in given]] for name, hint, given in self.misconceptions]
        return packed

    @classmethod
    def unpack(cls, packed: dict[str, Any]) -> Sheet:
        """Return the sheet that was packed."""
        values = dict(packed)
        values |= {name: find_function(values[name]) for name in ("summary", "harness")}
        trial = values["trial"]
        values["trial"] = trial and Trial(**{**trial, "score": find_function(trial["score"])})
        values["cases"] = tuple(Case(*case) for case in values["cases"])
        values["expected"] = tuple(Answer(*answer) for answer in values["expected"])
        values["misconceptions"] = tuple(
            (name, hint, tuple(Answer(*answer) for answer in given)) for name, hint, given in values["misconceptions"]
        )
        return cls(**values)


def _row(answer: Answer) -> list:
    return [answer.form, answer.value, answer.error]


def name_of(function: Callable | None) -> str | None:
    """Return "module:name" of a function of the library."""
    return function and f"{function.__module__}:{function.__qualname__}"


def find_function(name: str | None) -> Callable | None:
    """Return the function that `name_of` named."""
    if name is None:
        return None
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)
