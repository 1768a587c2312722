"""Bad input, said once: one clear sentence at the door. Standard library only."""

from __future__ import annotations

import math
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path


class CourseError(ValueError):
    """What a user did that cannot work; the message is one sentence that says what is allowed.

    The command line prints the sentence and exits with status 1; a panel shows it in its status line.
    """

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows, which asks for it: the reader's own line that led here, and the sentence.

        The kit's own lines would push the sentence out of sight. ``%debug`` still goes through all of them.
        """
        installed = (str(Path(__file__).parent), sys.prefix, sys.base_prefix)
        frames = [f for f in traceback.extract_tb(self.__traceback__) if not f.filename.startswith(installed)]
        own = [f"Line {f.lineno}: {f.line}" for f in frames if f.line]  # generated code has none
        return [*own[-1:], f"{type(self).__name__}: {self}"]


def require_choice(what: str, value: object, allowed: Iterable[object]) -> object:
    """Return ``value`` if it is one of ``allowed``; raise `CourseError` that lists them if not."""
    allowed = list(allowed)
    if not any(type(value) is type(a) and value == a for a in allowed):
        raise CourseError(f"{what} must be one of {', '.join(map(repr, allowed))}; it was {value!r}.")
    return value


def require_number(what: str, value: object, low: float, high: float = math.inf) -> float:
    """Return ``value`` as float if it is a finite number in [low, high]; raise `CourseError` if not."""
    try:
        number = float("nan") if isinstance(value, (bool, str)) else float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not (low <= number <= high and math.isfinite(number)):
        raise CourseError(f"{what} must be a number {_span(low, high)}; it was {value!r}.")
    return number


def require_integer(what: str, value: object, low: int, high: float = math.inf) -> int:
    """Return ``value`` as int if it is a whole number in [low, high]; raise `CourseError` if not."""
    number = require_number(what, value, low, high)
    if number != int(number):
        raise CourseError(f"{what} must be a whole number {_span(low, high)}; it was {value!r}.")
    return int(number)


def _span(low: float, high: float) -> str:
    return f"from {low:.12g} to {high:.12g}" if math.isfinite(high) else f"of at least {low:.12g}"
