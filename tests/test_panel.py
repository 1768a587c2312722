"""The lab's panel without a browser: what its controls do, and that no error is swallowed."""

import subprocess
import sys
import threading
import time

import pytest

from course_lib import mitigation, training
from course_lib.data.biased_mnist import VARIABLES
from course_lib.errors import CourseError
from course_lib.mitigation import experiment
from course_lib.panel import Panel

WAIT = 60


SMALL = {"epochs": 1, "n_train": 320, "n_test": 200, "batch_size": 32}  # real runs, on few images


@pytest.fixture
def panel():
    experiment._finished.clear()
    made = mitigation.panel(**SMALL)
    made.wait(WAIT)
    yield made
    made.stop()


def press(button):
    button.click()


def test_opening_trains_nothing_and_shows_the_sheet(panel):
    assert panel.result is None
    assert bytes(panel.sheet.widget.value).startswith(b"\x89PNG")
    assert "Run" in panel.status.value


def test_run_streams_to_a_finished_result_equal_to_run(panel):
    press(panel.run_button)
    panel.wait(WAIT)
    assert panel.result.finished
    experiment._finished.clear()
    again = mitigation.run(panel.config(), progress=False)
    assert again.losses == panel.result.losses


def test_sheet_follows_every_move_at_once(panel):
    seen = set()
    for strength in (0.0, 0.3, 0.6, 1.0):
        panel.controls["strength"].value = strength
        seen.add(panel.sheet.widget.value)
    assert len(seen) == 4


def test_a_move_fades_the_old_run_and_starts_a_new_one(panel):
    press(panel.run_button)
    panel.wait(WAIT)
    first = panel.result
    panel.controls["strength"].value = 0.9
    assert panel.result is None
    assert "course-stale" in panel.picture.widget._dom_classes
    panel.wait(WAIT)
    assert panel.result.config.strength == 0.9
    assert panel.result is not first
    assert "course-stale" not in panel.picture.widget._dom_classes


def test_training_waits_until_the_slider_is_let_go(panel):
    panel.helper.held = True
    panel.controls["strength"].value = 0.8
    time.sleep(0.6)
    assert panel.result is None
    assert not panel.worker.busy
    panel.helper.held = False
    panel.wait(WAIT)
    assert panel.result.finished


def test_taking_hold_and_letting_go_without_a_move_starts_nothing(panel):
    panel.helper.held = True
    panel.helper.held = False
    assert not panel.worker.busy


def test_two_hundred_rapid_moves_leave_exactly_the_last_state(panel):
    before = threading.active_count()
    for i in range(200):
        panel.controls["strength"].value = (i % 20) / 20
    panel.controls["strength"].value = 0.35
    panel.wait(WAIT)
    assert panel.result.finished
    assert panel.result.config.strength == 0.35
    assert threading.active_count() <= before


def test_stop_keeps_what_was_shown_and_run_starts_again(panel):
    panel.controls["epochs"].value = 100
    deadline = time.monotonic() + WAIT
    while panel.result is None and time.monotonic() < deadline:
        time.sleep(0.05)
    press(panel.stop_button)
    panel.wait(WAIT)
    stopped = panel.result
    assert not stopped.finished
    assert stopped.step > 0
    assert "Stopped" in panel.status.value
    assert not panel.run_button.disabled
    panel.controls["epochs"].value = 1
    panel.wait(WAIT)
    assert panel.result.finished


def test_overall_strength_sets_all_and_one_alone_makes_a_mapping(panel):
    panel.controls["strength"].value = 0.2
    assert panel.state()["strength"] == 0.2
    panel.controls["digit_color"].value = 0.9
    strength = panel.state()["strength"]
    assert strength == dict.fromkeys(VARIABLES, 0.2) | {"digit_color": 0.9}
    assert panel.controls["strength"].value == pytest.approx(0.3)


def test_state_makes_the_same_panel_again_and_is_what_run_takes(panel):
    panel.controls["method"].value = "GDRO"
    panel.controls["explicit"].value = "texture_color"
    panel.controls["digit_color"].value = 0.75
    panel.settings["eta"].value = 0.25
    state = panel.state()
    assert state["settings"] == {"eta": 0.25}
    again = mitigation.panel(**state)
    again.wait(WAIT)
    assert again.state() == state
    assert mitigation.Config(**state) == panel.config()


def test_badge_and_explicit_say_what_the_method_is_told(panel):
    panel.controls["method"].value = "LFF"
    assert "told: nothing" in panel.about.value
    assert panel.controls["explicit"].disabled
    panel.controls["method"].value = "UpWt"
    assert "told: bias labels" in panel.about.value
    assert not panel.controls["explicit"].disabled


def test_a_method_of_ones_own_joins_open_panels(panel):
    mitigation.METHODS.register("Mine", lambda logits, y: -logits.log_softmax(1)[range(len(y)), y])
    try:
        assert "Mine" in panel.controls["method"].options
        panel.controls["method"].value = "Mine"
        panel.wait(WAIT)
        assert panel.result.finished
    finally:
        mitigation.METHODS.remove("Mine")
    assert panel.controls["method"].value == "StdM"


def test_an_error_in_a_run_is_shown_and_raised(panel):
    def broken(logits, y):
        raise RuntimeError("a student's mistake")

    mitigation.METHODS.register("Broken", broken)
    try:
        panel.controls["method"].value = "Broken"
        with pytest.raises(RuntimeError, match="a student's mistake"):
            panel.wait(WAIT)
        assert "RuntimeError: a student's mistake" in panel.problem.value
        assert "test_panel.py" in panel.problem.value  # where it happened
        panel.controls["method"].value = "StdM"
        panel.wait(WAIT)
        assert panel.result.finished
        assert panel.problem.value == ""
    finally:
        mitigation.METHODS.remove("Broken")


def test_an_error_in_a_callback_is_shown_and_raised(panel, monkeypatch):
    def fail(self):
        raise CourseError("The digits are gone.")

    monkeypatch.setattr(type(panel), "preview", fail)
    with pytest.raises(CourseError, match="The digits are gone"):
        panel.controls["strength"].value = 0.1
    assert "The digits are gone." in panel.problem.value
    assert "<details>" not in panel.problem.value  # a sentence for the user needs no traceback


def test_missing_mnist_is_one_sentence_that_says_what_to_do(panel, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    from course_lib.data import digits

    if digits.find_mnist() is not None:
        pytest.skip("MNIST lies in the data folder")
    with pytest.raises(CourseError, match="python -m course_lib data mnist"):
        panel.controls["source"].value = "mnist"
    assert "data mnist" in panel.problem.value


def test_kept_runs_are_compared_with_stdm_and_saved(panel, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert panel.kept.keep_button.disabled
    panel.controls["method"].value = "UpWt"
    panel.wait(WAIT)
    press(panel.kept.keep_button)
    assert panel.kept.keep_button.disabled  # once is enough
    assert "run StdM" in panel.kept.note.value
    panel.controls["method"].value = "StdM"
    panel.wait(WAIT)
    assert panel.kept.note.value == ""
    press(panel.kept.keep_button)
    press(panel.kept.save_button)
    import pandas as pd

    saved = pd.read_csv("bias_mitigation_runs.csv")
    assert saved["method"].tolist() == ["UpWt", "StdM"]
    assert saved["told"].tolist() == ["distractor_shape", "nothing"]
    assert saved.loc[1, ["IOSM majority", "IOSM minority"]].tolist() == [0, 0]
    assert [p.name for p in tmp_path.iterdir()] == ["bias_mitigation_runs.csv"]
    press(panel.kept.clear_button)
    assert panel.kept.widget.layout.display == "none"


def test_a_csv_that_cannot_be_written_is_one_sentence_and_loses_nothing(panel, tmp_path, monkeypatch):
    press(panel.run_button)
    panel.wait(WAIT)
    press(panel.kept.keep_button)
    panel.kept.csv = tmp_path / "missing" / "runs.csv"
    press(panel.kept.save_button)
    with pytest.raises(CourseError, match="could not be written"):
        panel.wait(WAIT)
    assert "could not be written" in panel.problem.value
    assert len(panel.kept.runs) == 1


def test_hidden_parts_keep_their_values_and_unknown_ones_are_refused():
    panel = mitigation.panel(hide=["seed", "advanced"], seed=7, **SMALL)
    panel.wait(WAIT)
    assert panel.controls["seed"].layout.display == "none"
    assert panel.state()["seed"] == 7
    with pytest.raises(CourseError, match="a part to hide"):
        mitigation.panel(hide=["everything"])


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"strength": 1.2}, "from 0 to 1"),
        ({"strength": float("nan")}, "from 0 to 1"),
        ({"strength": {"colour": 0.2}}, "'colour'"),
        ({"method": "Magic"}, "no method 'Magic'"),
        ({"source": "cifar"}, "'cifar'"),
        ({"explicit": "colour"}, "'colour'"),
        ({"epochs": 0}, "epochs"),
        ({"speed": 2}, "no setting speed"),
        ({"hide": 5}, "hide must name"),
    ],
)
def test_bad_state_is_one_clear_sentence(state, message):
    with pytest.raises(CourseError, match=message):
        mitigation.panel(**state)


def test_static_is_a_plain_figure_of_the_same_state(panel):
    press(panel.run_button)
    panel.wait(WAIT)
    figure = panel.static()
    assert any(panel.result.config.source == "bundled" and "scikit-learn" in t.get_text() for t in figure.texts)


def test_pictures_have_alt_texts_and_controls_have_names(panel):
    press(panel.run_button)
    panel.wait(WAIT)
    labels = panel.helper.labels
    assert labels["course-picture"].startswith("StdM")
    assert "scikit-learn" in labels["course-sheet"]
    assert set(panel.controls) <= {name.removeprefix("course-") for name in labels}


def test_pictures_never_change_their_size(panel):
    sizes = {(p.widget.layout.width, p.widget.layout.height) for p in (panel.sheet, panel.picture)}
    press(panel.run_button)
    panel.wait(WAIT)
    panel.rescale(2.0)
    assert {(p.widget.layout.width, p.widget.layout.height) for p in (panel.sheet, panel.picture)} == sizes


def test_one_torch_thread_while_a_panel_is_open(panel):
    import torch

    assert torch.get_num_threads() == training.THREADS == 1


def test_a_panel_says_its_state_in_words(panel):
    assert repr(panel).startswith("BiasPanel(")
    assert eval(repr(panel).replace("BiasPanel", "dict")) == panel.state()
    assert isinstance(panel, Panel)


def test_keep_without_a_finished_run_keeps_nothing(panel):
    press(panel.run_button)
    panel.wait(WAIT)
    panel.controls["seed"].value = 2
    press(panel.kept.keep_button)  # the click came before the button went grey
    panel.wait(WAIT)
    assert panel.kept.runs == []
    press(panel.kept.keep_button)
    press(panel.kept.keep_button)
    assert panel.kept.runs == [panel.result]


def test_another_panel_leaves_a_saved_table_alone(panel, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bias_mitigation_runs.csv").write_text("earlier")
    press(panel.run_button)
    panel.wait(WAIT)
    press(panel.kept.keep_button)
    press(panel.kept.save_button)
    press(panel.kept.save_button)
    assert (tmp_path / "bias_mitigation_runs.csv").read_text() == "earlier"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bias_mitigation_runs-2.csv", "bias_mitigation_runs.csv"]


def test_registering_another_method_leaves_settings_and_run_alone():
    panel = mitigation.panel(method="GDRO", settings={"eta": 0.5}, **SMALL)
    panel.wait(WAIT)
    press(panel.run_button)
    panel.wait(WAIT)
    mitigation.METHODS.register("Other", lambda logits, y: logits.logsumexp(1))
    mitigation.METHODS.remove("Other")
    assert panel.state()["settings"] == {"eta": 0.5}
    assert panel.result.finished
    assert "GDRO, eta 0.5" in panel.result.summary()["method"]


def test_replacing_the_chosen_method_outdates_its_picture(panel):
    mitigation.METHODS.register("Mine", lambda logits, y: logits.logsumexp(1))
    try:
        panel.controls["method"].value = "Mine"
        panel.wait(WAIT)
        mitigation.METHODS.register("Mine", lambda logits, y: -logits.log_softmax(1)[range(len(y)), y])
        assert panel.result is None
        assert "course-stale" in panel.picture.widget._dom_classes
    finally:
        mitigation.METHODS.remove("Mine")


def test_a_script_may_end_while_a_panel_works():
    code = "from course_lib import mitigation; p = mitigation.panel(); p.start()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_run_forgets_the_error_before_it(panel, tmp_path):
    press(panel.run_button)
    panel.wait(WAIT)
    press(panel.kept.keep_button)
    panel.kept.csv = tmp_path / "missing" / "runs.csv"
    press(panel.kept.save_button)
    assert "could not be written" in panel.problem.value
    press(panel.run_button)
    panel.wait(WAIT)
    assert panel.problem.value == ""
