"""Panels and plots of lesson 02, without a browser."""

import time

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from course_lib import normalization
from course_lib.errors import CourseError
from course_lib.normalization import Config, run, run_batchnorm
from course_lib.normalization.batchnorm_plots import BatchSizesPicture, ModesPicture, mosaic
from course_lib.normalization.plots import AccuracyPicture, ScatterPlot, SetsPicture

MOVES = {"scaler": "range", "n_train": 50, "n_test": 3, "shift": 1.0, "scale": 0.1, "balance": 0.9, "seed": 4}
BATCH_MOVES = {
    "layer": "BatchNorm2d", "batch_size": 3, "brightness": 0.6, "by_digit": True, "batches": 15, "momentum": 0.5,
    "seed": 4,
}  # fmt: skip


@pytest.fixture(
    params=[(normalization.panel, MOVES), (normalization.batchnorm_panel, BATCH_MOVES)], ids=["sets", "batches"]
)
def panel_and_moves(request):
    make, moves = request.param
    return make(), moves


def test_every_control_changes_the_pictures_and_what_is_said_of_them(panel_and_moves):
    panel, moves = panel_and_moves
    assert set(moves) == set(panel.controls)
    for name, value in moves.items():
        pictures = {p: panel.pictures[p].widget.value for p in panel.ANSWERS}
        texts = dict(panel.helper.labels)
        panel.controls[name].value = value
        assert any(panel.pictures[p].widget.value != pictures[p] for p in panel.ANSWERS), name
        assert panel.helper.labels != texts, name
    assert panel.state() == moves


def test_a_named_setting_sets_the_controls(panel_and_moves):
    panel, _ = panel_and_moves
    for name, changes in panel.NAMED.items():
        panel.named.value = name
        assert panel.config() == panel.CONFIG(**changes), name
        assert panel.named.value == name


def test_state_makes_the_same_panel_again(panel_and_moves):
    panel, moves = panel_and_moves
    make = normalization.panel if "scaler" in moves else normalization.batchnorm_panel
    for name, value in moves.items():
        panel.controls[name].value = value
    again = make(**panel.state())
    for name in panel.ANSWERS:
        assert again.pictures[name].widget.value == panel.pictures[name].widget.value


def test_hundreds_of_moves_leave_the_picture_of_the_last(panel_and_moves):
    panel, moves = panel_and_moves
    name = "shift" if "scaler" in moves else "brightness"
    for value in [*np.linspace(0, 0.8, 40), 0.25]:
        panel.controls[name].value = float(value)
    make = normalization.panel if "scaler" in moves else normalization.batchnorm_panel
    fresh = make(**{name: 0.25})
    for picture in panel.ANSWERS:
        assert panel.pictures[picture].widget.value == fresh.pictures[picture].widget.value


def test_an_answer_comes_while_a_slider_is_dragged():
    panel = normalization.panel()
    times = []
    for i in range(20):
        start = time.perf_counter()
        panel.controls["shift"].value = 0.05 * (i + 1)
        times.append(time.perf_counter() - start)
    assert sorted(times)[10] < 0.2  # a generous bound; the browser's is measured elsewhere


def test_unknown_names_and_values_out_of_range_are_refused():
    for make in (normalization.panel, normalization.batchnorm_panel):
        with pytest.raises(CourseError, match="There is no setting"):
            make(colour=1)
        with pytest.raises(CourseError, match="part to hide"):
            make(hide=["colour"])
    with pytest.raises(CourseError):
        normalization.panel(n_test=1000)
    hidden = normalization.panel(hide=["seed"])
    assert hidden.controls["seed"].layout.display == "none"


def test_static_is_a_plain_figure_of_both_pictures(panel_and_moves):
    panel, _ = panel_and_moves
    figure = panel.static()
    assert isinstance(figure, Figure)
    assert len(figure.subfigs) == 2


def test_the_headline_says_the_finding():
    panel = normalization.panel(n_test=1)
    assert "one bird has no spread" in panel.status.value
    panel = normalization.batchnorm_panel(batch_size=1)
    assert "train mode cannot" in panel.status.value
    panel.controls["batch_size"].value = 20
    assert "became" in panel.status.value


@pytest.mark.parametrize("picture", [SetsPicture, AccuracyPicture])
@pytest.mark.parametrize(
    "settings", [{}, {"n_test": 1}, {"scale": 3.0, "shift": 3.0}, {"balance": 0.0}, {"balance": 1.0}]
)
@pytest.mark.parametrize("scaler", normalization.SCALERS)
def test_a_live_picture_is_the_same_whatever_it_showed_before(picture, settings, scaler):
    result = run(scaler=scaler, **settings)
    moved, fresh = picture(), picture()
    moved.update(run(scaler="range", n_test=30, shift=-2))
    moved.png()
    for live in (moved, fresh):
        live.update(result)
    assert moved.png() == fresh.png()


def test_what_lies_beyond_the_edge_is_drawn_on_it_and_counted():
    result = run(scale=0.1)
    plot = ScatterPlot(normalization.plot_scatter(result, 1).figure.add_subplot(), 1)
    plot.update(result)
    assert "100 beyond the edge" in plot.text.get_text()
    for line in plot.test:
        assert (np.abs(line.get_xydata()) <= 4.5).all()


def test_the_region_says_what_the_classifier_says():
    result = run(scaler="PCA whitening")
    plot = ScatterPlot(normalization.plot_scatter(result, 2).figure.add_subplot(), 2)
    plot.update(result)
    inside = plot.region.get_path().contains_points(result.scaled_test[2].numpy())
    assert (inside == normalization.classify(result.means, result.scaled_test[2]).bool().numpy()).all()


@pytest.mark.parametrize("strategy", [None, 1, 2])
def test_scatter_plots_name_axes_and_units(strategy):
    ax = normalization.plot_scatter(run(), strategy)
    assert "mm" in ax.get_xlabel() or "no unit" in ax.get_xlabel()
    assert ax.get_ylabel()
    with pytest.raises(CourseError, match="strategy must be one of"):
        normalization.plot_scatter(run(), 3)


def test_plots_return_the_axes_that_they_were_given():
    ax = Figure().add_subplot()
    assert normalization.plot_accuracy(run(), ax=ax) is ax
    for plot in (normalization.plot_modes, normalization.plot_drift, normalization.plot_batch_sizes):
        ax = Figure().add_subplot()
        assert plot(run_batchnorm(), ax=ax) is ax
        assert plot(run_batchnorm(batch_size=1)).get_xlabel()
    assert len(normalization.plot_sets(run())) == 3


def test_alt_texts_hold_the_numbers():
    result = run(n_test=20, balance=0.9)
    assert f"right for {int(result.right[2].sum())} of 20 birds" in SetsPicture.describe(result)
    assert "seed 0" in SetsPicture.describe(result)
    assert f"{result.accuracy(1):.2f}" in AccuracyPicture.describe(result)
    batch = run_batchnorm()
    assert f"{batch.drift['moved'].iloc[-1]:.2f}" in ModesPicture.describe(batch)
    assert "torch refuses" in ModesPicture.describe(run_batchnorm(batch_size=1))
    assert "train mode" in BatchSizesPicture.describe(batch)


def test_the_mosaic_holds_up_to_nine_images():
    for n in (1, 4, 9, 30):
        sheet = mosaic(torch.ones(n, 28, 28))
        assert sheet.sum() == min(n, 9) * 28 * 28


def test_a_config_is_shown_in_the_state():
    panel = normalization.panel(**Config(n_test=3).values())
    assert panel.state() == Config(n_test=3).values()
