"""02.4: the accuracy of strategy 2, for test sets of any size from one on."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def strategy_two_accuracy(x, labels, n, *, threshold=0.5):
    """Return the accuracy of strategy 2 on each of the test sets that x is cut into, in order.

    x: float [N, D], the samples in the order in which they come; labels: int64 [N], 0 or 1; n: the size of
    each test set, at least 1 (the last one may be smaller). Each is turned into z-scores by its own mean and
    standard deviation (population; a constant feature becomes 0); the classifier says 1 where the sum of a
    sample's z-scores is above the threshold, else 0.
    Returns float [ceil(N / n)], the share of right answers in each test set.
    """
    accuracies = []
    for batch, truth in zip(x.split(n), labels.split(n), strict=True):
        deviation = batch.std(0, correction=0)
        z = (batch - batch.mean(0)) / torch.where(deviation == 0, 1, deviation)
        said = (z.sum(1) > threshold).long()
        accuracies.append((said == truth).float().mean())
    return torch.stack(accuracies)


def all_at_once(x, labels, n, *, threshold=0.5):
    number = torch.arange(len(x)) // n  # of the test set that each sample belongs to
    size = torch.bincount(number).float()

    def mean(values):
        return torch.zeros(len(size), *values.shape[1:]).index_add(0, number, values) / size.view(
            -1, *[1] * (values.ndim - 1)
        )

    centred = x - mean(x)[number]
    deviation = mean(centred**2).sqrt()
    z = centred / torch.where(deviation == 0, 1, deviation)[number]
    return mean(((z.sum(1) > threshold) == (labels == 1)).float())


def _accuracy(x, labels, n, threshold, scale):
    """Return the accuracy of each part of x, where ``scale(part)`` gives its z-scores."""
    parts = zip(x.split(n), labels.split(n), strict=True)
    return torch.stack([((scale(part).sum(1) > threshold) == (truth == 1)).float().mean() for part, truth in parts])


def _z(part, by=None, correction=0):
    by = part if by is None else by
    deviation = by.std(0, correction=correction) if len(by) > correction else torch.zeros(by.shape[1])
    return (part - by.mean(0)) / torch.where(deviation == 0, 1, deviation)


def scaled_as_one_set(x, labels, n, *, threshold=0.5):
    return _accuracy(_z(x), labels, n, threshold, lambda part: part)


def scaled_by_the_first_set(x, labels, n, *, threshold=0.5):
    return _accuracy(x, labels, n, threshold, lambda part: _z(part, by=x[:n]))


def scaled_by_the_set_before(x, labels, n, *, threshold=0.5):
    sets = x.split(n)
    z = torch.cat([_z(part, by=before) for before, part in zip((sets[0], *sets), sets, strict=False)])
    return _accuracy(z, labels, n, threshold, lambda part: part)


def divided_by_n_minus_1(x, labels, n, *, threshold=0.5):
    return _accuracy(x, labels, n, threshold, lambda part: _z(part, correction=1))


def one_mean_for_all_features(x, labels, n, *, threshold=0.5):
    return _accuracy(x, labels, n, threshold, lambda part: _z(part.reshape(-1, 1)).view(part.shape))


def scaled_by_each_sample(x, labels, n, *, threshold=0.5):
    return _accuracy(x, labels, n, threshold, lambda part: _z(part.T).T)


def only_centred(x, labels, n, *, threshold=0.5):
    return _accuracy(x, labels, n, threshold, lambda part: part - part.mean(0))


def mean_of_the_scores(x, labels, n, *, threshold=0.5):
    return _accuracy(x, labels, n, threshold, lambda part: _z(part) / part.shape[1])


def share_of_wrong_answers(x, labels, n, *, threshold=0.5):
    return 1 - strategy_two_accuracy(x, labels, n, threshold=threshold)


def threshold_forgotten(x, labels, n, *, threshold=0.5):
    return strategy_two_accuracy(x, labels, n, threshold=0.0)


def last_set_dropped(x, labels, n, *, threshold=0.5):
    whole = max(len(x) // n, 1) * n
    return strategy_two_accuracy(x[:whole], labels[:whole], n, threshold=threshold)


def divided_by_zero(x, labels, n, *, threshold=0.5):
    return _accuracy(x, labels, n, threshold, lambda part: (part - part.mean(0)) / part.std(0, correction=0))


def batch_cases(generator, *, threshold=0.5):
    def draw(count, d, n, constant=False):
        labels = torch.randint(2, (count,), generator=generator)
        spread = torch.rand(d, generator=generator) * 4 + 2
        x = (torch.randn(count, d, generator=generator) + 1.5 * labels[:, None]) * spread
        x = x + torch.randn(d, generator=generator) * 10
        if constant:
            x[:, 0] = 4.0
        return x, labels, n

    yield Case(draw(300, 2, 5))
    yield Case(draw(240, 3, 8))
    yield Case(draw(400, 2, 50))
    yield Case(draw(40, 2, 1), edge="test sets of one sample")
    yield Case(draw(103, 2, 10), edge="a last test set that is smaller")
    yield Case(draw(120, 3, 6, constant=True), edge="a constant feature")


def batch_numbers(generator):
    return {"threshold": int(torch.randint(4, 25, (), generator=generator)) / 20}


STRATEGY_TWO_ACCURACY = Exercise(
    id="02.4",
    title="Strategy 2 on small test sets",
    reference=strategy_two_accuracy,
    cases=batch_cases,
    points=4,
    core=2,
    numbers=batch_numbers,
    told={"threshold": "sum of z-scores above which the classifier says 1"},
    alternatives=(all_at_once,),
    misconceptions=(
        Misconception(
            scaled_as_one_set,
            "You scale all samples at once and cut them into test sets afterwards. Each test set comes alone: when it "
            "does, the others are not there to lend it their mean.",
        ),
        Misconception(
            scaled_by_the_first_set,
            "All test sets are scaled by the first one. In the second strategy each uses its own mean and its own "
            "standard deviation.",
        ),
        Misconception(
            scaled_by_the_set_before,
            "Each test set is scaled by the one before it. In the second strategy it uses its own mean and its own "
            "standard deviation.",
        ),
        Misconception(
            divided_by_n_minus_1,
            "The standard deviation is divided by one less than the number of samples, which small sets notice. The "
            "docstring asks for the population's.",
        ),
        Misconception(
            one_mean_for_all_features,
            "One mean and one standard deviation for all features together: each feature needs its own.",
        ),
        Misconception(
            scaled_by_each_sample,
            "You scale each sample by its own features. The mean of a feature is taken over the samples of a test set.",
        ),
        Misconception(
            only_centred,
            "You subtract the mean and do not divide by the standard deviation, so that the feature with the largest "
            "unit decides alone.",
        ),
        Misconception(
            mean_of_the_scores,
            "The classifier compares the sum of a sample's z-scores with the threshold; yours takes their mean.",
        ),
        Misconception(share_of_wrong_answers, "That is the share of wrong answers: an accuracy counts the right ones."),
        Misconception(
            threshold_forgotten,
            "Your classifier says 1 wherever the sum is above 0. The text names another threshold.",
        ),
        Misconception(
            last_set_dropped,
            "The last test set is smaller than the others, and missing in your answer. It counts like the others.",
        ),
        Misconception(
            divided_by_zero,
            "Where a feature is constant in a test set you divide 0 by 0, and its NaN spoils the whole sum. The "
            "docstring says what a constant feature becomes.",
        ),
    ),
)
