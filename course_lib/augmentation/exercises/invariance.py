"""03.3: the invariance score of a classifier."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def invariance_score(logits, logits_moved, labels, *, least=5):
    """Return how often a classifier says the same of an image before and after it was moved.

    logits, logits_moved: float [B, K], what it says of the images and of the moved images; labels: int64 [B],
    their true labels, 0 to K - 1.
    Returns two float tensors: the share of all images whose predicted label stays, [], and the same share among
    the images of each true label, [K]; NaN for a label with too few images.
    """
    stays = (logits.argmax(1) == logits_moved.argmax(1)).float()
    count = torch.bincount(labels, minlength=logits.shape[1])
    kept = torch.bincount(labels, weights=stays, minlength=logits.shape[1])
    return stays.mean(), torch.where(count >= least, kept / count, torch.nan)


def one_label_at_a_time(logits, logits_moved, labels, *, least=5):
    same = logits.max(1).indices == logits_moved.max(1).indices
    shares = torch.full((logits.shape[1],), float("nan"))
    for k in range(logits.shape[1]):
        if (labels == k).sum() >= least:
            shares[k] = same[labels == k].float().mean()
    return same.float().mean(), shares


def _scores(stays, groups, classes, least):
    count = torch.bincount(groups, minlength=classes)
    kept = torch.bincount(groups, weights=stays.float(), minlength=classes)
    return stays.float().mean(), torch.where(count >= least, kept / count, torch.nan)


def _same(logits, logits_moved):
    return logits.argmax(1) == logits_moved.argmax(1)


def accuracy_after_the_move(logits, logits_moved, labels, *, least=5):
    return _scores(logits_moved.argmax(1) == labels, labels, logits.shape[1], least)


def right_both_times(logits, logits_moved, labels, *, least=5):
    right = (logits.argmax(1) == labels) & (logits_moved.argmax(1) == labels)
    return _scores(right, labels, logits.shape[1], least)


def loss_of_accuracy(logits, logits_moved, labels, *, least=5):
    before = _scores(logits.argmax(1) == labels, labels, logits.shape[1], least)
    after = _scores(logits_moved.argmax(1) == labels, labels, logits.shape[1], least)
    return 1 - (before[0] - after[0]), 1 - (before[1] - after[1])


def grouped_by_prediction(logits, logits_moved, labels, *, least=5):
    return _scores(_same(logits, logits_moved), logits.argmax(1), logits.shape[1], least)


def logits_must_be_equal(logits, logits_moved, labels, *, least=5):
    return _scores(torch.isclose(logits, logits_moved).all(1), labels, logits.shape[1], least)


def mean_of_the_labels(logits, logits_moved, labels, *, least=5):
    _, shares = invariance_score(logits, logits_moved, labels, least=least)
    return shares.nanmean(), shares


def share_that_changes(logits, logits_moved, labels, *, least=5):
    return _scores(~_same(logits, logits_moved), labels, logits.shape[1], least)


def few_count_as_zero(logits, logits_moved, labels, *, least=5):
    overall, shares = invariance_score(logits, logits_moved, labels, least=least)
    return overall, shares.nan_to_num(0)


def only_none_is_too_few(logits, logits_moved, labels, *, least=5):
    return _scores(_same(logits, logits_moved), labels, logits.shape[1], 1)


def more_than_enough(logits, logits_moved, labels, *, least=5):
    return _scores(_same(logits, logits_moved), labels, logits.shape[1], least + 1)


def invariance_cases(generator, *, least):
    def draw(sizes):
        labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
        labels = labels[torch.randperm(len(labels), generator=generator)]
        wrong = torch.rand(len(labels), generator=generator) < 0.4
        said = torch.where(wrong, (labels + 1) % len(sizes), labels)
        # labels differ in how often the prediction stays; what changes becomes right as often as wrong
        keeps = torch.rand(len(labels), generator=generator) < 0.35 + 0.6 * labels / len(sizes)
        step = torch.randint(1, len(sizes), labels.shape, generator=generator)
        after = torch.where(keeps, said, (said + step) % len(sizes))
        noise = torch.rand(2, len(labels), len(sizes), generator=generator)
        return *(noise[i] + 2 * torch.eye(len(sizes))[p] for i, p in enumerate((said, after))), labels

    yield Case(draw([least + 25, least + 60, least + 31, least + 9]))
    yield Case(draw([least + 40, least + 12, least + 28, least + 33, least + 70, least + 11]))
    yield Case(draw([least + 20, least + 30, least - 1, least + 30, 1]), edge="a label with too few images")
    yield Case(draw([least + 20, least + 30, least, least + 30, 0]), edge="a label with just enough images, or none")


def invariance_numbers(generator):
    return {"least": int(torch.randint(3, 31, (), generator=generator))}


INVARIANCE = Exercise(
    id="03.3",
    title="Invariance score of a classifier",
    reference=invariance_score,
    cases=invariance_cases,
    points=4,
    core=3,
    numbers=invariance_numbers,
    told={"least": "how many images a label needs"},
    alternatives=(one_label_at_a_time,),
    misconceptions=(
        Misconception(
            accuracy_after_the_move,
            "That is the accuracy on the moved images. Invariance asks whether the *answer* stays, right or wrong: "
            "compare two predictions, not a prediction with the label.",
        ),
        Misconception(
            right_both_times,
            "You count images that are right both times. One that is wrong in the same way before and after is "
            "invariant, too.",
        ),
        Misconception(
            loss_of_accuracy,
            "You compare two accuracies. An image that becomes right and one that becomes wrong cancel each other "
            "there, yet both predictions have changed: compare image by image.",
        ),
        Misconception(
            grouped_by_prediction,
            "Your groups follow what the classifier says. The text asks for the images of each *true* label.",
        ),
        Misconception(
            logits_must_be_equal,
            "You ask for equal logits. They always change a little; what counts is whether the largest one stays the "
            "same.",
        ),
        Misconception(
            mean_of_the_labels,
            "Your first number is the mean over labels, where a label with few images counts as much as one with "
            "many. Take the share of *all images*.",
        ),
        Misconception(
            share_that_changes,
            "Your share is the wrong way round: it counts the predictions that change. A classifier that always says "
            "the same must score 1.",
        ),
        Misconception(
            few_count_as_zero,
            "A label with too few images scores 0 in your answer, as if every prediction had changed. Not known is "
            "not 0: it is NaN.",
        ),
        Misconception(
            only_none_is_too_few,
            "You score labels that have too few images: a share of a handful is mostly chance. The text says how many "
            "are needed.",
        ),
        Misconception(
            more_than_enough,
            "A label that has just as many images as are needed is not known in your answer. Look at your comparison "
            "with the least number.",
        ),
    ),
)
