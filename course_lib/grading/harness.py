"""How a student's function is called where the call itself is not what is compared."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.errors import CourseError


def loss_and_gradient(function: Callable, x: Tensor, *others: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss ``function(x, *others)`` and its gradient with respect to ``x``."""
    leaf = x.clone().requires_grad_()
    loss = function(leaf, *others)
    if not isinstance(loss, (int, float)) and getattr(loss, "shape", None) != ():
        return loss, torch.zeros_like(x)
    if not (isinstance(loss, Tensor) and loss.requires_grad):
        raise CourseError("the loss cannot be differentiated: is there .detach(), .item() or .numpy() in it?")
    return loss.detach(), torch.autograd.grad(loss, leaf)[0]
