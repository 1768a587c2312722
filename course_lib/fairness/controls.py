"""The controls of lesson 06's first panel: a grid of priors, and what trains and reads the classifier."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets as widgets

from course_lib import controls
from course_lib.data.faces import GROUPS
from course_lib.fairness.config import POPULATIONS, Config
from course_lib.fairness.methods import METHODS
from course_lib.fairness.priors import steps_of

PRIORS = ("woman_neutral", "woman_smiling", "man_neutral", "man_smiling")  # the sliders, in the order of GROUPS
READING = ("threshold_women", "threshold_men", "population")  # choose how a run is read, and leave it alone
DECAYS = (0.0, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 3.0)
STEPS = 100  # of the priors' sliders
COLLECT = 500  # faces at a press


def make_controls(config: Config) -> dict[str, widgets.Widget]:
    """Return all controls, set to ``config``, in the order of the tab key."""
    priors = shown_priors(config)
    made = {
        name: controls.slider(group.partition(", ")[2], priors[name], 0, 1, 1 / STEPS, f"share of: {group}")
        for name, group in zip(PRIORS, GROUPS, strict=True)
    }
    for slider in made.values():
        slider.layout.width, slider.style.description_width = "258px", "84px"
    decays = sorted({*DECAYS, config.weight_decay})
    return made | {
        "method": controls.choice("method", config.method, list(METHODS), "mitigation method"),
        "weight_decay": controls.choice(
            "weight decay", config.weight_decay, {d: f"{d:g}" for d in decays}, "weight decay of the optimiser"
        ),
        "noise": controls.integer_slider("noise", config.noise, 0, 100, "noise of the camera, in grey levels of 255"),
        "n_train": controls.integer_slider(
            "train on", config.n_train, 100, max(8000, config.n_train), "training faces, without those collected"
        ),
        "epochs": controls.integer("epochs", config.epochs, 1, 100, "epochs: how often each face is trained on"),
        "seed": controls.seed(config.seed),
        "threshold_women": controls.slider(
            "threshold ♀", config.threshold_women, 0, 1, 0.01, "from which probability on a woman is said to smile"
        ),
        "threshold_men": controls.slider(
            "threshold ♂", config.threshold_men, 0, 1, 0.01, "from which probability on a man is said to smile"
        ),
        "population": controls.choice(
            "asked of", config.population, list(POPULATIONS), "shares of the groups for which the criteria are asked"
        ),
    }


def shown_priors(config: Config) -> Mapping[str, float]:
    """Return what the sliders show: the priors in whole percent that sum to 1."""
    return dict(zip(PRIORS, (step / STEPS for step in steps_of(config.priors, STEPS)), strict=True))
