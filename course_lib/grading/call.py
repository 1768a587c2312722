"""One call of a student's function: what it answered, or what went wrong, as plain data."""

from __future__ import annotations

import contextlib
import io
import linecache
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from course_lib.grading.plain import Seed, decode, encode

MAX_PRINTED = 1_000_000  # characters


@dataclass(frozen=True)
class Outcome:
    """What came of a call.

    status: "answer", "not attempted", "error", and from the grader also "slow" or "died".
    text: of an error, its type, message and place; of "died", how. printed: characters; changed: whether
    the function changed its arguments.
    """

    status: str
    value: Any = None
    text: str = ""
    printed: int = 0
    changed: bool = False

    @property
    def error(self) -> str:
        """The type of an error: "ZeroDivisionError"."""
        return self.text.partition(":")[0].partition(",")[0] if self.status == "error" else ""  # or "Type, in line 1"


class Counter(io.TextIOBase):
    """Counts what is printed, and keeps none of it; ends a function that prints without end."""

    count = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.count += len(text)
        if self.count > MAX_PRINTED:
            raise RuntimeError(f"it printed more than {MAX_PRINTED:,} characters")
        return len(text)


_printed = Counter()


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Count what is printed in here, for the `Outcome` of each call, and show none of it."""
    _printed.count = 0
    with contextlib.redirect_stdout(_printed), contextlib.redirect_stderr(_printed):
        yield


def call(function: Callable, arguments: bytes, harness: Callable | None = None) -> Outcome:
    """Call ``function`` with a fresh copy of the encoded ``arguments`` and say what came of it.

    With a ``harness``, it is that which is called, with the function before the arguments.

    Nothing that the function does is raised here, except what ends the process.
    """
    given = decode(arguments)
    passed = [a.generator() if isinstance(a, Seed) else a for a in given]
    before = _printed.count
    file = file_of(function)
    try:
        value = harness(function, *passed) if harness else function(*passed)
        if value is NotImplemented or value is Ellipsis:
            return Outcome("not attempted")
        value = decode(encode(value))  # what is kept must not change later, and must not be anything but plain
    except NotImplementedError as error:
        if not error.args:
            return Outcome("not attempted")
        return Outcome("error", text=describe(error, file), printed=_printed.count - before)
    except BaseException as error:  # SystemExit and the like, too: it is the student's, and it is shown
        return Outcome("error", text=describe(error, file), printed=_printed.count - before)
    return Outcome("answer", value, printed=_printed.count - before, changed=encode(given) != arguments)


def file_of(function: Callable) -> str:
    """Return the file, or the cell, that a function was written in; empty if it is not known."""
    return getattr(getattr(function, "__code__", None), "co_filename", "")


def describe(error: BaseException, file: str) -> str:
    """Return an error as "Type: message, in line 3 of f: `x = 1 / 0`", by the last line of ``file`` in it."""
    try:
        message = str(error).strip().split("\n")[0][:300]
    except BaseException:  # an error whose own text fails is the student's work, too
        message = "(its message cannot be shown)"
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    frames = [f for f in traceback.walk_tb(error.__traceback__) if f[0].f_code.co_filename == file]
    if not frames:
        return text
    frame, number = frames[-1]
    name = frame.f_code.co_name
    where = f"line {number - frame.f_code.co_firstlineno + 1} of {name}" if name.isidentifier() else f"line {number}"
    line = linecache.getline(file, number).strip()
    return f"{text}, in {where}" + (f": `{line}`" if line else "")
