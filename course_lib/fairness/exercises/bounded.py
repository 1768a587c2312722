"""06.4: a loss for regression in which no group is left behind."""

import torch

from course_lib.grading import harness
from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def bounded_loss(predicted, truth, group, multipliers, *, bound=0.5):
    """Return the Lagrangian of bounded group loss: mean squared error + sum over groups of multiplier * excess.

    predicted, truth: float [N]; group: int64 [N], from 0 to G - 1; multipliers: float [G], at least 0.
    The excess of a group is the mean squared error of its own samples minus the bound, also where that is below 0;
    a group without samples has none.
    Returns one number, a float tensor of shape [] that can be differentiated.
    """
    errors = (predicted - truth) ** 2
    total = errors.mean()
    for g, multiplier in enumerate(multipliers):
        if (group == g).any():
            total = total + multiplier * (errors[group == g].mean() - bound)
    return total


def bounded_at_once(predicted, truth, group, multipliers, *, bound=0.5):
    member = torch.nn.functional.one_hot(group, len(multipliers)).to(predicted.dtype)
    n = member.sum(0)
    errors = (truth - predicted).square()
    excess = (errors @ member) / n.clamp(min=1) - bound
    return errors.sum() / len(errors) + ((n > 0) * multipliers * excess).sum()


def bound_forgotten(predicted, truth, group, multipliers, *, bound=0.5):
    return bounded_loss(predicted, truth, group, multipliers, bound=0.0)


def excess_cut_off_at_zero(predicted, truth, group, multipliers, *, bound=0.5):
    errors, total = (predicted - truth) ** 2, 0
    for g, multiplier in enumerate(multipliers):
        if (group == g).any():
            total = total + multiplier * (errors[group == g].mean() - bound).clamp(min=0)
    return errors.mean() + total


def group_sums_over_everybody(predicted, truth, group, multipliers, *, bound=0.5):
    errors, total = (predicted - truth) ** 2, 0
    for g, multiplier in enumerate(multipliers):
        if (group == g).any():
            total = total + multiplier * (errors[group == g].sum() / len(errors) - bound)
    return errors.mean() + total


def mean_loss_forgotten(predicted, truth, group, multipliers, *, bound=0.5):
    return bounded_loss(predicted, truth, group, multipliers, bound=bound) - ((predicted - truth) ** 2).mean()


def mean_of_the_groups(predicted, truth, group, multipliers, *, bound=0.5):
    errors = (predicted - truth) ** 2
    means = torch.stack([errors[group == g].mean() for g in range(len(multipliers)) if (group == g).any()])
    return bounded_loss(predicted, truth, group, multipliers, bound=bound) - errors.mean() + means.mean()


def absolute_errors(predicted, truth, group, multipliers, *, bound=0.5):
    errors = (predicted - truth).abs()
    total = errors.mean()
    for g, multiplier in enumerate(multipliers):
        if (group == g).any():
            total = total + multiplier * (errors[group == g].mean() - bound)
    return total


def square_of_the_mean_error(predicted, truth, group, multipliers, *, bound=0.5):
    off, total = predicted - truth, 0
    for g, multiplier in enumerate(multipliers):
        if (group == g).any():
            total = total + multiplier * (off[group == g].mean() ** 2 - bound)
    return (off**2).mean() + total


def groups_without_a_gradient(predicted, truth, group, multipliers, *, bound=0.5):
    plain = ((predicted - truth) ** 2).mean()
    full = bounded_loss(predicted, truth, group, multipliers, bound=bound)
    return plain + (full - plain).detach()


def empty_groups_below_the_bound(predicted, truth, group, multipliers, *, bound=0.5):
    missing = torch.bincount(group, minlength=len(multipliers)) == 0
    return bounded_loss(predicted, truth, group, multipliers, bound=bound) - bound * (multipliers * missing).sum()


def bounded_cases(generator, *, bound=0.5):
    def draw(sizes):
        group = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
        group = group[torch.randperm(len(group), generator=generator)]
        truth = torch.randn(len(group), generator=generator)
        # One group is well below the bound, the others above it; all are off to one side, too.
        scale = bound**0.5 * torch.tensor([0.3, 1.6, 2.2, 1.2])[group]
        noise = torch.randn(len(group), generator=generator).clamp(-1.5, 1.5)
        predicted = truth + scale * (noise + 0.5)
        return predicted, truth, group, 0.2 + torch.rand(len(sizes), generator=generator)

    yield Case(draw([40, 15, 25]))
    yield Case(draw([60, 20]))
    yield Case(draw([30, 50, 20, 10]))
    yield Case(draw([30, 0, 20]), edge="a group without samples")


def bounded_numbers(generator):
    return {"bound": round(0.3 + 1.2 * float(torch.rand((), generator=generator)), 2)}


BOUNDED_LOSS = Exercise(
    id="06.4",
    title="A bound for every group",
    reference=bounded_loss,
    cases=bounded_cases,
    rtol=1e-3,
    atol=1e-5,
    points=4,
    core=3,
    harness=harness.loss_and_gradient,
    numbers=bounded_numbers,
    told={"bound": "the mean squared error that no group may exceed"},
    alternatives=(bounded_at_once,),
    misconceptions=(
        Misconception(
            bound_forgotten,
            "The gradient is right, and the loss is too large: what is subtracted from the loss of each group?",
        ),
        Misconception(
            excess_cut_off_at_zero,
            "You cut the excess off at 0. In a Lagrangian a group below the bound counts as well, with an excess "
            "below 0; it is the multiplier that is never negative.",
        ),
        Misconception(
            group_sums_over_everybody,
            "You divide the errors of a group by the number of all samples, so that a small group can hardly exceed "
            "the bound. Whose mean is meant?",
        ),
        Misconception(
            mean_loss_forgotten,
            "Only the excesses are there. What was to be minimised in the first place?",
        ),
        Misconception(
            mean_of_the_groups,
            "Your first term is the mean of the groups' errors. It is over the samples, of which each counts once.",
        ),
        Misconception(
            absolute_errors,
            "You take absolute errors; the loss, and so the bound, is on squared ones.",
        ),
        Misconception(
            square_of_the_mean_error,
            "For the groups you square the mean of the errors, in which errors up and down cancel. The mean of the "
            "squares is asked for.",
        ),
        Misconception(
            groups_without_a_gradient,
            "The value is right, but no gradient comes from the groups, so the bound changes nothing in training. "
            "Is there a .detach() or .item()?",
        ),
        Misconception(
            empty_groups_below_the_bound,
            "A group without samples counts in your sum as if its error were 0. Of it nothing is known.",
        ),
    ),
)
