"""Batch normalisation: strategy 2 while it trains, strategy 1 when it is used, and what goes wrong in between."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import pandas as pd
import torch
from torch import Tensor, nn

from course_lib.data import digits
from course_lib.networks import build
from course_lib.normalization.config import BatchNormConfig
from course_lib.randomness import generator
from course_lib.training import Objective, TrainingSet, fit

SIZES = (1, 2, 5, 10, 20, 50, 100)
ASKED = 300  # test digits that each accuracy is measured on

Statistics = list[tuple[Tensor, Tensor]]  # mean and variance of each batch-norm layer, [K, channels]


@dataclass(frozen=True, eq=False)
class BatchNormResult:
    """What one network says of the same images in train mode and in eval mode.

    eval_true, train_true: the probability of the true digit, [B], for each image of one batch, and their
    ``labels``; ``train_true`` is None where torch refuses the batch. by_size: columns n, train, eval: accuracy
    over 300 test digits in batches of n. drift: columns batches, accuracy, moved: after so many batches in
    train mode with frozen weights, the accuracy in eval mode on ordinary digits, and how far the running means
    of the first layer have moved, in its standard deviations.
    """

    config: BatchNormConfig
    labels: Tensor
    eval_true: Tensor
    train_true: Tensor | None
    by_size: pd.DataFrame
    drift: pd.DataFrame | None

    def accuracy(self, mode: str) -> float:
        """Return the accuracy in ``mode`` ("train" or "eval") in batches of the chosen size; NaN if refused."""
        return float(self.by_size.loc[self.by_size["n"] == self.config.batch_size, mode].iloc[0])


def run_batchnorm(config: BatchNormConfig | None = None, **changes: object) -> BatchNormResult:
    """Show digits to a trained network in both modes, e.g. ``run_batchnorm(batch_size=2)``.

    The first time for a layer and a seed it trains the network, for some half a second. Raises `CourseError`
    for settings out of range. Taught in: notebook 02.
    """
    c = BatchNormConfig.made_of(config, changes)
    network = trained(c.layer, c.seed)
    x, labels = _asked(c.seed, c.by_digit, c.brightness)
    b = c.batch_size
    refused = refuses(c.layer, b)

    def true(logits: Tensor) -> Tensor:
        return logits.softmax(-1)[0].gather(-1, labels[:b, None])[:, 0]

    with torch.inference_mode():
        batch = x[None, :b]
        train_true = None if refused else true(forward(network, batch)[0])
        eval_true = true(forward(network, batch, stored(network))[0])
    by_size = _by_size(c.layer, c.seed, c.by_digit, c.brightness)
    if b not in SIZES:
        row = (b, _train_accuracy(c.layer, network, x, labels, b), float(by_size["eval"].iloc[0]))
        by_size = pd.DataFrame([*by_size.itertuples(index=False, name=None), row], columns=by_size.columns)
    drift = None if refused else _drift(c)
    return BatchNormResult(c, labels[:b], eval_true, train_true, by_size.sort_values("n"), drift)


def make_network(layer: str) -> nn.Sequential:
    """Return an untrained network for digits [B, 1, 28, 28] with two batch-norm layers of a kind.

    "BatchNorm1d": dense, with one mean for each unit; "BatchNorm2d": convolutional, with one mean for each
    channel, over the batch and all its positions. Taught in: notebook 02.
    """
    if layer == "BatchNorm1d":
        return nn.Sequential(
            nn.AvgPool2d(2), nn.Flatten(), nn.Linear(196, 64, bias=False), nn.BatchNorm1d(64), nn.ReLU(),
            nn.Linear(64, 32, bias=False), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10),
        )  # fmt: skip
    return nn.Sequential(
        nn.AvgPool2d(2), nn.Conv2d(1, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(400, 10),
    )  # fmt: skip


@lru_cache(maxsize=8)
def trained(layer: str, seed: int) -> nn.Sequential:
    """Return `make_network` trained on the bundled digits, in eval mode; all callers share it: copy it to change it.

    Taught in: notebook 02.
    """
    images, labels = digits.load_shared("bundled", "train")
    network = build(lambda: make_network(layer), generator(seed, f"network with {layer}"))
    objective = Objective(network, TrainingSet(images[:, None], labels), generator(seed, "training"))
    with torch.inference_mode(False), torch.enable_grad():  # wherever it is asked for
        for _ in fit(objective, epochs=5, batch_size=64):
            pass
    return network.eval().requires_grad_(False)


def brighten(x: Tensor, brightness: float) -> Tensor:
    """Return images in 0..1 as in a fog: p becomes brightness + (1 - brightness) p. Taught in: notebook 02."""
    return brightness + (1 - brightness) * x


def forward(network: nn.Sequential, x: Tensor, statistics: Statistics | None = None) -> tuple[Tensor, Statistics]:
    """Return the logits [G, B, 10] of G batches [G, B, 1, 28, 28] at once, and the batches' statistics.

    Without ``statistics`` it is train mode: each batch is normalised by its own mean and variance, which are
    returned, [G, channels] each, as torch would store them (the variance by n - 1); the network itself does
    not change. With ``statistics``, [K, channels] each, it is eval mode, once for each of the K (G must be 1).
    Tests see that both agree with torch's own layers.
    """
    found: Statistics = []
    given = iter(statistics or ())
    for layer in network:
        if not isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            x = layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])
            continue
        if statistics is None:
            mean = _mean(x)
            n = x[0, :, 0].numel()
            variance = _mean((x - _spread(mean, x)).square_())
            found.append((mean, variance * (n / (n - 1))))
        else:
            mean, variance = next(given)
        scale = layer.weight * torch.rsqrt(variance + layer.eps)
        x = x * _spread(scale, x) + _spread(layer.bias - mean * scale, x)
    return x, found


def _mean(x: Tensor) -> Tensor:
    """Return the mean over the batch and all positions, [G, C], of values [G, B, C, ...]."""
    return x.flatten(3).mean(-1).mean(1) if x.ndim > 3 else x.mean(1)  # several times faster than all at once


def _spread(values: Tensor, x: Tensor) -> Tensor:
    """Return ``values`` [G, C] in a shape that goes with ``x`` [G, B, C, ...]."""
    return values.view(len(values), 1, -1, *[1] * (x.ndim - 3))


def stored(network: nn.Sequential) -> Statistics:
    """Return the running statistics that eval mode uses, [1, channels] each."""
    return [(m.running_mean[None], m.running_var[None]) for m in network if hasattr(m, "running_mean")]


@lru_cache(maxsize=16)
def _asked(seed: int, by_digit: bool, brightness: float) -> tuple[Tensor, Tensor]:
    """Return 300 test digits, brightened, in the order in which they come."""
    images, labels = digits.load_shared("bundled", "test")
    order = torch.randperm(len(labels), generator=generator(seed, "order"))[:ASKED]
    if by_digit:
        order = order[labels[order].argsort(stable=True)]
    return brighten(images[order, None] / 255, brightness), labels[order]


def shown_batch(config: BatchNormConfig) -> Tensor:
    """Return the images of the batch that the network is shown, [batch_size, 28, 28] in 0..1."""
    return _asked(config.seed, config.by_digit, config.brightness)[0][: config.batch_size, 0]


def refuses(layer: str, n: int) -> bool:
    """Return whether torch refuses a batch of ``n`` in train mode: there is one value for each mean."""
    return layer == "BatchNorm1d" and n == 1


def _train_accuracy(layer: str, network: nn.Sequential, x: Tensor, labels: Tensor, n: int) -> float:
    """Return the accuracy in train mode, in batches of ``n``; NaN where torch refuses them."""
    if refuses(layer, n):
        return float("nan")
    whole = len(x) // n * n
    with torch.inference_mode():
        logits, _ = forward(network, x[:whole].unflatten(0, (-1, n)))
    return float((logits.argmax(-1).flatten() == labels[:whole]).float().mean())


@lru_cache(maxsize=64)
def _by_size(layer: str, seed: int, by_digit: bool, brightness: float) -> pd.DataFrame:
    network, (x, labels) = trained(layer, seed), _asked(seed, by_digit, brightness)
    with torch.inference_mode():
        logits, _ = forward(network, x[None], stored(network))
    in_eval = float((logits[0].argmax(-1) == labels).float().mean())
    return pd.DataFrame(
        [(n, _train_accuracy(layer, network, x, labels, n), in_eval) for n in SIZES], columns=["n", "train", "eval"]
    )


def _drift(c: BatchNormConfig) -> pd.DataFrame:
    """Feed brightened training digits to the frozen network in train mode; ask it in eval mode after each batch."""
    network = trained(c.layer, c.seed)
    images, labels = digits.load_shared("bundled", "train")
    order = torch.randperm(len(labels), generator=generator(c.seed, "frozen"))
    if c.by_digit:
        order = order[labels[order].argsort(stable=True)]
    index = order[torch.arange(c.batches * c.batch_size) % len(order)]
    ordinary, truth = _asked(c.seed, False, 0.0)
    with torch.inference_mode():
        fed = brighten(images[index, None] / 255, c.brightness).unflatten(0, (c.batches, c.batch_size))
        _, statistics = forward(network, fed)
        running = _run_on(stored(network), statistics, c.momentum)
        logits, _ = forward(network, ordinary[None], running)
        accuracy = (logits.argmax(-1) == truth).float().mean(1)
        mean, variance = running[0]
        moved = ((mean - mean[0]).abs() / (variance[0] + 1e-5).sqrt()).mean(1)
    return pd.DataFrame({"batches": range(c.batches + 1), "accuracy": accuracy.numpy(), "moved": moved.numpy()})


def _run_on(start: Statistics, batches: Statistics, momentum: float) -> Statistics:
    """Return the running statistics [K + 1, channels] before and after each of K batches, as torch keeps them."""
    # After k batches the start counts (1 - momentum)^k, and batch j <= k momentum (1 - momentum)^(k - j).
    k = torch.arange(len(batches[0][0]) + 1)
    age = k[:, None] - k[1:]
    weights = torch.where(age >= 0, momentum * (1 - momentum) ** age.clamp(min=0), 0.0)
    left = ((1 - momentum) ** k)[:, None]
    return [
        tuple(left * old + weights @ new for old, new in zip(*pair, strict=True))
        for pair in zip(start, batches, strict=True)
    ]
