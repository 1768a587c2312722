"""The one training loop: ``fit`` yields after every step, so whoever iterates can draw, or stop."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.data.lazy import LazyPictures
from course_lib.errors import CourseError, require_integer, require_number
from course_lib.parallel import at_once, cores, share_with

# Chosen, not left to torch: networks this small gain little from a second thread, and on a busy machine
# two threads that wait for each other are several times slower than one.
_threads = os.environ.get("COURSE_THREADS", "1")
THREADS = require_integer("COURSE_THREADS", int(_threads) if _threads.isdecimal() else _threads, 1, 1024)
torch.set_num_threads(THREADS)
share_with(THREADS)

CHUNK = 100  # images that are evaluated in one go

# uint8 [N, C, H, W], all there or made when they are first read, or a function: index -> uint8 [B, C, H, W]
Images = Tensor | LazyPictures | Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class TrainingSet:
    """Images and labels, and the bias labels if (and only if) the objective may know them.

    images: uint8 [N, C, H, W], a tensor or `LazyPictures` (``images[:]`` makes one of the other), or a function
    from int64 indices [B] to uint8 [B, C, H, W] that renders a batch on the fly; labels: int64 [N] in
    0..classes-1; bias: int64 [N] in 0..values-1, or None.
    """

    images: Images
    labels: Tensor
    bias: Tensor | None = None
    classes: int = 10
    values: int = 10

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index: Tensor) -> Batch:
        bias = None if self.bias is None else self.bias[index]
        return Batch(index, inputs(self.images, index), self.labels[index], bias)


@dataclass(frozen=True)
class Batch:
    """One batch: index [B] in the training set, x float [B, C, H, W] in 0..1, y [B], b [B] or None."""

    index: Tensor
    x: Tensor
    y: Tensor
    b: Tensor | None = None


class Objective:
    """What a step of training minimises: here the mean cross-entropy over shuffled batches.

    Subclass and override ``loss``, ``batches``, ``step`` or ``conclude``; extra modules go into ``modules``.
    """

    epochs = 1  # how many there will be, once `fit` has begun

    def __init__(self, network: nn.Module, data: TrainingSet, generator: torch.Generator):
        self.network, self.data, self.generator = network, data, generator
        self.modules: list[nn.Module] = [network]  # what is trained, the network first

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of one batch: one number, or one per sample, [B]."""
        return F.cross_entropy(self.network(batch.x), batch.y)

    def batches(self, size: int) -> Iterable[Tensor]:
        """Return the indices int64 [B] of each batch of one epoch."""
        return torch.randperm(len(self.data), generator=self.generator).split(size)

    def step(self, batch: Batch, optimizer: torch.optim.Optimizer) -> float:
        """Take one optimiser step on one batch and return its loss."""
        optimizer.zero_grad()
        loss = self.loss(batch).mean()  # of one number it is that number
        loss.backward()
        optimizer.step()
        return loss.item()

    def conclude(self) -> None:
        """Do what is to be done after the last step, before the last evaluation: here nothing."""


@dataclass(frozen=True)
class Progress:
    """How far training is: ``step`` of ``steps`` done, this step's loss, and an evaluation if one is new."""

    step: int
    steps: int
    loss: float
    evaluation: Any = None


Evaluate = Callable[[nn.Module, Progress], Generator[None, None, Any]]


def fit(
    objective: Objective,
    *,
    epochs: int = 4,
    batch_size: int = 128,
    lr: float = 1e-2,
    weight_decay: float = 1e-2,
    one_cycle: bool = True,
    evaluate: Evaluate | None = None,
    evaluate_every: int | None = None,
    first: int | None = None,
) -> Iterator[Progress]:
    """Train with AdamW and yield `Progress` after every step; to cancel, stop iterating.

    There are ``epochs * ceil(N / batch_size)`` steps. The learning rate follows one cycle that peaks at
    ``lr``, and Adam's beta1 the opposite one (torch's OneCycleLR; L. N. Smith, arXiv 1708.07120); with
    ``one_cycle=False`` both stay as they are. It trains on the device that the network and data are on;
    `progress_bar` draws a bar of what it yields.
    ``evaluate(network, progress)`` is a generator that returns a result and yields now and then on its way
    there, so that a run can be cancelled inside an evaluation too. It runs every ``evaluate_every`` steps, after
    the last one and, where somebody waits for the first point of a curve, after ``first``.
    Raises `CourseError` for settings out of range or a loss that is not finite.
    """
    size = require_integer("batch_size", batch_size, 2, 100_000)
    objective.epochs = require_integer("epochs", epochs, 1, 1000)
    steps = objective.epochs * math.ceil(len(objective.data) / size)
    optimizer = torch.optim.AdamW(
        [p for module in objective.modules for p in module.parameters()],
        lr=require_number("lr", lr, 0, 100),
        weight_decay=require_number("weight_decay", weight_decay, 0, 100),
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps) if one_cycle else None
    for step, index in enumerate(islice(_indices(objective, size), steps), start=1):
        for module in objective.modules:
            module.train()
        loss = objective.step(objective.data.batch(index), optimizer)
        if schedule:
            schedule.step()
        if not math.isfinite(loss):
            raise CourseError(
                f"The loss became {loss} at step {step} of {steps}: lower lr, or check the method's loss."
            )
        if step == steps:
            objective.conclude()
        yield (now := Progress(step, steps, loss))
        if evaluate and (step % (evaluate_every or steps) == 0 or step in (first, steps)):
            objective.network.eval()
            evaluation = yield from ticking(evaluate(objective.network, now), now)
            yield replace(now, evaluation=evaluation)


def _indices(objective: Objective, size: int) -> Iterator[Tensor]:
    """Yield the batches of one epoch after the other, without end."""
    while True:
        index = None
        for index in objective.batches(size):
            yield index
        if index is None:
            raise CourseError(f"{type(objective).__name__}.batches({size}) must give at least one batch; it gave none.")


def ticking(work: Generator[None, None, Any], tick: Progress) -> Generator[Progress, None, Any]:
    """Pass each pause of ``work`` on as ``tick``; return what ``work`` returns."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value
        yield tick


def inputs(images: Images, index: Tensor | slice) -> Tensor:
    """Return the pixels at ``index`` as a network takes them: float [B, C, H, W] in 0..1."""
    pixels = images(index) if callable(images) else images[index]
    if pixels.dtype != torch.uint8:
        raise CourseError(f"images must be of type uint8, 0 to 255; they were {pixels.dtype}.")
    return pixels.to(torch.float32, memory_format=torch.channels_last).div_(255)


def predict(network: nn.Module, images: Images, n: int) -> Generator[None, None, Tensor]:
    """Generator that returns the predicted labels int64 [n] of the first ``n`` images; see `outputs`."""
    answers = yield from outputs(network, images, n)
    return answers.argmax(1)


def outputs(network: nn.Module, images: Images, n: int) -> Generator[None, None, Tensor]:
    """Generator that returns what the network says, float [n, ...], of the first ``n`` images.

    It pauses (yields) after a chunk for each core, small enough to take some 15 ms on a laptop. The network
    should be in eval mode.
    """

    def say(start: int) -> Tensor:
        with torch.inference_mode():
            return network(inputs(images, slice(start, min(start + CHUNK, n))))

    said: list[Tensor] = []
    starts = range(0, n, CHUNK)
    first = next(network.parameters(), None)
    several = cores() if first is None or first.device.type == "cpu" else 1  # a GPU does one after the other
    while len(said) < len(starts):
        said += at_once([partial(say, start) for start in starts[len(said) : len(said) + several]])
        yield
    return torch.cat(said)


def require_device(device: str) -> str:
    """Return ``device`` if torch can compute there ("cpu", "cuda"); raise `CourseError` if not."""
    try:
        torch.zeros(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise CourseError(f"device must be one that this torch can use, such as 'cpu'; it was {device!r}.") from error
    return device


def warm_up() -> None:
    """Make the first optimiser of this process: torch imports for a second then, once."""
    torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=0.0, fused=True)
