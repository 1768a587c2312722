"""How answers to this lesson's exercises are compared; students may read it, it holds no solution."""

from __future__ import annotations

import torch
from torch import Tensor


def noise_summary(arguments: tuple, noisy: Tensor) -> Tensor:
    """Return five numbers about the noise in images, float [5]: what two samples of the same noise share.

    arguments[0]: the images, float [B, H, W]; noisy: the same with noise. The logarithm of its standard
    deviation; then, as shares of that: its mean, its mean size, and the spread of its means over the batch and
    over the pixels (large if images or pixels have their noise in common). Zeros for no images. One number in
    a thousand may be infinite and is left out, since a logarithm of 0 can come up by chance.
    """
    x = arguments[0]
    if not len(x):
        return torch.zeros(5)
    noise = torch.as_tensor(noisy).double() - x
    finite = noise.isfinite()
    if finite.double().mean() > 0.999:
        noise = torch.where(finite, noise, 0)
    sd = noise.std()
    shares = torch.stack([noise.mean(), noise.abs().mean(), noise.mean(0).std(), noise.mean((1, 2)).std()]) / sd
    return torch.cat([sd.log()[None], shares])
