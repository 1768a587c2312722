"""Lesson 03's run, measures, pictures and panel: against closed forms, and against training alone."""

import functools
import importlib
import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from torch import nn

from course_lib import augmentation
from course_lib.augmentation import AUGMENTATIONS, Config, invariance, plots, run, smoothness, stream, trials
from course_lib.augmentation.arms import Arms, make_mlp
from course_lib.augmentation.experiment import digits_of
from course_lib.augmentation.gallery import GalleryPicture, make_gallery, mosaic, sentence
from course_lib.augmentation.panel import TIPS
from course_lib.augmentation.reference import Reference
from course_lib.augmentation.stored import t95
from course_lib.errors import CourseError
from course_lib.grading import book
from course_lib.randomness import generator
from course_lib.training import fit

SMALL = {"n_train": 200, "epochs": 2}


@pytest.fixture(scope="module")
def result():
    return run(**SMALL, progress=False)


# The run


def test_a_run_grows_and_ends_with_everything():
    seen = list(stream(Config(**SMALL)))
    assert [r.step for r in seen] == sorted(r.step for r in seen)
    assert [r.finished for r in seen] == [False] * (len(seen) - 1) + [True]
    last = seen[-1]
    assert (last.step, last.steps, len(last.losses), len(last.evaluations)) == (8, 8, 8, 2)
    assert not torch.equal(seen[0].weights("with"), last.weights("with"))  # copies, not views
    assert last.weights("without").shape == (100, 28, 28)
    assert list(last.accuracies()["training"]) == ["without", "with"]
    assert math.isnan(seen[0].accuracy("with"))


def test_the_same_seed_gives_the_same_run_and_another_another(result):
    again, other = run(**SMALL, progress=False), run(**SMALL, seed=1, progress=False)
    assert again.losses == result.losses
    assert other.losses != result.losses


def test_without_any_augmentation_both_networks_are_the_same():
    same = run(**SMALL, translate=0, progress=False)
    assert all(a == b for a, b in same.losses)
    assert torch.equal(same.weights("with"), same.weights("without"))


def test_each_network_learns_as_it_would_alone(result):
    config = Config(**SMALL)
    data = digits_of(config, "train")
    network = nn.ModuleDict({"alone": make_mlp(100, 0)})
    arms = Arms(network, data, generator(0, "training"), {"alone": {"translate": 2}})
    for _ in fit(arms, epochs=2, batch_size=64, lr=config.lr):
        pass
    torch.testing.assert_close(network["alone"][1].weight, result.parameters["with"]["1.weight"])


def test_the_network_of_a_result_is_the_one_that_was_measured(result):
    test = digits_of(result.config, "test")
    predicted = result.network("with")(test.images / 255).argmax(1)
    assert (predicted == test.labels).double().mean() == pytest.approx(result.accuracy("with"))


def test_fewer_training_digits_are_drawn_by_the_seed():
    first, second = (digits_of(Config(n_train=50, seed=seed), "train") for seed in (0, 1))
    assert len(first) == 50
    assert not torch.equal(first.labels, second.labels)
    assert len(digits_of(Config(n_train=5000), "train")) == 1297


@pytest.mark.parametrize(("changes", "said"), [
    ({"digit": 10}, "digit must be a number from 0 to 9"), ({"translate": 1.5}, "translate must be a whole number"),
    ({"source": "letters"}, "source must be one of"), ({"zoom": 1}, "There is no setting zoom; there are translate"),
    ({"n_train": 5}, "n_train must be"), ({"epochs": 0}, "epochs must be"), ({"own": "x"}, "own must be 'none'"),
])  # fmt: skip
def test_what_cannot_be_run_is_told_in_a_sentence(changes, said):
    with pytest.raises(CourseError, match=said):
        run(**changes)


def test_translation_makes_a_network_steadier_and_its_weights_smoother():
    found = run(progress=False)
    x = digits_of(found.config, "test").images / 255
    scores = {arm: invariance(found.network(arm), x, {"translate": 2}, generator(0, "t")) for arm in plots.ARMS}
    assert scores["with"] > scores["without"] + 0.2
    smooth = {arm: float(smoothness(found.weights(arm)).mean()) for arm in plots.ARMS}
    assert smooth["with"] > smooth["without"] + 0.1


# Measures


def test_invariance_counts_what_stays_right_or_wrong():
    x = torch.zeros(10, 1, 28, 28)
    x[:, :, 14, 14] = 1

    def left_or_right(x):  # says 1 where there is ink to the right of the middle
        return torch.stack([torch.full((len(x),), 0.5), x[:, 0, :, 15:].sum((1, 2))], 1)

    assert invariance(left_or_right, x, {}, generator(0, "t")) == 1
    assert 0 < invariance(left_or_right, x, {"translate": 8}, generator(0, "t")) < 1
    with pytest.raises(CourseError, match="needs at least one image"):
        invariance(left_or_right, x[:0], {}, generator(0, "t"))


def test_smoothness_of_known_images():
    board = (torch.arange(8)[:, None] + torch.arange(8)) % 2.0
    ramp = torch.arange(20.0).expand(20, 20)
    noise = torch.randn(200, 200, generator=torch.Generator().manual_seed(0))
    assert smoothness(torch.zeros(1, 5, 5)).item() == 1
    assert smoothness(board[None]).item() == pytest.approx(-1)  # every neighbour differs by 1, variance 1/4
    # A ramp of n columns: half of the pairs differ by 1, and the variance is (n * n - 1) / 12.
    assert smoothness(ramp[None]).item() == pytest.approx(1 - 0.5 / (2 * 399 / 12), rel=1e-5)
    assert abs(smoothness(noise[None]).item()) < 0.02
    torch.testing.assert_close(smoothness(7 * ramp[None] + 3), smoothness(ramp[None]))  # scale and offset do not matter
    with pytest.raises(CourseError, match="takes weight images"):
        smoothness(torch.zeros(5, 5))


# Exercises


def reference(id):
    return functools.partial(book.exercise(id).reference, **book.exercise(id).defaults)


def test_solutions_are_what_the_library_does():
    for case in book.exercise("03.1").sheet([0]).cases:
        x, dx, dy = case.arguments
        black = functools.partial(book.exercise("03.1").reference, background=0.0)
        torch.testing.assert_close(black(x, dx, dy), augmentation.shift(x[:, None], dx, dy)[:, 0])
    for case in book.exercise("03.4").sheet([0]).cases:
        answer = reference("03.4")(*case.arguments)
        known = smoothness(*case.arguments)
        torch.testing.assert_close(answer[~answer.isnan()], known[~answer.isnan()])


def test_the_noise_of_the_solution_is_laplacian():
    noise = reference("03.5")(torch.zeros(50, 20, 20), torch.Generator().manual_seed(1)).flatten().numpy()
    assert stats.kstest(noise, stats.laplace(0, 0.2 / math.sqrt(2)).cdf).pvalue > 1e-3


def test_noise_summaries_of_right_answers_stay_within_the_tolerance():
    exercise = book.exercise("03.5")
    x = torch.rand(120, 24, 20)
    wanted = torch.tensor([math.log(0.2), 0, 1 / math.sqrt(2), 1 / math.sqrt(120), 1 / math.sqrt(480)])
    for seed in range(30):
        noisy = reference("03.5")(x, torch.Generator().manual_seed(seed))
        assert (trials.noise_summary((x,), noisy) - wanted).abs().max() < exercise.atol / 2
    noisy[0, 0, 0] = math.inf  # the logarithm of a 0 that came up by chance
    assert trials.noise_summary((x,), noisy).isfinite().all()
    assert not trials.noise_summary((x,), x + math.inf).isfinite().all()
    assert not trials.noise_summary((x[:0],), x[:0]).any()


# Pictures


def test_a_mosaic_shows_each_tile_once():
    tiles = np.arange(1, 8, dtype=np.float32)[:, None, None] * np.ones((7, 3, 2), np.float32)
    image = mosaic(tiles, 4, -1.0)
    assert image.shape == (2 * 4 + 1, 4 * 3 + 1)
    assert [(image == value).sum() for value in range(1, 8)] == [6] * 7
    assert image[1, 1] == 1
    assert image[5, 7] == 7  # second row, third column
    assert (image[[0, 4, 8]] == -1).all()


def test_the_gallery_shows_the_untouched_digit_first_and_says_what_happens_to_its_label():
    gallery = make_gallery(Config(digit=6, translate=0, rotate=180), wait=False)
    assert gallery.tiles.shape == (32, 28, 28)
    assert not np.array_equal(gallery.tiles[0], gallery.tiles[1])
    assert sentence(gallery.config) == "By the kit's table, the label of a 6: rotation: may become 9."
    assert sentence(Config(digit=6)) == "By the kit's table, a 6 keeps its label."
    assert sentence(Config(translate=0)) == "No augmentation is in use."


def test_reading_counts_each_label():
    gallery = make_gallery(Config(translate=0, flip_horizontal=1))
    reading = gallery.reading
    assert reading.n.sum() == 500
    assert reading.unread(3) > 0.9 > 0.2 > reading.unread(0)
    assert reading.unread() == pytest.approx(1 - reading.read.sum() / 500)
    picture = GalleryPicture()
    picture.update(gallery)
    assert [bar.get_height() for bar in picture.bars.bars] == pytest.approx(
        [100 * reading.unread(d) for d in range(10)]
    )
    assert "no longer reads: 69 %" in picture.describe(gallery)


def test_the_reference_goes_on_where_its_training_was_stopped(monkeypatch):
    monkeypatch.setattr(Reference, "EPOCHS", 1)
    reference = Reference()
    stopped = reference.training()
    for _ in range(5):
        next(stopped)
    stopped.close()
    steps = sum(1 for _ in reference.training())
    assert reference.ready
    assert steps == math.ceil(1297 / 64) + 1 - 5


def test_run_pictures_show_the_run(result):
    picture = plots.RunPicture()
    first = next(stream(Config(**SMALL)))
    picture.update(first)
    picture.png()
    picture.update(result)
    line = picture.curves[0].lines["with"]
    assert list(line.get_xdata()) == [4, 8]
    assert line.get_ydata()[-1] == pytest.approx(100 * (1 - result.accuracy("with")))
    shown = picture.mosaics["without"].image.get_array()
    wanted = result.weights("without")[0].numpy() / plots.weight_limit(result)
    np.testing.assert_allclose(shown[1:29, 1:29], wanted, rtol=1e-5)
    assert f"{100 * result.accuracy('with'):.1f} % right (" in picture.describe(result)
    ax = augmentation.plot_curves(result)
    assert ax.get_ylabel() == "wrong test digits (%)"
    assert len(augmentation.plot_weights(result)) == 2
    assert augmentation.plot_gallery(make_gallery(Config(), wait=False)).images


@pytest.mark.parametrize("hidden", [3, 150])
def test_any_number_of_hidden_units_can_be_drawn(hidden):
    few = run(**SMALL, hidden=hidden, progress=False)
    plots.RunPicture().update(few)


# The stored study


def test_the_stored_study_has_both_arms_of_every_seed_and_one_configuration():
    rows = augmentation.study()
    assert set(rows.groupby("seed")["training"].agg(tuple)) == {("without", "with")}
    assert rows["seed"].nunique() >= 3
    same = rows.drop(columns=["training", "seed", "accuracy", "shift", "correct", "seconds"])
    assert (same.nunique() == 1).all()
    assert same.iloc[0][["source", "n_train", "n", "hidden", "tested_on"]].tolist() == [
        "mnist", 60_000, 10_000, 100, "test",
    ]  # fmt: skip
    assert rows["accuracy"].tolist() == pytest.approx((100 * rows["correct"] / rows["n"]).tolist())


def test_the_summary_is_that_of_the_rows_and_the_plot_shows_each():
    rows = augmentation.study()
    table = augmentation.summarise(rows)
    for training, part in rows.groupby("training"):
        assert table.loc[training, "mean"] == pytest.approx(np.mean(part["accuracy"]))
        assert table.loc[training, "sd"] == pytest.approx(np.std(part["accuracy"], ddof=1))
    ax = augmentation.plot_study(rows)
    drawn = np.concatenate([line.get_ydata() for line in ax.lines])
    assert np.isin(rows["accuracy"].round(6), drawn.astype(float).round(6)).all()


@pytest.mark.parametrize(("freedom", "point"), [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (30, 2.042)])
def test_students_t_is_that_of_the_printed_tables(freedom, point):
    assert t95(freedom) == pytest.approx(point, abs=5e-4)


# The panel


@pytest.fixture
def panel():
    panel = augmentation.panel(**SMALL)
    panel.wait()
    yield panel
    panel.stop()
    panel.wait()


def test_state_makes_the_same_panel_again_and_is_what_run_takes(panel):
    state = augmentation.panel(rotate=30.0, digit=7, n_train=50, hidden=20, lr=0.01).state()
    assert augmentation.panel(**state).state() == state
    assert Config(**state).hidden == 20
    assert set(TIPS) == set(AUGMENTATIONS.built_in)


def test_a_move_is_answered_and_run(panel):
    panel.controls["rotate"].value = 40.0
    assert "rotation 40 degrees" in panel.helper.labels["course-gallery"]
    panel.wait()
    assert panel.result.finished
    assert panel.result.config.rotate == 40
    assert panel.status.value.count("% with") == 2
    assert panel.static().get_size_inches().tolist() == [8.4, pytest.approx(8.7)]


def test_before_the_reference_is_ready_the_gallery_says_so_and_later_what_it_reads(monkeypatch):
    monkeypatch.setattr(Reference, "EPOCHS", 1)
    unready = Reference()
    for module in ("panel", "gallery"):
        monkeypatch.setattr(importlib.import_module(f"course_lib.augmentation.{module}"), "REFERENCE", unready)
    panel = augmentation.panel(**SMALL)
    panel.wait()
    assert panel.answered.reading is not None
    monkeypatch.setattr(unready, "ready", False)
    panel.preview()
    assert "not yet known" in panel.helper.labels["course-gallery"]
    assert "not yet known" in panel.figures["gallery"].bars.text.get_text()


def test_ones_own_augmentation_joins_the_selector_and_leaves_it(panel):
    AUGMENTATIONS.register("negative", lambda x, generator: 1 - x)
    assert panel.controls["own"].options == ("none", "negative")
    panel.controls["own"].value = "negative"
    panel.wait()
    assert panel.result.config.own == "negative"
    AUGMENTATIONS.remove("negative")
    panel.wait()
    assert (panel.controls["own"].value, panel.result.config.own) == ("none", "none")


def test_an_error_in_ones_own_augmentation_is_shown(panel):
    AUGMENTATIONS.register("oops", lambda x, generator: x + nothing)  # noqa: F821 - that is the slip
    with pytest.raises(NameError):
        panel.controls["own"].value = "oops"
    assert "name &#x27;nothing&#x27; is not defined" in panel.problem.value.replace("'", "&#x27;")
    panel.error = None
    AUGMENTATIONS.remove("oops")
    panel.wait()


def test_what_is_hidden_keeps_its_value():
    panel = augmentation.panel(hide=["seed", "run"], seed=3)
    assert panel.controls["seed"].layout.display == "none"
    assert panel.state()["seed"] == 3
    with pytest.raises(CourseError, match="a part to hide"):
        augmentation.panel(hide="zoom")


def test_tables_are_tidy(result):
    assert isinstance(result.accuracies(), pd.DataFrame)
    assert (result.accuracies()["low"] < result.accuracies()["high"]).all()
