"""05.4: a step of training two tasks with learned weights, free of two bugs."""

import torch
import torch.nn.functional as F

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case
from course_lib.multitask import trials


def train_step(network, s, optimiser, x, smile, age):
    """Take one step of training with both tasks and with the learned s, and return the loss before it.

    network: network(x) is float [B, 2], the logit of a smile and the age as it is learned; s: float [2], a
    parameter; optimiser: its step() moves the network and s down along their gradients, zero_grad() clears these.
    x: float [B, D]; smile: float [B], 0 or 1; age: float [B].
    The losses L are the mean binary cross-entropy of the smile, and half the mean squared error of the age; what
    is minimised is the sum over both of exp(-s) * L + s / 2.
    Returns this sum, one number.
    """
    said = network(x)
    smile_loss = F.binary_cross_entropy_with_logits(said[:, 0], smile)
    age_loss = F.mse_loss(said[:, 1], age) / 2
    total = torch.exp(-s[0]) * smile_loss + torch.exp(-s[1]) * age_loss + s.sum() / 2
    optimiser.zero_grad()
    total.backward()
    optimiser.step()
    return total.detach()


def gradients_of_each_task_add_up(network, s, optimiser, x, smile, age):
    optimiser.zero_grad()
    said, before = network(x), 0.0
    for i, loss in enumerate(_losses(said, smile, age)):
        part = loss / s[i].exp() + 0.5 * s[i]
        part.backward(retain_graph=True)
        before += part.item()
    optimiser.step()
    return before


def cleared_at_the_end(network, s, optimiser, x, smile, age):
    before = ((-s).exp() * torch.stack(_losses(network(x), smile, age)) + s / 2).sum()
    before.backward()
    optimiser.step()
    optimiser.zero_grad()
    return before


def _losses(said, smile, age):
    entropy = F.binary_cross_entropy_with_logits(said[:, 0], smile)
    return entropy, (said[:, 1] - age).square().mean() / 2


def _parts(network, s, x, smile, age, price=0.5):
    """What both tasks add to the sum, [2]."""
    return torch.exp(-s) * torch.stack(_losses(network(x), smile, age)) + price * s


def _descend(optimiser, total):
    optimiser.zero_grad()
    total.backward()
    optimiser.step()
    return total.detach()


def only_the_last_task_trains(network, s, optimiser, x, smile, age):
    parts = _parts(network, s, x, smile, age)
    for part in parts:
        optimiser.zero_grad()
        part.backward(retain_graph=True)
    optimiser.step()
    return parts.detach().sum()


def the_price_is_missing(network, s, optimiser, x, smile, age):
    return _descend(optimiser, _parts(network, s, x, smile, age, price=0).sum())


def both_bugs_are_still_there(network, s, optimiser, x, smile, age):
    parts = _parts(network, s, x, smile, age, price=0)
    for part in parts:
        optimiser.zero_grad()
        part.backward(retain_graph=True)
    optimiser.step()
    return parts.detach().sum()


def gradients_pile_up(network, s, optimiser, x, smile, age):
    total = _parts(network, s, x, smile, age).sum()
    total.backward()
    optimiser.step()
    return total.detach()


def a_step_for_each_task(network, s, optimiser, x, smile, age):
    total = _parts(network, s, x, smile, age).sum()
    for task in range(2):
        _descend(optimiser, _parts(network, s, x, smile, age)[task])
    return total.detach()


def cleared_before_the_step(network, s, optimiser, x, smile, age):
    total = _parts(network, s, x, smile, age).sum()
    total.backward()
    optimiser.zero_grad()
    optimiser.step()
    return total.detach()


def twice_the_price(network, s, optimiser, x, smile, age):
    return _descend(optimiser, _parts(network, s, x, smile, age, price=1).sum())


def weights_are_not_learned(network, s, optimiser, x, smile, age):
    return _descend(optimiser, _parts(network, s.detach(), x, smile, age).sum())


def mean_of_both_tasks(network, s, optimiser, x, smile, age):
    return _descend(optimiser, _parts(network, s, x, smile, age).mean())


def loss_after_the_step(network, s, optimiser, x, smile, age):
    _descend(optimiser, _parts(network, s, x, smile, age).sum())
    return _parts(network, s, x, smile, age).detach().sum()


def whole_squared_error(network, s, optimiser, x, smile, age):
    entropy, half = _losses(network(x), smile, age)
    return _descend(optimiser, (torch.exp(-s) * torch.stack([entropy, 2 * half]) + s / 2).sum())


def step_cases(generator):
    for batches, batch in ((1, 12), (3, 10), (4, 7)):
        x = torch.randn(batches, batch, 5, generator=generator)
        smile = (x[..., 0] + torch.randn(batches, batch, generator=generator) > 0).float()
        age = 0.5 * x[..., 1] + x[..., 2] + 0.5 * torch.randn(batches, batch, generator=generator)
        s = torch.randn(2, generator=generator)
        yield Case((0.6 * torch.randn(trials.Small.NUMBERS, generator=generator), s, x, smile, age))


TRAIN_STEP = Exercise(
    id="05.4",
    title="Repair a step of training",
    reference=train_step,
    cases=step_cases,
    points=4,
    core=3,
    harness=trials.after_steps,
    alternatives=(gradients_of_each_task_add_up, cleared_at_the_end),
    misconceptions=(
        Misconception(
            only_the_last_task_trains,
            "Only one of the tasks moves the trunk. What does `zero_grad` do to the gradient of the task before?",
        ),
        Misconception(
            the_price_is_missing,
            "Nothing keeps your weights from sinking to 0, where the loss is 0 and nothing is learned: the price for "
            "a small weight is missing.",
        ),
        Misconception(
            both_bugs_are_still_there,
            "That takes the same step as before. Which task has moved the trunk after it, and where do the two "
            "weights go in the long run?",
        ),
        Misconception(
            gradients_pile_up,
            "Your first step is right, and the next ones are not: the gradients of the steps before are still there.",
        ),
        Misconception(
            a_step_for_each_task,
            "You take one step for each task, so that the second starts where the first has already moved the trunk. "
            "One step is asked for, with the gradient of the sum.",
        ),
        Misconception(
            cleared_before_the_step,
            "Nothing is learned at all: you clear the gradients between computing and using them.",
        ),
        Misconception(
            twice_the_price,
            "Your price for a small weight is s. The text says s / 2.",
        ),
        Misconception(
            weights_are_not_learned,
            "The network learns, but s stays as it was: its gradient must not be cut off.",
        ),
        Misconception(
            mean_of_both_tasks,
            "You minimise the mean of both tasks, and take half the step. The text asks for the sum.",
        ),
        Misconception(
            loss_after_the_step,
            "The step is right, but you return the loss after it. The text asks for the one before.",
        ),
        Misconception(
            whole_squared_error,
            "You take the whole squared error of the age. With learned weights it is half of it that counts.",
        ),
    ),
)
