"""A look at the gradients of any model: parameter by parameter, with a finding and the rule behind it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor, nn

from course_lib.errors import CourseError

VANISHING = 1e-4  # smallest root-mean-square gradient of a weight matrix, as a share of the largest one
NOTHING = 1e-6  # gradient norm over weight norm: a step of 0.1 would change every weight by its ten-millionth
EXPLODING = 10.0  # gradient norm over weight norm: a step of 0.1 would change the weights by their own size
DEAD = 0.8  # share of the units of one layer that get no gradient from any sample of the batch
SLOW = 1e-5  # update norm over weight norm: it takes 100,000 such steps to change the weights by their own size


@dataclass(frozen=True)
class Finding:
    """One thing that a report has found. name: "vanishing", "exploding", "dead", "learning rate too low",
    "healthy" or "nothing to judge"; text: what it means here; rule: when it is said.
    """

    name: str
    text: str
    rule: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text} (Rule: {self.rule}.)"


@dataclass(frozen=True, eq=False)
class Report:
    """What `report` found. loss: of the batch. table: one row for each parameter, in the model's order.

    Its columns: parameter; shape; weight and gradient (Frobenius norms); rms (gradient norm over the square
    root of the number of weights); zeros (share of gradients that are exactly 0); dead (share of the rows of
    a weight matrix, which are its units in PyTorch's layers, whose gradients are all 0; NaN for others);
    update (norm of one optimiser step over the weight norm; NaN where the optimiser does not hold the
    parameter, or the weights are 0).
    """

    loss: float
    table: pd.DataFrame
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        return "\n".join([f"loss {self.loss:.3g}", *map(str, self.findings)])


def report(
    model: nn.Module,
    batch: tuple[Tensor, Tensor],
    loss: Callable[[Tensor, Tensor], Tensor],
    *,
    optimizer: torch.optim.Optimizer | None = None,
) -> Report:
    """Return a `Report` on the gradients of ``loss(model(x), y)`` for one batch ``(x, y)``, of any model.

    The model, its gradients, its mode, its buffers and ``optimizer`` stay as they are: everything is done
    with a copy. With an optimiser (one that has the model's parameters) the update of one step is measured, too.
    Raises `CourseError` if there is nothing to train, the loss is not one number, nothing depends on it, the
    model cannot be copied, or the optimiser needs a closure (LBFGS).
    Taught in: notebook 01.
    """
    if not isinstance(model, nn.Module):
        raise CourseError(f"model must be a torch.nn.Module; it was {model!r}.")
    if not (isinstance(batch, (tuple, list)) and len(batch) == 2):
        raise CourseError("batch must be a pair (x, y): what goes into the model, and what the loss compares with.")
    if optimizer is not None and not isinstance(optimizer, torch.optim.Optimizer):
        raise CourseError(f"optimizer must be one of torch.optim, or None; it was {optimizer!r}.")
    try:
        model, optimizer = copy.deepcopy((model, optimizer))  # together: the copy of one has the other's parameters
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise CourseError(
            f"This model cannot be copied ({error}): a report works on a copy. Does it keep an output or a generator?"
        ) from error
    if not any(p.requires_grad for p in model.parameters()):
        raise CourseError("The model has no parameter that is trained (requires_grad).")
    if optimizer is not None:
        theirs = {id(p) for group in optimizer.param_groups for p in group["params"]}
        if not theirs & {id(p) for p in model.parameters()}:
            raise CourseError("This optimizer holds other parameters than this model's: make it anew, from this model.")
    model.zero_grad()
    with torch.random.fork_rng(), torch.enable_grad():  # dropout draws its numbers, and nobody else's change
        value = loss(model(batch[0]), batch[1])
        fits = isinstance(value, Tensor) and value.numel() == 1 and not value.is_complex()
        if not fits or not value.requires_grad:
            raise CourseError("loss(model(x), y) must be one number that depends on the model's parameters.")
        value.backward()
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        held = _step(optimizer) if optimizer is not None else set()
    table = pd.DataFrame(_rows(model, before, held))
    return Report(value.item(), table, tuple(_find(table)))


def _step(optimizer: torch.optim.Optimizer) -> set[int]:
    """Take a step, and return the parameters that the optimiser holds, as their id."""
    try:
        optimizer.step()
    except TypeError as error:
        raise CourseError(f"{type(optimizer).__name__} needs a closure for a step: leave the optimizer out.") from error
    return {id(p) for group in optimizer.param_groups for p in group["params"]}


def _rows(model: nn.Module, before: dict[str, Tensor], held: set[int]) -> Iterator[dict[str, object]]:
    embeddings = (nn.Embedding, nn.EmbeddingBag)
    tables = {f"{name}.weight" for name, m in model.named_modules() if isinstance(m, embeddings)}
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        w, g = before[name], p.grad if p.grad is not None else torch.zeros_like(p)
        g = g.to_dense() if g.is_sparse else g
        weight = _norm(w)
        gradient = _norm(g) if g.isfinite().all() else math.inf
        matrix = g.dim() >= 2 and name not in tables  # a word that is not in the batch is not dead
        yield {
            "parameter": name,
            "shape": tuple(p.shape),
            "weight": weight,
            "gradient": gradient,
            "rms": gradient / math.sqrt(g.numel()),
            "zeros": (g == 0).float().mean().item(),
            "dead": (g.flatten(1) == 0).all(1).float().mean().item() if matrix else math.nan,
            "update": _norm(p.detach() - w) / weight if id(p) in held and weight else math.nan,
        }


def _norm(x: Tensor) -> float:
    return x.abs().double().norm().item()  # squares of float32 would underflow long before their root


def _find(table: pd.DataFrame) -> Iterator[Finding]:
    """Yield what the rules say of a table; a learning rate is only too low for gradients that arrive."""
    if not (table["dead"].notna()).any():
        yield Finding("nothing to judge", "the model has no weight matrix.", "all others are about weight matrices")
        return
    found = [finding for rule in (_exploding, _dead, _vanishing) if (finding := rule(table))]
    healthy = Finding("healthy", "gradients reach every weight matrix, at similar sizes.", "none of the others holds")
    yield from found or [_slow(table) or healthy]


def _exploding(table: pd.DataFrame) -> Finding | None:
    rule = f"gradient norm above {EXPLODING:g} times the weight norm, or not finite"
    broken = table[~table["gradient"].map(math.isfinite)]
    if len(broken):
        return Finding("exploding", f"the gradient of {broken.iloc[0]['parameter']} is not a finite number.", rule)
    matrices = table[table["dead"].notna() & (table["weight"] > 0)]
    ratio = matrices["gradient"] / matrices["weight"]
    if not len(ratio) or ratio.max() <= EXPLODING:
        return None
    name = table["parameter"][ratio.idxmax()]
    return Finding("exploding", f"the gradient of {name} is {ratio.max():.3g} times as large as its weights.", rule)


def _dead(table: pd.DataFrame) -> Finding | None:
    rows = table[table["dead"] > DEAD]
    if not len(rows):
        return None
    worst = rows.loc[rows["dead"].idxmax()]
    text = f"{worst['dead']:.0%} of the units of {worst['parameter']} get no gradient from any sample of this batch"
    more = f", and so it is in {len(rows) - 1} more layers" if len(rows) > 1 else ""
    return Finding("dead", f"{text}{more}.", f"more than {DEAD:.0%} of the units of a layer")


def _vanishing(table: pd.DataFrame) -> Finding | None:
    rule = (
        f"a root-mean-square gradient below {VANISHING:g} of the largest, or a norm below {NOTHING:g} of the weights'"
    )
    matrices = table[table["dead"].notna() & (table["gradient"] > 0)]  # what is exactly 0 is dead, not vanishing
    if not len(matrices) or not matrices["gradient"].map(math.isfinite).all():
        return None
    rms, share = matrices["rms"], matrices["gradient"] / matrices["weight"]
    least, most = (table["parameter"][i] for i in (rms.idxmin(), rms.idxmax()))
    if rms.min() < VANISHING * rms.max():
        text = f"the gradient of {least} is {rms.min() / rms.max():.1e} of that of {most}, weight for weight."
        return Finding("vanishing", text, rule)
    if share.min() < NOTHING:
        name = table["parameter"][share.idxmin()]
        text = f"the gradient of {name} is {share.min():.1e} of its weights"
        return Finding("vanishing", f"{text}, which is fine only if the loss is low already.", rule)
    return None


def _slow(table: pd.DataFrame) -> Finding | None:
    updates = table["update"].dropna()
    if not len(updates) or updates.median() >= SLOW:
        return None
    text = f"one step changes the weights by {updates.median():.1e} of their size (median over the parameters)."
    return Finding("learning rate too low", text, f"a median update-to-weight ratio below {SLOW:g}")
