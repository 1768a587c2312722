"""The experiment of lesson 03: two networks, the same start and batches, one of them sees augmented digits."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping

import torch
from torch import Tensor, nn

from course_lib.augmentation.arms import Arms, make_mlp
from course_lib.augmentation.config import Config
from course_lib.augmentation.result import ARMS, Evaluation, Result
from course_lib.data import digits
from course_lib.randomness import generator
from course_lib.runs import finish_each, finish_run
from course_lib.training import Progress, TrainingSet, fit, predict, warm_up


def run(config: Config | None = None, *, progress: bool = True, **changes: object) -> Result:
    """Train without and with augmentation, e.g. ``run(translate=3)``, and return the finished `Result`.

    Pass a `Config`, its fields by name, or a `Config` and what to change. ``progress`` draws a progress bar.
    Raises `CourseError` for settings out of range. Taught in: notebook 03.
    """
    config = Config.made_of(config, changes)
    return finish_run(stream(config), config.named() if progress else None)


def run_each(*settings: Config | Mapping[str, object], progress: bool = True) -> list[Result]:
    """Do several runs side by side, on a core each, e.g. ``run_each({"seed": 1}, {"seed": 2})``; see `run`.

    Give a `Config` for each, or what to change of the defaults. Taught in: notebook 03.
    """
    return finish_each(map(stream, Config.each_of(settings)), "training" if progress else None)


def stream(config: Config) -> Iterator[Result]:
    """Yield the growing `Result` after every step and pause; stop iterating to cancel."""
    data, test = digits_of(config, "train"), digits_of(config, "test")
    start = make_mlp(config.hidden, config.seed)
    arms = Arms(
        nn.ModuleDict({arm: make_mlp(config.hidden, config.seed, start) for arm in ARMS}),
        data,
        generator(config.seed, "training"),
        dict(zip(ARMS, ({}, config.amounts()), strict=True)),
    )
    steps = fit(
        arms,
        epochs=config.epochs,
        batch_size=config.batch_size,
        lr=config.lr,
        evaluate=lambda network, progress: evaluate(network, test, progress),
        evaluate_every=math.ceil(len(data) / config.batch_size),
    )
    evaluations: tuple[Evaluation, ...] = ()
    for p in steps:
        if p.evaluation is not None:
            evaluations = (*evaluations, p.evaluation)
        parameters = {arm: _copied(network) for arm, network in arms.network.items()}
        yield Result(config, len(data), p.step, p.steps, tuple(arms.losses), evaluations, parameters)


def digits_of(config: Config, split: str) -> TrainingSet:
    """Return the digits of a run: of the training digits the first ``n_train`` in a shuffled order."""
    images, labels = digits.load_shared(config.source, split)
    images = images[:, None]
    if split == "train" and config.n_train < len(labels):
        order = torch.randperm(len(labels), generator=generator(config.seed, "subset"))[: config.n_train]
        images, labels = images[order], labels[order]
    return TrainingSet(images, labels)


def evaluate(network: nn.ModuleDict, test: TrainingSet, progress: Progress) -> Generator[None, None, Evaluation]:
    """Count what each network gets right of the test digits, which are never augmented; pauses often."""
    right = []
    for one in network.values():
        predicted = yield from predict(one, test.images, len(test))
        right.append(int((predicted == test.labels).sum()))
    return Evaluation(progress.step, tuple(right), len(test))


def prepare(config: Config) -> Iterator[None]:
    """Do once, ahead of the first run, what makes it wait: load the digits and make an optimiser."""
    yield warm_up()
    for split in ("train", "test"):
        yield digits_of(config, split)


def _copied(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}
