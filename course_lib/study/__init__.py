"""Studies: results that take minutes or hours, made by ``python -m course_lib study NAME`` and kept in a file.

A table has one row for each run: its configuration, what came out, and with what it was made. Each row is kept in a
file of its own as soon as its run is finished, so that a study that was stopped goes on where it was.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from course_lib.errors import CourseError, require_choice, require_integer

# Name -> "module:attribute" of a `Study`; imported only when it is run.
STUDIES = {
    "augmentation": "augmentation:STUDY",  # lesson 03's claim
    "augmentation-search": "augmentation:SEARCH",  # how its settings were chosen
    "biased-mnist-explicit-count": "biased_mnist:EXPLICIT_COUNT",  # figure 5 of the paper
    "biased-mnist-search": "biased_mnist:SEARCH",  # how the learning rate of the preset "laptop" was chosen
    "biased-mnist-strength": "biased_mnist:STRENGTH",
    "biased-mnist-table1": "biased_mnist:TABLE1",  # and figure 3
    "four-groups": "four_groups:STUDY",  # lesson 06: every method with every weight decay
    "multitask": "multitask:STUDY",  # lesson 05: what each other task does to the smile
    "transfer": "transfer:STUDY",  # lesson 04: each regime against the number of labels
}
SOURCES = ("bundled", "mnist")
DEVICES = ("cpu", "cuda", "mps", "auto")
MAX_SEEDS = 1000
MAX_JOBS = 1024

Row = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """A set of runs.

    plan(source, seeds): the configurations of all runs, each a dict with the same keys and plain values; with
    ``presets``, plan(source, seeds, preset). measure(configuration): a generator that yields things with ``step``
    and ``steps`` now and then, and returns what came out, a dict; it follows from the configuration alone. With
    ``devices``, measure(configuration, device).
    """

    plan: Callable[..., list[Row]]
    measure: Callable[..., Generator[Any, None, Row]]
    presets: tuple[str, ...] = ()
    devices: bool = False


@dataclass(frozen=True)
class Order:
    """Which runs of a study are wanted, and where they are done.

    source: of the digits, one of `SOURCES`. seeds: how many, 0 first. preset: one of the study's, "" for its first.
    only: column=value for each column that is restricted to a value. device: one of `DEVICES`; "auto" takes a graphics
    card if there is one. jobs: processes on this machine; dask: the address of a cluster in place of them.

    Raises `CourseError` for what there is not.
    """

    name: str
    source: str = "bundled"
    seeds: int = 3
    preset: str = ""
    only: tuple[str, ...] = ()
    device: str = "cpu"
    jobs: int = 1
    dask: str = ""

    def __post_init__(self):
        require_choice("study", self.name, STUDIES)
        require_choice("source", self.source, SOURCES)
        require_integer("seeds", self.seeds, 1, MAX_SEEDS)
        require_integer("jobs", self.jobs, 1, MAX_JOBS)
        require_choice("device", self.device, DEVICES)
        for pair in self.only:
            if "=" not in pair:
                raise CourseError(f"--only takes COLUMN=VALUE, such as --only seed=0; it was {pair!r}.")

    def study(self) -> Study:
        """Return the study, imported now."""
        return find(self.name)

    def plan(self) -> list[Row]:
        """Return the configurations of the runs that are wanted."""
        study = self.study()
        given = (self.source, self.seeds)
        if self.preset:
            require_choice(f"preset of {self.name}", self.preset, study.presets)
        if study.presets:
            given = (*given, self.preset or study.presets[0])
        rows = study.plan(*given)
        for pair in self.only:
            column, _, value = pair.partition("=")
            require_choice("the column of --only", column, rows[0] if rows else [column])
            values = list(dict.fromkeys(str(row[column]) for row in rows))
            require_choice(f"{column} of --only", value, values)
            rows = [row for row in rows if str(row[column]) == value]
        return rows

    def chosen_device(self) -> str:
        """Return where the runs are done: "cpu", "cuda" or "mps"."""
        from course_lib.training import require_device

        if not self.study().devices:
            if self.device in ("cpu", "auto"):
                return "cpu"
            raise CourseError(f"{self.name} is a study for the processor: leave --device {self.device} out.")
        if self.device == "auto":
            import torch

            found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
            return next(name for name, there in found.items() if there)
        return require_device(self.device)

    def file_name(self) -> str:
        """Return the table's name, if none is given."""
        return "_".join(("study", self.name, *([self.preset] if self.preset else []), self.source)) + ".csv"


def find(name: str) -> Study:
    """Return the study of this name."""
    module, _, attribute = STUDIES[name].partition(":")
    return getattr(importlib.import_module(f"course_lib.study.{module}"), attribute)
