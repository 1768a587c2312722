"""04.4: choose the regime for a budget of labels, graded by training with it."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case, Trial
from course_lib.transfer import trials


def choose_regime(labels):
    """Choose for each number of labels how a network starts, what of it is trained, and how fast.

    labels: int64 [N], how many labelled faces there are to learn smiles from, 10 to 500.
    Returns float [N, 3], a row for each: how many of the four layers are taken from the trunk, and how many are kept
    as they are (both 0 to 4, from the first layer on; what is not taken starts at random), and the learning rate,
    above 0 and at most 1.
    """
    # All four layers help, and none of them is quite what smiles need: take all, train all, gently.
    return torch.tensor([4, 0, 3e-3]).repeat(len(labels), 1)


def gently_but_faster(labels):
    rows = [(4, 0, 0.01) for _ in labels.tolist()]
    return torch.tensor(rows)


def _always(labels, *row):
    return torch.tensor([float(value) for value in row]).expand(len(labels), 3).clone()


def always_from_scratch(labels):
    return _always(labels, 0, 0, 1e-2)


def always_frozen(labels):
    return _always(labels, 4, 4, 3e-2)


def frozen_with_few_scratch_with_many(labels):
    few = (labels < 100)[:, None]
    return torch.where(few, always_frozen(labels), always_from_scratch(labels))


def frozen_without_being_taken(labels):
    return _always(labels, 0, 4, 3e-2)


def far_too_slow(labels):
    return _always(labels, 4, 0, 1e-5)


def regime_cases(generator):
    for n in (4, 7, 5):
        below, above = torch.randint(10, 100, (n - 2,), generator=generator), torch.tensor([100, 500])
        yield Case((torch.cat([below, above])[torch.randperm(n, generator=generator)],))


REGIME = Exercise(
    id="04.4",
    title="Choose the regime",
    reference=choose_regime,
    cases=regime_cases,
    points=4,
    core=0,
    trial=Trial(
        score=trials.mean_accuracy,
        threshold=0.79,
        told="With 40, 80 and 160 labels your regimes reach a mean accuracy of {score:.3f}; {threshold:.2f} is needed.",
        hint="Look at the curves over the number of labels: which regime is on top there, and at which learning rate?",
    ),
    alternatives=(gently_but_faster,),
    misconceptions=(
        Misconception(
            always_from_scratch,
            "You take nothing over. With so few labels a network that starts at random learns the faces by heart, and "
            "little about smiles.",
        ),
        Misconception(
            always_frozen,
            "You keep every layer as it is. The trunk was never asked about smiles, so that its features say little "
            "about them, and a head alone cannot make up for it.",
        ),
        Misconception(
            frozen_with_few_scratch_with_many,
            "A rule of thumb, and not what the curves of this lesson say. See which regime is on top at each number of "
            "labels, with these tasks.",
        ),
        Misconception(
            frozen_without_being_taken,
            "You keep layers that were never trained: the head is given random features. Taken comes before kept.",
        ),
        Misconception(
            far_too_slow,
            "The layers are the right ones, but at this learning rate they have hardly moved by the end of the "
            "training, and the new head neither.",
        ),
    ),
)
