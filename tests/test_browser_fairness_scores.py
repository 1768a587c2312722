"""The interview scorer and fair regression in a real browser: looks at once, new training data after a run."""

import re

import pytest
from in_browser import FINISHED, alt, open_panel, press_field, press_slider, shoot

from course_lib.bench.panels import TRAINING

pytestmark = pytest.mark.browser
INTERVIEW = "from course_lib.fairness.interview.panel import interview_panel\npanel = interview_panel()\npanel"
REGRESSION = "from course_lib.fairness.regression.panel import regression_panel\npanel = regression_panel()\npanel"


def stop_and_run(lab):
    """Press Stop in a long run that has just begun, and Run, with nothing moved in between."""
    lab.until(TRAINING, 60)
    lab.page.locator("button.jupyter-button", has_text="Stop").press("Space")
    lab.until(lambda: lab.text(".course-status").startswith("Stopped"), 30)
    assert lab.page.locator("img.course-stale").count()  # what is looked at is that of an older run
    lab.page.locator("button.jupyter-button", has_text="Run").press("Space")
    lab.until(TRAINING, 60)


def test_every_control_of_the_interview_answers_and_keeps_the_focus(lab):
    open_panel(lab, INTERVIEW, "faces", "interview.ipynb")
    lab.until(FINISHED, 30)
    cells = lab.page.locator(".jp-Notebook .jp-Cell").count()
    shoot(lab, "06_interview")
    lab.until(lambda: "Applicant 0," in alt(lab, "faces"), 30)
    assert 15 < float(re.search(r"a shift of \+(\d+\.\d)", alt(lab, "faces"))[1]) < 25
    press_slider(lab, "applicant", picture="faces")
    lab.until(lambda: alt(lab, "faces").startswith("Applicant 1,"), 30)
    press_field(lab, "change", "ArrowDown")
    lab.until(lambda: "with no glasses" in alt(lab, "faces"), 30)
    press_field(lab, "by", "ArrowDown")
    lab.until(lambda: "By skin tone" in alt(lab, "effects"), 30)
    assert lab.text(".course-status").startswith("Finished")  # nothing was trained for that
    assert not lab.page.locator("img.course-stale").count()
    shoot(lab, "06_interview_glasses")
    press_slider(lab, "strength", key="Home")
    lab.until(lambda: "Trained with: strength 0 " in alt(lab, "faces"), 60)
    for name in ("epochs", "seed"):
        press_field(lab, name, "ArrowUp")
    press_slider(lab, "n_train", key="ArrowLeft")
    lab.until(lambda: "strength 0 · 1,999 faces · 7 epochs · seed 1" in alt(lab, "effects"), 90)
    assert not lab.page.locator("img.course-stale").count()
    assert lab.page.locator(".jp-Notebook .jp-Cell").count() == cells  # no key went to the notebook
    lab.page.locator(".course-epochs input").fill("100")
    lab.page.locator(".course-epochs input").press("Enter")
    stop_and_run(lab)
    press_field(lab, "named", "ArrowDown")
    lab.until(FINISHED, 60)
    shoot(lab, "06_interview_named")


def test_every_control_of_the_regression_answers_and_keeps_the_focus(lab):
    open_panel(lab, REGRESSION, "errors", "regression.ipynb")
    lab.until(FINISHED, 30)
    shoot(lab, "06_regression")
    press_slider(lab, "strength", picture="errors", key="End")
    lab.until(lambda: "with strength 1: " in alt(lab, "repair"), 30)
    press_slider(lab, "bound", picture="errors", key="Home")
    lab.until(lambda: "Bound 5.0 years: cannot be kept" in alt(lab, "errors"), 30)
    assert lab.text(".course-status").startswith("Finished")  # nothing was trained for that
    assert not lab.page.locator("img.course-stale").count()
    shoot(lab, "06_regression_bound_and_repair")
    for name, key in (("share", "ArrowRight"), ("look", "ArrowLeft"), ("gap", "ArrowRight"), ("n_train", "Home")):
        press_slider(lab, name, key=key)
    press_field(lab, "seed", "ArrowUp")
    said = "11% outdoors, look 19 years older, oldest 1 years younger · 500 faces · seed 1"
    lab.until(lambda: said in alt(lab, "errors"), 90)
    lab.until(lambda: said in alt(lab, "training"), 30)
    press_slider(lab, "n_train", key="End")
    stop_and_run(lab)
    press_field(lab, "named", "ArrowDown")
    lab.until(lambda: "10% outdoors, look 20 years older" in alt(lab, "errors"), 90)
    shoot(lab, "06_regression_named")


@pytest.mark.parametrize(("source", "picture", "slider", "aim"), [
    (INTERVIEW, "faces", "applicant", "Applicant {},"), (REGRESSION, "repair", "strength", "with strength {}:"),
], ids=["interview", "regression"])  # fmt: skip
def test_two_hundred_rapid_moves_leave_exactly_the_last_state(lab, source, picture, slider, aim):
    open_panel(lab, source, picture, f"rapid_{slider}.ipynb")
    lab.until(FINISHED, 30)
    where = f"() => JSON.stringify(document.querySelector('img.course-{picture}').getBoundingClientRect())"
    lab.page.locator(f".course-{slider} .noUi-handle").focus()
    before = lab.page.evaluate(where)
    for i in range(200):
        lab.page.keyboard.press("ArrowRight" if i % 20 < 12 else "ArrowLeft")
    lab.page.wait_for_timeout(500)
    shown = float(lab.page.locator(f".course-{slider} .widget-readout").inner_text())
    lab.until(lambda: aim.format(f"{shown:g}") in alt(lab, picture), 30)
    assert lab.page.evaluate(where) == before  # nothing jumped
    assert not lab.page.locator("img.course-stale").count()
