"""06.3: weights that do what collecting other data would do."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def weights_for(group, target):
    """Return weights with which the samples stand for a population with other shares, and what they are worth.

    group: int64 [N], from 0 to G - 1; target: float [G], the share that each group should have, sum 1.
    Returns float [N], the weight of each sample, of mean 1, and a float tensor of shape [], the effective sample
    size (sum of weights)^2 / (sum of squared weights). What the target asks of a group without samples is
    given to the others, in the ratio of their targets.
    """
    n = torch.bincount(group, minlength=len(target))
    wanted = target * (n > 0)
    wanted = wanted / wanted.sum()
    weights = (wanted * len(group) / n.clamp(min=1))[group]
    return weights, weights.sum() ** 2 / (weights**2).sum()


def weights_in_a_loop(group, target):
    weights = torch.zeros(len(group))
    for g in range(len(target)):
        members = group == g
        if members.any():
            weights[members] = target[g] / members.float().mean()
    weights = weights / weights.mean()
    return weights, 1 / (weights / len(weights)).square().sum()


def _worth(weights):
    return weights, weights.sum() ** 2 / (weights**2).sum()


def the_other_way(group, target):
    share = torch.bincount(group, minlength=len(target)) / len(group)
    return _worth((share / target)[group] / (share / target)[group].mean())


def target_taken_for_the_weight(group, target):
    return _worth(target[group] / target[group].mean())


def all_groups_alike(group, target):
    n = torch.bincount(group, minlength=len(target))
    return _worth((len(group) / ((n > 0).sum() * n.clamp(min=1)))[group])


def weights_of_sum_one(group, target):
    weights, _ = weights_for(group, target)
    return _worth(weights / len(group))


def everybody_counts_fully(group, target):
    weights, _ = weights_for(group, target)
    return weights, torch.tensor(float(len(group)))


def squares_upside_down(group, target):
    weights, size = weights_for(group, target)
    return weights, len(group) ** 2 / size


def size_of_the_heavy_ones(group, target):
    weights, _ = weights_for(group, target)
    return weights, weights.sum() / weights.max()


def missing_share_is_lost(group, target):
    share = torch.bincount(group, minlength=len(target)) / len(group)
    return _worth((target / share)[group])


def weight_cases(generator):
    def draw(sizes, groups=None):
        group = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
        group = group[torch.randperm(len(group), generator=generator)]
        target = 0.2 + torch.rand(groups or len(sizes), generator=generator)
        return group, target / target.sum()

    yield Case(draw([45, 2, 6, 47]))
    yield Case(draw([10, 50]))
    yield Case(draw([90, 5, 15]))
    yield Case(draw([30, 0, 12, 60]), edge="a group without samples")


WEIGHTS_FOR = Exercise(
    id="06.3",
    title="Weights in place of data",
    reference=weights_for,
    cases=weight_cases,
    points=4,
    core=3,
    alternatives=(weights_in_a_loop,),
    misconceptions=(
        Misconception(
            the_other_way,
            "Your weights make groups that are too common count more still. Should a group that is rarer than it is "
            "meant to be weigh more, or less?",
        ),
        Misconception(
            target_taken_for_the_weight,
            "You use the share that a group should have as its weight. How much it counts in all also depends on how "
            "many samples it has.",
        ),
        Misconception(
            all_groups_alike,
            "Your weights give all groups the same share in all. The target asks for other shares.",
        ),
        Misconception(
            weights_of_sum_one,
            "The ratios of your weights are right, but their sum is 1 and not their mean: the loss, and with it the "
            "steps of the optimiser, would be N times smaller.",
        ),
        Misconception(
            everybody_counts_fully,
            "The weights are right. But a sample that counts five times is still one sample: the effective size is "
            "smaller than N.",
        ),
        Misconception(
            squares_upside_down,
            "Your effective size is larger than N. Weights never add information: look at what is divided by what.",
        ),
        Misconception(
            size_of_the_heavy_ones,
            "You divide by the largest weight. The formula in the docstring has the squares of all weights.",
        ),
        Misconception(
            missing_share_is_lost,
            "Where a group has no samples, your weights have no mean of 1: what was meant for it is lost. The "
            "docstring says who gets it.",
        ),
    ),
)
