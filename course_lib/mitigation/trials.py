"""How answers to this lesson's exercises are measured; students may read it, it holds no solution."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.grading.sheet import require_decimals
from course_lib.mitigation.config import Config
from course_lib.mitigation.experiment import stream
from course_lib.mitigation.methods import METHODS
from course_lib.mitigation.result import Result
from course_lib.training import Batch


def cell_shares(arguments: tuple, cells: Tensor) -> Tensor:
    """Return how often each digit of ``arguments[0]`` lies in each cell: shares [10, 9]; 0 for no images.

    ``cells`` outside 0..8 count nowhere, so that the shares of a digit then do not add up to 1.
    """
    labels, cells = arguments[0], torch.as_tensor(cells)
    inside = (cells >= 0) & (cells <= 8)
    counts = torch.bincount(labels[inside] * 9 + cells[inside].long(), minlength=90).reshape(10, 9)
    return counts / torch.bincount(labels, minlength=10).clamp(min=1)[:, None]


def worst_minority_gain(function: Callable[[Tensor, torch.Generator], Tensor], seed: int) -> Generator:
    """Generator that trains with ``function(x, generator)`` in place of the images and returns its gain.

    The gain is in worst minority accuracy, the lowest of the seven variables, over StdM's on the same images
    and initial weights. It yields a `Result` after every step.
    """

    class Graded(METHODS["StdM"]):
        def loss(self, batch: Batch) -> Tensor:
            images = require_decimals(function(batch.x, self.generator), batch.x.shape)
            return F.cross_entropy(self.network(images.to(torch.float32, memory_format=torch.channels_last)), batch.y)

    trained = yield from _last(stream(_config(seed), Graded))
    return _worst_minority(trained) - _worst_minority(_standard(seed))


@lru_cache(maxsize=8)
def _standard(seed: int) -> Result:
    *_, last = stream(_config(seed))
    return last


def _config(seed: int) -> Config:
    return Config(method="StdM", strength=0.5, seed=seed, n_train=4000, n_test=1000)


def _last(results: Iterator[Result]) -> Generator[Result, None, Result]:
    result = None
    for result in results:
        yield result
    return result


def _worst_minority(result: Result) -> float:
    return float(result.summary()["worst minority"])
