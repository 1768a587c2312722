"""ROC curves and AUC for many classes, one class against the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib as mpl
import pandas as pd
import torch
from matplotlib.axes import Axes
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.plotting import RUN_COLORS, STYLE, new_axes

MARKS = "oDs^vP*X"  # shapes repeat what the colours say


class ROC(NamedTuple):
    """One curve: false and true positive rates, float64 [T] from 0 to 1, and the threshold of each point.

    A sample is called positive if its score is at least the threshold; the first one, infinity, calls nobody.
    """

    fpr: Tensor
    tpr: Tensor
    thresholds: Tensor


def roc_curve(scores: Tensor, positive: Tensor) -> ROC:
    """Return the ROC curve of scores, float [N], for samples that are ``positive`` or not, bool [N].

    There is one point for each different score: samples with equal scores pass a threshold together. A rate is
    NaN where no sample is (or none is not) positive. Raises `CourseError` for shapes that differ, no samples, or
    scores that are not numbers. Taught in: notebook 06.
    """
    scores, positive = torch.as_tensor(scores).double(), torch.as_tensor(positive).bool()
    if scores.dim() != 1 or scores.shape != positive.shape or not len(scores):
        raise CourseError(
            "scores and positive must be equally long, [N], and not empty; "
            f"they have the shapes {list(scores.shape)} and {list(positive.shape)}."
        )
    if bool(scores.isnan().any()):
        raise CourseError("scores must be numbers; some are NaN.")
    ordered, order = scores.sort(descending=True)
    last = torch.cat([ordered[1:] != ordered[:-1], torch.ones(1, dtype=torch.bool)])  # of those with this score
    hits = positive[order].double().cumsum(0)
    alarms = torch.arange(1, len(scores) + 1, dtype=torch.float64) - hits
    rates = [torch.cat([torch.zeros(1, dtype=torch.float64), count[last]]) / count[-1] for count in (alarms, hits)]
    return ROC(*rates, torch.cat([torch.tensor([torch.inf], dtype=torch.float64), ordered[last]]))


def auc(curve: ROC) -> float:
    """Return the area under a ROC curve, 0 to 1; NaN where the curve is not estimable.

    It is the chance that a positive sample scores higher than one that is not; a tie counts half.
    Taught in: notebook 06.
    """
    return float(torch.trapezoid(curve.tpr, curve.fpr))


def one_vs_rest(scores: Tensor, labels: Tensor) -> list[ROC]:
    """Return one ROC curve for each class: that class against all others.

    scores: float [N, C], such as logits or probabilities; labels: int64 [N] in 0..C-1. Raises `CourseError` for
    other shapes or labels. Taught in: notebook 06.
    """
    scores, labels = torch.as_tensor(scores), torch.as_tensor(labels)
    if scores.dim() != 2 or labels.shape != scores.shape[:1]:
        raise CourseError(
            f"scores must be [N, C] and labels [N]; they have the shapes {list(scores.shape)} and {list(labels.shape)}."
        )
    classes = scores.shape[1]
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise CourseError(f"labels must be from 0 to {classes - 1}, as there are {classes} columns of scores.")
    return [roc_curve(scores[:, one], labels == one) for one in range(classes)]


def auc_table(scores: Tensor, labels: Tensor, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Return one row per class, and their mean: class, n (samples of the class), auc (one against the rest).

    scores: float [N, C]; labels: int64 [N]. The AUC of a class without samples, or of one that all samples are
    in, is not estimable: NaN; the mean ("macro") is over the others. Taught in: notebook 06.
    """
    areas = [auc(curve) for curve in one_vs_rest(scores, labels)]
    names = _names(names, len(areas))
    counts = torch.bincount(torch.as_tensor(labels), minlength=len(areas)).tolist()
    table = pd.DataFrame({"class": names, "n": counts, "auc": areas})
    table.loc[len(table)] = ["macro", sum(counts), table["auc"].mean()]
    return table


def plot_roc(scores: Tensor, labels: Tensor, names: Sequence[str] | None = None, *, ax: Axes | None = None) -> Axes:
    """Plot the ROC curve of each class against the rest, with its AUC. Taught in: notebook 06."""
    ax = new_axes(ax, 4.6, 4.0)
    curves = one_vs_rest(scores, labels)
    with mpl.rc_context(STYLE):
        ax.plot([0, 1], [0, 1], color="#606060", lw=0.8, ls=":", label="chance 0.5")
        for i, (name, curve) in enumerate(zip(_names(names, len(curves)), curves, strict=True)):
            area = auc(curve)
            text = f"{name} {area:.3f}" if area == area else f"{name} (not estimable)"
            look = {"color": RUN_COLORS[i % len(RUN_COLORS)], "marker": MARKS[i % len(MARKS)]}
            ax.plot(curve.fpr, curve.tpr, lw=1.4, ms=4, markevery=0.15, label=text, **look)
        ax.set(xlim=(-0.01, 1), ylim=(0, 1.01), xlabel="false positive rate", ylabel="true positive rate")
        ax.set_aspect("equal")
        ax.legend(title="AUC", loc="lower right", alignment="left")
    return ax


def _names(names: Sequence[str] | None, classes: int) -> list[str]:
    names = [f"class {one}" for one in range(classes)] if names is None else list(names)
    if len(names) != classes:
        raise CourseError(f"There must be a name for each of the {classes} classes; there were {len(names)}.")
    return names
