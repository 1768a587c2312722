"""Lesson 02 in a real browser: the notebook runs, every control answers, and nothing is lost."""

import pytest
from in_browser import alt, open_panel, press_field, press_slider, shoot, show_cell

pytestmark = pytest.mark.browser
SETS = "from course_lib import normalization\npanel = normalization.panel()\npanel"
BATCHES = "from course_lib import normalization\npanel = normalization.batchnorm_panel()\npanel"


def test_the_notebook_runs_without_an_error_and_without_a_network(lab):
    lab.open("02_normalization.ipynb")
    lab.run_all(timeout=200)
    for i, (holds, picture) in enumerate([("normalization.panel(", "sets"), ("batchnorm_panel(", "modes")]):
        show_cell(lab, holds)
        lab.page.locator(f"img.course-{picture}").first.wait_for(timeout=60_000)
        lab.page.wait_for_timeout(500)
        shoot(lab, f"02_normalization_{i}")
    assert lab.blocked_log.read_text() == ""
    assert lab.refused == []


def test_every_control_of_the_strategies_answers_and_keeps_the_focus(lab):
    open_panel(lab, SETS, "sets", "sets.ipynb")
    cells = lab.page.locator(".jp-Notebook .jp-Cell").count()
    for name in ("n_train", "n_test", "shift", "scale", "balance"):
        press_slider(lab, name, picture="accuracy")
    for name, key in (("scaler", "ArrowDown"), ("seed", "ArrowUp")):
        press_field(lab, name, key)
    lab.until(lambda: alt(lab, "sets").startswith("Scaler PCA whitening, 201 training and 101 test birds"), 30)
    lab.until(lambda: "seed 1" in alt(lab, "sets"), 30)
    assert lab.page.locator(".jp-Notebook .jp-Cell").count() == cells  # no key went to the notebook
    shoot(lab, "02_panel_sets_pca")
    press_field(lab, "named", "ArrowDown")
    lab.until(lambda: "200 training and 100 test birds, shift 0.00" in alt(lab, "sets"), 30)


def test_every_control_of_batch_norm_answers_and_keeps_the_focus(lab):
    open_panel(lab, BATCHES, "modes", "batches.ipynb")
    for name in ("batch_size", "brightness", "batches", "momentum"):
        press_slider(lab, name, picture="modes")
    for name, key in (("layer", "ArrowDown"), ("by_digit", "Space"), ("seed", "ArrowUp")):
        press_field(lab, name, key)
    lab.until(lambda: alt(lab, "modes").startswith("BatchNorm2d, batches of 21 of one digit, brightness 0.31"), 30)
    lab.until(lambda: "seed 1" in alt(lab, "modes"), 30)
    shoot(lab, "02_panel_batches")
    press_field(lab, "named", "ArrowDown")
    lab.until(lambda: "batches of 20 mixed, brightness 0.00" in alt(lab, "modes"), 30)
    lab.page.locator(".course-layer select").select_option("BatchNorm1d")
    for _ in range(21):
        lab.page.locator(".course-batch_size .noUi-handle").press("ArrowLeft")
    lab.until(lambda: "torch refuses" in alt(lab, "modes"), 30)
    lab.until(lambda: "train mode cannot" in lab.text(".course-status"), 30)
    shoot(lab, "02_panel_batch_of_one")


@pytest.mark.parametrize(("source", "picture", "slider", "aim"), [
    (SETS, "sets", "shift", "shift {},"), (BATCHES, "modes", "brightness", "brightness {},"),
])  # fmt: skip
def test_two_hundred_rapid_moves_leave_exactly_the_last_state(lab, source, picture, slider, aim):
    open_panel(lab, source, picture, f"rapid_{slider}.ipynb")
    handle = lab.page.locator(f".course-{slider} .noUi-handle")
    where = f"() => JSON.stringify(document.querySelector('img.course-{picture}').getBoundingClientRect())"
    handle.focus()
    before = lab.page.evaluate(where)
    for i in range(200):
        lab.page.keyboard.press("ArrowRight" if i % 20 < 10 else "ArrowLeft")
    lab.page.keyboard.press("ArrowRight")
    lab.page.wait_for_timeout(500)
    shown = lab.page.locator(f".course-{slider} .widget-readout").inner_text()
    lab.until(lambda: aim.format(shown) in alt(lab, picture), 30)
    assert lab.page.evaluate(where) == before  # nothing jumped
    assert not lab.page.locator("img.course-stale").count()


def test_an_error_shows_in_the_panel(lab):
    source = SETS.replace(
        "\npanel =",
        "\nclass Broken(normalization.ZScore):\n    def learn(self, x): nothing\n"
        "normalization.SCALERS['broken'] = Broken\npanel =",
    )
    open_panel(lab, source, "sets", "broken.ipynb")
    lab.page.locator(".course-scaler select").select_option("broken")
    lab.until("() => document.querySelector('.course-error')", 30)
    lab.until(lambda: "name 'nothing' is not defined" in lab.text(".course-error"), 30)
    shoot(lab, "02_panel_error")
    lab.page.locator(".course-scaler select").select_option("range")
    lab.until(lambda: "Scaler range" in alt(lab, "sets"), 30)
    assert not lab.page.locator(".course-error").count()
