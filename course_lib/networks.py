"""Small networks, each a few lines: ``features(x)`` is what a network sees, ``head`` is what it says."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.errors import require_choice


class Laptop(nn.Module):
    """Learns Biased MNIST in seconds on one core: three 3x3 convolutions and a global maximum.

    Input: float [B, 3, H, W] in 0..1, H and W even; output: logits [B, classes].
    The global *maximum* keeps the one cell with the digit; averaging over the canvas would drown it.
    Pooling stands before ReLU: the two commute, and ReLU then works on a quarter of the pixels.
    Taught in: notebook 07.
    """

    def __init__(self, classes: int = 10, channels: tuple[int, int, int] = (24, 32, 64)):
        super().__init__()
        c1, c2, c3 = channels
        self.conv1, self.norm1 = nn.Conv2d(12, c1, 3, padding=1, bias=False), nn.BatchNorm2d(c1)
        self.conv2, self.norm2 = nn.Conv2d(c1, c2, 3, padding=1, bias=False), nn.BatchNorm2d(c2)
        self.conv3, self.norm3 = nn.Conv2d(c2, c3, 3, padding=1, bias=False), nn.BatchNorm2d(c3)
        self.head = nn.Linear(c3, classes)

    def features(self, x: Tensor) -> Tensor:
        x = F.pixel_unshuffle(x, 2)  # 2x2 pixels become channels: a quarter of the positions to visit
        x = F.relu_(F.max_pool2d(self.norm1(self.conv1(x)), 2))
        x = F.relu_(self.norm2(self.conv2(x)))
        return F.relu(self.norm3(self.conv3(x)).amax((2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


class Paper(nn.Module):
    """The network of the Biased MNIST paper, for the full-scale study at 96 x 96 pixels.

    Input: float [B, 3, H, W] in 0..1 (its first layer normalises, so the paper's 0..255 is the same);
    output: logits [B, classes]. Source: Shrestha, Kafle, Kanan, arXiv 2104.00170, appendix.
    """

    def __init__(self, classes: int = 10):
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(3),
            nn.Conv2d(3, 32, 5),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(32, 32, 3),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, stride=2),
            nn.ReLU(),
        )
        self.head = nn.Linear(64, classes)

    def features(self, x: Tensor) -> Tensor:
        return self.body(x).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


NETWORKS: dict[str, Callable[[], nn.Module]] = {"laptop": Laptop, "paper": Paper}


def make_network(name: str, generator: torch.Generator, device: str | torch.device = "cpu") -> nn.Module:
    """Build a network whose initial weights depend on ``generator`` alone (never on global state).

    Raises `CourseError` for a name that is not in ``NETWORKS``.
    """
    require_choice("network", name, NETWORKS)
    return build(NETWORKS[name], generator).to(device=device, memory_format=torch.channels_last)


def build(make: Callable[[], nn.Module], generator: torch.Generator) -> nn.Module:
    """Return the module that ``make()`` makes, with weights drawn from ``generator`` (see `initialise`)."""
    with torch.device("meta"):  # no memory and no random numbers yet
        module = make()
    return initialise(module.to_empty(device="cpu"), generator)


@torch.no_grad()
def initialise(network: nn.Module, generator: torch.Generator) -> nn.Module:
    """Draw all weights anew, by PyTorch's own default rules, from ``generator``; return ``network``."""
    for layer in network.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            bound = layer.weight[0].numel() ** -0.5
            for parameter in layer.parameters(recurse=False):
                # Drawn where the generator lives, so that a GPU starts from the same weights.
                draw = torch.empty(parameter.shape, device=generator.device)
                parameter.copy_(draw.uniform_(-bound, bound, generator=generator))
        elif isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm)):
            layer.reset_parameters()
        elif any(True for _ in layer.parameters(recurse=False)):
            raise TypeError(f"initialise() has no rule for a {type(layer).__name__} layer; add one.")
    return network
