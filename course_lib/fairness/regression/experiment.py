"""The age estimator: a network learns the age of workers, some of whom look older than they are.

Made up, like the faces: "outdoors" is a group that no picture shows; sun and wind make its faces look older.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.data import faces
from course_lib.data.lazy import LazyPictures
from course_lib.fairness.config import CHANNELS
from course_lib.fairness.regression.bounded import GroupSquares
from course_lib.fairness.regression.config import N_TEST, OLDEST, YOUNGEST, AgeConfig
from course_lib.fairness.regression.result import UNBOUNDED, AgeResult, Evaluation, Trained
from course_lib.networks import Laptop, build
from course_lib.randomness import derive_seed, generator
from course_lib.runs import Latest, finish_each, finish_run
from course_lib.training import Batch, Objective, Progress, TrainingSet, fit, outputs

MIDDLE, UNIT = 49.0, 20.0  # years: the network says (age - 49) / 20
BATCH, LR = 64, 1e-2
TIMES, WATCHED = 8, 500  # evaluations in a run, and how many test workers they look at
FIRST = 5  # steps until the first evaluation: its point of the curve is waited for
TEST_SEED = derive_seed("ages/test", 0)  # of the 2,000 workers who are in no training data
_trained_on, _tested_on = faces.Drawings(), faces.Drawings()  # another population has few other faces
_finished: dict[tuple, AgeResult] = Latest(6)  # the latest runs: to come back to one takes no time


class Workers(NamedTuple):
    """N workers: age float [N] in years, outdoors int64 [N] (1: works outdoors), pictures uint8 [N, 3, 32, 32]."""

    age: Tensor
    outdoors: Tensor
    pictures: Tensor | LazyPictures


def sample_workers(n: int, share: float, look: float, gap: float = 0.0, seed: int = 0) -> Workers:
    """Return ``n`` workers of 18 to 70 years, a ``share`` of whom work outdoors.

    Those look ``look`` years older than they are (at most as 80), and the oldest of them are ``gap`` years
    younger than the oldest indoors. The share is exact, up to rounding, and nothing else depends on the group.
    Taught in: notebook 06.
    """
    workers = _sample_workers(n, share, look, gap, seed, faces.Drawings())
    return workers._replace(pictures=workers.pictures[:])


def _sample_workers(n: int, share: float, look: float, gap: float, seed: int, drawings: faces.Drawings) -> Workers:
    """Return what `sample_workers` returns, each picture drawn when it is first looked at."""
    drawn = faces.sample(n, seed=seed)
    rank = torch.rand(n, generator=generator(seed, "workers/outdoors")).argsort().argsort()
    outdoors = rank < round(n * share)
    part = (drawn.age - faces.YOUNGEST) / (faces.OLDEST - faces.YOUNGEST)
    age = YOUNGEST + part * (OLDEST - YOUNGEST - gap * outdoors)
    looks = (age + look * outdoors).clamp(max=faces.OLDEST)
    return Workers(age, outdoors.long(), drawings.of(drawn.change(age=looks)))


def train_ages(config: AgeConfig | None = None, *, progress: bool = True, **changes: object) -> AgeResult:
    """Train an age estimator, e.g. ``train_ages(share=0.1, look=20)``; some 3 seconds.

    Pass an `AgeConfig`, its fields by name, or a config and what to change. ``progress`` draws a progress bar.
    Raises `CourseError` for settings out of range. Taught in: notebook 06.
    """
    config = AgeConfig.made_of(config, changes)
    return finish_run(stream(config), "ages" if progress else None)


def train_ages_each(*settings: AgeConfig | Mapping[str, object], progress: bool = True) -> list[AgeResult]:
    """Train several estimators side by side, on a core each, e.g. ``train_ages_each({"look": 20}, {"gap": 30})``.

    See `train_ages`. Give an `AgeConfig` for each, or what to change of the defaults. Taught in: notebook 06.
    """
    return finish_each(map(stream, AgeConfig.each_of(settings)), "ages" if progress else None)


def stream(config: AgeConfig) -> Iterator[AgeResult]:
    """Yield the growing result after every step and pause; stop iterating to cancel."""
    known = _finished.get(config.trained())
    if known:
        yield known
        return
    population = config.share, config.look, config.gap
    train = _sample_workers(config.n_train, *population, config.seed, _trained_on)
    test = _sample_workers(N_TEST, *population, TEST_SEED, _tested_on)
    network = build(lambda: Laptop(1, CHANNELS), generator(config.seed, "ages/network"))
    data = TrainingSet(train.pictures, (train.age - MIDDLE) / UNIT)
    steps = fit(
        Ages(network, data, generator(config.seed, "ages/training")),
        epochs=config.epochs,
        batch_size=BATCH,
        lr=LR,
        evaluate=lambda network, progress: evaluate(network, train, test, progress),
        evaluate_every=math.ceil(config.epochs * math.ceil(config.n_train / BATCH) / TIMES),
        first=FIRST,
    )
    evaluations: tuple[Evaluation, ...] = ()
    trained = None
    for p in steps:
        if p.evaluation is not None:
            evaluation, trained = p.evaluation
            evaluations = (*evaluations, evaluation)
        result = AgeResult(config, p.step, p.steps, p.loss, evaluations, trained)
        if result.finished:
            _finished[config.trained()] = result
        yield result


class Ages(Objective):
    """The mean squared error of one number."""

    def loss(self, batch: Batch) -> Tensor:
        return F.mse_loss(self.network(batch.x)[:, 0], batch.y)


def evaluate(
    network: nn.Module, train: Workers, test: Workers, progress: Progress
) -> Generator[None, None, tuple[Evaluation, Trained | None]]:
    """Measure both groups' errors on the first test workers; at the end on all, with the last layer fitted exactly."""
    if progress.step < progress.steps:
        said = yield from outputs(network, test.pictures, WATCHED)
        return Evaluation(progress.step, errors_of(MIDDLE + UNIT * said[:, 0], test)), None
    seen = yield from features(network, test.pictures)
    learnt = yield from features(network, train.pictures)
    trained = Trained(seen, test.age, test.outdoors, GroupSquares(learnt, train.age, train.outdoors))
    predicted = trained.squares.bounded(UNBOUNDED).predict(seen)
    return Evaluation(progress.step, errors_of(predicted, test)), trained


def errors_of(predicted: Tensor, workers: Workers) -> tuple[float, float]:
    """Return the errors of both groups, root mean square in years, of predicted ages of the first workers."""
    n = len(predicted)
    off, outdoors = predicted - workers.age[:n], workers.outdoors[:n]
    return tuple(float(off[outdoors == one].square().mean().sqrt()) for one in (0, 1))


def features(network: nn.Module, pictures: Tensor | LazyPictures) -> Generator[None, None, Tensor]:
    """Generator that returns what the network's last layer sees, float [N, 32]; it pauses often."""
    return (yield from outputs(_Features(network), pictures, len(pictures)))


class _Features(nn.Module):
    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network.features(x)
