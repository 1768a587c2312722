"""Rendering and training, on one core."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F

from course_lib import training
from course_lib.bench import Figure
from course_lib.data import biased_mnist, faces
from course_lib.data.digits import load
from course_lib.mitigation import METHODS, Config, run
from course_lib.networks import make_network
from course_lib.randomness import generator

STEPS = 40  # of one timed stretch of training


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure_render() -> Iterator[Figure]:
    images, labels = load("bundled", "train")
    chosen = torch.arange(4000) % len(labels)
    values = biased_mnist.sample(labels[chosen], 0.7, generator(0, "bench"))
    for cell, aim in ((32, ">= 22000"), (14, "")):

        def draw(cell: int = cell) -> None:
            biased_mnist.render(images[chosen], values, cell)

        draw()
        speed = len(chosen) / statistics.median(seconds(draw) for _ in range(7))
        yield Figure(f"images rendered at {3 * cell} x {3 * cell}", speed, "per s", aim)


def measure_faces() -> Iterator[Figure]:
    drawn = faces.sample(4000)
    for size, aim in ((32, ">= 5000"), (64, "")):
        faces.render(drawn, size)
        speed = len(drawn) / statistics.median(seconds(lambda size=size: faces.render(drawn, size)) for _ in range(5))
        yield Figure(f"faces rendered at {size} x {size}", speed, "per s", aim)


def measure_train() -> Iterator[Figure]:
    run(n_train=640, n_test=100, epochs=1, progress=False)  # imports and caches
    times = []
    for seed in range(3):
        config = Config(strength=0.1, seed=seed)
        times.append(seconds(lambda config=config: run(config, progress=False)))
        yield Figure(f"StdM, no bias, bundled, seed {seed}", run(config).unbiased_accuracy, "accuracy", ">= 0.75")
    yield Figure("StdM, 8,000 images, 4 epochs, evaluated", statistics.median(times), "s", "<= 15")
    ratios = [b / a for a, b in ((_stretch("StdM"), _bare_stretch()) for _ in range(7))]
    yield Figure("fit against a bare loop, throughput", statistics.median(ratios), "ratio", ">= 0.9")


def measure_methods() -> Iterator[Figure]:
    times = {name: [] for name in METHODS}
    for _ in range(4):
        for name in METHODS:
            times[name].append(_stretch(name))
    times = {name: statistics.median(seen[1:]) for name, seen in times.items()}  # the first warms up
    for name in METHODS:
        yield Figure(f"cost of {name}", times[name] / times["StdM"], "x StdM", "<= 3")


def _setup(bias: bool) -> tuple[torch.nn.Module, training.TrainingSet]:
    data = biased_mnist.make("bundled", "train", 0.5, 8000, 0, 14)
    network = make_network("laptop", generator(0, "network"))
    return network, training.TrainingSet(data.images, data.labels, data.values[:, 3] if bias else None)


def _stretch(name: str) -> float:
    """Return the seconds that ``STEPS`` steps of `fit` take."""
    network, data = _setup(METHODS[name].knows == "bias labels")
    objective = METHODS[name](network, data, generator(0, "bench"))
    steps = training.fit(objective, batch_size=64)
    next(steps)
    return seconds(lambda: [next(steps) for _ in range(STEPS)])


def _bare_stretch() -> float:
    """Return the seconds that the same steps take in the plainest loop over the same tensors."""
    network, data = _setup(False)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2, fused=True)
    batches = torch.randperm(len(data), generator=generator(0, "bench")).split(64)
    network.train()

    def step(index: torch.Tensor) -> None:
        x = data.images[index].to(torch.float32, memory_format=torch.channels_last).div_(255)
        optimizer.zero_grad()
        F.cross_entropy(network(x), data.labels[index]).backward()
        optimizer.step()

    step(batches[0])
    return seconds(lambda: [step(index) for index in batches[1 : STEPS + 1]])
