"""The repeated runs behind the thresholds of the exercises that are graded by training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from statistics import NormalDist

import pandas as pd

from course_lib.bench import Figure
from course_lib.environment import ROOT
from course_lib.errors import CourseError
from course_lib.grading import book
from course_lib.grading.exercise import Exercise
from course_lib.randomness import derive_seed
from course_lib.runs import finish

RUNS = 25  # seeds, each trained with every right and every wrong answer


def measure_thresholds() -> Iterator[Figure]:
    """Train with all right and wrong answers, store the scores, and yield how rarely a right one falls short."""
    for lesson in book.LESSONS:
        graded = [exercise for exercise in book.declared(lesson) if exercise.trial]
        if not graded:
            continue
        table = pd.concat([repeat(exercise) for exercise in graded])
        table.round(4).to_csv(ROOT / "data" / f"lesson{lesson}_thresholds.csv", index=False, lineterminator="\n")
        for exercise in graded:
            yield from summarise(exercise, table[table["exercise"] == exercise.id])


def repeat(exercise: Exercise, runs: int = RUNS) -> pd.DataFrame:
    """Return the score of every right and wrong answer for every seed: exercise, answer, right, seed, score."""
    answers = [(f, True) for f in (exercise.reference, *exercise.alternatives)]
    answers += [(m.answer, False) for m in exercise.misconceptions]
    rows = [
        (exercise.id, f.__name__, right, run, _score(exercise, f, run)) for run in range(runs) for f, right in answers
    ]
    return pd.DataFrame(rows, columns=["exercise", "answer", "right", "seed", "score"])


def _score(exercise: Exercise, function: Callable, run: int) -> float:
    try:
        return finish(exercise.trial.score(function, derive_seed("threshold", run)))
    except CourseError:  # it cannot be trained with: no score, and no points
        return 0.0


def summarise(exercise: Exercise, table: pd.DataFrame) -> Iterator[Figure]:
    """Yield, for each answer, its mean score and the odds that the mean of the graded seeds misjudges it."""
    trial = exercise.trial
    for (answer, right), scores in table.groupby(["answer", "right"], sort=False)["score"]:
        yield Figure(
            f"{exercise.id} {answer}: mean score", scores.mean(), "", f"{'>=' if right else '<='} {trial.threshold}"
        )
        spread = max(scores.std(), 1e-9) / math.sqrt(trial.seeds)
        below = NormalDist(scores.mean(), spread).cdf(trial.threshold)
        yield Figure(f"{exercise.id} {answer}: misjudged", below if right else 1 - below, "of 1", "<= 0.001")
