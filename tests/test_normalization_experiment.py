"""Two strategies: what must hold of their data, of the classifier, and of the finding of the lesson."""

import math
from statistics import NormalDist

import pytest
import torch
from sklearn.neighbors import NearestCentroid

from course_lib.errors import CourseError
from course_lib.normalization import SCALERS, Config, classify, run, test_sets, training_set
from course_lib.normalization.experiment import CORRELATION, DEVIATION, MEANS, SETS, SIZES, WITHIN, finding

test_sets.__test__ = False  # the name is the library's
every_scaler = pytest.mark.parametrize("scaler", SCALERS)


def test_the_birds_are_what_the_text_says_they_are():
    x, labels = test_sets(Config())
    assert x.shape == (SETS, 200, 2)
    for species in (0, 1):
        birds = x[labels == species]
        torch.testing.assert_close(birds.mean(0), MEANS[species], rtol=5e-3, atol=0)
        torch.testing.assert_close(birds.std(0), WITHIN, rtol=2e-2, atol=0)
        assert torch.corrcoef(birds.T)[0, 1] == pytest.approx(CORRELATION, abs=0.02)
    torch.testing.assert_close(x.flatten(0, 1).std(0), DEVIATION, rtol=2e-2, atol=0)
    assert labels.double().mean() == pytest.approx(0.5, abs=0.01)


def test_a_training_set_holds_half_of_each_species():
    _, labels = training_set(Config(n_train=51))
    assert labels.bincount().tolist() == [26, 25]


def test_shift_scale_and_balance_change_the_test_set_alone():
    plain, changed = Config(), Config(shift=1.5, scale=0.1)
    assert torch.equal(training_set(plain)[0], training_set(changed)[0])
    x, y = test_sets(plain)[0], test_sets(changed)[0]
    torch.testing.assert_close((x + 1.5 * DEVIATION) * torch.tensor([0.1, 1.0]), y)
    assert test_sets(Config(balance=1.0))[1].all()
    assert not test_sets(Config(balance=0.0))[1].any()


def test_smaller_sets_are_the_first_birds_of_larger_ones():
    few, many = run(n_test=7, n_train=20), run(n_test=90, n_train=300)
    assert torch.equal(few.test, many.test[:7])
    assert torch.equal(few.train, many.train[:20])


@every_scaler
def test_the_same_config_gives_the_same_result_and_another_seed_another(scaler):
    one, again, other = run(scaler=scaler), run(Config(scaler=scaler)), run(scaler=scaler, seed=1)
    assert torch.equal(one.scaled_test[2], again.scaled_test[2])
    assert not torch.equal(one.scaled_test[2], other.scaled_test[2])


@every_scaler
def test_each_strategy_uses_the_parameters_that_it_is_named_after(scaler):
    result = run(scaler=scaler, shift=0.7, n_test=40)
    make = SCALERS[scaler]
    torch.testing.assert_close(result.scaled_test[1], make().fit(result.train).transform(result.test))
    torch.testing.assert_close(result.scaled_test[2], make().fit_transform(result.test))


@every_scaler
def test_the_classifier_is_scikit_learns_nearest_centroid(scaler):
    result = run(scaler=scaler, shift=0.5)
    theirs = NearestCentroid().fit(result.scaled_train.numpy(), result.train_labels.numpy())
    for strategy in (1, 2):
        said = classify(result.means, result.scaled_test[strategy])
        assert (said.numpy() == theirs.predict(result.scaled_test[strategy].numpy())).all()
        assert torch.equal(result.right[strategy], said == result.labels)


@every_scaler
@pytest.mark.parametrize("n", [1, 4, 30])
def test_mean_accuracies_are_those_of_a_loop_over_the_test_sets(scaler, n):
    c = Config(scaler=scaler, n_test=n, balance=0.7, shift=-0.4)
    result = run(c)
    x, labels = test_sets(c)
    fitted = SCALERS[scaler]().fit(result.train)
    right = {1: 0, 2: 0}
    for birds, truth in zip(x[:, :n], labels[:, :n], strict=True):
        for strategy, scaled in ((1, fitted.transform(birds)), (2, SCALERS[scaler]().fit_transform(birds))):
            right[strategy] += int((classify(result.means, scaled) == truth).sum())
    for strategy in (1, 2):
        assert result.mean_accuracy(strategy) == pytest.approx(right[strategy] / (SETS * n))


def test_strategy_1_is_as_good_as_theory_allows_with_whitening():
    """With very many birds whitening makes the nearest mean the best linear rule: accuracy Phi(d' / 2)."""
    gap = (MEANS[1] - MEANS[0]) / WITHIN
    best = math.sqrt((gap[0] ** 2 + gap[1] ** 2 - 2 * CORRELATION * gap[0] * gap[1]) / (1 - CORRELATION**2))
    want = NormalDist().cdf(best / 2)
    assert run(scaler="ZCA whitening", n_train=500, n_test=200).mean_accuracy(1) == pytest.approx(want, abs=0.01)


@pytest.mark.parametrize("scaler", ["range", "z-score"])
def test_a_change_of_units_is_nothing_to_strategy_2_and_ruins_strategy_1(scaler):
    plain, changed = run(scaler=scaler), run(scaler=scaler, scale=0.1, shift=-1)
    torch.testing.assert_close(plain.scaled_test[2], changed.scaled_test[2])
    assert plain.mean_accuracy(2) == changed.mean_accuracy(2)
    assert changed.mean_accuracy(1) < 0.6 < 0.9 < plain.mean_accuracy(1)


@every_scaler
def test_strategy_1_is_the_same_for_every_test_size(scaler):
    table = run(scaler=scaler).by_size
    assert table["n"].tolist() == sorted({*SIZES, 100})
    assert table["strategy 1"].between(0.88, 0.97).all()


@every_scaler
def test_one_bird_is_a_guess_for_strategy_2(scaler):
    result = run(scaler=scaler, n_test=1)
    labels = test_sets(result.config)[1][:, 0].double().mean()
    assert result.mean_accuracy(2) in (pytest.approx(float(labels)), pytest.approx(1 - float(labels)))
    assert result.mean_accuracy(1) > 0.9


def test_what_lies_between_the_means_is_species_a_whatever_the_rounding():
    means = torch.tensor([[-1.0, -1.0], [1.0, 1.0]], dtype=torch.float64)
    assert classify(means, torch.tensor([[1e-13, 0.0], [0.0, -1e-13], [0.0, 0.0]])).tolist() == [0, 0, 0]
    for seed in range(10):
        assert not classify(run(seed=seed).means, torch.zeros(1, 2, dtype=torch.float64)).any()


@every_scaler
def test_another_mixture_hurts_strategy_2_alone(scaler):
    result = run(scaler=scaler, balance=0.95)
    assert result.mean_accuracy(1) > 0.88
    assert result.mean_accuracy(2) < result.mean_accuracy(1) - 0.1


@pytest.mark.parametrize(("settings", "said"), [
    ({"n_test": 1}, "one bird has no spread"), ({"scale": 0.1}, "out again"),
    ({"scale": 0.1, "balance": 0.9}, "the mixture with it"), ({"balance": 0.95}, "mixture"),
    ({"n_test": 3}, "too few birds"), ({}, "hardly a difference"),
])  # fmt: skip
def test_the_finding_names_the_reason(settings, said):
    text = finding(run(**settings))
    assert said in text
    assert len(text) < 110  # fits the line of status


def test_intervals_hold_the_accuracy_and_shrink_with_the_set():
    small, large = run(n_test=5), run(n_test=200)
    for result in (small, large):
        low, high = result.interval(1)
        assert low <= result.accuracy(1) <= high
    assert large.interval(1)[1] - large.interval(1)[0] < small.interval(1)[1] - small.interval(1)[0]


@pytest.mark.parametrize("wrong", [
    {"scaler": "none"}, {"n_train": 9}, {"n_train": 501}, {"n_test": 0}, {"n_test": 201}, {"n_test": 1.5},
    {"shift": 4}, {"scale": 0}, {"balance": -0.1}, {"balance": 1.1}, {"seed": -1}, {"shift": float("nan")},
    {"colour": 1},
])  # fmt: skip
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(CourseError):
        run(**wrong)


def test_run_takes_a_config_and_changes():
    assert run(Config(n_test=5), shift=1).config == Config(n_test=5, shift=1)
    with pytest.raises(CourseError, match="takes a Config"):
        run("z-score")
    assert repr(run(n_test=5)).startswith("<z-score, 5 test birds: strategy 1 0.9")
