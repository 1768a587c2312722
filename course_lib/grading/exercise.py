"""What an exercise is: one declaration, from which come stub, check, hint, solution, grader and its own test."""

from __future__ import annotations

import functools
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from course_lib.grading.call import call
from course_lib.grading.judge import answer_of
from course_lib.grading.plain import encode
from course_lib.grading.sheet import Answer, Case, Later, Sheet, Trial

Numbers = Mapping[str, Any]  # the constants of an exercise that each student can have their own of


@dataclass(frozen=True)
class Misconception:
    """A wrong answer that students really give, as a function, and the hint that leads out of it."""

    answer: Callable
    hint: str

    @property
    def name(self) -> str:
        return self.answer.__name__


@dataclass(frozen=True)
class Exercise:
    """One graded function.

    id: "07.1"; reference: the solution, with the name, parameters and docstring that students see (what is
    keyword-only in it are the exercise's numbers, and no parameters of the student's function).
    cases(generator, **numbers): yields `Case`; two with equal arguments must be answered equally.
    points: for a right answer; core: of these, for an answer that is right where no ``edge`` is.
    summary(arguments, answer): what is compared; the answer itself, if None. Two answers that are both right
    may differ, as random ones do; their summaries may differ by no more than rtol and atol (as in allclose).
    harness(function, *arguments): what is called in place of the function itself, if not None.
    trial: grades what passes all cases by training with it; the cases then ask for form and finite numbers.
    alternatives: other solutions, which must pass. numbers(generator): a student's own numbers.
    """

    id: str
    title: str
    reference: Callable
    cases: Callable[..., Iterable[Case]]
    points: int
    core: int
    misconceptions: tuple[Misconception, ...]
    alternatives: tuple[Callable, ...]
    summary: Callable[[tuple, Any], Any] | None = None
    rtol: float = 1e-4
    atol: float = 1e-6
    numbers: Callable[[torch.Generator], Numbers] | None = None
    harness: Callable | None = None
    trial: Trial | None = None
    told: Mapping[str, str] = field(default_factory=dict)  # number -> what it is, for the student

    @property
    def name(self) -> str:
        """The name of the student's function."""
        return self.reference.__name__

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters of the student's function."""
        every = inspect.signature(self.reference).parameters.values()
        return tuple(p.name for p in every if p.kind is not p.KEYWORD_ONLY)

    @property
    def defaults(self) -> dict[str, Any]:
        """The numbers that the text of the notebook names."""
        every = inspect.signature(self.reference).parameters.values()
        return {p.name: p.default for p in every if p.kind is p.KEYWORD_ONLY}

    def stub(self) -> str:
        """Return the source of the cell that a student fills in."""
        doc = textwrap.indent(f'"""{inspect.getdoc(self.reference)}\n"""', "    ")
        doc = doc.replace('\n    """', '"""') if "\n" not in inspect.getdoc(self.reference) else doc
        body = "    raise NotImplementedError  # your code, in place of this line"
        return f"def {self.name}({', '.join(self.parameters)}):\n{doc}\n{body}"

    def solution(self) -> str:
        """Return the source of the reference."""
        return textwrap.dedent(inspect.getsource(self.reference)).strip()

    def sheet(self, seeds: Iterable[int], numbers: Numbers | None = None) -> Sheet:
        """Return the cases of these seeds with what the reference and the misconceptions answer."""
        numbers = dict(numbers or self.defaults)
        cases = [case for seed in seeds for case in self.cases(torch.Generator().manual_seed(seed), **numbers)]
        inputs = [encode(case.arguments) for case in cases]

        def answers(function: Callable, right: tuple[Answer, ...]) -> tuple[Answer, ...]:
            bound = functools.partial(function, **{k: v for k, v in numbers.items() if k in _keywords(function)})
            asked = zip(cases, inputs, right or [None] * len(cases), strict=True)
            return tuple(
                answer_of(call(bound, data, self.harness), case, self.summary, want) for case, data, want in asked
            )

        expected = answers(self.reference, ())
        return Sheet(
            **{name: getattr(self, name) for name in ("id", "title", "name", "parameters", "points", "core")},
            **{name: getattr(self, name) for name in ("rtol", "atol", "summary", "harness", "trial")},
            numbers=numbers,
            told=self.told,
            cases=tuple(cases),
            expected=expected,
            misconceptions=Later(lambda: [(m.name, m.hint, answers(m.answer, expected)) for m in self.misconceptions]),
        )


def _keywords(function: Callable) -> set[str]:
    return {p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY}
