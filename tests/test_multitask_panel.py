"""Lesson 05's panel and pictures: every control reaches the run, and the pictures show its numbers."""

import matplotlib as mpl

mpl.use("agg")

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from course_lib import multitask
from course_lib.errors import CourseError
from course_lib.multitask import TASKS, Config, plots, run, start
from course_lib.multitask.controls import labels_of, weight_of
from course_lib.multitask.plots import Before
from course_lib.plotting import new_figure

TINY = {"n_train": 200, "epochs": 1}


@pytest.fixture
def panel():
    made = multitask.panel(**TINY)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def result():
    return run(tasks=TASKS, unit="years", balance="uncertainty", progress=False, **TINY)


def test_every_control_reaches_the_run(panel):
    moves = {"unit": "years", "balance": "uncertainty", "channels": 64, "noise": 7, "epochs": 2, "seed": 5}
    moves |= {"coin": True, "age": False} | {labels_of(task): 50 for task in TASKS}
    moves |= {weight_of(task): weight for task, weight in zip(TASKS, (0.01, 0.1, 10.0, 100.0), strict=True)}
    assert set(moves) | {"smile", "gender"} == set(panel.controls)
    for name, value in moves.items():
        panel.controls[name].value = value
    expected = Config(
        tasks=("smile", "gender", "coin"), labels=(50,) * 4, weights=(0.01, 0.1, 10, 100), unit="years",
        balance="uncertainty", channels=64, noise=7, n_train=200, epochs=2, seed=5,
    )  # fmt: skip
    assert panel.config() == expected
    panel.start()
    panel.wait(120)
    assert panel.result.finished
    assert panel.result.config == expected


def test_weights_can_be_set_where_they_count(panel):
    def disabled():
        return {panel.controls[weight_of(task)].disabled for task in TASKS}

    assert disabled() == {False}
    panel.controls["balance"].value = "uncertainty"
    assert disabled() == {True}
    panel.named.value = "age in years"
    assert disabled() == {False}
    panel.named.value = "years, uncertainty"
    assert disabled() == {True}


def test_state_makes_the_same_panel_again(panel):
    panel.controls["age_weight"].value = 0.01
    panel.controls["coin"].value = True
    again = multitask.panel(**panel.state())
    assert again.state() == panel.state()
    assert Config(**panel.state()) == panel.config() == again.config()
    assert repr(panel) == repr(again)
    odd = {"labels": {"smile": 0, "age": 77}, "weights": {"gender": 5000, "coin": 0}, "lr": 0.02, "n_train": 200}
    assert multitask.panel(**odd).config() == Config(**odd)


@pytest.mark.parametrize("labels", [{}, {"age": 30, "gender": 7}])
def test_named_settings_can_all_be_chosen(labels):
    panel = multitask.panel(n_train=250, labels=labels)
    for name, changes in panel.NAMED.items():
        panel.controls["seed"].value = 3
        panel.named.value = name
        assert panel.config() == Config(**{"n_train": 250, "seed": 3} | changes)
        assert panel.named.value == name
    panel.stop()


def test_the_last_task_stays_on(panel):
    panel.controls["age"].value = panel.controls["gender"].value = False
    before = panel.config()
    panel.controls["smile"].value = False
    assert panel.controls["smile"].value
    assert panel.config() == before
    assert "last task" in panel.status.value


def test_what_follows_a_weight_is_what_the_run_starts_with(panel):
    panel.controls["age_weight"].value = 0.003
    config = panel.config()
    (first, *_) = run(config, progress=False).probes
    shown = panel.answered.probe
    for name in ("loss", "norm", "weights"):
        assert torch.allclose(getattr(shown, name), getattr(first, name), rtol=1e-4)
    assert torch.allclose(shown.cosine, first.cosine, atol=1e-4)
    assert f"age {100 * float(shown.loss_shares()[1]):.3g} % of the loss" in panel.helper.labels["course-start"]


def test_unknown_settings_are_one_clear_sentence():
    with pytest.raises(CourseError, match="no setting strength"):
        multitask.panel(strength=1)
    with pytest.raises(CourseError, match="a part to hide"):
        multitask.panel(hide="bar", **TINY)


def test_the_curves_show_the_evaluations(result):
    picture = plots.CurvesPicture()
    picture.update(result)
    table = result.curves()
    for plot in picture.plots:
        for arm, line in plot.lines.items():
            found = table[(table["task"] == plot.task) & (table["arm"] == arm)]
            assert len(found) == len(result.evaluations)
            assert list(line.get_xdata()) == list(found["step"])
            assert list(line.get_ydata()) == list(found["value"].clip(upper=plots.WORST_AGE))
    last = result.table().iloc[1]
    assert f"age {last['together']:.3g} together and {last['alone']:.3g} alone" in picture.describe(result)
    assert "camera noise 0 · age in years · learned weights · 1 epochs · seed 0" in picture.title.get_text()


def test_a_task_that_is_not_learned_is_named_so():
    config = Config(tasks=("smile",), **TINY)
    picture = plots.CurvesPicture()
    picture.update(run(config, progress=False))
    titles = [plot.ax.get_title(loc="left") for plot in picture.plots]
    assert titles[0] == "smile: accuracy\n200 labels"
    assert [title.strip() for title in titles[1:]] == [f"{task}: not learned" for task in TASKS[1:]]
    assert not len(picture.plots[1].lines["together"].get_xdata())


def test_the_pulls_show_cosines_shares_and_weights(result):
    picture = plots.PullsPicture()
    picture.update(result)
    steps = [probe.step for probe in result.probes]
    for line, (one, other) in zip(picture.pairs, plots.PAIRS, strict=True):
        assert list(line.get_xdata()) == steps
        assert list(line.get_ydata()) == list(result.cosine(one, other)["cosine"])
    for i in range(len(TASKS)):
        assert np.allclose(picture.shares[i].get_ydata(), [float(p.gradient_shares()[i]) for p in result.probes])
        assert np.allclose(picture.weights[i].get_ydata(), result.weights()[:, i])
    assert f"At step {steps[-1]}: smile" in picture.describe(result)
    alone = run(tasks=("smile",), progress=False, **TINY)
    picture.update(alone)
    assert not any(len(line.get_xdata()) for line in picture.pairs)
    assert "Cosine" not in picture.describe(alone)


def test_the_start_shows_shares_and_cosines():
    before = Before(config := Config(unit="years", **TINY), start(config))
    picture = plots.StartPicture()
    picture.update(before)
    for bars, shares in zip(
        picture.shares.bars, (before.probe.loss_shares(), before.probe.gradient_shares()), strict=True
    ):
        assert [bar.get_width() for bar in bars] == pytest.approx([*shares.tolist(), 0])
    shown = picture.cosine.image.get_array()
    assert np.allclose(shown[:3, :3], before.probe.cosine)
    assert np.ma.getmaskarray(shown)[3].all()


def test_notebook_plots(result):
    ax = multitask.plot_task(result, "gender", ax=new_figure(4, 3).add_subplot())
    assert [line.get_label() for line in ax.lines] == ["together", "alone"]
    ax = multitask.plot_cosines(result, ax=new_figure(4, 3).add_subplot())
    assert [line.get_label() for line in ax.lines[:6]] == [f"{a} · {b}" for a, b in plots.PAIRS]


def test_static_shows_the_panel(panel):
    panel.start()
    panel.wait(120)
    figure = panel.static()
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 2 + 4 + 3
