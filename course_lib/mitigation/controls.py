"""The controls of lesson 07's panel, and what they are called."""

from __future__ import annotations

from statistics import fmean

import ipywidgets as widgets

from course_lib.data.biased_mnist import VARIABLES
from course_lib.data.digits import SOURCES
from course_lib.mitigation.config import Config
from course_lib.mitigation.methods import METHODS
from course_lib.randomness import MAX_SEED

DIGITS = {"bundled": "scikit-learn (bundled)", "mnist": "MNIST (70,000)"}
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
    wide = {"style": {"description_width": "90px"}, "layout": {"width": "284px"}}
    slider = {"min": 0.0, "max": 1.0, "step": 0.05, "readout_format": ".2f"}
    strengths = config.strengths()
    titles = [(variable.title, name) for name, variable in VARIABLES.items()]
    sources = [(DIGITS[name], name) for name in SOURCES]
    controls = {
        "strength": widgets.FloatSlider(fmean(strengths.values()), description="bias strength", **slider, **wide),
        "method": widgets.Dropdown(options=list(METHODS), value=config.method, description="method", **wide),
        "explicit": widgets.Dropdown(options=titles, value=config.explicit, description="explicit", **wide),
        "source": widgets.Dropdown(options=sources, value=config.source, description="digits", **wide),
        "seed": widgets.BoundedIntText(config.seed, min=0, max=MAX_SEED, description="seed", **wide),
        "epochs": widgets.BoundedIntText(config.epochs, min=1, max=100, description="epochs", **wide),
    }
    narrow = {"style": {"description_width": "124px"}, "layout": {"width": "270px"}}
    for name, variable in VARIABLES.items():
        controls[name] = widgets.FloatSlider(strengths[name], description=variable.title, **slider, **narrow)
    return controls
