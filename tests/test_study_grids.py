"""The grids of the Biased MNIST paper and of the four groups: their runs, and what a method is told in them."""

import pytest
import torch

from course_lib import fairness
from course_lib.data import biased_mnist
from course_lib.data.biased_mnist import OWN, VARIABLES
from course_lib.errors import CourseError
from course_lib.fairness.methods import METHODS as FAIR
from course_lib.mitigation.methods import METHODS
from course_lib.runs import finish
from course_lib.study import Order, four_groups
from course_lib.study import biased_mnist as grids

NAMES = list(VARIABLES)


def test_each_grid_has_each_run_once():
    rows = Order("biased-mnist-table1", seeds=2).plan()
    assert len({tuple(row.values()) for row in rows}) == len(rows) == 2 * (5 * 7 + 3)
    assert {row["strength"] for row in rows} == {0.7}
    assert len(Order("biased-mnist-strength", seeds=1).plan()) == 8 * len(grids.STRENGTHS)
    counts = {row["explicit"].count("+") + 1 for row in Order("biased-mnist-explicit-count").plan() if row["explicit"]}
    assert counts == set(grids.COUNTS)
    rows = Order("four-groups", seeds=2).plan()
    assert len({tuple(row.values()) for row in rows}) == len(rows)
    assert len(rows) == 2 * (len(FAIR) * len(four_groups.WEIGHT_DECAYS) + 1 + 2 * len(four_groups.OTHERWISE))


def test_only_methods_that_are_told_something_have_an_explicit_variable():
    for row in Order("biased-mnist-table1", seeds=1).plan():
        assert bool(row["explicit"]) == (METHODS[row["method"]].knows == "bias labels")


def test_a_preset_decides_the_size_and_is_the_first_one_by_default():
    assert Order("biased-mnist-table1").plan()[0]["preset"] == "laptop"
    paper = Order("biased-mnist-table1", preset="paper").plan()[0]
    assert (paper["n_train"], paper["epochs"]) == (50_000, 30)


def test_runs_that_are_the_same_have_a_table_of_the_same_name():
    names = {Order("biased-mnist-table1", preset=preset).file_name() for preset in ("", "laptop")}
    assert names == {"study_biased-mnist-table1_laptop_bundled.csv"}
    paper = Order("biased-mnist-search", "mnist", preset="paper")
    assert paper.file_name() == "study_biased-mnist-search_paper_mnist.csv"
    assert Order("augmentation", "mnist").file_name() == "study_augmentation_mnist.csv"
    assert Order("transfer").file_name() == "study_transfer.csv"


@pytest.mark.parametrize(("order", "said"), [
    (Order("four-groups", preset="laptop"), "four-groups has no presets: leave --preset laptop out."),
    (Order("multitask", "mnist"), "multitask is a study without digits: leave --source mnist out."),
    (Order("transfer", "mnist"), "transfer is a study without digits: leave --source mnist out."),
    (Order("biased-mnist-table1", preset="huge"), "must be one of 'laptop', 'paper'; it was 'huge'."),
    (Order("biased-mnist-table1", only=("explicit=digit_color", "method=LFF")),
     "No run of biased-mnist-table1 has explicit=digit_color and method=LFF: leave one of them out."),
    (Order("biased-mnist-table1", only=("explicit=digit_color", "method=LFL")),
     f"method of --only must be one of {', '.join(map(repr, grids.PAPER_METHODS))}; it was 'LFL'."),
])  # fmt: skip
def test_what_a_study_does_not_have_is_told_in_a_sentence(order, said):
    with pytest.raises(CourseError) as error:
        order.plan()
    assert str(error.value).endswith(said)


@pytest.mark.parametrize("names", [NAMES[:1], NAMES[2:5], NAMES], ids=["one", "three", "all"])
def test_told_are_the_values_of_one_variable_or_who_is_in_the_majority_of_several(names):
    data = biased_mnist.make("bundled", "train", 0.7, 200, 3, 8)
    bias, values = grids.labels_told(data, "+".join(names), "majority")
    assert values == 2 ** len(names)
    for i in range(len(data)):
        own = [int(data.values[i, NAMES.index(n)] == OWN[data.labels[i], NAMES.index(n)]) for n in names]
        assert bias[i] == sum(bit << k for k, bit in enumerate(own))
    bias, values = grids.labels_told(data, names[0], "value")
    assert values == 10
    assert torch.equal(bias, data.values[:, NAMES.index(names[0])])
    assert grids.labels_told(data, "", "") == (None, 1)


def test_a_run_says_how_each_group_is_read_and_is_measured_again_the_same():
    row = {**Order("biased-mnist-explicit-count", seeds=1).plan()[-3], "n_train": 200, "epochs": 1}
    first, again = (finish(grids.measure(row, "cpu")) for _ in range(2))
    assert first == again
    for name in NAMES:
        assert first[f"{name} majority n"] + first[f"{name} minority n"] == grids.PRESETS["laptop"].n_test


def test_held_out_digits_are_none_of_those_that_are_trained_on_and_unbiased():
    train = biased_mnist.make("bundled", "train", 0.9, 900, 4, 8)
    held = grids.held_out("bundled", 900, 397, 4, 8, "cpu")
    assert len(held) == len(held.images) == 397
    seen = {digit.numpy().tobytes() for digit in train.digits}
    assert sum(digit.numpy().tobytes() in seen for digit in held.digits) <= 3  # but for true duplicates
    assert held.majority.float().mean() == pytest.approx(0.1, abs=0.03)
    assert torch.equal(held.majority, biased_mnist.majority(held.labels, held.values))
    with pytest.raises(CourseError, match="needs 30,000 different digits, 10,000 of them held out, and bundled has"):
        finish(grids.measure(Order("biased-mnist-search", seeds=1).plan()[0], "cpu"))


def test_the_search_differs_in_the_learning_rate_only_and_sees_no_test_image():
    rows = Order("biased-mnist-search", seeds=2).plan()
    assert {row["lr"] for row in rows} == set(grids.RATES)
    assert {row["tested_on"] for row in rows} == {"held out"}
    assert len({tuple(v for k, v in row.items() if k not in ("lr", "seed")) for row in rows}) == 1
    for name in ("table1", "strength", "explicit-count"):
        assert {row["tested_on"] for row in Order(f"biased-mnist-{name}").plan()} == {"test"}


def test_the_four_groups_have_an_accuracy_each():
    row = {**Order("four-groups", seeds=1).plan()[0], "n_train": 200, "epochs": 1}
    found = finish(four_groups.measure(row))
    four = [found[name] for name in four_groups.GROUPS]
    assert found["worst"] == min(four)
    assert found["mean"] == pytest.approx(sum(four) / 4, abs=1e-4)
    assert found["n"] == 2000


def test_the_four_groups_are_trained_as_the_row_says():
    def trained(**changes):
        row = {**Order("four-groups", seeds=1).plan()[0], "n_train": 800, "epochs": 5} | changes
        return finish(four_groups.measure(row))

    same = fairness.run(n_train=800, epochs=5, weight_decay=1e-4, progress=False).summary()
    found = trained()
    assert len(set(found.values())) > 5  # it has learned something: the groups differ
    assert all(found[name] == pytest.approx(same[name], abs=1e-4) for name in four_groups.GROUPS)
    balanced = fairness.run(n_train=800, epochs=5, weight_decay=1e-4, priors=(0.25,) * 4, progress=False).summary()
    assert trained(training="equal")["mean"] == pytest.approx(balanced["mean"], abs=1e-4)
    assert trained(method="FERMI", settings="lam=0") == trained(method="StdM")
    assert trained(method="FERMI", settings="lam=8") != trained(method="FERMI")


def test_other_settings_are_of_what_the_methods_have_and_not_their_defaults():
    for method, (name, values) in four_groups.OTHERWISE.items():
        default = FAIR[method].check({})[name]
        assert all(FAIR[method].check({name: value})[name] != default for value in values)
    without = {method for method in FAIR if not FAIR[method].settings} | {"Exemplars"}  # the control of FORML
    assert set(four_groups.OTHERWISE) | without == set(FAIR)
