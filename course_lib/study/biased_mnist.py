"""The experiments of the Biased MNIST paper: methods, what they are told, and how strong the biases are.

R. Shrestha, K. Kafle, C. Kanan, arXiv 2104.00170: table 1 (``TABLE1``), figure 3 (``STRENGTH``) and figure 5
(``EXPLICIT_COUNT``). Every run of a preset has the same network, images, epochs, batch size and optimiser; test
images have strength 0.1. The methods' own settings are those of the paper. No setting was chosen by a test image.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor

from course_lib.data.biased_mnist import UNBIASED, VARIABLES, BiasedMNIST
from course_lib.mitigation.experiment import dataset, evaluate, pictures
from course_lib.mitigation.methods import METHODS
from course_lib.mitigation.result import Evaluation
from course_lib.networks import make_network
from course_lib.randomness import generator
from course_lib.study import Row, Study
from course_lib.training import Progress, TrainingSet, fit

PAPERS = ("StdM", "UpWt", "GDRO", "RUBi", "LNL", "IRMv1", "LFF", "SD")  # the methods of the paper
STRENGTHS = (0.1, 0.3, 0.5, 0.7, 0.9)
COUNTS = (1, 2, 3, 5, 7)
ORDER = tuple(VARIABLES)  # of the explicit variables, when a method is told the first k


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
    "laptop": Preset("laptop", 14, 20_000, 10_000, 8, 64, 1e-2, 1e-2, True),
    "paper": Preset("paper", 32, 50_000, 10_000, 30, 128, 1e-3, 1e-5, False),
}


def plan_table1(source: str, seeds: int, preset: str) -> list[Row]:
    """Return the runs of table 1: strength 0.7; each method that is told something is told each variable in turn."""
    return [
        _row(source, preset, seed, method, 0.7, variable)
        for seed, method in product(range(seeds), PAPERS)
        for variable in (ORDER if _is_told(method) else [""])
    ]


def plan_strength(source: str, seeds: int, preset: str) -> list[Row]:
    """Return the runs of figure 3: each method at each strength, told the distractor's shape."""
    return [
        _row(source, preset, seed, method, strength, "distractor_shape" if _is_told(method) else "")
        for seed, strength, method in product(range(seeds), STRENGTHS, PAPERS)
    ]


def plan_explicit_count(source: str, seeds: int, preset: str) -> list[Row]:
    """Return the runs of figure 5: strength 0.7; told of the first k variables who is in the majority, who not."""
    return [
        _row(source, preset, seed, method, 0.7, "+".join(ORDER[:count]) if _is_told(method) else "")
        for seed, method in product(range(seeds), PAPERS)
        for count in (COUNTS if _is_told(method) else [0])
    ]


def _is_told(method: str) -> bool:
    return METHODS[method].knows == "bias labels"


def _row(source: str, preset: str, seed: int, method: str, strength: float, explicit: str) -> Row:
    names = {"source": source, "preset": preset, "seed": seed, "method": method}
    p = PRESETS[preset]
    sizes = {"n_train": p.n_train, "epochs": p.epochs}  # so that a row says what it took, whatever the preset was then
    return {**names, "strength": strength, "explicit": explicit, **sizes}


def told(data: BiasedMNIST, explicit: str, by_value: bool) -> tuple[Tensor | None, int]:
    """Return what a method is told of each image, int64 [N], and how many values that can have.

    Of one variable, ``by_value``: its value. Else of each of the variables, joined by "+", whether the image is in
    the majority: 2^k values. Of none: None.
    """
    if not explicit:
        return None, 1
    columns = [ORDER.index(variable) for variable in explicit.split("+")]
    if by_value:
        return data.values[:, columns[0]], 10
    bits = data.majority[:, columns].long()
    return (bits << torch.arange(len(columns), device=bits.device)).sum(1), 2 ** len(columns)


def measure_by_value(configuration: Row, device: str) -> Generator[Progress, None, Row]:
    """Train one network whose method is told the values of a variable; see `_measure`."""
    return _measure(configuration, device, by_value=True)


def measure_by_majority(configuration: Row, device: str) -> Generator[Progress, None, Row]:
    """Train one network whose method is told who is in the majority; see `_measure`."""
    return _measure(configuration, device, by_value=False)


def _measure(c: Row, device: str, by_value: bool) -> Generator[Progress, None, Row]:
    """Train one network; return the unbiased accuracy, and of each variable both groups' accuracies and counts."""
    now = None
    for now in training(c, PRESETS[c["preset"]], device, by_value):
        yield now
    return columns(now.evaluation)


def training(c: Mapping[str, Any], preset: Preset, device: str, by_value: bool = True) -> Iterator[Progress]:
    """Start the training of one row: all follows from its seed."""
    train = dataset(c["source"], "train", c["strength"], c["n_train"], c["seed"], preset.cell, device)
    test = dataset(c["source"], "test", UNBIASED, preset.n_test, 0, preset.cell, device)
    bias, values = told(train, c["explicit"], by_value)
    data = TrainingSet(pictures(train), train.labels, bias, values=values)
    network = make_network(preset.network, generator(c["seed"], "network"), device)
    return fit(
        METHODS[c["method"]](network, data, generator(c["seed"], "training")),
        epochs=c["epochs"],
        batch_size=preset.batch_size,
        lr=preset.lr,
        weight_decay=preset.weight_decay,
        one_cycle=preset.one_cycle,
        evaluate=lambda network, progress: evaluate(network, test, progress),
    )


def columns(evaluation: Evaluation) -> Row:
    """Return the row of an evaluation: unbiased accuracy, then "VARIABLE majority", "VARIABLE minority" and n."""
    found: Row = {"unbiased accuracy": round(evaluation.unbiased, 4)}
    for row in evaluation.groups().itertuples():
        found[f"{row.variable} {row.group}"] = round(row.accuracy, 4)
        found[f"{row.variable} {row.group} n"] = row.n
    return found


def _study(plan: Any, measure: Any) -> Study:
    return Study(plan, measure, presets=tuple(PRESETS), devices=True)


TABLE1 = _study(plan_table1, measure_by_value)
STRENGTH = _study(plan_strength, measure_by_value)
EXPLICIT_COUNT = _study(plan_explicit_count, measure_by_majority)
