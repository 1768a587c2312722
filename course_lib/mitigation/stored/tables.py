"""The paper's table 1 with its numbers beside ours, and how far the two agree."""

from __future__ import annotations

import pandas as pd

from course_lib import metrics
from course_lib.data.biased_mnist import VARIABLES
from course_lib.mitigation.methods import METHODS
from course_lib.mitigation.stored import paper
from course_lib.mitigation.stored.results import FOLDER, runs, tidy
from course_lib.study.rows import read_table

STRENGTH = 0.7  # of table 1
KINDS = ["explicit", "implicit"]


def of_table1(rows: pd.DataFrame | None) -> pd.DataFrame:
    """Return the rows that belong to table 1: strength 0.7, told the value of one variable, or nothing.

    A seed counts for a method once it has been told each of the seven variables. None: the kit's own rows.
    """
    rows = runs() if rows is None else rows
    rows = rows[(rows["strength"] == STRENGTH) & (rows["told_as"] != "majority")]
    told = rows.groupby(["method", "seed"])["explicit"].transform("nunique")
    return rows[(rows["explicit"] == "") | (told == len(VARIABLES))]


def table1(rows: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row for each method: the paper's unbiased accuracy and ours, MMDs, runs, and the method's settings.

    Unbiased accuracies at strength 0.7; "ours" is the mean over seeds (of the mean over the variables that a
    method is told in turn), then the lowest and the highest seed. The MMDs are medians over variables, seeds and what
    was told. "settings": the method's own, all as in the paper. rows: of `runs`; by default those that come with the
    kit. Taught in: notebook 07.
    """
    rows = of_table1(rows)
    found = rows.groupby(["method", "seed"])["unbiased accuracy"].mean().groupby("method")
    gaps = tidy(rows).groupby(["kind", "method"])["mmd"].median().unstack("kind").reindex(columns=KINDS)
    table = {
        "told": {m: METHODS[m].knows for m in paper.ACCURACY},
        "paper": paper.ACCURACY,
        "ours": found.mean(),
        "lowest": found.min(),
        "highest": found.max(),
        "seeds": found.size(),
        "runs": rows.groupby("method").size(),
        "explicit MMD, paper": paper.EXPLICIT_MMD,
        "explicit MMD, ours": gaps["explicit"],
        "implicit MMD, paper": paper.IMPLICIT_MMD,
        "implicit MMD, ours": gaps["implicit"],
        "settings (the paper's)": rows.groupby("method")["settings"].first().fillna("none"),
    }
    columns = {name: pd.Series(column) for name, column in table.items()}
    return pd.DataFrame(columns).reindex([m for m in paper.ACCURACY if m in found.groups]).rename_axis("method")


def counts(rows: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row for each method, number of told variables and seed: method, count, seed, unbiased accuracy.

    A method that is told nothing has the count 0. rows: of `runs`; by default those that come with the kit.
    """
    rows = runs() if rows is None else rows
    told = rows["told_as"] == "majority"
    nothing = (rows["told_as"] == "") & (rows["strength"] == STRENGTH)
    count = rows["explicit"].str.count(r"\+") + told
    return rows.assign(count=count).loc[told | nothing, ["method", "count", "seed", "unbiased accuracy"]]


def agreement(rows: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return how far the order of the methods agrees with the paper's, quantity by quantity.

    One row for each: the number of methods, Spearman's rank correlation of the paper's numbers with the means over
    seeds (of a seed's median, for an MMD), low and high of its 95 % interval (see `metrics.spearman`), and the lowest
    and highest correlation of a single seed. The interval says how far so few methods tell the order of methods in
    general; it takes them as a sample, and holds nothing of the spread between seeds. A quantity of which no seed has
    every method is left out. rows: of `runs`; by default those that come with the kit. Taught in: notebook 07.
    """
    main = of_table1(rows)
    gaps = tidy(main).groupby(["kind", "seed", "method"])["mmd"].median().unstack("kind").reindex(columns=KINDS)
    gained = {method: last - first for method, (first, last) in paper.COUNTS.items()}
    quantities = {
        "unbiased accuracy": (paper.ACCURACY, main.groupby(["seed", "method"])["unbiased accuracy"].mean()),
        "MMD, implicit": (paper.IMPLICIT_MMD, gaps["implicit"]),
        "MMD, explicit": (paper.EXPLICIT_MMD, gaps["explicit"]),
        "accuracy with seven explicit variables less that with one": (gained, _gain(counts(rows))),
    }
    found = {}
    for name, (theirs, ours) in quantities.items():
        table = ours.unstack("method").reindex(columns=list(theirs)).dropna()
        if len(table):
            r, low, high = metrics.spearman(list(theirs.values()), table.mean())
            each = [metrics.spearman(list(theirs.values()), row)[0] for _, row in table.iterrows()]
            found[name] = (len(theirs), r, low, high, min(each), max(each), len(table))
    names = ["methods", "rank correlation", "low", "high", "lowest seed", "highest seed", "seeds"]
    return pd.DataFrame.from_dict(found, orient="index", columns=names).rename_axis("quantity")


def _gain(ends: pd.DataFrame) -> pd.Series:
    """Return what each method gains in unbiased accuracy from one explicit variable to seven, by seed and method."""
    wide = ends.pivot(index=["seed", "method"], columns="count", values="unbiased accuracy").reindex(columns=[1, 7])
    return wide[7] - wide[1]


def search() -> pd.DataFrame:
    """Return the search for the learning rate: unbiased accuracy on held-out training digits, by rate and seed.

    Made by ``python -m course_lib study biased-mnist-search``. Raises `CourseError` if the file is not there.
    Taught in: notebook 07.
    """
    path = FOLDER / "biased_mnist_search.csv"
    read_table(path, {"lr": 0.0, "seed": 0}, must_exist=True)
    return pd.read_csv(path).pivot(index="lr", columns="seed", values="unbiased accuracy")
