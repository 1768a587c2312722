"""What every panel of the short kind does, tried on lesson 01's: answers, runs, named settings, state, errors."""

import time

import pytest
from matplotlib.figure import Figure

from course_lib import fairness, gradients, mitigation, multitask, normalization
from course_lib.errors import CourseError
from course_lib.gradients.config import SETTINGS, ProfileConfig, TransformerConfig
from course_lib.livepanel import OWN

SMALL = {"layers": 2, "steps": 40, "width": 8, "batch_size": 8, "length": 4}


@pytest.fixture
def deep():
    return gradients.panel(depth=20)


@pytest.fixture
def live():
    panel = gradients.transformer_panel(**SMALL)
    panel.wait()
    return panel


def until(condition, timeout=20):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_every_move_is_answered_at_once(deep):
    picture = deep.pictures["profile"].widget
    seen = {picture.value}
    for name, value in (("depth", 30), ("activation", "relu"), ("init", "he"), ("width", 16), ("norm", "layer"),
                        ("bias", "random"), ("residual", True), ("seed", 7)):  # fmt: skip
        deep.controls[name].value = value
        seen.add(picture.value)
        assert getattr(deep.answered.config, name) == value
    assert len(seen) == 9
    assert "ReLU" in deep.helper.labels["course-profile"]
    assert not deep.worker.busy  # nothing runs in this panel
    deep.start()
    assert not deep.worker.busy


def test_the_headline_says_what_the_picture_shows(deep):
    deep.controls["activation"].value = "logistic"
    assert gradients.plots.summarise(deep.answered).split(";")[0] in deep.status.value.replace("&#x27;", "'")


def test_state_makes_the_same_panel_again(deep, live):
    deep.controls["depth"].value = 200
    assert deep.state()["depth"] == 200
    assert gradients.panel(**deep.state()).state() == deep.state()
    assert ProfileConfig(**deep.state()) == deep.config()
    live.controls["lr"].value = 0.03
    again = gradients.transformer_panel(**live.state())
    assert again.state() == live.state()
    assert again.config() == live.config() == TransformerConfig(lr=0.03, **SMALL)
    again.stop()
    live.stop()


@pytest.mark.parametrize("depth", [1, 2, 7, 538, 1234, 9999, 10_000])
def test_any_depth_can_be_set_and_is_kept(depth):
    assert gradients.panel(depth=depth, width=2).state()["depth"] == depth


def test_any_learning_rate_can_be_set_and_is_kept():
    panel = gradients.transformer_panel(lr=0.00042)
    assert panel.state()["lr"] == 0.00042
    panel.stop()


def test_a_run_follows_a_move_and_its_picture_grows(live):
    shown = []
    live.pictures["history"].widget.observe(lambda change: shown.append(change["new"]), "value")
    live.controls["seed"].value = 3
    assert "course-stale" in live.pictures["history"].widget._dom_classes
    live.wait()
    assert live.result.finished
    assert live.result.config.seed == 3
    assert live.status.value.startswith('<span class="course-status">Finished step 40')
    assert "course-stale" not in live.pictures["history"].widget._dom_classes
    assert shown
    assert live.bar.value == 1


def test_stop_keeps_what_was_shown(live):
    live.controls["steps"].value = 2000
    until(lambda: live.result is not None and live.result.step > 1)
    live.stop()
    live.wait()
    assert not live.result.finished
    assert "Stopped" in live.status.value


def test_named_settings_set_the_controls_and_go_back_to_ones_own(live):
    assert live.named.value == OWN
    for name, changes in SETTINGS.items():
        live.named.value = name
        without_control = {name: SMALL[name] for name in ("width", "batch_size", "length")}
        assert live.config() == TransformerConfig(**without_control | changes)
        assert live.named.value == name
    live.controls["layers"].value = 3
    assert live.named.value == OWN
    live.controls["layers"].value = 12
    assert live.named.value == name  # it is that setting again
    live.stop()


def test_a_named_setting_keeps_the_seed(live):
    live.controls["seed"].value = 5
    live.named.value = "collapse: post-norm, no warm-up"
    assert live.config().seed == 5
    assert live.config().order == "post"
    live.stop()


def test_an_error_is_shown_and_raised(deep, monkeypatch):
    def broken(config):
        raise CourseError("That is too deep.")

    monkeypatch.setattr(deep, "answer", broken)
    with pytest.raises(CourseError, match="too deep"):
        deep.controls["depth"].value = 31
    assert "That is too deep." in deep.problem.value
    assert "course-stale" in deep.pictures["profile"].widget._dom_classes
    monkeypatch.undo()
    deep.controls["depth"].value = 32
    assert deep.problem.value == ""


def test_static_is_a_plain_figure_of_the_same_state(deep, live):
    assert isinstance(deep.static(), Figure)
    width, height = live.static().get_size_inches()
    live.start()
    live.wait()
    after = live.static()
    assert (width, height) == tuple(after.get_size_inches())
    assert any("2 layers" in text.get_text() for text in after.subfigs[0].texts)


def test_parts_can_be_hidden_and_keep_their_values():
    panel = gradients.panel(hide=("seed", "status"), seed=4)
    assert panel.controls["seed"].layout.display == "none"
    assert panel.state()["seed"] == 4
    with pytest.raises(CourseError, match="a part to hide must be one of"):
        gradients.panel(hide="colour")


def test_a_finer_screen_gets_finer_pictures_of_the_same_size(deep):
    layout = deep.pictures["profile"].widget.layout.width
    before = len(deep.pictures["profile"].widget.value)
    deep.helper.pixel_ratio = 2.0
    assert len(deep.pictures["profile"].widget.value) > 1.3 * before
    assert deep.pictures["profile"].widget.layout.width == layout


@pytest.mark.parametrize(("state", "said"), [
    ({"depth": 0}, "depth must be a number from 1 to 10000"), ({"colour": 1}, "There is no setting colour"),
    ({"width": 65}, "cannot show width=65; the nearest that it can is 64"),
    ({"activation": "step"}, "activation must be one of"),
])  # fmt: skip
def test_bad_state_is_one_clear_sentence(state, said):
    with pytest.raises(CourseError, match=said):
        gradients.panel(**state)


@pytest.mark.parametrize("room", [fairness, multitask, mitigation], ids=lambda room: room.__name__.split(".")[-1])
def test_a_new_panel_shows_the_run_of_its_settings_that_was_done_before(room):
    settings = {"n_train": 300, "epochs": 1, "seed": 41}
    done = room.run(progress=False, **settings)
    training = room.panel(**settings | {"seed": 42, "epochs": 50})
    training.start()
    until(lambda: training.result is not None)
    panel = room.panel(**settings)
    assert panel.result.finished  # at once
    assert panel.result.losses == done.losses
    assert "Finished" in panel.status.value
    assert "No run yet" not in str(panel.helper.labels)
    assert training.worker.busy  # it goes on
    training.stop()
    other = room.panel(**settings | {"seed": 43})
    other.wait(60)
    assert other.result is None  # it waits to be run


@pytest.mark.parametrize("made", [
    lambda: (fairness.run(progress=False, n_train=300, epochs=1), fairness.panel(n_train=300, epochs=1))[1],
    lambda: (multitask.run(progress=False, n_train=300, epochs=1), multitask.panel(n_train=300, epochs=1))[1],
    gradients.panel, normalization.panel, normalization.batchnorm_panel, mitigation.stored.panel,
], ids=["fairness", "multitask", "gradients", "strategies", "batch norm", "stored"])  # fmt: skip
def test_in_a_plain_figure_every_text_stands_in_its_own_picture(made):
    figure = made().static()
    figure.canvas.draw()
    for part in figure.subfigs:
        for text in [*part.texts, *(text for ax in part.axes for text in (ax.title, *ax.texts))]:
            if not text.get_text().strip():
                continue
            x, y = text.get_window_extent().get_points().mean(0)
            assert part.bbox.padded(2).contains(x, y), text.get_text()
