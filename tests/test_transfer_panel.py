"""Lesson 04's panel and pictures: a run beside the one from scratch, the stored curves, what layers see."""

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from course_lib.errors import CourseError
from course_lib.training import inputs
from course_lib.transfer import (
    REGIMES,
    Config,
    filters,
    held_out,
    load_trunk,
    maps,
    panel,
    plot_curves,
    plot_filters,
    plot_maps,
    plot_study,
    run,
    scratch_of,
)
from course_lib.transfer.beside import stream_pair
from course_lib.transfer.experiment import begin, cached
from course_lib.transfer.layers import LayersPicture, filter_sheet, map_sheet
from course_lib.transfer.look import NETWORKS, Look, LookConfig, trunk_network
from course_lib.transfer.plots import RunPicture

SHORT = {"labels": 20, "steps": 12}


def pair_of(**settings):
    for pair in stream_pair(Config(**SHORT | settings)):  # noqa: B007 - the last one counts
        pass
    return pair


# A run and the one from scratch


def test_both_runs_grow_side_by_side_and_are_what_they_are_alone():
    config = Config(regime="fine-tuning", seed=3, **SHORT | {"steps": 36})  # an evaluation every third step
    pairs = list(stream_pair(config))
    assert all(pair.step == pair.run.step + pair.scratch.step for pair in pairs)
    first = next(pair for pair in pairs if pair.run.evaluations)
    assert first.run.step == 3
    assert first.scratch.step == 1  # it waits until the run has a first point
    assert "from scratch" not in RunPicture.describe(first)
    both = [pair for pair in pairs if pair.scratch.step > 1]
    assert all(pair.run.step > 3 for pair in both)
    assert not both[0].run.finished
    pair = pairs[-1]
    assert pair.finished
    assert pair.steps == 72
    assert pair.run is run(config, progress=False)
    assert pair.scratch is run(scratch_of(config), progress=False)


@pytest.mark.parametrize("lr", [None, REGIMES["from scratch"].lr])
def test_from_scratch_is_beside_itself_and_trained_once(lr):
    pair = pair_of(regime="from scratch", lr=lr)
    assert pair.run is pair.scratch
    other = pair_of(regime="from scratch", lr=1e-4)
    assert other.scratch is not other.run
    assert other.scratch.config.rate() == REGIMES["from scratch"].lr


def test_a_pair_that_stops_keeps_no_half_run():
    config = Config(regime="fine-tuning", seed=9, labels=20, steps=1000)
    pairs = stream_pair(config)
    while (pair := next(pairs)).scratch.step < 2:
        pass
    pairs.close()
    assert not pair.finished
    assert cached(config) is cached(scratch_of(config)) is None


# What layers look for and see


def test_the_maps_are_what_the_layers_say_in_eval_mode_and_leave_the_network_alone():
    picture = held_out()[1][4]
    for regime in ("from scratch", "frozen features"):
        network = begin(REGIMES[regime], 0).train()
        before = {name: value.clone() for name, value in network.state_dict().items()}
        found = maps(network, picture)
        assert network.training
        assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
        assert [list(each.shape) for each in found] == [[24, 8, 8], [48, 8, 8], [96, 4, 4], [96, 4, 4]]
        with torch.inference_mode():
            expected = network.eval().features(inputs(picture[None], slice(None)))[0]
        torch.testing.assert_close(found[-1].mean((1, 2)), expected)
    with pytest.raises(CourseError, match=r"picture must have the shape \[3, 32, 32\]; it was \[32, 32\]"):
        maps(network, picture[0])


def test_filters_are_the_first_layers_weights_kept_or_not():
    weights = load_trunk()["0.0.weight"]
    for regime, same in (("frozen features", True), ("fine-tuning", True), ("from scratch", False)):
        assert torch.equal(filters(begin(REGIMES[regime], 0)), weights) == same
    assert torch.equal(filters(trunk_network()), weights)


def test_sheets_hold_every_tile_where_it_belongs():
    network = begin(REGIMES["from scratch"], 0)
    sheet, weights = filter_sheet(network), filters(network)
    assert sheet.shape == (29, 43, 3)
    limit = weights.abs().quantile(0.98)
    for i in (0, 5, 6, 23):
        top, left = 7 * (i // 6) + 1, 7 * (i % 6) + 1
        expected = (0.5 + 0.5 * weights[i] / limit).clamp(0, 1).permute(1, 2, 0)
        np.testing.assert_allclose(sheet[top : top + 6, left : left + 6], expected, atol=1e-6)
    seen = torch.rand(96, 4, 4, generator=torch.Generator().manual_seed(0))
    sheet = map_sheet(seen)
    assert sheet.shape == (37, 37, 3)
    assert sheet.max() == 1
    np.testing.assert_allclose(sheet[10, 28, 0], seen[7, 0, 0] / seen[:16].max())  # the fourth of the second row
    assert not np.isnan(map_sheet(torch.zeros(24, 8, 8))).any()  # a layer that sees nothing


# Pictures


@pytest.fixture(scope="module")
def pairs():
    return [pair_of(regime="fine-tuning"), pair_of(target="age", regime="frozen features", seed=1, labels=500)]


@pytest.mark.parametrize("network", NETWORKS)
def test_a_picture_of_layers_is_the_same_whatever_it_showed_before(pairs, network):
    moved, fresh = LayersPicture(), LayersPicture()
    moved.update(Look(LookConfig(face=7, network="trunk"), pairs[1]))
    moved.png()
    for live in (moved, fresh):
        live.update(Look(LookConfig(network=network), pairs[0]))
    assert moved.png() == fresh.png()


def test_a_picture_of_a_run_is_the_same_whatever_it_showed_before(pairs):
    for one, other in (pairs, pairs[::-1]):
        moved, fresh = RunPicture(), RunPicture()
        moved.update(one)
        moved.png()
        for live in (moved, fresh):
            live.update(other)
        assert moved.png() == fresh.png()


def test_alt_texts_hold_the_numbers(pairs):
    smile, age = pairs
    said = RunPicture.describe(smile)
    assert f"Accuracy {smile.run.score:.3f}; from scratch {smile.scratch.score:.3f}" in said
    assert "smile · fine-tuning · 20 labels · learning rate 0.003" in said
    assert f"Mean error {age.run.score:.1f} years; from scratch" in RunPicture.describe(age)
    drawn = held_out()[0]
    look = Look(LookConfig(face=3), smile)
    chance = torch.sigmoid(smile.run.evaluations[-1].said[3]).item()
    assert f"drawn with{'' if drawn.smile[3] else 'out'} a smile; this run gives a smile {100 * chance:.0f} %" in (
        LayersPicture.describe(look)
    )
    assert "are other than those of the trunk" in LayersPicture.describe(look)
    look = Look(LookConfig(face=3), age)
    years = age.run.evaluations[-1].said[3].item()
    assert f"drawn {drawn.age[3]:.0f} years old; this run says {years:.0f}" in LayersPicture.describe(look)
    assert "are those of the trunk" in LayersPicture.describe(look)


def test_plots_return_their_axes():
    result = run(progress=False, **SHORT)
    ax = Figure().add_subplot()
    assert plot_curves(result, ax=ax) is ax
    assert ax.get_ylabel() == "accuracy"
    assert plot_filters(result.network, ax=ax) is ax
    axes = Figure().subplots(1, 4)
    assert plot_maps(result.network, held_out()[1][0], axes=axes) is axes
    rows = pd.DataFrame(
        [("age", n, regime, seed, n / 100 + seed) for n in (10, 2000) for regime in REGIMES for seed in (0, 1)],
        columns=["target", "labels", "regime", "seed", "score"],
    )
    ax = plot_study("age", rows, ax=Figure().add_subplot())
    assert [line.get_label() for line in ax.lines] == list(REGIMES)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [0.6, 20.5])
    with pytest.raises(CourseError, match="target must be one of 'smile', 'age'; it was 'hair'"):
        plot_study("hair")


# The panel


@pytest.fixture
def small():
    return panel(**SHORT)


def test_what_is_looked_at_answers_at_once_and_trains_nothing(small):
    status = small.status.value
    for name, value in {"face": 12, "network": "trunk"}.items():
        before, text = small.pictures["layers"].widget.value, small.helper.labels["course-layers"]
        small.controls[name].value = value
        assert small.pictures["layers"].widget.value != before, name
        assert small.helper.labels["course-layers"] != text, name
    assert small.status.value == status
    assert "Finished. Accuracy" in status
    assert not small.worker.busy


def test_every_other_control_trains_anew_and_the_state_makes_the_same_panel(small):
    moves = {"labels": 30, "regime": "frozen features", "target": "age", "lr": 0.1, "steps": 20, "seed": 1}
    for name, value in moves.items():
        small.controls[name].value = value
        assert "course-stale" in small.pictures["layers"].widget._dom_classes, name
    small.wait()
    assert small.state() == LookConfig(**moves).values()
    said = "age · frozen features · 30 labels · learning rate 0.1 · 20 steps · seed 1"
    assert said in small.helper.labels["course-training"]
    assert "course-stale" not in small.pictures["layers"].widget._dom_classes
    assert "97 numbers trained" in small.status.value
    again = panel(**small.state())
    for name in small.pictures:
        assert again.pictures[name].widget.value == small.pictures[name].widget.value
    assert len(small.static().subfigs) == 2


def test_a_run_that_was_made_before_is_shown_as_it_is():
    """Made by name, without a learning rate of its own; the panel's has a number there."""
    result = run(regime="fine-tuning", seed=7, progress=False, **SHORT)
    opened = panel(seed=7, **SHORT)
    assert opened.latest.run is result
    assert "course-stale" not in opened.pictures["layers"].widget._dom_classes
    opened.controls["face"].value = 3
    assert "course-stale" not in opened.pictures["layers"].widget._dom_classes


def test_a_regime_brings_its_learning_rate(small):
    for name, regime in REGIMES.items():
        small.controls["regime"].value = name
        assert small.controls["lr"].value == regime.lr
    small.stop()


def test_named_settings_set_the_controls(small):
    for name, changes in small.NAMED.items():
        small.named.value = name
        assert small.config() == LookConfig(**changes), name
    small.stop()


def test_bad_settings_are_said_at_the_door():
    wrongs = {"face": 1000, "network": "mine", "labels": 5, "lr": 2}
    for wrong, said in [*(({name: value}, f"{name} must be") for name, value in wrongs.items()),
                        ({"epochs": 1}, "no setting epochs")]:  # fmt: skip
        with pytest.raises(CourseError, match=said):
            panel(**wrong)
