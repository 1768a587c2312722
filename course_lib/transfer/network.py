"""The network of lesson 04: four layers that can be taken over or kept as they are, one by one, and a head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CHANNELS = (24, 48, 96, 96)  # of the four layers


class Layer(nn.Sequential):
    """Convolution, batch norm, pooling and ReLU."""

    def __init__(self, entering: int, leaving: int, size: int, stride: int, pool: int):
        super().__init__(
            nn.Conv2d(entering, leaving, size, stride, padding=(size - stride + 1) // 2, bias=False),
            nn.BatchNorm2d(leaving),
            nn.MaxPool2d(pool) if pool > 1 else nn.Identity(),
            nn.ReLU(),
        )


class Kept(nn.Module):
    """A layer that stays as it is, whatever is trained around it: neither weights nor statistics move.

    It takes no part in ``train()``, so that batch norm uses the statistics it came with; and it records nothing
    for the gradient, so that an optimiser finds none and passes its weights over, weight decay included.
    """

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer
        self.train(False)

    def train(self, mode: bool = True) -> Kept:
        return super().train(False)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return self.layer(x)


class FaceNet(nn.Module):
    """Four convolutional layers, the mean over what is left of the picture, and a linear head.

    Input: float [B, 3, 32, 32] in 0..1; output: float [B, outputs]. Taught in: notebook 04.
    """

    def __init__(self, outputs: int):
        super().__init__()
        c1, c2, c3, c4 = CHANNELS
        self.layers = nn.Sequential(
            Layer(3, c1, 6, 2, pool=2),  # its filters are seen as they are: 6 x 6 pixels in colour
            Layer(c1, c2, 3, 1, pool=1),
            Layer(c2, c3, 3, 1, pool=2),
            Layer(c3, c4, 3, 1, pool=1),
        )
        self.head = nn.Linear(c4, outputs)

    def features(self, x: Tensor) -> Tensor:
        """Return what the head is given, float [B, 96]."""
        return self.layers(x).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))
