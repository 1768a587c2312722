"""06.2: demographic parity, equal opportunity and equalized odds, each as a difference."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def fairness_gaps(predicted, labels, group, groups):
    """Return how far the groups are apart by three criteria.

    predicted, labels: int64 [N], 0 or 1; group: int64 [N], from 0 to groups - 1; groups: how many there are.
    Returns a float tensor [3]: the demographic parity, equal opportunity and equalized odds difference; NaN for a
    criterion that asks for the rate of a group in which nobody tells about it.
    """

    def apart(among):
        asked = torch.bincount(group[among], minlength=groups)
        said = torch.bincount(group[among & (predicted == 1)], minlength=groups)
        rate = said / asked
        return rate.amax() - rate.amin()

    opportunity, alarms = apart(labels == 1), apart(labels == 0)
    return torch.stack([apart(labels >= 0), opportunity, torch.maximum(opportunity, alarms)])


def gaps_group_by_group(predicted, labels, group, groups):
    rates = torch.full((3, groups), torch.nan)
    for g in range(groups):
        for row, keep in enumerate((labels == labels, labels == 1, labels == 0)):
            answers = predicted[keep & (group == g)].float()
            if len(answers):
                rates[row, g] = answers.mean()
    gap = rates.max(1).values - rates.min(1).values
    return torch.stack([gap[0], gap[1], torch.maximum(gap[1], gap[2])])


def _rates(predicted, labels, group, groups):
    """Rates [3, groups]: of all, of the ones, of the zeros."""
    every = torch.stack([labels >= 0, labels == 1, labels == 0])
    here = torch.nn.functional.one_hot(group, groups).float()
    return (every & (predicted == 1)).float() @ here / (every.float() @ here)


def _three(gap):
    return torch.stack([gap[0], gap[1], torch.maximum(gap[1], gap[2])])


def predictions_and_labels_swapped(predicted, labels, group, groups):
    return fairness_gaps(labels, predicted, group, groups)


def accuracy_instead(predicted, labels, group, groups):
    gaps = fairness_gaps(predicted, labels, group, groups)
    accuracy = _rates((predicted == labels).long(), labels, group, groups)[0]
    return torch.stack([accuracy.amax() - accuracy.amin(), gaps[1], gaps[2]])


def odds_added(predicted, labels, group, groups):
    rates = _rates(predicted, labels, group, groups)
    gap = rates.amax(1) - rates.amin(1)
    return torch.stack([gap[0], gap[1], gap[1] + gap[2]])


def odds_averaged(predicted, labels, group, groups):
    rates = _rates(predicted, labels, group, groups)
    gap = rates.amax(1) - rates.amin(1)
    return torch.stack([gap[0], gap[1], (gap[1] + gap[2]) / 2])


def only_false_alarms(predicted, labels, group, groups):
    rates = _rates(predicted, labels, group, groups)
    gap = rates.amax(1) - rates.amin(1)
    return torch.stack([gap[0], gap[1], gap[2]])


def first_two_groups_only(predicted, labels, group, groups):
    rates = _rates(predicted, labels, group, groups)
    return _three((rates[:, 0] - rates[:, 1]).abs())


def ratios_instead(predicted, labels, group, groups):
    rates = _rates(predicted, labels, group, groups)
    return _three(1 - rates.amin(1) / rates.amax(1))


def joint_shares(predicted, labels, group, groups):
    every = torch.stack([labels >= 0, labels == 1, labels == 0])
    here = torch.nn.functional.one_hot(group, groups).float()
    shares = (every & (predicted == 1)).float() @ here / here.sum(0)
    gap = shares.amax(1) - shares.amin(1)
    missing = (every.float() @ here == 0).any(1)
    return _three(gap.masked_fill(missing, torch.nan))


def unknown_counts_as_zero(predicted, labels, group, groups):
    return _three((lambda r: r.amax(1) - r.amin(1))(_rates(predicted, labels, group, groups).nan_to_num(0.0)))


def unknown_groups_left_out(predicted, labels, group, groups):
    rates = _rates(predicted, labels, group, groups)
    return _three(rates.nan_to_num(-1.0).amax(1) - rates.nan_to_num(2.0).amin(1))


def gap_cases(generator):
    def draw(sizes):
        """Groups with false alarms and misses of their own, the extremes neither first nor second."""
        group = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
        labels = (torch.rand(len(group), generator=generator) < (0.35 + 0.12 * group)).long()
        hit = torch.tensor([0.7, 0.6, 0.95, 0.4])[group]
        alarm = torch.tensor([0.2, 0.3, 0.1, 0.65])[group]
        chance = torch.where(labels == 1, hit, alarm)
        return (torch.rand(len(group), generator=generator) < chance).long(), labels, group, len(sizes)

    def shuffled(predicted, labels, group, groups):
        order = torch.randperm(len(group), generator=generator)
        return predicted[order], labels[order], group[order], groups

    yield Case(shuffled(*draw([90, 70, 80, 100])))
    yield Case(shuffled(*draw([50, 60, 70])))
    yield Case(shuffled(*draw([120, 60, 40, 60])))
    predicted, labels, group, groups = draw([40, 60, 50, 50])
    labels[group == 1] = 0
    yield Case(shuffled(predicted, labels, group, groups), edge="a group in which no label is 1")
    predicted, labels, group, groups = draw([50, 45, 60])
    labels[group == 1] = 1
    yield Case(shuffled(predicted, labels, group, groups), edge="a group in which no label is 0")


FAIRNESS_GAPS = Exercise(
    id="06.2",
    title="Three ways to be fair",
    reference=fairness_gaps,
    cases=gap_cases,
    points=4,
    core=3,
    alternatives=(gaps_group_by_group,),
    misconceptions=(
        Misconception(
            predictions_and_labels_swapped,
            "You ask which share of the *predicted* ones has the label 1. That is predictive parity, a fourth "
            "criterion; here the condition is on the labels.",
        ),
        Misconception(
            accuracy_instead,
            "Your first number compares accuracies. Demographic parity does not look at the labels at all: it asks "
            "how often each group is *said* to be 1.",
        ),
        Misconception(
            odds_added,
            "For equalized odds you add both differences. The definition asks for the larger of the two.",
        ),
        Misconception(
            odds_averaged,
            "For equalized odds you take the mean of both differences, in which a large one can hide. The definition "
            "asks for the larger.",
        ),
        Misconception(
            only_false_alarms,
            "Your third number looks only at those whose label is 0. Equalized odds asks for both: labels 0 and 1.",
        ),
        Misconception(
            first_two_groups_only,
            "You compare the first two groups. There may be more, and it is the two farthest apart that count.",
        ),
        Misconception(
            ratios_instead,
            "You compare rates by their ratio. The differences are asked for: 0.10 and 0.05 are 0.05 apart.",
        ),
        Misconception(
            joint_shares,
            "You divide by everybody in the group. Equal opportunity is a rate among those of the group whose label "
            "is 1.",
        ),
        Misconception(
            unknown_counts_as_zero,
            "A rate about which nobody tells became 0, and looks like a huge difference, or like none. What is not "
            "known makes the criterion not known.",
        ),
        Misconception(
            unknown_groups_left_out,
            "A group whose rate is not known is left out, and the others look close together. Here a criterion that "
            "asks for an unknown rate is itself unknown.",
        ),
    ),
)
