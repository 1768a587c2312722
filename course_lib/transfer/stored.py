"""Results that come with the kit, because they take minutes: how good each regime is with how many labels."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pandas as pd

from course_lib.errors import require_choice
from course_lib.metrics import mean_and_range
from course_lib.transfer.config import SCRATCH, TARGETS

DATA = Path(__file__).parents[2] / "data"
STUDY, HANDWRITING = DATA / "study_transfer.csv", DATA / "study_handwriting.csv"


def study() -> pd.DataFrame:
    """Return one row per run of the stored study: target, labels, regime, seed, score, and the configuration.

    Each regime at its own learning rate, tested on the same 1,000 faces; the score is an accuracy, 0 to 1, for
    the target "smile" and a mean error in years for "age". Made by ``python -m course_lib study transfer``,
    whose docstring (``course_lib/study/transfer.py``) says more. Taught in: notebook 04.
    """
    return _read().copy()


@lru_cache(maxsize=1)
def _read() -> pd.DataFrame:
    rows = pd.read_csv(STUDY)
    front = ["target", "labels", "regime", "seed", "score"]
    return rows[front + [name for name in rows if name not in front]]


def summarise(target: str = "smile", rows: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row per regime and number of labels: seeds, and the mean, lowest and highest score over them.

    rows: of a study; by default those that come with the kit. Raises `CourseError` for an unknown target.
    Taught in: notebook 04.
    """
    require_choice("target", target, TARGETS)
    rows = _read() if rows is None else rows
    scores = rows[rows["target"] == target].groupby(["regime", "labels"], sort=False)["score"]
    return scores.agg(seeds="count", mean="mean", lowest="min", highest="max").reset_index()


def winners(target: str = "smile", rows: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return for each number of labels the regime with the best mean score, and how it does against scratch.

    One row per number of labels: regime, its mean score, that from scratch, and "beats scratch", in how many of the
    seeds it is ahead of the run from scratch with the same seed; "–" for scratch itself. Raises `CourseError` for an
    unknown target. Taught in: notebook 04.
    """
    require_choice("target", target, TARGETS)
    rows = _read() if rows is None else rows
    up = 1 if target == "smile" else -1  # of an error in years, less is better
    found = []
    for labels, part in rows[rows["target"] == target].groupby("labels"):
        scores = part.pivot(index="seed", columns="regime", values="score")
        means = scores.mean()
        best = (up * means).idxmax()
        ahead = int((up * (scores[best] - scores[SCRATCH]) > 0).sum())
        beats = "–" if best == SCRATCH else f"{ahead} of {len(scores)}"
        found.append((labels, best, means[best], means[SCRATCH], beats))
    return pd.DataFrame(found, columns=["labels", "regime", "mean", "scratch", "beats scratch"])


def handwriting() -> pd.DataFrame:
    """Return how well networks read handwritten digits, by the number of labels: mean (lowest to highest) over seeds.

    One row per number of labels: from scratch, from a network that has learned printed digits, and "beats scratch", in
    how many of the seeds the latter is ahead. Made by ``python -m course_lib study handwriting --seeds 5``, see
    `read_handwriting`. Taught in: notebook 04.
    """
    rows = pd.read_csv(HANDWRITING).pivot(index=["labels", "seed"], columns="start", values="accuracy")
    found = []
    for labels, part in rows.groupby("labels"):
        scratch, printed = part["scratch"].dropna(), part["print"]
        ahead = f"{int((part['print'] > part['scratch']).sum())} of {len(scratch)}" if len(scratch) else "–"
        found.append((labels, mean_and_range(scratch), mean_and_range(printed), ahead))
    return pd.DataFrame(found, columns=["labels", "from scratch", "from print", "beats scratch"])
