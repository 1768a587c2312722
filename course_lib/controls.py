"""The controls that panels are made of, one line each; ``tooltip`` is also what a screen reader says."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import ipywidgets as widgets

from course_lib.randomness import MAX_SEED

STYLE = {"style": {"description_width": "90px"}, "layout": {"width": "284px"}}


def slider(name: str, value: float, low: float, high: float, step: float, tooltip: str) -> widgets.FloatSlider:
    """Return a slider for a number."""
    digits = max(0, math.ceil(-math.log10(step) - 1e-9))
    return widgets.FloatSlider(
        value, min=low, max=high, step=step, readout_format=f".{digits}f", description=name, tooltip=tooltip, **STYLE
    )


def integer_slider(name: str, value: int, low: int, high: int, tooltip: str) -> widgets.IntSlider:
    """Return a slider for a whole number."""
    return widgets.IntSlider(value, min=low, max=high, description=name, tooltip=tooltip, **STYLE)


def log_slider(name: str, value: int, low: int, high: int, tooltip: str) -> widgets.FloatLogSlider:
    """Return a slider for a whole number on a logarithmic scale, a hundred steps for each power of ten."""
    return widgets.FloatLogSlider(
        value, base=10, min=math.log10(low), max=math.log10(high), step=0.01, readout_format=".0f",
        description=name, tooltip=tooltip, **STYLE,
    )  # fmt: skip


def decade_slider(name: str, value: float, low: float, high: float, tooltip: str) -> widgets.SelectionSlider:
    """Return a slider over 1, 2, 3 and 5 times the powers of ten from ``low`` to ``high``, and ``value`` itself."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = {float(f"{digit}e{power}") for power in decades for digit in (1, 2, 3, 5)}
    options = [(f"{v:g}", v) for v in sorted({v for v in steps if low <= v <= high} | {value})]
    return widgets.SelectionSlider(options=options, value=value, description=name, tooltip=tooltip, **STYLE)


def choice(name: str, value: object, options: Iterable | Mapping[object, str], tooltip: str) -> widgets.Dropdown:
    """Return a selector: of ``options`` themselves, or of keys that show as the text that they map to."""
    pairs = [(text, key) for key, text in options.items()] if isinstance(options, Mapping) else list(options)
    return widgets.Dropdown(options=pairs, value=value, description=name, tooltip=tooltip, **STYLE)


def checkbox(name: str, value: bool, tooltip: str) -> widgets.Checkbox:
    """Return a switch."""
    return widgets.Checkbox(value, description=name, indent=True, tooltip=tooltip, **STYLE)


def integer(name: str, value: int, low: int, high: int, tooltip: str) -> widgets.BoundedIntText:
    """Return a field for a whole number."""
    return widgets.BoundedIntText(value, min=low, max=high, description=name, tooltip=tooltip, **STYLE)


def seed(value: int) -> widgets.BoundedIntText:
    """Return the field for the seed."""
    return integer("seed", value, 0, MAX_SEED, "seed: another one draws everything that is random anew")
