"""06.5: the most accurate answer to a noisy cue, and whom it gets wrong."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def best_answers(joint, likelihood):
    """Return the most probable label for each group and cue, and how often that is right by group and label.

    joint: float [A, Y], the probability P(a, y) that a face is of group a and has label y; likelihood: float
    [X, Y], the probability P(x | y) that a face with label y shows cue x, the same in all groups.
    Returns int64 [A, X], the labels, and float [A, Y], the share of the faces of group a and label y for which
    they are right; NaN for a label that the group never has.
    """
    labels = (joint[:, None] * likelihood).argmax(2)
    said = torch.arange(joint.shape[1]) == labels[..., None]
    right = (said * likelihood).sum(1)
    return labels, right.where(joint > 0, torch.nan)


def answers_in_a_loop(joint, likelihood):
    groups, classes = joint.shape
    labels = torch.empty(groups, len(likelihood), dtype=torch.int64)
    right = torch.zeros(groups, classes)
    for a in range(groups):
        for x, seen in enumerate(likelihood):
            evidence = seen.log() + joint[a].log()
            labels[a, x] = evidence.argmax()
            right[a, labels[a, x]] += seen[labels[a, x]]
    right[joint == 0] = torch.nan
    return labels, right


def _shares(labels, joint, likelihood):
    """How often labels [A, X] are right, by group and label."""
    said = torch.nn.functional.one_hot(labels, joint.shape[1])
    return (said * likelihood).sum(1).masked_fill(joint == 0, torch.nan)


def _answered_with(prior, joint, likelihood):
    labels = (prior[:, None] * likelihood).argmax(2)
    return labels, _shares(labels, joint, likelihood)


def group_not_looked_at(joint, likelihood):
    return _answered_with(joint.sum(0).expand_as(joint), joint, likelihood)


def cue_alone(joint, likelihood):
    return _answered_with(torch.ones_like(joint), joint, likelihood)


def table_alone(joint, likelihood):
    labels = joint.argmax(1)[:, None].repeat(1, len(likelihood))
    return labels, _shares(labels, joint, likelihood)


def table_divided_by_the_labels(joint, likelihood):
    return _answered_with(joint / joint.sum(0), joint, likelihood)


def joint_probabilities(joint, likelihood):
    labels, right = best_answers(joint, likelihood)
    return labels, right * joint


def every_cue_alike(joint, likelihood):
    labels, _ = best_answers(joint, likelihood)
    return labels, _shares(labels, joint, torch.full_like(likelihood, 1 / len(likelihood)))


def right_among_the_answers(joint, likelihood):
    labels, right = best_answers(joint, likelihood)
    said = torch.nn.functional.one_hot(labels, joint.shape[1]).float()
    often = (said * (joint[:, None] * likelihood).sum(2, keepdim=True)).sum(1)
    return labels, right * joint / often.clamp(min=1e-9)


def never_seen_is_never_right(joint, likelihood):
    labels, right = best_answers(joint, likelihood)
    return labels, right.nan_to_num(0.0)


def bayes_cases(generator):
    def draw(groups, cues, classes):
        joint = torch.rand(groups, classes, generator=generator) ** 2 + 0.02
        likelihood = torch.rand(cues, classes, generator=generator) ** 2 + 0.02
        return joint / joint.sum(), likelihood / likelihood.sum(0)

    def tells(joint, likelihood):
        """Whether no two labels are nearly alike anywhere, and each way to decide gives other answers."""
        top = (joint[:, None] * likelihood).topk(2).values
        ways = (best_answers, group_not_looked_at, cue_alone, table_alone, table_divided_by_the_labels)
        return bool((top[..., 0] > 1.1 * top[..., 1]).all()) and len({str(w(joint, likelihood)[0]) for w in ways}) == 5

    def find(groups, cues, classes, never=False):
        while True:
            joint, likelihood = draw(groups, cues, classes)
            if never:
                joint[0, -1] = 0
                joint = joint / joint.sum()
            if tells(joint, likelihood):
                return joint, likelihood

    yield Case(find(2, 5, 2))
    yield Case(find(3, 6, 2))
    yield Case(find(2, 6, 3))
    yield Case(find(2, 5, 3, never=True), edge="a label that a group never has")


BEST_ANSWERS = Exercise(
    id="06.5",
    title="The most accurate answer",
    reference=best_answers,
    cases=bayes_cases,
    points=4,
    core=3,
    alternatives=(answers_in_a_loop,),
    misconceptions=(
        Misconception(
            group_not_looked_at,
            "You weigh the cue with how common each label is among everybody. Whoever also knows the group, and "
            "counts right answers, uses more of the table than its sums.",
        ),
        Misconception(
            cue_alone,
            "You answer with the label under which the cue is most likely. That is best only where all labels are "
            "equally common.",
        ),
        Misconception(
            table_alone,
            "You answer by the group alone, whatever the cue says. Both count: what do you do with two probabilities "
            "that must hold together?",
        ),
        Misconception(
            table_divided_by_the_labels,
            "You use how common a group is within each label. That leaves out how common the label itself is.",
        ),
        Misconception(
            joint_probabilities,
            "Your answers are right. The second table is how often a face is of this group and label *and* is read "
            "right; asked for is the share *among* the faces of this group and label.",
        ),
        Misconception(
            every_cue_alike,
            "Your answers are right. But not every cue is equally common among the faces of a label, so for the shares "
            "the cues must not all count the same.",
        ),
        Misconception(
            right_among_the_answers,
            "Your answers are right. Your shares are among those who are *said* to have the label; asked for is the "
            "share among those who have it.",
        ),
        Misconception(
            never_seen_is_never_right,
            "A label that a group never has gets the share 0 from you. There is nobody whom one could get wrong.",
        ),
    ),
)
