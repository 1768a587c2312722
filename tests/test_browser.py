"""The lab as its users meet it: JupyterLab in a real browser, every control moved by keyboard."""

import nbformat
import pytest
from in_browser import FINISHED, alt, open_panel, press_field, press_slider, shoot, show_cell

from course_lib.bench.browser import Watch
from course_lib.bench.panels import TRAINING, panel_notebook
from course_lib.grading import book

pytestmark = pytest.mark.browser
SMALL = "from course_lib import mitigation\npanel = mitigation.panel(n_train=640, n_test=200, epochs=1)\npanel"


@pytest.fixture
def panel(lab):
    """The page with a panel that trains on few images."""
    return open_panel(lab, SMALL, "sheet")


@pytest.mark.parametrize("name", ["00_start_here", "07_bias_mitigation"])
def test_notebook_runs_without_an_error_and_without_a_network(lab, name):
    lab.open(f"{name}.ipynb")
    lab.run_all(timeout=400)
    show_cell(lab, "mitigation.panel(")
    lab.page.locator("img.course-sheet").first.wait_for(timeout=60_000)
    shoot(lab, name)
    assert lab.blocked_log.read_text() == ""
    assert lab.refused == []


def test_every_control_answers_to_the_keyboard_and_keeps_the_focus(panel):
    page = panel.page
    page.get_by_role("button", name="Advanced").press("Space")
    page.wait_for_timeout(300)
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    sliders = ["strength", "background_color", "digit_color", "digit_position", "distractor_shape"]
    for name in [*sliders, "distractor_color", "texture_pattern", "texture_color"]:
        press_slider(panel, name, picture="sheet")
    downs, ups = ("method", "explicit", "source"), ("source", "seed", "epochs")
    for name, key in [*((name, "ArrowDown") for name in downs), *((name, "ArrowUp") for name in ups)]:
        press_field(panel, name, key)
    panel.until(FINISHED, 90)
    assert alt(panel, "picture").startswith("UpWt (told the distractor colour)")
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells  # no key went to the notebook
    shoot(panel, "panel_advanced")


def test_a_state_between_the_steps_of_a_slider_is_shown_and_kept(lab):
    show = "from course_lib import mitigation\npanel = mitigation.panel({})\nprint(panel.state()['strength'])\npanel"
    for strength, mean in (({"digit_color": 0.9}, "0.20"), (0.123, "0.1230")):
        open_panel(lab, show.format(f"strength={strength}"), "sheet")
        assert lab.page.locator(".course-strength .widget-readout").inner_text() == mean
        assert lab.page.locator(".course-status").inner_text().startswith("Run, or move")  # nothing has moved
        told = "0.10 / 0.90" if mean == "0.20" else "0.12"
        assert f"strength {told};" in alt(lab, "sheet").replace(", ", " / ")


def test_run_stop_keep_and_save_answer_to_the_keyboard(panel):
    page = panel.page
    page.locator(".course-epochs input").fill("100")
    page.locator(".course-epochs input").press("Enter")
    panel.until(TRAINING, 30)
    page.get_by_role("button", name="Stop").press("Enter")
    panel.until("() => document.querySelector('.course-status').innerText.startsWith('Stopped')", 30)
    page.locator(".course-epochs input").fill("1")
    page.locator(".course-epochs input").press("Enter")
    keep = page.get_by_role("button", name="Keep")
    for kept, method in enumerate(("StdM", "LFF"), 1):
        page.locator(".course-method select").select_option(method)
        panel.until(f"() => !({FINISHED})()", 30) if method == "LFF" else None
        panel.until(FINISHED, 60)
        panel.until(keep.is_enabled, 30)  # the word that it may be pressed can come after the status
        keep.press("Space")
        panel.until(f"() => document.querySelector('.course-status').innerText.startsWith('Kept: {kept} ')", 30)
    page.get_by_role("button", name="Save CSV").press("Space")
    panel.until(lambda: (panel.root / "bias_mitigation_runs.csv").exists(), 30)
    assert len((panel.root / "bias_mitigation_runs.csv").read_text().splitlines()) == 3
    page.locator("img.course-comparison").scroll_into_view_if_needed()
    shoot(panel, "panel_kept")


def test_tab_goes_through_the_controls_in_the_order_of_reading(panel):
    page = panel.page
    page.locator(".course-strength .noUi-handle").focus()
    seen = []
    for _ in range(4):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("() => document.activeElement.closest('[class*=course-]')?.className || ''"))
    text = " ".join(seen)
    assert "course-method" in text
    assert "course-source" in text


def test_two_hundred_rapid_moves_leave_exactly_the_last_state(panel):
    page = panel.page
    handle = page.locator(".course-strength .noUi-handle")
    handle.focus()
    for i in range(200):
        page.keyboard.press("ArrowRight" if i % 20 < 10 else "ArrowLeft")
    page.keyboard.press("ArrowRight")
    panel.until(FINISHED, 60)
    page.wait_for_timeout(500)
    shown = page.locator(".course-strength .widget-readout").inner_text()
    assert f"strength {shown}" in alt(panel, "sheet")
    assert f"strength {shown}" in alt(panel, "picture")
    assert not page.locator("img.course-stale").count()


def test_dragging_with_the_pointer_trains_only_after_letting_go(panel):
    page = panel.page
    box = page.locator(".course-strength .noUi-handle").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    before = panel.source("course-sheet")
    page.mouse.move(x - 40, y, steps=8)
    panel.until(lambda: panel.source("course-sheet") != before, 30)  # the sheet follows
    page.wait_for_timeout(1200)
    assert panel.text(".course-status").startswith("Changed")  # held: no run
    page.mouse.up()
    panel.until(FINISHED, 60)


def test_the_page_does_not_jump_while_a_run_goes_on(panel):
    where = "() => document.querySelector('img.course-picture').getBoundingClientRect().toJSON()"
    before = panel.page.evaluate(where)
    Watch(panel, "course-strength", "course-sheet").move("ArrowLeft")
    for _ in range(5):
        panel.page.wait_for_timeout(300)
        assert panel.page.evaluate(where) == before
    panel.until(FINISHED, 60)
    assert panel.page.evaluate(where) == before


def test_an_error_shows_in_the_panel(lab):
    source = SMALL.replace(
        "\npanel =", "\nmitigation.METHODS.register('Oops', lambda logits, y: logits.sum() * nothing)\npanel ="
    )
    panel_notebook(lab.root, source)
    lab.open("panel.ipynb")
    lab.run_all()
    lab.page.locator(".course-method select").select_option("Oops")
    lab.until("() => document.querySelector('.course-error')", 30)
    lab.until(lambda: "name 'nothing' is not defined" in lab.text(".course-error"), 30)
    shoot(lab, "panel_error")
    panel_notebook(lab.root, SMALL)


def test_a_stored_notebook_shows_its_pictures_before_anything_is_run(lab):
    lab.open("07_bias_mitigation.ipynb")
    show_cell(lab, "mitigation.panel(")
    image = lab.page.locator(".jp-RenderedImage img, img.course-sheet")
    image.first.wait_for(timeout=60_000)
    shoot(lab, "stored")
    assert not lab.page.get_by_text("Error displaying widget").count()


ANSWERS = {  # what a student tries -> what the box begins with
    "def update_weights(q, losses, group):\n    raise NotImplementedError": "… 07.3",
    "def update_weights(q, losses, group):\n    q = q * torch.exp(0.1 * losses.mean())\n    return q": "✗ 07.3",
    "def update_weights(q, losses, group):\n    return q / 0 if len(q) else undefined": "✗ 07.3",
    book.exercise("07.3").solution(): "✓ 07.3",
}


def test_the_stored_study_answers_every_control_and_trains_nothing(lab):
    open_panel(lab, "from course_lib import mitigation\npanel = mitigation.stored.panel()\npanel", "stored")
    cells = lab.page.locator(".jp-Notebook .jp-Cell").count()
    assert alt(lab, "stored").startswith("UpWt (told the distractor shape) · bias strength 0.7 · stored runs, MNIST")
    press_slider(lab, "strength", key="ArrowLeft", picture="stored")
    lab.until(lambda: "bias strength 0.5" in alt(lab, "stored"), 30)
    press_field(lab, "explicit", "ArrowUp")
    lab.until(lambda: "Not stored" in lab.text(".course-status"), 30)
    shoot(lab, "stored_nothing")
    press_slider(lab, "strength", picture="stored")
    lab.until(lambda: alt(lab, "stored").startswith("UpWt (told the digit position) · bias strength 0.7"), 30)
    press_field(lab, "method", "ArrowUp")
    lab.until(lambda: alt(lab, "stored").startswith("StdM · bias strength 0.7"), 30)
    assert lab.page.locator(".course-explicit select").is_disabled()
    assert lab.text(".course-status").startswith("StdM · bias strength 0.7")
    assert not lab.page.locator("button.jupyter-button", has_text="Run").count()
    assert lab.page.locator(".jp-Notebook .jp-Cell").count() == cells  # no key went to the notebook
    shoot(lab, "stored")


def test_checks_answer_in_boxes_that_can_be_read(lab):
    cells = ["import torch\nfrom course_lib.grading import check, progress"]
    for answer in ANSWERS:
        cells += [answer, 'check("07.3", update_weights)']
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": kernel}, cells=[nbformat.v4.new_code_cell(cell) for cell in [*cells, "progress()"]]
    )
    nbformat.write(notebook, lab.root / "checks.ipynb")
    lab.open("checks.ipynb")
    lab.run_all()
    boxes = lab.page.locator("div[role=status]")
    lab.until(lambda: boxes.count() == len(ANSWERS) + 1, 30)
    said = boxes.all_inner_texts()
    assert [text[: len(start)] for text, start in zip(said, ANSWERS.values(), strict=False)] == list(ANSWERS.values())
    assert said[-1].startswith("4 of 20 points so far")
    assert all(box.bounding_box()["width"] <= 1000 for box in boxes.all())
    shoot(lab, "checks")
