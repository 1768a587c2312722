"""The panels of lesson 01: a very deep network, and a small Transformer while it trains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import ipywidgets as widgets

from course_lib import controls
from course_lib.gradients.activations import ACTIVATIONS
from course_lib.gradients.config import (
    BIASES,
    INITS,
    MAX_DEPTH,
    NORMS,
    ORDERS,
    SETTINGS,
    TASKS,
    TRANSFORMER_ACTIVATIONS,
    ProfileConfig,
    TransformerConfig,
)
from course_lib.gradients.experiment import Profile, profile
from course_lib.gradients.heatmaps import HistoryPicture
from course_lib.gradients.plots import ProfilePicture, summarise
from course_lib.gradients.transformer import History, stream
from course_lib.livepanel import LivePanel
from course_lib.training import warm_up

MAX_WIDTH = 64  # wider ones answer too slowly at 10,000 layers


def panel(*, hide: Iterable[str] = (), **state: object) -> ProfilePanel:
    """Return the panel of the very deep network: what happens to its gradient on the way to the first layer.

    ``state`` sets the controls: the fields of `ProfileConfig` (activation, depth, width up to 64, init,
    residual, norm, bias, seed). ``hide`` names controls or parts (picture, status) not to show.
    Raises `CourseError` for an unknown name or a value out of range. Taught in: notebook 01.
    """
    return ProfilePanel(ProfileConfig.of(**state), hide)


class ProfilePanel(LivePanel):
    """The panel of `panel`."""

    CONFIG = ProfileConfig
    ANSWERS = {"profile": ProfilePicture}  # noqa: RUF012

    def __init__(self, config: ProfileConfig, hide: Iterable[str]):
        super().__init__(config, make_profile_controls(config), hide=hide)

    def answer(self, config: ProfileConfig) -> Profile:
        return profile(config)

    def headline(self, result: Profile) -> str:
        return summarise(result)


def make_profile_controls(c: ProfileConfig) -> dict[str, widgets.Widget]:
    """Return the controls of `ProfilePanel`, set to a config."""
    titles = {name: activation.title for name, activation in ACTIVATIONS.items()}
    return {
        "depth": controls.log_slider("depth", c.depth, 1, MAX_DEPTH, "depth: number of layers"),
        "activation": controls.choice("activation", c.activation, titles, "activation of every layer"),
        "init": controls.choice("weights", c.init, INITS, "initialisation of the weights"),
        "width": controls.integer_slider("width", c.width, 1, MAX_WIDTH, "width: units in each layer"),
        "norm": controls.choice("normalise", c.norm, NORMS, "normalisation of what each layer takes in"),
        "bias": controls.choice("bias", c.bias, BIASES, "bias of every unit"),
        "residual": controls.checkbox("residual connections", c.residual, "residual connections around every layer"),
        "seed": controls.seed(c.seed),
    }


def transformer_panel(*, hide: Iterable[str] = (), **state: object) -> TransformerPanel:
    """Return the panel of the small Transformer, which trains while you watch its gradients.

    ``state`` sets the controls, the fields of `TransformerConfig` (order, layers, activation, lr, warm_up,
    task, steps, seed); length, width and batch_size have no control and stay as given. ``hide`` names
    controls or parts (named, picture, run, stop, status) not to show.
    Raises `CourseError` for an unknown name or a value out of range. Taught in: notebook 01.
    """
    return TransformerPanel(TransformerConfig.of(**state), hide)


class TransformerPanel(LivePanel):
    """The panel of `transformer_panel`."""

    CONFIG = TransformerConfig
    NAMED = SETTINGS
    RUNS = {"history": HistoryPicture}  # noqa: RUF012

    def __init__(self, config: TransformerConfig, hide: Iterable[str]):
        super().__init__(config, make_transformer_controls(config), hide=hide)

    def stream(self, config: TransformerConfig) -> Iterator[History]:
        return stream(config)

    def prepare(self, config: TransformerConfig) -> Iterator[None]:
        yield warm_up()

    def headline(self, result: History) -> str:
        state = "Finished" if result.finished else "Training:"
        moved = f"weights moved by {result.moved:.2g} of their size"
        return f"{state} step {result.step}: {result.accuracy:.0%} of the digits right; {moved}."


def make_transformer_controls(c: TransformerConfig) -> dict[str, widgets.Widget]:
    """Return the controls of `TransformerPanel`, set to a config."""
    return {
        "order": controls.choice("normalise", c.order, ORDERS, "where layer normalisation stands"),
        "lr": controls.decade_slider("learning rate", c.lr, 1e-9, 1, "learning rate of Adam"),
        "warm_up": controls.integer_slider("warm-up", c.warm_up, 0, 400, "warm-up: steps until the full learning rate"),
        "layers": controls.integer_slider("layers", c.layers, 1, 12, "number of layers, each attention and a network"),
        "activation": controls.choice("activation", c.activation, TRANSFORMER_ACTIVATIONS, "activation in each layer"),
        "task": controls.choice("task", c.task, TASKS, "what is done with the eight digits"),
        "steps": controls.integer("steps", c.steps, 1, 2000, "steps of training, of 64 sequences each"),
        "seed": controls.seed(c.seed),
    }
