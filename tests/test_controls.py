"""Controls show the value that they are given, in a browser as well: it must be on one of their steps."""

import pytest

from course_lib import controls


@pytest.mark.parametrize(("value", "low", "step", "fitted"), [
    (0.5, 0.0, 0.05, 0.05), (0.123, 0.0, 0.05, 0.0005), (0.15, 0.0, 0.05, 0.05), (-0.4, -3.0, 0.1, 0.1),
    (0.25, 0.0, 0.1, 0.01), (1.0, 0.0, 0.05, 0.05), (2.0, -3.0, 0.1, 0.1), (0.0, -1.0, 0.2, 0.2),
])  # fmt: skip
def test_a_value_between_steps_makes_them_smaller(value, low, step, fitted):
    got, smaller = controls.fit(value, low, step)
    assert got == value
    assert smaller == pytest.approx(fitted)
    assert ((value - low) / smaller) == pytest.approx(round((value - low) / smaller), abs=1e-6)


def test_a_value_that_no_step_fits_goes_to_the_nearest_thousandth_of_a_step():
    value, step = controls.fit(1 / 3, 0.0, 0.1)
    assert (value, step) == (0.3333, pytest.approx(0.0001))


@pytest.mark.parametrize(("value", "tidy"), [
    (0.10000000000000009, 0.1), (-2.9999999999999996, -3.0), (4.4e-16, 0.0), (1e-9, 1e-9), (0.3, 0.3), (7, 7),
    (True, True), ("tanh", "tanh"), (1e-8 * 3, 3e-8),
])  # fmt: skip
def test_tidy_takes_off_the_last_digits_of_a_browsers_arithmetic(value, tidy):
    assert controls.tidy(value) == tidy
    assert type(controls.tidy(value)) is type(tidy)


@pytest.mark.parametrize("value", [1, 2, 3, 7, 99, 538, 1000, 9999, 10_000])
def test_a_logarithmic_slider_has_its_value_and_ends_among_its_steps(value):
    slider = controls.log_slider("depth", value, 1, 10_000, "depth")
    steps = [step for _, step in slider.options]
    assert slider.value == value
    assert steps == sorted(set(steps))
    assert (steps[0], steps[-1]) == (1, 10_000)
    assert {10, 100, 1000} <= set(steps)


def test_a_decade_slider_has_one_two_three_and_five_of_each_decade():
    slider = controls.decade_slider("rate", 4.2e-5, 1e-9, 1, "rate")
    steps = [step for _, step in slider.options]
    assert {1e-9, 3e-9, 0.01, 0.3, 1.0, 4.2e-5} <= set(steps)
    assert len(steps) == 9 * 4 + 2
    assert (steps[0], steps[-1]) == (1e-9, 1.0)
