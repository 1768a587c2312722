"""The lab's experiment: a checked configuration in, the same tidy result out, every time."""

import itertools
import math
import time
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from course_lib import metrics, mitigation
from course_lib.data.biased_mnist import OWN, VARIABLES
from course_lib.errors import CourseError
from course_lib.mitigation import Config, stream
from course_lib.mitigation import experiment as lab
from course_lib.parallel import cores
from course_lib.randomness import MAX_SEED
from course_lib.runs import Latest, finish
from course_lib.training import Progress

NAMES = list(VARIABLES)
TINY = {"n_train": 200, "n_test": 600, "epochs": 1, "cell": 8}


@pytest.fixture(autouse=True)
def _empty_cache(monkeypatch):
    monkeypatch.setattr(lab, "_finished", Latest(64))


def run(**changes):
    return mitigation.run(progress=False, **(TINY | changes))


@pytest.fixture(scope="module")
def result():
    """One run for all tests that only read it."""
    return mitigation.run(Config(method="GDRO", strength=0.7, **TINY), progress=False)


# Config


def test_the_default_is_the_lab_as_it_is_taught():
    config = Config()
    assert (config.method, config.strength, config.explicit, config.source) == (
        "StdM", 0.5, "distractor_shape", "bundled",
    )  # fmt: skip
    assert (config.seed, config.epochs, config.n_train, config.cell) == (0, 4, 8000, 14)
    assert config.strengths() == dict.fromkeys(NAMES, 0.5)


def test_equal_settings_are_equal_keys():
    number = Config(strength=0.5)
    same = [
        Config(strength=dict.fromkeys(NAMES, 0.5)),
        Config(strength=(0.5,) * 7),
        Config(strength=np.float64(0.5)),
        Config(seed=0.0, epochs=4.0, n_train=8000.0, batch_size=64.0, lr=0.01),
        Config(settings={}),
        replace(number),
    ]
    assert all(config == number and hash(config) == hash(number) for config in same)
    assert Config(strength=1).strength == 1.0
    assert Config(strength={}) == Config(strength=0.1)


def test_a_strength_for_one_variable_leaves_the_others_unbiased():
    one = Config(strength={"digit_color": 0.9})
    assert one.strengths() == {name: 0.9 if name == "digit_color" else 0.1 for name in NAMES}
    assert one == Config(strength=(0.1, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1)) == Config(strength=one.strengths())
    assert replace(one, seed=1).strength == one.strength
    assert len({one, Config(strength=one.strengths()), Config()}) == 2


def test_settings_at_their_defaults_are_no_settings():
    plain = Config(method="SD")
    assert Config(method="SD", settings={"lam": 1e-3}) == plain
    assert Config(method="SD", settings={"lam": 1e-3, "gamma": 1e-3}) == plain
    tuned = Config(method="SD", settings={"gamma": 2, "lam": 0.5})
    assert tuned == Config(method="SD", settings=(("lam", 0.5), ("gamma", 2.0))) != plain
    assert dict(tuned.settings) == {"lam": 0.5, "gamma": 2.0}


def test_a_config_stays_as_it_was_checked():
    with pytest.raises(FrozenInstanceError):
        Config().seed = 3


@pytest.mark.parametrize("name", mitigation.METHODS)
def test_told_is_the_explicit_variable_for_methods_that_know_bias_labels(name):
    config = Config(method=name, explicit="texture_color")
    knows = mitigation.METHODS[name].knows
    assert config.told == ("texture_color" if knows == "bias labels" else None)
    assert replace(config, explicit="digit_color").told == (None if config.told is None else "digit_color")


BAD = {
    "method": ("There is no method", ["JTT", "", None, 3]),
    "strength": ("strength", [-0.01, 1.01, math.nan, math.inf, "half", None, True, (0.5,) * 6, [0.5] * 7]),
    "explicit": ("explicit must be one of 'background_color'", ["colour", "", None, 2]),
    "source": ("source must be one of 'bundled', 'mnist'", ["fashion", None, 1]),
    "seed": ("seed must be a ", [-1, 0.5, MAX_SEED + 1, "zero", None, math.nan]),
    "epochs": ("epochs must be a ", [0, 101, 1.5, "two", None]),
    "settings": ("setting", [{"lam": 1}, 3, "lam", None, [1, 2]]),
    "network": ("network must be one of 'laptop', 'paper'", ["resnet", None]),
    "cell": ("cell must be ", [7, 129, 14.5, "small", 15]),
    "n_train": ("n_train must be a ", [0, 99, 100_001, 1000.5, "all"]),
    "n_test": ("n_test must be a ", [0, 99, 100_001, None]),
    "batch_size": ("batch_size must be a ", [0, 1, 2.5, None]),
    "lr": ("lr must be a number", [-1, math.nan, math.inf, "fast", 1000]),
    "weight_decay": ("weight_decay must be a number", [-1, math.nan, "none"]),
    "device": ("device must be one that this torch can use", ["tpu", "gpu", ""]),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, (_, values) in BAD.items() for value in values])
def test_every_bad_field_gets_one_clear_sentence_at_once(name, value):
    with pytest.raises(CourseError, match=BAD[name][0]) as caught:
        Config(**{name: value})
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("strength", "message"),
    [
        ({"colour": 0.5}, "a variable with a strength must be one of 'background_color'"),
        ({"digit_color": 2}, "strength of digit_color must be a number from 0 to 1; it was 2"),
        ({"digit_color": math.nan}, "strength of digit_color"),
    ],
)
def test_a_bad_strength_of_one_variable_is_named(strength, message):
    with pytest.raises(CourseError, match=message):
        Config(strength=strength)


def test_settings_of_another_method_are_refused():
    with pytest.raises(CourseError, match="StdM has no setting 'lam'; it has none"):
        Config(method="StdM", settings={"lam": 1})
    with pytest.raises(CourseError, match="LNL has no setting 'q'; it has lam, reversal"):
        Config(method="LNL", settings={"q": 0.5})
    with pytest.raises(CourseError, match="q must be a number from 0 to 1; it was 7"):
        Config(method="LFF", settings={"q": 7})


# run


def test_the_same_run_again_is_the_same_object_at_once():
    first = run()
    start = time.process_time()
    assert run() is first
    assert mitigation.run(first.config, progress=False) is first
    assert time.process_time() - start < 0.05


def test_a_run_is_a_pure_function_of_its_config(monkeypatch):
    first = run(method="LFF")
    monkeypatch.setattr(lab, "_finished", Latest(64))
    lab.dataset.cache_clear()
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 - global state must not matter
    before = torch.get_rng_state()
    second = run(method="LFF")
    assert torch.equal(torch.get_rng_state(), before)
    assert second is not first
    assert second.losses == first.losses
    assert [e.unbiased for e in second.evaluations] == [e.unbiased for e in first.evaluations]
    assert all(
        np.array_equal(a.predicted, b.predicted) for a, b in zip(first.evaluations, second.evaluations, strict=True)
    )


def test_what_was_run_in_between_changes_nothing(monkeypatch):
    alone = run(seed=3)
    monkeypatch.setattr(lab, "_finished", Latest(64))
    run(method="RUBi", seed=4, strength=0.9)
    run(method="LNL", seed=3)
    assert run(seed=3).losses == alone.losses


def test_seeds_and_strengths_and_methods_make_a_difference():
    runs = [run(), run(seed=1), run(strength=0.8), run(method="UpWt"), run(lr=0.02), run(batch_size=32)]
    assert len({r.losses for r in runs}) == len(runs)


def test_methods_told_nothing_share_a_result_between_explicit_variables():
    shape, color = run(explicit="distractor_shape"), run(explicit="digit_color")
    assert shape is color
    told = run(method="UpWt", explicit="distractor_shape"), run(method="UpWt", explicit="digit_color")
    assert told[0].losses != told[1].losses


def test_a_config_can_be_changed_on_the_way():
    config = Config(**TINY)
    assert mitigation.run(config, epochs=2, progress=False) is run(epochs=2)


def test_an_unknown_field_is_refused():
    with pytest.raises(CourseError, match="There is no setting stength; there are method, strength"):
        mitigation.run(stength=0.5)
    with pytest.raises(CourseError, match=r"takes a Config or settings by name.*'StdM'"):
        mitigation.run("StdM")


def test_a_progress_bar_shows_only_while_something_runs(capsys):
    config = Config(**TINY)
    mitigation.run(config)
    assert "StdM" in capsys.readouterr().out
    mitigation.run(config)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_few_results_are_kept():
    for number in range(70):
        lab._finished[number] = None
    run()
    assert len(lab._finished) == 64
    assert lab.cached(Config(**TINY)) is not None  # the oldest went


def test_large_sets_are_drawn_batch_by_batch_with_the_same_result(monkeypatch):
    stored = run()
    monkeypatch.setattr(lab, "_finished", Latest(64))
    monkeypatch.setattr(lab, "MAX_KEPT", 0)
    lab.dataset.cache_clear()
    drawn = run()
    assert drawn.losses == stored.losses
    assert drawn.evaluations[-1].unbiased == stored.evaluations[-1].unbiased
    assert lab.dataset("bundled", "train", 0.5, 200, 0, 8, "cpu")._images is None


def test_every_network_runs():
    assert run(network="paper").finished


def test_missing_mnist_is_one_clear_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr("course_lib.data.idx.folders", lambda: [tmp_path])
    with pytest.raises(CourseError, match="MNIST is not in"):
        run(source="mnist")


# Results


def slow_counts(predicted, test):
    """Count right answers of majority and minority, one image at a time."""
    correct, n = np.zeros((7, 2), int), np.zeros((7, 2), int)
    for i, guess in enumerate(predicted):
        label = test.labels[i].item()
        for v in range(7):
            side = 0 if test.values[i, v] == OWN[label, v] else 1
            n[v, side] += 1
            correct[v, side] += guess == label
    return correct, n


def slow_unbiased(predicted, test):
    """The mean over all groups (value, digit) of a variable, then over the variables."""
    means = []
    for v in range(7):
        groups = {}
        for i, guess in enumerate(predicted):
            label = test.labels[i].item()
            groups.setdefault((test.values[i, v].item(), label), []).append(guess == label)
        means.append(np.mean([np.mean(hits) for hits in groups.values()]))
    return np.mean(means)


@pytest.mark.parametrize("which", [0, -1], ids=["on the way", "at the end"])
def test_an_evaluation_counts_what_a_slow_loop_counts(result, which):
    test = lab.dataset("bundled", "test", 0.1, 600, 0, 8, "cpu")
    evaluation = result.evaluations[which]
    assert len(evaluation.predicted) == (lab.QUICK if which == 0 else 600)
    correct, n = slow_counts(evaluation.predicted.tolist(), test)
    assert np.array_equal(evaluation.correct, correct)
    assert np.array_equal(evaluation.n, n)
    assert evaluation.unbiased == pytest.approx(slow_unbiased(evaluation.predicted.tolist(), test))


def test_an_evaluation_predicts_what_the_network_says():
    test = lab.dataset("bundled", "test", 0.1, 600, 0, 8, "cpu")

    class Oracle(torch.nn.Module):
        """Always right about the first image, always says 3 of the others."""

        def forward(self, x):
            first = (x == test.images[0] / 255).flatten(1).all(1)
            return torch.nn.functional.one_hot(torch.where(first, test.labels[0], 3), 10).float()

    found = finish(lab.evaluate(Oracle(), test, Progress(8, 8, 0.0)))
    assert found.step == 8
    assert found.predicted[0] == test.labels[0]
    assert (found.predicted[1:] == 3).all()
    assert found.correct.sum(1).tolist() == [(test.labels == 3).sum() + (test.labels[0] != 3)] * 7


def test_groups_are_a_tidy_table_of_both_groups_of_every_variable(result):
    groups = result.groups()
    assert list(groups.columns) == ["variable", "group", "n", "accuracy", "low", "high"]
    assert list(zip(groups["variable"], groups["group"], strict=True)) == list(
        itertools.product(NAMES, ["majority", "minority"])
    )
    last = result.evaluations[-1]
    for row, correct, n in zip(groups.itertuples(), last.correct.ravel(), last.n.ravel(), strict=True):
        assert row.n == n
        assert row.accuracy == correct / n
        assert (row.low, row.high) == pytest.approx(metrics.wilson(np.array(correct), np.array(n)))
    assert (groups.groupby("variable")["n"].sum() == 600).all()


def test_mmd_is_the_difference_of_the_groups_and_names_what_was_told(result):
    mmd, groups = result.mmd(), result.groups().set_index(["variable", "group"])["accuracy"]
    assert list(mmd.columns) == ["variable", "mmd", "low", "high", "kind"]
    assert mmd["variable"].tolist() == NAMES
    for row in mmd.itertuples():
        assert row.mmd == groups[row.variable, "majority"] - groups[row.variable, "minority"]
        assert row.low < row.mmd < row.high
        assert row.kind == ("explicit" if row.variable == "distractor_shape" else "implicit")
    assert set(run().mmd()["kind"]) == {"implicit"}  # StdM is told nothing


def test_a_summary_is_one_row_for_a_table(result):
    row = result.summary()
    assert row["method"] == "GDRO"
    assert row["strength"] == 0.7
    assert row["told"] == "distractor_shape"
    assert (row["digits"], row["seed"], row["epochs"]) == ("bundled", 0, 1)
    assert row["unbiased accuracy"] == result.unbiased_accuracy == result.evaluations[-1].unbiased
    minority = result.groups().query("group == 'minority'")["accuracy"]
    assert row["worst minority"] == min(minority)
    assert [row[f"MMD {name}"] for name in NAMES] == result.mmd()["mmd"].tolist()
    mixed = run(strength={"digit_color": 0.9}).summary()
    assert mixed["strength"] == "0.1/0.9/0.1/0.1/0.1/0.1/0.1"
    assert mixed["told"] == "nothing"


def test_mean_iosm_averages_the_gains_over_the_variables(result):
    standard = run(strength=0.7)
    gains = result.mean_iosm(standard)
    last, base = result.evaluations[-1], standard.evaluations[-1]
    majority, minority = (last.correct / last.n - base.correct / base.n).mean(0)
    assert gains == pytest.approx({"IOSM majority": majority, "IOSM minority": minority})
    assert result.mean_iosm(result) == {"IOSM majority": 0, "IOSM minority": 0}


def test_small_groups_are_not_estimable_and_break_nothing():
    small = run(n_test=100)
    groups = small.groups()
    few = groups["n"] < 10
    assert few.any()
    assert groups.loc[few, "accuracy"].isna().all()
    assert groups.loc[~few, "accuracy"].notna().all()
    assert math.isfinite(small.unbiased_accuracy)
    missing = groups.loc[few, "variable"].unique()
    assert small.mmd().set_index("variable").loc[missing, "mmd"].isna().all()
    assert math.isfinite(small.summary()["worst minority"])


def test_a_result_says_in_short_what_it_is(result):
    assert repr(result).startswith("<GDRO, strength 0.7, bundled digits, seed 0: step 4 of 4, unbiased accuracy 0.")


def test_the_standard_of_a_run_is_stdm_at_the_same_settings():
    config = Config(method="SD", settings={"lam": 0.5}, strength=0.7, explicit="digit_color", **TINY)
    assert lab.standard_of(config) is None
    run()  # another strength
    assert lab.standard_of(config) is None
    standard = run(strength=0.7)
    assert lab.standard_of(config) is standard
    assert lab.standard_of(replace(config, method="UpWt", settings=())) is standard
    assert lab.standard_of(standard.config) is standard
    assert lab.standard_of(replace(config, seed=1)) is None


# stream


def test_a_stream_yields_results_that_grow():
    results = list(stream(Config(epochs=2, **{k: v for k, v in TINY.items() if k != "epochs"})))
    steps = [r.step for r in results]
    assert steps == sorted(steps)
    assert set(steps) == set(range(1, 9))
    assert {r.steps for r in results} == {8}
    for old, new in itertools.pairwise(results):
        assert new.losses[: old.step] == old.losses
        assert new.evaluations[: len(old.evaluations)] == old.evaluations
    assert [e.step for e in results[-1].evaluations] == [2, 4, 6, 8]  # twice an epoch
    assert [r.finished for r in results].index(True) == len(results) - 1
    assert results[0].evaluations == ()
    assert math.isnan(results[0].unbiased_accuracy)
    assert all(math.isfinite(loss) for loss in results[-1].losses)


def test_a_stream_pauses_inside_evaluations():
    steps = [r.step for r in stream(Config(**TINY))]
    assert steps.count(4) >= 1 + math.ceil(6 / cores())  # 600 test images in six chunks, one for each core
    assert steps.count(1) == 1


def test_a_stream_can_be_stopped_early_and_leaves_no_half_result():
    config = Config(**TINY)
    growing = stream(config)
    partial = [next(growing) for _ in range(3)][-1]
    growing.close()
    assert not partial.finished
    assert lab.cached(config) is None
    again = list(stream(config))
    assert again[-1].losses[: partial.step] == partial.losses


def test_a_known_result_streams_at_once():
    known = run()
    assert list(stream(known.config)) == [known]


def test_two_streams_at_once_do_not_disturb_each_other(monkeypatch):
    alone = [run(seed=seed).losses for seed in (0, 1)]
    monkeypatch.setattr(lab, "_finished", Latest(64))
    both = itertools.zip_longest(*(stream(Config(seed=seed, **TINY)) for seed in (0, 1)))
    last = [None, None]
    for pair in both:
        last = [new or old for new, old in zip(pair, last, strict=True)]
    assert [r.losses for r in last] == alone


def test_preparing_loads_what_the_run_needs_and_trains_nothing():
    lab.dataset.cache_clear()
    config = Config(**TINY)
    list(lab.prepare(config))
    misses = lab.dataset.cache_info().misses
    run()
    assert lab.dataset.cache_info().misses == misses == 2


# The test set


def test_the_test_set_is_the_same_for_every_seed_strength_and_method(monkeypatch):
    seen = []
    evaluate = lab.evaluate

    def spy(network, test, progress):
        seen.append(test)
        return evaluate(network, test, progress)

    monkeypatch.setattr(lab, "evaluate", spy)
    run()
    lab.dataset.cache_clear()
    run(seed=5)
    run(strength={"digit_color": 1.0})
    run(method="GDRO", explicit="texture_color", epochs=2)
    first = seen[0]
    assert len(seen) == 2 + 2 + 2 + 4
    for test in seen:
        assert torch.equal(test.images, first.images)
        assert torch.equal(test.labels, first.labels)
        assert torch.equal(test.values, first.values)
    assert (first.split, first.strength) == ("test", (0.1,) * 7)


def test_the_test_set_is_unbiased():
    test = lab.dataset("bundled", "test", 0.1, 5000, 0, 8, "cpu")
    share = test.majority.double().mean(0)
    assert (share - 0.1).abs().max() < 4 * math.sqrt(0.1 * 0.9 / 5000)
    for v, variable in enumerate(VARIABLES.values()):
        for digit in range(10):
            counts = torch.bincount(test.values[test.labels == digit, v], minlength=variable.size)
            own = 0.1 if variable.size == 10 else None
            others = torch.cat([counts[: OWN[digit, v]], counts[OWN[digit, v] + 1 :]]) if own is None else counts
            assert chisquare(others.numpy()).pvalue > 1e-4


def test_train_and_test_digits_are_different_ones():
    train, test = (lab.dataset("bundled", split, 0.1, 2000, 0, 8, "cpu") for split in ("train", "test"))
    known = {image.numpy().tobytes() for image in train.digits}
    assert not any(image.numpy().tobytes() in known for image in test.digits)
