"""What of a run is looked at: whose layers, and what they make of one face. Nothing here trains."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.training import inputs
from course_lib.transfer.beside import Pair
from course_lib.transfer.config import REGIMES, Config
from course_lib.transfer.experiment import begin
from course_lib.transfer.network import FaceNet, Kept
from course_lib.transfer.pictures import TESTED, held_out

NETWORKS = ("trunk", "this run", "from scratch")  # whose layers can be looked into


@dataclass(frozen=True)
class LookConfig(Config):
    """The settings of the panel: those of a run, and what of it is looked at.

    face: which of the 1,000 test faces is shown; network: whose feature maps, one of `NETWORKS`. lr is always a
    number here: the regime's own, if none is given.
    """

    regime: str = "fine-tuning"
    face: int = 0
    network: str = "this run"

    def __post_init__(self):
        super().__post_init__()
        self.put("lr", self.rate())
        self.integer("face", 0, TESTED - 1)
        self.choose("network", NETWORKS)

    def run_config(self) -> Config:
        """Return what decides the run alone."""
        return Config(**{name: getattr(self, name) for name in Config.names()})


class Look(NamedTuple):
    """A finished pair of runs, and what of it is looked at."""

    config: LookConfig
    pair: Pair

    def networks(self) -> dict[str, FaceNet]:
        """Return the networks by the names in `NETWORKS`."""
        return dict(zip(NETWORKS, (trunk_network(), self.pair.run.network, self.pair.scratch.network), strict=True))

    def picture(self) -> Tensor:
        """Return the face as the camera took it, uint8 [3, 32, 32]."""
        return held_out()[1][self.config.face]

    def said(self) -> str:
        """Return what is drawn, and what both runs say of it."""
        drawn, face = held_out()[0], self.config.face
        run, scratch = (r.evaluations[-1].said[face].item() for r in (self.pair.run, self.pair.scratch))
        if self.pair.config.target == "age":
            return f"drawn {drawn.age[face]:.0f} years old; this run says {run:.0f}, from scratch {scratch:.0f}"
        truth = "with a smile" if drawn.smile[face] else "without a smile"
        return f"drawn {truth}; this run gives a smile {_chance(run)}, from scratch {_chance(scratch)}"


def _chance(logit: float) -> str:
    return f"{100 / (1 + math.exp(-max(min(logit, 50), -50))):.0f} %"


def filters(network: FaceNet) -> Tensor:
    """Return what the first layer looks for, float [24, 3, 6, 6]. Taught in: notebook 04."""
    first = network.layers[0]
    return (first.layer if isinstance(first, Kept) else first)[0].weight.detach()


def maps(network: FaceNet, picture: Tensor) -> list[Tensor]:
    """Return what each layer makes of a picture, in eval mode: a float tensor [channels, height, width] for each.

    picture: uint8 [3, 32, 32]. Raises `CourseError` for another shape. Taught in: notebook 04.
    """
    if picture.shape != (3, 32, 32):
        raise CourseError(f"picture must have the shape [3, 32, 32]; it was {list(picture.shape)}.")
    mode, x, found = network.training, inputs(picture[None], slice(None)), []
    network.eval()
    with torch.inference_mode():
        for layer in network.layers:
            x = layer(x)
            found.append(x[0])
    network.train(mode)
    return found


@lru_cache(maxsize=1)
def trunk_network() -> FaceNet:
    """Return a network whose layers are the trunk's, and whose head has learned nothing."""
    return begin(REGIMES["frozen features"], 0).eval()
