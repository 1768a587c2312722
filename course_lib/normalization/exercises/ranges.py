"""02.1: map each feature into a range, by the training set."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def scale_to_range(train, test, *, low=-1.0, high=1.0):
    """Return both sets with each feature mapped linearly into the range, by the training set (strategy 1).

    train: float [N, D]; test: float [M, D]; N and M are at least 1.
    Returns two float tensors [N, D] and [M, D]. A feature that is constant in the training set is divided by 1.
    """
    smallest = train.amin(0)
    span = train.amax(0) - smallest
    span = torch.where(span == 0, 1, span)
    scaled = [(x - smallest) / span * (high - low) + low for x in (train, test)]
    return scaled[0], scaled[1]


def range_by_columns(train, test, *, low=-1.0, high=1.0):
    one, two = train.clone(), test.clone()
    for j in range(train.shape[1]):
        a, b = train[:, j].min().item(), train[:, j].max().item()
        slope = (high - low) / (b - a if b > a else 1)
        one[:, j], two[:, j] = slope * train[:, j] + (low - slope * a), slope * test[:, j] + (low - slope * a)
    return one, two


def each_set_by_its_own(train, test, *, low=-1.0, high=1.0):
    return tuple(scale_to_range(x, x, low=low, high=high)[0] for x in (train, test))


def both_sets_together(train, test, *, low=-1.0, high=1.0):
    both = torch.cat([train, test])
    return tuple(scale_to_range(both, x, low=low, high=high)[1] for x in (train, test))


def one_range_for_all_features(train, test, *, low=-1.0, high=1.0):
    smallest, span = train.min(), train.max() - train.min()
    return tuple((x - smallest) / torch.where(span == 0, 1, span) * (high - low) + low for x in (train, test))


def range_of_each_sample(train, test, *, low=-1.0, high=1.0):
    return tuple(scale_to_range(x.T, x.T, low=low, high=high)[0].T.contiguous() for x in (train, test))


def clipped(train, test, *, low=-1.0, high=1.0):
    one, two = scale_to_range(train, test, low=low, high=high)
    return one, two.clamp(low, high)


def left_at_zero_to_one(train, test, *, low=-1.0, high=1.0):
    return scale_to_range(train, test, low=0, high=1)


def high_taken_for_the_width(train, test, *, low=-1.0, high=1.0):
    return scale_to_range(train, test, low=low, high=low + high)


def divided_by_the_largest(train, test, *, low=-1.0, high=1.0):
    largest = train.abs().amax(0)
    return tuple(x / torch.where(largest == 0, 1, largest) * high for x in (train, test))


def divided_by_zero(train, test, *, low=-1.0, high=1.0):
    smallest, span = train.amin(0), train.amax(0) - train.amin(0)
    return tuple((x - smallest) / span * (high - low) + low for x in (train, test))


def constants_zeroed(train, test, *, low=-1.0, high=1.0):
    constant = train.amax(0) == train.amin(0)
    return tuple(torch.where(constant, 0, x) for x in scale_to_range(train, test, low=low, high=high))


def range_cases(generator, *, low=-1.0, high=1.0):
    def draw(n, m, d):
        centre = torch.randn(d, generator=generator) * 20
        spread = torch.rand(d, generator=generator) * 9 + 1
        train = centre + spread * torch.randn(n, d, generator=generator)
        return train, centre + spread * (1 + 2 * torch.randn(m, d, generator=generator))  # goes beyond the range

    yield Case(draw(30, 20, 3))
    yield Case(draw(8, 12, 1))
    yield Case(draw(50, 5, 6))
    yield Case(draw(20, 1, 4), edge="a test set of one sample")
    train, test = draw(12, 9, 3)
    train[:, 1] = 4.0
    yield Case((train, test), edge="a feature that is constant in the training set")
    yield Case(draw(1, 6, 2), edge="a training set of one sample")


def range_numbers(generator):
    below, above = torch.randint(1, 10, (2,), generator=generator).tolist()
    return {"low": -below / 2, "high": above / 2}


SCALE_TO_RANGE = Exercise(
    id="02.1",
    title="Into a range",
    reference=scale_to_range,
    cases=range_cases,
    rtol=1e-3,
    atol=1e-4,
    points=4,
    core=3,
    numbers=range_numbers,
    told={"low": "what the smallest training value becomes", "high": "what the largest training value becomes"},
    alternatives=(range_by_columns,),
    misconceptions=(
        Misconception(
            each_set_by_its_own,
            "Your test set ends exactly at both ends of the range, as a test set hardly ever does: its own extremes "
            "were used. That is the second strategy; the parameters must come from the training set.",
        ),
        Misconception(
            both_sets_together,
            "You look for the extremes in both sets together, so the test set has a say in how the training data "
            "look. When you train, the test set is not there yet.",
        ),
        Misconception(
            one_range_for_all_features,
            "You take one smallest and one largest value for all features. Each feature has a unit of its own, and "
            "needs its own pair.",
        ),
        Misconception(
            range_of_each_sample,
            "You go along the wrong axis: each sample is scaled by its own features. The extremes of a feature are "
            "taken over the samples.",
        ),
        Misconception(
            clipped,
            "You cut off what lies beyond the range. Test values may be larger than all training values, and how "
            "much larger is worth knowing: leave them where the line leads.",
        ),
        Misconception(
            left_at_zero_to_one,
            "Your values lie between 0 and 1: half of the way. The text names another range.",
        ),
        Misconception(
            high_taken_for_the_width,
            "The smallest training value is right, and the largest is not: how wide is the range, from its lower end "
            "to its upper end?",
        ),
        Misconception(
            divided_by_the_largest,
            "You divide by the largest absolute value. That keeps 0 in place and fills only a part of the range: "
            "move the smallest value to the lower end first.",
        ),
        Misconception(
            divided_by_zero,
            "A feature that is constant in the training set has no width, and you divide by it. The docstring says "
            "by what to divide instead.",
        ),
        Misconception(
            constants_zeroed,
            "A feature that is constant in the training set is not to be thrown away: it goes through the same "
            "formula as the others, with another divisor.",
        ),
    ),
)
