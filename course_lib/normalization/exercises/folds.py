"""02.5: cross-validation without a leak."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def held_out(x, *, folds=5):
    """Return every sample as the classifier meets it in cross-validation, when its own fold is held out.

    x: float [N, D]; sample i belongs to fold i modulo the number of folds; N is at least twice that number.
    Returns float [N, D]: z-scores by the mean and the standard deviation (population; 1 in place of 0) of what
    is training data while the sample's fold is held out.
    """
    fold = torch.arange(len(x)) % folds
    scaled = torch.empty_like(x)
    for k in range(folds):
        train = x[fold != k]
        deviation = train.std(0, correction=0)
        scaled[fold == k] = (x[fold == k] - train.mean(0)) / torch.where(deviation == 0, 1, deviation)
    return scaled


def held_out_sample_by_sample(x, *, folds=5):
    rows = []
    for i in range(len(x)):
        train = torch.stack([x[j] for j in range(len(x)) if (j - i) % folds])
        deviation = (train - train.mean(0)).square().mean(0).sqrt()
        deviation[deviation == 0] = 1
        rows.append((x[i] - train.mean(0)) / deviation)
    return torch.stack(rows)


def _scaled(x, folds, train_of, fold=None, correction=0, mean_of=None):
    """Scale each fold k by the samples that ``train_of(fold, k)`` marks; their mean by ``mean_of``."""
    fold = torch.arange(len(x)) % folds if fold is None else fold
    scaled = torch.empty_like(x)
    for k in range(int(fold.max()) + 1):
        train, centre = x[train_of(fold, k)], x[(mean_of or train_of)(fold, k)]
        deviation = train.std(0, correction=correction)
        scaled[fold == k] = (x[fold == k] - centre.mean(0)) / torch.where(deviation == 0, 1, deviation)
    return scaled


def _others(fold, k):
    return fold != k


def _all(fold, k):
    return fold == fold


def scaled_before_the_split(x, *, folds=5):
    return _scaled(x, folds, _all)


def scaled_by_the_held_out_fold(x, *, folds=5):
    return _scaled(x, folds, lambda fold, k: fold == k)


def folds_of_neighbours(x, *, folds=5):
    return _scaled(x, folds, _others, fold=torch.arange(len(x)) * folds // len(x))


def folds_and_samples_swapped(x, *, folds=5):
    return _scaled(x, folds, _others, fold=torch.arange(len(x)) // folds)


def one_sample_held_out(x, *, folds=5):
    return _scaled(x, len(x), _others)


def first_fold_held_out_for_all(x, *, folds=5):
    return _scaled(x, folds, lambda fold, k: fold != 0)


def deviation_leaks(x, *, folds=5):
    return _scaled(x, folds, _all, mean_of=_others)


def mean_leaks(x, *, folds=5):
    return _scaled(x, folds, _others, mean_of=_all)


def divided_by_n_minus_1(x, *, folds=5):
    return _scaled(x, folds, _others, correction=1)


def divided_by_zero(x, *, folds=5):
    fold = torch.arange(len(x)) % folds
    parts = [x[fold != k] for k in range(folds)]
    mean, deviation = (torch.stack([f(part) for part in parts]) for f in (_mean, _deviation))
    return (x - mean[fold]) / deviation[fold]


def _mean(x):
    return x.mean(0)


def _deviation(x):
    return x.std(0, correction=0)


def fold_cases(generator, *, folds=5):
    def draw(n, d):
        # Heavy tails and a drift: the folds differ enough to see who was in the training part.
        x = torch.randn(n, d, generator=generator) ** 3 + torch.linspace(0, 3, n)[:, None]
        return x * (torch.rand(d, generator=generator) * 5 + 1) + torch.randn(d, generator=generator) * 5

    yield Case((draw(4 * folds, 3),))
    yield Case((draw(6 * folds, 2),))
    yield Case((draw(2 * folds, 1),))
    yield Case((draw(5 * folds + folds // 2, 2),), edge="folds that are not equally large")
    x = draw(4 * folds, 3)
    x[:, 1] = 0.0
    x[int(torch.randint(len(x), (), generator=generator)), 1] = 1.0
    yield Case((x,), edge="a feature that only one sample has")


def fold_numbers(generator):
    return {"folds": int(torch.randint(3, 31, (), generator=generator))}


HELD_OUT = Exercise(
    id="02.5",
    title="Cross-validation without a leak",
    reference=held_out,
    cases=fold_cases,
    points=3,
    core=2,
    numbers=fold_numbers,
    told={"folds": "number of folds"},
    alternatives=(held_out_sample_by_sample,),
    misconceptions=(
        Misconception(
            scaled_before_the_split,
            "You scale before you split: this is the leak. The held-out samples took part in the mean and the "
            "standard deviation that they are scaled by.",
        ),
        Misconception(
            scaled_by_the_held_out_fold,
            "Each fold is scaled by its own mean and standard deviation, which is the second strategy. What may the "
            "held-out fold be scaled by?",
        ),
        Misconception(
            folds_of_neighbours,
            "Your folds are blocks of neighbours. Here samples are dealt out to the folds in turn, like cards: look "
            "at the docstring.",
        ),
        Misconception(
            folds_and_samples_swapped,
            "You took the number of folds for the size of a fold.",
        ),
        Misconception(
            one_sample_held_out,
            "You leave out the sample alone. The others of its fold are held out with it, and may not have a say "
            "either.",
        ),
        Misconception(
            first_fold_held_out_for_all,
            "All samples are scaled by the same training part, the one without the first fold. Every fold is held out "
            "once, and each time the training part is another one.",
        ),
        Misconception(
            deviation_leaks,
            "The mean is right; the standard deviation comes from all samples, the held-out ones included.",
        ),
        Misconception(
            mean_leaks,
            "The standard deviation is right; the mean comes from all samples, the held-out ones included.",
        ),
        Misconception(
            divided_by_n_minus_1,
            "You divide by one less than the number of samples, as PyTorch does where it is not told otherwise. The "
            "docstring asks for the population's standard deviation.",
        ),
        Misconception(
            divided_by_zero,
            "A feature that only one sample has is constant wherever that sample is held out, and you divide by its "
            "standard deviation. The docstring says what to take instead.",
        ),
    ),
)
