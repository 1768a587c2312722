"""07.1: sample a bias variable."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.plain import Seed
from course_lib.grading.sheet import Case
from course_lib.mitigation import trials


def sample_position(labels, strength, generator, *, own=(0, 1, 2, 3, 4, 5, 6, 7, 8, 4)):
    """Draw the cell in which each digit lies: with probability ``strength`` its own cell, else another one.

    labels: digits 0 to 9, an int64 tensor [N]; strength: a number from 0 to 1; generator: a torch.Generator.
    Returns cells 0 to 8, an int64 tensor [N]. The eight other cells are equally likely.
    """
    own_cell = torch.tensor(own)[labels]
    biased = torch.rand(len(labels), generator=generator) < strength
    other = torch.randint(0, 8, labels.shape, generator=generator)
    other = other + (other >= own_cell)  # count past the own cell
    return torch.where(biased, own_cell, other)


def position_by_turning(labels, strength, generator, *, own):
    own_cell = torch.tensor(own)[labels]
    steps = torch.randint(1, 9, (len(labels),), generator=generator)
    steps[torch.rand(len(labels), generator=generator) < strength] = 0
    return (own_cell + steps) % 9


def position_by_multinomial(labels, strength, generator, *, own):
    table = torch.full((10, 9), (1 - strength) / 8)
    table[torch.arange(10), torch.tensor(own)] = strength
    if not len(labels):
        return torch.zeros(0, dtype=torch.int64)
    return torch.multinomial(table[labels], 1, generator=generator)[:, 0]


def other_may_be_own(labels, strength, generator, *, own):
    biased = torch.rand(len(labels), generator=generator) < strength
    other = torch.randint(0, 9, labels.shape, generator=generator)
    return torch.where(biased, torch.tensor(own)[labels], other)


def own_is_label_modulo_9(labels, strength, generator, *, own):
    return sample_position(labels, strength, generator, own=tuple(c % 9 for c in range(10)))


def one_draw_for_all(labels, strength, generator, *, own):
    own_cell = torch.tensor(own)[labels]
    if torch.rand(1, generator=generator) < strength:
        return own_cell
    other = torch.randint(0, 8, labels.shape, generator=generator)
    return other + (other >= own_cell)


def always_the_next_cell(labels, strength, generator, *, own):
    own_cell = torch.tensor(own)[labels]
    biased = torch.rand(len(labels), generator=generator) < strength
    return torch.where(biased, own_cell, (own_cell + 1) % 9)


def strength_upside_down(labels, strength, generator, *, own):
    return sample_position(labels, 1 - strength, generator, own=own)


def position_cases(generator, *, own):
    labels = torch.arange(10).repeat(2000)
    seeds = torch.randint(2**31, (5,), generator=generator).tolist()
    yield Case((labels, 0.6, Seed(seeds[0])))
    yield Case((labels, 0.6, Seed(seeds[0])))  # the same again: must be answered equally
    yield Case((labels, 0.0, Seed(seeds[1])))
    yield Case((labels, float(torch.rand((), generator=generator)) * 0.4 + 0.2, Seed(seeds[2])))
    yield Case((labels, 1.0, Seed(seeds[3])))
    yield Case((labels[:0], 0.5, Seed(seeds[4])), edge="an empty batch")


def position_numbers(generator):
    cells = torch.randperm(9, generator=generator).tolist()
    return {"own": (*cells, cells[int(torch.randint(9, (), generator=generator))])}


SAMPLE_POSITION = Exercise(
    id="07.1",
    title="Sample a bias variable",
    reference=sample_position,
    cases=position_cases,
    points=3,
    core=2,
    summary=trials.cell_shares,
    rtol=0,
    atol=0.075,  # two shares of 2,000 draws differ by more less than once in 400,000 times
    numbers=position_numbers,
    told={"own": "the own cells of digits 0 to 9"},
    alternatives=(position_by_turning, position_by_multinomial),
    misconceptions=(
        Misconception(
            other_may_be_own,
            "Set the strength to 0: now no digit may lie in its own cell, and yours still do, one in nine times. "
            "How many *other* cells are there to choose from?",
        ),
        Misconception(
            own_is_label_modulo_9,
            "Not every digit's own cell is where you put it. Go through the ten own cells that the text names, "
            "and mind that there are ten digits and only nine cells.",
        ),
        Misconception(
            one_draw_for_all,
            "In your batch either all digits lie in their own cells or none does: the coin is tossed once for the "
            "whole batch. Toss one for each image.",
        ),
        Misconception(
            always_the_next_cell,
            "The digits that are not in their own cell all go to the same other one, so that one gives the label away "
            "just as well. The eight others must be equally likely.",
        ),
        Misconception(
            strength_upside_down,
            "At strength 1 every digit lies in its own cell; with yours it is at strength 0. Look at the direction of "
            "the comparison with `strength`.",
        ),
    ),
)
