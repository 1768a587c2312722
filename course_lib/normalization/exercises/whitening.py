"""02.3: whitening, by the training set; any rotation of the result is right."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case
from course_lib.normalization import trials


def whiten(train, test, *, floor=0.001):
    """Return both sets whitened by the training set (strategy 1): its covariance becomes the identity.

    train: float [N, D] with N > D; test: float [M, D]. The covariance is divided by N - 1; a direction with
    less than ``floor`` times the largest variance counts as empty: both sets become 0 along it.
    Returns two float tensors [N, D] and [M, D]. Whichever way the whitened axes point is right.
    """
    mean = train.mean(0)
    variances, axes = torch.linalg.eigh(torch.cov(train.T).reshape(len(mean), -1))  # the axes as columns
    filled = variances >= floor * variances.max()
    matrix = axes * torch.where(filled, variances.clamp(min=1e-30).rsqrt(), 0)
    return (train - mean) @ matrix, (test - mean) @ matrix


def zca(train, test, *, floor=0.001):
    centred = train - train.mean(0)
    _, s, axes = torch.linalg.svd(centred, full_matrices=False)  # the axes as rows
    scale = torch.zeros_like(s)
    keep = s**2 >= floor * s.max() ** 2
    scale[keep] = (len(train) - 1) ** 0.5 / s[keep]
    matrix = axes.T @ torch.diag(scale) @ axes
    return centred @ matrix, (test - train.mean(0)) @ matrix


def _whiten(train, test, *, floor, power=-0.5, mean=None, correction=1, fitted=None, relative=True, transposed=False):
    """Whiten with one thing done in another way."""
    fitted = train if fitted is None else fitted
    mean = fitted.mean(0) if mean is None else mean
    covariance = torch.cov(fitted.T, correction=correction).reshape(train.shape[1], -1)
    variances, axes = torch.linalg.eigh(covariance)
    filled = variances >= floor * (variances.max() if relative else 1)
    scale = torch.where(filled, variances.clamp(min=1e-30) ** power, 0)
    matrix = axes.T * scale if transposed else axes * scale
    return (train - mean) @ matrix, (test - mean) @ matrix


def each_set_by_its_own(train, test, *, floor=0.001):
    own = whiten(test, test, floor=floor)[0] if len(test) > 1 else torch.zeros_like(test)
    return whiten(train, train, floor=floor)[0], own


def both_sets_together(train, test, *, floor=0.001):
    return _whiten(train, test, floor=floor, fitted=torch.cat([train, test]))


def centred_by_the_test_mean(train, test, *, floor=0.001):
    moved = test - test.mean(0) + train.mean(0)
    return whiten(train, moved, floor=floor)


def not_centred(train, test, *, floor=0.001):
    return _whiten(train, test, floor=floor, mean=torch.zeros(train.shape[1]))


def divided_by_n(train, test, *, floor=0.001):
    return _whiten(train, test, floor=floor, correction=0)


def square_root_forgotten(train, test, *, floor=0.001):
    return _whiten(train, test, floor=floor, power=-1)


def turned_but_not_scaled(train, test, *, floor=0.001):
    return _whiten(train, test, floor=floor, power=0)


def multiplied_not_divided(train, test, *, floor=0.001):
    return _whiten(train, test, floor=floor, power=0.5)


def eigenvectors_as_rows(train, test, *, floor=0.001):
    return _whiten(train, test, floor=floor, transposed=True)


def only_z_scores(train, test, *, floor=0.001):
    mean, deviation = train.mean(0), train.std(0)
    return (train - mean) / deviation, (test - mean) / deviation


def no_direction_is_empty(train, test, *, floor=0.001):
    return _whiten(train, test, floor=0.0)


def floor_in_absolute_numbers(train, test, *, floor=0.001):
    return _whiten(train, test, floor=floor, relative=False)


def whitening_cases(generator, *, floor=0.001):
    def draw(n, m, d, scale=1.0, empty=None):
        turn, _ = torch.linalg.qr(torch.randn(d, d, generator=generator))
        spread = torch.linspace(1, 0.5, d)  # the smallest variance is far above any floor
        if empty:
            spread[-1] = (empty * floor) ** 0.5
        centre = torch.randn(d, generator=generator) * 2

        train, test = torch.randn(n, d, generator=generator), torch.randn(m, d, generator=generator)
        if empty:  # of exactly this share of the largest variance
            train = train - train.mean(0)
            train = torch.linalg.qr(train)[0] * n**0.5
        return ((train * spread) @ turn + centre) * scale, ((1.5 * test + 0.7) * spread @ turn + centre) * scale

    yield Case(draw(40, 15, 3))
    yield Case(draw(60, 20, 2, scale=0.01))
    yield Case(draw(50, 30, 5, scale=30.0))
    yield Case(draw(30, 1, 3), edge="a test set of one sample")
    yield Case(draw(40, 12, 3, scale=30.0, empty=0.92), edge="a direction with hardly any variance")
    yield Case(draw(40, 12, 3, empty=1.09), edge="a direction with little variance, but enough")


def whitening_numbers(generator):
    step = int(torch.randint(24, (), generator=generator))  # so far apart that no floor passes for another
    return {"floor": float(f"{0.04 / 1.22**step:.2g}")}


WHITEN = Exercise(
    id="02.3",
    title="Whitening",
    reference=whiten,
    cases=whitening_cases,
    points=5,
    core=4,
    summary=trials.inner_products,
    rtol=2e-3,
    atol=5e-3,
    numbers=whitening_numbers,
    told={"floor": "share of the largest variance below which a direction is empty"},
    alternatives=(zca,),
    misconceptions=(
        Misconception(
            each_set_by_its_own,
            "The training set is right. The test set is whitened by its own covariance, so it has other axes, "
            "and the same sample lands elsewhere in the two sets.",
        ),
        Misconception(
            both_sets_together,
            "Mean and covariance come from both sets together. Then the training set's own covariance is not the "
            "identity, and the test set had a say in it.",
        ),
        Misconception(
            centred_by_the_test_mean,
            "The training set is right. For the test set you use the right matrix and the wrong mean: its own.",
        ),
        Misconception(
            not_centred,
            "The covariance is right, but the data are not centred before they are turned: the mean of your whitened "
            "training set is not 0.",
        ),
        Misconception(
            divided_by_n,
            "All is right up to one factor, which goes to 1 as the training set grows: the covariance is to be divided "
            "by N - 1.",
        ),
        Misconception(
            square_root_forgotten,
            "You divide by the variance of each direction. Data that are divided by a number have their variance "
            "divided by its square.",
        ),
        Misconception(
            turned_but_not_scaled,
            "Your features are uncorrelated, but their variances are not 1: you turned the data onto the axes and "
            "left each axis its length.",
        ),
        Misconception(
            multiplied_not_divided,
            "Long directions become even longer: you multiply by the standard deviation of each direction where it "
            "should go to 1.",
        ),
        Misconception(
            eigenvectors_as_rows,
            "Your whitened features are still correlated: the eigenvectors are used along the wrong axis. "
            "`torch.linalg.eigh` returns them as columns.",
        ),
        Misconception(
            only_z_scores,
            "Each variance is 1, but the features are as correlated as before. Whitening needs the covariances, too.",
        ),
        Misconception(
            no_direction_is_empty,
            "A direction along which the training data hardly vary is blown up until its noise is as large as "
            "everything else. The text says from when on such a direction counts as empty.",
        ),
        Misconception(
            floor_in_absolute_numbers,
            "You compare variances with the floor itself. That would depend on the unit: the floor is a share of the "
            "largest variance.",
        ),
    ),
)
