"""Studies: results that take minutes, made by ``python -m course_lib study NAME`` and kept in a file.

A file has one row for each run: its configuration, what came out, how long it took, with which versions. Rows
are written as they come, so that a study that was stopped goes on where it was.
"""

from __future__ import annotations

import csv
import importlib
import platform
import sys
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_lib.errors import CourseError, require_choice, require_integer

# Name -> "module:attribute" of a `Study`; imported only when it is run.
STUDIES = {
    "augmentation": "augmentation:STUDY",  # lesson 03's claim
    "augmentation-search": "augmentation:SEARCH",  # how its settings were chosen
    "multitask": "multitask:STUDY",  # lesson 05: what each other task does to the smile
    "transfer": "transfer:STUDY",  # lesson 04: each regime against the number of labels
}
SOURCES = ("bundled", "mnist")
MAX_SEEDS = 1000

Row = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """A set of runs.

    plan(source, seeds): the configurations of all runs, each a dict with the same keys and plain values.
    measure(configuration): a generator that yields things with ``step`` and ``steps`` now and then, and
    returns what came out, a dict with the same keys for every run; it follows from the configuration alone.
    """

    plan: Callable[[str, int], list[Row]]
    measure: Callable[[Row], Generator[Any, None, Row]]


def run(name: str, source: str = "bundled", seeds: int = 3, out: Path | None = None) -> Path:
    """Run what is missing of a study and return the file with its rows (default: ``study_NAME_SOURCE.csv``).

    Raises `CourseError` for an unknown name or source, and for a file that holds something else.
    """
    require(name, source, seeds)
    from tqdm import tqdm  # late: whoever only asks which studies there are needs no package

    study = find(name)
    plan = study.plan(source, seeds)
    path = Path(out) if out else Path(f"study_{name}_{source}.csv")
    rows = read(path, plan[0])
    done = {_key(row, plan[0]) for row in rows}
    todo = [configuration for configuration in plan if _key(configuration, plan[0]) not in done]
    with tqdm(total=len(todo), desc=name, file=sys.stdout, mininterval=1, bar_format=BAR) as bar:
        for i, configuration in enumerate(todo):
            start = time.perf_counter()
            found = _watched(study.measure(configuration), bar, i)
            seconds = {"seconds": round(time.perf_counter() - start, 1)}
            rows.append({**configuration, **found, **seconds, **versions()})
            write(path, rows)
    return path


BAR = "{desc}: {percentage:3.0f}% of {total:.0f} runs |{bar}| {elapsed}, {remaining} left"


def require(name: str, source: str, seeds: int) -> None:
    """Raise `CourseError` for what `run` would not take."""
    require_choice("study", name, STUDIES)
    require_choice("source", source, SOURCES)
    require_integer("seeds", seeds, 1, MAX_SEEDS)


def find(name: str) -> Study:
    """Return the study of this name."""
    module, _, attribute = STUDIES[name].partition(":")
    return getattr(importlib.import_module(f"course_lib.study.{module}"), attribute)


def versions() -> Row:
    """Return what the numbers may depend on beside the configuration."""
    import torch

    return {"python": platform.python_version(), "torch": torch.__version__, "processor": platform.machine()}


def read(path: Path, configuration: Row) -> list[Row]:
    """Return the rows of a study's file, as texts; none if there is no file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    if not set(configuration) <= set(reader.fieldnames or ()):
        raise CourseError(f"{path} is not a file of this study: name another one, or remove it.")
    return rows


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write all rows; whoever reads the file meanwhile, or after a power cut, finds the old one or the new one."""
    rows = list(rows)
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    part.replace(path)


def _key(row: Mapping[str, Any], configuration: Row) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in configuration)


def _watched(work: Generator[Any, None, Row], bar: Any, done: int) -> Row:
    """Run ``work`` to its end and return what it returns; move the bar on."""
    while True:
        try:
            now = next(work)
        except StopIteration as end:
            bar.update(done + 1 - bar.n)
            return end.value
        bar.update(done + now.step / now.steps - bar.n)
