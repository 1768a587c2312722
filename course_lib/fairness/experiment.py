"""One run of lesson 06: train a smile detector on faces with given priors, and see whom it reads how well."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace

import torch
from torch import nn

from course_lib.fairness.config import CHANNELS, Config
from course_lib.fairness.methods import CONTROLS, METHODS
from course_lib.fairness.pictures import TESTED, held_out_pictures, training_set
from course_lib.fairness.result import Evaluation, Result
from course_lib.mitigation.methods import Method
from course_lib.networks import Laptop, build
from course_lib.randomness import generator
from course_lib.runs import Latest, finish_each, finish_run
from course_lib.training import Progress, fit, outputs, warm_up

QUICK = 400  # test faces that an evaluation on the way looks at; the last one looks at all
FIRST = 5  # steps until the first evaluation: its point of the curve is waited for
_finished: dict[tuple[Config, type], Result] = Latest(64)


def run(config: Config | None = None, *, progress: bool = True, **changes: object) -> Result:
    """Train and evaluate one run, e.g. ``run(method="GDRO", weight_decay=1)``; the same again is instant.

    Pass a `Config`, its fields by name, or a `Config` and what to change. ``progress`` draws a progress bar.
    Raises `CourseError` for settings out of range. Taught in: notebook 06.
    """
    config = Config.made_of(config, changes)
    return finish_run(stream(config), config.method if progress else None)


def run_each(*settings: Config | Mapping[str, object], progress: bool = True) -> list[Result]:
    """Do several runs side by side, on a core each, e.g. ``run_each({}, {"method": "UpWt"})``; see `run`.

    Give a `Config` for each, or what to change of the defaults. Taught in: notebook 06.
    """
    return finish_each(map(stream, Config.each_of(settings)), "training" if progress else None)


def cached(config: Config) -> Result | None:
    """Return the finished result of ``config`` if this process has it."""
    known = _finished.get((config.trained(), METHODS[config.method]))
    return known.read(config) if known else None


def control_of(config: Config) -> Config | None:
    """Return what the method of ``config`` has to beat, at otherwise the same settings; None for most methods."""
    if (control := CONTROLS.get(config.method)) is None:
        return None
    own = METHODS[control].check({})
    return replace(config, method=control, settings={name: v for name, v in config.settings if name in own})


def missing_control(config: Config) -> Config | None:
    """Return `control_of` a run if this process has not done it yet."""
    return control if (control := control_of(config)) and not cached(control) else None


def shown_beside(config: Config) -> tuple[Result | None, Result | None]:
    """Return StdM at otherwise the same settings, and the control of the method, each as far as it is done."""
    standard = None if config.method == "StdM" else cached(replace(config, method="StdM", settings=()))
    return standard, cached(control) if (control := control_of(config)) else None


def stream_with_control(config: Config) -> Iterator[Result]:
    """Like `stream`; when the run is finished its control is trained, if it has one, and the run comes again."""
    for result in stream(config):
        yield result
    if control := missing_control(config):
        for _ in stream(control):
            yield result  # the very same: nothing new to draw
        yield replace(result)  # to be drawn once more, beside its control


def stream(config: Config) -> Iterator[Result]:
    """Yield the growing `Result` after every step and pause; stop iterating to cancel."""
    method = METHODS[config.method]
    known = cached(config)
    if known:
        yield known
        return
    losses: list[float] = []
    evaluations: tuple[Evaluation, ...] = ()
    network = build(lambda: Laptop(2, CHANNELS), generator(config.seed, "network"))
    for p in training(config, method, network.to(memory_format=torch.channels_last)):
        if p.step > len(losses):
            losses.append(p.loss)
        if p.evaluation is not None:
            evaluations = (*evaluations, p.evaluation)
        result = Result(config, p.steps, tuple(losses), evaluations, network)
        yield result
    _finished[config.trained(), method] = result


def training(config: Config, method: type[Method], network: nn.Module) -> Iterator[Progress]:
    """Give ``network`` to the method, with the data and what it may know, and start `fit`."""
    c, data = config, training_set(config)
    if method.knows == "nothing":
        data = replace(data, bias=None)
    objective = method(network, data, generator(c.seed, "training"), **dict(c.settings))
    test = held_out_pictures(c.noise)
    return fit(
        objective,
        epochs=c.epochs,
        batch_size=c.batch_size,
        lr=c.lr,
        weight_decay=c.weight_decay,
        evaluate=lambda network, progress: evaluate(network, test, progress),
        evaluate_every=math.ceil(len(data) / c.batch_size / 2),
        first=FIRST,
    )


def evaluate(network: nn.Module, test: torch.Tensor, progress: Progress) -> Generator[None, None, Evaluation]:
    """Ask how likely each test face smiles: some of them, and all at the end; pauses often (see `fit`)."""
    said = yield from outputs(network, test, TESTED if progress.step == progress.steps else QUICK)
    return Evaluation(progress.step, torch.softmax(said, 1)[:, 1].clone())


def prepare(config: Config) -> Iterator[None]:
    """Do once, ahead of the first run, what makes it wait: draw the faces and make an optimiser."""
    yield warm_up()
    yield from training_set(config).images.making()
    yield held_out_pictures(config.noise)
