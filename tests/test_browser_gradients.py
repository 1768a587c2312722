"""Lesson 01 in a real browser: the notebook, every control of both panels, a drag, a run, an error."""

import pytest
from in_browser import FINISHED, alt, open_panel, press_field, press_slider, shoot, show_cell

from course_lib.bench.panels import panel_notebook

pytestmark = pytest.mark.browser
PROFILE = "from course_lib import gradients\ngradients.panel(seed=1)"
SMALL = "from course_lib import gradients\ngradients.transformer_panel(layers=3, steps=60)"


def test_the_notebook_runs_without_an_error_and_without_a_network(lab):
    lab.open("01_vanishing_gradients.ipynb")
    lab.run_all(timeout=400)
    for name, holds in (("profile", "gradients.panel("), ("history", "transformer_panel(")):
        show_cell(lab, holds)
        lab.page.locator(f"img.course-{name}").first.wait_for(timeout=60_000)
        lab.page.wait_for_timeout(1000)
        shoot(lab, f"01_{name}")
    assert lab.blocked_log.read_text() == ""
    assert lab.refused == []


def test_every_control_of_the_deep_network_answers_to_the_keyboard(lab):
    open_panel(lab, PROFILE, "profile")
    before = lab.page.locator("img.course-profile").bounding_box()
    for name in ("depth", "width"):
        press_slider(lab, name, "ArrowLeft", picture="profile")
    for name in ("activation", "init", "norm", "bias"):
        shown = lab.source("course-profile")
        press_field(lab, name, "ArrowDown")
        lab.until(lambda shown=shown: lab.source("course-profile") != shown, 30)
    press_field(lab, "residual", "Space")
    press_field(lab, "seed", "ArrowUp")
    lab.until(lambda: "seed 2" in alt(lab, "profile"), 30)
    assert lab.page.locator("img.course-profile").bounding_box() == before
    text = alt(lab, "profile")
    for said in ("ReLU", "he initialisation", "layer normalisation", "residual connections", "bias random", "seed 2"):
        assert said in text
    shoot(lab, "01_profile_moved")


def test_a_state_is_shown_as_it_was_given(lab):
    open_panel(lab, PROFILE.replace("seed=1", "depth=538"), "profile")
    assert lab.page.locator(".course-depth .widget-readout").inner_text() == "538"
    lab.until(lambda: "538 layers" in alt(lab, "profile"), 30)


def test_two_hundred_rapid_moves_leave_exactly_the_last_state(lab):
    open_panel(lab, PROFILE, "profile")
    handle = lab.page.locator(".course-depth .noUi-handle")
    handle.focus()
    for i in range(200):
        lab.page.keyboard.press("ArrowRight" if i % 40 < 30 else "ArrowLeft")
    lab.page.wait_for_timeout(1500)
    shown = lab.page.locator(".course-depth .widget-readout").inner_text()
    lab.until(lambda: f"{shown} layers" in alt(lab, "profile"), 30)


def test_every_control_of_the_transformer_answers_and_a_run_follows(lab):
    open_panel(lab, SMALL, "history")
    for name, key in (("lr", "ArrowLeft"), ("warm_up", "ArrowRight"), ("layers", "ArrowLeft")):
        press_slider(lab, name, key)
    for name in ("order", "activation", "task"):
        press_field(lab, name, "ArrowDown")
    for name, key in (("steps", "ArrowDown"), ("seed", "ArrowUp")):
        press_field(lab, name, key)
    lab.until(FINISHED, 60)
    text = alt(lab, "history")
    for said in ("2 layers, post-norm", "leaky ReLU", "warm-up 1 steps", "copy the digits", "seed 1", "Step 59 of 59"):
        assert said in text, text
    press_field(lab, "named", "ArrowDown")
    shoot(lab, "01_named")


def test_a_named_setting_sets_the_controls_and_runs(lab):
    open_panel(lab, SMALL, "history")
    lab.page.locator(".course-named select").select_option("nothing moves: rate 3e-9")
    lab.until("() => document.querySelector('.course-lr .widget-readout').innerText === '3e-09'", 30)
    lab.until("() => document.querySelector('.course-status').innerText.startsWith('Training')", 30)
    lab.page.get_by_role("button", name="Stop").click()
    lab.until("() => document.querySelector('.course-status').innerText.startsWith('Stopped')", 30)
    assert lab.page.locator(".course-named select").input_value() == "nothing moves: rate 3e-9"
    press_slider(lab, "lr", "ArrowRight")
    lab.until(lambda: lab.page.locator(".course-named select").input_value() == "(your own)", 30)


def test_an_error_shows_in_the_panel(lab):
    panel_notebook(lab.root, "from course_lib import gradients\npanel = gradients.panel()\npanel.CONFIG = None\npanel")
    lab.open("panel.ipynb")
    lab.run_all()
    lab.page.locator("img.course-profile").first.wait_for(timeout=60_000)
    lab.page.locator(".course-depth .noUi-handle").press("ArrowRight")
    lab.until("() => document.querySelector('.course-error')", 30)
    lab.until(lambda: "TypeError" in lab.text(".course-error"), 30)
