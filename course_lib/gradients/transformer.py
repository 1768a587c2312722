"""A small Transformer that learns to sort or copy digits, and the histogram of its gradients at every step."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.gradients.config import TransformerConfig
from course_lib.networks import build
from course_lib.randomness import generator
from course_lib.runs import finish_each, finish_run
from course_lib.training import Batch, Objective, fit

HEADS, DIGITS = 4, 10
LOWEST, HIGHEST, BINS = -14, 2, 32  # of the histogram of log10 |gradient|; two bins for each power of ten
TEST = 256  # sequences that the accuracy is measured on
EVERY = 10  # steps between two measurements of it
ACTIVATION = {"relu": F.relu, "leaky_relu": F.leaky_relu}


class Block(nn.Module):
    """Self-attention and a two-layer network, each with a residual connection and a layer normalisation.

    order "pre": x + f(norm(x)); "post": norm(x + f(x)), as in the first Transformer.
    """

    def __init__(self, width: int, order: str, activation: str):
        super().__init__()
        self.order, self.activation = order, ACTIVATION[activation]
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def attend(self, x: Tensor) -> Tensor:
        q, k, v = (part.unflatten(2, (HEADS, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=2))
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))

    def think(self, x: Tensor) -> Tensor:
        return self.down(self.activation(self.up(x)))

    def forward(self, x: Tensor) -> Tensor:
        if self.order == "pre":
            x = x + self.attend(self.norm1(x))
            return x + self.think(self.norm2(x))
        x = self.norm1(x + self.attend(x))
        return self.norm2(x + self.think(x))


class Transformer(nn.Module):
    """Digits int64 [B, length] in, logits [B, length, 10] out; sees the whole sequence at once."""

    def __init__(self, c: TransformerConfig):
        super().__init__()
        self.digit, self.place = nn.Linear(DIGITS, c.width), nn.Linear(c.length, c.width, bias=False)
        self.blocks = nn.ModuleList(Block(c.width, c.order, c.activation) for _ in range(c.layers))
        self.norm = nn.LayerNorm(c.width) if c.order == "pre" else nn.Identity()
        self.head = nn.Linear(c.width, DIGITS)

    def forward(self, digits: Tensor) -> Tensor:
        x = self.digit(F.one_hot(digits, DIGITS).float()) + self.place.weight.T
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


@dataclass(frozen=True, eq=False)
class History:
    """A run so far. losses [step]; accuracies: (step, share of right digits) now and then.

    histograms: share of each layer's parameters by log10 |gradient|, [step, layers, 1 + 32 bins from -14 to 2];
    the first bin holds gradients that are exactly 0. moved: how far the weights are from where they began,
    ||w - w_0|| / ||w_0||, all of them as one vector.
    """

    config: TransformerConfig
    losses: np.ndarray
    accuracies: tuple[tuple[int, float], ...]
    histograms: np.ndarray
    moved: float

    @property
    def step(self) -> int:
        return len(self.losses)

    @property
    def steps(self) -> int:
        return self.config.steps

    @property
    def loss(self) -> float:
        return float(self.losses[-1])

    @property
    def finished(self) -> bool:
        return self.step == self.steps

    @property
    def accuracy(self) -> float:
        """The latest share of right digits."""
        return self.accuracies[-1][1] if self.accuracies else float("nan")


def run(config: TransformerConfig | None = None, *, progress: bool = True, **changes: object) -> History:
    """Train the small Transformer, e.g. ``run(order="post", warm_up=0)``, and return its `History`.

    Raises `CourseError` for settings out of range. Taught in: notebook 01.
    """
    config = TransformerConfig.made_of(config, changes)
    return finish_run(stream(config), "Transformer" if progress else None)


def run_each(*settings: TransformerConfig | Mapping[str, object], progress: bool = True) -> list[History]:
    """Train several small Transformers side by side, on a core each, e.g. ``run_each({}, {"order": "post"})``.

    See `run`. Give a `TransformerConfig` for each, or what to change of the defaults. Taught in: notebook 01.
    """
    return finish_each(map(stream, TransformerConfig.each_of(settings)), "Transformers" if progress else None)


def stream(config: TransformerConfig) -> Iterator[History]:
    """Yield the growing `History` after every step; stop iterating to cancel."""
    c = config
    digits = torch.randint(DIGITS, (c.steps * c.batch_size + TEST, c.length), generator=generator(c.seed, "digits"))
    objective = Sorting(build(lambda: Transformer(c), generator(c.seed, "network")), digits[:-TEST], c)
    accuracies: list[tuple[int, float]] = []
    losses = np.empty(c.steps)
    for p in fit(
        objective,
        epochs=1,
        batch_size=c.batch_size,
        lr=c.lr,
        weight_decay=0,
        one_cycle=False,
        evaluate=lambda network, _: _accuracy(network, digits[-TEST:], c),
        evaluate_every=EVERY,
    ):
        losses[p.step - 1] = p.loss
        if p.evaluation is not None:
            accuracies.append((p.step, p.evaluation))
        elif p.step % EVERY == 0 or p.step == p.steps:
            continue  # its accuracy comes next
        yield History(c, losses[: p.step], tuple(accuracies), objective.histograms[: p.step], objective.moved())


class Sorting(Objective):
    """Cross-entropy of every place of the sequence; keeps a histogram of the gradients of every step."""

    def __init__(self, network: Transformer, digits: Tensor, c: TransformerConfig):
        super().__init__(network, Sequences(digits, c.task), torch.Generator())
        self.config, self.taken = c, 0
        self.histograms = np.zeros((c.steps, c.layers, 1 + BINS), dtype=np.float32)
        self.start = nn.utils.parameters_to_vector(network.parameters()).detach().clone()

    def batches(self, size: int) -> Iterator[Tensor]:
        yield from torch.arange(len(self.data)).split(size)  # each sequence once: they are random already

    def loss(self, batch: Batch) -> Tensor:
        return F.cross_entropy(self.network(batch.x).flatten(0, 1), batch.y.flatten())

    def step(self, batch: Batch, optimizer: torch.optim.Optimizer) -> float:
        optimizer.param_groups[0]["lr"] = self.config.lr * min(1.0, (self.taken + 1) / max(1, self.config.warm_up))
        loss = super().step(batch, optimizer)
        self.histograms[self.taken] = histogram(
            torch.stack([torch.cat([p.grad.flatten() for p in block.parameters()]) for block in self.network.blocks])
        )
        self.taken += 1
        return loss

    def moved(self) -> float:
        now = nn.utils.parameters_to_vector(self.network.parameters()).detach()
        return float((now - self.start).norm() / self.start.norm())


@dataclass(frozen=True)
class Sequences:
    """Digits int64 [N, length] and what they become."""

    digits: Tensor
    task: str

    def __len__(self) -> int:
        return len(self.digits)

    def batch(self, index: Tensor) -> Batch:
        x = self.digits[index]
        return Batch(index, x, answer(x, self.task))


def answer(digits: Tensor, task: str) -> Tensor:
    """Return what a sequence becomes: itself ("copy"), or its digits in ascending order ("sort")."""
    return digits.sort(dim=1).values if task == "sort" else digits


def histogram(gradients: Tensor) -> np.ndarray:
    """Return for each row of [R, N] the shares of exact zeros and of 32 bins of log10 |g|: [R, 33]."""
    rows, n = gradients.shape
    bins = ((gradients.abs().log10() - LOWEST) * (BINS / (HIGHEST - LOWEST))).clamp(0, BINS - 1).long() + 1
    bins[gradients == 0] = 0
    counts = torch.bincount((bins + (1 + BINS) * torch.arange(rows)[:, None]).flatten(), minlength=rows * (1 + BINS))
    return (counts.reshape(rows, -1) / n).numpy()


@torch.no_grad()
def _accuracy(network: nn.Module, digits: Tensor, c: TransformerConfig) -> Generator[None, None, float]:
    yield
    return float((network(digits).argmax(2) == answer(digits, c.task)).float().mean())
