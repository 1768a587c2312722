"""Backbones by name: the kit's own trunk, or ImageNet's ResNet-18 where torchvision is installed."""

from __future__ import annotations

from http.client import HTTPException
from pathlib import Path

import torch
from torch import Tensor, nn

from course_lib.errors import CourseError, require_choice
from course_lib.transfer.network import CHANNELS, FaceNet
from course_lib.transfer.trunk import load_trunk

BACKBONES = {"trunk": CHANNELS[-1], "resnet18": 512}  # and how many features each gives
MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels: what ResNet-18 was trained with
INSTEAD = 'or use backbone("trunk"), which comes with the kit'


class Backbone(nn.Module):
    """Pictures in, features out: float [B, 3, H, W] in 0..1 to float [B, features]."""

    def __init__(self, body: nn.Module, features: int, mean: tuple[float, ...], sd: tuple[float, ...]):
        super().__init__()
        self.body, self.features = body, features
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("sd", torch.tensor(sd)[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        return self.body((x - self.mean) / self.sd)


def backbone(name: str = "trunk") -> Backbone:
    """Return a pre-trained backbone without its last layer, in eval mode: "trunk" or "resnet18".

    "trunk" was made by the kit for faces of 32 x 32 pixels and gives 96 features; "resnet18" was trained on
    ImageNet (He, Zhang, Ren, Sun, arXiv 1512.03385), expects pictures of about 224 x 224 and gives 512. Its
    weights, 45 MB, come from torch's cache or are downloaded once. Raises `CourseError` for another name, where
    torchvision is not installed, and where the weights cannot be had. Taught in: notebook 04.
    """
    require_choice("backbone", name, BACKBONES)
    if name == "resnet18":
        return Backbone(_resnet18(), BACKBONES[name], MEAN, SD).eval()
    network = FaceNet(1)
    network.layers.load_state_dict(load_trunk())
    network.head = nn.Identity()
    return Backbone(network, BACKBONES[name], (0.0,) * 3, (1.0,) * 3).eval()


def _resnet18() -> nn.Module:
    try:
        from torchvision.models import ResNet18_Weights, resnet18  # late: hardly any lesson needs it
    except ModuleNotFoundError as error:
        raise CourseError(f"resnet18 needs torchvision: `pip install torchvision`, {INSTEAD}.") from error
    except Exception as error:  # it is there, and made for another build of torch, which shows in many ways
        raise CourseError(
            f"resnet18 needs the torchvision that was released with torch {torch.__version__}; the one that is "
            f"installed does not load ({error}): install that, {INSTEAD}."
        ) from error
    try:
        network = resnet18(weights=ResNet18_Weights.DEFAULT)
    except (OSError, HTTPException) as error:  # no network, no space, or a connection that broke off
        raise CourseError(f"ResNet-18's weights could not be had ({error}): try again later, {INSTEAD}.") from error
    except MemoryError:
        raise
    except Exception as error:  # what was downloaded, or lies in the cache, is no such file, which shows in many ways
        raise CourseError(
            f"ResNet-18's weights are damaged ({error}): delete resnet18-*.pth in "
            f"{Path(torch.hub.get_dir()) / 'checkpoints'} if it is there, and try again, {INSTEAD}."
        ) from error
    network.fc = nn.Identity()
    return network
