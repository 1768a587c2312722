"""Drawing Biased MNIST: from digits and value indices to colour images, many at once.

No image is drawn on its own. Each is four flat colours (background, distractor, texture, digit) and three
masks that say where the upper colours cover the lower ones.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch

from course_lib.data.shapes import GLYPHS, SHAPES, glyph_mask, shape_mask
from course_lib.data.variables import (
    BACKGROUND_COLORS,
    DIGIT_COLORS,
    DISTRACTOR_COLORS,
    SIZES,
    TEXTURE_COLORS,
    VARIABLES,
)
from course_lib.errors import CourseError, require_integer

MIN_CELL, MAX_CELL = 8, 128
CHUNK = 2**21  # bytes of images drawn at a time: few, for a processor's cache
GPU_CHUNK = 2**28  # and many, to keep a GPU busy

LAYERS = {  # what is drawn, from the top to the bottom, and the colours of its values
    "digit_color": DIGIT_COLORS,
    "texture_color": TEXTURE_COLORS,
    "distractor_color": DISTRACTOR_COLORS,
    "background_color": BACKGROUND_COLORS,
}


def require_cell(cell: object) -> int:
    """Return ``cell`` if it is a whole number in 8..128; raise `CourseError` if not."""
    return require_integer("cell", cell, MIN_CELL, MAX_CELL)


def render(images: torch.Tensor, values: torch.Tensor, cell: int) -> torch.Tensor:
    """Draw Biased MNIST images.

    ``images`` are digits, uint8 [N, 28, 28] with ink 255 on 0; ``values`` indices, int64 [N, 7], in the
    order of `biased_mnist.VARIABLES`; ``cell`` is the side of a cell in pixels, 8 to 128. Returns RGB
    images, uint8 [N, 3, 3 * cell, 3 * cell], on the device of ``images``: the same bytes on every one.
    Raises `CourseError` for a wrong shape, type or range. Source: arXiv 2104.00170.

    Taught in: notebook 07.
    """
    cell = require_cell(cell)
    _check(images, values)
    return render_checked(images, values.to(images.device), cell)


def _check(images: torch.Tensor, values: torch.Tensor) -> None:
    _check_tensor("images", images, torch.uint8, ("N", 28, 28))
    _check_tensor("values", values, torch.int64, (len(images), len(SIZES)))
    if ((values < 0) | (values >= SIZES.to(values.device))).any():
        raise CourseError("values must lie in 0..9, and in 0..8 for the digit position.")


def _check_tensor(what: str, tensor: torch.Tensor, dtype: torch.dtype, shape: tuple[str | int, ...]) -> None:
    is_tensor = isinstance(tensor, torch.Tensor)
    size = tuple(tensor.shape) if is_tensor else ()
    if not is_tensor or tensor.dtype != dtype or size != (shape if shape[0] != "N" else size[:1] + shape[1:]):
        found = f"{tensor.dtype} of shape {list(size)}" if is_tensor else f"a {type(tensor).__name__}"
        allowed = ", ".join(map(str, shape))
        raise CourseError(f"{what} must be a tensor of {dtype} and shape [{allowed}]; it was {found}.")


def render_checked(images: torch.Tensor, values: torch.Tensor, cell: int) -> torch.Tensor:
    """Do what `render` does, for input known to be right (no check, so no wait for a GPU)."""
    shape = (len(images), 3, 9 * cell * cell)
    # NumPy asks for huge pages, which makes fresh memory five times cheaper than PyTorch's.
    on_cpu = images.device.type == "cpu"
    out = torch.from_numpy(np.empty(shape, np.uint8)) if on_cpu else images.new_empty(shape)
    chunk = max(1, (CHUNK if on_cpu else GPU_CHUNK) // (27 * cell * cell))
    whole = images, values, _color_steps(values), out
    for parts in zip(*(tensor.split(chunk) for tensor in whole), strict=True):
        _draw(*parts, cell)
    return out.view(len(images), 3, 3 * cell, 3 * cell)


def _color_steps(values: torch.Tensor) -> torch.Tensor:
    """The digit's colour, and what turns each layer's colour into that of the next one below by ``^``.

    Returns uint8 [n, 4, 3, 1]: digit, digit to texture, texture to distractor, distractor to background.
    """
    layers, table = _colors(values.device)
    colors = table[torch.arange(4, device=values.device), values[:, layers]]
    steps = colors.clone()
    steps[:, 1:] ^= colors[:, :-1]
    return steps[..., None]


def _draw(images: torch.Tensor, values: torch.Tensor, steps: torch.Tensor, out: torch.Tensor, cell: int) -> None:
    """Draw a chunk into ``out`` [n, 3, pixels], from the digit down.

    Masks are bytes, 0 or 255: each says what lies below a layer and all those above it, and there the
    colour takes the step to the next layer.
    """
    _, _, place, shape, _, glyph, _ = values.unbind(1)
    digit, to_texture, to_distractor, to_background = steps.unbind(1)
    masks = _templates(cell, images.device)

    below = masks.elsewhere.index_select(0, place)
    three = torch.cat([_no_ink(images, cell)] * 3, dim=2)  # one for each cell in a row
    below.view(len(images), 3, cell, 3 * cell).bitwise_or_(three[:, None])
    torch.bitwise_and(below, to_texture, out=out)
    out ^= digit
    below &= masks.no_glyph.index_select(0, glyph)
    change = below & to_distractor
    out ^= change
    below &= masks.no_shape.index_select(0, shape * 9 + place)
    torch.bitwise_and(below, to_background, out=change)
    out ^= change


def _no_ink(images: torch.Tensor, cell: int) -> torch.Tensor:
    """Resize digits by area averaging: uint8 [n, cell, cell], 255 where the mean is at most 127."""
    dtype = _exact_type(images.device)
    weights = _area_weights(cell, images.device, dtype)
    sums = weights @ images.to(dtype) @ weights.T
    return (sums <= 127 * 28 * 28).view(torch.uint8).neg_()


class _Templates(NamedTuple):
    """Masks over a canvas, uint8 with 255 for where something is not."""

    elsewhere: torch.Tensor  # [9 places, 1, pixels]: outside the digit's cell
    no_glyph: torch.Tensor  # [10 glyphs, 1, pixels]
    no_shape: torch.Tensor  # [10 shapes x 9 places, 1, pixels]


@lru_cache(maxsize=4)
def _templates(cell: int, device: torch.device) -> _Templates:
    glyphs = np.stack([np.tile(glyph_mask(name, cell), (3, 3)) for name in GLYPHS])
    shapes = np.stack([np.tile(shape_mask(name, cell), (3, 3)) for name in SHAPES])
    own = np.kron(np.eye(9, dtype=bool).reshape(9, 3, 3), np.ones((cell, cell), bool))
    shapes = shapes[:, None] & ~own  # the digit's cell has no distractor
    return _Templates(*(_bytes(~mask, cell, device) for mask in (own, glyphs, shapes)))


def _bytes(mask: np.ndarray, cell: int, device: torch.device) -> torch.Tensor:
    flat = mask.reshape(-1, 1, 9 * cell * cell)
    return torch.from_numpy(np.where(flat, 255, 0).astype(np.uint8)).to(device)


@lru_cache(maxsize=8)
def _colors(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """From the top layer to the bottom: whose colour it is, [4] of 7 variables, and RGB, uint8 [4, 10, 3]."""
    layers = [list(VARIABLES).index(name) for name in LAYERS]
    return torch.tensor(layers, device=device), torch.stack(list(LAYERS.values())).to(device)


def _exact_type(device: torch.device) -> torch.dtype:
    """Choose the number type in which a product of matrices of small whole numbers is exact.

    Weighted sums of pixels stay below 2**24, so float32 holds them in any order of summation; but where
    PyTorch may round the factors of a float32 product (TF32, bfloat16) it must be float64.
    """
    if device.type == "cpu" and torch.backends.mkldnn.matmul.fp32_precision in ("none", "ieee"):
        return torch.float32
    return torch.float32 if device.type == "mps" else torch.float64


@lru_cache(maxsize=8)
def _area_weights(cell: int, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Overlaps [cell, 28] of new pixels with old ones: whole numbers that add up to 28 for a new pixel."""
    new, old = 28 * np.arange(cell)[:, None], cell * np.arange(28)[None, :]
    overlap = np.minimum(new + 28, old + cell) - np.maximum(new, old)
    return torch.from_numpy(np.maximum(overlap, 0)).to(device, dtype)
