"""What augmentation changes in a network: what it takes for the same, and how smooth its weights are."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn

from course_lib.augmentation.augmentations import augment
from course_lib.errors import CourseError


@torch.inference_mode()
def invariance(network: nn.Module, x: Tensor, amounts: Mapping[str, float], generator: Generator) -> float:
    """Return the share of images whose predicted label stays the same under augmentations, 0 to 1.

    network: in eval mode, from x to logits; x: float [B, 1, 28, 28] in 0..1, B > 0. Whether a prediction is
    right does not matter here. Taught in: notebook 03.
    """
    if not len(x):
        raise CourseError("invariance() needs at least one image; it was given none.")
    before, after = network(x).argmax(1), network(augment(x, generator, amounts)).argmax(1)
    return float((before == after).double().mean())


def smoothness(weights: Tensor) -> Tensor:
    """Return how smooth each weight image is, float [N], from float [N, H, W].

    1 - (mean squared difference of neighbouring pixels) / (2 variance): 1 for a flat image, about 0 for
    independent pixels, below 0 for a chessboard. Neighbours share a side; all pairs count the same.
    Source: R. C. Geary, The Incorporated Statistician 5 (1954), whose C it is 1 minus of. Taught in: notebook 03.
    """
    if not (isinstance(weights, Tensor) and weights.ndim == 3 and min(weights.shape) > 0):
        raise CourseError("smoothness() takes weight images, float [N, H, W], at least one.")
    steps = [weights.diff(dim=axis).square() for axis in (1, 2)]
    roughness = sum(step.sum((1, 2)) for step in steps) / sum(step[0].numel() for step in steps)
    spread = (weights - weights.mean((1, 2), keepdim=True)).square().mean((1, 2))
    return 1 - torch.where(spread > 0, roughness / (2 * spread), 0)
