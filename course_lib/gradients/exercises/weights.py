"""01.5: initial weights that bring a dead network to life, graded by training with them."""

import torch

from course_lib.gradients import trials
from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.plain import Seed
from course_lib.grading.sheet import Case, Trial


def initial_weights(x, depth, generator):
    """Return the initial weights of ``depth`` layers a = ReLU(W u), all as wide as x.

    x: float [B, n], what goes into the first of them; generator: a torch.Generator for all that is random.
    Returns float [depth, n, n], one matrix W for each layer.
    """
    n = x.shape[1]
    return torch.randn(depth, n, n, generator=generator) * (2 / n) ** 0.5


def uniform_weights(x, depth, generator):
    n = x.shape[1]
    return (2 * torch.rand(depth, n, n, generator=generator) - 1) * (6 / n) ** 0.5


def orthogonal_weights(x, depth, generator):
    q, _ = torch.linalg.qr(torch.randn(depth, x.shape[1], x.shape[1], generator=generator))
    return q * 2**0.5


def near_the_identity(x, depth, generator):
    n = x.shape[1]
    return torch.eye(n) + 0.1 / n**0.5 * torch.randn(depth, n, n, generator=generator)


def fitted_to_the_batch(x, depth, generator):
    layers = []
    for _ in range(depth):
        weight = torch.randn(x.shape[1], x.shape[1], generator=generator)
        out = torch.relu(x @ weight.T)
        weight = weight * (x.norm() / out.norm())  # what comes out is as large as what goes in
        layers.append(weight)
        x = torch.relu(x @ weight.T)
    return torch.stack(layers)


def all_zero(x, depth, generator):
    return torch.zeros(depth, x.shape[1], x.shape[1])


def all_equal(x, depth, generator):
    return torch.full((depth, x.shape[1], x.shape[1]), 1 / x.shape[1])


def one_hundredth(x, depth, generator):
    return 0.01 * torch.randn(depth, x.shape[1], x.shape[1], generator=generator)


def as_pytorch_does(x, depth, generator):
    n = x.shape[1]
    return (2 * torch.rand(depth, n, n, generator=generator) - 1) / n**0.5


def xavier(x, depth, generator):
    n = x.shape[1]
    return torch.randn(depth, n, n, generator=generator) / n**0.5


def variance_for_deviation(x, depth, generator):
    n = x.shape[1]
    return torch.randn(depth, n, n, generator=generator) * 2 / n


def standard_normal(x, depth, generator):
    return torch.randn(depth, x.shape[1], x.shape[1], generator=generator)


def twice_too_much(x, depth, generator):
    n = x.shape[1]
    return torch.randn(depth, n, n, generator=generator) * (4 / n) ** 0.5


def weights_cases(generator):
    def draw(batch, n):
        return torch.relu(torch.randn(batch, n, generator=generator))

    first, second = draw(32, 128), draw(16, 64)
    seeds = torch.randint(2**31, (2,), generator=generator).tolist()
    yield Case((first, trials.DEPTH, Seed(seeds[0])))
    yield Case((first, trials.DEPTH, Seed(seeds[0])))  # the same again: must be answered equally
    yield Case((second, 20, Seed(seeds[1])))


INITIAL_WEIGHTS = Exercise(
    id="01.5",
    title="Bring a dead network to life",
    reference=initial_weights,
    cases=weights_cases,
    points=5,
    core=0,
    summary=trials.propagation,
    rtol=0.1,
    atol=0.02,
    trial=Trial(
        score=trials.accuracy,
        threshold=0.7,
        told="With your weights the network reads {score:.2f} of the test digits after training; {threshold:.2f} are "
        "needed.",
        hint="Follow the size of the activations through the layers: by how much does one layer change it?",
    ),
    alternatives=(uniform_weights, orthogonal_weights, near_the_identity, fitted_to_the_batch),
    misconceptions=(
        Misconception(
            all_zero,
            "With weights of zero every output is zero, and so is every gradient: nothing can start to move.",
        ),
        Misconception(
            all_equal,
            "All units of a layer do the same, get the same gradient, and stay the same for ever. Something has to "
            "tell them apart.",
        ),
        Misconception(
            one_hundredth,
            "A standard deviation of 0.01 is a habit from shallow networks. Here each layer makes the signal more "
            "than ten times smaller.",
        ),
        Misconception(
            as_pytorch_does,
            "That is what `nn.Linear` does by default, and that is why the network is dead: each layer keeps some 40 % "
            "of the signal.",
        ),
        Misconception(
            xavier,
            "Xavier's rule keeps the size of the signal in a *linear* layer. ReLU throws half of it away, so each "
            "layer keeps some 70 %.",
        ),
        Misconception(
            variance_for_deviation,
            "The right number at the wrong place: what you multiply random numbers by is the standard deviation, and "
            "you took the variance.",
        ),
        Misconception(
            standard_normal,
            "The weights are far too large: each output is a sum of many terms, and the layers multiply. The signal "
            "explodes.",
        ),
        Misconception(
            twice_too_much,
            "Each layer makes the signal some 40 % larger, which over thirty layers is a factor of ten thousand.",
        ),
    ),
)
