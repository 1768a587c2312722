"""The activations of lesson 01, by name: what they do, their derivative, and PyTorch's module."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import nn

Function = Callable[[np.ndarray], np.ndarray]

LEAK = 0.01  # PyTorch's default
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al., arXiv 1706.02515
SQRT_HALF, SQRT_TWO_PI = math.sqrt(0.5), math.sqrt(2 * math.pi)


@dataclass(frozen=True)
class Activation:
    """One activation. ``near`` and ``far``: its slopes (left, right) close to 0, and far away from it.

    f and derivative take and return float arrays; at a kink the derivative is the one that PyTorch takes.
    """

    title: str
    formula: str
    f: Function
    derivative: Function
    near: tuple[float, float]
    far: tuple[float, float]
    module: type[nn.Module]

    @property
    def at_zero(self) -> float:
        """The derivative at 0: by it a layer multiplies the gradient if its pre-activations are zero."""
        return float(self.derivative(np.zeros(1))[0])

    @property
    def steepest(self) -> float:
        """The largest derivative."""
        return float(self.derivative(np.linspace(-10, 10, 2001)).max())


def logistic(z: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(0.5 * z)  # exact, and never overflows


def normal_share(z: np.ndarray) -> np.ndarray:
    """The standard normal distribution function, without scipy: PyTorch's own."""
    import torch

    return torch.special.ndtr(torch.from_numpy(z)).numpy()


def _gelu_slope(z: np.ndarray) -> np.ndarray:
    return normal_share(z) + z * np.exp(-0.5 * z * z) / SQRT_TWO_PI


def _selu(z: np.ndarray) -> np.ndarray:
    return SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * np.expm1(np.minimum(z, 0)))


def _selu_slope(z: np.ndarray) -> np.ndarray:
    return SELU_SCALE * np.where(z > 0, 1.0, SELU_ALPHA * np.exp(np.minimum(z, 0)))


ACTIVATIONS: dict[str, Activation] = {
    "tanh": Activation("tanh", "tanh z", np.tanh, lambda z: 1 - np.tanh(z) ** 2, (1, 1), (0, 0), nn.Tanh),
    "relu": Activation(
        "ReLU", "max(0, z)", lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0, (0, 1), (0, 1), nn.ReLU
    ),
    "logistic": Activation(
        "logistic sigmoid",
        "1 / (1 + exp(-z))",
        logistic,
        lambda z: 0.25 / np.cosh(0.5 * np.clip(z, -700, 700)) ** 2,
        (0.25, 0.25),
        (0, 0),
        nn.Sigmoid,
    ),
    "leaky_relu": Activation(
        "leaky ReLU",
        f"z if z > 0, else {LEAK} z",
        lambda z: np.maximum(z, LEAK * z),
        lambda z: np.where(z > 0, 1.0, LEAK),
        (LEAK, 1),
        (LEAK, 1),
        nn.LeakyReLU,
    ),
    "gelu": Activation("GELU", "z P(Z < z)", lambda z: z * normal_share(z), _gelu_slope, (0.5, 0.5), (0, 1), nn.GELU),
    "selu": Activation(
        "SELU",
        "1.05 z if z > 0, else 1.76 (exp(z) - 1)",
        _selu,
        _selu_slope,
        (SELU_SCALE * SELU_ALPHA, SELU_SCALE),
        (0, SELU_SCALE),
        nn.SELU,
    ),
    "identity": Activation("identity", "z", lambda z: z, lambda z: np.ones_like(z), (1, 1), (1, 1), nn.Identity),
}
