"""Lesson 05 in a real browser: the notebook runs, every control answers to the keyboard, nothing jumps."""

import pytest
from in_browser import FINISHED, alt, open_panel, press_field, press_slider, shoot, show_cell

from course_lib.bench.panels import TRAINING
from course_lib.multitask.config import TASKS
from course_lib.multitask.controls import labels_of, weight_of

pytestmark = pytest.mark.browser
PANEL = "from course_lib import multitask\npanel = multitask.panel(n_train=400, epochs=2)\npanel"


@pytest.fixture
def panel(lab):
    """The page with a panel that trains for a short time."""
    return open_panel(lab, PANEL, "start")


def says(panel, picture, *texts):
    """Wait until a picture's alt text holds all of these."""
    panel.until(lambda: all(text in (alt(panel, picture) or "") for text in texts), 90)


def test_notebook_runs_without_an_error_and_without_a_network(lab):
    lab.open("05_multitask_learning.ipynb")
    lab.run_all(timeout=400)
    show_cell(lab, "multitask.panel(")
    lab.page.locator("img.course-start").first.wait_for(timeout=60_000)
    shoot(lab, "05_multitask")
    assert lab.blocked_log.read_text() == ""
    assert lab.refused == []


def test_every_control_answers_to_the_keyboard_and_keeps_the_focus(panel):
    page = panel.page
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    press_field(panel, "coin", " ")
    says(panel, "start", "gender and coin")
    for task in TASKS:
        press_slider(panel, labels_of(task), key="ArrowLeft")
        press_slider(panel, weight_of(task), key="ArrowRight" if task == "smile" else "ArrowLeft", picture="start")
    for task in ("age", "gender"):
        press_field(panel, task, " ")
    says(panel, "start", "Cosine of gradients: smile and coin")
    press_field(panel, "smile", " ")
    press_field(panel, "smile", " ")
    press_slider(panel, "noise", picture="start")
    for name, key in (
        ("unit", "ArrowDown"),
        ("channels", "ArrowDown"),
        ("balance", "ArrowDown"),
        ("epochs", "ArrowUp"),
        ("seed", "ArrowUp"),
    ):
        press_field(panel, name, key)
    press_field(panel, "age", " ")
    says(panel, "curves", "age in years · learned weights · 3 epochs · seed 1", "camera noise 1", "coin (300 labels)")
    panel.until(FINISHED, 90)
    says(panel, "curves", "Step 21 of 21: smile")
    says(panel, "pulls", "At step 21: smile", "smile and age")
    shoot(panel, "multitask_controls")
    assert not page.locator(".course-error").count()
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells  # no key went to the notebook


def test_the_last_task_cannot_be_switched_off(panel):
    for task in ("age", "gender"):
        press_field(panel, task, " ")
    says(panel, "start", "Before the first step: smile 100 %")
    box = panel.page.locator(".course-smile input").first
    box.press(" ")
    panel.until("() => document.querySelector('.course-status').innerText.includes('last task')", 30)
    panel.until(box.is_checked, 30)


def test_a_named_setting_stop_and_run_and_the_page_does_not_jump(panel):
    where = "() => document.querySelector('img.course-pulls').getBoundingClientRect().toJSON()"
    before = panel.page.evaluate(where)
    press_field(panel, "named", "ArrowDown")
    says(panel, "start", "age 52.7 % of the loss")  # standardised
    press_field(panel, "named", "ArrowDown")
    says(panel, "start", "age 99.9 % of the loss")
    panel.until(TRAINING, 60)
    panel.page.get_by_role("button", name="Stop").press("Enter")
    panel.until(lambda: panel.text(".course-status").startswith("Stopped"), 30)
    panel.page.locator("button.jupyter-button", has_text="Run").press("Space")
    panel.until(FINISHED, 90)
    says(panel, "curves", "age in years", "Step 56 of 56: smile")
    assert panel.page.evaluate(where) == before
    shoot(panel, "multitask")
