"""01.1: the derivatives of three activations, at 0 and far away, too."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def derivatives(z):
    """Return the derivatives of tanh, ReLU and the logistic sigmoid at z.

    z: float [N]. Returns float [3, N], one row for each of the three, in this order.
    At 0, ReLU has the derivative that PyTorch gives it.
    """
    logistic = torch.sigmoid(z)
    return torch.stack([1 - torch.tanh(z) ** 2, (z > 0).float(), logistic * (1 - logistic)])


def derivatives_by_autograd(z):
    rows = []
    for f in (torch.tanh, torch.relu, torch.sigmoid):
        leaf = z.clone().requires_grad_()
        rows.append(torch.autograd.grad(f(leaf).sum(), leaf)[0])
    return torch.stack(rows)


def derivatives_with_cosh(z):
    small = z.clamp(-40, 40)  # beyond, both are 0 in float32
    return torch.stack([1 / torch.cosh(small) ** 2, torch.where(z > 0, 1.0, 0.0), 0.25 / torch.cosh(small / 2) ** 2])


def _with(z, row, values):
    rows = derivatives(z)
    rows[row] = values
    return rows


def square_forgotten(z):
    return _with(z, 0, 1 - torch.tanh(z))


def functions_not_derivatives(z):
    return torch.stack([torch.tanh(z), torch.relu(z), torch.sigmoid(z)])


def relu_is_one_at_zero(z):
    return _with(z, 1, (z >= 0).float())


def relu_is_half_at_zero(z):
    return _with(z, 1, torch.where(z == 0, 0.5, (z > 0).float()))


def relu_slope_is_z(z):
    return _with(z, 1, torch.relu(z))


def relu_is_sign(z):
    return _with(z, 1, torch.sign(z))


def logistic_like_tanh(z):
    return _with(z, 2, 1 - torch.sigmoid(z) ** 2)


def logistic_of_the_output(z):
    return _with(z, 2, z * (1 - z))


def exp_overflows(z):
    return _with(z, 2, torch.exp(-z) / (1 + torch.exp(-z)) ** 2)


def exp_overflows_to_the_right(z):
    return _with(z, 2, torch.exp(z) / (1 + torch.exp(z)) ** 2)


def rows_and_columns_swapped(z):
    return derivatives(z).T.contiguous()


def slopes_cases(generator):
    for n in (7, 20, 33):
        yield Case((torch.randn(n, generator=generator) * 2,))
    yield Case((torch.tensor([0.0, -1.0, 0.0, 1.0]),), edge="z = 0")
    yield Case((torch.tensor([-200.0, 150.0, -95.0]),), edge="z far from 0")


SLOPES = Exercise(
    id="01.1",
    title="Three derivatives",
    reference=derivatives,
    cases=slopes_cases,
    points=3,
    core=2,
    alternatives=(derivatives_by_autograd, derivatives_with_cosh),
    misconceptions=(
        Misconception(
            square_forgotten,
            "Your derivative of tanh is negative nowhere, but at z = -3 it is almost 2, and the graph of tanh is flat "
            "there. Something in it has to be squared.",
        ),
        Misconception(
            functions_not_derivatives,
            "These are the three functions themselves. What is asked for is how steep they are.",
        ),
        Misconception(
            relu_is_one_at_zero,
            "At 0 the graph of ReLU has a kink, so a slope must be chosen. PyTorch chooses another one than you: ask "
            "autograd.",
        ),
        Misconception(
            relu_is_half_at_zero,
            "One half is a fair choice for the slope of ReLU at its kink, but it is not PyTorch's: ask autograd.",
        ),
        Misconception(
            relu_slope_is_z,
            "To the right of 0 ReLU rises as steeply at 10 as at 1. Its derivative there does not depend on z.",
        ),
        Misconception(
            relu_is_sign,
            "To the left of 0 ReLU is flat, so its derivative there is not negative.",
        ),
        Misconception(
            logistic_like_tanh,
            "The derivative of the logistic sigmoid is not that of tanh with another function put in: it is at most "
            "one quarter. Use the quotient rule once by hand.",
        ),
        Misconception(
            logistic_of_the_output,
            "The formula fits the logistic sigmoid if you put its *output* there; you put z itself.",
        ),
        Misconception(
            exp_overflows,
            "Far to the left exp(-z) is infinite, and infinite over infinite is no number. PyTorch's own sigmoid does "
            "not have that problem.",
        ),
        Misconception(
            exp_overflows_to_the_right,
            "Far to the right exp(z) is infinite, and infinite over infinite is no number. PyTorch's own sigmoid does "
            "not have that problem.",
        ),
        Misconception(
            rows_and_columns_swapped,
            "One *row* for each activation is asked for; you have one column for each.",
        ),
    ),
)
