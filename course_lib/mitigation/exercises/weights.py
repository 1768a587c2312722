"""07.3: GDRO's update of the group weights."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def update_weights(q, losses, group, *, eta=0.1):
    """Return GDRO's group weights after one batch.

    q: float [G], the weights before, which sum to 1; losses: float [B], the loss of each sample of the batch;
    group: int64 [B], its group, 0 to G - 1. A group that is absent from the batch counts as loss 0.
    Returns the new weights, float [G]; they sum to 1.
    """
    total = torch.zeros(len(q)).index_add(0, group, losses)
    mean = total / torch.bincount(group, minlength=len(q)).clamp(min=1)
    return torch.softmax(q.log() + eta * mean, dim=0)  # q exp(eta L), normalised, without overflow


def weights_in_a_loop(q, losses, group, *, eta=0.1):
    exponents = torch.zeros_like(q)
    for g in group.unique():
        exponents[g] = eta * losses[group == g].mean()
    q = q * torch.exp(exponents - exponents.max())
    return q / q.sum()


def _mean(q, losses, group):
    return torch.zeros(len(q)).index_add(0, group, losses) / torch.bincount(group, minlength=len(q)).clamp(min=1)


def not_normalised(q, losses, group, *, eta=0.1):
    return q * torch.exp(eta * _mean(q, losses, group))


def easy_groups_up(q, losses, group, *, eta=0.1):
    return update_weights(q, -losses, group, eta=eta)


def sum_instead_of_mean(q, losses, group, *, eta=0.1):
    total = torch.zeros(len(q)).index_add(0, group, losses)
    return torch.softmax(q.log() + eta * total, dim=0)


def old_weights_forgotten(q, losses, group, *, eta=0.1):
    return torch.softmax(eta * _mean(q, losses, group), dim=0)


def added_not_multiplied(q, losses, group, *, eta=0.1):
    q = q + eta * _mean(q, losses, group)
    return q / q.sum()


def eta_outside(q, losses, group, *, eta=0.1):
    q = q * eta * torch.exp(_mean(q, losses, group))
    return q / q.sum()


def mean_over_the_batch(q, losses, group, *, eta=0.1):
    total = torch.zeros(len(q)).index_add(0, group, losses)
    return torch.softmax(q.log() + eta * total / len(losses), dim=0)


def absent_groups_are_nan(q, losses, group, *, eta=0.1):
    mean = torch.zeros(len(q)).index_add(0, group, losses) / torch.bincount(group, minlength=len(q))
    return torch.softmax(q.log() + eta * mean, dim=0)


def absent_groups_dropped(q, losses, group, *, eta=0.1):
    present = torch.bincount(group, minlength=len(q)) > 0
    q = torch.where(present, q * torch.exp(eta * _mean(q, losses, group)), 0)
    return q / q.sum()


def exp_overflows(q, losses, group, *, eta=0.1):
    q = q * torch.exp(eta * _mean(q, losses, group))
    return q / q.sum()


def weights_cases(generator, *, eta=0.1):
    def draw(groups, batch, scale=3.0, present=None):
        q = torch.rand(groups, generator=generator) + 0.1
        losses = torch.rand(batch, generator=generator) * scale + 0.5
        # every group twice at least, in no order, and not all equally often
        group = torch.randint(present or groups, (batch,), generator=generator)
        group[: 2 * (present or groups)] = torch.arange(present or groups).repeat(2)
        return q / q.sum(), losses, group[torch.randperm(batch, generator=generator)]

    yield Case(draw(4, 40))
    yield Case(draw(2, 17))
    yield Case(draw(10, 64))
    yield Case(draw(8, 32, present=5), edge="groups that are absent from the batch")
    yield Case(draw(4, 32, scale=300 / eta), edge="very large losses")


def weights_numbers(generator):
    return {"eta": round(0.05 + 0.4 * float(torch.rand((), generator=generator)), 2)}


UPDATE_WEIGHTS = Exercise(
    id="07.3",
    title="GDRO's weight update",
    reference=update_weights,
    cases=weights_cases,
    points=4,
    core=3,
    numbers=weights_numbers,
    told={"eta": "the step size of the group weights"},
    alternatives=(weights_in_a_loop,),
    misconceptions=(
        Misconception(
            not_normalised,
            "Your weights no longer sum to 1, and they grow with every batch. After the multiplication, divide by the "
            "sum.",
        ),
        Misconception(
            easy_groups_up,
            "The weights of the groups that do well go up. GDRO listens to those that fare *worst*: look at the sign "
            "belongs in the exponent.",
        ),
        Misconception(
            sum_instead_of_mean,
            "A group with many samples in the batch gets a high weight just for that: L_g is the *mean* loss of the "
            "group, not the sum.",
        ),
        Misconception(
            old_weights_forgotten,
            "The new weights do not depend on the old ones, so that whatever was learned in earlier batches is lost: "
            "q is multiplied, not replaced.",
        ),
        Misconception(
            added_not_multiplied,
            "You add to the weights. The update multiplies them by an exponential (exponentiated gradient), which "
            "keeps them positive however large the step is.",
        ),
        Misconception(
            eta_outside,
            "Your step size has no effect: a factor that all groups share is cancelled by the normalisation. It "
            "belongs in the exponent.",
        ),
        Misconception(
            mean_over_the_batch,
            "You divide by the size of the whole batch. L_g is the mean over the samples *of group g*.",
        ),
        Misconception(
            absent_groups_are_nan,
            "A group that is absent from the batch makes everything NaN: its mean is 0 / 0. The text says which loss "
            "it counts as.",
        ),
        Misconception(
            absent_groups_dropped,
            "A group that is absent from one batch loses its weight for good: from 0, no factor brings it back. With "
            "loss 0 its factor is exp(0).",
        ),
        Misconception(
            exp_overflows,
            "For very large losses exp() becomes infinity, and infinity over infinity is NaN. Subtract the largest "
            "exponent first, or use a function that does (softmax of the logarithms).",
        ),
    ),
)
