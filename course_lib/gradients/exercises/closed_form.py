"""01.2: the gradient norm of every layer, in closed form and in logarithms."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def log_gradient_norms(slope, depth, top):
    """Return the natural logarithm of the norm of dL/dz_k for the layers k = 1 to ``depth``.

    slope: float [A], the derivative at 0 of A activations; depth: number of layers; top: the norm of dL/da of
    the last layer. All weight matrices are orthogonal and all pre-activations are 0.
    Returns float64 [A, depth], layer 1 (next to the input) first; -inf where the gradient is 0.
    """
    passed = torch.arange(depth, 0, -1, dtype=torch.float64)  # derivatives on the way down to layer k
    return torch.log(torch.tensor(top, dtype=torch.float64)) + passed * slope.double().log()[:, None]


def step_by_step(slope, depth, top):
    log = torch.full((len(slope),), float(top), dtype=torch.float64).log()
    columns = []
    for _ in range(depth):
        log = log + slope.double().log()
        columns.append(log)
    return torch.stack(columns[::-1], dim=1)


def from_the_wrong_end(slope, depth, top):
    return log_gradient_norms(slope, depth, top).flip(1)


def one_derivative_short(slope, depth, top):
    return log_gradient_norms(slope, depth, top) - slope.double().log()[:, None].clamp(min=-700)


def one_derivative_more(slope, depth, top):
    return log_gradient_norms(slope, depth, top) + slope.double().log()[:, None]


def base_ten(slope, depth, top):
    return log_gradient_norms(slope, depth, top) / torch.log(torch.tensor(10.0, dtype=torch.float64))


def top_forgotten(slope, depth, top):
    return log_gradient_norms(slope, depth, 1.0)


def no_logarithm(slope, depth, top):
    return log_gradient_norms(slope, depth, top).exp()


def slope_times_depth(slope, depth, top):
    passed = torch.arange(depth, 0, -1, dtype=torch.float64)
    return torch.log(top * passed * slope.double()[:, None])


def power_first(slope, depth, top):
    passed = torch.arange(depth, 0, -1, dtype=torch.float64)
    return torch.log(top * slope.double()[:, None] ** passed)


def power_first_in_float32(slope, depth, top):
    return torch.log(top * slope[:, None] ** torch.arange(depth, 0, -1)).double()


def zero_is_lifted(slope, depth, top):
    return log_gradient_norms(slope.double().clamp(min=1e-8), depth, top)


def closed_form_cases(generator):
    def draw(n):
        return 0.1 + 1.4 * torch.rand(n, generator=generator)

    yield Case((torch.tensor([1.0, 0.25]), 10, 2.5))
    yield Case((draw(3), 30, 0.3))
    yield Case((draw(1), 7, 12.0))
    yield Case((torch.tensor([0.0, 0.5]), 5, 3.0), edge="a derivative of 0")
    yield Case((0.2 * draw(2), 10_000, 0.1), edge="10,000 layers")


LOG_NORMS = Exercise(
    id="01.2",
    title="The gradient norm by depth",
    reference=log_gradient_norms,
    cases=closed_form_cases,
    points=4,
    core=3,
    alternatives=(step_by_step,),
    misconceptions=(
        Misconception(
            from_the_wrong_end,
            "Your first layer and your last layer have changed places. The gradient starts at the *output*, so layer 1 "
            "has the most factors.",
        ),
        Misconception(
            one_derivative_short,
            "You are short of one factor. To come from the output of the last layer to its pre-activation, one "
            "derivative is already passed.",
        ),
        Misconception(
            one_derivative_more,
            "You have one factor too many. Count them for the last layer: between its output and its pre-activation "
            "stands a single derivative.",
        ),
        Misconception(
            base_ten,
            "All your numbers are too small by the same factor, about 2.3: that is the logarithm to base 10.",
        ),
        Misconception(
            top_forgotten,
            "You let the gradient start with norm 1; it starts with `top`.",
        ),
        Misconception(
            no_logarithm,
            "These are the norms themselves. The logarithm is asked for, since in a deep network the norms are too "
            "small for a float.",
        ),
        Misconception(
            slope_times_depth,
            "You multiply the slope by the number of layers. The chain rule multiplies by the slope once *per* layer, "
            "which is a power.",
        ),
        Misconception(
            power_first,
            "The formula is right, and still the answer is -inf for thousands of layers: the power underflows before "
            "you take its logarithm. Use what the logarithm does to a power first.",
        ),
        Misconception(
            power_first_in_float32,
            "The formula is right, and still the answer is -inf for a hundred layers: a float32 underflows before you "
            "take its logarithm. Use what the logarithm does to a power first.",
        ),
        Misconception(
            zero_is_lifted,
            "You keep the slope away from 0. A slope of 0 means that nothing passes, and the logarithm of nothing is "
            "-inf, which is asked for.",
        ),
    ),
)
