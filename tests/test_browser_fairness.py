"""Lesson 06's first panel in a real browser: linked priors, runs, thresholds, collecting, all by the keyboard."""

import pytest
from in_browser import FINISHED, alt, open_panel, press_field, press_slider, shoot, show_cell

from course_lib.bench.browser import DONE
from course_lib.bench.panels import TRAINING
from course_lib.fairness.controls import PRIORS
from course_lib.fairness.methods import METHODS

pytestmark = pytest.mark.browser
PANEL = "from course_lib import fairness\npanel = fairness.panel(n_train=1000, epochs=3)\npanel"
OWN = """import torch
def mine(logits, y):
    return torch.nn.functional.cross_entropy(logits, y)
fairness.METHODS.register("mine", mine)"""


@pytest.fixture
def panel(lab):
    """The page with a panel that trains for a short time."""
    return open_panel(lab, PANEL, "faces")


def values(panel):
    return [float(panel.page.locator(f".course-{name} .widget-readout").inner_text()) for name in PRIORS]


def press(panel, button):
    panel.page.locator("button.jupyter-button", has_text=button).press("Space")


def type_below(panel, source):
    """Run a further cell below that of the panel, as a student does."""
    panel.page.evaluate(
        """async (source) => { const notebook = window.jupyterapp.shell.currentWidget.content;
        const end = notebook.model.cells.length;
        notebook.model.sharedModel.insertCell(end, {cell_type: "code", source});
        notebook.activeCellIndex = end;
        await window.jupyterapp.commands.execute("notebook:run-cell"); }""",
        source,
    )
    panel.until(DONE, 30)


def test_notebook_runs_without_an_error_and_without_a_network(lab):
    lab.open("06_fairness.ipynb")
    lab.run_all(timeout=400)
    show_cell(lab, "fairness.panel(")
    lab.page.locator("img.course-faces").first.wait_for(timeout=60_000)
    shoot(lab, "06_fairness")
    assert lab.blocked_log.read_text() == ""
    assert lab.refused == []


def test_every_control_answers_to_the_keyboard_and_keeps_the_focus(panel):
    page = panel.page
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    for name in PRIORS:
        press_slider(panel, name, picture="faces")
        panel.until(lambda: abs(sum(values(panel)) - 1) < 1e-6, 30)  # they follow, and sum to 1
    press_slider(panel, "noise", picture="faces")
    press_slider(panel, "n_train", key="ArrowLeft")
    for name, key in (("weight_decay", "ArrowDown"), ("epochs", "ArrowUp"), ("seed", "ArrowUp")):
        press_field(panel, name, key)
    panel.until(FINISHED, 60)
    assert "StdM · weight decay 1 · " in alt(panel, "groups")
    for name in ("threshold_women", "threshold_men"):
        press_slider(panel, name, picture="criteria")
    press_field(panel, "population", "ArrowDown")
    panel.until(lambda: "in the shares of the training data" in alt(panel, "criteria"), 30)
    assert "0.51 (women), 0.51 (men)" in alt(panel, "criteria")
    panel.until(FINISHED, 30)  # reading a run leaves it alone
    shoot(panel, "fairness")
    assert not page.locator(".course-error").count()
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells  # no key went to the notebook


def test_a_preset_collecting_giving_back_stop_and_run(panel):
    press_field(panel, "named", "b")
    panel.until(lambda: values(panel) == [0.25] * 4, 30)
    panel.until(FINISHED, 60)
    counts = [250] * 4
    assert "250 + 250 + 250 + 250 training faces" in alt(panel, "groups")
    for group, name in enumerate(PRIORS):
        panel.page.locator(f".course-collect-{name}").press("Enter")
        counts[group] += 500
        said = " + ".join(map(str, counts))
        panel.until(lambda said=said: said in (alt(panel, "groups") or ""), 60)
        assert [int(text) for text in panel.page.locator(".course-number").all_inner_texts()] == counts
    panel.until(FINISHED, 60)
    panel.page.get_by_role("button", name="give back").press("Enter")
    panel.until(lambda: "250 + 250 + 250 + 250" in alt(panel, "groups"), 60)
    epochs = panel.page.locator(".course-epochs input")
    epochs.fill("100")
    epochs.press("Enter")
    panel.until(TRAINING, 30)
    press(panel, "Stop")
    panel.until(lambda: panel.text(".course-status").startswith("Stopped"), 30)
    press(panel, "Run")
    panel.until(TRAINING, 30)  # nothing has moved
    epochs.fill("1")
    epochs.press("Enter")
    panel.until(FINISHED, 60)
    assert not panel.page.locator(".course-error").count()


def test_every_method_runs_and_the_page_does_not_jump(panel):
    press(panel, "Run")
    panel.until(FINISHED, 60)
    where = "() => document.querySelector('img.course-criteria').getBoundingClientRect().toJSON()"
    before = panel.page.evaluate(where)
    for method in list(METHODS)[1:]:
        press_field(panel, "method", "ArrowDown")
        assert panel.page.locator(".course-method select").input_value() == method
        panel.until(lambda method=method: alt(panel, "groups").startswith(f"{method} "), 60)
        panel.until(FINISHED, 120)
        if method == "FORML":
            panel.until(lambda: " Exemplars: " in alt(panel, "groups"), 60)  # its control has come beside it
            shoot(panel, "fairness_forml")
        assert panel.page.evaluate(where) == before
    shoot(panel, "fairness_methods")
    type_below(panel, OWN)
    press_field(panel, "method", "ArrowDown")  # one's own comes last, in the panel that is open
    assert panel.page.locator(".course-method select").input_value() == "mine"
    panel.until(lambda: alt(panel, "groups").startswith("mine "), 60)
    panel.until(FINISHED, 60)
    assert not panel.page.locator(".course-error").count()


def test_faces_follow_a_prior_that_is_dragged_and_the_detector_is_trained_after_letting_go(panel):
    box = panel.page.locator(".course-woman_smiling .noUi-handle").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    panel.page.mouse.move(x, y)
    panel.page.mouse.down()
    before = panel.source("course-faces")
    panel.page.mouse.move(x + 40, y, steps=8)
    panel.until(lambda: panel.source("course-faces") != before, 30)
    panel.page.wait_for_timeout(1200)
    assert panel.text(".course-status").startswith("Changed")  # held: no run
    assert sum(values(panel)) == pytest.approx(1, abs=1e-6)
    panel.page.mouse.up()
    panel.until(FINISHED, 60)
    assert values(panel)[1] > 0.02
    assert not panel.page.locator(".course-error").count()


def test_a_group_that_is_missing_is_said_in_the_panel(lab):
    source = PANEL.replace("epochs=3", "epochs=3, method='SUBG', priors=(0.5, 0.0, 0.0, 0.5)")
    open_panel(lab, source, "faces", "missing.ipynb")
    lab.page.locator("button.jupyter-button", has_text="Run").press("Space")
    lab.until("() => document.querySelector('.course-error')", 30)
    lab.until(lambda: "SUBG needs a sample of every group" in lab.text(".course-error"), 30)
