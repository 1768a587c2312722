"""Forward and backward through up to 10,000 layers, in logarithms where numbers would underflow."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from course_lib.gradients.activations import ACTIVATIONS
from course_lib.gradients.config import ProfileConfig
from course_lib.randomness import generator

BATCH = 8  # inputs, standard normal
EVERY = 16  # layers between two looks at the size of the numbers
SAFE = 200.0  # within exp(-200) to exp(200) numbers are kept as they are
EPS = 1e-5  # PyTorch's, in layer normalisation
DEAD = 0.01  # of the largest slope of the activation: less than that passes nothing on
SHOWN = 64  # layers, evenly spaced, whose pre-activations are kept


@dataclass(frozen=True, eq=False)
class Profile:
    """What goes through a deep network, layer by layer; arrays [depth] from the first layer to the last.

    log_gradient: natural logarithm of the Frobenius norm of dL/dW; log_error: of dL/dz, z the
    pre-activations (it is also the gradient of the bias, sample by sample). -inf where they are exactly 0.
    mean, log_spread: of the layer's output over units and samples; the spread (standard deviation) as natural
    logarithm. dead: share of units that pass on less than 1 % of the activation's largest slope for every
    sample. z: pre-activations of some layers, [at most 64, 8 samples, width].
    """

    config: ProfileConfig
    log_gradient: np.ndarray = field(repr=False)
    log_error: np.ndarray = field(repr=False)
    mean: np.ndarray = field(repr=False)
    log_spread: np.ndarray = field(repr=False)
    dead: np.ndarray = field(repr=False)
    z: np.ndarray = field(repr=False)

    def table(self) -> pd.DataFrame:
        """Return one row for each layer: layer (from 1), log_gradient, log_error, mean, log_spread, dead."""
        names = ("log_gradient", "log_error", "mean", "log_spread", "dead")
        layer = np.arange(1, self.config.depth + 1)
        return pd.DataFrame({"layer": layer} | {name: getattr(self, name) for name in names})


def profile(config: ProfileConfig | None = None, **changes: object) -> Profile:
    """Send a batch forward through a deep network and a gradient back, and measure every layer.

    z_k = W_k u_k + b_k, a_k = f(z_k), with u_k = a_(k-1), layer-normalised first if ``norm`` is "layer", and
    a_k = a_(k-1) + f(z_k) if ``residual``. The loss is L = v.a_depth, the mean over the batch, with a random
    unit vector v. Computed in float64 with a common exponent for each layer, so that nothing under- or
    overflows: correct at any depth. ``bias="cancel"``: inputs 0 and b_k = -W_k u_k, so that every
    pre-activation is exactly 0.

    activation: a key of `ACTIVATIONS`; depth 1 to 10,000; width 1 to 256; init: a key of `INITS`; residual:
    bool; norm: "none" or "layer"; bias: "zero", "random", "cancel"; seed. Raises `CourseError` for others.
    Sources: X. Glorot and Y. Bengio, AISTATS 2010; K. He et al., arXiv 1502.01852; A. Saxe et al., arXiv
    1312.6120 (initialisations). Taught in: notebook 01.
    """
    config = ProfileConfig.made_of(config, changes)
    return _measure(config, _go_forward(config))


# Weights


def weights(config: ProfileConfig, start: int, stop: int) -> np.ndarray:
    """Return W_k, float32 [stop - start, width, width], of the layers ``start`` to ``stop - 1`` (from 0).

    A layer's weights do not depend on the depth of the network. Taught in: notebook 01.
    """
    n = _chunk_size(config.width)
    draw = _orthogonal if config.init == "orthogonal" else _normals
    chunks = [draw(config.width, config.seed, i) for i in range(start // n, -(-stop // n))]
    every = chunks[0] if len(chunks) == 1 else np.concatenate(chunks)
    return every[start % n : start % n + stop - start] * np.float32(_scale(config))


def biases(config: ProfileConfig) -> np.ndarray:
    """Return b_k, float64 [depth, width]; zeros for "cancel", whose biases follow from the forward pass."""
    if config.bias != "random":
        return np.zeros((config.depth, config.width))
    draws = torch.rand(10_000, config.width, generator=generator(config.seed, "gradients/bias"), dtype=torch.float64)
    return (2 * draws[: config.depth] - 1).numpy() / math.sqrt(config.width)


def inputs(config: ProfileConfig) -> np.ndarray:
    """Return the batch, float64 [8, width]: standard normal; zeros for bias "cancel"."""
    if config.bias == "cancel":
        return np.zeros((BATCH, config.width))
    return _draw(config, "inputs", BATCH)


def readout(config: ProfileConfig) -> np.ndarray:
    """Return the unit vector v, float64 [width], that the loss reads the last layer with."""
    v = _draw(config, "readout", 1)[0]
    return v / np.linalg.norm(v)


def _draw(config: ProfileConfig, purpose: str, n: int) -> np.ndarray:
    random = generator(config.seed, f"gradients/{purpose}")
    return torch.randn(n, config.width, generator=random, dtype=torch.float64).numpy()


def _scale(config: ProfileConfig) -> float:
    return {"xavier": config.width**-0.5, "he": (2 / config.width) ** 0.5, "orthogonal": 1.0, "small": 0.01}[
        config.init
    ]


def _chunk_size(width: int) -> int:
    return min(1024, 2**20 // width**2)


@lru_cache(maxsize=40)  # 10,000 layers of width 64: 160 MB
def _normals(width: int, seed: int, chunk: int) -> np.ndarray:
    random = generator(seed, f"gradients/weights/{width}/{chunk}")
    return torch.randn(_chunk_size(width), width, width, generator=random).numpy()


@lru_cache(maxsize=40)
def _orthogonal(width: int, seed: int, chunk: int) -> np.ndarray:
    q, r = torch.linalg.qr(torch.from_numpy(_normals(width, seed, chunk)))
    return (q * r.diagonal(dim1=1, dim2=2).sign()[:, None, :]).numpy()  # the sign makes it uniform (Haar)


# Forward


class _Pass(NamedTuple):
    """What a forward pass leaves: true values are u and z times exp(scale), a scale for each layer."""

    u: np.ndarray  # [depth, batch, width]
    z: np.ndarray
    root: np.ndarray  # [depth, batch, 1]: 1 / standard deviation, of layer normalisation
    scale: np.ndarray  # [depth]
    mean: np.ndarray
    log_spread: np.ndarray


def _go_forward(c: ProfileConfig) -> _Pass:
    f, shape = ACTIVATIONS[c.activation], (c.depth, BATCH, c.width)
    u, z, a_all = np.empty(shape), np.empty(shape), np.empty((EVERY, BATCH, c.width))
    root, scale = np.ones((c.depth, BATCH, 1)), np.zeros(c.depth)
    mean, log_spread = np.empty(c.depth), np.empty(c.depth)
    a, s, b = inputs(c), 0.0, biases(c)
    for start in range(0, c.depth, EVERY):
        stop = min(start + EVERY, c.depth)
        a, s = _fold(a, s)
        scale[start:stop] = s
        shrink = math.exp(-max(s, 0.0))  # outputs are never tiny where there is a bias
        for k, w in enumerate(weights(c, start, stop).astype(np.float64), start):
            u[k] = a if c.norm == "none" else _normalise(a, root[k])
            np.matmul(u[k], w.T, out=z[k])
            if c.bias == "cancel":
                z[k] = 0.0  # b_k = -W_k u_k
            elif c.bias == "random":
                z[k] += b[k] * shrink
            out = f.f(z[k]) if s == 0 else _bend(z[k], f.near if s < 0 else f.far)
            a = a + out if c.residual else out
            a_all[k - start] = a
        some = a_all[: stop - start].reshape(stop - start, -1)
        with np.errstate(over="ignore", divide="ignore"):
            mean[start:stop] = some.mean(1) * np.exp(s)
            log_spread[start:stop] = np.log(some.std(1)) + s
    return _Pass(u, z, root, scale, mean, log_spread)


def _normalise(a: np.ndarray, root: np.ndarray) -> np.ndarray:
    centred = a - a.mean(1, keepdims=True)
    root[:] = 1 / np.sqrt((centred * centred).mean(1, keepdims=True) + EPS)
    return centred * root


def _fold(a: np.ndarray, s: float) -> tuple[np.ndarray, float]:
    """Return ``a`` and its exponent anew: 0 as long as the numbers themselves are safe."""
    largest = float(np.abs(a).max())
    if largest == 0:
        return a, s
    true = math.log(largest) + s
    if abs(true) < SAFE:
        return (a * math.exp(s) if s else a), 0.0
    return a / largest, true


def _bend(z: np.ndarray, slopes: tuple[float, float]) -> np.ndarray:
    """The activation where it is a kinked line through 0: extremely near to it, or extremely far."""
    left, right = slopes
    return z * right if left == right else np.where(z > 0, right, left) * z


# Backward


def _measure(c: ProfileConfig, p: _Pass) -> Profile:
    log_gradient, log_error, dead = np.empty(c.depth), np.empty(c.depth), np.empty(c.depth)
    delta, s = np.broadcast_to(readout(c) / BATCH, (BATCH, c.width)), 0.0  # dL/da of the last layer
    steepest = ACTIVATIONS[c.activation].steepest
    for start in range((c.depth - 1) // EVERY * EVERY, -1, -EVERY):
        stop = min(start + EVERY, c.depth)
        delta, s = _fold(delta, s)
        slopes = _slopes(c, p.z[start:stop], p.scale[start])
        errors, w = np.empty_like(slopes), weights(c, start, stop).astype(np.float64)
        for k in range(stop - 1, start - 1, -1):
            error = errors[k - start] = delta * slopes[k - start]
            back = error @ w[k - start]
            if c.norm == "layer":
                u = p.u[k]
                back = p.root[k] * (back - back.mean(1, keepdims=True) - u * (back * u).mean(1, keepdims=True))
            delta = delta + back if c.residual else back
        with np.errstate(divide="ignore"):  # the logarithm of a gradient that is exactly 0
            log_gradient[start:stop] = np.log(_norms(errors.transpose(0, 2, 1) @ p.u[start:stop])) + s + p.scale[start]
            log_error[start:stop] = np.log(_norms(errors)) + s
        dead[start:stop] = (slopes < DEAD * steepest).all(1).mean(1)
    some = np.unique(np.linspace(0, c.depth - 1, SHOWN).round().astype(int))
    with np.errstate(over="ignore"):
        z = p.z[some] * np.exp(p.scale[some])[:, None, None]
    return Profile(c, log_gradient, log_error, p.mean, p.log_spread, dead, z)


def _slopes(c: ProfileConfig, z: np.ndarray, scale: float) -> np.ndarray:
    """Return f'(z) where ``z`` is true times exp(-scale)."""
    f = ACTIVATIONS[c.activation]
    if scale == 0:
        return f.derivative(z)
    left, right = f.near if scale < 0 else f.far
    return np.where(z > 0, float(right), float(left))


def _norms(blocks: np.ndarray) -> np.ndarray:
    """Return the Frobenius norm of each matrix of [N, R, C]."""
    return np.sqrt(np.einsum("nij,nij->n", blocks, blocks))
