"""Augmentations, one by one, and a run of lesson 03, on one core."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import torch

from course_lib.augmentation import AUGMENTATIONS, Config, augment, make_gallery, run
from course_lib.bench import Figure
from course_lib.bench.compute import seconds
from course_lib.data.digits import load
from course_lib.randomness import generator
from course_lib.training import THREADS

AMOUNTS = {"translate": 2, "rotate": 15, "scale": 0.2, "flip_horizontal": 0.5, "flip_vertical": 0.5}
AMOUNTS |= {"erase": 0.2, "gaussian": 0.1, "laplacian": 0.1}


def measure_augmentation() -> Iterator[Figure]:
    images = load("bundled", "train")[0][torch.arange(4096) % 1297, None] / 255
    draw = generator(0, "bench")
    for name, amount in AMOUNTS.items():

        def work(one: dict[str, float] = {name: amount}) -> None:  # noqa: B006 - bound here, never changed
            augment(images, draw, one)

        work()
        speed = len(images) / statistics.median(seconds(work) for _ in range(7))
        yield Figure(f"{AUGMENTATIONS[name].title}, 28 x 28 images", speed / THREADS, "per s, core", ">= 20000")
    times = [seconds(lambda seed=seed: run(seed=seed, progress=False)) for seed in range(4)]
    yield Figure("two networks, 1,297 digits, 40 epochs", statistics.median(times[1:]), "s")
    config = Config()
    make_gallery(config)
    yield Figure(
        "gallery and reading",
        1000 * statistics.median(seconds(lambda: make_gallery(config)) for _ in range(9)),
        "ms",
        "<= 50",
    )
