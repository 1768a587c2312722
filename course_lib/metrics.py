"""Accuracy by group, with its uncertainty: tidy tables in, tidy tables out.

Words: ``majority`` samples carry their own digit's value of a bias variable, ``minority`` samples do not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from course_lib.errors import CourseError

MIN_SAMPLES = 10  # a group with fewer is "not estimable": any number would be mostly chance
Z95 = 1.959963984540054  # the normal distribution's 97.5 % point


def wilson(correct: np.ndarray, n: np.ndarray, z: float = Z95) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of Wilson's score interval of a share, for ``correct`` out of ``n`` > 0.

    Source: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927). It stays within 0..1 and holds for small n.
    """
    share = correct / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def mean_and_range(values: pd.Series) -> str:
    """Return a mean with the lowest and highest of several values: "0.84 (0.81 to 0.85)"; "–" of none."""
    if not len(values):
        return "–"
    ends = f" ({values.min():.2f} to {values.max():.2f})" if len(values) > 1 else ""
    return f"{values.mean():.2f}{ends}"


def t95(freedom: int) -> float:
    """Return Student's 97.5 % point; NaN without a degree of freedom."""
    from scipy.stats import t  # late: it takes half a second, and comes with scikit-learn

    return float(t.ppf(0.975, freedom))


def spearman(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """Return Spearman's rank correlation of two sequences [n], n of at least 4, and the ends of its 95 % interval.

    The interval is that of D. G. Bonett and T. A. Wright, Psychometrika 65 (2000): Fisher's transformation with the
    variance (1 + r^2 / 2) / (n - 3). A correlation of 1 is taken as half a step below it there: n points in the same
    order do not prove that all would be. Raises `CourseError` for sequences that differ in length, are too short, hold
    NaN, or are all the same number.
    """
    x, y = (pd.Series(np.asarray(values, dtype=float)) for values in (x, y))
    n = len(x)
    if n != len(y) or n < 4:
        raise CourseError(f"A rank correlation needs two sequences of the same length, 4 or more: {n} and {len(y)}.")
    if x.isna().any() or y.isna().any() or min(x.nunique(), y.nunique()) < 2:
        raise CourseError("A rank correlation needs numbers that differ, and no NaN among them.")
    r = float(x.rank().corr(y.rank()))
    most = 1 - 6 / (n * (n * n - 1))
    z = np.arctanh(np.clip(r, -most, most))
    half = Z95 * np.sqrt((1 + r * r / 2) / (n - 3))
    return r, float(np.tanh(z - half)), float(np.tanh(z + half))


def accuracy_table(correct: Sequence[int], n: Sequence[int]) -> pd.DataFrame:
    """Return columns n, accuracy, low, high for groups with ``correct`` right answers out of ``n``.

    low and high bound Wilson's 95 % interval, which takes the samples as independent. In a group with
    fewer than 10 samples all three are NaN: not estimable.
    """
    correct, n = np.asarray(correct, dtype=float), np.asarray(n, dtype=float)
    enough = np.where(n >= MIN_SAMPLES, n, np.nan)
    low, high = wilson(correct, enough)
    return pd.DataFrame({"n": n.astype(int), "accuracy": correct / enough, "low": low, "high": high})


def group_accuracy(correct: Sequence[bool], groups: Sequence) -> pd.DataFrame:
    """Return one row per group, sorted: group, n, accuracy, low, high (see `accuracy_table`).

    ``correct`` [N] says which predictions are right, ``groups`` [N] names each sample's group.
    Raises `CourseError` if they differ in length, are empty, or ``correct`` is not True or False (1 or 0).
    """
    counts = _by_group(correct, groups).agg(["sum", "count"]).reset_index()
    return pd.concat([counts[["group"]], accuracy_table(counts["sum"], counts["count"])], axis=1)


def unbiased_accuracy(correct: Sequence[bool], groups: Sequence) -> float:
    """Return the mean of the groups' accuracies: each group counts the same, however small.

    Every group that has samples takes part, so that the mean stays unbiased. Raises `CourseError` for the
    same input as `group_accuracy`. Taught in: notebook 07.
    """
    return float(_by_group(correct, groups).mean().mean())


def _by_group(correct: Sequence[bool], groups: Sequence):
    """Check both [N] and return ``correct``, as 0 and 1, grouped by ``groups`` in pandas' way."""
    correct = np.asarray(correct)
    if correct.ndim != 1 or len(correct) != len(groups) or not len(correct):
        raise CourseError(
            f"correct and groups must be equally long and not empty; they have {correct.shape} and {len(groups)}."
        )
    if not np.isin(correct, (0, 1)).all():
        raise CourseError("correct must hold True or False (1 or 0) for each sample, not scores or labels.")
    # Scalars of a tensor would each be a group of their own.
    names = groups.tolist() if hasattr(groups, "tolist") else list(groups)
    return pd.DataFrame({"group": names, "correct": correct.astype(int)}).groupby("group")["correct"]


def mmd(groups: pd.DataFrame) -> pd.DataFrame:
    """Return the majority/minority difference of each variable: columns variable, mmd, low, high.

    MMD = accuracy(majority) - accuracy(minority). ``groups`` has the columns variable, group ("majority"
    or "minority"), accuracy, low, high. The 95 % interval is Newcombe's (Stat. Med. 17 (1998), method 10).
    NaN where a group is not estimable. Taught in: notebook 07.
    """
    wide = groups.set_index(["variable", "group"])[["accuracy", "low", "high"]]
    a, b = wide.xs("majority", level="group"), wide.xs("minority", level="group")
    difference = a["accuracy"] - b["accuracy"]
    below = np.hypot(a["accuracy"] - a["low"], b["high"] - b["accuracy"])
    above = np.hypot(a["high"] - a["accuracy"], b["accuracy"] - b["low"])
    table = pd.DataFrame({"mmd": difference, "low": difference - below, "high": difference + above})
    return table.loc[groups["variable"].unique()].reset_index()


def iosm(groups: pd.DataFrame, standard: pd.DataFrame) -> pd.DataFrame:
    """Return the improvement over the standard model of each group: columns variable, group, iosm.

    IOSM_g = accuracy_g - accuracy_StdM,g. Both tables have the columns variable, group, accuracy.
    Raises `CourseError` if they do not hold the same groups. Taught in: notebook 07.
    """
    key = ["variable", "group"]
    ours, theirs = groups.set_index(key)["accuracy"], standard.set_index(key)["accuracy"]
    if set(ours.index) != set(theirs.index):
        raise CourseError("IOSM compares the same groups: the two tables hold different ones.")
    return (ours - theirs[ours.index]).rename("iosm").reset_index()
