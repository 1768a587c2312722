"""Lesson 06's first panel: priors, runs, how they are read, and what the panel does with all of it."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from course_lib.data import faces
from course_lib.data.faces import BALANCED, GROUPS, SOURCE
from course_lib.errors import CourseError
from course_lib.fairness import METHODS, Config, criteria, panel, plot_criteria, plot_groups, run, stream
from course_lib.fairness.criteria import group_rates
from course_lib.fairness.experiment import cached, control_of, stream_with_control
from course_lib.fairness.panel import FairnessPanel
from course_lib.fairness.pictures import held_out_faces, held_out_pictures, photograph, training_set
from course_lib.fairness.plots import CriteriaPicture, RunPicture
from course_lib.fairness.priors import link, steps_of
from course_lib.fairness.sheet import framed, make_sheet

SHORT = {"n_train": 400, "epochs": 4, "noise": 0}


@pytest.fixture(scope="module")
def short():
    return run(progress=False, **SHORT)


# Config and data


@pytest.mark.parametrize(("settings", "said"), [
    ({"priors": (0.5, 0.5)}, "four shares"), ({"priors": (0.5, 0.5, 0.5, 0.5)}, "sum to 1"),
    ({"more": (1, 2)}, "four whole numbers"), ({"more": (0, 0, 0, 10**6)}, "from 0 to 5000"),
    ({"method": "magic"}, "no method 'magic'"), ({"noise": -1}, "noise must be"),
    ({"weight_decay": "a"}, "weight_decay"),
    ({"threshold_men": 1.5}, "threshold_men must be"), ({"population": "all"}, "population must be"),
    ({"settings": {"eta": 1}}, "no setting 'eta'"), ({"settings": 3}, "must map names to numbers"),
    ({"strength": 1}, "no setting strength"),
])  # fmt: skip
def test_bad_settings_are_one_clear_sentence(settings, said):
    with pytest.raises(CourseError, match=said):
        Config.of(**settings)


def test_priors_by_name_are_the_same_config():
    named = Config(priors={"man, smiling": 0.5, "woman, not smiling": 0.5})
    assert named == Config(priors=(0.5, 0, 0, 0.5))


def test_the_training_faces_have_the_counts_that_are_said():
    config = Config(n_train=1000, more=(0, 500, 0, 0), seed=3)
    assert config.counts() == [450, 520, 60, 470]
    data = training_set(config)
    assert torch.bincount(2 * data.bias + data.labels).tolist() == [450, 520, 60, 470]
    assert len({image.numpy().tobytes() for image in data.images}) == len(data)
    fewer = training_set(replace(config, more=(0, 0, 0, 0)))
    assert torch.equal(data.images[:1000], fewer.images[:])  # those collected come besides


def test_the_tested_faces_are_balanced_and_in_no_training_data():
    drawn = held_out_faces()
    assert torch.bincount(drawn.group).tolist() == [500] * 4
    known = {image.numpy().tobytes() for image in faces.render(drawn)}
    for seed in range(3):
        trained = faces.render(faces.sample(2000, SOURCE, seed))
        assert not known & {image.numpy().tobytes() for image in trained}


def test_the_camera_adds_noise_of_the_strength_that_is_said():
    drawn = faces.sample(200, seed=1)
    plain = faces.render(drawn)
    assert torch.equal(photograph(drawn, 0, 1), plain)
    inner = (plain > 90) & (plain < 165)  # where nothing is cut off
    grain = (photograph(drawn, 20, 1).float() - plain.float())[inner]
    assert grain.mean().abs() < 0.3
    assert grain.std() == pytest.approx(20, rel=0.02)
    assert torch.equal(photograph(drawn, 20, 1), photograph(drawn, 20, 1))


# Priors that sum to 1


@pytest.mark.parametrize("anchor", [SOURCE, BALANCED, (1, 0, 0, 0), (0, 0, 0.5, 0.5), (1 / 3, 1 / 3, 1 / 3, 0)])
@pytest.mark.parametrize("moved", range(4))
def test_linked_priors_sum_to_one_and_keep_their_ratio(anchor, moved):
    for value in np.linspace(0, 1, 101):
        priors = link(anchor, moved, value)
        assert sum(round(100 * p) for p in priors) == 100
        assert all(abs(100 * p - round(100 * p)) < 1e-9 for p in priors)
        assert priors[moved] == pytest.approx(value)
        rest = 1 - anchor[moved]
        for i in set(range(4)) - {moved}:
            share = anchor[i] / rest if rest > 1e-9 else 1 / 3
            assert abs(priors[i] - share * (1 - value)) < 0.01


def test_a_prior_can_be_moved_to_the_end_and_back():
    assert link(SOURCE, 1, 1.0) == (0, 1, 0, 0)
    assert link(SOURCE, 1, 0.02) == pytest.approx(SOURCE)
    assert steps_of((1 / 3, 1 / 3, 1 / 3, 0), 100) == [34, 33, 33, 0]


# Runs


def test_the_same_config_gives_the_same_result_and_costs_nothing_twice(short):
    again = run(progress=False, **SHORT)
    assert again.evaluations is short.evaluations
    other = list(stream(Config(**SHORT | {"seed": 1})))[-1]
    assert not torch.equal(other.evaluations[-1].smile, short.evaluations[-1].smile)
    assert other.finished
    assert len(other.losses) == other.steps == 28


def test_a_run_that_stops_is_not_kept_and_its_steps_grow():
    results = stream(Config(**SHORT | {"seed": 2}))
    steps = [next(results).step for _ in range(3)]
    assert steps == [1, 2, 3]
    results.close()
    assert not next(stream(Config(**SHORT | {"seed": 2}))).finished


def test_a_method_that_knows_nothing_is_not_told_the_gender():
    seen = []

    class Curious(METHODS["StdM"]):
        def loss(self, batch):
            seen.append((batch.b, self.data.bias))
            return super().loss(batch)

    METHODS.register("curious", Curious)
    try:
        run(progress=False, method="curious", **SHORT)
    finally:
        METHODS.remove("curious")
    assert seen
    assert all(pair == (None, None) for pair in seen)


def test_the_table_of_groups_counts_what_the_network_says(short):
    with torch.inference_mode():
        said = short.network.eval()(held_out_pictures(0).float() / 255)
    smile = torch.softmax(said, 1)[:, 1]
    torch.testing.assert_close(smile, short.evaluations[-1].smile, atol=1e-4, rtol=0)
    right = (short.evaluations[-1].smile >= 0.5) == held_out_faces().smile
    table = short.groups()
    assert table["group"].tolist() == list(GROUPS)
    assert table["train"].tolist() == [180, 8, 24, 188]
    for g in range(4):
        assert table.loc[g, "accuracy"] == pytest.approx(right[held_out_faces().group == g].double().mean().item())
    assert (table["low"] - 1e-12 <= table["accuracy"]).all()
    assert (table["accuracy"] <= table["high"] + 1e-12).all()
    assert short.worst()["accuracy"] == table["accuracy"].min()


def test_thresholds_read_a_run_and_do_not_train_it(short):
    strict = short.read(replace(short.config, threshold_women=1.0))
    drawn = held_out_faces()
    assert not strict.predicted()[drawn.gender == 0][short.evaluations[-1].smile[drawn.gender == 0] < 1].any()
    assert torch.equal(strict.predicted()[drawn.gender == 1], short.predicted()[drawn.gender == 1])
    assert strict.network is short.network
    assert strict.rates().loc[0, "selection_rate"] <= short.rates().loc[0, "selection_rate"]


def test_a_perfect_reader_has_equal_odds_and_no_parity_where_base_rates_differ(short):
    """In the source's population 4 % of women smile and 89 % of men: parity would ask for errors."""
    perfect = replace(short, evaluations=(replace(short.evaluations[-1], smile=held_out_faces().smile.float()),))
    balanced = perfect.criteria().set_index("criterion")["difference"]
    assert balanced.tolist() == [0, 0, 0]
    asked = perfect.read(replace(short.config, population="as in training"))
    apart = asked.criteria().set_index("criterion")["difference"]
    assert apart["equalized odds"] == 0
    # 8 of 188 women and 188 of 212 men smile among these 400 training faces.
    assert apart["demographic parity"] == pytest.approx(188 / 212 - 8 / 188)


def test_the_population_is_that_of_a_sample_with_these_shares(short):
    asked = short.read(replace(short.config, population="as in training"))
    drawn, predicted = held_out_faces(), short.predicted()
    times = torch.tensor(asked.config.counts())[drawn.group]
    index = torch.arange(len(drawn)).repeat_interleave(times)
    repeated = group_rates(predicted[index].numpy(), drawn.smile[index].numpy(), drawn.gender[index].numpy())
    for name in ("selection_rate", "true_positive_rate", "false_positive_rate"):
        np.testing.assert_allclose(asked.rates()[name], repeated[name], atol=1e-12)
    assert criteria(repeated)["difference"].tolist() == pytest.approx(asked.criteria()["difference"].tolist())


def test_a_group_of_no_weight_is_not_estimable(short):
    config = Config(**SHORT | {"priors": (0.5, 0.0, 0.0, 0.5), "population": "as in training"})
    rates = replace(short, config=config).rates()
    assert np.isnan(rates.loc[0, "true_positive_rate"])
    assert np.isnan(rates.loc[1, "false_positive_rate"])


def test_bias_shows_and_mitigation_helps():
    """At the defaults the standard model reads smiling women worst; told the groups, the gap gets smaller."""
    standard, told = run(progress=False), run(progress=False, method="UpWt")
    assert standard.worst()["group"] == GROUPS[1]
    assert standard.worst()["accuracy"] < 0.88
    assert standard.groups()["accuracy"].max() > 0.93
    assert told.worst()["accuracy"] > standard.worst()["accuracy"] + 0.03
    more = run(progress=False, more=(0, 1500, 0, 0))
    assert more.groups().loc[1, "accuracy"] > standard.groups().loc[1, "accuracy"] + 0.03
    row = standard.summary()
    assert row["worst"] == standard.worst()["accuracy"]


# Pictures and the panel


def test_the_sheet_has_the_shares_of_the_training_faces():
    sheet = make_sheet(Config(priors=BALANCED))
    assert torch.bincount(sheet.group).tolist() == [18] * 4
    assert sheet.group.tolist() == sorted(sheet.group.tolist())
    assert framed(sheet).shape == (6 * 36, 12 * 36, 3)


def test_plots_take_axes_and_show_a_result(short):
    import matplotlib.pyplot as plt

    _, (left, right) = plt.subplots(1, 2)
    assert plot_groups(short, ax=left) is left
    assert plot_criteria(short, ax=right) is right
    assert plot_groups(short).get_title(loc="left") == "accuracy on test faces"


def test_an_accuracy_beyond_the_edge_of_the_picture_points_there(short):
    plot = RunPicture().groups
    for threshold, marks in ((0.0, ["<", "D", "<", "^"]), (1.0, ["o", "<", "s", "<"])):  # all smile, or nobody does
        plot.update(short.read(replace(short.config, threshold_women=threshold, threshold_men=threshold)))
        assert [dot.get_marker() for dot in plot.dots] == marks
        beyond = marks.index("<")
        assert plot.dots[beyond].get_xdata() == [0.4]
        assert plot.texts[beyond].get_text().startswith("0.000")


@pytest.fixture
def small():
    shown = panel(**SHORT)
    yield shown
    shown.worker.cancel()


def test_state_makes_the_same_panel_and_a_run(small):
    small.controls["woman_smiling"].value = 0.2
    small._collect(1)
    small.controls["threshold_men"].value = 0.3
    state = small.state()
    assert state["more"] == (0, 500, 0, 0)
    again = panel(**state)
    assert again.state() == state
    assert Config(**state) == small.config()


def test_sliders_follow_and_sum_to_one(small):
    sliders = [small.controls[name] for name in ("woman_neutral", "woman_smiling", "man_neutral", "man_smiling")]
    sliders[1].value = 0.5
    assert [s.value for s in sliders] == [0.23, 0.5, 0.03, 0.24]
    assert small.state()["priors"] == (0.23, 0.5, 0.03, 0.24)
    sliders[1].value = 0.02
    assert [s.value for s in sliders] == list(SOURCE)
    assert [text.value.count(str(n)) for text, n in zip(small.numbers, (180, 8, 24, 188), strict=True)] == [1] * 4
    assert small.named.value == "the lesson's table"


def test_presets_change_the_priors_and_nothing_else(small):
    small.controls["method"].value = "GDRO"
    small._collect(0)
    small.named.value = "balanced"
    assert small.state()["priors"] == BALANCED
    assert "more" not in small.state()
    assert small.state()["method"] == "GDRO"
    assert small.state()["n_train"] == 400


def test_priors_between_the_steps_stay_exact_until_moved():
    third = (1 / 3, 1 / 3, 1 / 3, 0.0)
    shown = panel(priors=third, **SHORT)
    assert shown.state()["priors"] == third
    assert shown.controls["woman_neutral"].value == 0.34


def test_thresholds_redraw_the_run_and_leave_it_alone(small):
    small.start()
    small.wait()
    assert small.result.finished
    evaluations, alt = small.result.evaluations, small.helper.labels["course-criteria"]
    small.controls["threshold_women"].value = 0.05
    small.controls["population"].value = "as in training"
    assert small.result.evaluations is evaluations
    assert not small.worker.busy
    text = small.helper.labels["course-criteria"]
    assert text != alt
    assert "0.05 (women)" in text
    assert "in the shares of the training data" in text
    assert small.static().axes


def test_a_detector_that_says_the_same_of_nearly_everyone_is_named(small):
    small.start()
    small.wait()
    for threshold, warned in ((1.0, True), (0.5, False)):
        for control in ("threshold_women", "threshold_men"):
            small.controls[control].value = threshold
        smiling = small.result.predicted().double().mean().item()
        assert small.result.same_answer() == max(smiling, 1 - smiling)
        assert ("get the same answer" in small.headline(small.result)) == (smiling < 0.05 or smiling > 0.95) == warned


def test_collecting_has_an_end_and_can_be_given_back(small):
    for _ in range(11):
        small._collect(2)
    assert small.more == (0, 0, 5000, 0)
    assert "At most 5,000" in small.status.value
    small.reset.click()
    assert small.more == (0, 0, 0, 0)


def test_ones_own_method_joins_and_an_error_in_it_shows(small):
    METHODS.register("mine", lambda logits, y, b: torch.nn.functional.cross_entropy(logits, y) + nothing)  # noqa: F821
    try:
        assert "mine" in small.controls["method"].options[-1]
        small.controls["method"].value = "mine"
        small.start()
        with pytest.raises(NameError):
            small.wait()
        assert "nothing" in small.problem.value
    finally:
        METHODS.remove("mine")
    assert small.controls["method"].value == "StdM"


def test_another_method_leaves_the_run_on_screen_alone(small):
    small.start()
    small.wait()
    METHODS.register("mine", lambda logits, y: torch.nn.functional.cross_entropy(logits, y))
    try:
        assert small.result.finished
        small.controls["method"].value = "mine"
        small.start()
        small.wait()
        METHODS.register("mine", lambda logits, y: 2 * torch.nn.functional.cross_entropy(logits, y))
        assert small.result is None
        assert "have changed" in small.status.value
    finally:
        METHODS.remove("mine")


def test_the_status_follows_a_threshold_and_not_a_run_of_other_settings(small):
    small.start()
    small.wait()
    before = small.status.value
    for name in ("threshold_women", "threshold_men"):
        small.controls[name].value = 0.0
    assert "100 % of the faces get the same answer" in small.status.value
    for name in ("threshold_women", "threshold_men"):
        small.controls[name].value = 0.5
    assert small.status.value == before
    small.controls["seed"].value = 9
    small.worker.cancel()
    changed = small.status.value
    small.controls["threshold_men"].value = 0.4
    assert small.status.value == changed


@pytest.mark.parametrize(("priors", "missing"), [((0, 1, 0, 0), "not smiling"), ((0.5, 0, 0.5, 0), "smiling")])
def test_where_a_label_is_missing_no_longer_training_is_advised(priors, missing):
    shown = panel(priors=priors, **SHORT)
    shown.start()
    shown.wait()
    assert f"Finished. No training face is {missing}: raise another prior." in shown.status.value
    assert Config().missing_label() == ""


def test_settings_of_a_method_go_with_it():
    shown = panel(method="GDRO", settings={"eta": 0.03}, **SHORT)
    assert panel(**shown.state()).state() == shown.state()
    assert shown.config().named() == "GDRO, eta 0.03"
    shown.controls["method"].value = "UpWt"
    shown.controls["seed"].value = 1
    assert shown.config().settings == ()
    assert panel(**shown.state()).state() == shown.state()
    shown.worker.cancel()


def test_a_group_that_a_method_needs_is_missing_is_said(small):
    small.controls["method"].value = "SUBG"
    small.controls["woman_smiling"].value = 0.0
    small.start()
    with pytest.raises(CourseError, match="of every group"):
        small.wait()
    assert "SUBG needs" in small.problem.value


def test_nonsense_for_the_panel_is_one_clear_sentence():
    with pytest.raises(CourseError, match="no setting bias"):
        panel(bias=1)
    with pytest.raises(CourseError, match="part to hide"):
        panel(hide=["everything"])
    assert isinstance(panel(hide="seed", **SHORT), FairnessPanel)


def test_nothing_warns_where_a_group_is_empty():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = run(progress=False, **SHORT | {"priors": (0.5, 0.0, 0.0, 0.5), "population": "as in training"})
        assert found.criteria()["difference"].isna().tolist() == [False, True, True]
        said = CriteriaPicture.describe(found)
    assert "not estimable of those who do" in said
    assert "equal opportunity not estimable" in said
    assert "nan" not in said


def test_forml_is_shown_beside_stdm_and_the_exemplars_alone():
    here = SHORT | {"seed": 55}
    config = Config(method="FORML", settings={"eta": 0.1, "exemplars": 5}, **here)
    control = Config(method="Exemplars", settings={"exemplars": 5}, **here)
    assert control_of(config) == control
    assert control_of(replace(config, method="UpWt", settings=())) is None
    run(config, progress=False)
    shown = panel(method="FORML", settings=dict(config.settings), **here)
    assert shown.result is None  # known, but not what it must be seen beside
    assert shown.headline(cached(config)) == "FORML, eta 0.1, exemplars 5 has finished; now its control, Exemplars."
    shown.result = cached(config)  # as it is where the control was stopped: it is not said to be trained
    shown.say("Stopped.")
    shown.controls["threshold_men"].value = 0.4
    shown.controls["threshold_men"].value = 0.5
    assert ">Stopped.<" in shown.status.value
    shown.start()
    shown.wait()
    assert "Finished. Mean of the groups" in shown.status.value
    accuracies = cached(control).groups()["accuracy"]
    plot = shown.figures["groups"].groups
    assert [text.get_text() for text in plot.names] == ["", "Exemplars"]
    assert np.isnan(plot.marks[0].get_xdata()).all()
    assert plot.marks[1].get_xdata().tolist() == pytest.approx(accuracies.clip(lower=0.4).tolist())
    assert RunPicture.describe(shown.result).endswith(f" Exemplars: {', '.join(f'{a:.3f}' for a in accuracies)}.")
    standard = run(replace(config, method="StdM", settings=()), progress=False)
    again = panel(method="FORML", settings=dict(config.settings), **here)
    plot = again.figures["groups"].groups
    assert [text.get_text() for text in plot.names] == ["StdM", "Exemplars"]
    assert plot.marks[0].get_xdata().tolist() == pytest.approx(standard.groups()["accuracy"].clip(lower=0.4).tolist())
    again.controls["method"].value = "StdM"
    again.start()
    again.wait()
    assert [text.get_text() for text in plot.names] == ["", ""]


def test_a_control_that_is_trained_can_be_cancelled():
    config = Config(method="FORML", **SHORT | {"seed": 77})
    parts = stream_with_control(config)
    finished = next(result for result in parts if result.finished)
    assert next(parts) is finished  # nothing new to draw
    parts.close()
    assert cached(control_of(config)) is None
