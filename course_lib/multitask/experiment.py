"""One run of lesson 05: train tasks on a shared trunk and, in the same breath, some or all of them alone."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping

from torch import Tensor, nn

from course_lib.multitask import references
from course_lib.multitask.config import Config
from course_lib.multitask.objective import Together, make_networks
from course_lib.multitask.pictures import TESTED, held_out, training_set
from course_lib.multitask.result import Evaluation, Result
from course_lib.randomness import generator
from course_lib.runs import Latest, finish_each, finish_run
from course_lib.training import Progress, fit, outputs, warm_up

QUICK = 400  # test faces that an evaluation on the way looks at; the last one looks at all
FIRST = 3  # steps until the first evaluation: its point of the curve is waited for
PROBES = 25  # in a run, about
_finished: dict[Config, Result] = Latest(32)


def run(config: Config | None = None, *, progress: bool = True, **changes: object) -> Result:
    """Train and evaluate one run, e.g. ``run(labels={"smile": 50})``; the same again is instant.

    Pass a `Config`, its fields by name, or a `Config` and what to change. ``progress`` draws a progress bar.
    Raises `CourseError` for settings out of range. Taught in: notebook 05.
    """
    config = Config.made_of(config, changes)
    return finish_run(stream(config), "training" if progress else None)


def run_each(*settings: Config | Mapping[str, object], progress: bool = True) -> list[Result]:
    """Do several runs side by side, on a core each, e.g. ``run_each({}, {"unit": "years"})``; see `run`.

    Give a `Config` for each, or what to change of the defaults. Taught in: notebook 05.
    """
    return finish_each(map(stream, Config.each_of(settings)), "training" if progress else None)


def cached(config: Config) -> Result | None:
    """Return the finished result of ``config`` if this process has it."""
    return _finished.get(config)


def stream(config: Config) -> Iterator[Result]:
    """Yield the growing `Result` after every step and pause; stop iterating to cancel.

    What a task learned alone in an earlier run is not trained again, where it would be the same.
    """
    if known := cached(config):
        yield known
        return
    alone = references.kept(config)
    networks = make_networks(config, [task for task in config.compared() if task not in alone])
    objective = Together(networks, training_set(config), generator(config.seed, "training"), config)
    every = max(1, steps_of(config) // PROBES)
    probes, evaluations = (objective.probe(0),), ()
    for p in training(objective):
        if p.evaluation is not None:
            known_now = {task: answers[len(evaluations)] for task, answers in alone.items()}
            evaluations = (*evaluations, Evaluation(p.evaluation.step, p.evaluation.said | known_now))
        if p.step > probes[-1].step and (p.step % every == 0 or p.step == p.steps):
            probes = (*probes, objective.probe(p.step))
        result = Result(config, p.steps, tuple(objective.losses), evaluations, probes)
        yield result
    _finished[config] = result
    references.keep(config, {task: tuple(e.said[task] for e in evaluations) for task in config.compared()})


def steps_of(config: Config) -> int:
    """Return how many steps a run takes."""
    return config.epochs * math.ceil(config.n_train / config.batch_size)


def training(objective: Together) -> Iterator[Progress]:
    """Start `fit` with the settings of the objective's config."""
    c = objective.config
    return fit(
        objective,
        epochs=c.epochs,
        batch_size=c.batch_size,
        lr=c.lr,
        weight_decay=c.weight_decay,
        evaluate=lambda networks, now: evaluate(networks, c, now),
        evaluate_every=max(1, steps_of(c) // 12),
        first=FIRST,
    )


def evaluate(networks: nn.ModuleDict, config: Config, now: Progress) -> Generator[None, None, Evaluation]:
    """Ask every network about some test faces, and about all at the end; pauses often (see `fit`)."""
    n = TESTED if now.step == now.steps else QUICK
    said: dict[str, Tensor] = {}
    for arm, network in networks.items():
        answers = yield from outputs(network, held_out(config.noise)[0], n)
        said[arm] = answers.clone()
    return Evaluation(now.step, said)


def prepare(config: Config) -> Iterator[None]:
    """Do once, ahead of the first run, what makes it wait: draw the faces and make an optimiser."""
    yield warm_up()
    yield from training_set(config).images.making()
    yield held_out(config.noise)
