"""A run of lesson 04 and the one from scratch with the same labels, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
    """Yield the growing `Pair` of a run after every step and pause; stop iterating to cancel both.

    They take turns, each from one evaluation to the next: taking single steps in turn, both would show their first
    score only when twice as much is done.
    """
    other = scratch_of(config)
    if other.values() | {"lr": other.rate()} == config.values() | {"lr": config.rate()}:
        for result in stream(config):
            yield Pair(result, result)
        return
    streams = [stream(config), stream(other)]
    now = [next(one) for one in streams]
    yield Pair(*now)
    going = [0, 1]
    while going:
        for i in [*going]:
            for result in streams[i]:
                known, now[i] = len(now[i].evaluations), result
                yield Pair(*now)
                if len(result.evaluations) > known:
                    break
            else:
                going.remove(i)
