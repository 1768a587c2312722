"""Lesson 04 in a real browser: what is looked at answers at once, everything else trains beside scratch."""

import pytest
from in_browser import FINISHED, alt, open_panel, press_field, press_slider, shoot, show_cell

from course_lib.bench.browser import Watch

pytestmark = pytest.mark.browser
PANEL = "from course_lib import transfer\npanel = transfer.panel(labels=20, steps=24)\npanel"


@pytest.fixture
def panel(lab):
    """The page with a panel that trains for a short time, and has done so once."""
    open_panel(lab, PANEL, "layers")
    lab.until(FINISHED, 60)
    return lab


def trained(panel, text):
    """Wait until a run with ``text`` in its caption is there, finished, and shown in both pictures."""
    panel.until(lambda: text in (alt(panel, "training") or ""), 120)
    panel.until(FINISHED, 120)
    panel.until(lambda: not panel.page.locator("img.course-stale").count(), 30)


def test_notebook_runs_without_an_error_and_without_a_network(lab):
    lab.open("04_transfer_learning.ipynb")
    lab.run_all(timeout=400)
    show_cell(lab, "transfer.panel(")
    lab.page.locator("img.course-layers").first.wait_for(timeout=60_000)
    assert not lab.page.locator("img.course-stale").count()  # its run was made further up in the notebook
    shoot(lab, "04_transfer")
    assert lab.blocked_log.read_text() == ""
    assert lab.refused == []


def test_every_control_answers_to_the_keyboard_and_keeps_the_focus(panel):
    cells = panel.page.locator(".jp-Notebook .jp-Cell").count()
    panel.until(lambda: "smile · fine-tuning · 20 labels" in alt(panel, "training"), 30)
    shoot(panel, "04_panel")
    press_slider(panel, "face", picture="layers")
    panel.until(lambda: alt(panel, "layers").startswith("Test face 1: drawn with"), 30)
    press_field(panel, "network", "ArrowUp")
    panel.until(lambda: "Feature maps of the four layers of the trunk" in alt(panel, "layers"), 30)
    assert panel.text(".course-status").startswith("Finished")  # nothing was trained for that
    assert not panel.page.locator("img.course-stale").count()
    press_slider(panel, "labels")
    trained(panel, "smile · fine-tuning · 30 labels · learning rate 0.003 · 24 steps · seed 0")
    press_slider(panel, "lr")
    trained(panel, "fine-tuning · 30 labels · learning rate 0.005 · 24 steps")
    press_field(panel, "regime", "ArrowUp")
    trained(panel, "first layers · 30 labels · learning rate 0.01 · 24 steps")  # it brings its own rate
    press_field(panel, "target", "ArrowDown")
    trained(panel, "age · first layers · 30 labels")
    panel.until(lambda: "years old; this run says" in alt(panel, "layers"), 30)
    press_field(panel, "steps", "ArrowUp")
    trained(panel, "25 steps · seed 0")
    press_field(panel, "seed", "ArrowUp")
    trained(panel, "25 steps · seed 1")
    panel.until(lambda: "Mean error" in panel.text(".course-status"), 30)
    shoot(panel, "04_panel_age")
    assert not panel.page.locator(".course-error").count()
    assert panel.page.locator(".jp-Notebook .jp-Cell").count() == cells  # no key went to the notebook


def test_a_named_setting_stop_and_run(panel):
    press_field(panel, "named", "ArrowDown")
    panel.until(lambda: panel.text(".course-labels .widget-readout").replace(",", "") == "50", 30)
    panel.page.locator("button.jupyter-button", has_text="Stop").press("Space")
    panel.until(lambda: panel.text(".course-status").startswith("Stopped"), 30)
    panel.page.locator("button.jupyter-button", has_text="Run").press("Space")
    trained(panel, "50 labels · learning rate 0.003 · 150 steps")


def test_two_hundred_rapid_moves_leave_exactly_the_last_state_and_nothing_jumps(panel):
    where = "() => JSON.stringify(document.querySelector('img.course-training').getBoundingClientRect())"
    panel.page.locator(".course-face .noUi-handle").focus()
    before = panel.page.evaluate(where)
    for i in range(200):
        panel.page.keyboard.press("ArrowRight" if i % 20 < 12 else "ArrowLeft")
    panel.page.wait_for_timeout(500)
    shown = panel.page.locator(".course-face .widget-readout").inner_text()
    panel.until(lambda: alt(panel, "layers").startswith(f"Test face {shown}:"), 30)
    assert panel.page.evaluate(where) == before
    assert not panel.page.locator("img.course-stale").count()


def test_the_layers_follow_the_slider(panel):
    watch = Watch(panel, "course-face", "course-layers")
    for _ in range(21):
        watch.move("ArrowRight")  # raises if no new picture comes; how long it takes is what `bench drags` measures
