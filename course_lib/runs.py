"""What a run is: results that grow, taken to the last one, with a progress bar, alone or several side by side."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from tqdm import tqdm

from course_lib.parallel import at_once

TURN = 0.05  # seconds that runs side by side work before they wait for each other


class Latest(dict):
    """The latest ``most`` of what is put in by its key, e.g. finished runs; several threads may do so at once."""

    def __init__(self, most: int):
        super().__init__()
        self.most, self._lock = most, threading.Lock()

    def __setitem__(self, key: object, value: object) -> None:
        with self._lock:
            while key not in self and len(self) >= self.most:
                del self[next(iter(self))]
            super().__setitem__(key, value)


class RunSoFar:
    """How far a run is: the base of the lessons' results.

    A subclass has ``steps``, of the whole run, ``losses``, one for each step done, and ``evaluations``, each with
    its ``step``.
    """

    @property
    def step(self) -> int:
        """How many steps are done."""
        return len(self.losses)

    @property
    def loss(self) -> float:
        """The loss of the latest step."""
        return self.losses[-1] if self.losses else float("nan")

    @property
    def finished(self) -> bool:
        """Whether the evaluation after the last step is done."""
        return bool(self.evaluations) and self.evaluations[-1].step == self.steps


def finish(work: Generator[Any, None, Any]) -> Any:
    """Run a generator to its end and return what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def finish_with_bar(work: Generator[Any, None, Any], text: str) -> Any:
    """Run a generator that yields what `progress_bar` takes, draw the bar, and return what it returns."""
    result = []

    def passing() -> Iterator[Any]:
        result.append((yield from work))

    for _ in progress_bar(passing(), text):
        pass
    return result[0]


def finish_run(results: Iterator[Any], text: str | None) -> Any:
    """Take the growing results of a run to the last one and return it; draw a bar named ``text``, if there is one.

    There is no bar for a run that was done before, whose first result is the finished one.
    """
    result = next(results)
    if text and not result.finished:
        results = progress_bar(results, text)
    for result in results:  # noqa: B007 - the last one counts
        pass
    return result


def progress_bar(progress: Iterable[Any], text: str) -> Iterator[Any]:
    """Pass on things that know their ``step``, ``steps`` and ``loss``, and draw a progress bar of them."""
    with tqdm(desc=text, leave=False, file=sys.stdout, mininterval=0.5, unit="step") as bar:
        for item in progress:
            bar.total = item.steps
            bar.set_postfix(loss=f"{item.loss:.3g}", refresh=False)
            bar.update(item.step - bar.n)
            yield item


def side_by_side(runs: Iterable[Iterator[Any]]) -> Iterator[list[Any]]:
    """Take several growing results on at once, a core each; yield the latest of each, often.

    Each comes to the same end as alone, and all in hardly more time than one where there is a core for each.
    Stop iterating to cancel all.
    """
    going = dict(enumerate(runs))
    latest: list[Any] = [None] * len(going)
    while going:
        for i, result in zip([*going], at_once([partial(_turn, run) for run in going.values()]), strict=True):
            if result is None:
                del going[i]
            else:
                latest[i] = result
        yield [*latest]


def _turn(run: Iterator[Any]) -> Any:
    """Return the last result that a run gives in one turn, None at its end."""
    start, result = time.perf_counter(), None
    for result in run:  # noqa: B007 - the latest one counts
        if time.perf_counter() - start > TURN:
            break
    return result


@dataclass(frozen=True)
class Several:
    """How far several runs are, taken together."""

    runs: list[Any]

    @property
    def step(self) -> int:
        return sum(run.step for run in self.runs)

    @property
    def steps(self) -> int:
        return sum(run.steps for run in self.runs)

    @property
    def loss(self) -> float:
        return sum(run.loss for run in self.runs) / len(self.runs)

    @property
    def finished(self) -> bool:
        return all(run.finished for run in self.runs)


def finish_each(runs: Iterable[Iterator[Any]], text: str | None) -> list[Any]:
    """Take the growing results of several runs to the last ones, side by side, and return these; see `finish_run`."""
    return finish_run(map(Several, side_by_side(runs)), text).runs
