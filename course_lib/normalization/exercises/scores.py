"""02.2: z-scores, by the training set, with a limit."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def z_score(train, test, *, limit=3.0):
    """Return the z-scores of both sets, by the training set (strategy 1), cut off at the limit.

    train: float [N, D]; test: float [M, D]; N and M are at least 1.
    Returns two float tensors [N, D] and [M, D]. The standard deviation is the population's (divided by N); a
    feature that is constant in the training set is divided by 1.
    """
    mean = train.mean(0)
    deviation = train.std(0, correction=0)
    deviation = torch.where(deviation == 0, 1, deviation)
    scaled = [((x - mean) / deviation).clamp(-limit, limit) for x in (train, test)]
    return scaled[0], scaled[1]


def z_score_by_hand(train, test, *, limit=3.0):
    n = len(train)
    mean = train.sum(0) / n
    deviation = (((train - mean) ** 2).sum(0) / n) ** 0.5
    deviation[deviation == 0] = 1
    ends = torch.tensor(limit)
    return tuple(torch.maximum(torch.minimum((x - mean) / deviation, ends), -ends) for x in (train, test))


def _scaled(train, test, limit, *, mean=None, deviation=None):
    mean = train.mean(0) if mean is None else mean
    deviation = train.std(0, correction=0) if deviation is None else deviation
    deviation = torch.where(deviation == 0, 1, deviation)
    return tuple(((x - mean) / deviation).clamp(-limit, limit) for x in (train, test))


def each_set_by_its_own(train, test, *, limit=3.0):
    return tuple(_scaled(x, x, limit)[0] for x in (train, test))


def both_sets_together(train, test, *, limit=3.0):
    both = torch.cat([train, test])
    return _scaled(train, test, limit, mean=both.mean(0), deviation=both.std(0, correction=0))


def centred_by_the_test_mean(train, test, *, limit=3.0):
    deviation = train.std(0, correction=0)
    return _scaled(train, test, limit)[0], _scaled(test, test, limit, deviation=deviation)[1]


def divided_by_n_minus_1(train, test, *, limit=3.0):
    return _scaled(train, test, limit, deviation=train.std(0) if len(train) > 1 else torch.ones(train.shape[1]))


def divided_by_the_variance(train, test, *, limit=3.0):
    return _scaled(train, test, limit, deviation=train.var(0, correction=0))


def one_mean_for_all_features(train, test, *, limit=3.0):
    return _scaled(train, test, limit, mean=train.mean(), deviation=train.std(correction=0))


def mean_of_each_sample(train, test, *, limit=3.0):
    return tuple(_scaled(x.T, x.T, limit)[0].T.contiguous() for x in (train, test))


def not_cut_off(train, test, *, limit=3.0):
    return _scaled(train, test, float("inf"))


def cut_off_before_scaling(train, test, *, limit=3.0):
    return _scaled(train.clamp(-limit, limit), test.clamp(-limit, limit), float("inf"))


def only_the_upper_end_cut_off(train, test, *, limit=3.0):
    return tuple(x.clamp(max=limit) for x in _scaled(train, test, float("inf")))


def mean_not_subtracted(train, test, *, limit=3.0):
    return _scaled(train, test, limit, mean=torch.zeros(train.shape[1]))


def divided_by_zero(train, test, *, limit=3.0):
    mean, deviation = train.mean(0), train.std(0, correction=0)
    return tuple(((x - mean) / deviation).clamp(-limit, limit) for x in (train, test))


def score_cases(generator, *, limit=3.0):
    def draw(n, m, d):
        centre = torch.randn(d, generator=generator) * 20
        spread = torch.rand(d, generator=generator) * 6 + 2
        train = centre + spread * torch.randn(n, d, generator=generator)
        test = centre + spread * (0.5 + 1.5 * torch.randn(m, d, generator=generator))
        if n > 1:  # far away at both ends, wherever the limit is; and in the training set
            test[0], test[-1] = centre + 12 * spread, centre - 12 * spread
            train[0] = centre - 12 * spread
        return train, test

    yield Case(draw(30, 20, 3))
    yield Case(draw(40, 12, 1))
    yield Case(draw(50, 6, 5))
    yield Case(draw(35, 1, 4), edge="a test set of one sample")
    train, test = draw(32, 9, 3)
    train[:, 1] = 4.0
    yield Case((train, test), edge="a feature that is constant in the training set")
    yield Case(draw(1, 6, 2), edge="a training set of one sample")


def score_numbers(generator):
    return {"limit": int(torch.randint(15, 46, (), generator=generator)) / 10}


Z_SCORE = Exercise(
    id="02.2",
    title="z-scores with a limit",
    reference=z_score,
    cases=score_cases,
    rtol=1e-3,
    atol=1e-4,
    points=4,
    core=3,
    numbers=score_numbers,
    told={"limit": "standard deviations at which a value is cut off"},
    alternatives=(z_score_by_hand,),
    misconceptions=(
        Misconception(
            each_set_by_its_own,
            "The test set is scaled by its own mean and standard deviation: that is the second strategy. Both must be "
            "the training set's.",
        ),
        Misconception(
            both_sets_together,
            "Mean and standard deviation come from both sets together, so your training data know something about "
            "the test set. Take them from the training set alone.",
        ),
        Misconception(
            centred_by_the_test_mean,
            "The training set is right. The test set is divided by the right number, but its own mean is subtracted: "
            "a shift of the whole test set would vanish.",
        ),
        Misconception(
            divided_by_n_minus_1,
            "You divide by N - 1, as PyTorch does where it is not told otherwise. The docstring asks for the standard "
            "deviation of the population: look for the parameter `correction`.",
        ),
        Misconception(
            divided_by_the_variance,
            "You divide by the variance, whose unit is the square of the feature's. A z-score has no unit: what of "
            "the variance has the feature's unit?",
        ),
        Misconception(
            one_mean_for_all_features,
            "One mean and one standard deviation for everything mixes the units of all features. Each feature needs "
            "its own two numbers.",
        ),
        Misconception(
            mean_of_each_sample,
            "You go along the wrong axis: each sample is scaled by the mean of its own features. The mean of a feature "
            "is taken over the samples.",
        ),
        Misconception(
            not_cut_off,
            "The z-scores are right, but some are further from 0 than the limit. Cut them off there, at both ends.",
        ),
        Misconception(
            cut_off_before_scaling,
            "You cut the raw values off. The limit counts standard deviations, so it belongs to the z-scores.",
        ),
        Misconception(
            only_the_upper_end_cut_off,
            "Large values are cut off, and values far below the mean are not. The limit holds at both ends.",
        ),
        Misconception(
            mean_not_subtracted,
            "You divide, but you do not subtract the mean: the z-score of an average value is 0.",
        ),
        Misconception(
            divided_by_zero,
            "A feature that is constant in the training set has the standard deviation 0, and you divide by it. The "
            "docstring says by what to divide instead.",
        ),
    ),
)
