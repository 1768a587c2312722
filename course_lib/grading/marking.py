"""Marks one notebook: asks the child, compares here. Runs in a worker process of the grader, or on a cluster."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from course_lib.errors import CourseError
from course_lib.grading import book
from course_lib.grading.call import Outcome
from course_lib.grading.exercise import Exercise
from course_lib.grading.judge import Verdict, judge
from course_lib.grading.key import Key
from course_lib.grading.plain import Seed, encode
from course_lib.grading.sandbox import Child, Ended, Sandbox
from course_lib.grading.sheet import Sheet
from course_lib.randomness import derive_seed

EXERCISE_SECONDS = 60.0  # for all cases of one exercise
TRIAL_SECONDS = 300.0  # for all training with one function
HIDDEN = 1  # seeds, each of which gives a set of cases


@dataclass(frozen=True)
class Job:
    """One notebook to mark; ``student`` is the identifier that their own numbers come from."""

    student: str
    lesson: str
    data: bytes
    problem: str = ""


_alone = threading.Lock()  # a sandbox is not shared by the threads of a cluster's worker


def mark(job: Job, key: Key) -> dict[str, Any]:
    """Return the marks of one notebook as plain data: problem, release, and a verdict for each exercise."""
    with _alone:
        return _mark(job, key)


def _mark(job: Job, key: Key) -> dict[str, Any]:
    exercises = book.declared(job.lesson)
    read: dict[str, Any] = {"problem": job.problem, "release": "", "functions": {}}
    if not job.problem:
        with _Renewed(_sandbox(key.spawn, key.folder, key.lessons)) as child:
            read = _read(child.get(), job.data, [one.name for one in exercises])
            verdicts = [_mark_one(child, one, read["functions"].get(one.name), job, key) for one in exercises]
    if read["problem"]:
        verdicts = [Verdict(one.id, one.title, "not attempted", 0, one.points) for one in exercises]
    elif all(verdict.status == "not attempted" for verdict in verdicts) and not any(read["functions"].values()):
        read["problem"] = f"The notebook has none of the functions of lesson {job.lesson}: is it the right one?"
    return {
        "problem": read["problem"],
        "release": read["release"],
        "verdicts": [asdict(replace(verdict, points=_finite(verdict))) for verdict in verdicts],
    }


def _finite(verdict: Verdict) -> float:
    """Return a verdict's points as a plain float from 0 to its maximum, whatever they were."""
    points = float(verdict.points)
    return min(max(points, 0.0), float(verdict.maximum)) if np.isfinite(points) else 0.0


class _Renewed:
    """A child for one submission, replaced by a new one when it has ended."""

    def __init__(self, sandbox: Sandbox):
        self._sandbox, self._context, self._child = sandbox, None, None

    def __enter__(self) -> _Renewed:
        return self

    def __exit__(self, *_: object) -> None:
        if self._context:
            self._context.__exit__(None, None, None)

    def get(self) -> Child:
        if self._child is None or self._child.ended:
            self.__exit__()
            self._context = self._sandbox.child()
            self._child = self._context.__enter__()
        return self._child


def _read(child: Child, data: bytes, names: list[str]) -> dict[str, Any]:
    """Let the child read the notebook; what it says is checked, since it may have been taken over."""
    try:
        answer = child.ask("read", np.frombuffer(data, np.uint8), names)
        functions = answer.get("functions", {})
        found = {n: (f[0].tobytes(), str(f[1])[:300]) for n, f in functions.items() if len(f[0]) or f[1]}
        return {"problem": str(answer["problem"])[:300], "release": str(answer.get("release", "")), "functions": found}
    except Ended:
        text = "The notebook cannot be read: it is too deeply nested, or made to break its reader."
    except Exception:  # whatever comes of an answer that has not the form it should have
        text = "The notebook cannot be read."
    return {"problem": text, "release": "", "functions": {}}


def _mark_one(child: _Renewed, exercise: Exercise, found: tuple | None, job: Job, key: Key) -> Verdict:
    """Return the verdict on one exercise."""
    verdict = functools.partial(Verdict, exercise.id, exercise.title, maximum=exercise.points)
    if found is None:
        text = f"There is no function {exercise.name} in the notebook."
        return verdict(status="not attempted", points=0, hint=text)
    source, problem = found
    if problem:
        return verdict(status="wrong", points=0, hint=f"{problem}.")
    loaded = child.get().load(source, exercise.name)
    if loaded.status != "answer":
        text = f"Its cell, or one that it uses, stopped with an error: {loaded.text}."
        return verdict(status="wrong", points=0, hint=text)
    student = job.student if key.by else ""
    sheet = hidden(exercise.id, key.secret, student)
    outcomes = _ask(child.get(), sheet)
    result = judge(sheet, outcomes)
    if sheet.trial and result.status == "passed":
        if not key.training:
            return verdict(status="left out", points=0, hint="This exercise is graded by training, which was left out.")
        return _try(child.get(), sheet, key.secret, verdict)
    return result


def _ask(child: Child, sheet: Sheet) -> list[Outcome]:
    """Return the outcomes of the cases; none after the first that is late, or ends the process."""
    outcomes: list[Outcome] = []
    end = time.monotonic() + EXERCISE_SECONDS
    for case in sheet.cases:
        outcomes.append(child.call(encode(case.arguments), sheet.harness))
        if outcomes[-1].status in ("slow", "died", "not attempted") or time.monotonic() > end:
            break
    return outcomes


def _try(child: Child, sheet: Sheet, secret: str, verdict: Callable[..., Verdict]) -> Verdict:
    """Return the verdict of training with the student's function, which stays in the child."""
    end = time.monotonic() + TRIAL_SECONDS

    def function(*arguments: Any) -> Any:
        outcome = child.call(encode(tuple(_sent(a) for a in arguments)))
        if outcome.status != "answer":
            raise CourseError(outcome.text or "It raised NotImplementedError")
        return outcome.value

    scores = []
    try:
        for number in range(sheet.trial.seeds):
            work = sheet.trial.score(function, derive_seed(secret, sheet.id, "trial", number))
            scores.append(_finish_until(work, end))
    except CourseError as error:
        return verdict(status="wrong", points=0, hint=f"In training it went wrong: {str(error).rstrip('.')}.")
    score = float(np.mean(scores))
    told = sheet.trial.told.format(score=score, threshold=sheet.trial.threshold)
    if score >= sheet.trial.threshold:
        return verdict(status="passed", points=sheet.points, note=told)
    return verdict(status="wrong", points=0, hint=f"{told} {sheet.trial.hint}")


def _sent(argument: Any) -> Any:
    """Return an argument as it can be sent: a generator as a seed that is drawn from it."""
    if isinstance(argument, torch.Generator):
        return Seed(int(torch.randint(2**31, (), generator=argument)))
    return argument


def _finish_until(work: Any, end: float) -> float:
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value
        if time.monotonic() > end:
            raise CourseError(f"it took longer than {TRIAL_SECONDS:.0f} seconds")


@functools.lru_cache(maxsize=16)
def hidden(id: str, secret: str, student: str) -> Sheet:
    """Return the sheet that a class is graded by: cases that follow from the secret, and a student's numbers."""
    exercise = book.exercise(id)
    seeds = [derive_seed(secret, id, number) for number in range(HIDDEN)]
    return exercise.sheet(seeds, own_numbers(exercise, secret, student))


def own_numbers(exercise: Exercise, secret: str, student: str) -> Mapping[str, Any] | None:
    """Return the numbers of one student; None, for those in the text, without a student."""
    if not student or exercise.numbers is None:
        return None
    seed = derive_seed("numbers", exercise.id, book.key_of(student), secret)
    return exercise.numbers(torch.Generator().manual_seed(seed))


@functools.cache
def _sandbox(spawn: bool, folder: str, lessons: tuple[str, ...]) -> Sandbox:
    """Return this process's sandbox, made at first use in ``folder``; it ends with the process."""
    if not folder:  # on a cluster, where nobody else cleans up
        folder = tempfile.mkdtemp(prefix="course_")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    own = Path(tempfile.mkdtemp(dir=folder))
    book.write_library(own / "library")
    (own / "private").mkdir()
    harnesses = {one.harness.__module__ for lesson in lessons for one in book.declared(lesson) if one.harness}
    packages = ["torch", *(f"course_lib.{book.LESSONS[lesson]}" for lesson in lessons), *sorted(harnesses)]
    if harnesses:
        packages.append("torch._dynamo")  # loaded by the first optimiser, which need not be on a student's clock
    return Sandbox(own / "library", packages, own / "private", spawn=spawn).__enter__()
