"""03.1: translate without wrap-around."""

import torch
import torch.nn.functional as F

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def translate(x, dx, dy, *, background=0.1):
    """Return the images, each moved by its own number of pixels, without wrap-around.

    x: float [B, H, W]; dx, dy: int64 [B], how far each image moves to the right and down (negative: to the left
    and up). What leaves the picture is gone, and background comes in.
    Returns float [B, H, W].
    """
    height, width = x.shape[1:]
    from_row = torch.arange(height) - dy[:, None]  # where each row of the answer comes from, in each image
    from_column = torch.arange(width) - dx[:, None]
    row_inside = (from_row >= 0) & (from_row < height)
    column_inside = (from_column >= 0) & (from_column < width)
    image = torch.arange(len(x))[:, None, None]
    moved = x[image, from_row.clamp(0, height - 1)[:, :, None], from_column.clamp(0, width - 1)[:, None, :]]
    return torch.where(row_inside[:, :, None] & column_inside[:, None, :], moved, background)


def cut_from_a_wide_margin(x, dx, dy, *, background=0.1):
    height, width = x.shape[1:]
    wide = F.pad(x, (width, width, height, height), value=background)
    moved = x.clone()
    for i, (right, down) in enumerate(zip(dx.tolist(), dy.tolist(), strict=True)):
        top, left = height - min(max(down, -height), height), width - min(max(right, -width), width)
        moved[i] = wide[i, top : top + height, left : left + width]
    return moved


def it_wraps_around(x, dx, dy, *, background=0.1):
    moved = [torch.roll(image, (int(b), int(a)), (0, 1)) for image, a, b in zip(x, dx, dy, strict=True)]
    return torch.stack(moved) if len(x) else x.clone()


def right_and_down_exchanged(x, dx, dy, *, background=0.1):
    return translate(x, dy, dx, background=background)


def the_other_way(x, dx, dy, *, background=0.1):
    return translate(x, -dx, -dy, background=background)


def up_instead_of_down(x, dx, dy, *, background=0.1):
    return translate(x, dx, -dy, background=background)


def all_like_the_first(x, dx, dy, *, background=0.1):
    return translate(x, dx[:1].expand(len(x)), dy[:1].expand(len(x)), background=background)


def the_edge_is_repeated(x, dx, dy, *, background=0.1):
    height, width = x.shape[1:]
    rows = (torch.arange(height) - dy[:, None]).clamp(0, height - 1)
    columns = (torch.arange(width) - dx[:, None]).clamp(0, width - 1)
    return x[torch.arange(len(x))[:, None, None], rows[:, :, None], columns[:, None, :]]


def black_comes_in(x, dx, dy, *, background=0.1):
    return translate(x, dx, dy, background=0.0)


def slices_that_end_too_early(x, dx, dy, *, background=0.1):
    height, width = x.shape[1:]
    moved = torch.full_like(x, background)
    for i, (a, b) in enumerate(zip(dx.tolist(), dy.tolist(), strict=True)):
        from_rows, to_rows = slice(max(0, -b), height - max(0, b)), slice(max(0, b), height - max(0, -b))
        from_columns, to_columns = slice(max(0, -a), width - max(0, a)), slice(max(0, a), width - max(0, -a))
        moved[i, to_rows, to_columns] = x[i, from_rows, from_columns]
    return moved


def translate_cases(generator, *, background):
    def draw(batch, height, width):
        x = torch.rand(batch, height, width, generator=generator) * 0.4 + 0.6
        dx, dy = torch.randint(1, 4, (2, batch), generator=generator)
        signs = torch.tensor([1, -1]).repeat(batch)[: 2 * batch].view(batch, 2)
        signs = signs[:, torch.randperm(2, generator=generator)]
        dy = torch.where(dx == dy, dy % 3 + 1, dy)
        other = torch.arange(batch) % 2 * 2 - 1  # so that not all move the same way
        return x, dx * signs[:, 0] * other, dy * signs[:, 1]

    yield Case(draw(6, 9, 7))
    yield Case(draw(5, 8, 8))
    yield Case(draw(12, 5, 11))
    x, dx, dy = draw(4, 6, 5)
    yield Case((x, torch.zeros_like(dx), dy))
    x, dx, dy = draw(4, 6, 7)
    yield Case((x, dx + 7 * dx.sign(), dy), edge="moves farther than the picture is wide")
    yield Case(draw(0, 6, 5), edge="an empty batch")


def translate_numbers(generator):
    return {"background": round(0.05 + 0.4 * float(torch.rand((), generator=generator)), 2)}


TRANSLATE = Exercise(
    id="03.1",
    title="Translate without wrap-around",
    reference=translate,
    cases=translate_cases,
    points=5,
    core=4,
    numbers=translate_numbers,
    told={"background": "the value of the background"},
    alternatives=(cut_from_a_wide_margin,),
    misconceptions=(
        Misconception(
            it_wraps_around,
            "What leaves your picture on one side comes back in on the other, as `torch.roll` does it: a digit that "
            "moves to the right must not appear on the left. Background comes in.",
        ),
        Misconception(
            right_and_down_exchanged,
            "You move rows by `dx` and columns by `dy`. The first axis of an image counts rows, so a move along it "
            "goes down.",
        ),
        Misconception(
            the_other_way,
            "Your images move the other way. A pixel of the answer at column c comes from the column that lies `dx` "
            "further to the *left*.",
        ),
        Misconception(
            up_instead_of_down,
            "Left and right are fine, but yours move up where they should move down. Rows are counted from the top, "
            "unlike the y of a diagram.",
        ),
        Misconception(
            all_like_the_first,
            "All your images move like the first one. Each has its own `dx` and `dy`: they are tensors with one number "
            "for each image.",
        ),
        Misconception(
            the_edge_is_repeated,
            "You keep the index inside the picture, which smears the pixels at the edge over what comes in. Background "
            "belongs there, so you must still know which indices lay outside.",
        ),
        Misconception(
            black_comes_in,
            "Black comes into your pictures. The text names another value for the background of these images.",
        ),
        Misconception(
            slices_that_end_too_early,
            "An image that moves farther than it is wide is all background, and yours breaks. Look at the end of your "
            "slice: if it drops below 0, Python counts it from the other end.",
        ),
    ),
)
