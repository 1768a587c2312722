"""What decides a profile of a deep network, and what decides a run of the small Transformer."""

from __future__ import annotations

from dataclasses import dataclass

from course_lib import config
from course_lib.errors import CourseError
from course_lib.gradients.activations import ACTIVATIONS
from course_lib.randomness import MAX_SEED

INITS = {
    "xavier": "Xavier, 1 / width",
    "he": "He, 2 / width",
    "orthogonal": "orthogonal",
    "small": "small, deviation 0.01",
}
NORMS = {"none": "none", "layer": "layer normalisation"}
BIASES = {
    "zero": "zero",
    "random": "random, as PyTorch",
    "cancel": "such that all z are 0",
}
MAX_DEPTH = 10_000
MAX_WIDTH = 256


@dataclass(frozen=True)
class ProfileConfig(config.Config):
    """A fully connected network of ``depth`` layers of ``width`` units; checked when made (`CourseError`)."""

    activation: str = "tanh"
    depth: int = 50
    width: int = 64
    init: str = "xavier"
    residual: bool = False
    norm: str = "none"
    bias: str = "zero"
    seed: int = 0

    def __post_init__(self):
        self.choose("activation", ACTIVATIONS)
        self.choose("init", INITS)
        self.choose("residual", (False, True))
        self.choose("norm", NORMS)
        self.choose("bias", BIASES)
        self.integer("depth", 1, MAX_DEPTH)
        self.integer("width", 1, MAX_WIDTH)
        self.integer("seed", 0, MAX_SEED)


ORDERS = {"pre": "before (pre-norm)", "post": "after (post-norm)"}
TRANSFORMER_ACTIVATIONS = {"relu": "ReLU", "leaky_relu": "leaky ReLU"}
TASKS = {"sort": "sort the digits", "copy": "copy the digits"}


@dataclass(frozen=True)
class TransformerConfig(config.Config):
    """A run of the small Transformer; checked when made (`CourseError`).

    order: where layer normalisation stands; warm_up: steps in which the learning rate rises from 0 to lr.
    """

    order: str = "pre"
    layers: int = 12
    activation: str = "relu"
    lr: float = 1e-2
    warm_up: int = 0
    task: str = "sort"
    steps: int = 200
    seed: int = 0
    length: int = 8
    width: int = 32
    batch_size: int = 64

    def __post_init__(self):
        self.choose("order", ORDERS)
        self.choose("activation", TRANSFORMER_ACTIVATIONS)
        self.choose("task", TASKS)
        self.integer("layers", 1, 12)
        self.number("lr", 1e-9, 10)
        self.integer("warm_up", 0, 10_000)
        self.integer("steps", 1, 10_000)
        self.integer("seed", 0, MAX_SEED)
        self.integer("length", 2, 32)
        self.integer("width", 4, 256)
        self.integer("batch_size", 1, 1024)
        if self.width % 4:
            raise CourseError(f"width must be a multiple of 4, for the four heads; it was {self.width}.")


SETTINGS = {  # of the Transformer: what each changes of the defaults
    "healthy: pre-norm": {},
    "collapse: post-norm, no warm-up": {"order": "post"},
    "rescued: post-norm, warm-up": {"order": "post", "warm_up": 100},
    "nothing moves: rate 3e-9": {"lr": 3e-9},
    "blown up: rate 0.3": {"lr": 0.3},
}
