"""Group rates and criteria: equal to Fairlearn's, and not estimable where too few samples tell."""

import fairlearn.metrics as fl
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score

from course_lib.errors import CourseError
from course_lib.fairness.criteria import RATES, criteria, group_rates

FAIRLEARN = {  # by what Fairlearn computes each rate
    "accuracy": accuracy_score,
    "selection_rate": fl.selection_rate,
    "true_positive_rate": fl.true_positive_rate,
    "false_positive_rate": fl.false_positive_rate,
}


@pytest.fixture(params=range(8))
def sampled(request):
    """Random predictions, labels, two attributes and weights of a few hundred samples."""
    rng = np.random.default_rng(request.param)
    n = 50 + 60 * request.param
    return (
        rng.integers(0, 2, n),
        rng.integers(0, 2, n),
        rng.choice(["a", "b", "c"], n),
        rng.integers(0, 2, n),
        rng.random(n),
    )


@pytest.fixture(params=range(2))
def unequal(request):
    """Two attributes of which some combinations are empty, or hold one or two, or no positives, or no negatives."""
    rng = np.random.default_rng(request.param)
    sizes = {"many": 90, "nobody smiles": 30, "all smile": 30, "one": 1, "two": 2}
    group, other = np.repeat(list(sizes), list(sizes.values())), rng.choice(["a", "b"], sum(sizes.values()))
    other[group == "two"] = "b"  # and so the "two" have no "a"; "one" has one of both
    labels = np.where(group == "nobody smiles", 0, np.where(group == "all smile", 1, rng.integers(0, 2, len(group))))
    return rng.integers(0, 2, len(group)), labels, group, other, rng.random(len(group))


def told(labels, group, other):
    """Return how many samples tell about each rate, by group: all, all, the positives and the negatives."""
    about = dict(zip(RATES, (labels >= 0, labels >= 0, labels == 1, labels == 0), strict=True))
    by = [pd.Categorical(group), pd.Categorical(other)]
    return pd.DataFrame(about).groupby(by, observed=False).sum()


@pytest.mark.parametrize("weighted", [False, True])
def test_rates_and_differences_are_fairlearns(sampled, weighted):
    predicted, labels, group, _, weights = sampled
    w = weights if weighted else None
    ours = group_rates(predicted, labels, group, weights=w, min_samples=1)
    params = {name: {"sample_weight": weights} for name in FAIRLEARN} if weighted else None
    theirs = fl.MetricFrame(
        metrics=FAIRLEARN, y_true=labels, y_pred=predicted, sensitive_features=group, sample_params=params
    ).by_group
    for rate in FAIRLEARN:
        np.testing.assert_allclose(ours.set_index("group")[rate], theirs[rate], rtol=0, atol=1e-9)
    apart = criteria(ours).set_index("criterion")["difference"]
    given = {"y_true": labels, "y_pred": predicted, "sensitive_features": group, "sample_weight": w}
    assert apart["demographic parity"] == pytest.approx(fl.demographic_parity_difference(**given), abs=1e-9)
    assert apart["equal opportunity"] == pytest.approx(fl.equal_opportunity_difference(**given), abs=1e-9)
    assert apart["equalized odds"] == pytest.approx(fl.equalized_odds_difference(**given), abs=1e-9)


def test_intersections_are_fairlearns(sampled):
    predicted, labels, group, other, _ = sampled
    ours = group_rates(predicted, labels, {"group": group, "other": other}, min_samples=1)
    features = pd.DataFrame({"group": group, "other": other})
    theirs = fl.MetricFrame(metrics=FAIRLEARN, y_true=labels, y_pred=predicted, sensitive_features=features).by_group
    for rate in FAIRLEARN:
        given = ours.set_index(["group", "other"])[rate]
        np.testing.assert_allclose(given, theirs[rate].astype(float), rtol=0, atol=1e-9)
    assert ours["n"].sum() == len(labels)


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("least", [1, 10])
def test_small_and_empty_intersections_are_fairlearns_or_not_estimable(unequal, least, weighted, conditional):
    """Fairlearn calls a rate NaN where a group is empty, and 0 where it has members, but none who tell about it.

    Both are not estimable here, and so is what fewer than ``min_samples`` tell. Every other rate is Fairlearn's.
    """
    predicted, labels, group, other, weights = unequal
    by = {"group": group, "other": other}
    ours = group_rates(predicted, labels, by, weights=weights if weighted else None, min_samples=least)
    ours, tell = ours.set_index(["group", "other"]), told(labels, group, other)
    apart = {"sensitive_features": other, "control_features": group}  # the other way to ask for intersections
    features = apart if conditional else {"sensitive_features": pd.DataFrame(by)}
    params = {name: {"sample_weight": weights} for name in FAIRLEARN} if weighted else None
    theirs = fl.MetricFrame(metrics=FAIRLEARN, y_true=labels, y_pred=predicted, sample_params=params, **features)
    theirs = theirs.by_group.astype(float)
    assert ours.index.tolist() == theirs.index.tolist()
    assert ours.loc[("two", "a"), "n"] == 0
    assert theirs.loc[("two", "a")].isna().all()
    for rate in RATES:
        known = (tell[rate] >= least).to_numpy()
        assert ours[rate].isna().tolist() == (~known).tolist()
        np.testing.assert_allclose(ours[rate][known], theirs[rate][known], rtol=0, atol=1e-9)
        assert not theirs[rate][(tell[rate] == 0).to_numpy()].fillna(0).any()


@pytest.mark.parametrize("least", [1, 10])
def test_differences_are_fairlearns_over_the_groups_that_are_estimable(unequal, least):
    """And not over all: there, a group without positives would have a true positive rate of 0, the least fair."""
    predicted, labels, group, other, _ = unequal
    rates = group_rates(predicted, labels, {"group": group, "other": other}, min_samples=least)
    found, tell = criteria(rates).set_index("criterion"), told(labels, group, other)
    names, own = tell.index.map(", ".join), np.char.add(np.char.add(group, ", "), other)
    for criterion, (needed, difference) in {
        "demographic parity": (["selection_rate"], fl.demographic_parity_difference),
        "equal opportunity": (["true_positive_rate"], fl.equal_opportunity_difference),
        "equalized odds": (["true_positive_rate", "false_positive_rate"], fl.equalized_odds_difference),
    }.items():
        known = (tell[needed] >= least).all(axis=1).to_numpy()
        assert found.loc[criterion, "left_out"] == tuple(names[~known])
        kept = np.isin(own, names[known])
        theirs = difference(labels[kept], predicted[kept], sensitive_features=own[kept])
        assert found.loc[criterion, "difference"] == pytest.approx(theirs, abs=1e-9)


def test_a_combination_without_samples_is_a_group_and_not_estimable():
    gender, skin = ["w", "w", "m", "m"] * 20, ["light", "dark", "light", "light"] * 20
    table = group_rates([1, 0, 1, 0] * 20, [1, 1, 1, 0] * 20, {"gender": gender, "skin": skin})
    row = table[(table["gender"] == "m") & (table["skin"] == "dark")].iloc[0]
    assert row["n"] == 0
    assert row[list(RATES)].isna().all()
    found = criteria(table).set_index("criterion")
    assert found.loc["demographic parity", "left_out"] == ("m, dark",)
    assert found.loc["demographic parity", "difference"] == 1.0


def test_too_few_samples_are_not_estimable_and_never_fair():
    labels = [1] * 9 + [0] * 30 + [1] * 50
    group = ["a"] * 39 + ["b"] * 50
    table = group_rates(labels, labels, group).set_index("group")
    assert np.isnan(table.loc["a", "true_positive_rate"])  # nine tell
    assert table.loc["a", "false_positive_rate"] == 0
    assert np.isnan(table.loc["b", "false_positive_rate"])  # nobody tells
    found = criteria(group_rates(labels, labels, group)).set_index("criterion")["difference"]
    assert np.isnan(found["equal opportunity"])
    assert np.isnan(found["equalized odds"])
    assert found["demographic parity"] == pytest.approx(1 - 9 / 39)


def test_weights_make_another_population():
    """What each sample counts twice is the same as what is there twice."""
    rng = np.random.default_rng(5)
    predicted, labels, group = rng.integers(0, 2, (3, 200))
    times = rng.integers(0, 3, 200)
    repeated = [np.repeat(values, times) for values in (predicted, labels, group)]
    weighted = group_rates(predicted, labels, group, weights=times, min_samples=1)
    pd.testing.assert_frame_equal(weighted[list(RATES)], group_rates(*repeated, min_samples=1)[list(RATES)])


@pytest.mark.parametrize(("given", "said"), [
    (([1, 0], [1], ["a"]), "1 labels, but 2 of predicted"),
    (([0.3, 0.9], [1, 0], ["a", "b"]), "scores need a threshold"),
    (([1, 0], [1, 0], ["a"]), "but 1 of group"), (([], [], []), "at least one"),
])  # fmt: skip
def test_bad_input_is_one_clear_sentence(given, said):
    with pytest.raises(CourseError, match=said):
        group_rates(*given)


def test_weights_below_zero_are_refused():
    with pytest.raises(CourseError, match="from 0 up"):
        group_rates([1, 0], [1, 0], ["a", "b"], weights=[1, -1])
