"""The paper's table 1 with its numbers beside ours, and how far the two agree."""

from __future__ import annotations

import pandas as pd

from course_lib import metrics
from course_lib.mitigation.methods import METHODS
from course_lib.mitigation.stored import paper
from course_lib.mitigation.stored.results import FOLDER, runs, tidy

STRENGTH = 0.7  # of table 1


def of_table1(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that belong to table 1: strength 0.7, told the values of one variable, or nothing."""
    return rows[(rows["strength"] == STRENGTH) & (rows["told"] != "majority")]


def table1(rows: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row for each method: the paper's unbiased accuracy and ours, MMDs, runs, and the method's settings.

    Unbiased accuracies at strength 0.7; "ours" is the mean over seeds (of the mean over the variables that a
    method is told in turn), then the lowest and the highest seed. The MMDs are medians over variables, seeds and what
    was told. "settings": the method's own, all as in the paper. rows: of a study; by default those that come with the
    kit. Taught in: notebook 07.
    """
    rows = of_table1(runs() if rows is None else rows)
    by_seed = rows.groupby(["method", "seed"])["unbiased accuracy"].mean()
    found = by_seed.groupby("method").agg(["mean", "min", "max", "count"])
    gaps = tidy(rows).groupby(["method", "kind"])["mmd"].median()
    table = {
        "told": {m: METHODS[m].knows for m in paper.ACCURACY},
        "paper": paper.ACCURACY,
        "ours": found["mean"],
        "lowest": found["min"],
        "highest": found["max"],
        "seeds": found["count"],
        "runs": rows.groupby("method").size(),
        "explicit MMD, paper": paper.EXPLICIT_MMD,
        "explicit MMD, ours": gaps.xs("explicit", level="kind"),
        "implicit MMD, paper": paper.IMPLICIT_MMD,
        "implicit MMD, ours": gaps.xs("implicit", level="kind"),
        "settings (all the paper's)": {m: _settings(m) for m in paper.ACCURACY},
    }
    columns = {name: pd.Series(column) for name, column in table.items()}
    return pd.DataFrame(columns).reindex([m for m in paper.ACCURACY if m in found.index]).rename_axis("method")


def _settings(method: str) -> str:
    return ", ".join(f"{s.name} {s.default:g}" for s in METHODS[method].settings) or "none"


def counts(rows: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row for each method, number of told variables and seed: method, count, seed, unbiased accuracy.

    A method that is told nothing has the count 0. rows: of a study; by default those that come with the kit.
    """
    rows = runs() if rows is None else rows
    told = rows["told"] == "majority"
    nothing = (rows["told"] == "") & (rows["strength"] == STRENGTH)
    count = rows["explicit"].str.count(r"\+") + told
    return rows.assign(count=count).loc[told | nothing, ["method", "count", "seed", "unbiased accuracy"]]


def agreement(rows: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return how far the order of the methods agrees with the paper's, quantity by quantity.

    One row for each: n methods, Spearman's rank correlation, low and high of its 95 % interval (see
    `metrics.spearman`), and the lowest and highest correlation of a single seed. rows: of a study; by default those
    that come with the kit. Taught in: notebook 07.
    """
    rows = runs() if rows is None else rows
    main, ends = of_table1(rows), counts(rows)
    gaps = tidy(main).groupby(["seed", "kind", "method"])["mmd"].median()
    per_seed = {
        "unbiased accuracy": (paper.ACCURACY, main.groupby(["seed", "method"])["unbiased accuracy"].mean()),
        "MMD, implicit": (paper.IMPLICIT_MMD, gaps.xs("implicit", level="kind")),
        "MMD, explicit": (paper.EXPLICIT_MMD, gaps.xs("explicit", level="kind")),
        "gain from one explicit variable to seven": (
            {method: last - first for method, (first, last) in paper.COUNTS.items()},
            _gain(ends),
        ),
    }
    found = {}
    for name, (theirs, ours) in per_seed.items():
        table = ours.unstack("method").reindex(columns=list(theirs)).dropna()
        if table.empty:  # not a seed has all methods
            continue
        r, low, high = metrics.spearman(list(theirs.values()), table.mean().to_numpy())
        each = [metrics.spearman(list(theirs.values()), row.to_numpy())[0] for _, row in table.iterrows()]
        found[name] = (len(theirs), r, low, high, min(each), max(each), len(table))
    names = ["methods", "rank correlation", "low", "high", "lowest seed", "highest seed", "seeds"]
    return pd.DataFrame.from_dict(found, orient="index", columns=names).rename_axis("quantity")


def _gain(ends: pd.DataFrame) -> pd.Series:
    """Return what each method gains in unbiased accuracy from one explicit variable to seven, by seed and method."""
    accuracy = ends.set_index(["count", "seed", "method"])["unbiased accuracy"]
    there = set(ends["count"])
    if not {1, 7} <= there:
        return pd.Series(dtype=float, index=pd.MultiIndex.from_arrays([[], []], names=["seed", "method"]))
    return (accuracy.xs(7) - accuracy.xs(1)).dropna()


def search() -> pd.DataFrame:
    """Return the search for the learning rate: unbiased accuracy on held-out training digits, by rate and seed.

    Made by ``python -m course_lib study biased-mnist-search``. Taught in: notebook 07.
    """
    rows = pd.read_csv(FOLDER / "biased_mnist_search.csv")
    return rows.pivot(index="lr", columns="seed", values="unbiased accuracy")
