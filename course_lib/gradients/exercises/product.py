"""01.3: a product of thousands of Jacobians, in logarithms."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def log_norm_of_product(jacobians, v):
    """Return the natural logarithm of the norm of the row vector v J_D ... J_2 J_1.

    jacobians: float64 [D, n, n], J_1 (next to the input) first; v: float64 [n], the gradient at the output.
    Returns one number, a float64 tensor of shape []; -inf if the product is 0. Thousands of factors, large or
    small, must neither under- nor overflow.
    """
    log = torch.zeros((), dtype=torch.float64)
    for jacobian in jacobians.flip(0):
        v = v @ jacobian
        norm = v.norm()
        if norm == 0:
            return norm.log()
        v, log = v / norm, log + norm.log()
    return log if len(jacobians) else v.norm().log()


def scaled_by_the_largest(jacobians, v):
    log = torch.zeros((), dtype=torch.float64)
    for i in range(len(jacobians) - 1, -1, -1):
        largest = v.abs().max()
        if largest == 0:
            break
        log = log + largest.log()
        v = (v / largest) @ jacobians[i]
    return log + v.norm().log()


def multiplied_first(jacobians, v):
    for jacobian in jacobians.flip(0):
        v = v @ jacobian
    return v.norm().log()


def wrong_order(jacobians, v):
    return log_norm_of_product(jacobians.flip(0), v)


def forward_pass(jacobians, v):
    return log_norm_of_product(jacobians.transpose(1, 2).flip(0), v)


def columns_for_rows(jacobians, v):
    return log_norm_of_product(jacobians.transpose(1, 2), v)


def norms_of_the_matrices(jacobians, v):
    return v.norm().log() + torch.linalg.matrix_norm(jacobians).log().sum()


def largest_singular_values(jacobians, v):
    return v.norm().log() + torch.linalg.matrix_norm(jacobians, 2).log().sum()


def determinants(jacobians, v):
    return v.norm().log() + torch.linalg.slogdet(jacobians)[1].sum()


def scale_not_remembered(jacobians, v):
    for jacobian in jacobians.flip(0):
        v = v @ jacobian
        norm = v.norm()
        v = v / norm
    return norm.log()


def start_forgotten(jacobians, v):
    return log_norm_of_product(jacobians, v / v.norm())


def zero_becomes_nan(jacobians, v):
    log = v.norm().log()
    v = v / v.norm()
    for jacobian in jacobians.flip(0):
        v = v @ jacobian
        norm = v.norm()
        v, log = v / norm, log + norm.log()
    return log


def product_cases(generator):
    def draw(layers, n, scale):
        jacobians = scale * torch.randn(layers, n, n, generator=generator, dtype=torch.float64) / n**0.5
        return jacobians, 3 * torch.randn(n, generator=generator, dtype=torch.float64)

    yield Case(draw(4, 3, 1.0))
    yield Case(draw(12, 5, 0.5))
    yield Case(draw(7, 2, 2.0))
    dead, v = draw(6, 4, 1.0)
    dead[2] = 0
    yield Case((dead, v), edge="a layer through which nothing passes")
    yield Case(draw(2000, 3, 0.3), edge="2,000 layers that make it smaller")
    yield Case(draw(2000, 3, 4.0), edge="2,000 layers that make it larger")


LOG_PRODUCT = Exercise(
    id="01.3",
    title="A product of Jacobians",
    reference=log_norm_of_product,
    cases=product_cases,
    points=4,
    core=2,
    alternatives=(scaled_by_the_largest,),
    misconceptions=(
        Misconception(
            multiplied_first,
            "Right as long as the product is a number that a float can hold; over thousands of layers it is not. Take "
            "the size out after each factor, and keep its logarithm.",
        ),
        Misconception(
            wrong_order,
            "Your vector meets J_1 first. It comes from the output, so the last layer's Jacobian is the first that it "
            "meets.",
        ),
        Misconception(
            forward_pass,
            "That is how a small change of the *input* travels forward. The gradient goes the other way: from the last "
            "layer, and from the left of each matrix.",
        ),
        Misconception(
            columns_for_rows,
            "You multiply by each Jacobian from the other side. A gradient is a *row* vector: it stands to the left of "
            "the matrix.",
        ),
        Misconception(
            norms_of_the_matrices,
            "The norm of a product is at most the product of the norms, and mostly far less: the vector does not "
            "point where each matrix stretches most. Let the vector go through the layers.",
        ),
        Misconception(
            largest_singular_values,
            "The largest singular value says how much a matrix can stretch *some* vector. Yours is seldom that one: "
            "let it go through the layers.",
        ),
        Misconception(
            determinants,
            "A determinant says what happens to a volume, not to the length of one vector.",
        ),
        Misconception(
            scale_not_remembered,
            "You normalise after each layer, which is right, but only the last norm is in your answer. Each norm that "
            "you divide by must be counted.",
        ),
        Misconception(
            start_forgotten,
            "You take the length out of `v` at the start and do not put it back into the answer.",
        ),
        Misconception(
            zero_becomes_nan,
            "If nothing passes a layer, the norm is 0 and you divide by it. The text says what the answer is then.",
        ),
    ),
)
