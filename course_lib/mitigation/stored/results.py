"""The runs of the stored study of Biased MNIST, as tidy tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from course_lib.config import Config
from course_lib.data.biased_mnist import VARIABLES
from course_lib.errors import CourseError, require_choice
from course_lib.mitigation.config import Config as RunConfig
from course_lib.mitigation.methods import METHODS
from course_lib.mitigation.result import GROUPS
from course_lib.study.rows import read_table

FOLDER = Path(__file__).parents[3] / "data" / "studies"
TABLES = ("table1", "strength", "explicit_count")
STANDARD = "StdM"
NUMBERS = [*GROUPS, "mmd", *(f"IOSM {group}" for group in GROUPS)]
KEY = ["method", "strength", "explicit", "told_as", "seed"]  # what tells the runs of one setting apart


# What must be the same for runs to be compared.
SETTING = ["source", "preset", "n_train", "epochs", "lr", "tested_on"]


def runs(*paths: Path | str) -> pd.DataFrame:
    """Return one row for each run of the tables at ``paths``, by default those that come with the kit.

    method, strength, explicit (the variables that it was told, joined by "+", or ""), told_as ("value", "majority" or
    ""), seed, "unbiased accuracy"; "VARIABLE majority", "VARIABLE minority" and their n; the rest of its
    configuration, and with what it was made. A run that two tables share is one row. Made by
    ``python -m course_lib study biased-mnist-table1`` and others, see data/studies/README.md. Raises `CourseError` for
    no table, one of something else, and runs of different sizes or digits. Taught in: notebook 07.
    """
    return _read(tuple(map(Path, paths)) or _shipped()).copy()


def _shipped() -> tuple[Path, ...]:
    return tuple(path for name in TABLES if (path := FOLDER / f"biased_mnist_{name}.csv").exists())


@lru_cache(maxsize=2)
def _read(paths: tuple[Path, ...]) -> pd.DataFrame:
    if not paths:
        raise CourseError(f"There is no stored study in {FOLDER}: take data/studies/ from the course's own copy.")
    needed = dict.fromkeys([*SETTING, *KEY, "unbiased accuracy"])
    for path in paths:
        read_table(path, needed, must_exist=True)
    rows = pd.concat(map(pd.read_csv, paths), ignore_index=True)
    rows[["explicit", "told_as"]] = rows[["explicit", "told_as"]].fillna("")
    different = [name for name in SETTING if rows[name].nunique() > 1]
    if different:
        raise CourseError(f"These tables hold runs that cannot be compared: they differ in {', '.join(different)}.")
    return rows.drop_duplicates(KEY, ignore_index=True)


def tidy(rows: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row for each run and variable: method, strength, explicit, told_as, seed, variable, kind, numbers.

    kind: "explicit" for a variable that the method was told, else "implicit"; majority, minority: accuracies; mmd:
    their difference; "IOSM majority" and "IOSM minority": how much better than the StdM run of the same strength
    and seed, NaN where there is none. rows: of `runs`; by default those that come with the kit.
    Taught in: notebook 07.
    """
    rows = runs() if rows is None else rows
    long = pd.concat(
        rows[KEY].assign(
            variable=variable,
            kind=["explicit" if variable in told.split("+") else "implicit" for told in rows["explicit"]],
            majority=rows[f"{variable} majority"],
            minority=rows[f"{variable} minority"],
        )
        for variable in VARIABLES
    )
    same = ["strength", "seed", "variable"]
    standard = long.loc[long["method"] == STANDARD, [*same, *GROUPS]]
    long = long.assign(mmd=long["majority"] - long["minority"]).merge(standard, "left", same, suffixes=("", " of StdM"))
    for group in GROUPS:
        long[f"IOSM {group}"] = long[group] - long.pop(f"{group} of StdM")
    return long


@dataclass(frozen=True)
class StoredConfig(Config):
    """What is looked at in the stored study: a strength, a method, and the variable that it is told, if any."""

    strength: float = 0.7
    method: str = "UpWt"
    explicit: str = "distractor_shape"

    def __post_init__(self):
        self.number("strength", 0, 1)
        there = settings()
        require_choice("strength of the stored study", self.strength, there["strength"])
        require_choice("method of the stored study", self.method, there["method"])
        self.choose("explicit", VARIABLES)

    @property
    def told(self) -> str:
        """The variable that the method is told, "" for one that is told nothing."""
        return self.explicit if METHODS[self.method].knows == "bias labels" else ""


def settings() -> dict[str, list]:
    """Return the strengths and the methods that there are stored runs of. Taught in: notebook 07."""
    return {name: list(values) for name, values in _settings(_shipped()).items()}


@lru_cache(maxsize=2)  # every move of a slider asks
def _settings(paths: tuple[Path, ...]) -> dict[str, list]:
    rows = _read(paths)
    return {"strength": sorted(rows["strength"].unique().tolist()), "method": list(rows["method"].unique())}


@dataclass(frozen=True, eq=False)
class Stored:
    """The stored runs of one setting, seeds side by side: it can be drawn wherever a run can.

    accuracies: float [seeds], the unbiased accuracy of each; table: one row for each seed and variable, see `tidy`.
    Both are empty where nothing is stored.
    """

    config: StoredConfig
    accuracies: np.ndarray
    table: pd.DataFrame

    @classmethod
    @lru_cache(maxsize=512)  # more than there are settings: a slider then only draws
    def of(cls, config: StoredConfig) -> Stored:
        """Return what is stored of ``config``."""
        c, rows, long = config, runs(), _tidy()

        def where(table: pd.DataFrame) -> pd.Series:
            same = (table["strength"] == c.strength) & (table["method"] == c.method) & (table["told_as"] != "majority")
            return same & (table["explicit"] == c.told)

        return cls(c, rows.loc[where(rows), "unbiased accuracy"].to_numpy(), long[where(long)])

    @classmethod
    def beside(cls, config: RunConfig) -> Stored | None:
        """Return what is stored of a live run's method and strength and of what it is told; None if there is nothing.

        The stored runs have digits, a number of images and epochs, and a learning rate of their own. A method with
        other settings than the stored ones is another method, and another network another study.
        """
        if not _shipped() or config.settings or config.network != "laptop":
            return None
        there = settings()
        if config.method not in there["method"] or config.strength not in there["strength"]:
            return None
        stored = cls.of(StoredConfig(config.strength, config.method, config.explicit))
        return stored if len(stored.accuracies) else None

    @property
    def evaluations(self) -> tuple[float, ...]:
        """The unbiased accuracies: one for each seed, as a run has one for each evaluation."""
        return tuple(self.accuracies)

    def said(self) -> str:
        """Return the unbiased accuracy in words, with its seeds and their range, or that there is none."""
        found = self.accuracies
        if not len(found):
            return "not stored"
        if len(found) == 1:
            return f"unbiased accuracy {found[0]:.3f} (1 seed)"
        return f"unbiased accuracy {found.mean():.3f} ({len(found)} seeds: {found.min():.3f} to {found.max():.3f})"

    def groups(self) -> pd.DataFrame:
        """Return the mean over seeds: variable, group, accuracy; low and high: the lowest and the highest."""
        return self._spreads["groups"]

    def mmd(self) -> pd.DataFrame:
        """Return the mean over seeds: variable, mmd; low and high: the lowest and the highest."""
        return self._spreads["mmd"]

    def gains(self, group: str) -> pd.DataFrame:
        """Return the mean IOSM of a group over seeds: variable, mean; low and high: the lowest and the highest."""
        return self._spreads[f"IOSM {group}"]

    def kind(self, variable: str) -> str:
        """Return "explicit" for the variable that the method was told, else "implicit"."""
        return "explicit" if variable == self.config.told else "implicit"

    @cached_property
    def _spreads(self) -> dict[str, pd.DataFrame]:
        """Mean, lowest and highest of each number over seeds, a row for each variable; kept for the next picture."""
        all_settings, setting = _spreads(), (self.config.method, self.config.strength, self.config.told)
        found = all_settings.loc[setting] if setting in all_settings.index else all_settings[:0].droplevel([0, 1, 2])
        found = found.reindex(list(VARIABLES))
        spreads = {name: found[name].reset_index() for name in NUMBERS}
        groups = pd.concat(spreads[group].assign(group=group) for group in GROUPS)
        named = {"groups": groups.rename(columns={"mean": "accuracy"})}
        return spreads | named | {"mmd": spreads["mmd"].rename(columns={"mean": "mmd"})}


@lru_cache(maxsize=1)
def _spreads() -> pd.DataFrame:
    """Mean, low and high of each of `NUMBERS` over seeds, for each setting and variable: a slider finds them there."""
    long = _tidy()
    setting = long[long["told_as"] != "majority"].groupby(["method", "strength", "explicit", "variable"])
    return setting[NUMBERS].agg(["mean", "min", "max"]).rename(columns={"min": "low", "max": "high"})


@lru_cache(maxsize=1)
def _tidy() -> pd.DataFrame:
    return tidy()
