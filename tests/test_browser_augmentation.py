"""Lesson 03 in a real browser: the notebook runs, every control answers to the keyboard, errors show."""

import pytest
from in_browser import FINISHED, alt, open_panel, press_field, press_slider, shoot, show_cell

from course_lib.augmentation.augmentations import BUILT_IN

pytestmark = pytest.mark.browser
PANEL = "from course_lib import augmentation\npanel = augmentation.panel(epochs=3)\npanel"
KNOWN = "() => document.querySelector('img.course-gallery')?.alt.includes(' %.')"  # what the reference still reads


@pytest.fixture
def panel(lab):
    """The page with a panel that trains for a short time, once the reference classifier is there."""
    open_panel(lab, PANEL, "gallery")
    lab.until(KNOWN, 60)
    return lab


def test_notebook_runs_without_an_error_and_without_a_network(lab):
    lab.open("03_augmentation.ipynb")
    lab.run_all(timeout=400)
    show_cell(lab, "augmentation.panel(")
    lab.page.locator("img.course-gallery").first.wait_for(timeout=60_000)
    shoot(lab, "03_augmentation")
    assert lab.blocked_log.read_text() == ""
    assert lab.refused == []


def test_every_control_answers_to_the_keyboard_and_keeps_the_focus(panel):
    page = panel.page
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    for name in (*BUILT_IN, "digit"):
        press_slider(panel, name, picture="gallery")
    press_slider(panel, "n_train", key="ArrowLeft")
    for name, key in (("epochs", "ArrowUp"), ("seed", "ArrowUp")):
        press_field(panel, name, key)
    panel.until(FINISHED, 90)
    text = alt(panel, "training")
    assert text.startswith("9 augmentations") or text.startswith("8 augmentations")
    assert "% right (" in text
    shoot(panel, "augmentation_all")
    press_field(panel, "source", "ArrowDown")  # there is no MNIST here
    panel.until("() => document.querySelector('.course-error')", 30)
    assert "MNIST is not in" in panel.text(".course-error")
    shoot(panel, "augmentation_error")
    press_field(panel, "source", "ArrowUp")
    panel.until(FINISHED, 90)
    assert not page.locator(".course-error").count()
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells  # no key went to the notebook


def test_ones_own_augmentation_can_be_chosen_and_its_error_shows(lab):
    own = "augmentation.AUGMENTATIONS.register('{}', lambda x, generator: {})\n"
    source = PANEL.replace("panel =", own.format("negative", "1 - x") + own.format("oops", "x + nothing") + "panel =")
    open_panel(lab, source, "gallery", "own.ipynb")
    press_field(lab, "own", "ArrowDown")
    lab.until(lambda: "negative" in (alt(lab, "gallery") or ""), 30)
    lab.until(FINISHED, 60)
    press_field(lab, "own", "ArrowDown")
    lab.until("() => document.querySelector('.course-error')", 30)
    lab.until(lambda: "name 'nothing' is not defined" in lab.text(".course-error"), 30)


def test_run_and_stop_answer_to_the_keyboard_and_the_page_does_not_jump(panel):
    page = panel.page
    page.locator(".course-epochs input").fill("1000")
    page.locator(".course-epochs input").press("Enter")
    panel.until("() => document.querySelector('.course-status').innerText.startsWith('Training')", 30)
    where = "() => document.querySelector('img.course-training').getBoundingClientRect().toJSON()"
    before = page.evaluate(where)
    shown = panel.source("course-training")
    panel.until(lambda: panel.source("course-training") != shown, 30)  # it grows
    assert page.evaluate(where) == before
    page.get_by_role("button", name="Stop").press("Enter")
    panel.until("() => document.querySelector('.course-status').innerText.startsWith('Stopped')", 30)
    page.locator("button.jupyter-button", has_text="Run").press("Space")
    panel.until("() => document.querySelector('.course-status').innerText.startsWith('Training')", 30)
    page.get_by_role("button", name="Stop").press("Enter")


def test_two_hundred_rapid_moves_leave_exactly_the_last_state(panel):
    page = panel.page
    page.locator(".course-rotate .noUi-handle").focus()
    for i in range(200):
        page.keyboard.press("ArrowRight" if i % 20 < 12 else "ArrowLeft")
    page.keyboard.press("ArrowLeft")
    panel.until(FINISHED, 60)
    page.wait_for_timeout(500)
    shown = float(page.locator(".course-rotate .widget-readout").inner_text())
    for picture in ("gallery", "training"):
        assert f"rotation {shown:g} degrees" in alt(panel, picture)
    assert not page.locator("img.course-stale").count()
    shoot(panel, "augmentation_panel")


def test_a_stored_notebook_shows_its_pictures_before_anything_is_run(lab):
    lab.open("03_augmentation.ipynb")
    show_cell(lab, "augmentation.panel(")
    lab.page.locator(".jp-RenderedImage img, img.course-gallery").first.wait_for(timeout=60_000)
    shoot(lab, "03_stored")
    assert not lab.page.get_by_text("Error displaying widget").count()
