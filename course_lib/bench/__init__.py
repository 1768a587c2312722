"""``python -m course_lib bench``: measure the figures that the kit promises, on this machine, now.

Medians; one core unless a line says otherwise. Machines differ and are noisy: compare ratios within one run.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from typing import NamedTuple

from course_lib.errors import require_choice

# Name -> module with measure(); in the order in which they run.
BENCHES = {
    "import": "startup",  # import course_lib
    "render": "compute",  # images a second
    "faces": "compute",  # faces a second
    "train": "compute",  # a whole run, and fit against a bare loop
    "augmentation": "augmentation",  # augmented images a second, and lesson 03's run
    "methods": "compute",  # what a method costs, in runs of StdM
    "browser": "panels",  # start of the lab, drag, first point, memory
    "drags": "drags",  # what follows a slider, panel by panel
    "points": "points",  # the first points of runs in lessons 04 to 06
    "throughput": "throughput",  # a study against a JPEG per image
    "study": "throughput",  # one run of a study
    "findings": "findings",  # what the lesson claims, over three seeds
    "thresholds": "thresholds",  # how rarely grading by training misjudges
    "check": "grading",  # how fast a check answers
    "grading": "grading",  # a class of 300
}


class Figure(NamedTuple):
    """One measured figure: what it is, its value and unit, and the aim ("<= 120"), if there is one."""

    what: str
    value: float
    unit: str = ""
    aim: str = ""

    def met(self) -> str:
        """Return "yes" or "NO" where there is an aim."""
        if not self.aim:
            return ""
        sign, number = self.aim.split()
        return "yes" if (self.value <= float(number) if sign == "<=" else self.value >= float(number)) else "NO"


def main(names: list[str]) -> int:
    """Run the named measurements, or all; print a line for each figure as it comes. Returns 0."""
    for name in names:
        require_choice("measurement", name, BENCHES)
    print(f"{'':46}{'measured':>12} {'':10}{'aim':>12}  met")
    for name in names or BENCHES:
        start = time.perf_counter()
        for figure in measure(name):
            value = f"{figure.value:,.3g}" if figure.value < 1000 else f"{figure.value:,.0f}"
            print(f"{figure.what:46}{value:>12} {figure.unit:10}{figure.aim:>12}  {figure.met()}", flush=True)
        print(f"  ({name}: {time.perf_counter() - start:.0f} s)", flush=True)
    return 0


def measure(name: str) -> Iterator[Figure]:
    """Yield the figures of one measurement."""
    module = importlib.import_module(f"course_lib.bench.{BENCHES[name]}")
    return getattr(module, f"measure_{name}")()
