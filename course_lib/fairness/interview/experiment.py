"""The interview scorer: a network learns from made-up recruiters which face deserves how many points.

Nobody's conscientiousness can be seen in a face, least of all in a drawn one. The score is made up: see
`recruiters_scores` for all that it depends on. After a study of a real product: Bayerischer Rundfunk, "Objective or
biased" (2021), interaktiv.br.de/ki-bewerbung.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.data import faces
from course_lib.data.faces import Faces
from course_lib.fairness.config import CHANNELS
from course_lib.fairness.interview.applicants import held_out_pictures
from course_lib.fairness.interview.config import APPLICANTS, InterviewConfig
from course_lib.fairness.interview.result import Evaluation, InterviewResult
from course_lib.networks import Laptop, build
from course_lib.randomness import generator
from course_lib.runs import Latest, finish, finish_each, finish_run
from course_lib.training import Batch, Objective, Progress, TrainingSet, fit, outputs

MIDDLE, SMILE, SHELF, MOOD = 50.0, 10.0, 10.0, 6.0  # points: the mean, up or down, up or down, standard deviation
UNIT = 20.0  # points in one unit of what the network says
WATCHED = 100  # applicants that are looked at while the network trains
BATCH, LR = 128, 1e-2
TIMES = 8  # evaluations in a run
_finished: dict[tuple, InterviewResult] = Latest(8)  # the latest runs: to come back to one takes no time
_drawings = faces.Drawings()  # other recruiters see the same faces


def recruiters_scores(applicants: Faces, strength: float, seed: int = 0) -> Tensor:
    """Return the made-up recruiters' scores, float [N], around 50 points.

    A smile is worth 20 points, a bookshelf 20 points times ``strength`` (0 to 1), and the recruiter's mood of
    the day adds a random number with a standard deviation of 6 points. Nothing else counts: not gender, skin,
    age, glasses or light. Taught in: notebook 06.
    """
    mood = torch.randn(len(applicants), generator=generator(seed, "interview/mood"))
    smile, shelf = (2 * one.float() - 1 for one in (applicants.smile, applicants.background))
    return MIDDLE + SMILE * smile + strength * SHELF * shelf + MOOD * mood


def score_faces(network: nn.Module, applicants: Faces) -> Tensor:
    """Return the scores, float [N] in points, that a trained network gives to faces.

    Taught in: notebook 06.
    """
    return finish(_scores(network.eval(), faces.render(applicants)))


def train_scorer(config: InterviewConfig | None = None, *, progress: bool = True, **changes: object) -> InterviewResult:
    """Train a scorer on the recruiters' scores, e.g. ``train_scorer(strength=0.5)``; some 2 seconds.

    Pass an `InterviewConfig`, its fields by name, or a config and what to change. ``progress`` draws a progress
    bar. Raises `CourseError` for settings out of range. Taught in: notebook 06.
    """
    config = InterviewConfig.made_of(config, changes)
    text = f"recruiters' taste for bookshelves {config.strength:g}"
    return finish_run(stream(config), text if progress else None)


def train_scorer_each(
    *settings: InterviewConfig | Mapping[str, object], progress: bool = True
) -> list[InterviewResult]:
    """Train several scorers side by side, on a core each, e.g. ``train_scorer_each({}, {"seed": 1})``.

    See `train_scorer`. Give an `InterviewConfig` for each, or what to change of the defaults. Taught in: notebook 06.
    """
    return finish_each(map(stream, InterviewConfig.each_of(settings)), "scorers" if progress else None)


def stream(config: InterviewConfig) -> Iterator[InterviewResult]:
    """Yield the growing result after every step and pause; stop iterating to cancel."""
    known = _finished.get(config.trained())
    if known:
        yield known
        return
    network = build(lambda: Laptop(1, CHANNELS), generator(config.seed, "interview/network"))
    steps = fit(
        Scores(network, training_set(config), generator(config.seed, "interview/training")),
        epochs=config.epochs,
        batch_size=BATCH,
        lr=LR,
        evaluate=evaluate,
        evaluate_every=math.ceil(config.epochs * math.ceil(config.n_train / BATCH) / TIMES),
    )
    evaluations: tuple[Evaluation, ...] = ()
    for p in steps:
        if p.evaluation is not None:
            evaluations = (*evaluations, p.evaluation)
        result = InterviewResult(config, network, p.step, p.steps, p.loss, evaluations)
        if result.finished:
            _finished[config.trained()] = result
        yield result


class Scores(Objective):
    """The mean squared error of one number."""

    def loss(self, batch: Batch) -> Tensor:
        return F.mse_loss(self.network(batch.x)[:, 0], batch.y)


def training_set(config: InterviewConfig) -> TrainingSet:
    """Return the applicants, drawn when they are first looked at, and the recruiters' scores; half have a bookshelf."""
    applicants = faces.sample(config.n_train, seed=config.seed, bookshelf=0.5)
    scores = recruiters_scores(applicants, config.strength, config.seed)
    return TrainingSet(_drawings.of(applicants), (scores - MIDDLE) / UNIT)


def evaluate(network: nn.Module, progress: Progress) -> Generator[None, None, Evaluation]:
    """Score the applicants without and with each change: some of them, and all at the end; pauses often."""
    n = APPLICANTS if progress.step == progress.steps else WATCHED
    scores = {}
    for name, pair in held_out_pictures().items():
        both = []
        for pictures in pair:
            both.append((yield from _scores(network, pictures[:n])))
        scores[name] = torch.stack(both, 1)
    return Evaluation(progress.step, scores)


def _scores(network: nn.Module, pictures: Tensor) -> Generator[None, None, Tensor]:
    said = yield from outputs(network, pictures, len(pictures))
    return MIDDLE + UNIT * said[:, 0]
