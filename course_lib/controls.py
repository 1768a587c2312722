"""The controls that panels are made of, one line each; ``tooltip`` is also what a screen reader says."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import ipywidgets as widgets

from course_lib.randomness import MAX_SEED

DIGITS = {"bundled": "scikit-learn (bundled)", "mnist": "MNIST (70,000)"}
STYLE = {"style": {"description_width": "90px"}, "layout": {"width": "284px"}}


def slider(name: str, value: float, low: float, high: float, step: float, tooltip: str) -> widgets.FloatSlider:
    """Return a slider for a number; a value between its steps makes them smaller, down to a thousandth."""
    value, step = fit(value, low, step)
    digits = max(0, math.ceil(-math.log10(step) - 1e-9))
    return widgets.FloatSlider(
        value, min=low, max=high, step=step, readout_format=f".{digits}f", description=name, tooltip=tooltip, **STYLE
    )


def fit(value: float, low: float, step: float) -> tuple[float, float]:
    """Return the value and the step of a slider such that the value is on a step from ``low``.

    In the browser a slider moves a value that is between two steps, and says so to nobody.
    """
    for smaller in (step, step / 10, step / 100, step / 1000):
        steps = (value - low) / smaller
        if abs(steps - round(steps)) < 1e-6:
            break
    return tidy(low + round(steps) * smaller), smaller


def tidy(value: object) -> object:
    """Return a control's value without the last digits of a browser's arithmetic: 0.1 for 0.10000000000000009."""
    if not isinstance(value, float):
        return value
    return 0.0 if abs(value) < 1e-12 else float(f"{value:.10g}")


def integer_slider(name: str, value: int, low: int, high: int, tooltip: str) -> widgets.IntSlider:
    """Return a slider for a whole number."""
    return widgets.IntSlider(value, min=low, max=high, description=name, tooltip=tooltip, **STYLE)


def log_slider(name: str, value: int, low: int, high: int, tooltip: str) -> widgets.SelectionSlider:
    """Return a slider over whole numbers, some hundred for each power of ten, and ``value`` itself."""
    powers = range(math.floor(100 * math.log10(low)), math.ceil(100 * math.log10(high)) + 1)
    return _steps(name, value, (round(10 ** (power / 100)) for power in powers), low, high, tooltip)


def decade_slider(name: str, value: float, low: float, high: float, tooltip: str) -> widgets.SelectionSlider:
    """Return a slider over 1, 2, 3 and 5 times the powers of ten from ``low`` to ``high``, and ``value`` itself."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (float(f"{digit}e{power}") for power in decades for digit in (1, 2, 3, 5))
    return _steps(name, value, steps, low, high, tooltip)


def _steps(
    name: str, value: float, steps: Iterable[float], low: float, high: float, tooltip: str
) -> widgets.SelectionSlider:
    # Not a FloatLogSlider: in the browser that moves a value which it is given to the nearest of its own steps.
    return stepped(name, value, sorted({step for step in steps if low <= step <= high} | {value}), tooltip)


def stepped(name: str, value: float, steps: Iterable[float], tooltip: str) -> widgets.SelectionSlider:
    """Return a slider over these numbers only, of which ``value`` is one."""
    options = [(f"{step:g}", step) for step in steps]
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


def source(value: str) -> widgets.Dropdown:
    """Return the selector of the digits."""
    return choice("digits", value, DIGITS, "source of the digits")


def seed(value: int) -> widgets.BoundedIntText:
    """Return the field for the seed."""
    return integer("seed", value, 0, MAX_SEED, "seed: another one draws everything that is random anew")
