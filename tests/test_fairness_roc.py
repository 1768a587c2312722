"""ROC and AUC: the same as scikit-learn, with ties, and honest about what cannot be estimated."""

import math

import pytest
import torch
from sklearn.metrics import roc_auc_score
from sklearn.metrics import roc_curve as sklearn_curve

from course_lib.errors import CourseError
from course_lib.fairness.roc import auc, auc_table, one_vs_rest, plot_roc, roc_curve
from course_lib.randomness import generator


def draw(seed, n=200, classes=4, steps=None):
    g = generator(seed, "roc")
    labels = torch.randint(classes, (n,), generator=g)
    scores = torch.randn(n, classes, generator=g, dtype=torch.float64)
    scores[torch.arange(n), labels] += 1
    return (scores if steps is None else (scores * steps).round() / steps), labels


@pytest.mark.parametrize("steps", [None, 5, 1], ids=["no ties", "some ties", "many ties"])
@pytest.mark.parametrize("seed", range(5))
def test_curves_and_areas_are_those_of_scikit_learn(seed, steps):
    scores, labels = draw(seed, steps=steps)
    for one, curve in enumerate(one_vs_rest(scores, labels)):
        fpr, tpr, thresholds = sklearn_curve(labels == one, scores[:, one], drop_intermediate=False)
        for ours, theirs in zip(curve, (fpr, tpr, thresholds), strict=True):
            torch.testing.assert_close(ours, torch.as_tensor(theirs), rtol=0, atol=1e-12)
        assert auc(curve) == pytest.approx(roc_auc_score(labels == one, scores[:, one]), abs=1e-9)
    soft = scores.softmax(1)
    macro = auc_table(soft, labels)["auc"].iloc[-1]
    assert macro == pytest.approx(roc_auc_score(labels, soft, multi_class="ovr", average="macro"), abs=1e-9)


def test_the_area_is_the_chance_that_a_positive_scores_higher_and_a_tie_counts_half():
    scores, labels = draw(0, n=60, steps=2)
    positive, negative = scores[labels == 0, 0], scores[labels != 0, 0]
    above = (positive[:, None] > negative).double() + 0.5 * (positive[:, None] == negative).double()
    assert auc(roc_curve(scores[:, 0], labels == 0)) == pytest.approx(float(above.mean()), abs=1e-12)


def test_constant_scores_are_as_good_as_chance_and_perfect_ones_are_perfect():
    labels = torch.tensor([0, 1, 1, 0, 2])
    assert auc_table(torch.zeros(5, 3), labels)["auc"].tolist() == [0.5] * 4
    assert auc_table(torch.eye(3)[labels], labels)["auc"].tolist() == [1.0] * 4
    assert auc_table(-torch.eye(3)[labels], labels)["auc"].tolist() == [0.0] * 4


def test_a_class_without_samples_is_not_estimable_and_the_mean_leaves_it_out():
    scores, labels = draw(1)
    labels[labels == 3] = 0
    table = auc_table(scores, labels, names=list("abcd"))
    assert math.isnan(table["auc"][3])
    assert table["n"].tolist()[3:] == [0, 200]
    assert table["auc"].iloc[-1] == pytest.approx(table["auc"][:3].mean(), abs=1e-12)
    assert "d (not estimable)" in [
        text.get_text() for text in plot_roc(scores, labels, "abcd").get_legend().get_texts()
    ]
    alone = auc_table(scores[:, :1], torch.zeros(200, dtype=torch.int64))
    assert alone["auc"].isna().all()


@pytest.mark.parametrize("monotone", [torch.exp, lambda x: x**3, lambda x: 5 * x - 7])
def test_only_the_order_of_the_scores_matters(monotone):
    scores, labels = draw(2)
    a, b = auc_table(scores, labels), auc_table(monotone(scores), labels)
    assert (a["auc"] - b["auc"]).abs().max() < 1e-12


def test_integers_and_numpy_are_taken_too():
    scores, labels = draw(3)
    assert auc_table(scores.numpy(), labels.numpy()).equals(auc_table(scores, labels))
    whole = (scores * 3).round()
    assert auc_table(whole.long(), labels).equals(auc_table(whole, labels))


def test_bad_input_is_said_at_the_door():
    with pytest.raises(CourseError, match="equally long"):
        roc_curve(torch.zeros(3), torch.zeros(4))
    with pytest.raises(CourseError, match="not empty"):
        roc_curve(torch.zeros(0), torch.zeros(0))
    with pytest.raises(CourseError, match="some are NaN"):
        roc_curve(torch.tensor([0.0, torch.nan]), torch.tensor([0, 1]))
    with pytest.raises(CourseError, match=r"scores must be \[N, C\]"):
        one_vs_rest(torch.zeros(3), torch.zeros(3))
    with pytest.raises(CourseError, match="from 0 to 1"):
        one_vs_rest(torch.zeros(3, 2), torch.tensor([0, 1, 2]))
    with pytest.raises(CourseError, match="name for each of the 2"):
        auc_table(torch.zeros(3, 2), torch.tensor([0, 1, 1]), names=["a"])


def test_a_plot_shows_each_class_with_its_area():
    ax = plot_roc(*draw(4), names=["north", "east", "south", "west"])
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert len(texts) == 5
    assert texts[1].startswith("north 0.")
    assert ax.get_xlabel()
    assert ax.get_ylabel()
