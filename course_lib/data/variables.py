"""The seven variables of Biased MNIST: their values, which of them is a digit's own, and their colours."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from course_lib.data.shapes import GLYPHS, SHAPES


@dataclass(frozen=True)
class Variable:
    """One of the seven bias variables: its human title and the names of its values, in order."""

    title: str
    values: tuple[str, ...]

    @property
    def size(self) -> int:
        """The number of values: 10, and 9 for the position."""
        return len(self.values)


_COLORS = (
    "red", "green", "blue", "yellow", "cyan", "magenta", "lime", "violet", "azure", "spring green",
)  # fmt: skip
_PLACES = tuple(f"{row} {column}" for row in ("top", "middle", "bottom") for column in ("left", "middle", "right"))

VARIABLES: dict[str, Variable] = {
    "background_color": Variable("background colour", tuple(f"dark opposite of {color}" for color in _COLORS)),
    "digit_color": Variable("digit colour", _COLORS),
    "digit_position": Variable("digit position", _PLACES),
    "distractor_shape": Variable("distractor shape", tuple(SHAPES)),
    "distractor_color": Variable("distractor colour", _COLORS[::-1]),
    "texture_pattern": Variable("texture pattern", tuple(GLYPHS)),
    "texture_color": Variable("texture colour", tuple(f"opposite of {color}" for color in _COLORS)),
}

SIZES = torch.tensor([variable.size for variable in VARIABLES.values()])

# The value that co-occurs with each digit, [10 digits, 7 variables]: the digit itself, except that digit 9
# finds only nine positions and shares the middle one with digit 4.
OWN = torch.arange(10)[:, None].repeat(1, len(VARIABLES))
OWN[9, list(VARIABLES).index("digit_position")] = 4

# RGB of the digit for each of its ten colours; the colours of everything else follow from them.
DIGIT_COLORS = torch.tensor(
    [
        (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255),
        (255, 0, 255), (128, 255, 0), (128, 0, 255), (0, 128, 255), (0, 255, 128),
    ],
    dtype=torch.uint8,
)  # fmt: skip
TEXTURE_COLORS = 255 - DIGIT_COLORS
BACKGROUND_COLORS = (255 - DIGIT_COLORS) // 4
DISTRACTOR_COLORS = DIGIT_COLORS.flip(0)
