"""01.4: the depth from which on a gradient is smaller than every float."""

import math

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def underflow_depth(factor, *, exponent=-149):
    """Return how many layers it takes until a gradient of 1 is smaller than the smallest positive number.

    factor: float64 [N], each from 0 to below 1: by it every layer multiplies the gradient.
    Returns int64 [N]: the smallest number of layers l with factor^l < 2^exponent.
    """
    return (exponent / torch.log2(factor)).floor().long() + 1


def counted_in_logarithms(factor, *, exponent=-149):
    layers = torch.ones(len(factor), dtype=torch.int64)
    log = torch.log2(factor)
    while (above := layers * log >= exponent).any():
        layers = layers + above.long()
    return layers


def one_layer_early(factor, *, exponent=-149):
    return underflow_depth(factor, exponent=exponent) - 1


def rounded_up(factor, *, exponent=-149):
    return (exponent / torch.log2(factor)).ceil().long().clamp(min=1)


def rounded_to_the_nearest(factor, *, exponent=-149):
    return (exponent / torch.log2(factor)).round().long().clamp(min=1)


def mixed_logarithms(factor, *, exponent=-149):
    return (exponent / torch.log(factor)).floor().long() + 1


def multiplied_in_float32(factor, *, exponent=-149):
    # float32 cannot hold what smaller formats' limits would ask for, and it stops at its own
    value, layers = torch.ones(len(factor)), torch.zeros(len(factor), dtype=torch.int64)
    for _ in range(5_000):
        above = value > 0
        value = value * factor.float()
        layers = layers + above.long()
    return layers


def machine_epsilon(factor, *, exponent=-149):
    return underflow_depth(factor, exponent=-23)


def smallest_normal_number(factor, *, exponent=-149):
    return underflow_depth(factor, exponent=-126)


def linear_decay(factor, *, exponent=-149):
    return ((1 - 2.0**exponent) / (1 - factor)).floor().long() + 1


def underflow_cases(generator, *, exponent=-149):
    def draw(n, low, high):
        return low + (high - low) * torch.rand(n, generator=generator, dtype=torch.float64)

    yield Case((draw(6, 0.05, 0.3),))
    yield Case((draw(5, 0.3, 0.8),))
    yield Case((draw(4, 0.8, 0.99),))
    yield Case((POWERS,), edge="powers of two, exactly at the limit")
    yield Case((torch.tensor([0.3, 0.0], dtype=torch.float64),), edge="a factor of 0")


POWERS = torch.tensor([0.5, 0.25, 0.125, 0.0625], dtype=torch.float64)


def is_fair(exponent):
    """Whether natural and common logarithms give the same for powers of two, where rounding could decide."""
    right = underflow_depth(POWERS, exponent=exponent)
    pairs = [(math.log(2), torch.log), (math.log10(2), torch.log10)]
    return all(((exponent * two / log(POWERS)).floor().long() + 1 == right).all() for two, log in pairs)


def underflow_numbers(generator):
    fair = [exponent for exponent in range(-999, -139) if is_fair(exponent)]
    return {"exponent": fair[int(torch.randint(len(fair), (), generator=generator))]}


UNDERFLOW = Exercise(
    id="01.4",
    title="Where a float ends",
    reference=underflow_depth,
    cases=underflow_cases,
    points=4,
    core=3,
    numbers=underflow_numbers,
    told={"exponent": "the power of two that is the smallest positive number"},
    alternatives=(counted_in_logarithms,),
    misconceptions=(
        Misconception(
            one_layer_early,
            "After this many layers the gradient can still be told from 0. How many more does it take?",
        ),
        Misconception(
            rounded_up,
            "Almost: where the power meets the limit exactly, it is not yet *below* it. Look at a factor of one half.",
        ),
        Misconception(
            rounded_to_the_nearest,
            "You round to the nearest whole number, so that half of your answers are one layer early. Below the limit "
            "means below.",
        ),
        Misconception(
            mixed_logarithms,
            "Your two logarithms have different bases, and the limit is given as a power of two.",
        ),
        Misconception(
            multiplied_in_float32,
            "You multiply floats, which have a limit of their own and are rounded near to it. Calculate with "
            "logarithms instead.",
        ),
        Misconception(
            machine_epsilon,
            "Your limit is the machine epsilon, the distance from 1 to the next number. Numbers near 0 can be much "
            "smaller than that.",
        ),
        Misconception(
            smallest_normal_number,
            "Your limit is not the one in the text. Below the smallest *normal* number there are still some "
            "(subnormal) numbers, with fewer digits.",
        ),
        Misconception(
            linear_decay,
            "You subtract the same amount in each layer. A factor multiplies, so the gradient falls exponentially.",
        ),
    ),
)
