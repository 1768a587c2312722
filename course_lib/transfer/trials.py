"""How answers to this lesson's exercises are measured; students may read it, it holds no solution."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.errors import CourseError
from course_lib.grading.sheet import require_decimals
from course_lib.networks import build
from course_lib.randomness import generator
from course_lib.training import Progress, fit
from course_lib.transfer.config import Config, Regime
from course_lib.transfer.experiment import BATCH, LOSSES, begin, evaluate, training_set
from course_lib.transfer.network import CHANNELS, FaceNet, Layer
from course_lib.transfer.result import score

WIDTHS = (5, 6, 7)  # channels of the layers of a small network
STEPS = 4  # of training with a network that came back
BUDGETS = (40, 80, 160)  # labels that a regime is tried with,
TRIED = 80  # and the steps of each training


def small_network(draw: torch.Generator, outputs: int = 1) -> FaceNet:
    """Return a small FaceNet for pictures of 8 x 8 pixels that looks as if it had learned something.

    Its weights and the statistics of its batch norm come from ``draw``.
    """

    def make() -> FaceNet:
        network, entering = FaceNet(outputs), (3, *WIDTHS[:-1])
        sizes = zip(entering, WIDTHS, (2, 1, 1), strict=True)
        network.layers = nn.Sequential(*(Layer(a, b, 3, 1, pool) for a, b, pool in sizes))
        network.head = nn.Linear(WIDTHS[-1], outputs)
        return network

    network = build(make, draw)
    with torch.no_grad():
        for layer in network.layers:
            norm = layer[1]
            norm.running_mean.copy_(0.3 * torch.randn(norm.num_features, generator=draw))
            norm.running_var.copy_(0.1 + torch.rand(norm.num_features, generator=draw))
            norm.weight.copy_(0.7 + 0.6 * torch.rand(norm.num_features, generator=draw))
            norm.bias.copy_(0.5 * torch.rand(norm.num_features, generator=draw))
    return network


def after_freezing(function: Callable, x: Tensor, y: Tensor, count: int, draw: torch.Generator) -> dict[str, Tensor]:
    """Freeze the first ``count`` layers of a small network with ``function(network, count)``, train, and look.

    x: float [B, 3, 8, 8]; y: float [B], 0 or 1. The network is passed in train mode, and is trained with AdamW as
    training loops do it: ``train()`` before each step, ``eval()`` after it. Returns root mean squares: how far the
    weights and the statistics of each layer, and of the head, have moved, each [4]; and for the frozen layers (0 for
    the others) how far the statistics move as the network came back, "at once" [4], and how far each answers
    otherwise in training than it did before in eval mode, "said" [3].
    """
    network = small_network(draw)
    said, before = _layer_outputs(network.eval(), x), _parts(network)
    network = _require_network(function(network.train(), count))
    _layer_outputs(network, x, restore=False)
    at_once = [_moved(old, new)[1] for old, new in zip(before, _parts(network), strict=True)]
    _restore(network, before)
    _train(network, x, y, torch.optim.AdamW(network.parameters(), lr=0.01, weight_decay=0.1))
    moved = [_moved(old, new) for old, new in zip(before, _parts(network), strict=True)]
    otherwise = [_distance(a, b) for a, b in zip(said, _layer_outputs(network.train(), x), strict=True)]
    frozen = torch.arange(len(before)) < count
    return {
        "weights": torch.tensor([weights for weights, _ in moved]),
        "statistics": torch.tensor([statistics for _, statistics in moved]),
        "at once": torch.where(frozen, torch.tensor(at_once), 0),
        "said": torch.where(frozen[:-1], torch.tensor(otherwise), 0),
    }


def after_new_head(
    function: Callable, x: Tensor, y: Tensor, outputs: int, wanted: int, draw: torch.Generator
) -> dict[str, Tensor]:
    """Ask for a head of ``wanted`` outputs with ``function(network, wanted)``, train, and look at both networks.

    x: float [B, 3, 8, 8]; y: float [B], 0 or 1; the network that is passed has ``outputs`` outputs. Returns
    "features": what the new network's layers say of x (zeros, if that is not what they said before);
    "head": how many outputs it has, how many numbers its head, and how many of its rows are one of the old head;
    "moved": whether in training the new layers, the new head, the old layers and the old head moved; and
    "old": whether the old network still says what it said.
    """
    network = small_network(draw, outputs).eval()
    features, answers = _features(network, x), network(x).detach()
    old = network.head.weight.detach().clone()
    new = _require_network(function(network, wanted)).eval()
    kept = _features(new, x)
    same = kept.shape == features.shape and torch.allclose(kept, features, atol=1e-5)
    head = torch.cat([p.detach().flatten() for p in new.head.parameters()])
    last = [m for m in new.head.modules() if isinstance(m, nn.Linear)][-1:]
    rows = last[0].weight.detach() if last else torch.zeros(0, 1)
    reused = [row for row in rows if old.shape[1] == rows.shape[1] and (row == old).all(1).any()]
    said = new(x)
    before, theirs = _parts(new), _parts(network)
    _train(new, x, y, torch.optim.SGD(new.parameters(), lr=0.1))
    trained = [_moved(a, b)[0] > 0 for a, b in zip(before, _parts(new), strict=True)]
    touched = [max(_moved(a, b)) > 0 for a, b in zip(theirs, _parts(network), strict=True)]
    now = network.eval()(x)
    return {
        "features": kept if same else torch.zeros_like(features),
        "head": torch.tensor([said.shape[1], len(head), len(reused)]),
        "moved": torch.tensor([all(trained[:-1]), trained[-1], any(touched[:-1]), touched[-1]]),
        "old": torch.tensor([now.shape == answers.shape and torch.allclose(now, answers, atol=1e-5)]),
    }


def after_adapting(function: Callable, x: Tensor, y: Tensor, draw: torch.Generator) -> dict[str, Tensor]:
    """Adapt a small network to the labels with ``function(network, x, y)`` and return what came of it.

    x: float [B, 3, 8, 8]; y: float [B], 0 or 1. The network that is passed has 2 outputs and is in train mode.
    Returns "head": the new head's weights and bias, in one row; "answers": what the network says in eval mode,
    [B, 1]; and how far the weights and the statistics of each layer have moved, each [3].
    """
    network = small_network(draw, 2).train()
    before = _parts(network)[:-1]
    network = _require_network(function(network, x, y)).eval()
    moved = [_moved(old, new) for old, new in zip(before, _parts(network)[:-1], strict=True)]
    return {
        "head": torch.cat([p.detach().flatten() for p in network.head.parameters()]),
        "answers": network(x).detach(),
        "weights": torch.tensor([weights for weights, _ in moved]),
        "statistics": torch.tensor([statistics for _, statistics in moved]),
    }


def while_computing(function: Callable, x: Tensor, mode: bool, draw: torch.Generator) -> tuple[object, Tensor]:
    """Watch how ``function(network, x)`` computes features with a small network in train (True) or eval mode.

    x: float [N, 3, 8, 8]. Returns what it returns, and six numbers: the most pictures that went through the
    network at once; 0 to 2, whether something was recorded for a gradient, and whether it still hangs on the answer;
    then 0 or 1: whether a weight or a statistic moved; whether the network was left in the other mode; whether
    gradients were left switched off; whether the answer is one that nothing can be trained on (an inference tensor).
    """
    network = small_network(draw).train(mode)
    before, sizes, recorded = _parts(network), [0], [False]

    def watch(_: nn.Module, entering: tuple, leaving: Tensor) -> None:
        sizes.append(len(entering[0]))
        recorded.append(leaving.requires_grad)

    network.layers[0].register_forward_hook(watch)
    try:
        given = function(network, x)
        off = not torch.is_grad_enabled()
    finally:
        torch.set_grad_enabled(True)
    moved = any(max(_moved(old, new)) > 0 for old, new in zip(before, _parts(network), strict=True))
    other = any(module.training != mode for module in network.modules())
    hangs = isinstance(given, Tensor) and given.requires_grad
    useless = isinstance(given, Tensor) and given.is_inference()
    return given, torch.tensor([max(sizes), any(recorded) + hangs, moved, other, off, useless]).float()


def mean_accuracy(function: Callable[[Tensor], Tensor], seed: int) -> Generator[Progress, None, float]:
    """Generator that trains as ``function(labels)`` says, once for each of `BUDGETS`, and returns the mean accuracy.

    The function returns one row for each budget: layers taken, layers kept, learning rate. It yields `Progress`
    after every step. Raises `CourseError` for rows that cannot be trained with.
    """
    budgets = torch.tensor(BUDGETS)
    rows = require_decimals(function(budgets.clone()), (len(BUDGETS), 3)).tolist()
    regimes = [_require_regime(*row) for row in rows]
    accuracies = []
    for labels, regime in zip(BUDGETS, regimes, strict=True):
        progress = yield from _last(_train_for_smiles(labels, regime, seed))
        accuracies.append(score("smile", progress.evaluation.said))
    return sum(accuracies) / len(accuracies)


def _train_for_smiles(labels: int, regime: Regime, seed: int) -> Iterator[Progress]:
    network = begin(regime, seed)
    config = Config(target="smile", labels=labels, steps=TRIED, seed=seed)
    objective = LOSSES["smile"](network, training_set(config), generator(seed, "transfer/training"))
    size = min(BATCH, labels)
    epochs = math.ceil(config.steps / math.ceil(labels / size))
    return fit(objective, epochs=epochs, batch_size=size, lr=regime.lr, evaluate=partial(evaluate, "smile"))


def _last(work: Iterator[Progress]) -> Generator[Progress, None, Progress]:
    progress = None
    for progress in work:
        yield progress
    return progress


def _require_regime(taken: float, kept: float, lr: float) -> Regime:
    for name, count in (("taken", taken), ("kept", kept)):
        if count not in range(len(CHANNELS) + 1):
            raise CourseError(f"layers {name} must be a whole number, 0 to {len(CHANNELS)}; it was {count:g}.")
    if not 0 < lr <= 1:
        raise CourseError(f"The learning rate must be above 0 and at most 1; it was {lr:g}.")
    return Regime(int(taken), int(kept), lr, "")


def _require_network(given: object) -> nn.Module:
    if given is None:
        raise CourseError("it returns nothing (None) where a network belongs: does it end in `return network`?")
    if not (isinstance(given, nn.Module) and hasattr(given, "layers") and hasattr(given, "head")):
        raise CourseError(f"it returns a {type(given).__name__} where a network with `layers` and `head` belongs")
    return given


Part = tuple[list[Tensor], list[Tensor]]  # the weights and the statistics of a layer, or of the head


def _parts(network: nn.Module, *, copy: bool = True) -> list[Part]:
    """Return the weights and statistics of each layer and of the head, as they are now."""
    parts = []
    for part in (*network.layers, network.head):
        weights, statistics = [], []
        for name, value in part.state_dict().items():
            if value.is_floating_point():
                (statistics if "running" in name else weights).append(value.clone() if copy else value)
        parts.append((weights, statistics))
    return parts


def _restore(network: nn.Module, before: list[Part]) -> None:
    for old, new in zip(before, _parts(network, copy=False), strict=True):
        for was, value in zip((*old[0], *old[1]), (*new[0], *new[1]), strict=True):
            value.copy_(was)  # what a state_dict holds is the network's own memory


def _moved(old: Part, new: Part) -> tuple[float, float]:
    """Return how far weights and statistics are from what they were."""
    if [[v.shape for v in values] for values in old] != [[v.shape for v in values] for values in new]:
        raise CourseError("a part of the network has other weights than before: keep the layers, and what is in them")
    return _distance(_flat(old[0]), _flat(new[0])), _distance(_flat(old[1]), _flat(new[1]))


def _flat(values: list[Tensor]) -> Tensor:
    return torch.cat([torch.zeros(1), *(value.flatten() for value in values)])


def _distance(a: Tensor, b: Tensor) -> float:
    return (a - b).square().mean().sqrt().item() if a.shape == b.shape else torch.inf


@torch.no_grad()
def _layer_outputs(network: nn.Module, x: Tensor, *, restore: bool = True) -> list[Tensor]:
    """Return what each layer makes of x, in the mode that it is in; ``restore``: the statistics, afterwards."""
    outputs, before = [], _parts(network)
    watched = [part.register_forward_hook(lambda *given: outputs.append(given[-1])) for part in network.layers]
    network(x)
    for hook in watched:
        hook.remove()
    if restore:
        _restore(network, before)
    return outputs


@torch.no_grad()
def _features(network: nn.Module, x: Tensor) -> Tensor:
    return network.features(x)


def _train(network: nn.Module, x: Tensor, y: Tensor, optimizer: torch.optim.Optimizer) -> None:
    for _ in range(STEPS):
        network.train()
        answer = network(x)[:, 0]
        if answer.requires_grad:  # otherwise there is nothing to be trained
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(answer, y).backward()
            optimizer.step()
        network.eval()
