"""05.3: weights with which no task is drowned by the scale of another, graded by training with them."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case, Trial
from course_lib.multitask import trials


def balance(losses, gradients):
    """Return what each task's loss is to be multiplied by, so that all tasks have their say in the trunk.

    losses: float [T], each task's loss before the first step; gradients: float [T, P], its gradient in all
    parameters of the trunk, flat. Either may be larger for one task than for another by any factor; none is zero.
    Returns float [T], above 0.
    """
    lengths = gradients.square().sum(1).sqrt()
    return lengths.mean() / lengths


def same_share_of_the_loss(losses, gradients):
    shares = losses.sum() / losses
    return shares / len(shares)


def all_alike(losses, gradients):
    return torch.ones_like(losses)


def the_loudest_counts_most(losses, gradients):
    lengths = gradients.norm(dim=1)
    return lengths / lengths.mean()


def the_largest_loss_counts_most(losses, gradients):
    return losses / losses.sum()


def the_loudest_is_switched_off(losses, gradients):
    lengths = gradients.norm(dim=1)
    return (lengths < lengths.max()).float()


def start_cases(generator):
    for tasks, size in ((3, 40), (4, 25), (2, 30), (3, 1)):
        scale = 10 ** (4 * torch.rand(tasks, generator=generator) - 2)
        scale[0] *= 50
        spread = 0.5 + torch.rand(tasks, generator=generator)
        gradients = scale.sqrt()[:, None] * spread[:, None] * torch.randn(tasks, size, generator=generator)
        order = torch.randperm(tasks, generator=generator)
        yield Case((scale[order], gradients[order]))


BALANCE = Exercise(
    id="05.3",
    title="Balance the scales",
    reference=balance,
    cases=start_cases,
    points=4,
    core=0,
    trial=Trial(
        score=trials.worst_skill,
        threshold=0.3,
        told="Skill in the worst of the three tasks, 0 for guessing and 1 for no mistakes: {score:.2f} (asked for: "
        "{threshold:.2f}).",
        hint="One of the tasks is hardly learned. Whose gradient is so long that the others do not matter beside it, "
        "and by what must it be divided?",
    ),
    alternatives=(same_share_of_the_loss,),
    misconceptions=(
        Misconception(
            all_alike,
            "You leave all losses as they are, and the one in the largest unit decides what the trunk learns. What do "
            "the lengths of the gradients tell?",
        ),
        Misconception(
            the_loudest_counts_most,
            "It is the wrong way round: the task with the longest gradient gets the largest weight, and is louder "
            "still.",
        ),
        Misconception(
            the_largest_loss_counts_most,
            "It is the wrong way round: the task with the largest loss gets the largest weight. A loss is large or "
            "small by its unit, too.",
        ),
        Misconception(
            the_loudest_is_switched_off,
            "You switch off the task with the longest gradient. Then the others are learned, but this one is not: all "
            "of them are to be.",
        ),
    ),
)
