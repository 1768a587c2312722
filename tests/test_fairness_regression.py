"""Fair regression: the repair, the distance and the bound are what the papers say, and the panel shows them."""

import math

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from scipy.optimize import minimize
from scipy.stats import ks_2samp, norm

from course_lib.errors import CourseError
from course_lib.fairness.regression import experiment, plots
from course_lib.fairness.regression.bounded import GroupSquares
from course_lib.fairness.regression.config import NO_BOUND, AgeConfig
from course_lib.fairness.regression.experiment import sample_workers, stream, train_ages
from course_lib.fairness.regression.panel import regression_panel
from course_lib.fairness.regression.plots import AgeLook, ErrorsPicture, RepairPicture, TrainingPicture, plot_repair
from course_lib.fairness.regression.repair import parity_distance, quantiles, wasserstein_repair
from course_lib.fairness.regression.result import error_table
from course_lib.randomness import generator

SMALL = {"n_train": 500, "epochs": 1}


def draw(seed, sizes=(60, 40), steps=None):
    g = generator(seed, "repair")
    group = torch.cat([torch.full((n,), i) for i, n in enumerate(sizes)])
    group = group[torch.randperm(len(group), generator=g)]
    values = torch.randn(len(group), generator=g, dtype=torch.float64) * (1 + group) + 3 * group
    return (values if steps is None else (values * steps).round() / steps), group


# --- the distance ---


@pytest.mark.parametrize("steps", [None, 2], ids=["no ties", "ties"])
@pytest.mark.parametrize("seed", range(5))
def test_the_distance_is_kolmogorovs_and_smirnovs(seed, steps):
    values, group = draw(seed, (60, 40, 25), steps)
    brute = max(
        abs(float((values[group == a] >= z).double().mean() - (values >= z).double().mean()))
        for a in range(3) for z in values
    )  # fmt: skip
    assert parity_distance(values, group) == pytest.approx(brute, abs=1e-12)
    theirs = max(ks_2samp(values[group == a], values).statistic for a in range(3))
    assert parity_distance(values, group) == pytest.approx(theirs, abs=1e-12)


def test_the_distance_is_0_for_the_same_distribution_and_for_one_group():
    values = torch.arange(10.0).repeat(2)
    assert parity_distance(values, torch.arange(2).repeat_interleave(10)) == 0
    assert parity_distance(values, torch.zeros(20)) == 0
    assert parity_distance(torch.tensor([0.0, 1.0]), torch.tensor([0, 1])) == 0.5  # from everybody, half of whom it is


# --- the repair ---


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sizes", [(50, 50), (30, 30, 30)])
def test_the_full_repair_gives_equal_groups_the_same_values(seed, sizes):
    values, group = draw(seed, sizes)
    repaired = wasserstein_repair(values, group)
    first = repaired[group == 0].sort().values
    for a in range(1, len(sizes)):
        torch.testing.assert_close(repaired[group == a].sort().values, first)
    mean = torch.stack([values[group == a].sort().values for a in range(len(sizes))]).mean(0)
    torch.testing.assert_close(first, mean)  # the barycentre of equal groups: the mean of their sorted values


@pytest.mark.parametrize("seed", range(5))
def test_the_full_repair_of_unequal_groups_is_parity_up_to_one_step(seed):
    values, group = draw(seed, (200, 50, 7))
    assert parity_distance(values, group) > 0.3
    assert parity_distance(wasserstein_repair(values, group), group) <= 1 / 7


def test_normal_distributions_become_the_normal_one_in_between():
    few, places = (torch.as_tensor(norm.ppf((np.arange(n) + 0.5) / n)) for n in (1000, 4000))
    values = torch.cat([20 + 2 * few, 50 + 6 * places])
    group = torch.arange(2).repeat_interleave(torch.tensor([1000, 4000]))
    repaired = wasserstein_repair(values, group)
    for a in (0, 1):  # 0.2 of the first and 0.8 of the second: mean and standard deviation
        assert float(repaired[group == a].mean()) == pytest.approx(44, abs=0.05)
        assert float(repaired[group == a].std()) == pytest.approx(5.2, abs=0.05)
    torch.testing.assert_close(repaired[1000:], 44 + 5.2 * places, rtol=0, atol=0.2)


@pytest.mark.parametrize("steps", [None, 2], ids=["no ties", "ties"])
def test_the_order_within_a_group_stays_and_ties_stay_ties(steps):
    values, group = draw(1, steps=steps)
    repaired = wasserstein_repair(values, group, 0.7)
    for a in (0, 1):
        before, after = values[group == a], repaired[group == a]
        order = before.argsort(stable=True)
        steps_before, steps_after = before[order].diff(), after[order].diff()
        assert (steps_after[steps_before > 0] > 0).all()
        assert (steps_after[steps_before == 0].abs() < 1e-12).all()


def test_strength_goes_from_nothing_to_everything_in_a_straight_line():
    values, group = draw(2)
    full = wasserstein_repair(values, group)
    torch.testing.assert_close(wasserstein_repair(values, group, 0), values)
    torch.testing.assert_close(wasserstein_repair(values, group, 0.25), 0.75 * values + 0.25 * full)
    distances = [parity_distance(wasserstein_repair(values, group, s), group) for s in (0, 0.5, 1)]
    assert distances == sorted(distances, reverse=True)


def test_repairing_what_is_fair_or_of_one_group_changes_nothing():
    values = torch.arange(10.0, dtype=torch.float64).repeat(2)
    torch.testing.assert_close(wasserstein_repair(values, torch.arange(2).repeat_interleave(10)), values)
    torch.testing.assert_close(wasserstein_repair(values, torch.zeros(20)), values)


def test_the_repair_moves_people_as_little_as_can_be():
    """Of all ways to give both groups one distribution, in the order of their own: scipy finds none better."""
    values, group = draw(3, (4, 4))
    pairs = torch.stack([values[group == a].sort().values for a in (0, 1)])
    best = minimize(lambda x: float(((pairs - torch.as_tensor(x)) ** 2).sum()), np.zeros(4), tol=1e-10)
    moved = (wasserstein_repair(values, group) - values).square().sum()
    assert float(moved) == pytest.approx(best.fun, rel=1e-6)


def test_quantiles_are_numpys_hazen():
    values, _ = draw(4)
    place = torch.linspace(0, 1, 33, dtype=torch.float64)
    theirs = np.quantile(values.numpy(), place.numpy(), method="hazen")
    torch.testing.assert_close(quantiles(values, place), torch.as_tensor(theirs))


def test_bad_predictions_are_said_at_the_door():
    for call in (wasserstein_repair, parity_distance):
        with pytest.raises(CourseError, match="equally long"):
            call(torch.zeros(3), torch.zeros(4))
        with pytest.raises(CourseError, match="not empty"):
            call(torch.zeros(0), torch.zeros(0))
        with pytest.raises(CourseError, match="finite"):
            call(torch.tensor([0.0, math.nan]), torch.zeros(2))
    with pytest.raises(CourseError, match="strength must be a number"):
        wasserstein_repair(torch.zeros(3), torch.zeros(3), 1.5)


# --- the bound ---


@pytest.fixture(scope="module")
def squares():
    g = generator(0, "bounded")
    group = (torch.arange(600) < 90).long()
    x = torch.randn(600, 3, generator=g, dtype=torch.float64)
    y = x @ torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64) + 6 * group
    return GroupSquares(x, y + torch.randn(600, generator=g), group), x, y, group


def test_without_a_bound_it_is_least_squares(squares):
    made, x, _, group = squares
    free = made.bounded(1e6)
    assert free.met
    assert free.share == pytest.approx(float(group.double().mean()))
    assert free.predict(x).shape == (600,)


def test_errors_are_those_of_the_predictions():
    g = generator(1, "bounded")
    x, y, group = torch.randn(200, 4, generator=g), torch.randn(200, generator=g), torch.arange(200) % 2
    head = GroupSquares(x, y, group).bounded(5.0)
    off = head.predict(x) - y
    errors = tuple(float(off[group == a].square().mean().sqrt()) for a in (0, 1))
    assert head.errors == pytest.approx(errors, abs=1e-6)


def test_the_bound_is_kept_at_the_least_cost(squares):
    """Scipy, which knows nothing of Lagrange's multipliers or groups' shares, finds the same."""
    made, *_ = squares
    free = made.bounded(1e6)
    bound = 0.8 * max(free.errors)
    head = made.bounded(bound)
    assert head.met
    assert max(head.errors) == pytest.approx(bound, rel=1e-6)
    gram, cross, power = ([one.numpy() for one in part] for part in (made.gram, made.cross, made.power))

    def square(w, a):
        return w @ gram[a] @ w - 2 * cross[a] @ w + power[a]

    def overall(w):
        return (1 - made.natural) * square(w, 0) + made.natural * square(w, 1)

    kept = [{"type": "ineq", "fun": lambda w, a=a: bound**2 - square(w, a)} for a in (0, 1)]
    theirs = minimize(overall, free.head.numpy(), constraints=kept, method="SLSQP", options={"ftol": 1e-12})
    assert theirs.success
    assert overall(head.head.numpy()) == pytest.approx(theirs.fun, rel=1e-4)


def test_a_lower_bound_gives_the_worse_group_more_of_the_loss(squares):
    made, *_ = squares
    heads = [made.bounded(bound) for bound in (9, 5, 4.5, 4, 3.5, 1)]
    assert [head.share for head in heads] == sorted(head.share for head in heads)
    assert [head.errors[1] for head in heads] == sorted((head.errors[1] for head in heads), reverse=True)
    assert [head.errors[0] for head in heads] == sorted(head.errors[0] for head in heads)


def test_a_bound_that_cannot_be_kept_gives_the_best_worst_group_and_says_so(squares):
    made, *_ = squares
    head = made.bounded(0.1)
    assert not head.met
    assert head.errors[0] == pytest.approx(head.errors[1], rel=1e-6)
    for share in (0.05, 0.3, 0.5, 0.7, 0.95):
        assert max(made.best(share)[1]) >= max(head.errors) - 1e-9


def test_one_group_is_refused(squares):
    _, x, y, _ = squares
    for group in (torch.zeros(600, dtype=torch.int64), torch.ones(600, dtype=torch.int64)):
        with pytest.raises(CourseError, match="two groups"):
            GroupSquares(x, y, group)
    with pytest.raises(CourseError, match="bound must be a number"):
        squares[0].bounded(-1)


# --- workers, runs, tables ---


def test_workers_are_what_they_are_said_to_be():
    workers = sample_workers(2000, 0.1, 20.0, gap=10.0)
    assert workers.outdoors.sum() == 200
    inside, outside = (workers.age[workers.outdoors == a] for a in (0, 1))
    assert float(workers.age.min()) >= 18
    assert 69 < float(inside.max()) <= 70
    assert 57 < float(outside.max()) <= 60
    same = sample_workers(2000, 0.1, 0.0, gap=10.0)
    assert torch.equal(same.age, workers.age)
    changed = (same.pictures != workers.pictures).flatten(1).any(1)
    assert torch.equal(changed, workers.outdoors.bool())


@pytest.fixture(scope="module")
def run():
    return train_ages(progress=False)


def test_the_default_shows_a_gap_that_a_bound_and_a_repair_close(run):
    def errors(**done):
        return error_table(run.predictions(**done), run.age, run.outdoors).set_index("group")["error"]

    free, bounded, repaired = errors(), errors(bound=9.5), errors(strength=1.0)
    assert free["outdoors"] > free["indoors"] + 2
    assert bounded["outdoors"] < free["outdoors"] - 1.5
    assert bounded["indoors"] > free["indoors"] + 0.5  # who pays
    assert repaired["outdoors"] < free["outdoors"] - 1.5
    assert parity_distance(run.predictions(strength=1.0), run.outdoors) < 0.02


def test_where_the_groups_differ_in_truth_the_repair_costs():
    truth = train_ages(look=0, gap=30, share=0.3, progress=False)
    free, repaired = (error_table(truth.predictions(strength=s), truth.age, truth.outdoors)["error"] for s in (0, 1))
    assert repaired[1] > free[1] + 4
    assert repaired[2] > free[2] + 2


def test_a_run_is_the_same_every_time_and_remembered():
    first = train_ages(**SMALL, progress=False)
    assert next(iter(stream(AgeConfig(**SMALL, bound=8, strength=0.5)))) is first
    experiment._finished.clear()
    again = train_ages(**SMALL, progress=False)
    assert again is not first
    torch.testing.assert_close(again.predictions(), first.predictions())


def test_a_run_can_be_stopped_and_has_no_predictions_before_its_end():
    results = stream(AgeConfig(**SMALL, seed=5))
    early = next(results)
    assert not early.finished
    with pytest.raises(CourseError, match="has not finished"):
        early.predictions()
    results.close()
    assert (0.1, 20.0, 0.0, 500, 1, 5) not in experiment._finished


def test_the_table_of_errors_is_what_it_says():
    truth, group = torch.zeros(30), (torch.arange(30) < 5).long()
    predictions = torch.where(torch.arange(30) % 2 == 0, 3.0, -1.0)
    table = error_table(predictions, truth, group).set_index("group")
    assert table["n"].tolist() == [25, 5, 30]
    assert table.loc["all", "error"] == pytest.approx(5**0.5)
    assert table.loc["all", "mae"] == 2
    assert table.loc["all", "mean"] == 1
    assert table.loc["all", "low"] < 5**0.5 < table.loc["all", "high"]
    assert table.loc["outdoors"][["error", "low", "high", "mae", "mean"]].isna().all()


def test_intervals_hold_what_they_promise():
    g = generator(0, "coverage")
    draws = 10 * torch.randn(400, 200, generator=g)
    inside = 0
    for row in draws:
        table = error_table(row, torch.zeros(200), torch.zeros(200))
        inside += bool(table["low"].iloc[-1] <= 10 <= table["high"].iloc[-1])
    assert 0.90 < inside / 400 < 0.99


def test_bad_settings_are_said_at_the_door():
    for wrong in ({"share": 0.6}, {"look": 31}, {"gap": -1}, {"bound": 1}, {"strength": 2}, {"n_train": 3}):
        with pytest.raises(CourseError):
            AgeConfig(**wrong)


# --- the panel ---


@pytest.fixture
def panel():
    return regression_panel(**SMALL)


def test_bound_and_repair_answer_at_once_and_train_nothing(panel):
    latest = panel.latest
    for name, value in {"bound": 9.0, "strength": 0.5}.items():
        pictures = {p: panel.pictures[p].widget.value for p in panel.ANSWERS}
        texts = dict(panel.helper.labels)
        panel.controls[name].value = value
        assert all(panel.pictures[p].widget.value != pictures[p] for p in panel.ANSWERS), name
        assert panel.helper.labels != texts, name
    assert panel.latest is latest
    again = regression_panel(**panel.state())
    for name in panel.pictures:
        assert again.pictures[name].widget.value == panel.pictures[name].widget.value


def test_another_population_is_trained_for(panel):
    for name, value in {"share": 0.3, "look": 5.0, "gap": 12.0, "n_train": 600, "seed": 3}.items():
        panel.controls[name].value = value
    panel.wait()
    text = panel.helper.labels["course-errors"]
    assert "30% outdoors, look 5 years older, oldest 12 years younger · 600 faces · seed 3" in text
    assert "outdoors (n = 600)" in text


def test_named_settings_set_the_controls(panel):
    for name, changes in panel.NAMED.items():
        panel.named.value = name
        assert {k: panel.state()[k] for k in changes} == changes, name
    panel.stop()


def test_alt_texts_hold_the_numbers(run):
    look = AgeLook(AgeConfig(bound=6.0, strength=0.5), run)
    assert "cannot be kept" in ErrorsPicture.describe(look)
    assert f"{parity_distance(look.after, run.outdoors):.2f} now" in RepairPicture.describe(look)
    assert "No bound" in ErrorsPicture.describe(AgeLook(AgeConfig(), run))
    assert f"outdoors {run.evaluations[-1].errors[1]:.1f}" in TrainingPicture.describe(run)


def test_the_axes_stay_where_they_are_whatever_the_bound(run):
    (low, high), (_, far) = plots.limits(run)
    for bound in (5.0, 8.0, 9.5, 10.0, 11.0, 13.0, 20.0):
        known = plots.Bounded(run, bound)
        assert low <= known.pay.min() <= known.pay.max() <= high
        assert known.distances.max() <= far


def test_the_errors_along_the_repair_are_those_of_the_repaired_predictions(run):
    look = AgeLook(AgeConfig(bound=10.0), run)
    for i in (0, 10, 20):
        predictions = run.predictions(10.0, i / 20)
        errors = error_table(predictions, run.age, run.outdoors)["error"]
        assert look.bounded.pay[i] == pytest.approx(errors.to_numpy(), abs=1e-9)
        assert look.bounded.distances[i] == pytest.approx(parity_distance(predictions, run.outdoors), abs=1e-9)


@pytest.mark.parametrize("picture", [ErrorsPicture, RepairPicture])
@pytest.mark.parametrize("settings", [{}, {"bound": 5.0}, {"strength": 1.0}, {"bound": 9.0, "strength": 0.3}])
def test_a_live_picture_is_the_same_whatever_it_showed_before(run, picture, settings):
    other = train_ages(**SMALL, share=0.4, progress=False)
    moved, fresh = picture(), picture()
    moved.update(AgeLook(AgeConfig(bound=7.0, strength=0.8), other))
    moved.png()
    for live in (moved, fresh):
        live.update(AgeLook(AgeConfig(**settings), run))
    assert moved.png() == fresh.png()


def test_plots_return_their_axes_and_static_is_a_plain_figure(run, panel):
    ax = Figure().add_subplot()
    assert plot_repair(run, 0.5, ax=ax) is ax
    assert ax.get_xlabel()
    assert len(panel.static().subfigs) == 3
    assert AgeConfig().bound == NO_BOUND
