"""One run of lesson 04: begin with layers that learned something else, and learn a new task from few labels."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.networks import build
from course_lib.randomness import generator
from course_lib.runs import Latest, finish_each, finish_run
from course_lib.training import Batch, Objective, Progress, TrainingSet, fit, outputs, warm_up
from course_lib.transfer.config import REGIMES, SCRATCH, Config, Regime
from course_lib.transfer.network import FaceNet, Kept
from course_lib.transfer.pictures import TESTED, held_out, labelled
from course_lib.transfer.result import MIDDLE, UNIT, Evaluation, Result
from course_lib.transfer.trunk import load_trunk

BATCH = 64
QUICK = 300  # test faces that an evaluation on the way looks at; the last one looks at all
TIMES = 12  # evaluations in a run
FIRST = 5  # steps until the first evaluation: its point of the curve is waited for
_finished: dict[Config, Result] = Latest(64)


def run(config: Config | None = None, *, progress: bool = True, **changes: object) -> Result:
    """Train and evaluate one run, e.g. ``run(regime="fine-tuning", labels=200)``; the same again is instant.

    Pass a `Config`, its fields by name, or a `Config` and what to change. ``progress`` draws a progress bar.
    Raises `CourseError` for settings out of range. Taught in: notebook 04.
    """
    config = Config.made_of(config, changes)
    return finish_run(stream(config), config.named() if progress else None)


def run_each(*settings: Config | Mapping[str, object], progress: bool = True) -> list[Result]:
    """Do several runs side by side, on a core each, e.g. ``run_each({"labels": 50}, {"labels": 200})``; see `run`.

    Give a `Config` for each, or what to change of the defaults. Taught in: notebook 04.
    """
    return finish_each(map(stream, Config.each_of(settings)), "training" if progress else None)


def cached(config: Config) -> Result | None:
    """Return the finished result of ``config`` if this process has it."""
    return _finished.get(_key(config))


def scratch_of(config: Config) -> Config:
    """Return what to compare a run with: from scratch, with the same labels, at that regime's own learning rate."""
    return replace(config, regime=SCRATCH, lr=None)


def stream(config: Config) -> Iterator[Result]:
    """Yield the growing `Result` after every step and pause; stop iterating to cancel."""
    known = cached(config)
    if known:
        yield known
        return
    network = begin(REGIMES[config.regime], config.seed)
    losses: list[float] = []
    evaluations: tuple[Evaluation, ...] = ()
    for p in training(config, network):
        if p.step > len(losses):
            losses.append(p.loss)
        if p.evaluation is not None:
            evaluations = (*evaluations, p.evaluation)
        result = Result(config, p.steps, tuple(losses), evaluations, network)
        yield result
    _finished[_key(config)] = result


def begin(regime: Regime, seed: int) -> FaceNet:
    """Return a network as ``regime`` starts it: layers from the trunk or at random, kept or not, and a new head.

    What starts at random depends on ``seed`` alone, and is the same in every regime.
    """
    network = build(lambda: FaceNet(1), generator(seed, "transfer/network"))
    taken = tuple(f"{i}." for i in range(regime.taken))
    network.layers.load_state_dict({n: v for n, v in load_trunk().items() if n.startswith(taken)}, strict=False)
    for i in range(regime.kept):
        network.layers[i] = Kept(network.layers[i])
    return network.to(memory_format=torch.channels_last)


def training(config: Config, network: nn.Module, evaluations: int = TIMES) -> Iterator[Progress]:
    """Start `fit` with the labelled faces of ``config``, and evaluate so many times, the last time at the end."""
    data, size = training_set(config), min(BATCH, config.labels)
    epochs = math.ceil(config.steps / math.ceil(len(data) / size))
    return fit(
        LOSSES[config.target](network, data, generator(config.seed, "transfer/training")),
        epochs=epochs,
        batch_size=size,
        lr=config.rate(),
        evaluate=lambda network, progress: evaluate(config.target, network, progress),
        evaluate_every=math.ceil(epochs * math.ceil(len(data) / size) / evaluations),
        first=FIRST if evaluations > 1 else None,
    )


class Smiles(Objective):
    """Cross-entropy of one logit."""

    def loss(self, batch: Batch) -> Tensor:
        return F.binary_cross_entropy_with_logits(self.network(batch.x)[:, 0], batch.y)


class Ages(Objective):
    """The mean squared error of one number."""

    def loss(self, batch: Batch) -> Tensor:
        return F.mse_loss(self.network(batch.x)[:, 0], batch.y)


LOSSES = {"smile": Smiles, "age": Ages}


def training_set(config: Config) -> TrainingSet:
    """Return the labelled faces of a run: 1.0 for a smile, or the age in `UNIT` years around `MIDDLE`."""
    drawn, pictures = labelled(config.seed)
    labels = drawn.smile.float() if config.target == "smile" else (drawn.age - MIDDLE) / UNIT
    return TrainingSet(pictures[: config.labels], labels[: config.labels])


def evaluate(target: str, network: nn.Module, progress: Progress) -> Generator[None, None, Evaluation]:
    """Ask about each test face: some of them, and all at the end; pauses often (see `fit`)."""
    said = yield from outputs(network, held_out()[1], TESTED if progress.step == progress.steps else QUICK)
    said = said[:, 0].clone()  # not an inference tensor any more
    return Evaluation(progress.step, MIDDLE + UNIT * said if target == "age" else said)


def prepare(config: Config) -> Iterator[None]:
    """Do once, ahead of the first run, what makes it wait: draw the faces, read the trunk, make an optimiser."""
    yield warm_up()
    yield load_trunk()
    yield labelled(config.seed)
    yield held_out()


def _key(config: Config) -> Config:
    return replace(config, lr=config.rate())
