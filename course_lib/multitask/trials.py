"""How answers to this lesson's exercises are called and measured; students may read it, it holds no solution."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from course_lib.errors import CourseError
from course_lib.grading.sheet import require_decimals
from course_lib.multitask.config import TASKS, Config
from course_lib.multitask.losses import gradients, task_losses
from course_lib.multitask.network import SharedTrunk, make_network
from course_lib.multitask.objective import PROBED
from course_lib.multitask.pictures import AGE, MEAN_AGE, held_out, training_faces
from course_lib.randomness import generator
from course_lib.runs import finish
from course_lib.training import Batch, Objective, Progress, TrainingSet, fit, inputs, outputs

LEARNED = 3  # the tasks but for the coin
STEP = 0.1  # of plain gradient descent
TRAINED = {"n_train": 2000, "epochs": 12, "batch_size": 64, "lr": 1e-2, "weight_decay": 1e-2, "channels": 32}


class Small(nn.Module):
    """A trunk of two layers, `trunk`, and two heads, `heads["smile"]` and `heads["age"]`.

    Input: float [B, 5]; output: float [B, 2], the logit of a smile and the age as it is learned. ``parameters``:
    float [104], of the trunk first and then of the heads; the gradient of each is None at first.
    """

    NUMBERS = 104

    def __init__(self, parameters: Tensor):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 6), nn.Tanh())
        self.heads = nn.ModuleDict({"smile": nn.Linear(6, 1), "age": nn.Linear(6, 1)})
        if parameters.numel() != self.NUMBERS:
            raise CourseError(f"The small network has {self.NUMBERS} numbers; these were {parameters.numel()}.")
        vector_to_parameters(parameters.clone(), self.parameters())

    def forward(self, x: Tensor) -> Tensor:
        features = self.trunk(x)
        return torch.cat([self.heads["smile"](features), self.heads["age"](features)], 1)


def with_network(function: Callable, parameters: Tensor, *others: Tensor) -> object:
    """Return what ``function(network, *others)`` answers about the `Small` network with these parameters."""
    return function(Small(parameters), *others)


class Descent:
    """Plain gradient descent, with the two methods that a step of training needs of a torch optimiser.

    The first of torch's own takes seconds to make: too long for a function that is graded in a process of its own.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float):
        self.parameters, self.lr = list(parameters), lr

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move each parameter that has a gradient down along it."""
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter -= self.lr * parameter.grad


def after_steps(function: Callable, parameters: Tensor, s: Tensor, x: Tensor, smile: Tensor, age: Tensor) -> tuple:
    """Take a step with each of K batches; return the last answer, and the network's parameters and s after it.

    ``function(network, s, optimiser, x, smile, age)`` takes one step of the `Small` network and of s, float [2],
    with the optimiser, a `Descent`; x: float [K, B, 5]; smile, age: float [K, B].
    """
    network, learned = Small(parameters), nn.Parameter(s.clone())
    optimiser = Descent([*network.parameters(), learned], STEP)
    for batch in zip(x, smile, age, strict=True):
        answer = function(network, learned, optimiser, *batch)
    return answer, parameters_to_vector(network.parameters()), learned


class Weighted(Objective):
    """Minimises the tasks' losses, each multiplied by its weight."""

    def __init__(self, network: SharedTrunk, data: TrainingSet, generator: torch.Generator, weights: Tensor):
        super().__init__(network, data, generator)
        self.weights = weights

    def loss(self, batch: Batch) -> Tensor:
        return (self.weights * task_losses(self.network(batch.x), batch.y)).sum()


def worst_skill(function: Callable, seed: int) -> Generator[Progress, None, float]:
    """Generator that trains smile, age and gender with the weights that a function gives, and returns the worst skill.

    For the function see `weighted`. Skill is 0 for who guesses and 1 for who is always right: 2 * accuracy - 1,
    and for the age, by how much of the error is gone that the middle age would make. Yields after every step.
    """
    objective = weighted(function, seed)
    settings = {name: TRAINED[name] for name in ("epochs", "batch_size", "lr", "weight_decay")}
    yield from fit(objective, **settings)
    tested, truth = held_out(0)
    objective.network.eval()
    return float(skills(finish(outputs(objective.network, tested, len(tested))), _learned(truth)).min())


def weighted(function: Callable, seed: int) -> Weighted:
    """Return what is trained with the weights of ``function(losses, gradients)``, float [3].

    The function sees what `start_of` finds, float [3] and [3, P], in an order of the tasks that the seed draws. The
    age counts in years, from the middle age on. Raises `CourseError` for weights that are below 0 or not finite.
    """
    config = Config(seed=seed, **TRAINED)
    network = make_network(config)
    pictures, labels = training_faces(config.n_train, 0, seed)
    data = TrainingSet(pictures, _learned(labels))
    order = torch.randperm(LEARNED, generator=generator(seed, "multitask/order"))
    losses, gradient = start_of(network, data)
    given = require_decimals(function(losses[order], gradient[order]), (LEARNED,))
    if not (given.isfinite() & (given >= 0)).all():
        raise CourseError("The weights must be finite numbers of at least 0.")
    weights = torch.zeros(len(TASKS))
    weights[order] = given.float()
    return Weighted(network, data, generator(seed, "training"), weights)


def start_of(network: SharedTrunk, data: TrainingSet) -> tuple[Tensor, Tensor]:
    """Return loss, float [3], and gradient in the trunk, float [3, P], of each task on 128 faces; changes nothing."""
    copy = deepcopy(network)
    losses = task_losses(copy(inputs(data.images, slice(0, PROBED))), data.labels[:PROBED])[:LEARNED]
    return losses.detach(), gradients(losses, copy.trunk.parameters())


def skills(said: Tensor, truth: Tensor) -> Tensor:
    """Return the skill in each task, float [3], from answers and labels, both float [N, 4]; age from the middle age."""
    right = ((said > 0) == (truth > 0)).float().mean(0)
    skill = 2 * right - 1
    skill[AGE] = 1 - (said - truth)[:, AGE].abs().mean() / truth[:, AGE].abs().mean()
    return skill[:LEARNED]


def _learned(labels: Tensor) -> Tensor:
    """Return labels float [N, 4] with the age from the middle age on, in years, and without the coin."""
    labels = labels.clone()
    labels[:, AGE] -= MEAN_AGE
    labels[:, LEARNED] = torch.nan
    return labels
