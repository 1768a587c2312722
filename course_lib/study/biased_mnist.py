"""The experiments of the Biased MNIST paper: methods, what they are told, and how strong the biases are.

R. Shrestha, K. Kafle, C. Kanan, arXiv 2104.00170: table 1 and figure 3 (``TABLE1``), other strengths (``STRENGTH``)
and figure 5 (``EXPLICIT_COUNT``). Every run of a preset has the same network, images, epochs, batch size and
optimiser; test images have strength 0.1. The methods' own settings are those of the paper, and so are all of the
preset "paper" but for the optimiser, which is AdamW in place of Adam. The learning rate of "laptop" is the best of
``SEARCH``, for the standard model and training digits that are held out; its network, batch size and weight decay are
those of lesson 07.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Any

import torch
from torch import Tensor

from course_lib.data import biased_mnist, digits
from course_lib.data.biased_mnist import UNBIASED, VARIABLES, BiasedMNIST
from course_lib.errors import CourseError
from course_lib.mitigation.experiment import dataset, evaluate, pictures
from course_lib.mitigation.methods import METHODS
from course_lib.mitigation.result import Evaluation
from course_lib.networks import make_network
from course_lib.randomness import generator
from course_lib.study import Row, Study
from course_lib.training import Progress, TrainingSet, fit

PAPER_METHODS = ("StdM", "UpWt", "GDRO", "RUBi", "LNL", "IRMv1", "LFF", "SD")  # the methods of the paper
STRENGTHS = (0.1, 0.5, 0.7, 1.0)
COUNTS = (1, 3, 7)
RATES = (3e-3, 1e-2, 3e-2, 1e-1, 3e-1)  # that the search tries
ORDER = tuple(VARIABLES)  # of the explicit variables, when a method is told the first k
SHAPE = "distractor_shape"  # what a method is told where it is told one variable only


@dataclass(frozen=True)
class Preset:
    """What a run of a study costs: images, network, training."""

    network: str
    cell: int
    n_train: int
    n_test: int
    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    one_cycle: bool


PRESETS = {
    "laptop": Preset("laptop", 14, 20_000, 10_000, 5, 64, 1e-1, 1e-2, True),
    "paper": Preset("paper", 32, 50_000, 10_000, 30, 128, 1e-3, 1e-5, False),
}


def plan_table1(source: str, seeds: int, preset: str) -> list[Row]:
    """Return the runs of table 1: strength 0.7; each method that is told something is told each variable in turn."""
    return [
        _row(source, preset, seed, method, 0.7, variable, "value")
        for seed, method in product(range(seeds), PAPER_METHODS)
        for variable in (ORDER if is_told(method) else [""])
    ]


def plan_strength(source: str, seeds: int, preset: str) -> list[Row]:
    """Return each method at each strength, told the distractor's shape."""
    return [
        _row(source, preset, seed, method, strength, SHAPE if is_told(method) else "", "value")
        for seed, strength, method in product(range(seeds), STRENGTHS, PAPER_METHODS)
    ]


def plan_explicit_count(source: str, seeds: int, preset: str) -> list[Row]:
    """Return the runs of figure 5: strength 0.7; told of the first k variables who is in the majority, who not."""
    return [
        _row(source, preset, seed, method, 0.7, "+".join(ORDER[:count]) if is_told(method) else "", "majority")
        for seed, method in product(range(seeds), PAPER_METHODS)
        for count in (COUNTS if is_told(method) else [0])
    ]


def plan_search(source: str, seeds: int, preset: str) -> list[Row]:
    """Return the runs of the search: StdM with each learning rate, strength 0.7, tested on held-out digits."""
    return [
        _row(source, preset, seed, "StdM", 0.7, "", "") | {"lr": lr, "tested_on": "held out"}
        for seed, lr in product(range(seeds), RATES)
    ]


def is_told(method: str) -> bool:
    """Return whether a method is told something of the biases."""
    return METHODS[method].knows == "bias labels"


def _row(source: str, preset: str, seed: int, method: str, strength: float, explicit: str, told_as: str) -> Row:
    """Return the configuration of a run: all that its result follows from."""
    row = {"source": source, "preset": preset, "seed": seed, "method": method, "strength": strength}
    row |= {"explicit": explicit, "told_as": told_as if explicit else "", "settings": settings_of(method)}
    return row | asdict(PRESETS[preset]) | {"tested_on": "test"}


def settings_of(method: str) -> str:
    """Return a method's own settings as a text, such as "lam 0.01, reversal 0.1"."""
    return ", ".join(f"{s.name} {s.default:g}" for s in METHODS[method].settings)


def labels_told(data: BiasedMNIST, explicit: str, told_as: str) -> tuple[Tensor | None, int]:
    """Return what a method is told of each image, int64 [N], and how many values that can have.

    ``told_as`` "value": the value of one variable. "majority": of each of the variables, joined by "+", whether the
    image is in the majority, 2^k values. "": nothing, None.
    """
    if not told_as:
        return None, 1
    columns = [ORDER.index(variable) for variable in explicit.split("+")]
    if told_as == "value":
        return data.values[:, columns[0]], 10
    bits = data.majority[:, columns].long()
    return (bits << torch.arange(len(columns), device=bits.device)).sum(1), 2 ** len(columns)


def measure(configuration: Row, device: str) -> Generator[Progress, None, Row]:
    """Train one network; return the unbiased accuracy, and of each variable both groups' accuracies and counts."""
    now = None
    for now in training(configuration, device):
        yield now
    return columns(now.evaluation)


def training(c: Mapping[str, Any], device: str) -> Iterator[Progress]:
    """Start the training of one row: all follows from its seed."""
    train = dataset(c["source"], "train", c["strength"], c["n_train"], c["seed"], c["cell"], device)
    if c["tested_on"] == "test":
        test = dataset(c["source"], "test", UNBIASED, c["n_test"], 0, c["cell"], device)
    else:
        test = held_out(c["source"], c["n_train"], c["n_test"], c["seed"], c["cell"], device)
    bias, values = labels_told(train, c["explicit"], c["told_as"])
    data = TrainingSet(pictures(train), train.labels, bias, values=values)
    network = make_network(c["network"], generator(c["seed"], "network"), device)
    return fit(
        METHODS[c["method"]](network, data, generator(c["seed"], "training")),
        epochs=c["epochs"],
        batch_size=c["batch_size"],
        lr=c["lr"],
        weight_decay=c["weight_decay"],
        one_cycle=c["one_cycle"],
        evaluate=lambda network, progress: evaluate(network, test, progress),
    )


@lru_cache(maxsize=2)
def held_out(source: str, n_train: int, n: int, seed: int, cell: int, device: str) -> BiasedMNIST:
    """Return ``n`` unbiased images of training digits that the training images of the same seed do not show.

    Which digits are drawn depends on neither strength nor number, so those after the first ``n_train`` are others.
    Raises `CourseError` if the source has too few digits for both.
    """
    there = len(digits.load_shared(source, "train")[1])
    if n_train + n > there:
        raise CourseError(
            f"A search needs {n_train + n:,} different digits, {n:,} of them held out, and {source} has {there:,}: "
            "take --source mnist."
        )
    both = biased_mnist.make(source, "train", UNBIASED, n_train + n, seed, cell)
    rest = {name: getattr(both, name)[n_train:] for name in ("digits", "labels", "values", "majority")}
    return replace(both, **rest).to(device)


def columns(evaluation: Evaluation) -> Row:
    """Return the row of an evaluation: unbiased accuracy, then "VARIABLE majority", "VARIABLE minority" and n."""
    found: Row = {"unbiased accuracy": round(evaluation.unbiased, 4)}
    for row in evaluation.groups().itertuples():
        found[f"{row.variable} {row.group}"] = round(row.accuracy, 4)
        found[f"{row.variable} {row.group} n"] = row.n
    return found


TABLE1, STRENGTH, EXPLICIT_COUNT, SEARCH = (
    Study(plan, measure, presets=tuple(PRESETS), devices=True)
    for plan in (plan_table1, plan_strength, plan_explicit_count, plan_search)
)
