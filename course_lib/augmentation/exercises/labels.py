"""03.2: which digits keep their label when they are turned."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def turned_labels(labels, angle, *, limit=30):
    """Return the label that each digit has after it was turned.

    labels: int64 [B], digits 0 to 9; angle: float [B], in degrees, counter-clockwise; any number, also negative
    and beyond a full turn.
    Returns int64 [B]: the old label, a new one, or -1 for what is no digit any more.
    """
    off = ((angle + 180) % 360 - 180).abs()  # 0: upright, 180: upside down
    upside_down = torch.tensor([0, 1, 2, -1, -1, 5, 9, -1, 8, 6])[labels]
    turned = torch.where(off <= limit, labels, -1)
    return torch.where(180 - off <= limit, upside_down, turned)


def turned_one_by_one(labels, angle, *, limit=30):
    found = torch.full_like(labels, -1)
    for i, (label, degrees) in enumerate(zip(labels.tolist(), (angle % 360).tolist(), strict=True)):
        if degrees <= limit or degrees >= 360 - limit:
            found[i] = label
        elif 180 - limit <= degrees <= 180 + limit:
            found[i] = {0: 0, 1: 1, 2: 2, 5: 5, 8: 8, 6: 9, 9: 6}.get(label, -1)
    return found


def _read(labels, upright, turned, upside_down=(0, 1, 2, -1, -1, 5, 9, -1, 8, 6)):
    found = torch.where(upright, labels, -1)
    return torch.where(turned, torch.tensor(upside_down)[labels], found)


def _off(angle):
    return ((angle + 180) % 360 - 180).abs()


def full_turns_forgotten(labels, angle, *, limit=30):
    return _read(labels, angle.abs() <= limit, (angle.abs() - 180).abs() <= limit)


def only_one_direction(labels, angle, *, limit=30):
    angle = angle % 360
    return _read(labels, angle <= limit, (angle >= 180) & (angle <= 180 + limit))


def six_stays_six(labels, angle, *, limit=30):
    return _read(labels, _off(angle) <= limit, 180 - _off(angle) <= limit, (0, 1, 2, -1, -1, 5, 6, -1, 8, 9))


def six_and_nine_are_lost(labels, angle, *, limit=30):
    return _read(labels, _off(angle) <= limit, 180 - _off(angle) <= limit, (0, 1, 2, -1, -1, 5, -1, -1, 8, -1))


def upside_down_is_lost(labels, angle, *, limit=30):
    return torch.where(_off(angle) <= limit, labels, -1)


def every_digit_upside_down(labels, angle, *, limit=30):
    return _read(labels, _off(angle) <= limit, 180 - _off(angle) <= limit, (0, 1, 2, 3, 4, 5, 9, 7, 8, 6))


def round_digits_at_any_angle(labels, angle, *, limit=30):
    found = turned_labels(labels, angle, limit=limit)
    return torch.where((labels == 0) | (labels == 8), labels, found)


def angles_in_radians(labels, angle, *, limit=30):
    return turned_labels(labels, torch.rad2deg(angle), limit=limit)


def the_limit_itself_left_out(labels, angle, *, limit=30):
    return _read(labels, _off(angle) < limit, 180 - _off(angle) < limit)


def label_cases(generator, *, limit):
    def draw(turns):
        labels = torch.arange(10).repeat(8)
        # upright, upside down, and in between; on both sides, and near the limit
        small = torch.rand(10, generator=generator) * (limit - 2) + 0.5
        far = limit + 1.5 + torch.rand(10, generator=generator) * (174 - 2 * limit)
        parts = [small, -small.flip(0), 180 - small, 180 + small.roll(3), far, -far, limit - 0.5 * torch.ones(10)]
        angle = torch.cat([*parts, limit + 0.5 * torch.ones(10)])
        order = torch.randperm(len(labels), generator=generator)
        return labels[order], (angle + 360 * torch.randint(-turns, turns + 1, (80,), generator=generator))[order]

    yield Case(draw(0))
    yield Case(draw(2))
    labels = torch.arange(10)[torch.randperm(10, generator=generator)]
    yield Case((labels, torch.full((10,), 180.0)))
    signs = torch.tensor([1.0, -1.0]).repeat(5)
    yield Case((labels, signs * limit), edge="an angle exactly at the limit")


def label_numbers(generator):
    return {"limit": int(torch.randint(15, 61, (), generator=generator))}


TURNED_LABELS = Exercise(
    id="03.2",
    title="What a turned digit is",
    reference=turned_labels,
    cases=label_cases,
    points=4,
    core=3,
    numbers=label_numbers,
    told={"limit": "how many degrees a digit may be off"},
    alternatives=(turned_one_by_one,),
    misconceptions=(
        Misconception(
            full_turns_forgotten,
            "A full turn changes nothing, but with yours a digit is lost after it. Bring every angle into one turn "
            "first (`%` helps).",
        ),
        Misconception(
            only_one_direction,
            "Your digits may lean to one side only. After `%` a small turn clockwise is an angle just below a full "
            "turn: how far is that from upright?",
        ),
        Misconception(
            six_stays_six,
            "Turn the page upside down and read again: what was a six is another digit now, and so is what was a "
            "nine. Keeping the old label would teach the network something false.",
        ),
        Misconception(
            six_and_nine_are_lost,
            "You give up the six and the nine where they are upside down. Turn the page: they are still digits, only "
            "not the same ones.",
        ),
        Misconception(
            upside_down_is_lost,
            "Nothing upside down is a digit in your answer. The text names those that can be read that way, two "
            "of them as another one.",
        ),
        Misconception(
            every_digit_upside_down,
            "You let every digit be read upside down. The text names those that can; the others are none any more.",
        ),
        Misconception(
            round_digits_at_any_angle,
            "You let round digits keep their label at every angle. Here each digit, also the round ones, counts only "
            "near upright or near upside down.",
        ),
        Misconception(
            angles_in_radians,
            "You read the angles as radians. They are in degrees: no conversion is needed to compare them.",
        ),
        Misconception(
            the_limit_itself_left_out,
            "An angle exactly at the limit still counts: *at most* that many degrees. Look at your comparison.",
        ),
    ),
)
