"""Another source and another target: a network that has learned printed digits reads handwritten ones."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from copy import deepcopy
from functools import lru_cache

import torch
from torch import Tensor, nn

from course_lib.data import digits, printed
from course_lib.errors import require_choice, require_integer
from course_lib.networks import Laptop, build
from course_lib.randomness import MAX_SEED, generator
from course_lib.runs import finish
from course_lib.training import Objective, Progress, TrainingSet, fit, predict, ticking

STARTS = {"scratch": 1e-2, "print": 3e-3}  # and the learning rate: the one at random, or near something good
CHANNELS = (16, 32, 64)
PRINTED, EPOCHS = 6000, 3  # of the source task
STEPS, BATCH = 150, 32  # of the target task, whatever its number of labels; rounded up to whole epochs
MOST, TESTED = 1000, 1000  # labels that can be bought; digits that a network is tested on, if there are as many


def read_handwriting(labels: int = 50, start: str = "print", seed: int = 0, source: str = "bundled") -> float:
    """Return the accuracy, 0 to 1, on handwritten digits of a network trained with few labelled ones.

    labels: how many, 0 to 1,000; start: "scratch", at random, or "print", from a network that has learned 6,000
    printed digits, all layers of which go on learning; seed: of the labelled digits, the random weights and the order;
    source: of the handwriting, see `digits.load`. Some 3 seconds, and 3 more for the printed ones, once. Raises
    `CourseError` for values out of range. Taught in: notebook 04.
    """
    return finish(reading(labels, start, seed, source))


def reading(labels: int, start: str, seed: int, source: str) -> Generator[Progress, None, float]:
    """Generator that does what `read_handwriting` says, and yields how far it is."""
    labels = require_integer("labels", labels, 0, MOST)
    require_choice("start", start, STARTS)
    random = generator(require_integer("seed", seed, 0, MAX_SEED), "handwriting/labels")
    images, truth = digits.load_shared(source, "train")
    chosen = torch.randperm(len(truth), generator=random)[:labels]
    network = deepcopy(print_reader()) if start == "print" else _network(seed)
    if labels:
        size = max(2, min(BATCH, labels))
        epochs = math.ceil(STEPS / math.ceil(labels / size))
        yield from _training(network, images[chosen], truth[chosen], STARTS[start], epochs, size, seed)
    images, truth = (part[:TESTED] for part in digits.load_shared(source, "test"))
    last = Progress(STEPS, STEPS, math.nan)
    said = yield from ticking(predict(network.eval(), _three(images), len(truth)), last)
    return float((said == truth).float().mean())


@lru_cache(maxsize=1)
def print_reader() -> nn.Module:
    """Return the network that has learned printed digits; it is shared, and not to be trained on."""
    network = _network(0)
    images, truth = printed.sample(PRINTED)
    for _ in _training(network, images, truth, STARTS["scratch"], EPOCHS, 64, 0):
        pass
    return network.eval()


def _network(seed: int) -> nn.Module:
    random = generator(seed, "handwriting/network")
    return build(lambda: Laptop(10, CHANNELS), random).to(memory_format=torch.channels_last)


def _training(
    network: nn.Module, images: Tensor, labels: Tensor, lr: float, epochs: int, size: int, seed: int
) -> Iterator[Progress]:
    """Start `fit` with grey digits, uint8 [N, 28, 28]."""
    objective = Objective(network, TrainingSet(_three(images), labels), generator(seed, "handwriting/training"))
    return fit(objective, epochs=epochs, batch_size=size, lr=lr)


def _three(images: Tensor) -> Tensor:
    """Return grey images [N, 28, 28] as the network takes them: [N, 3, 28, 28]."""
    return images[:, None].expand(-1, 3, -1, -1)
