"""The pictures show the numbers of the result, and nothing else, wherever they are drawn."""

import io
import itertools
import threading

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from course_lib import mitigation
from course_lib.data import biased_mnist
from course_lib.data.biased_mnist import VARIABLES
from course_lib.data.digits import SOURCES
from course_lib.errors import CourseError
from course_lib.mitigation import Config, iosm, plot_groups, plot_iosm, plot_mmd, plot_training, plots, stream
from course_lib.mitigation.sheet import sheet_pixels
from course_lib.plotting import EXPLICIT, IMPLICIT, LiveFigure, Pixels, encode_png, new_axes, new_figure

TINY = {"n_train": 200, "n_test": 600, "epochs": 2, "cell": 8}
NAMES = list(VARIABLES)
TITLES = [variable.title for variable in VARIABLES.values()]


@pytest.fixture(scope="module")
def results():
    """A whole run, growing."""
    return list(stream(Config(method="UpWt", strength=0.7, explicit="digit_position", **TINY)))


@pytest.fixture(scope="module")
def result(results):
    return results[-1]


@pytest.fixture(scope="module")
def standard():
    return mitigation.run(Config(strength=0.7, **TINY), progress=False)


def decode(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def redraw(figure, dpi=100):
    """The figure's pixels, all drawn anew and in order: what saving it gives."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=dpi, format="png")
    return decode(buffer.getvalue())


def assert_same(live, drawn, figure):
    """Both show the same, pixel by pixel; but letters that move stand on whole pixels, at most one off."""
    live, drawn = live.astype(int), drawn.astype(int)
    differs, height = (live != drawn).any(2), len(live)
    for text in (text for ax in figure.axes for text in ax.texts if text.get_animated()):
        box = text.get_window_extent().padded(4)
        left, right, low, high = (max(0, int(end)) for end in (box.x0, box.x1, height - box.y1, height - box.y0))
        differs[low : high + 1, left : right + 1] = False
    assert not differs.any()
    for one, other in ((live, drawn), (drawn, live)):
        near = np.min([np.roll(other, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)], 0)
        assert (near - one).max() <= 110  # of 255: each dark pixel has one of its colour beside it
    ink, expected = (255 - live).sum((0, 1)), (255 - drawn).sum((0, 1))
    assert np.abs(ink - expected).max() <= 0.03 * expected.max()


def segments(lines):
    """The ends of horizontal lines, [n, 2], and the rows that they lie in."""
    parts = np.array([np.asarray(part) for part in lines.get_segments()])
    assert np.array_equal(parts[:, 0, 1], parts[:, 1, 1])
    return parts[:, :, 0], parts[:, 0, 1]


# Plots of a run


def test_the_training_curve_shows_losses_and_evaluations(result):
    ax = plot_training(result)
    drawn = plots.CurvePlot(new_figure(4, 3).add_subplot())
    drawn.update(result)
    (line,) = [line for line in ax.lines if line.get_marker() == "o"]
    for accuracy in (line, drawn.accuracy):
        x, y = accuracy.get_data()
        assert list(x) == [e.step for e in result.evaluations]
        assert list(y) == [e.unbiased for e in result.evaluations]
    x, y = drawn.loss.get_data()
    assert list(x) == list(range(1, result.steps + 1))
    weights = [[0.9 ** (i - j) for j in range(i + 1)] for i in range(len(x))]  # the newest counts most
    expected = [np.dot(w, result.losses[: len(w)]) / sum(w) for w in weights]
    assert list(y) == pytest.approx(expected)
    assert ax.get_xlim() == (0, result.steps)
    assert drawn.text.get_text() == f"unbiased accuracy {result.unbiased_accuracy:.3f}"


def test_groups_shows_the_accuracies_and_intervals_of_both_groups(result):
    ax = new_figure(4, 3).add_subplot()
    plot = plots.GroupsPlot(ax)
    plot.update(result)
    table = result.groups()
    for group in ("majority", "minority"):
        rows = table[table["group"] == group]
        assert list(plot.dots[group].get_xdata()) == list(rows["accuracy"])
        ends, where = segments(plot.intervals[group])
        assert np.array_equal(ends, rows[["low", "high"]].to_numpy())
        assert list(where) == list(plot.dots[group].get_ydata()) == list(range(7))
    ends, _ = segments(plot.gaps)
    assert np.array_equal(ends[:, 0] - ends[:, 1], result.mmd()["mmd"])
    assert [label.get_text() for label in ax.get_yticklabels()] == TITLES
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["majority", "minority"]


def test_mmd_shows_the_differences_and_marks_the_explicit_one(result):
    ax = plot_mmd(result)
    mmd = result.mmd()
    bars = ax.patches
    assert [bar.get_width() for bar in bars] == list(mmd["mmd"])
    explicit = NAMES.index("digit_position")
    assert [to_hex(bar.get_facecolor()) == EXPLICIT for bar in bars] == [i == explicit for i in range(7)]
    assert [bool(bar.get_hatch()) for bar in bars] == [i == explicit for i in range(7)]  # not by colour alone
    intervals, stored = ax.collections
    assert not any(len(segment) for segment in stored.get_segments())  # no stored runs stand beside it
    ends, where = segments(intervals)
    assert np.array_equal(ends, mmd[["low", "high"]].to_numpy())
    assert list(where) == [bar.get_y() + bar.get_height() / 2 for bar in bars]
    assert [label.get_text() for label in ax.get_yticklabels()] == TITLES


def test_no_bar_is_explicit_for_a_method_that_is_told_nothing(standard):
    bars = plot_mmd(standard).patches
    assert {to_hex(bar.get_facecolor()) for bar in bars} == {IMPLICIT}
    assert not any(bar.get_hatch() for bar in bars)


def extreme(result, correct):
    """``result`` with other counts of right answers, [7, 2]."""
    last = result.evaluations[-1]
    changed = mitigation.Evaluation(last.step, np.asarray(correct), last.n, 0.5, last.predicted)
    return mitigation.Result(result.config, result.steps, result.losses, (changed,))


@pytest.mark.parametrize("sides", [(0, 1), (1, 0)], ids=["minority right", "majority right"])
def test_the_largest_differences_stay_on_the_axes(result, sides):
    n = result.evaluations[-1].n
    drawn = extreme(result, n * np.array(sides))
    ax = plot_mmd(drawn)
    left, right = ax.get_xlim()
    mmd = drawn.mmd()
    assert (mmd["mmd"].abs() == 1).all()
    assert left <= mmd["low"].min()
    assert mmd["high"].max() <= right


def test_no_result_yet_draws_nothing_that_moves(results):
    first = results[0]
    assert first.evaluations == ()
    for plot in (plot_training, plot_groups, plot_mmd):
        plot(first).figure.canvas.draw()
    assert [bar.get_width() for bar in plot_mmd(first).patches] == [0] * 7


def test_groups_too_small_to_estimate_are_left_out():
    small = mitigation.run(Config(**TINY | {"n_test": 100}), progress=False)
    assert small.groups()["accuracy"].isna().any()
    picture = plots.RunPicture()
    picture.update(small)
    picture.png()
    for plot in (plot_groups, plot_mmd):
        plot(small).figure.canvas.draw()
    assert "nan" in plots.describe(small)


@pytest.mark.parametrize("plot", [plot_training, plot_groups, plot_mmd])
def test_a_plot_returns_its_axes_and_draws_on_those_given(result, plot):
    figure, (left, right) = plt.subplots(1, 2)
    assert plot(result, ax=right) is right
    assert len(right.lines) + len(right.patches) > 0
    assert not left.lines
    assert figure.get_suptitle() == ""
    alone = plot(result)
    assert alone.figure is not figure


@pytest.mark.parametrize("plot", [plot_training, plot_groups, plot_mmd])
def test_a_plot_on_its_own_says_what_it_shows(result, plot):
    figure = plot(result).figure
    text = figure.get_suptitle().replace("\n", " ")
    assert text == plots.caption(result.config)
    assert SOURCES["bundled"] in text
    figure.canvas.draw()
    box = figure._suptitle.get_window_extent()
    assert figure.bbox.x0 <= box.x0
    assert box.x1 <= figure.bbox.x1  # all of it can be read


def test_a_plot_on_its_own_looks_like_the_panels(result):
    ax = plot_groups(result)
    assert ax.get_title(loc="left") == "accuracy"
    assert not ax.get_legend().get_frame_on()
    assert plot_mmd(result).get_title(loc="left") == "MMD"


@pytest.mark.parametrize("source", SOURCES)
def test_captions_name_the_digits_the_strength_the_method_and_what_it_was_told(source):
    told = plots.caption(Config(method="GDRO", explicit="texture_color", source=source, strength=0.35, seed=7))
    assert told == f"GDRO (told the texture colour) · bias strength 0.35 · {SOURCES[source]} · seed 7 · 4 epochs"
    mixed = plots.caption(Config(strength={"digit_color": 0.9}, source=source))
    assert "told" not in mixed
    assert "0.10 / 0.90 / 0.10 / 0.10 / 0.10 / 0.10 / 0.10" in mixed
    assert source in iosm.label(Config(source=source))


def test_a_description_tells_in_words_what_the_picture_shows(results):
    early, late = plots.describe(results[0]), plots.describe(results[-1])
    assert early == f"{plots.caption(results[0].config)}. Step 1 of 8, loss {results[0].losses[0]:.3g}."
    assert f"unbiased accuracy {results[-1].unbiased_accuracy:.3f}" in late
    for row in results[-1].mmd().itertuples():
        assert f"{VARIABLES[row.variable].title} {row.mmd:.2f}" in late


# IOSM


def test_iosm_shows_the_gain_of_each_run_over_its_standard(result, standard):
    axes = plot_iosm([result, standard], [standard, standard])
    for side, ax in enumerate(axes):
        gains = result.evaluations[-1].correct / result.evaluations[-1].n
        gains = (gains - standard.evaluations[-1].correct / standard.evaluations[-1].n)[:, side]
        ours, same = [line for line in ax.lines if len(line.get_xdata()) == 7]
        assert list(ours.get_xdata()) == pytest.approx(list(gains))
        assert list(same.get_xdata()) == [0] * 7
        assert list(np.round(ours.get_ydata())) == list(range(7))
        assert (ours.get_ydata() < same.get_ydata()).all()  # side by side, not one on the other
        left, right = ax.get_xlim()
        assert left <= min(0, *gains)
        assert max(0, *gains) <= right
    figure = axes[0].figure
    figure.canvas.draw()
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == [iosm.label(result.config), iosm.label(standard.config)]
    assert all("bundled" in name for name in names)  # which digits


def test_iosm_draws_on_given_axes(result, standard):
    figure, axes = plt.subplots(1, 2)
    assert plot_iosm([result], [standard], axes=axes) is axes
    assert not figure.legends


def test_iosm_needs_a_standard_for_every_run(result, standard):
    with pytest.raises(CourseError, match="there are 2 runs and 1 standards"):
        plot_iosm([result, result], [standard])


def test_the_picture_of_kept_runs_names_each_and_can_be_drawn_again(result, standard):
    picture = iosm.IOSMPicture()
    picture.update([result, standard], [standard, standard])
    both = picture.png()
    picture.update([result], [standard])
    one = picture.png()
    picture.update([result, standard], [standard, standard])
    assert picture.png() == both != one
    assert np.array_equal(decode(both), redraw(picture.figure))


# Live pictures


def test_the_live_picture_equals_a_full_redraw_pixel_by_pixel(results):
    picture = plots.RunPicture()
    compared = 0
    for old, new in itertools.pairwise(results):
        picture.update(new)
        live = decode(picture.png())
        if len(new.evaluations) > len(old.evaluations) or new.step == 1:
            assert_same(live, redraw(picture.figure), picture.figure)
            compared += 1
    assert compared >= 4


def test_extreme_results_are_drawn_alike_live_and_redrawn(result):
    n = result.evaluations[-1].n
    for sides in [(1, 0), (0, 1), (1, 1), (0, 0)]:
        picture = plots.RunPicture()
        picture.update(result)
        picture.png()
        picture.update(extreme(result, n * np.array(sides)))
        assert_same(decode(picture.png()), redraw(picture.figure), picture.figure)


def test_a_picture_that_followed_many_runs_shows_only_the_last(results, standard):
    used = plots.RunPicture()
    losses = mitigation.Result(standard.config, 8, (60.0,) * 8, standard.evaluations)  # a run that went wrong
    low = extreme(results[-1], results[-1].evaluations[-1].n * np.array([0, 1]))
    for result in (losses, low, standard, *results):
        used.update(result)
        used.png()
    fresh = plots.RunPicture()
    fresh.update(results[-1])
    assert used.png() == fresh.png()
    used.update(results[0])  # a new run starts: nothing of the old one may stay
    fresh = plots.RunPicture()
    fresh.update(results[0])
    assert used.png() == fresh.png()


def test_only_moving_parts_are_redrawn_while_a_run_goes_on(results, monkeypatch):
    picture = plots.RunPicture()
    picture.update(results[0])
    picture.png()
    drawn = []
    draw = picture.figure.canvas.draw
    monkeypatch.setattr(picture.figure.canvas, "draw", lambda: drawn.append(draw()))
    for result in results[1:]:
        picture.update(result)
        picture.png()
    assert len(drawn) <= 1


def test_a_sharper_screen_gets_more_pixels_of_the_same_picture(result):
    picture = plots.RunPicture()
    picture.update(result)
    once = decode(picture.png())
    picture.scale(2)
    twice = decode(picture.png())
    assert twice.shape == (2 * once.shape[0], 2 * once.shape[1], 3)
    assert_same(twice, redraw(picture.figure, dpi=200), picture.figure)
    picture.scale(1)
    assert np.array_equal(decode(picture.png()), once)


def test_a_live_picture_before_any_run_is_empty_axes():
    picture = plots.RunPicture()
    assert_same(decode(picture.png()), redraw(picture.figure), picture.figure)


def test_live_pictures_leave_no_pyplot_figures_open(results, standard):
    picture, kept = plots.RunPicture(), iosm.IOSMPicture()
    picture.update(results[-1])
    kept.update([results[-1]], [standard])
    assert picture.png()
    assert kept.png()
    plots.static_figure(sample_data(), results[-1])
    new_axes(new_figure(2, 2).add_subplot())
    assert plt.get_fignums() == []


def test_a_live_figure_keeps_the_style_of_the_notebook_untouched(result):
    before = dict(mpl.rcParams)
    picture = plots.RunPicture()
    picture.update(result)
    picture.png()
    plot_iosm([result], [result])
    plot_groups(result)
    assert dict(mpl.rcParams) == before


def test_animated_artists_lie_over_each_other_as_in_a_redraw():
    figure = new_figure(2, 2)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.plot([0, 1], [0, 1], lw=20, color="red", zorder=5, animated=True)
    ax.plot([0, 1], [1, 0], lw=20, color="blue", zorder=2, animated=True)
    live = LiveFigure(figure)
    assert np.array_equal(decode(live.png()), redraw(figure))


@pytest.mark.parametrize("shape", [(13, 7, 3), (13, 7, 4), (1, 1, 3), (300, 840, 4)])
def test_png_keeps_every_pixel(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with Image.open(io.BytesIO(encode_png(pixels))) as image:
        assert image.mode == ("RGB", "RGBA")[shape[2] - 3]
        assert np.array_equal(np.asarray(image), pixels)


# The sheet


def sample_data(strength=0.5, seed=0, n=200, cell=10):
    return biased_mnist.make("bundled", "train", strength, n, seed, cell)


def tiles(sheet, data, rows, gap):
    """The images on a sheet, by column and row."""
    side = 3 * data.cell
    found = {}
    for digit in range(10):
        for row in range(rows):
            top, left = row * (side + gap), digit * (side + gap)
            found[digit, row] = sheet[top : top + side, left : left + side]
    return found


@pytest.mark.parametrize(("rows", "gap"), [(3, 3), (4, 0), (1, 5)])
def test_the_columns_of_a_sheet_are_the_digits(rows, gap):
    data = sample_data()
    sheet = sheet_pixels(data, rows=rows, gap=gap)
    assert sheet.dtype == np.uint8
    assert sheet.shape == (rows * 30 + (rows - 1) * gap, 300 + 9 * gap, 3)
    for (digit, row), tile in tiles(sheet, data, rows, gap).items():
        index = [i for i in range(200) if data.labels[i] == digit][row]  # the first ones, from the top
        assert np.array_equal(tile, data.images[index].permute(1, 2, 0).numpy())
    if gap:
        assert (sheet[:, 30 : 30 + gap] == 255).all()
        assert (sheet[30 : 30 + gap] == 255).all()


def test_the_sheet_stays_put_while_the_strength_changes():
    weak, strong = sample_data(0.2), sample_data(0.4)
    assert torch.equal(weak.labels, strong.labels)
    first, second = (tiles(sheet_pixels(data), data, 3, 3) for data in (weak, strong))
    changed = 0
    for digit, row in first:
        index = torch.nonzero(weak.labels == digit)[row]
        same = torch.equal(weak.values[index], strong.values[index])
        assert np.array_equal(first[digit, row], second[digit, row]) == same
        changed += not same
    assert 0 < changed < 30


def test_a_sheet_draws_no_more_images_than_it_shows():
    data = sample_data()
    sheet_pixels(data)
    assert data._images is None


@pytest.mark.parametrize("rows", [0, -1, 1.5, "three"])
def test_the_rows_of_a_sheet_must_be_a_number(rows):
    with pytest.raises(CourseError, match="rows must be a "):
        sheet_pixels(sample_data(), rows=rows)


def test_a_sheet_needs_enough_images_of_each_digit():
    with pytest.raises(CourseError, match="A sheet of 100 rows needs 100 images of each digit"):
        sheet_pixels(sample_data(), rows=100)


# The static figure


def test_the_static_figure_shows_the_sheet_and_the_run(result):
    data = sample_data(0.7)
    figure = plots.static_figure(data, result)
    assert isinstance(figure, Figure)
    *_, sheet = figure.axes
    assert np.array_equal(sheet.images[0].get_array(), sheet_pixels(data))
    assert plots.caption(result.config) in [text.get_text() for text in figure.texts]
    shown = redraw(figure)
    assert shown.std() > 10
    assert np.array_equal(redraw(figure), shown)


def test_the_static_figure_without_a_run_still_says_which_digits_it_shows():
    figure = plots.static_figure(sample_data(), None)
    assert any(SOURCES["bundled"] in text.get_text() for text in figure.texts)
    assert not np.array_equal(redraw(figure), np.full_like(redraw(figure), 255))


@pytest.mark.parametrize("scale", [1, 2, 1.5])
def test_pixels_are_drawn_as_imshow_draws_them(scale):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    shown = []
    for quick in (True, False):
        figure = LiveFigure(new_figure(2.4, 1.2))
        ax = figure.figure.add_axes((0.25, 0.25, 0.5, 1 / 3))  # 120 x 40 pixels, of which each one is 4 x 2
        ax.axis("off")
        kind = {"animated": True, "aspect": "auto", "interpolation": "nearest"}
        image = Pixels(ax) if quick else ax.imshow(np.zeros_like(pixels), **kind)
        image.set_data(pixels)
        figure.scale(scale)
        with Image.open(io.BytesIO(figure.png())) as picture:
            shown.append(np.asarray(picture.convert("RGB")))
    assert len(np.unique(shown[0])) > 200
    assert np.array_equal(*shown)


def figure_with_a_text():
    figure = new_figure(3, 1.5)
    ax = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    ax.set_yscale("log")  # whose ticks are formulas, with fonts of their own
    return LiveFigure(figure), ax.text(0.2, 0.5, "before", animated=True)


@pytest.mark.parametrize("ratio", [1.0, 2.0])
@pytest.mark.parametrize("change", [
    {"text": "after"}, {"position": (0.4, 0.3)}, {"color": "red"}, {"visible": False}, {"text": "two\nlines"},
    {"text": ""}, {"position": (0.95, 0.98)}, {"position": (-0.2, -0.15)}, {"fontsize": 14}, {"rotation": 30}, {},
], ids=str)  # fmt: skip
def test_a_text_whose_pixels_are_kept_looks_as_one_that_is_drawn_anew(change, ratio):
    figure, text = figure_with_a_text()
    figure.png()
    text.set(**change)
    figure.scale(ratio)
    first, kept = decode(figure.png()), decode(figure.png())
    fresh, text = figure_with_a_text()
    text.set(**change)
    fresh.scale(ratio)
    fresh.figure.canvas.draw()
    text.axes.draw_artist(text)
    anew = np.asarray(fresh.figure.canvas.buffer_rgba())[:, :, :3].astype(int)
    assert np.array_equal(first, kept)
    assert_same(kept, anew, fresh.figure)


def test_a_text_is_drawn_again_only_when_something_about_it_changes():
    figure, text = figure_with_a_text()
    drawn = []
    draw = text.draw
    text.draw = lambda renderer: (drawn.append(text.get_text()), draw(renderer))
    for said in ("before", "before", "after", "after", "before"):
        text.set_text(said)
        figure.png()
    assert drawn == ["before", "after", "before"]


def test_a_figure_that_another_thread_draws_has_the_fonts_of_that_thread():
    figure, _ = figure_with_a_text()
    here, canvas, found = figure.png(), figure.figure.canvas, []
    thread = threading.Thread(target=lambda: found.extend([figure.png(), figure.figure.canvas]))
    thread.start()
    thread.join()
    assert found[0] == here == figure.png()
    assert found[1] is not canvas
    assert figure.figure.canvas not in (canvas, found[1])
