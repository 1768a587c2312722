"""How fast `check` answers and `grade` grades: a class of honest, mistaken and hostile students."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat

from course_lib.bench import Figure
from course_lib.environment import ROOT
from course_lib.grading import book
from course_lib.grading.check import examine
from course_lib.grading.exercise import Exercise
from course_lib.grading.release import exercise_of, release

LESSON = "07"
HOSTILE = (
    "while True: pass",
    "import os; os._exit(0)",
    "return bytearray(50 * 10**9)",
    "import os; [os.fork() for _ in range(9**9)]",
    "open('/tmp/x', 'w').write('x' * 10**9)",
    "return (i for i in [])",
)


def measure_check() -> Iterator[Figure]:
    """Time `check` without what it shows, for the right answers to exercises that train nothing."""
    exercises = [one for one in book.declared(LESSON) if not one.trial]
    for one in exercises:
        examine(book.visible(one.id), one.reference)  # the cases are made once
    times = []
    for _ in range(20):
        for one in exercises:
            start = time.perf_counter()
            examine(book.visible(one.id), one.reference)
            times.append(1000 * (time.perf_counter() - start))
    yield Figure(
        "check of a right answer, slowest exercise", max(sorted(times)[: int(0.95 * len(times))]), "ms p95", "<= 200"
    )


def measure_grading() -> Iterator[Figure]:
    """Grade 300 honest notebooks, and 300 with 10 % hostile ones, each with the command, without training."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        release(here / "release")
        jobs = os.cpu_count() or 1
        (first, small), (seconds, large) = (_grade(here, f"honest{n}", n, 0) for n in (100, 300))
        yield Figure("300 honest notebooks, start included", seconds, "s")
        yield Figure("notebooks a second and core, start included", 300 / seconds / jobs, "", ">= 10")
        yield Figure("notebooks a second and core, from 100 to 300", 200 / (seconds - first) / jobs, "", ">= 10")
        yield Figure("largest process, 300 against 100 notebooks", large / small, "", "<= 1.1")
        seconds, _ = _grade(here, "hostile", 300, 30)
        yield Figure("300 notebooks, 30 of them hostile", seconds, "s")


def _grade(here: Path, name: str, n: int, hostile: int) -> tuple[float, float]:
    """Grade ``n`` notebooks with the command; return seconds and the largest process in MiB."""
    write_class(here / name, here / "release", n, hostile)
    command = [sys.executable, "-m", "course_lib", "grade", here / name, "--out", here / f"{name}_out", "--no-training"]
    start = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--release", here / "release/teacher"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"grade ended with status {status}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def write_class(folder: Path, released: Path, n: int, hostile: int) -> None:
    """Write ``n`` returned notebooks, ``hostile`` of them spread among right, mistaken and untouched ones."""
    folder.mkdir()
    path = next((released / "student/notebooks").glob(f"{LESSON}_*.ipynb"))
    stubs = nbformat.read(path, 4)
    chance = random.Random(0)
    every = n // hostile if hostile else n + 1
    for i in range(n):
        attack = HOSTILE[i // every % len(HOSTILE)] if hostile and i % every == every - 1 else ""
        for cell in stubs.cells:
            if id := exercise_of(cell):
                cell.source = _answer(book.exercise(id), chance, attack)
        nbformat.write(stubs, folder / f"student{i:03d}_{path.name}")


def _answer(exercise: Exercise, chance: random.Random, attack: str) -> str:
    """Return the source of an answer: an attack, or three times in five right, else a mistake or a stub."""
    if attack and not exercise.trial:
        return f"def {exercise.name}({', '.join(exercise.parameters)}):\n    {attack}"
    kind = chance.randrange(5)
    if kind == 4 or exercise.trial:
        return exercise.stub()
    if kind == 3:
        # Something wrong that needs no other function: the last line of the solution goes missing.
        return re.sub(r"\n[^\n]*$", "\n    return None", exercise.solution())
    return exercise.solution()
