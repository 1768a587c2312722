"""Group criteria of fairness: rates by group, and how far the groups are apart. Tidy tables in and out.

Definitions as in Fairlearn: a difference is that between the largest and the smallest rate of any group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from course_lib.errors import CourseError, require_integer
from course_lib.metrics import MIN_SAMPLES

CRITERIA = {  # the criterion, and the rates that must be equal for all groups
    "demographic parity": ("selection_rate",),
    "equal opportunity": ("true_positive_rate",),
    "equalized odds": ("true_positive_rate", "false_positive_rate"),
}


def group_rates(
    predicted: Sequence[int],
    labels: Sequence[int],
    groups: Mapping[str, Sequence] | Sequence,
    *,
    weights: Sequence[float] | None = None,
    min_samples: int = MIN_SAMPLES,
) -> pd.DataFrame:
    """Return one row for each group: its names, n, accuracy, selection, true positive and false positive rate.

    predicted, labels: 0 or 1, [N]. groups: a name for each sample, [N], or several by attribute, as in
    ``{"gender": [...], "skin": [...]}``: then each combination is a group (an intersection), also one without any
    sample, and so is a category of a pandas Categorical. weights: what each sample counts, [N], such as its share
    in another population.

    A rate that fewer than ``min_samples`` samples of weight above 0 tell about is NaN: not estimable.
    Raises `CourseError` for inputs of different lengths, and for predictions or labels other than 0 and 1.
    Source of the definitions: Hardt, Price, Srebro 2016 (arXiv 1610.02413). Taught in: notebook 06.
    """
    require_integer("min_samples", min_samples, 1, 10**9)
    by = dict(groups) if isinstance(groups, Mapping) else {"group": groups}
    yhat, y = _binary("predicted", predicted), _binary("labels", labels)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    for name, values in {"predicted": yhat, "weights": w, **by}.items():
        if len(values) != len(y):
            raise CourseError(f"There are {len(y)} labels, but {len(values)} of {name}: both need one for each sample.")
    if not (np.isfinite(w).all() and (w >= 0).all()):
        raise CourseError("weights must be numbers from 0 up.")
    names = {name: pd.Categorical(v if isinstance(v, pd.Categorical) else np.asarray(v)) for name, v in by.items()}
    table = pd.DataFrame({**names, "w": w, "seen": w > 0})
    everyone = np.ones(len(y), dtype=bool)
    for rate, (among, hit) in {
        "accuracy": (everyone, yhat == y),
        "selection_rate": (everyone, yhat == 1),
        "true_positive_rate": (y == 1, yhat == 1),
        "false_positive_rate": (y == 0, yhat == 1),
    }.items():
        table[f"{rate}_n"], table[f"{rate}_of"], table[rate] = among & (w > 0), w * among, w * (among & hit)
    sums = table.groupby(list(by), observed=False).sum().reset_index()
    for rate in RATES:
        enough = sums[f"{rate}_n"] >= min_samples
        sums[rate] = (sums[rate] / sums[f"{rate}_of"].where(enough)).where(enough)
    return sums.rename(columns={"seen": "n"})[[*by, "n", *RATES]]


RATES = ("accuracy", "selection_rate", "true_positive_rate", "false_positive_rate")


def criteria(rates: pd.DataFrame) -> pd.DataFrame:
    """Return how far the groups of `group_rates` are apart: criterion, difference, left_out.

    The difference is 0 if the criterion holds, and 1 at most: the largest of the criterion's rates minus the
    smallest; for equalized odds the larger of both rates' differences. Groups whose rate is not estimable are
    left out, and named; with fewer than two others the difference is NaN. Taught in: notebook 06.
    """
    names = rates.drop(columns=["n", *RATES]).astype(str).agg(", ".join, axis=1)
    rows = []
    for criterion, needed in CRITERIA.items():
        known = rates[list(needed)].dropna()
        apart = float((known.max() - known.min()).max()) if len(known) > 1 else float("nan")
        rows.append((criterion, apart, tuple(names.drop(known.index))))
    return pd.DataFrame(rows, columns=["criterion", "difference", "left_out"])


def _binary(name: str, values: Sequence[int]) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 1 or not len(values) or not np.isin(values, (0, 1)).all():
        raise CourseError(f"{name} must be 0 or 1 for each sample, [N], at least one; scores need a threshold first.")
    return values.astype(int)
