"""07.2: MMD and IOSM from what two models get right."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def group_gaps(right, right_standard, majority, *, least=10):
    """Return the MMD of each variable and the IOSM of each group.

    right, right_standard: bool [N], which images a method and the standard model get right; majority: bool
    [N, V], which images belong to the majority of each variable.
    Returns two float tensors: MMD, [V], and IOSM, [V, 2] (majority, minority). Where a group is too small to
    tell, what depends on it is NaN.
    """
    groups = torch.stack([majority, ~majority], dim=2)  # [N, V, 2]
    n = groups.sum(0)

    def accuracy(right):
        share = (groups & right[:, None, None]).sum(0) / n
        return share.where(n >= least, torch.nan)

    mmd = accuracy(right)[:, 0] - accuracy(right)[:, 1]
    return mmd, accuracy(right) - accuracy(right_standard)


def gaps_in_a_loop(right, right_standard, majority, *, least=10):
    mmd, iosm = [], []
    for column in majority.T:
        pair = []
        for group in (column, ~column):
            enough = group.sum() >= least
            pair.append(
                [r[group].float().mean() if enough else torch.tensor(torch.nan) for r in (right, right_standard)]
            )
        mmd.append(pair[0][0] - pair[1][0])
        iosm.append(torch.stack([ours - theirs for ours, theirs in pair]))
    return torch.stack(mmd), torch.stack(iosm)


def majority_and_minority_swapped(right, right_standard, majority, *, least=10):
    return group_gaps(right, right_standard, ~majority, least=least)


def share_of_all_images(right, right_standard, majority, *, least=10):
    groups = torch.stack([majority, ~majority], dim=2)
    n = groups.sum(0)
    ours, theirs = (
        (groups & r[:, None, None]).float().mean(0).where(n >= least, torch.nan) for r in (right, right_standard)
    )
    return ours[:, 0] - ours[:, 1], ours - theirs


def standard_minus_method(right, right_standard, majority, *, least=10):
    mmd, iosm = group_gaps(right, right_standard, majority, least=least)
    return mmd, -iosm


def relative_improvement(right, right_standard, majority, *, least=10):
    mmd, iosm = group_gaps(right, right_standard, majority, least=least)
    groups = torch.stack([majority, ~majority], dim=2)
    return mmd, iosm / ((groups & right_standard[:, None, None]).sum(0) / groups.sum(0))


def absolute_gap(right, right_standard, majority, *, least=10):
    mmd, iosm = group_gaps(right, right_standard, majority, least=least)
    return mmd.abs(), iosm


def gap_of_the_standard_model(right, right_standard, majority, *, least=10):
    return group_gaps(right_standard, right_standard, majority, least=least)[0], group_gaps(
        right, right_standard, majority, least=least
    )[1]


def small_groups_not_marked(right, right_standard, majority, *, least=10):
    return group_gaps(right, right_standard, majority, least=1)


def small_groups_are_zero(right, right_standard, majority, *, least=10):
    return tuple(value.nan_to_num(0) for value in group_gaps(right, right_standard, majority, least=least))


def one_image_too_strict(right, right_standard, majority, *, least=10):
    return group_gaps(right, right_standard, majority, least=least + 1)


def gaps_cases(generator, *, least=10):
    def draw(n, shares, first=None):
        right, standard = torch.rand(n, generator=generator) < 0.7, torch.rand(n, generator=generator) < 0.55
        majority = torch.rand(n, len(shares), generator=generator) < torch.tensor(shares)
        if first is not None:  # the first variable's majority has just this many images
            majority[:, 0] = torch.arange(n) < first
        return right, standard, majority

    yield Case(draw(500, [0.3, 0.5, 0.8, 0.4, 0.6, 0.5, 0.3]))
    yield Case(draw(300, [0.5, 0.3, 0.7]))
    yield Case(draw(200, [0.4]))
    yield Case(draw(300, [0.5, 0.5, 0.5], first=least - 1), edge="a group with too few images")
    yield Case(draw(300, [0.5, 0.5, 0.5], first=least), edge=f"a group with just {least} images")
    yield Case(draw(300, [0.5, 0.5], first=300), edge="a group without images")


def gaps_numbers(generator):
    return {"least": int(torch.randint(5, 31, (), generator=generator))}


GROUP_GAPS = Exercise(
    id="07.2",
    title="MMD and IOSM",
    reference=group_gaps,
    cases=gaps_cases,
    points=4,
    core=3,
    numbers=gaps_numbers,
    told={"least": "images that a group must have at least"},
    alternatives=(gaps_in_a_loop,),
    misconceptions=(
        Misconception(
            majority_and_minority_swapped,
            "Majority and minority are swapped: the MMD is positive where a network does better when the shortcut "
            "works.",
        ),
        Misconception(
            share_of_all_images,
            "You divide by the number of all images. An accuracy is a share of its own group: of the minority's "
            "images, how many are right?",
        ),
        Misconception(
            standard_minus_method,
            "The MMD is right. The sign of the IOSM is not: an *improvement over* the standard model is positive where "
            "the method is better.",
        ),
        Misconception(
            relative_improvement,
            "The MMD is right. Your IOSM is a relative improvement (divided by the standard model's accuracy); it is "
            "defined as a difference of two accuracies.",
        ),
        Misconception(
            absolute_gap,
            "The IOSM is right. The MMD keeps its sign: it is negative for a network that does better on the minority, "
            "and that is worth knowing.",
        ),
        Misconception(
            gap_of_the_standard_model,
            "The IOSM is right. The MMD is asked of the method, and yours is the standard model's.",
        ),
        Misconception(
            small_groups_not_marked,
            "A group of a handful of images has some accuracy, but it is mostly chance. The text says from how many "
            "images on a group counts; below that, answer NaN.",
        ),
        Misconception(
            small_groups_are_zero,
            "0 says 'no difference', and you cannot know that of a group that is too small. NaN says 'not known'.",
        ),
        Misconception(
            one_image_too_strict,
            "A group with exactly as many images as the text asks for is large enough: look at your comparison.",
        ),
    ),
)
