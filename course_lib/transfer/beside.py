"""A run of lesson 04 and the one from scratch with the same labels, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from course_lib.runs import side_by_side
from course_lib.transfer.config import Config
from course_lib.transfer.experiment import scratch_of, stream
from course_lib.transfer.result import Result


@dataclass(frozen=True, eq=False)
class Pair:
    """A run, and the run from scratch that it is compared with (the same one, if that is what was chosen)."""

    run: Result
    scratch: Result

    @property
    def config(self) -> Config:
        return self.run.config

    @property
    def step(self) -> int:
        """Steps that both have done together, of ``steps``."""
        return self.run.step + self.scratch.step

    @property
    def steps(self) -> int:
        return self.run.steps + self.scratch.steps

    @property
    def finished(self) -> bool:
        return self.run.finished and self.scratch.finished


def stream_pair(config: Config) -> Iterator[Pair]:
    """Yield the growing `Pair` of a run, often; stop iterating to cancel both.

    The run comes to its first score alone: with both at once everybody would wait longer to see any.
    """
    other = scratch_of(config)
    if other.values() | {"lr": other.rate()} == config.values() | {"lr": config.rate()}:
        for result in stream(config):
            yield Pair(result, result)
        return
    runs = [stream(config), stream(other)]
    run, scratch = map(next, runs)
    yield Pair(run, scratch)
    while not run.evaluations:
        run = next(runs[0])
        yield Pair(run, scratch)
    for now in side_by_side(runs):
        yield Pair(now[0] or run, now[1] or scratch)
