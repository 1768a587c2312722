"""One run of the lab: train one method on biased digits, and see on unbiased ones what it learned."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import pandas as pd
from torch import nn

from course_lib import metrics
from course_lib.data import biased_mnist, digits
from course_lib.data.biased_mnist import UNBIASED, VARIABLES, BiasedMNIST
from course_lib.data.render import require_cell
from course_lib.errors import CourseError, require_choice, require_integer, require_number
from course_lib.mitigation.methods import METHODS, Method
from course_lib.networks import NETWORKS, make_network
from course_lib.randomness import MAX_SEED, generator
from course_lib.training import (
    Images,
    Progress,
    TrainingSet,
    fit,
    predict,
    progress_bar,
    require_device,
    warm_up,
)

GROUPS = ("majority", "minority")
QUICK = 500  # test images that an evaluation on the way looks at; the last one looks at all
MAX_KEPT = 2**27  # bytes of images kept in memory; larger sets are drawn batch by batch


@dataclass(frozen=True)
class Config:
    """Everything that decides a run; checked when made (`CourseError`), and usable as a key.

    ``strength`` is one number in [0, 1] or a mapping from variables to numbers (the others: 0.1).
    ``explicit`` is the bias variable that methods which know bias labels are told. ``settings`` are the
    method's own (see ``METHODS[method].settings``). The test set is always unbiased (strength 0.1).
    """

    method: str = "StdM"
    strength: float | tuple[float, ...] | Mapping[str, float] = 0.5
    explicit: str = "distractor_shape"
    source: str = "bundled"
    seed: int = 0
    epochs: int = 4
    settings: tuple[tuple[str, float], ...] | Mapping[str, float] = ()
    network: str = "laptop"
    cell: int = 14
    n_train: int = 8000
    n_test: int = 2000
    batch_size: int = 64
    lr: float = 1e-2
    weight_decay: float = 1e-2
    one_cycle: bool = True
    device: str = "cpu"
    # The bias variable that the method is told: ``explicit``, or None for a method told nothing.
    told: str | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self):
        strengths = self.strength
        if isinstance(strengths, tuple) and len(strengths) == len(VARIABLES):
            strengths = dict(zip(VARIABLES, strengths, strict=True))
        strengths = biased_mnist.strengths(strengths)
        same = len(set(strengths)) == 1
        self._set("strength", strengths[0] if same else strengths)
        require_choice("explicit", self.explicit, VARIABLES)
        method = METHODS[self.method]
        self._set("told", self.explicit if method.knows == "bias labels" else None)
        self._set("settings", self._changed_settings(method))
        require_choice("source", self.source, digits.SOURCES)
        require_choice("network", self.network, NETWORKS)
        self._set("seed", require_integer("seed", self.seed, 0, MAX_SEED))
        self._set("epochs", require_integer("epochs", self.epochs, 1, 100))
        self._set("n_train", require_integer("n_train", self.n_train, 100, biased_mnist.MAX_IMAGES))
        self._set("n_test", require_integer("n_test", self.n_test, 100, biased_mnist.MAX_IMAGES))
        self._set("cell", require_cell(self.cell))
        if self.network == "laptop" and self.cell % 2:
            raise CourseError(f"cell must be even for the laptop network, which halves the image; it was {self.cell}.")
        self._set("batch_size", require_integer("batch_size", self.batch_size, 2, 100_000))
        self._set("lr", require_number("lr", self.lr, 0, 100))
        self._set("weight_decay", require_number("weight_decay", self.weight_decay, 0, 100))
        require_device(self.device)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)  # the way to normalise a field of a frozen dataclass

    def _changed_settings(self, method: type[Method]) -> tuple[tuple[str, float], ...]:
        """Return the settings that are not the method's defaults, so that equal runs have equal keys."""
        try:
            given = dict(self.settings)
        except (TypeError, ValueError):
            raise CourseError(f"settings must map names to numbers; they were {self.settings!r}.") from None
        checked, defaults = method.check(given), method.check({})
        return tuple(sorted((name, value) for name, value in checked.items() if value != defaults[name]))

    def strengths(self) -> dict[str, float]:
        """Return the strength of each of the seven variables."""
        given = self.strength if isinstance(self.strength, tuple) else (self.strength,) * len(VARIABLES)
        return dict(zip(VARIABLES, given, strict=True))


@dataclass(frozen=True)
class Evaluation:
    """What a network says of the unbiased test images after ``step`` steps.

    correct, n: int arrays [7 variables, 2] for majority and minority; unbiased: the mean over groups;
    predicted: int64 [N test images].
    """

    step: int
    correct: np.ndarray
    n: np.ndarray
    unbiased: float
    predicted: np.ndarray = field(repr=False)

    def groups(self) -> pd.DataFrame:
        """Return one row per variable and group: variable, group, n, accuracy, low, high (95 %)."""
        index = pd.MultiIndex.from_product([VARIABLES, GROUPS], names=["variable", "group"])
        table = metrics.accuracy_table(self.correct.ravel(), self.n.ravel())
        return pd.concat([index.to_frame(index=False), table], axis=1)


@dataclass(frozen=True, eq=False)
class Result:
    """A run so far: its losses [steps done] and evaluations; ``finished`` once all steps are done."""

    config: Config
    steps: int
    losses: tuple[float, ...]
    evaluations: tuple[Evaluation, ...]

    def __repr__(self) -> str:
        c = self.config
        return (
            f"<{c.method}, strength {c.strength}, {c.source} digits, seed {c.seed}: step {self.step} of {self.steps}, "
            f"unbiased accuracy {self.unbiased_accuracy:.3g}>"
        )

    @property
    def step(self) -> int:
        return len(self.losses)

    @property
    def loss(self) -> float:
        """The loss of the latest step."""
        return self.losses[-1]

    @property
    def finished(self) -> bool:
        return bool(self.evaluations) and self.evaluations[-1].step == self.steps

    @property
    def unbiased_accuracy(self) -> float:
        """The latest unbiased accuracy: the mean over the groups (value, digit) of all variables."""
        return self.evaluations[-1].unbiased if self.evaluations else float("nan")

    def groups(self) -> pd.DataFrame:
        """Return the latest accuracies: variable, group, n, accuracy, low, high."""
        return self.evaluations[-1].groups()

    def mmd(self) -> pd.DataFrame:
        """Return the latest majority/minority differences: variable, mmd, low, high, kind.

        kind is "explicit" for the variable that the method was told, else "implicit".
        """
        table = metrics.mmd(self.groups())
        return table.assign(kind=[self.kind(v) for v in table["variable"]])

    def kind(self, variable: str) -> str:
        """Return "explicit" for the variable that this run's method was told, else "implicit"."""
        return "explicit" if variable == self.config.told else "implicit"

    def summary(self) -> dict[str, object]:
        """Return one row for a table of runs: the settings, unbiased accuracy, worst minority, MMDs."""
        c, groups, mmd = self.config, self.groups(), self.mmd().set_index("variable")["mmd"]
        strength = "/".join(f"{s:g}" for s in c.strength) if isinstance(c.strength, tuple) else c.strength
        row = {"method": c.method, "strength": strength, "told": c.told or "nothing", "digits": c.source}
        row |= {"seed": c.seed, "epochs": c.epochs, "unbiased accuracy": self.unbiased_accuracy}
        row["worst minority"] = groups.loc[groups["group"] == "minority", "accuracy"].min()
        return row | {f"MMD {v}": value for v, value in mmd.items()}

    def mean_iosm(self, standard: Result) -> dict[str, float]:
        """Return the improvement over a StdM run, averaged over the variables, for both groups."""
        table = metrics.iosm(self.groups(), standard.groups()).groupby("group")["iosm"].mean()
        return {f"IOSM {group}": table[group] for group in GROUPS}


def run(config: Config | None = None, *, progress: bool = True, **changes: object) -> Result:
    """Train and evaluate one run, e.g. ``run(method="GDRO", strength=0.7)``; the same again is instant.

    Pass a `Config`, its fields by name, or a `Config` and what to change. ``progress`` draws a progress bar.
    Raises `CourseError` for settings out of range. Taught in: notebook 07.
    """
    config = replace(config, **changes) if config else Config(**changes)
    results = stream(config)
    if progress and cached(config) is None:
        results = progress_bar(results, config.method)
    result = None
    for result in results:  # noqa: B007 - the last one counts
        pass
    return result


_finished: dict[object, Result] = {}  # at most 64 results of some 20 kB


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


def stream(config: Config) -> Iterator[Result]:
    """Yield the growing `Result` after every step and pause; stop iterating to cancel.

    A result that this process has already is yielded at once.
    """
    config = replace(config)  # checks it again: its method may have been replaced since
    known = cached(config)
    if known is not None:
        yield known
        return
    losses: list[float] = []
    evaluations: tuple[Evaluation, ...] = ()
    for p in _training(config):
        if p.step > len(losses):
            losses.append(p.loss)
        if p.evaluation is not None:
            evaluations = (*evaluations, p.evaluation)
        result = Result(config, p.steps, tuple(losses), evaluations)
        yield result
    _finished[_key(config)] = result
    while len(_finished) > 64:
        del _finished[next(iter(_finished))]


def prepare(config: Config) -> Iterator[None]:
    """Do once, ahead of the first run, what makes it wait: load the digits and make an optimiser."""
    yield warm_up()
    for split, strength, n in (("train", config.strength, config.n_train), ("test", UNBIASED, config.n_test)):
        seed = config.seed if split == "train" else 0
        dataset(config.source, split, strength, n, seed, config.cell, config.device)
        yield


def _training(config: Config) -> Iterator[Progress]:
    """Set up data, network and method from the seed, and start `fit`."""
    c = config
    train = dataset(c.source, "train", c.strength, c.n_train, c.seed, c.cell, c.device)
    test = dataset(c.source, "test", UNBIASED, c.n_test, 0, c.cell, c.device)  # the same for every run
    told = None if c.told is None else train.values[:, list(VARIABLES).index(c.told)]
    data = TrainingSet(pictures(train), train.labels, told)
    network = make_network(c.network, generator(c.seed, "network"), c.device)
    objective = METHODS[c.method](network, data, generator(c.seed, "training"), **dict(c.settings))
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
    """Return `biased_mnist.make` of these arguments, kept: a new method or seed needs no new images."""
    if isinstance(strength, tuple):
        strength = dict(zip(VARIABLES, strength, strict=True))
    return biased_mnist.make(source, split, strength, n, seed, cell).to(device)


def pictures(data: BiasedMNIST) -> Images:
    """Return all images of a set if they fit in memory, else the function that draws a batch of them."""
    return data.images if len(data) * 27 * data.cell**2 <= MAX_KEPT else data.batch


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
