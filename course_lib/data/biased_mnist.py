"""Biased MNIST: digits among seven things that co-occur with them, each as often as a slider says.

R. Shrestha, K. Kafle, C. Kanan, "An Investigation of Critical Issues in Bias Mitigation Techniques",
arXiv 2104.00170. A canvas has 3 x 3 cells: the digit lies in one, a distractor shape in the eight others,
a texture over all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch

from course_lib.data import digits
from course_lib.data.render import render, render_checked, require_cell
from course_lib.data.variables import OWN, SIZES, VARIABLES
from course_lib.errors import CourseError, require_choice, require_integer, require_number
from course_lib.randomness import generator

__all__ = [
    "MAX_IMAGES", "OWN", "UNBIASED", "VARIABLES", "BiasedMNIST",
    "majority", "make", "render", "sample", "strengths",
]  # fmt: skip

UNBIASED = 0.1  # the strength at which each of ten values is as likely as the others
MAX_IMAGES = 100_000
MAX_RENDERED = 4 * 2**30  # bytes that `.images` may take
WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def strengths(strength: float | Mapping[str, float]) -> tuple[float, ...]:
    """Return the strength of each variable in the order of `VARIABLES`.

    ``strength`` is one number in [0, 1] for all, or a mapping from names of variables to such numbers;
    variables it does not name get 0.1, the paper's unbiased strength. Raises `CourseError` for anything else.

    Taught in: notebook 07.
    """
    if not isinstance(strength, Mapping):
        return (require_number("strength", strength, 0, 1),) * len(VARIABLES)
    for name in strength:
        require_choice("a variable with a strength", name, VARIABLES)
    return tuple(require_number(f"strength of {name}", strength.get(name, UNBIASED), 0, 1) for name in VARIABLES)


def sample(labels: torch.Tensor, strength: float | Mapping[str, float], generator: torch.Generator) -> torch.Tensor:
    """Draw the values of the seven variables for digits.

    Each variable independently takes its digit's own value (`OWN`) with probability ``strength`` (see
    `strengths`), and else one of its other values, all equally likely. ``labels`` is integer [N] in 0..9;
    ``generator`` is a CPU generator. Returns value indices, int64 [N, 7], where ``labels`` are.

    Whatever the strength, the same numbers are drawn: from the same generator state, a higher strength
    only turns some values into the digits' own and leaves all others as they were.

    Raises `CourseError` for labels or strengths out of range. Source: arXiv 2104.00170.

    Taught in: notebook 07.
    """
    odds = torch.tensor(strengths(strength), dtype=torch.float64)
    if not isinstance(generator, torch.Generator):
        raise CourseError(f"generator must be a torch.Generator; it was {generator!r}.")
    own = OWN[check_labels(labels).cpu()]
    draws = torch.rand(len(own), len(VARIABLES), 2, dtype=torch.float64, generator=generator)
    other = (draws[..., 1] * (SIZES - 1)).long()
    other += other >= own  # count past the digit's own value
    return torch.where(draws[..., 0] < odds, own, other).to(labels.device)


def majority(labels: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Tell for each digit and variable whether the value is the digit's own: bool [N, 7].

    ``labels`` is integer [N] in 0..9, ``values`` int64 [N, 7] as `sample` draws them.

    Taught in: notebook 07.
    """
    if values.shape != (len(labels), len(VARIABLES)):
        raise CourseError(f"values must have shape [{len(labels)}, 7]; they had {list(values.shape)}.")
    return values == OWN.to(labels.device)[check_labels(labels)]


def check_labels(labels: torch.Tensor) -> torch.Tensor:
    """Return ``labels`` as int64 [N] if they are whole numbers in 0..9; raise `CourseError` if not."""
    if not isinstance(labels, torch.Tensor) or labels.dtype not in WHOLE or labels.ndim != 1:
        raise CourseError("labels must be a one-dimensional tensor of whole numbers from 0 to 9.")
    if len(labels) and not 0 <= labels.min() <= labels.max() <= 9:
        raise CourseError(f"labels must lie in 0..9; they went from {labels.min()} to {labels.max()}.")
    return labels.long()


@dataclass(eq=False)
class BiasedMNIST:
    """A set of Biased MNIST images, kept as digits and values and drawn when needed; see `make`.

    ``digits`` uint8 [N, 28, 28], ``labels`` int64 [N], ``values`` int64 [N, 7], ``majority`` bool [N, 7].

    Taught in: notebook 07.
    """

    digits: torch.Tensor
    labels: torch.Tensor
    values: torch.Tensor
    majority: torch.Tensor
    source: str
    split: str
    strength: tuple[float, ...]
    seed: int
    cell: int
    _images: torch.Tensor | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def images(self) -> torch.Tensor:
        """All images, uint8 [N, 3, 3 * cell, 3 * cell]: drawn at first use, kept; `CourseError` if huge."""
        if self._images is None:
            size = len(self) * 27 * self.cell**2
            if size > MAX_RENDERED:
                raise CourseError(
                    f"{len(self):,} images of cell {self.cell} would take {size / 2**30:.1f} GiB; "
                    "draw them in batches with .batch(index), or choose a smaller n or cell."
                )
            self._images = render_checked(self.digits, self.values, self.cell)
        return self._images

    def batch(self, index: torch.Tensor | slice) -> torch.Tensor:
        """Draw the images at ``index`` (whole numbers or a slice), the same bytes as ``images[index]``."""
        return render_checked(self.digits[index], self.values[index], self.cell)

    def to(self, device: torch.device | str) -> BiasedMNIST:
        """Return this set with its tensors on ``device``."""
        names = ("digits", "labels", "values", "majority")
        images = None if self._images is None else self._images.to(device)
        return replace(self, **{name: getattr(self, name).to(device) for name in names}, _images=images)


def make(
    source: str = "bundled",
    split: str = "train",
    strength: float | Mapping[str, float] = UNBIASED,
    n: int = 8000,
    seed: int = 0,
    cell: int = 14,
) -> BiasedMNIST:
    """Make ``n`` images (1 to `MAX_IMAGES`) of Biased MNIST.

    ``source`` and ``split`` choose the digits (see `digits.load`); where ``n`` exceeds their number, all
    are reused equally often, give or take one. ``strength`` is one number in [0, 1] or one per variable
    (see `strengths`), ``cell`` the side of a cell in pixels, 8 to 128 (the paper's is 32). Equal arguments
    give equal bytes on every machine and device; which digits are chosen depends on neither strength nor
    cell. Raises `CourseError` for anything out of range. Source: arXiv 2104.00170.

    Taught in: notebook 07.
    """
    per_variable = strengths(strength)
    n, cell = require_integer("n", n, 1, MAX_IMAGES), require_cell(cell)
    images, labels = digits.load_shared(source, split)
    chosen = _choose(len(labels), n, generator(seed, f"digits {split}"))
    labels = labels[chosen]
    values = sample(labels, strength, generator(seed, f"values {split}"))
    return BiasedMNIST(
        digits=images[chosen],
        labels=labels,
        values=values,
        majority=majority(labels, values),
        source=source,
        split=split,
        strength=per_variable,
        seed=int(seed),
        cell=cell,
    )


def _choose(total: int, n: int, generator: torch.Generator) -> torch.Tensor:
    """Choose ``n`` of ``total`` digits: permutations one after another."""
    rounds = torch.rand(-(-n // total), total, dtype=torch.float64, generator=generator)
    return rounds.argsort(dim=1, stable=True).flatten()[:n]
