"""Lesson 07's stored study: its files, tables and pictures, its panel, and that it stands beside a live run."""

import json
import re
from functools import cache
from pathlib import Path

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


def test_the_picture_of_strengths_has_every_methods_range_of_seeds_and_says_how_many():
    picture = pictures.StrengthPicture()
    ax = picture.figure.axes[0]
    still = [lines for lines in ax.collections if not lines.get_animated()]
    rows = stored.runs().query("told_as != 'majority' and explicit in ['', 'distractor_shape']")
    spreads = rows.groupby(["method", "strength"])["unbiased accuracy"].agg(["min", "max"])
    drawn = [(segment[0][0], segment[:, 1]) for lines in still for segment in lines.get_segments()]
    assert len(drawn) == len(spreads) == 8 * 4
    for (at, ends), ((_, strength), spread) in zip(drawn, spreads.iterrows(), strict=True):
        assert at == pytest.approx(strength, abs=0.03)  # beside it, so that none hides another
        assert ends.tolist() == pytest.approx(spread.tolist())
    text = "means of 3 seeds; upright lines: lowest to highest"
    assert any(text in shown.get_text() for shown in ax.texts)
    assert text in picture.describe(Stored.of(StoredConfig()))


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


# What notebook 07 and the tables' README say of it

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "07_bias_mitigation.ipynb"


@cache
def said(*parts):
    """Whether one paragraph or item of notebook 07 holds all these parts."""
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    lines = [line for cell in cells if cell["cell_type"] == "markdown" for line in "".join(cell["source"]).split("\n")]
    return any(all(part in line for part in parts) for line in lines)


def test_the_notebook_shows_the_search_and_says_which_settings_are_from_where():
    from course_lib.study.biased_mnist import PRESETS

    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    cell = next(cell for cell in cells if "".join(cell["source"]).startswith("mitigation.stored.search()"))
    assert "".join(cell["outputs"][0]["data"]["text/plain"]) == repr(stored.search().round(3))
    rates, seeds = stored.search().shape
    assert (rates, seeds) == (5, 2)
    laptop = PRESETS["laptop"]
    assert said("**a search**", "five rates and two seeds", f"The best, {laptop.lr:g}, is everybody's")
    assert said("**neither**", f"batches of {laptop.batch_size}", f"weight decay {laptop.weight_decay:g}, ")
    assert said("**neither**", "one cycle", f"{laptop.epochs} epochs")
    live = mitigation.Config()
    same = ("network", "batch_size", "weight_decay", "one_cycle")  # those of this lesson's live runs
    assert all(getattr(laptop, name) == getattr(live, name) for name in same)


def test_the_gaps_are_as_the_notebook_says():
    table = stored.table1()
    explicit, implicit = table["explicit MMD, ours"], table["implicit MMD, ours"]
    standard = stored.tidy(tables.of_table1(None)).query("method == 'StdM'")
    assert standard["mmd"].min() > 0.2  # leans on all seven variables
    assert abs(explicit["UpWt"]) < 0.05  # closes the gap
    assert 0 < explicit["RUBi"] < implicit["StdM"] / 2  # closes more than half of it
    others = implicit[["UpWt", "GDRO", "RUBi", "IRMv1"]]
    assert (others - implicit["StdM"]).abs().max() < 0.05  # about as wide
    assert explicit["IRMv1"] > 0.8 * implicit["StdM"]  # closes neither
    assert max(explicit["LNL"], implicit["LNL"]) < 0.7 * implicit["StdM"]
    theirs = table.loc["GDRO", "explicit MMD, paper"]
    assert said("GDRO closes the told gap", f"the median is {explicit['GDRO']:.2f}", f"in the paper ({theirs:.2f})")
    assert (table["seeds"] == 3).all()


def test_three_methods_are_where_the_notebook_says_and_not_where_the_paper_has_them():
    table = stored.table1()
    theirs, ours, standard = table["paper"], table["ours"], table.loc["StdM"]
    places = (theirs.rank() - ours.rank()).abs()
    assert set(places[places > 3].index) == {"LFF", "LNL", "GDRO"}
    assert theirs.idxmax() == "LFF"
    assert said("- LFF", f"by far ({theirs['LFF']})", f"({ours['LFF']:.3f} against {standard['ours']:.3f})")
    assert (table["highest"] - table["lowest"]).idxmax() == "LFF"
    assert ours.idxmin() == "LNL"
    assert said("- LNL", f"({theirs['LNL']:.3f} against {standard['paper']:.3f})", f"here ({ours['LNL']:.3f})")
    assert theirs.idxmin() == "GDRO"
    assert said("- GDRO", f"paper ({theirs['GDRO']:.3f})", f"in the middle here ({ours['GDRO']:.3f})")
    assert 3 <= ours.rank()["GDRO"] <= 6
    assert ours.idxmax() == "SD"
    assert said(f"Our best is SD ({ours['SD']:.3f})", "seeds overlap")
    assert table.loc["SD", "lowest"] < standard["highest"]


def test_the_gains_are_as_the_notebook_says():
    long = stored.tidy(tables.of_table1(None))
    medians = long[long["method"] != "StdM"].groupby("method")[["IOSM majority", "IOSM minority"]].median()
    assert (medians.loc["SD"] > 0).all()
    assert said("Only SD's two medians lie there", f"no more than about {medians.loc['SD'].max():.2f};")
    assert (medians.drop("SD") < 0).all(axis=None)
    assert medians["IOSM majority"].idxmin() == "LNL"
    assert said("no numbers of the paper's figure 3a")


def test_more_told_variables_do_what_the_notebook_says():
    found = tables.counts().groupby(["method", "count"])["unbiased accuracy"].agg(["mean", "min", "max"])
    mean, low, high = (found[name].unstack() for name in ("mean", "min", "max"))
    assert set(mean.columns) == {0, 1, 3, 7}
    standard = mean.loc["StdM", 0]
    assert standard < mean.loc["UpWt", 1] < standard + 0.03  # begins a little above the line
    assert (mean.loc["UpWt", [3, 7]] < standard - 0.1).all()
    assert said(f"with three variables ({mean.loc['UpWt', 3]:.2f}) and with seven ({mean.loc['UpWt', 7]:.2f})")
    assert mean.loc["UpWt", 3] < mean.loc["UpWt", 7]  # its mean is even lower ...
    assert high.loc["UpWt", 3] > low.loc["UpWt", 7]  # ... but the seeds overlap
    assert (mean.loc[["GDRO", "IRMv1"], 3] < mean.loc[["GDRO", "IRMv1"], 1]).all()
    assert (mean.loc[["GDRO", "IRMv1"], 7] > standard).all()
    told = mean.loc["RUBi", [1, 3, 7]]
    assert told.max() - told.min() < 0.06
    lost = {method for method in paper.COUNTS if mean.loc[method, 7] < mean.loc[method, 1] - 0.03}
    assert lost == {"UpWt", "LNL"}
    assert {method for method, (first, last) in paper.COUNTS.items() if last < first} == set(paper.COUNTS) - {"UpWt"}
    assert said("UpWt gains ({:.2f} to {:.2f})".format(*paper.COUNTS["UpWt"]))
    assert paper.COUNTS["LNL"][1] == paper.COUNTS["RUBi"][1] == 0.10


def test_the_groups_are_as_rare_as_the_notebook_says():
    images = 20_000 / 10  # of a digit
    seven, three, rare = 0.7**7 * images, 0.7**3 * images, 0.3**3 * images
    assert said(f"128 groups for each digit. With some {images:,.0f} images", f"about {seven:.0f} (`0.7**7 * 2000`)")
    assert 0.3**7 * images < 1
    assert said("8 groups", f"{three:.0f} images, the rarest with {rare:.0f}", f"as much as {three / rare:.0f} of the")


def test_at_strength_01_the_networks_that_the_notebook_names_are_damaged():
    rows = stored.runs().query("strength == 0.1").set_index(["method", "seed"])["unbiased accuracy"]
    damaged, whole = rows[rows < 0.7], rows[rows >= 0.7]
    assert said(f"Of {len(rows)} networks, {len(whole)} reach {whole.min():.2f} to {whole.max():.2f}")
    nothing = damaged[damaged < 0.11]
    assert sorted(nothing.index.get_level_values("method")) == ["LFF", "LNL"]
    others = damaged.drop(nothing.index).droplevel("seed").map("{:.2f}".format).to_dict()
    assert others.keys() == {"LFF", "StdM", "GDRO", "IRMv1"}
    assert said(
        "seed of LFF ({LFF})".format(**others), "StdM ({StdM}), GDRO ({GDRO}) and IRMv1 ({IRMv1})".format(**others)
    )
    assert said("StdM's seed 1 has {:.2f}, its two others {:.2f} and {:.2f}".format(*rows["StdM"][[1, 0, 2]]))
    assert said("UpWt has {:.2f}, {:.2f} and {:.2f} there".format(*rows["UpWt"][[0, 1, 2]]))
    seems = stored.tidy().query("strength == 0.1 and method == 'UpWt' and seed == 1")
    for group in ("majority", "minority"):
        assert seems[f"IOSM {group}"].mean() == pytest.approx(1 / 3, abs=0.03)


def test_the_agreement_is_as_the_notebook_says():
    found = stored.agreement()
    assert said("all four of them hold 0")
    assert len(found) == 4
    assert (found["low"] < 0).all()
    assert (found["high"] > 0).all()
    assert found["methods"].between(5, 8).all()


def test_the_rows_are_of_the_commits_and_took_the_hours_that_their_readme_says():
    readme = (results.FOLDER / "README.md").read_text("utf-8")
    rows, search = stored.runs(), pd.read_csv(results.FOLDER / "biased_mnist_search.csv", dtype={"commit": str})
    first, second = "b06ac9c22cac", "29bff3e3e76d"
    assert set(rows["commit"]) == {first, second}
    of = np.select([rows["told_as"] == "majority", rows["strength"] == 0.7], ["count", "table1"], "strength")
    found = rows.groupby([of, "seed", "commit"]).size()
    assert found.to_dict() == {
        ("table1", 0, first): 38, ("table1", 1, first): 3, ("table1", 1, second): 35, ("table1", 2, second): 38,
        ("strength", 0, first): 24, ("strength", 1, second): 24, ("strength", 2, second): 24,
        ("count", 0, second): 15, ("count", 1, second): 15, ("count", 2, second): 15,
    }  # fmt: skip
    assert f"| {first} | table 1: seed 0, and 3 rows of seed 1 (StdM;" in readme
    assert f"| {second} | table 1: the other 35 rows of seed 1, and seed 2;" in readme
    for commit, rates in search.groupby("commit")["lr"].unique().items():
        line = next(line for line in readme.splitlines() if line.startswith(f"| {commit} | search"))
        assert [float(rate) for rate in re.findall(r"0\.\d+", line)] == sorted(rates)
    hours, more = rows["seconds"].sum() / 3600, search["seconds"].sum() / 3600
    assert f"are {len(rows)} different runs" in readme
    assert f"add up to {hours:.1f} hours, two runs at a time: {hours / 2:.1f} hours on two cores" in readme
    assert f"took {more:.1f} hours in the same sense: {more / 2:.1f} hours on two cores" in readme
    assert f"With 8, the three grids would take about {hours / 2 * 8 / 5:.1f} hours" in readme
    strengths = sorted(rows["strength"].unique())
    assert "Strengths other than {:g}, {:g}, {:g} and {:.1f}.".format(*strengths) in readme
