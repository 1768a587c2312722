"""The interview scorer: the shortcut is there if, and only if, the training data put it there."""

import re

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from course_lib.data import faces
from course_lib.errors import CourseError
from course_lib.fairness.interview import experiment
from course_lib.fairness.interview.applicants import groups_of, held_out_applicants, held_out_pictures
from course_lib.fairness.interview.config import APPLICANTS, CHANGES, GROUPINGS, InterviewConfig
from course_lib.fairness.interview.experiment import recruiters_scores, score_faces, stream, train_scorer
from course_lib.fairness.interview.panel import interview_panel
from course_lib.fairness.interview.plots import (
    ApplicantPicture,
    EffectsPicture,
    LearningPicture,
    Look,
    plot_score_gaps,
    plot_shifts,
)
from course_lib.fairness.interview.result import mean_table
from course_lib.runs import Latest


@pytest.fixture(scope="module")
def liked():
    return train_scorer(progress=False)


@pytest.fixture(scope="module")
def unbiased():
    return train_scorer(strength=0.0, progress=False)


def test_the_recruiters_scores_depend_on_smile_and_bookshelf_and_nothing_else():
    applicants = faces.sample(20_000, seed=3, bookshelf=0.5)
    for strength in (0.0, 0.5, 1.0):
        scores = recruiters_scores(applicants, strength)
        for attribute, worth in (("background", 20 * strength), ("smile", 20.0), ("gender", 0.0), ("glasses", 0.0)):
            has = getattr(applicants, attribute).bool()
            assert float(scores[has].mean() - scores[~has].mean()) == pytest.approx(worth, abs=0.9)
        both = torch.stack([applicants.age, applicants.skin, applicants.light, scores]).corrcoef()[-1, :3]
        assert both.abs().max() < 0.03
    same = recruiters_scores(applicants.change(background=1), 1.0) - recruiters_scores(applicants, 1.0)
    torch.testing.assert_close(same, 20 * (1 - applicants.background.float()), rtol=0, atol=1e-4)


def test_the_network_learns_the_bookshelf_from_those_recruiters_alone(liked, unbiased):
    with_it, without = (run.shifts().set_index("change")["shift"] for run in (liked, unbiased))
    assert 17 < with_it["bookshelf"] < 23
    assert abs(without["bookshelf"]) < 2
    for run in (with_it, without):
        assert 13 < run["smile"] < 22
        assert abs(run["glasses"]) < 3
        assert abs(run["light"]) < 5


@pytest.mark.parametrize("seed", [0, 2])
def test_the_shift_grows_with_what_the_recruiters_did(seed, unbiased, liked):
    known = {(run.config.strength, run.config.seed): run for run in (unbiased, liked)}
    shifts = [
        (known.get((strength, seed)) or train_scorer(strength=strength, seed=seed, progress=False))
        .evaluations[-1]
        .shift("bookshelf")
        for strength in (0.0, 0.5, 1.0)
    ]
    assert shifts == pytest.approx([0, 10, 20], abs=3)


def test_a_run_is_the_same_every_time(liked):
    experiment._finished.clear()
    again = train_scorer(progress=False)
    for name in CHANGES:
        torch.testing.assert_close(again.scores(name), liked.scores(name))


def test_a_run_that_was_made_is_remembered_whatever_is_looked_at(liked, monkeypatch):
    monkeypatch.setattr(experiment, "_finished", Latest(experiment._finished.most))
    first = train_scorer(progress=False)
    assert next(iter(stream(InterviewConfig(change="glasses", applicant=7)))) is first
    for seed in range(experiment._finished.most + 2):
        experiment._finished[InterviewConfig(seed=100 + seed).trained()] = first
    assert len(experiment._finished) == experiment._finished.most


def test_scores_of_ones_own_faces_are_those_of_the_run(liked):
    applicants = held_out_applicants()
    before, after = (score_faces(liked.network, applicants.change(background=value)) for value in (0, 1))
    torch.testing.assert_close(torch.stack([before, after], 1), liked.scores("bookshelf"), rtol=0, atol=1e-3)


def test_a_run_can_be_stopped_and_grows():
    results = stream(InterviewConfig(seed=77, epochs=1, n_train=300))
    seen = [next(results) for _ in range(3)]
    assert not any(result.finished for result in seen)
    results.close()
    results = list(stream(InterviewConfig(seed=77, epochs=1, n_train=300)))
    assert results[-1].finished
    assert results[-1].scores("light").shape == (APPLICANTS, 2)


def test_held_out_pictures_without_and_with_differ_in_the_one_thing():
    pictures = held_out_pictures()
    assert set(pictures) == set(CHANGES)
    without, with_it = pictures["bookshelf"]
    corner, mouth = (slice(2, 8), slice(0, 4)), (slice(20, 24), slice(13, 19))
    assert (without[:, :, *corner] != with_it[:, :, *corner]).float().mean() > 0.8
    assert (without[:, :, *mouth] == with_it[:, :, *mouth]).float().mean() > 0.99


@pytest.mark.parametrize("by", GROUPINGS)
def test_groups_hold_all_applicants_and_their_means_make_up_the_whole(liked, by):
    group = groups_of(held_out_applicants(), by)
    assert torch.bincount(group).min() > 80
    table = liked.by_group("bookshelf", by)
    assert table["group"].tolist() == list(GROUPINGS[by])
    assert table["n"].sum() == APPLICANTS
    whole = (table["n"] * table["mean shift"]).sum() / APPLICANTS
    assert whole == pytest.approx(liked.evaluations[-1].shift("bookshelf"), abs=1e-3)
    assert (table["low shift"] < table["mean shift"]).all()


def test_a_small_group_is_not_estimable():
    table = mean_table(torch.arange(25.0), (torch.arange(25) < 5).long(), ["many", "few"])
    assert table["mean"].tolist()[0] == 14.5
    assert np.isnan(table.iloc[1][["mean", "low", "high"]].astype(float)).all()


def test_bad_settings_are_said_at_the_door(liked):
    for wrong in ({"strength": 1.1}, {"applicant": 500}, {"change": "hat"}, {"by": "age"}, {"n_train": 10}):
        with pytest.raises(CourseError):
            InterviewConfig(**wrong)
    with pytest.raises(CourseError, match="change must be one of"):
        liked.scores("hat")
    with pytest.raises(CourseError, match="by must be one of"):
        liked.by_group("smile", "hat")
    with pytest.raises(CourseError, match="There is no setting"):
        train_scorer(books=1)


# --- the panel ---


@pytest.fixture
def panel():
    return interview_panel()


def test_every_look_changes_both_what_is_seen_and_what_is_said(panel):
    for name, value in {"change": "glasses", "applicant": 12, "by": "skin tone"}.items():
        pictures = {p: panel.pictures[p].widget.value for p in panel.ANSWERS}
        texts = dict(panel.helper.labels)
        panel.controls[name].value = value
        assert any(panel.pictures[p].widget.value != pictures[p] for p in panel.ANSWERS), name
        assert panel.helper.labels != texts, name
    panel.wait()
    assert panel.state() == InterviewConfig(change="glasses", applicant=12, by="skin tone").values()
    again = interview_panel(**panel.state())
    for name in panel.pictures:
        assert again.pictures[name].widget.value == panel.pictures[name].widget.value


def test_new_training_data_give_new_scores(panel):
    said = re.search(r"a shift of ([+−]\d+\.\d)", panel.helper.labels["course-faces"])
    assert 15 < float(said[1]) < 25
    panel.controls["strength"].value = 0.0
    panel.wait(300)  # it trains for seconds, and on a busy machine for many more
    assert "Trained with: strength 0 " in panel.helper.labels["course-faces"]
    assert "strength 0 " in panel.helper.labels["course-learning"]
    assert "Finished. A bookshelf is worth" in panel.status.value


def test_named_settings_set_the_controls(panel):
    for name, changes in panel.NAMED.items():
        panel.named.value = name
        assert panel.config() == InterviewConfig(**changes), name
    panel.stop()


def test_alt_texts_hold_the_numbers(liked):
    look = Look(InterviewConfig(applicant=3, change="smile", by="light"), liked)
    without, with_it = look.pair()
    assert f"{without:.1f} points" in ApplicantPicture.describe(look)
    assert f"{with_it - without:+.1f}" in ApplicantPicture.describe(look)
    assert "dim light: " in EffectsPicture.describe(look)
    assert f"bookshelf {liked.evaluations[-1].shift('bookshelf'):+.1f}" in LearningPicture.describe(liked)


@pytest.mark.parametrize("picture", [ApplicantPicture, EffectsPicture])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("by", GROUPINGS)
def test_a_live_picture_is_the_same_whatever_it_showed_before(liked, unbiased, picture, change, by):
    moved, fresh = picture(), picture()
    moved.update(Look(InterviewConfig(applicant=9, change="smile", by="skin tone"), unbiased))
    moved.png()
    for live in (moved, fresh):
        live.update(Look(InterviewConfig(change=change, by=by), liked))
    assert moved.png() == fresh.png()


def test_plots_return_their_axes_and_static_is_a_plain_figure(liked, panel):
    for plot in (plot_shifts, plot_score_gaps):
        ax = Figure().add_subplot()
        assert plot(liked, "glasses", ax=ax) is ax
        assert ax.get_xlabel()
    assert len(panel.static().subfigs) == 3
