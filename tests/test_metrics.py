"""Accuracy by group against known values, closed forms and simulation."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import binomtest

from course_lib import metrics
from course_lib.errors import CourseError


def table(**accuracies):
    """The table of majority (56 of 70) and minority (48 of 80) counts that are passed by variable."""
    rows = []
    for variable, counts in accuracies.items():
        part = metrics.accuracy_table(*zip(*counts, strict=True))
        rows.append(part.assign(variable=variable, group=["majority", "minority"]))
    return pd.concat(rows, ignore_index=True)


# Wilson's interval


def test_wilson_gives_published_values():
    # Newcombe, Stat. Med. 17 (1998), 857-872, table I, method 3.
    for correct, n, low, high in [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)]:
        found = metrics.wilson(np.array(correct), np.array(n))
        assert found == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("n", [10, 11, 57, 2000])
def test_wilson_agrees_with_scipy(n):
    correct = np.arange(0, n + 1, max(1, n // 20))
    low, high = metrics.wilson(correct, np.full(len(correct), n))
    for k, a, b in zip(correct, low, high, strict=True):
        wanted = binomtest(int(k), n).proportion_ci(0.95, method="wilson")
        assert (a, b) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


def test_the_ends_of_wilsons_interval_are_where_the_score_test_just_rejects():
    low, high = (float(end) for end in metrics.wilson(np.array(13), np.array(40)))
    for p in (low, high):
        assert abs(13 / 40 - p) / math.sqrt(p * (1 - p) / 40) == pytest.approx(metrics.Z95)


def test_wilson_stays_within_zero_and_one_around_the_share():
    n = np.arange(10, 500)
    for correct in (np.zeros_like(n), n, n // 2):
        low, high = metrics.wilson(correct, n)
        assert (low >= 0).all()
        assert (high <= 1).all()
        assert (low <= correct / n + 1e-12).all()
        assert (correct / n <= high + 1e-12).all()


@pytest.mark.parametrize(("n", "p"), [(10, 0.5), (20, 0.9), (50, 0.1), (200, 0.97)])
def test_wilson_covers_the_truth_about_nineteen_times_in_twenty(n, p):
    correct = np.random.default_rng(0).binomial(n, p, 20_000)
    low, high = metrics.wilson(correct, np.full(20_000, n))
    assert 0.92 < np.mean((low <= p) & (p <= high)) < 0.985


# Accuracy by group


def test_accuracy_is_counted_within_each_group():
    rng = np.random.default_rng(1)
    groups = rng.choice(["a", "b", "c"], 300, p=[0.6, 0.3, 0.1])
    correct = rng.random(300) < 0.7
    found = metrics.group_accuracy(correct, groups)
    assert list(found.columns) == ["group", "n", "accuracy", "low", "high"]
    assert list(found["group"]) == ["a", "b", "c"]
    for row in found.itertuples():
        mine = [c for c, g in zip(correct, groups, strict=True) if g == row.group]
        assert row.n == len(mine)
        assert row.accuracy == pytest.approx(sum(mine) / len(mine))
        low, high = metrics.wilson(np.array(sum(mine)), np.array(len(mine)))
        assert (row.low, row.high) == pytest.approx((low, high))


def test_a_group_with_fewer_than_ten_samples_is_not_estimable():
    found = metrics.group_accuracy([1] * 9 + [1] * 10, ["few"] * 9 + ["ten"] * 10).set_index("group")
    assert found.loc["few", "n"] == 9
    assert found.loc["few", ["accuracy", "low", "high"]].isna().all()
    assert found.loc["ten", "accuracy"] == 1
    assert found.loc["ten", ["low", "high"]].notna().all()
    nothing = metrics.accuracy_table([0], [0])
    assert nothing["n"].tolist() == [0]
    assert nothing[["accuracy", "low", "high"]].isna().all(axis=None)


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor, pd.Series], ids=lambda kind: kind.__name__)
def test_lists_arrays_and_tensors_count_the_same(kind):
    correct, groups = kind([1, 0] * 10 + [1, 1, 1, 0] * 5), kind([3] * 20 + [5] * 20)
    found = metrics.group_accuracy(correct, groups)
    assert found["group"].tolist() == [3, 5]
    assert found["accuracy"].tolist() == [0.5, 0.75]
    assert metrics.unbiased_accuracy(correct, groups) == 0.625


def test_groups_may_be_pairs():
    groups = [(0, 1)] * 10 + [(1, 1)] * 12
    assert metrics.group_accuracy([True] * 22, groups)["group"].tolist() == [(0, 1), (1, 1)]


def test_unbiased_accuracy_counts_every_group_the_same_however_small():
    correct = [1] * 98 + [0, 1]
    groups = ["large"] * 98 + ["small"] * 2
    assert np.mean(correct) == 0.99
    assert metrics.unbiased_accuracy(correct, groups) == pytest.approx((1 + 0.5) / 2)
    assert metrics.unbiased_accuracy([True, False], [0, 0]) == 0.5


@pytest.mark.parametrize("measure", [metrics.group_accuracy, metrics.unbiased_accuracy])
@pytest.mark.parametrize(
    ("correct", "groups", "message"),
    [
        ([], [], "not empty"),
        ([1, 0], [1], "equally long"),
        ([[1, 0]], [1], "equally long"),
        (1, [1], "equally long"),
        ([0.9, 0.2], [0, 1], "True or False"),
        ([3, 7], [0, 1], "True or False"),
        ([math.nan, 1], [0, 1], "True or False"),
        (["yes", "no"], [0, 1], "True or False"),
    ],
)
def test_bad_input_gets_one_clear_sentence(measure, correct, groups, message):
    with pytest.raises(CourseError, match=message):
        measure(correct, groups)


# MMD


def test_mmd_and_its_interval_agree_with_newcombes_example():
    # Newcombe, Stat. Med. 17 (1998), 873-890, table II, contrast (a), method 10: 56/70 - 48/80.
    found = metrics.mmd(table(digit_color=[(56, 70), (48, 80)]))
    assert list(found.columns) == ["variable", "mmd", "low", "high"]
    assert found["variable"].tolist() == ["digit_color"]
    assert found.loc[0, "mmd"] == pytest.approx(0.2)
    assert found.loc[0, ["low", "high"]].tolist() == pytest.approx([0.0524, 0.3339], abs=5e-5)


def test_mmd_changes_its_sign_with_the_groups_and_keeps_the_order_of_variables():
    found = metrics.mmd(table(zebra=[(56, 70), (48, 80)], ant=[(48, 80), (56, 70)]))
    assert found["variable"].tolist() == ["zebra", "ant"]
    assert found["mmd"].tolist() == pytest.approx([0.2, -0.2])
    assert found["low"].tolist() == pytest.approx((-found["high"]).tolist()[::-1])


def test_mmd_of_extreme_groups_stays_within_minus_one_and_one():
    found = metrics.mmd(table(all=[(50, 50), (0, 50)], none=[(0, 50), (50, 50)], same=[(50, 50), (50, 50)]))
    assert found["mmd"].tolist() == [1, -1, 0]
    assert (found["low"] >= -1).all()
    assert (found["high"] <= 1).all()
    assert found.loc[2, "low"] < 0 < found.loc[2, "high"]


def test_mmd_is_not_estimable_where_a_group_is_too_small():
    found = metrics.mmd(table(few=[(5, 9), (48, 80)], many=[(56, 70), (48, 80)])).set_index("variable")
    assert found.loc["few"].isna().all()
    assert found.loc["many"].notna().all()


def test_newcombes_interval_covers_the_truth_about_nineteen_times_in_twenty():
    rng = np.random.default_rng(2)
    a, b = rng.binomial(50, 0.95, 4000), rng.binomial(450, 0.7, 4000)
    groups = pd.concat(
        [
            metrics.accuracy_table(a, np.full(4000, 50)).assign(variable=range(4000), group="majority"),
            metrics.accuracy_table(b, np.full(4000, 450)).assign(variable=range(4000), group="minority"),
        ]
    )
    found = metrics.mmd(groups)
    assert 0.92 < np.mean((found["low"] <= 0.25) & (found["high"] >= 0.25)) < 0.98


# IOSM


def test_iosm_is_the_gain_over_the_standard_model_group_by_group():
    ours, standard = table(x=[(60, 100), (50, 100)]), table(x=[(80, 100), (20, 100)])
    found = metrics.iosm(ours, standard.iloc[::-1])  # the order of rows does not matter
    assert list(found.columns) == ["variable", "group", "iosm"]
    assert found["group"].tolist() == ["majority", "minority"]
    assert found["iosm"].tolist() == pytest.approx([-0.2, 0.3])


def test_iosm_of_a_group_that_is_not_estimable_is_not_estimable():
    found = metrics.iosm(table(x=[(5, 9), (50, 100)]), table(x=[(8, 10), (20, 100)]))
    assert math.isnan(found.loc[0, "iosm"])
    assert found.loc[1, "iosm"] == pytest.approx(0.3)


def test_iosm_compares_the_same_groups_only():
    with pytest.raises(CourseError, match="hold different ones"):
        metrics.iosm(table(x=[(60, 100), (50, 100)]), table(y=[(60, 100), (50, 100)]))


@pytest.mark.parametrize(("values", "said"), [
    ([], "–"), ([0.726], "0.73"), ([0.5, 0.75, 1.0], "0.75 (0.50 to 1.00)"),
])  # fmt: skip
def test_a_mean_is_said_with_its_range_where_there_is_one(values, said):
    assert metrics.mean_and_range(pd.Series(values, dtype=float)) == said
