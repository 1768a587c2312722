"""06.1: accuracy by subgroup, where there are enough samples to tell."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def subgroup_table(predicted, labels, group, groups, *, least=8):
    """Return how many samples each group has, and which share of them is predicted right.

    predicted, labels: int64 [N], 0 or 1; group: int64 [N], from 0 to groups - 1; groups: how many groups there
    are, a whole number.
    Returns an int64 tensor, the counts [groups], and a float tensor, the accuracies [groups]; NaN for a group with
    too few samples.
    """
    n = torch.bincount(group, minlength=groups)
    right = torch.bincount(group[predicted == labels], minlength=groups)
    return n, (right / n).where(n >= least, torch.nan)


def table_in_a_loop(predicted, labels, group, groups, *, least=8):
    n, accuracy = [], []
    for g in range(groups):
        hits = (predicted == labels)[group == g].float()
        n.append(len(hits))
        accuracy.append(hits.mean().item() if len(hits) >= least else float("nan"))
    return torch.tensor(n), torch.tensor(accuracy)


def small_groups_not_marked(predicted, labels, group, groups, *, least=8):
    return subgroup_table(predicted, labels, group, groups, least=1)


def small_groups_get_zero(predicted, labels, group, groups, *, least=8):
    n, accuracy = subgroup_table(predicted, labels, group, groups, least=least)
    return n, accuracy.nan_to_num(0.0)


def exactly_enough_is_too_few(predicted, labels, group, groups, *, least=8):
    return subgroup_table(predicted, labels, group, groups, least=least + 1)


def share_of_everybody(predicted, labels, group, groups, *, least=8):
    n, _ = subgroup_table(predicted, labels, group, groups, least=least)
    right = torch.bincount(group[predicted == labels], minlength=groups)
    return n, (right / len(group)).where(n >= least, torch.nan)


def only_those_who_smile(predicted, labels, group, groups, *, least=8):
    n, known = subgroup_table(predicted, labels, group, groups, least=least)
    some = labels == 1
    hits = torch.bincount(group[some & (predicted == 1)], minlength=groups)
    share = hits / torch.bincount(group[some], minlength=groups).clamp(min=1)
    return n, share.where(~known.isnan(), torch.nan)


def shares_said_to_smile(predicted, labels, group, groups, *, least=8):
    return subgroup_table(predicted, torch.ones_like(labels), group, groups, least=least)


def counts_of_the_right_ones(predicted, labels, group, groups, *, least=8):
    _, accuracy = subgroup_table(predicted, labels, group, groups, least=least)
    return torch.bincount(group[predicted == labels], minlength=groups), accuracy


def subgroup_cases(generator, *, least=8):
    def draw(sizes):
        group = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
        group = group[torch.randperm(len(group), generator=generator)]
        labels = torch.randint(2, (len(group),), generator=generator)
        off = torch.rand(len(group), generator=generator) < 0.15 + 0.1 * group
        return torch.where(off, 1 - labels, labels), labels, group, len(sizes)

    yield Case(draw([40, 60, 45, 50]))
    yield Case(draw([80, 35]))
    yield Case(draw([38, 90, 45]))
    yield Case(draw([60, least - 1, 50, least]), edge="a group with too few samples, and one with just enough")
    yield Case(draw([45, 0, 40]), edge="a group without samples")


def subgroup_numbers(generator):
    return {"least": int(torch.randint(5, 36, (), generator=generator))}


SUBGROUP_TABLE = Exercise(
    id="06.1",
    title="Who is read how well",
    reference=subgroup_table,
    cases=subgroup_cases,
    points=4,
    core=3,
    numbers=subgroup_numbers,
    told={"least": "how many samples a group needs at least for its accuracy to be told"},
    alternatives=(table_in_a_loop,),
    misconceptions=(
        Misconception(
            small_groups_not_marked,
            "You give an accuracy to a group of a handful of samples. It would be mostly chance: from how many on "
            "is one told?",
        ),
        Misconception(
            small_groups_get_zero,
            "A group of which too little is known gets 0 from you, as if everybody in it were predicted wrong. Not "
            "known is another thing than bad.",
        ),
        Misconception(
            exactly_enough_is_too_few,
            "One group has exactly as many samples as are needed, and you leave it out.",
        ),
        Misconception(
            share_of_everybody,
            "You divide by the number of all samples, so small groups look bad because they are small. Whose share "
            "is a group's accuracy?",
        ),
        Misconception(
            only_those_who_smile,
            "You look only at those whose label is 1: that is a true positive rate. Accuracy counts right zeros, too.",
        ),
        Misconception(
            shares_said_to_smile,
            "Your share is that of the ones among the predictions, whether they are right or not. Where do the "
            "labels come in?",
        ),
        Misconception(
            counts_of_the_right_ones,
            "The accuracies are right, and the counts are not: you count the samples that are predicted right.",
        ),
    ),
)
