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
    "four-groups": "four_groups:STUDY",  # lesson 06: its methods, by weight decay and settings
    "handwriting": "handwriting:STUDY",  # lesson 04: from print to handwriting
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
    ``devices``, measure(configuration, device). ``digits``: whether it has a source of digits to choose.
    """

    plan: Callable[..., list[Row]]
    measure: Callable[..., Generator[Any, None, Row]]
    presets: tuple[str, ...] = ()
    devices: bool = False
    digits: bool = True


@dataclass(frozen=True)
class Order:
    """Which runs of a study are wanted, and where they are done.

    source: of the digits, one of `SOURCES`. seeds: how many, 0 first. preset: one of the study's, "" for its first.
    only: column=value for each column that is restricted to a value. device: one of `DEVICES`; "auto" takes a graphics
    card if there is one, where the run is done. jobs: processes on this machine; dask: the address of a cluster in
    place of them.

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
        if self.preset and not study.presets:
            raise CourseError(f"{self.name} has no presets: leave --preset {self.preset} out.")
        if self.source != SOURCES[0] and not study.digits:
            raise CourseError(f"{self.name} is a study without digits: leave --source {self.source} out.")
        rows = study.plan(self.source, self.seeds, *self._preset())
        restricted = [pair.partition("=")[::2] for pair in self.only]
        for column, value in restricted:
            require_choice("the column of --only", column, rows[0])
            require_choice(f"{column} of --only", value, dict.fromkeys(str(row[column]) for row in rows))
        rows = [row for row in rows if all(str(row[column]) == value for column, value in restricted)]
        if not rows:
            raise CourseError(f"No run of {self.name} has {' and '.join(self.only)}: leave one of them out.")
        return rows

    def chosen_device(self) -> str:
        """Return where the runs are done; on a cluster what was asked for, as each worker looks for itself."""
        if self.study().devices:
            return self.device if self.dask else find_device(self.device)
        if self.device in ("cpu", "auto"):
            return "cpu"
        raise CourseError(f"{self.name} is a study for the processor: leave --device {self.device} out.")

    def file_name(self) -> str:
        """Return the table's name, if none is given; runs that are others have another one."""
        source = (self.source,) if self.study().digits else ()
        return "_".join(("study", self.name, *self._preset(), *source)) + ".csv"

    def _preset(self) -> tuple[str, ...]:
        """Return the preset that is wanted, if the study has any."""
        presets = self.study().presets
        return (require_choice(f"preset of {self.name}", self.preset or presets[0], presets),) if presets else ()


def find_device(device: str) -> str:
    """Return "cpu", "cuda" or "mps": the device itself or, for "auto", this machine's graphics card if it has one.

    Raises `CourseError` if it is not there.
    """
    import torch

    from course_lib.training import require_device

    if device != "auto":
        return require_device(device)
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return next(name for name, there in found.items() if there)


def find(name: str) -> Study:
    """Return the study of this name."""
    module, _, attribute = STUDIES[name].partition(":")
    return getattr(importlib.import_module(f"course_lib.study.{module}"), attribute)
