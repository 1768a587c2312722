"""The controls of lesson 07's panel, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean

import ipywidgets as widgets

from course_lib import controls
from course_lib.data.biased_mnist import VARIABLES
from course_lib.mitigation.config import Config
from course_lib.mitigation.methods import METHODS

STEP = 0.05  # of all strengths
NAMES = {  # the main controls in the order of the tab key, and what a screen reader calls them
    "strength": "bias strength of all seven variables",
    "method": "mitigation method",
    "explicit": "explicit variable: what the method is told",
    "source": "digits",
    "seed": "seed",
    "epochs": "epochs",
}


def make_controls(config: Config) -> dict[str, widgets.Widget]:
    """Return the main controls and one slider for each bias variable, set to ``config``."""
    strengths = config.strengths()
    titles = {name: variable.title for name, variable in VARIABLES.items()}
    made = {
        "strength": controls.slider("bias strength", mean_strength(strengths), 0, 1, STEP, NAMES["strength"]),
        "method": controls.choice("method", config.method, list(METHODS), NAMES["method"]),
        "explicit": controls.choice("explicit", config.explicit, titles, NAMES["explicit"]),
        "source": controls.source(config.source),
        "seed": controls.seed(config.seed),
        "epochs": controls.integer("epochs", config.epochs, 1, 100, NAMES["epochs"]),
    }
    for name, title in titles.items():
        made[name] = controls.slider(title, strengths[name], 0, 1, STEP, title)
        made[name].style.description_width, made[name].layout.width = "124px", "270px"
    return made


def mean_strength(strengths: Mapping[str, float]) -> float:
    """Return the strength that all variables have, or a value near their mean that the slider has a step for."""
    each = set(strengths.values())
    return each.pop() if len(each) == 1 else round(fmean(strengths.values()) / STEP) * STEP
