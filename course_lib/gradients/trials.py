"""How answers to this lesson's exercises are measured; students may read it, it holds no solution."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator

import torch
from torch import Tensor, nn

from course_lib.data import digits
from course_lib.errors import CourseError
from course_lib.grading.sheet import require_decimals
from course_lib.networks import build
from course_lib.randomness import generator
from course_lib.runs import finish
from course_lib.training import Objective, Progress, TrainingSet, fit, inputs, predict

DEPTH, WIDTH = 30, 128
EPOCHS, BATCH_SIZE, LR = 9, 32, 3e-4


def propagation(arguments: tuple, weights: Tensor) -> Tensor:
    """Return two numbers about ReLU layers with these ``weights`` [L, n, n], for the batch ``arguments[0]``.

    By what factor a layer changes the norm of the signal (geometric mean), and how different the units of the
    last layer are (standard deviation of their means over the batch, relative to the root mean square).
    """
    x, weights = arguments[0].double(), torch.as_tensor(weights).double()
    log = 0.0
    for weight in weights:
        before, x = x.norm(), torch.relu(x @ weight.T)
        if x.norm() == 0:
            return torch.zeros(2)
        log += float((x.norm() / before).log())
        x = x / x.norm()
    means = x.mean(0)
    return torch.tensor([math.exp(log / len(weights)), float(means.std() / means.square().mean().sqrt())])


class Deep(nn.Module):
    """Digits in, logits out, ``depth`` ReLU layers of equal width between, whose biases start at 0."""

    def __init__(self, width: int = WIDTH, depth: int = DEPTH):
        super().__init__()
        self.first, self.head = nn.Linear(784, width), nn.Linear(width, 10)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))

    def enter(self, x: Tensor) -> Tensor:
        """Return what goes into the first of the layers."""
        return torch.relu(self.first((x.flatten(1) - 0.13) / 0.31))  # about the digits' mean and deviation

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.head(x)


def accuracy(function: Callable, seed: int) -> Generator[Progress, None, float]:
    """Generator that trains a deep network from the weights of ``function(x, depth, generator)``.

    It yields `Progress` after every step and returns the accuracy on the test digits.
    """
    images, labels = digits.load("bundled", "train")
    network = build(Deep, generator(seed, "network"))
    with torch.no_grad():
        x = network.enter(inputs(images[:, None], slice(0, BATCH_SIZE)))
    given = function(x.clone(), DEPTH, generator(seed, "weights"))
    _fill(network, require_decimals(given, (DEPTH, WIDTH, WIDTH)))
    data = TrainingSet(images[:, None], labels)
    objective = Objective(network, data, generator(seed, "training"))
    try:
        yield from fit(objective, epochs=EPOCHS, batch_size=BATCH_SIZE, lr=LR, weight_decay=0, one_cycle=False)
    except CourseError as error:  # whose advice is for those who choose the learning rate
        raise CourseError("The loss is no finite number: the signal grows from layer to layer.") from error
    test, right = digits.load("bundled", "test")
    network.eval()
    predicted = finish(predict(network, test[:, None], len(test)))
    return float((predicted == right).float().mean())


@torch.no_grad()
def _fill(network: Deep, weights: Tensor) -> None:
    for layer, weight in zip(network.layers, weights, strict=True):
        layer.weight.copy_(weight)
        layer.bias.zero_()
