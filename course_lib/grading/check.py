"""``check("07.1", my_function)`` in a notebook: points or a hint, at once; and `progress`, `solution`."""

from __future__ import annotations

import ctypes
import functools
import html
import inspect
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from course_lib.errors import CourseError
from course_lib.grading import book
from course_lib.grading.call import Outcome, call, describe, file_of, hushed
from course_lib.grading.judge import Verdict, as_html, judge
from course_lib.grading.plain import Seed, decode, encode
from course_lib.grading.sheet import Sheet

SECONDS = 10.0  # that a function has for each case
COLORS = {"passed": ("#1b7837", "#eaf6ec"), "not attempted": ("#5f5f5f", "#f2f2f2")}  # frame, background
AMBER = ("#b35806", "#fef3e5")
NOTHING: Any = object()  # where a function was left out; None is one that was given

_verdicts: dict[str, Verdict] = {}  # the latest of each exercise
_failed: dict[str, tuple] = {}  # the input that each exercise failed on
_student = ""


def check(id: str, function: Callable = NOTHING) -> None:
    """Try your function on the exercise's cases and show points or a hint. Never raises on a wrong answer.

    id: such as "07.1"; function: the function itself, without parentheses. Taught in: every notebook's exercises.
    """
    try:
        if function is NOTHING:
            number, name = ("07.1", getattr(id, "__name__", "f")) if callable(id) else (id, "your_function")
            raise CourseError(f'check needs the number of the exercise and your function: check("{number}", {name}).')
        with torch.random.fork_rng(devices=[]):  # a new layer draws from the notebook's own generator
            verdict = examine(book.visible(id, _student), function)
    except CourseError as error:
        return show(str(error), f"<b>{html.escape(str(error))}</b>", AMBER)
    _verdicts[id] = verdict
    text = describe_verdict(verdict)
    return show("\n".join(text), _as_html(text), COLORS.get(verdict.status, AMBER))


def examine(sheet: Sheet, function: Callable, seeds: Sequence[int] = ()) -> Verdict:
    """Return the verdict on a function, from the sheet's cases, and for some exercises from training.

    seeds: to train with; the visible one, if there are none.
    """
    if fault := _find_unfit(sheet, function):
        return Verdict(sheet.id, sheet.title, "wrong", 0, sheet.points, hint=fault)
    outcomes: list[Outcome] = []
    with hushed():
        for case in sheet.cases:
            outcomes.append(_limited(function, encode(case.arguments), sheet.harness))
            if outcomes[-1].status in ("slow", "not attempted"):
                break
    verdict = judge(sheet, outcomes)
    _failed.pop(sheet.id, None)
    if verdict.status in ("wrong", "part"):
        wrong = (i for i in range(len(outcomes)) if judge_alone(sheet, i, outcomes[i]).points < sheet.points)
        _failed[sheet.id] = sheet.cases[next(wrong, 0)].arguments
    if sheet.trial and verdict.status == "passed":
        return _try(sheet, function, seeds or [book.visible_seed(sheet.id)])
    return verdict


def judge_alone(sheet: Sheet, i: int, outcome: Outcome) -> Verdict:
    """Return the verdict on one case of a sheet."""
    one = slice(i, i + 1)
    theirs = tuple((name, hint, answers[one]) for name, hint, answers in sheet.misconceptions)
    return judge(replace(sheet, cases=sheet.cases[one], expected=sheet.expected[one], misconceptions=theirs), [outcome])


def _find_unfit(sheet: Sheet, function: object) -> str:
    """Return why this cannot be the student's function; empty if it can."""
    call_it = f'check("{sheet.id}", {sheet.name})'
    if not callable(function):
        return f"check takes the function itself, without parentheses and arguments: `{call_it}`."
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return ""  # of a function in C; calling it will tell
    try:
        signature.bind(*sheet.parameters)
    except TypeError:
        wanted = f"{sheet.name}({', '.join(sheet.parameters)})"
        return f"The function is called as `{wanted}`; yours takes `{signature}`. Leave the line with `def` as it was."
    return ""


def _limited(function: Callable, arguments: bytes, harness: Callable | None) -> Outcome:
    """Do a `call` in a thread that is stopped after `SECONDS`."""
    done: list[Outcome] = []
    thread = threading.Thread(target=lambda: done.append(call(function, arguments, harness)), daemon=True)
    thread.start()
    try:
        thread.join(SECONDS)
        slow = thread.is_alive()
    finally:
        _stop(thread)
    if not slow:
        return done[0]
    text = f"It was stopped after {SECONDS:.0f} seconds on an input that takes a moment: look for a loop without end"
    if thread.is_alive():
        text += "; it cannot be stopped from here, so restart the kernel (menu Kernel, Restart)"
    return Outcome("slow", text=text)


def _stop(thread: threading.Thread) -> None:
    """Raise SystemExit in a thread until it ends, for 2 seconds at most: some code swallows it."""
    for _ in range(40):
        if not thread.is_alive():
            return
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
        thread.join(0.05)


def _try(sheet: Sheet, function: Callable, seeds: Sequence[int]) -> Verdict:
    """Train with a student's function on these seeds, and return the verdict."""
    from course_lib.runs import finish_with_bar

    verdict = functools.partial(Verdict, sheet.id, sheet.title, maximum=sheet.points)
    print("Training with your function ...", flush=True)
    try:
        scores = [finish_with_bar(sheet.trial.score(function, seed), sheet.id) for seed in seeds]
    except (Exception, SystemExit) as error:  # the student's function, in the middle of training
        text = f"It stopped with an error in training: {describe(error, file_of(function)).rstrip('.')}."
        return verdict(status="wrong", points=0, hint=text)
    score = sum(scores) / len(scores)
    told = sheet.trial.told.format(score=score, threshold=sheet.trial.threshold)
    if score >= sheet.trial.threshold:
        return verdict(status="passed", points=sheet.points, note=told)
    return verdict(status="wrong", points=0, hint=f"{told} {sheet.trial.hint}")


def points(id: str, function: Callable) -> float:
    """Return the points of a function, a plain float, from the visible cases; show nothing."""
    with hushed():
        return float(examine(book.visible(id, _student), function).points)


def example(id: str) -> tuple:
    """Return the input that the latest `check` of an exercise failed on, or its first one; see for yourself."""
    sheet = book.visible(id, _student)
    arguments = decode(encode(_failed.get(id, sheet.cases[0].arguments)))  # a copy, to do with as one likes
    return tuple(a.generator() if isinstance(a, Seed) else a for a in arguments)


def identify(student: str) -> None:
    """Say who you are, where every student has their own numbers, and show them."""
    global _student
    if not book.own_numbers_by():
        return show("Everybody has the same numbers in this edition: those in the text.", "", AMBER)
    try:
        if not isinstance(student, str) or not student.strip(" ."):
            raise CourseError(f'Your {book.own_numbers_by()} goes between the quotes: identify("...").')
        sheets = [book.visible(id, student) for id in book.titles()]
    except CourseError as error:  # a cell that is run before it is filled in must not stop the notebook
        return show(str(error), "", AMBER)
    _student = student
    lines = [f"Your own numbers, {student}: use them in place of those in the text."]
    for sheet in sheets:
        lines += [f"{sheet.id}  {name} = {value}   ({sheet.told[name]})" for name, value in sheet.numbers.items()]
    return show("\n".join(lines), _as_html(lines), COLORS["not attempted"])


def progress() -> None:
    """Show the points so far in this session, exercise by exercise."""
    lessons = {id.partition(".")[0] for id in _verdicts} or set(book.LESSONS)
    rows = [(id, *row) for id, row in book.titles(lessons).items()]
    lines = []
    for id, title, most in rows:
        verdict = _verdicts.get(id)
        state = f"{verdict.points:g} of {most} points, {verdict.status}" if verdict else "not checked yet"
        lines.append(f"{id}  {title}: {state}")
    total = sum(_verdicts[id].points for id, *_ in rows if id in _verdicts)
    lines.insert(0, f"{total:g} of {sum(most for *_, most in rows)} points so far")
    show("\n".join(lines), _as_html(lines), COLORS["not attempted"])


def solution(id: str) -> None:
    """Show the solution of an exercise, in the edition for self-study; in a class, the teacher has it."""
    try:
        text = book.exercise(id).solution()
    except CourseError as error:
        text = str(error)
    print(text)


def describe_verdict(verdict: Verdict) -> list[str]:
    """Return a verdict as lines of text: the heading, then hint and note."""
    mark = {"passed": "✓", "not attempted": "…"}.get(verdict.status, "✗")
    lines = [f"{mark} {verdict.id} {verdict.title}: {verdict.points:g} of {verdict.maximum} points"]
    if verdict.status == "not attempted":
        return [f"{lines[0]}, not attempted yet"]
    if verdict.status == "passed" and book.edition():
        lines.append("All visible checks passed; more run when your work is graded.")
    return [*lines, *filter(None, (verdict.hint, verdict.note))]


def _as_html(lines: list[str]) -> str:
    first, *rest = map(as_html, lines)
    return f"<b>{first}</b>" + "".join(f"<br>{line}" for line in rest)


def show(text: str, body: str, colors: tuple[str, str]) -> None:
    """Show a box in a notebook, and plain text elsewhere."""
    shell: Any = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None or not hasattr(shell, "kernel"):
        print(text)
        return
    from IPython.display import display

    frame, background = colors
    style = (
        f"border-left: 6px solid {frame}; background: {background}; color: #1a1a1a; padding: 8px 14px; max-width: 50em"
    )
    box = f'<div role="status" style="{style}">{body or html.escape(text)}</div>'
    display({"text/html": box, "text/plain": text}, raw=True)
