"""How answers to this lesson's exercises are compared; students may read it, it holds no solution."""

from __future__ import annotations

import torch
from torch import Tensor


def inner_products(arguments: tuple, answer: tuple[Tensor, Tensor]) -> Tensor:
    """Return all inner products of the samples of both sets, [N + M, N + M]: any rotation leaves them as they are."""
    both = torch.cat([torch.as_tensor(x).double() for x in answer])
    return both @ both.T
