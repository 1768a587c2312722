"""An exercise as data: what is needed to judge answers to some of its cases, without its solution."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """The arguments of one call; ``edge`` says what is special about them ("an empty group"), if anything is."""

    arguments: tuple
    edge: str = ""


@dataclass(frozen=True)
class Trial:
    """Grades a function by training with it.

    ``score(function, seed)`` is a generator that yields now and then and returns one number; it is run for
    each of ``seeds`` seeds, and their mean must reach ``threshold``. ``told`` is a sentence about the score,
    with {score} and {threshold} in it; ``hint`` is for a mean below it.
    """

    score: Callable[[Callable, int], Iterable]
    threshold: float
    told: str
    hint: str
    seeds: int = 2


@dataclass(frozen=True)
class Sheet:
    """An exercise as data: all that is needed to judge answers to some of its cases, without the solution.

    expected: what a right answer gives for each case; misconceptions: name, hint, and what it gives.
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
    cases: tuple[Case, ...]
    expected: tuple
    misconceptions: tuple[tuple[str, str, tuple], ...]
