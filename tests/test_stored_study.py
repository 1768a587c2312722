"""Lesson 07's stored study: its files, tables and pictures, its panel, and that it stands beside a live run."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from scipy import stats

from course_lib import metrics, mitigation
from course_lib.data.biased_mnist import VARIABLES
from course_lib.errors import CourseError
from course_lib.mitigation import stored
from course_lib.mitigation.plots import MMDPlot
from course_lib.mitigation.stored import paper, pictures, results, tables
from course_lib.mitigation.stored.results import Stored, StoredConfig
from course_lib.plotting import EXPLICIT, IMPLICIT, MAJORITY, MINORITY, new_figure
from course_lib.study import Order
from course_lib.study.rows import read_table

NAMES = list(VARIABLES)


# Numbers


@pytest.mark.parametrize("seed", range(3))
def test_the_rank_correlation_is_scipys(seed):
    x, y = np.random.default_rng(seed).integers(0, 6, (2, 9))  # with ties
    assert metrics.spearman(x, y)[0] == pytest.approx(stats.spearmanr(x, y).statistic)


def test_the_interval_of_a_rank_correlation_holds_what_it_should():
    """Of many samples of 30 from a normal pair whose rank correlation is known, some 95 % have it in theirs."""
    generator, rho = np.random.default_rng(0), 0.6
    true = 6 / np.pi * np.arcsin(rho / 2)
    inside = 0
    for _ in range(400):
        x, noise = generator.normal(size=(2, 30))
        _, low, high = metrics.spearman(x, rho * x + np.sqrt(1 - rho**2) * noise)
        inside += low <= true <= high
    assert 0.92 <= inside / 400 <= 0.98


def test_the_same_order_of_few_is_no_proof():
    r, low, high = metrics.spearman([1, 2, 3, 4, 5], [2, 3, 5, 8, 9])
    assert (r, high) == pytest.approx((1, 1), abs=0.01)
    assert low < 0.3
    assert metrics.spearman([1, 2, 3, 4, 5], [5, 4, 3, 2, 1]) == pytest.approx((-r, -high, -low))
    with pytest.raises(CourseError, match="4 or more: 3 and 3"):
        metrics.spearman([1, 2, 3], [1, 2, 3])
    for wrong in ([1, 1, 1, 1], [1, 2, 3, np.nan]):
        with pytest.raises(CourseError, match="numbers that differ, and no NaN"):
            metrics.spearman([1, 2, 3, 4], wrong)


def test_a_rank_correlation_pairs_by_place_whatever_the_labels_are():
    x, y = pd.Series([1, 2, 3, 4, 5], list("abcde")), pd.Series([5, 4, 3, 2, 1], list("edcba"))
    assert metrics.spearman(x, y)[0] == pytest.approx(-1)


# The files


@pytest.mark.parametrize("name", ["table1", "strength", "explicit-count", "search"])
def test_every_stored_run_is_one_of_the_plan_and_says_how_it_was_made(name):
    plan = Order(f"biased-mnist-{name}", "mnist", 2 if name == "search" else 3).plan()
    path = results.FOLDER / f"biased_mnist_{name.replace('-', '_')}.csv"
    planned = [{column: str(value) for column, value in row.items()} for row in plan]
    found = [{column: row[column] for column in planned[0]} for row in read_table(path, plan[0])]
    assert sorted(map(str, found)) == sorted(map(str, planned))
    for row in read_table(path, {"commit": ""}):
        assert row["commit"]
        assert not row["commit"].endswith("+")  # of files as they were committed
        assert float(row["seconds"]) > 0
        assert all(int(row[f"{v} majority n"]) + int(row[f"{v} minority n"]) == 10_000 for v in NAMES)


def test_the_learning_rate_is_the_one_that_the_search_found_best():
    from course_lib.study.biased_mnist import PRESETS, RATES

    means = stored.search().mean(axis=1)
    assert set(means.index) == set(RATES)
    assert means.idxmax() == PRESETS["laptop"].lr


def test_all_of_it_takes_five_megabytes_at_most():
    assert sum(path.stat().st_size for path in results.FOLDER.iterdir()) <= 5 * 2**20


# Tables, of a study made by hand


def study(methods=("StdM", "UpWt"), seeds=2, strengths=(0.7,)):
    """Rows as a study has them: UpWt is told each variable in turn, and closes its gap."""
    rows = []
    for strength in strengths:
        for seed in range(seeds):
            for method in methods:
                for told in NAMES if method == "UpWt" else [""]:
                    row = {"source": "mnist", "method": method, "strength": strength, "explicit": told, "seed": seed}
                    row |= {"told_as": "value" if told else "", "settings": None}
                    row["unbiased accuracy"] = (0.4 if method == "StdM" else 0.3) + 0.01 * seed
                    for variable in NAMES:
                        row[f"{variable} minority"] = row["unbiased accuracy"]
                        row[f"{variable} majority"] = row["unbiased accuracy"] + 0.2 * (variable != told)
                    rows.append(row)
    return pd.DataFrame(rows)


def test_tidy_has_the_gap_and_the_gain_of_each_run_and_variable():
    long = stored.tidy(study())
    assert len(long) == 7 * len(study())
    told = long.query("method == 'UpWt' and explicit == 'digit_color'").set_index(["variable", "seed"])
    assert told.loc[("digit_color", 1), "kind"] == "explicit"
    assert told.loc[("digit_color", 1), "mmd"] == pytest.approx(0)
    assert told.loc[("texture_color", 1), "kind"] == "implicit"
    assert told.loc[("texture_color", 1), "mmd"] == pytest.approx(0.2)
    assert told.loc[("digit_color", 1), "IOSM majority"] == pytest.approx(0.31 - 0.61)
    assert told.loc[("digit_color", 1), "IOSM minority"] == pytest.approx(-0.1)
    assert (long.query("method == 'StdM'")["IOSM majority"] == 0).all()


def test_a_run_whose_standard_is_missing_has_no_gain():
    rows = study()
    long = stored.tidy(rows[(rows["method"] != "StdM") | (rows["seed"] != 1)])
    assert long.query("seed == 1")["IOSM majority"].isna().all()
    assert long.query("seed == 0")["IOSM majority"].notna().all()


def test_table_1_has_the_papers_numbers_beside_ours_with_seeds_and_runs():
    table = stored.table1(study())
    assert list(table.index) == ["StdM", "UpWt"]
    row = table.loc["UpWt"]
    assert row["paper"] == 0.301
    assert row[["ours", "lowest", "highest"]].tolist() == pytest.approx([0.305, 0.3, 0.31])
    assert row[["seeds", "runs"]].tolist() == [2, 14]
    assert row[["explicit MMD, ours", "implicit MMD, ours"]].tolist() == pytest.approx([0, 0.2])
    assert np.isnan(table.loc["StdM", "explicit MMD, ours"])
    assert row["settings (the paper's)"] == "none"


def test_only_strength_07_and_told_values_belong_to_table_1():
    rows = study(strengths=(0.5, 0.7))
    rows.loc[rows["strength"] == 0.5, "unbiased accuracy"] = 0.9
    more = rows[(rows["strength"] == 0.7) & (rows["told_as"] == "value")].assign(told_as="majority")
    more["unbiased accuracy"] = 0.9
    assert stored.table1(pd.concat([rows, more])).equals(stored.table1(study()))


def test_the_agreement_with_the_paper_is_that_of_the_order():
    rows = study(methods=paper.ACCURACY, seeds=2)
    rows["unbiased accuracy"] = rows["method"].map(paper.ACCURACY)
    found = stored.agreement(rows).loc["unbiased accuracy"]
    assert found["rank correlation"] == pytest.approx(1)
    assert found[["methods", "seeds"]].tolist() == [8, 2]
    rows["unbiased accuracy"] *= -1
    assert stored.agreement(rows).loc["unbiased accuracy", "rank correlation"] == pytest.approx(-1)


def test_a_seed_without_all_methods_has_no_part_in_the_agreement():
    rows = study(methods=paper.ACCURACY, seeds=2)
    rows["unbiased accuracy"] = rows["method"].map(paper.ACCURACY)
    whole = rows[(rows["seed"] == 0) | (rows["method"] != "SD")]  # SD is told nothing: one run is a whole seed
    assert stored.agreement(whole).loc["unbiased accuracy", "seeds"] == 1
    none = rows[rows["method"] != "SD"]
    assert "unbiased accuracy" not in stored.agreement(none).index


def test_counts_are_how_many_variables_a_method_was_told():
    rows = study().query("explicit in ['', 'digit_color']")
    rows = rows.assign(told_as=rows["explicit"].map(lambda told: "majority" if told else ""))
    more = rows[rows["explicit"] != ""].assign(explicit="+".join(NAMES))
    found = tables.counts(pd.concat([rows, more])).groupby(["method", "count"]).size()
    assert found.to_dict() == {("StdM", 0): 2, ("UpWt", 1): 2, ("UpWt", 7): 2}


# Pictures


def boxes(ax, color):
    """The medians of the boxes of a colour, by their place on the axis."""
    faces = [patch for patch in ax.patches if to_hex(patch.get_facecolor()) == color]
    places = [patch.get_path().get_extents().intervalx.mean() for patch in faces]
    black = [line for line in ax.lines if line.get_color() == "black" and len(line.get_xdata()) == 2]
    medians = {np.mean(line.get_xdata()): line.get_ydata()[0] for line in black}
    return {round(at, 2): min(medians.items(), key=lambda item: abs(item[0] - at))[1] for at in places}


def test_figure_3b_shows_the_median_gaps_and_the_papers_at_the_right_methods():
    rows = study(methods=paper.ACCURACY)
    ax = stored.plot_gaps(rows)
    order = [text.get_text() for text in ax.get_xticklabels()]
    assert order == list(paper.ACCURACY)
    assert boxes(ax, EXPLICIT) == pytest.approx({round(order.index("UpWt") - 0.18, 2): 0.0})
    assert boxes(ax, IMPLICIT) == pytest.approx({round(i + 0.18, 2): 0.2 for i in range(8)})
    crosses = [line for line in ax.lines if line.get_marker() == "x"]
    for line, theirs, shift in zip(crosses, (paper.EXPLICIT_MMD, paper.IMPLICIT_MMD), (-0.18, 0.18), strict=True):
        shown = {round(x - shift): y for x, y in zip(*line.get_data(), strict=True)}
        assert shown == {order.index(method): value for method, value in theirs.items()}
    assert "mnist, 28 runs, 2 seeds" in ax.get_title(loc="left")


def test_figure_3a_shows_the_median_gains_of_all_but_the_standard():
    ax = stored.plot_gains(study())
    assert [text.get_text() for text in ax.get_xticklabels()] == ["UpWt"]
    assert boxes(ax, MAJORITY) == pytest.approx({-0.18: -0.1})
    assert boxes(ax, MINORITY) == pytest.approx({0.18: -0.1})


def test_figure_5_shows_the_papers_lines_and_the_means_of_ours():
    rows = study().query("explicit in ['', 'digit_color']")
    one = rows.assign(told_as=rows["explicit"].map(lambda told: "majority" if told else ""))
    seven = one[one["explicit"] != ""].assign(explicit="+".join(NAMES))
    seven["unbiased accuracy"] += 0.1
    theirs, ours = stored.plot_counts(pd.concat([one, seven]))
    lines = [{line.get_label(): line for line in ax.lines} for ax in (theirs, ours)]
    for method, ends in paper.COUNTS.items():
        assert tuple(lines[0][method].get_ydata()) == ends
    assert lines[1]["UpWt"].get_xdata().tolist() == [1, 7]
    assert lines[1]["UpWt"].get_ydata().tolist() == pytest.approx([0.305, 0.405])
    assert lines[1]["StdM"].get_ydata().tolist() == pytest.approx([0.405, 0.405])  # told nothing: level
    assert theirs.get_ylim() == ours.get_ylim()


def test_a_study_that_is_not_finished_can_be_looked_at():
    for rows in (study(methods=("StdM",)), study(methods=("UpWt",)), study(methods=("StdM", "LFF"), seeds=1)):
        stored.plot_gaps(rows)
        stored.plot_gains(rows)
        stored.plot_counts(rows)
        assert len(stored.table1(rows)) == rows["method"].nunique()
        assert stored.agreement(rows).empty


def test_a_seed_counts_once_a_method_was_told_every_variable():
    rows = study()
    part = rows[(rows["method"] != "UpWt") | (rows["seed"] == 0) | (rows["explicit"] == "digit_color")]
    assert stored.table1(part).loc["UpWt", ["seeds", "runs", "ours"]].tolist() == pytest.approx([1, 7, 0.3])


def test_the_gain_from_one_variable_to_seven_is_compared_with_the_papers():
    parts = []
    for method, (first, last) in paper.COUNTS.items():
        for explicit, accuracy in (("digit_color", first), ("+".join(NAMES), last)):
            row = study(methods=("StdM",), seeds=1).assign(method=method, explicit=explicit, told_as="majority")
            parts.append(row.assign(**{"unbiased accuracy": accuracy}))
    found = stored.agreement(pd.concat([study(), *parts]))
    assert list(found.index) == ["accuracy with seven explicit variables less that with one"]
    assert found["rank correlation"].item() == pytest.approx(1)


def test_runs_of_different_digits_or_sizes_are_not_compared(tmp_path):
    rows = pd.read_csv(results.FOLDER / "biased_mnist_table1.csv")
    for name, other in (("source", "bundled"), ("lr", 0.5), ("n_train", 100)):
        rows.head(3).assign(**{name: other}).to_csv(tmp_path / "other.csv")
        rows.to_csv(tmp_path / "one.csv")
        with pytest.raises(CourseError, match=f"cannot be compared: they differ in {name}"):
            stored.runs(tmp_path / "one.csv", tmp_path / "other.csv")
    assert stored.table1(stored.runs(tmp_path / "one.csv")).equals(stored.table1(stored.runs(tmp_path / "one.csv")))
    (tmp_path / "grades.csv").write_text("name,points\nada,20\n")
    with pytest.raises(CourseError, match="is not a table of this study"):
        stored.runs(tmp_path / "grades.csv")


def test_a_setting_is_the_mean_of_its_seeds_and_their_range():
    config = StoredConfig(0.7, "UpWt", "distractor_shape")
    rows = stored.runs().query("strength == 0.7 and method == 'UpWt' and explicit == 'distractor_shape'")
    rows = rows[rows["told_as"] == "value"]
    found = Stored.of(config)
    assert sorted(found.accuracies) == sorted(rows["unbiased accuracy"])
    gap = rows["digit_color majority"] - rows["digit_color minority"]
    mine = found.mmd().set_index("variable").loc["digit_color", ["mmd", "low", "high"]]
    assert mine.tolist() == pytest.approx([gap.mean(), gap.min(), gap.max()])
    low = found.groups().query("variable == 'texture_color' and group == 'minority'")["low"].item()
    assert low == pytest.approx(rows["texture_color minority"].min())
    assert [found.kind(v) for v in NAMES].count("explicit") == 1
    assert Stored.of(StoredConfig(0.7, "StdM")).kind("distractor_shape") == "implicit"


def test_a_method_that_is_told_nothing_is_the_same_whatever_the_selector_says():
    one, other = (Stored.of(StoredConfig(0.7, "StdM", variable)) for variable in NAMES[:2])
    assert len(one.accuracies)
    assert np.array_equal(one.accuracies, other.accuracies)


# The panel


def test_the_panel_answers_every_control_and_says_what_is_not_stored():
    panel = stored.panel()
    assert panel.state() == {"strength": 0.7, "method": "UpWt", "explicit": "distractor_shape"}
    there = stored.settings()
    for method in there["method"]:
        panel.controls["method"].value = method
        panel.wait()
        assert panel.answered.config.method == method
        assert f"{method}" in panel.status.value
        assert panel.controls["explicit"].disabled == (mitigation.METHODS[method].knows == "nothing")
    panel.controls["method"].value = "UpWt"
    panel.controls["strength"].value = there["strength"][0]
    panel.controls["explicit"].value = "digit_color"
    panel.wait()
    if there["strength"][0] != 0.7:
        assert "Not stored" in panel.status.value
        assert "not stored" in panel.helper.labels["course-stored"]
    assert not panel.problem.value
    assert stored.panel(**panel.state()).state() == panel.state()


def test_the_moved_picture_is_the_fresh_one():
    moved, fresh = pictures.SettingPicture(), pictures.SettingPicture()
    for config in (StoredConfig(0.7, "UpWt", "digit_color"), StoredConfig(0.7, "StdM")):
        moved.update(Stored.of(config))
    fresh.update(Stored.of(StoredConfig(0.7, "StdM")))
    assert moved.png() == fresh.png()


@pytest.mark.parametrize(("state", "said"), [
    ({"strength": 0.65}, "strength of the stored study must be one of"),
    ({"method": "Focal"}, "method of the stored study must be one of"),
    ({"explicit": "hair"}, "explicit must be one of"),
    ({"seed": 1}, "There is no setting seed"),
])  # fmt: skip
def test_slips_are_told_in_a_sentence(state, said):
    with pytest.raises(CourseError, match=said):
        stored.panel(**state)


def test_a_kit_without_the_files_says_what_to_do_and_still_trains(tmp_path, monkeypatch):
    for module in (results, tables):
        monkeypatch.setattr(module, "FOLDER", tmp_path)
    with pytest.raises(CourseError, match=r"There is no stored study in .*: take data/studies/ from"):
        stored.runs()
    with pytest.raises(CourseError, match=r"There is no file .*biased_mnist_search\.csv\."):
        stored.search()
    assert Stored.beside(mitigation.Config(method="UpWt", strength=0.7)) is None


# Beside a live run


def test_stored_runs_stand_beside_a_live_one_of_the_same_method_and_strength():
    live = mitigation.Config(method="UpWt", strength=0.7, explicit="digit_color", source="bundled")
    beside = Stored.beside(live)
    assert beside.config == StoredConfig(0.7, "UpWt", "digit_color")
    plot = MMDPlot(new_figure(4, 3).add_subplot())
    plot.update(beside, beside)
    assert list(plot.stored.get_xdata()) == list(beside.mmd()["mmd"])
    assert plot.text.get_text().startswith("black: stored, MNIST, ")
    plot.update(beside)
    assert np.isnan(plot.stored.get_xdata()).all()
    assert plot.text.get_text() == ""


@pytest.mark.parametrize("changes", [
    {"strength": 0.65}, {"strength": {"digit_color": 0.9}}, {"method": "Resample"},
    {"method": "GDRO", "settings": {"eta": 0.5}}, {"network": "paper"},
])  # fmt: skip
def test_nothing_stands_beside_a_run_that_was_not_stored(changes):
    assert Stored.beside(mitigation.Config(**{"strength": 0.7, **changes})) is None


# What notebook 07 says of it


def test_the_gaps_are_as_the_notebook_says():
    table = stored.table1()
    explicit, implicit = table["explicit MMD, ours"], table["implicit MMD, ours"]
    assert explicit[["UpWt", "GDRO"]].abs().max() < 0.05  # close the gap
    assert 0 < explicit["RUBi"] < implicit["StdM"] / 2  # closes more than half of it
    others = implicit[["UpWt", "GDRO", "RUBi", "IRMv1"]]
    assert (others - implicit["StdM"]).abs().max() < 0.05  # about as wide
    assert explicit["IRMv1"] > 0.8 * implicit["StdM"]  # closes neither
    assert max(explicit["LNL"], implicit["LNL"]) < 0.7 * implicit["StdM"]
    assert table.loc["GDRO", "explicit MMD, paper"] > 0.2
    assert table["paper"].idxmax() == "LFF"
    assert table.loc["LFF", "ours"] < table.loc["StdM", "ours"] + 0.01
    assert (table["highest"] - table["lowest"]).idxmax() == "LFF"
    assert (table["seeds"] == 3).all()


def test_the_gains_are_as_the_notebook_says():
    long = stored.tidy(tables.of_table1(None))
    medians = long[long["method"] != "StdM"].groupby("method")[["IOSM majority", "IOSM minority"]].median()
    assert medians["IOSM minority"].max() <= 0.03
    assert medians["IOSM majority"].idxmin() == "LNL"


def test_more_told_variables_do_what_the_notebook_says():
    mean = tables.counts().groupby(["method", "count"])["unbiased accuracy"].mean().unstack()
    standard = mean.loc["StdM", 0]
    assert (mean.loc["UpWt", [3, 7]] < standard - 0.1).all()
    assert (mean.loc[["GDRO", "IRMv1"], 3] < mean.loc[["GDRO", "IRMv1"], 1]).all()
    assert (mean.loc[["GDRO", "IRMv1"], 7] > standard).all()
    told = mean.loc["RUBi", [1, 3, 7]]
    assert told.max() - told.min() < 0.06
    assert mean.loc["LNL", 7] < mean.loc["LNL", 1] - 0.03


def test_at_strength_01_a_few_networks_learn_nothing_as_the_notebook_says():
    found = Stored.of(StoredConfig(0.1, "LFF")).accuracies
    assert len(found) == 3
    assert found.min() == pytest.approx(0.1, abs=0.005)
    assert found.max() > 0.8
    weak = stored.runs().query("strength == 0.1")["unbiased accuracy"]
    assert 1 <= (weak < 0.2).sum() <= 4


def test_the_agreement_is_as_the_notebook_says():
    found = stored.agreement()
    assert (found["low"] > 0).sum() <= 1  # nearly all intervals hold 0
    assert found["methods"].between(5, 8).all()
