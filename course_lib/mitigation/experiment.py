"""One run of the lab: train one method on biased digits, and see on unbiased ones what it learned."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np
from torch import nn

from course_lib import metrics
from course_lib.data import biased_mnist
from course_lib.data.biased_mnist import UNBIASED, VARIABLES, BiasedMNIST
from course_lib.mitigation.config import Config
from course_lib.mitigation.methods import METHODS, Method
from course_lib.mitigation.result import Evaluation, Result
from course_lib.networks import make_network
from course_lib.randomness import generator
from course_lib.runs import Latest, finish_each, finish_run
from course_lib.training import Images, Progress, TrainingSet, fit, predict, warm_up

QUICK = 500  # test images that an evaluation on the way looks at; the last one looks at all
MAX_KEPT = 2**27  # bytes of images kept in memory; larger sets are drawn batch by batch


def run(config: Config | None = None, *, progress: bool = True, **changes: object) -> Result:
    """Train and evaluate one run, e.g. ``run(method="GDRO", strength=0.7)``; the same again is instant.

    Pass a `Config`, its fields by name, or a `Config` and what to change. ``progress`` draws a progress bar.
    Raises `CourseError` for settings out of range. Taught in: notebook 07.
    """
    config = Config.made_of(config, changes)
    return finish_run(stream(config), config.method if progress else None)


def run_each(*settings: Config | Mapping[str, object], progress: bool = True) -> list[Result]:
    """Do several runs side by side, on a core each, e.g. ``run_each({}, {"method": "GDRO"})``; see `run`.

    Give a `Config` for each, or what to change of the defaults. Taught in: notebook 07.
    """
    return finish_each(map(stream, Config.each_of(settings)), "training" if progress else None)


_finished: dict[object, Result] = Latest(64)  # of some 20 kB


def cached(config: Config) -> Result | None:
    """Return the finished result of ``config`` if this process has it."""
    return _finished.get(_key(config))


def standard_of(config: Config) -> Result | None:
    """Return the finished StdM run at otherwise the same settings, if this process has it."""
    return cached(replace(config, method="StdM", settings=()))


def _key(config: Config) -> tuple[Config, type]:
    """What a result depends on: the explicit variable only if it is told, and the method's own code."""
    told = config if config.told else replace(config, explicit=Config.explicit)
    return told, METHODS[config.method]


def stream(config: Config, method: type[Method] | None = None) -> Iterator[Result]:
    """Yield the growing `Result` after every step and pause; stop iterating to cancel.

    A result that this process has already is yielded at once. ``method``: a class to train with in place of
    the one that ``config`` names; such a result is not kept.
    """
    config = replace(config)  # checks it again: its method may have been replaced since
    known = None if method else cached(config)
    if known is not None:
        yield known
        return
    losses: list[float] = []
    evaluations: tuple[Evaluation, ...] = ()
    for p in _training(config, method or METHODS[config.method]):
        if p.step > len(losses):
            losses.append(p.loss)
        if p.evaluation is not None:
            evaluations = (*evaluations, p.evaluation)
        result = Result(config, p.steps, tuple(losses), evaluations)
        yield result
    if method:
        return
    _finished[_key(config)] = result


def prepare(config: Config) -> Iterator[None]:
    """Do once, ahead of the first run, what makes it wait: load the digits and make an optimiser."""
    yield warm_up()
    for split, strength, n in (("train", config.strength, config.n_train), ("test", UNBIASED, config.n_test)):
        seed = config.seed if split == "train" else 0
        dataset(config.source, split, strength, n, seed, config.cell, config.device)
        yield


def _training(config: Config, method: type[Method]) -> Iterator[Progress]:
    """Set up data, network and method from the seed, and start `fit`."""
    c = config
    train = dataset(c.source, "train", c.strength, c.n_train, c.seed, c.cell, c.device)
    test = dataset(c.source, "test", UNBIASED, c.n_test, 0, c.cell, c.device)  # the same for every run
    told = None if c.told is None else train.values[:, list(VARIABLES).index(c.told)]
    data = TrainingSet(pictures(train), train.labels, told)
    network = make_network(c.network, generator(c.seed, "network"), c.device)
    objective = method(network, data, generator(c.seed, "training"), **dict(c.settings))
    return fit(
        objective,
        epochs=c.epochs,
        batch_size=c.batch_size,
        lr=c.lr,
        weight_decay=c.weight_decay,
        one_cycle=c.one_cycle,
        evaluate=lambda network, progress: evaluate(network, test, progress),
        evaluate_every=math.ceil(c.n_train / c.batch_size / 2),
    )


@lru_cache(maxsize=4)
def dataset(source: str, split: str, strength, n: int, seed: int, cell: int, device: str) -> BiasedMNIST:
    """Return `biased_mnist.make` of these arguments, kept: another method needs no new images."""
    if isinstance(strength, tuple):
        strength = dict(zip(VARIABLES, strength, strict=True))
    return biased_mnist.make(source, split, strength, n, seed, cell).to(device)


def pictures(data: BiasedMNIST) -> Images:
    """Return all images of a set if they fit in memory, else the function that draws a batch of them."""
    return data.images if fits(len(data), data.cell) else data.batch


def fits(n: int, cell: int) -> bool:
    """Return whether ``n`` images of cells of this size are kept in memory."""
    return n * 27 * cell**2 <= MAX_KEPT


def evaluate(network: nn.Module, test: BiasedMNIST, progress: Progress) -> Generator[None, None, Evaluation]:
    """Count right answers by group on the unbiased test set; pauses often (see `fit`)."""
    n = len(test) if progress.step == progress.steps else min(QUICK, len(test))
    predicted = yield from predict(network, pictures(test), n)
    labels, majority = test.labels[:n], test.majority[:n].cpu().numpy()
    right = (predicted == labels).cpu().numpy().astype(int)
    yield
    pairs = (test.values[:n] * 10 + labels[:, None]).cpu().numpy()  # the groups (value, digit)
    unbiased = float(np.mean([metrics.unbiased_accuracy(right, pair) for pair in pairs.T]))
    correct = np.stack([right @ majority, right @ ~majority], axis=1)
    size = np.stack([majority.sum(0), (~majority).sum(0)], axis=1)
    return Evaluation(progress.step, correct, size, unbiased, predicted.cpu().numpy())
