"""Group rates and criteria: equal to Fairlearn's, and not estimable where too few samples tell."""

import fairlearn.metrics as fl
import numpy as np
import pandas as pd
import pytest

from course_lib.errors import CourseError
from course_lib.fairness.criteria import RATES, criteria, group_rates

FAIRLEARN = {
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
        np.testing.assert_allclose(ours.set_index("group")[rate], theirs[rate], atol=1e-9)
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
        np.testing.assert_allclose(ours.set_index(["group", "other"])[rate], theirs[rate].astype(float), atol=1e-9)
    assert ours["n"].sum() == len(labels)


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
