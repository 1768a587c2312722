"""How a face is drawn from its attributes: ellipses and bands with soft edges, one over the other.

Coordinates go from -1 to 1, to the right and down; every mask is the share of a pixel that is covered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

if TYPE_CHECKING:
    from course_lib.data.faces import Faces

TRAITS = 16  # numbers for whatever else tells one face from another; their names are in `Look`
SKIN = torch.tensor([[255, 224, 196], [241, 194, 155], [224, 172, 120], [198, 134, 86], [141, 85, 48], [92, 56, 36]])
HAIR = torch.tensor([[104, 70, 40], [205, 170, 110], [160, 110, 60], [60, 40, 26], [20, 16, 14]])
GREY, DARK, WHITE = torch.tensor([199, 199, 204]), torch.tensor([31, 23, 20]), torch.tensor([247, 247, 245])
FRAME, BOARD = torch.tensor([38, 38, 51]), torch.tensor([89, 56, 31])
LIPS, CHEEKS = torch.tensor([0.72, 0.42, 0.42]), torch.tensor([1.08, 0.78, 0.75])  # of the skin's colour
BOOKS = 14  # books side by side on each board


def draw(faces: Faces, size: int) -> Tensor:
    """Return drawings of the faces, uint8 [N, 3, size, size]."""
    look, canvas = Look(faces), Canvas(len(faces), size)
    _draw_background(canvas, look)
    canvas.tilt(look.tilt)
    _draw_body(canvas, look)
    _draw_head(canvas, look)
    _draw_eyes(canvas.crop(-0.5, 0.3), look)
    _draw_age(canvas.crop(-0.45, 0.45), look)
    _draw_mouth(canvas.crop(0.05, 0.75), look)
    _draw_glasses(canvas.crop(-0.25, 0.2), look)
    light = 1 + 0.10 * look.light + 0.16 * look.side * canvas.x
    return (canvas.pixels * light[:, None] + 0.5).clamp_(0, 255.5).to(torch.uint8)


class Look:
    """What the attributes mean for the drawing: lengths, shares and colours, each [N, 1, 1] or [N, 3]."""

    def __init__(self, faces: Faces):
        traits = [trait[:, None, None] for trait in faces.traits.unbind(1)]
        wide, long, hair, brow, jaw, eyes, mouth, smile, shade, lines, grey, nose, fringe, neck, hue, backdrop = traits
        man, age = faces.gender.float()[:, None, None], ((faces.age - 18) / 62)[:, None, None]
        self.age, self.pose, self.tilt = age, 0.10 * faces.pose[:, None, None], 0.12 * faces.tilt[:, None, None]
        self.light, self.side = faces.light[:, None, None], faces.side[:, None, None]
        self.glasses, self.shelf = faces.glasses.float()[:, None, None], faces.background.float()[:, None, None]
        # A smile is more or less of one, and a face without one is seldom without any expression.
        self.smile = torch.where(faces.smile[:, None, None], 0.80 + 0.20 * smile, 0.08 + 0.17 * smile).clamp(-0.4, 1.3)
        # How a face is drawn as a woman's or a man's: each a little, and all with as much chance.
        self.hair_length = (0.95 - 0.62 * man + 0.28 * hair).clamp(0, 1.3)
        self.jaw = 0.12 * (man - 0.5) + 0.07 * jaw
        self.brow = (0.024 + 0.013 * man + 0.010 * brow).clamp(min=0.012)
        self.neck = 0.22 + 0.04 * man + 0.03 * neck
        self.width, self.height = 0.58 + 0.04 * wide + 0.02 * man, 0.72 + 0.035 * long
        self.hairline = -0.44 + 0.08 * fringe - 0.06 * age * man
        self.eyes, self.mouth, self.nose = 0.24 + 0.02 * eyes, 0.24 + 0.02 * mouth, 0.065 + 0.008 * nose
        # Age is drawn as lines, grey hair and smaller eyes; not everybody ages alike.
        self.lines, self.grey = 0.16 * lines, ((age - 0.45) * 1.9 + 0.22 * grey).clamp(0, 1)
        self._choose_colours(faces.skin, shade[:, :, 0], hue[:, :, 0], backdrop[:, :, 0])
        self.traits = faces.traits

    def _choose_colours(self, skin: Tensor, shade: Tensor, hue: Tensor, backdrop: Tensor) -> None:
        self.skin = between(SKIN, skin) * (1 + 0.06 * shade).clamp(0.85, 1.12)
        self.hair = between(HAIR, (0.25 * hue[:, 0] + 0.15 + 0.7 * skin).clamp(0, 1))
        self.hair = self.hair + self.grey[:, :, 0] * (GREY - self.hair)
        warm = (0.5 + 0.25 * backdrop).clamp(0, 1)
        self.wall = torch.cat([150 + 70 * warm, 190 - 30 * warm, 200 - 60 * warm], 1)
        self.shirt = torch.cat([60 + 110 * (1 - warm), 80 + 60 * warm, 110 + 50 * (1 - warm)], 1)

    def lined(self, early: float, steep: float = 1.25) -> Tensor:
        """How deep a line is, 0 to 1, that begins at ``early`` (a share of the years from 18 to 80)."""
        return (steep * (self.age - early) + self.lines).clamp(0, 1)


def between(table: Tensor, t: Tensor) -> Tensor:
    """Return the colour [N, 3] at ``t`` [N], 0 to 1, along a table of colours."""
    place = t * (len(table) - 1)
    low = place.long().clamp(max=len(table) - 2)
    return table[low] + (place - low)[:, None] * (table[low + 1] - table[low])


class Canvas:
    """Pixels float [N, 3, H, W], 0 to 255, and where they are: x, y [N or 1, H, W]."""

    def __init__(self, n: int, size: int):
        self.pixel = 2 / size
        place = (torch.arange(size) + 0.5) * self.pixel - 1
        self.x, self.y = place[None, None, :], place[None, :, None]
        self.pixels = torch.zeros(n, 3, size, size)

    def tilt(self, slope: Tensor) -> None:
        """Turn the head: from here on, x and y are along its own axes (a shear both ways; no sine needed)."""
        self.x, self.y = self.x - slope * self.y, self.y + slope * self.x

    def crop(self, top: float, bottom: float) -> Self:
        """Return the rows around ``top`` to ``bottom`` as a canvas; whatever is painted there shows in this one."""
        size = self.pixels.shape[2]
        first, last = (round((edge + 1) / self.pixel) for edge in (top - 0.12, bottom + 0.12))  # tilted heads, too
        part = object.__new__(type(self))
        rows = slice(max(first, 0), min(last, size))
        part.pixel, part.pixels = self.pixel, self.pixels[:, :, rows]
        part.x, part.y = self.x[:, rows], self.y[:, rows]
        return part

    def soft(self, distance: Tensor) -> Tensor:
        """Return the covered share for a signed distance, positive inside."""
        return (distance / self.pixel + 0.5).clamp_(0, 1)

    def ellipse(self, x: Tensor | float, y: Tensor | float, wide: Tensor | float, high: Tensor | float) -> Tensor:
        """Return the mask of an ellipse around (x, y) with these half-axes."""
        radius = (((self.x - x) / wide).square() + ((self.y - y) / high).square()).sqrt()
        least = torch.minimum(torch.as_tensor(wide), torch.as_tensor(high))
        return self.soft((1 - radius) * least)

    def paint(self, mask: Tensor, colour: Tensor) -> None:
        """Lay a colour, [3] or [N, 3], over the pixels, as far as the mask covers them."""
        colour = colour[..., None, None] if colour.dim() == 2 else colour[None, :, None, None]
        self.pixels += (colour - self.pixels).mul_(mask[:, None])


def _draw_background(canvas: Canvas, look: Look) -> None:
    canvas.pixels[:] = look.wall[:, :, None, None]
    if not bool(look.shelf.any()):
        return
    size = canvas.pixels.shape[3]
    book = torch.arange(size) * BOOKS // size
    tone = (look.traits.abs() * 3 % 1)[:, book]  # [N, W]: as good as random, and always the same for a face
    books = torch.stack([90 + 110 * tone, 70 + 50 * (1 - tone), 60 + 70 * (tone * 5 % 1)], 1)[:, :, None, :]
    gap = 1 - 0.45 * (book != book.roll(1)).float()
    board = (canvas.y.abs() * 2.6 % 1 < 0.12).float()
    shelf = books * gap + board[:, None] * (BOARD[None, :, None, None] - books * gap)
    canvas.pixels += look.shelf[:, None] * (shelf - canvas.pixels)


def _draw_body(canvas: Canvas, look: Look) -> None:
    long = look.hair_length
    back = canvas.ellipse(0.0, 0.30 * long - 0.05, look.width + 0.16, 0.72 + 0.28 * long)
    canvas.paint(back * (long > 0.25).float(), look.hair)
    canvas.paint(canvas.ellipse(0.0, 0.80, look.neck, 0.35), 0.88 * look.skin)
    canvas.paint(canvas.ellipse(0.0, 1.30, 0.92, 0.48), look.shirt)


def _draw_head(canvas: Canvas, look: Look) -> None:
    wide = look.width * (1 - (0.30 - look.jaw) * canvas.y.clamp(min=0).square())  # narrower towards the chin
    canvas.paint(canvas.ellipse(0.0, 0.06, wide, look.height), look.skin)
    cap = canvas.ellipse(0.0, -0.08, look.width + 0.09, look.height + 0.02)
    above = canvas.soft(look.hairline + 0.25 * canvas.x.square() - canvas.y)
    canvas.paint(cap * above, look.hair)
    nose = canvas.crop(0.05, 0.30)
    nose.paint(0.5 * nose.ellipse(1.5 * look.pose, 0.17, look.nose, 0.075), 0.72 * look.skin)


def _draw_eyes(canvas: Canvas, look: Look) -> None:
    high = 0.075 - 0.018 * look.smile - 0.012 * look.age  # a real smile narrows the eyes
    for side in (-1, 1):
        x = side * look.eyes + look.pose
        canvas.paint(canvas.ellipse(x, -0.02, 0.105, high), WHITE)
        canvas.paint(canvas.ellipse(x + 0.25 * look.pose, -0.02, 0.05, (high + 0.01).clamp(max=0.06)), DARK)
        arch = canvas.ellipse(x, -0.175 - 0.01 * look.smile, 0.15, look.brow)
        canvas.paint(arch, 0.75 * look.hair)


def _draw_age(canvas: Canvas, look: Look) -> None:
    line = 0.60 * look.skin
    for side in (-1, 1):
        x = side * look.eyes + look.pose
        canvas.paint(0.7 * canvas.ellipse(x, 0.105, 0.11, 0.020) * look.lined(0.25), line)  # bags under the eyes
        canvas.paint(0.8 * canvas.ellipse(x + side * 0.19, 0.02, 0.05, 0.018) * look.lined(0.20), line)
        fold = canvas.soft(0.016 - (canvas.x - look.pose - side * (0.27 + 0.12 * (canvas.y - 0.3))).abs())
        fold = fold * canvas.soft(0.12 - (canvas.y - 0.30).abs())
        canvas.paint(0.6 * fold * look.lined(0.20), line)
    for row, begins in ((-0.26, 0.30), (-0.335, 0.45)):
        canvas.paint(0.75 * canvas.ellipse(look.pose, row, 0.26, 0.016) * look.lined(begins, 1.5), line)


def _draw_mouth(canvas: Canvas, look: Look) -> None:
    for side in (-1, 1):
        cheek = canvas.ellipse(side * 0.36 + look.pose, 0.24, 0.15, 0.12)
        canvas.paint(0.30 * cheek * look.smile.clamp(0, 1), look.skin * CHEEKS)
    across = (canvas.x - look.pose) / (look.mouth + 0.05 * look.smile)
    middle = 0.40 - 0.16 * look.smile * (across.square() - 0.5)  # a parabola, its ends up in a smile
    inside = canvas.soft((1 - across.abs()) * look.mouth)
    thick = 0.026 + 0.030 * look.smile.clamp(min=0) * (1 - across.square()).clamp(min=0)
    off = (canvas.y - middle).abs()
    canvas.paint(canvas.soft(thick - off) * inside, look.skin * LIPS)
    canvas.paint(canvas.soft(0.45 * thick - off) * inside * (1.6 * look.smile - 0.6).clamp(0, 0.95), WHITE)


def _draw_glasses(canvas: Canvas, look: Look) -> None:
    for side in (-1, 1):
        x = (canvas.x - side * look.eyes - look.pose) / 0.165
        radius = (x.square() + ((canvas.y + 0.02) / 0.135).square()).sqrt()
        canvas.paint(canvas.soft(0.016 - 0.14 * (radius - 1).abs()) * look.glasses, FRAME)
    bridge = canvas.soft(0.02 - (canvas.y + 0.04).abs()) * canvas.soft(0.07 - (canvas.x - look.pose).abs())
    canvas.paint(bridge * look.glasses, FRAME)
