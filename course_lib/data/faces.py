"""Synthetic faces: attributes that are drawn at random, and drawings that follow from them.

No photographs and nobody's likeness. What the labels mean is what this file draws, and no more: "gender" is how
a face is drawn, in two kinds that overlap, not who anybody is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from course_lib.data import portrait
from course_lib.data.lazy import LazyPictures
from course_lib.errors import CourseError, require_choice, require_integer, require_number
from course_lib.randomness import generator

GENDERS = ("woman", "man")  # as drawn
GROUPS = ("woman, not smiling", "woman, smiling", "man, not smiling", "man, smiling")
BALANCED = (0.25, 0.25, 0.25, 0.25)
SOURCE = (0.45, 0.02, 0.06, 0.47)  # the course exercise's shares, with about half women: smiles go along with men
BACKGROUNDS = ("plain", "bookshelf")
SIZES = (32, 64)
YOUNGEST, OLDEST = 18, 80
MAX_FACES = 200_000
MOST_LAZY = 10_000  # photographs that are taken when they are first looked at; of more, all at once
CHUNK = 200 * 32 * 32  # pixels that are drawn in one go: more would not stay in the processor's cache


@dataclass(frozen=True, eq=False)
class Faces:
    """Attributes of N faces, one tensor [N] each; what is drawn follows from them alone.

    smile: bool; age: float, 18 to 80 years; gender: int64, 0 drawn as a woman and 1 as a man; glasses: bool;
    skin: float, 0 (light) to 1 (dark); pose: float, -1 (looks to the left) to 1; tilt: float, of the head, -1 to
    1; light: float, -1 (dim) to 1 (bright); side: float, which side the light comes from, -1 to 1; background:
    int64, 0 plain and 1 a bookshelf. traits: float [N, 16], whatever else tells one face from another.
    """

    smile: Tensor
    age: Tensor
    gender: Tensor
    glasses: Tensor
    skin: Tensor
    pose: Tensor
    tilt: Tensor
    light: Tensor
    side: Tensor
    background: Tensor
    traits: Tensor

    def __len__(self) -> int:
        return len(self.smile)

    def __getitem__(self, index: Tensor | slice) -> Faces:
        """Return the faces at ``index``: int64 or bool [M], or a slice."""
        return Faces(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    def differs(self, other: Faces) -> Tensor:
        """Return which faces have another attribute than those of ``other``, as many, at the same place: bool [N]."""
        pairs = ((getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return torch.stack([(one != two).reshape(len(self), -1).any(1) for one, two in pairs]).any(0)

    @classmethod
    def joined(cls, parts: Sequence[Faces]) -> Faces:
        """Return the faces of all parts, one part after the other."""
        return cls(**{field.name: torch.cat([getattr(part, field.name) for part in parts]) for field in fields(cls)})

    @property
    def group(self) -> Tensor:
        """The group of each face, int64 [N], in the order of `GROUPS`."""
        return 2 * self.gender + self.smile.long()

    def change(self, **attributes: object) -> Faces:
        """Return the same faces with other attributes, e.g. ``faces.change(smile=True, background=1)``.

        Values are one for all, or a tensor [N]; everything else stays, so that these are counterfactuals.
        Raises `CourseError` for an unknown attribute or a value out of range. Taught in: notebook 06.
        """
        new = {}
        for name, value in attributes.items():
            require_choice("attribute", name, RANGES)
            low, high = RANGES[name]
            old = getattr(self, name)
            given = torch.as_tensor(value).to(old.dtype).expand(len(self))
            if len(self) and not bool(((given >= low) & (given <= high)).all()):
                raise CourseError(f"{name} must be from {low} to {high}; it was {value!r}.")
            new[name] = given.clone()
        return replace(self, **new)


RANGES = {
    "smile": (0, 1), "age": (YOUNGEST, OLDEST), "gender": (0, 1), "glasses": (0, 1), "skin": (0, 1),
    "pose": (-1, 1), "tilt": (-1, 1), "light": (-1, 1), "side": (-1, 1), "background": (0, 1),
}  # fmt: skip


def sample(
    n: int,
    priors: Sequence[float] | Mapping[str, float] = BALANCED,
    seed: int = 0,
    *,
    glasses: float = 0.25,
    bookshelf: float = 0.0,
) -> Faces:
    """Return the attributes of ``n`` faces, from 1 to 200,000.

    priors: the shares of the four groups, in the order of `GROUPS` or by name, which sum to 1; the counts are
    exact (largest remainder). glasses, bookshelf: the share of faces with glasses, and with a bookshelf behind
    them, independent of everything else. Age is uniform, from 18 to 80. The same seed gives the same faces; with
    other priors, only as many faces change group as must.

    Raises `CourseError` for values out of range. Taught in: notebook 06.
    """
    n = require_integer("n", n, 1, MAX_FACES)
    glasses, bookshelf = require_number("glasses", glasses, 0, 1), require_number("bookshelf", bookshelf, 0, 1)

    def uniform(purpose: str, *shape: int) -> Tensor:
        return torch.rand(n, *shape, generator=generator(seed, f"faces/{purpose}"))

    # Ranked once: with other priors the borders move along the ranks, and few faces cross them.
    rank = uniform("group").argsort(stable=True).argsort(stable=True)
    borders = torch.tensor(counts(n, priors)).cumsum(0)
    group = torch.bucketize(rank, borders, right=True)
    return Faces(
        smile=group % 2 == 1,
        age=YOUNGEST + (OLDEST - YOUNGEST) * uniform("age"),
        gender=group // 2,
        glasses=uniform("glasses") < glasses,
        skin=uniform("skin"),
        pose=2 * uniform("pose") - 1,
        tilt=2 * uniform("tilt") - 1,
        light=2 * uniform("light") - 1,
        side=2 * uniform("side") - 1,
        background=(uniform("background") < bookshelf).long(),
        traits=_near_normal(n, seed),
    )


def counts(n: int, priors: Sequence[float] | Mapping[str, float]) -> list[int]:
    """Return how many of ``n`` faces are in each group: ``n * priors``, rounded by the largest remainder.

    Raises `CourseError` for priors that are not four shares which sum to 1. Taught in: notebook 06.
    """
    if isinstance(priors, Mapping):
        for name in priors:
            require_choice("a group of the priors", name, GROUPS)
        priors = [priors.get(name, 0.0) for name in GROUPS]
    if isinstance(priors, str) or not isinstance(priors, Iterable) or len(list(priors)) != len(GROUPS):
        raise CourseError(f"priors must be four shares, for {'; '.join(GROUPS)}; they were {priors!r}.")
    shares = [require_number(f"the prior of {name!r}", p, 0, 1) for name, p in zip(GROUPS, priors, strict=True)]
    if abs(sum(shares) - 1) > 1e-6:
        raise CourseError(f"priors must sum to 1; they sum to {sum(shares):.6g}.")
    exact = [n * share for share in shares]
    whole = [int(value + 1e-9) for value in exact]
    by_remainder = sorted(range(4), key=lambda i: whole[i] - exact[i])
    for i in by_remainder[: n - sum(whole)]:
        whole[i] += 1
    return whole


def _near_normal(n: int, seed: int) -> Tensor:
    """Return float [N, 16] of mean 0 and standard deviation 1: sums of whole numbers, equal on every machine."""
    draws = torch.randint(2**16, (n, portrait.TRAITS, 12), generator=generator(seed, "faces/traits"))
    return (draws.sum(2) - 6 * (2**16 - 1)).float() / 2**16


def render(faces: Faces, size: int = 32) -> Tensor:
    """Return drawings of the faces, uint8 [N, 3, size, size]; ``size`` is 32 or 64 pixels.

    The same attributes give the same bytes, on every machine: only additions, multiplications, divisions and
    square roots are used. Raises `CourseError` for another size. Taught in: notebook 06.
    """
    require_choice("size", size, SIZES)
    drawn = torch.empty(len(faces), 3, size, size, dtype=torch.uint8)
    count = CHUNK // size**2
    for start in range(0, len(faces), count):
        part = slice(start, start + count)
        drawn[part] = portrait.draw(faces[part], size)
    return drawn


class Drawings:
    """The drawings of the latest faces, of 32 pixels; of the next ones only those that differ are drawn."""

    def __init__(self) -> None:
        self._latest: tuple[Faces, LazyPictures] | None = None

    def of(self, faces: Faces) -> LazyPictures:
        """Return what `render` does, uint8 [N, 3, 32, 32]: each face is drawn when it is first looked at."""
        drawn = torch.empty(len(faces), 3, 32, 32, dtype=torch.uint8)
        missing = torch.ones(len(faces), dtype=torch.bool)
        if self._latest:
            before, pictures = self._latest
            n = min(len(faces), len(before))
            first = slice(n)
            kept, still_missing = pictures.so_far()
            drawn[first] = kept[first]
            missing[first] = faces[first].differs(before[first]) | still_missing[first]
        pictures = LazyPictures(drawn, missing, lambda index: render(faces[index]))
        self._latest = faces, pictures
        return pictures


def add_grain(pictures: Tensor, noise: float, generator: torch.Generator) -> Tensor:
    """Return what a noisy camera takes of drawings, uint8 [N, 3, H, W]; ``noise`` in grey levels of 255.

    The result is laid out as a network takes it: batches are made faster from that.
    """
    if not noise:
        return pictures.contiguous(memory_format=torch.channels_last)
    return _with_grain(pictures, torch.randn(pictures.shape, generator=generator).mul_(noise))


def camera(drawings: LazyPictures, noise: float, parts: Sequence[tuple[int, torch.Generator]]) -> LazyPictures:
    """Return what `add_grain` does, of each drawing of 32 pixels when it is first looked at.

    parts: how many drawings there are, one part after the other, each with the generator of its grain.
    """
    if noise:
        grain = torch.cat([torch.randn(n, 3, 32, 32, generator=one).mul_(noise) for n, one in parts])
    taken = torch.empty(drawings.shape, dtype=torch.uint8, memory_format=torch.channels_last)
    missing = torch.ones(len(drawings), dtype=torch.bool)
    pictures = LazyPictures(taken, missing, lambda i: _with_grain(drawings[i], grain[i]) if noise else drawings[i])
    if len(drawings) > MOST_LAZY:
        pictures[:]  # or the grain of all, which is larger than they, would be kept while one is missing
    return pictures


def _with_grain(pictures: Tensor, grain: Tensor) -> Tensor:
    return grain.add_(pictures).round_().clamp_(0, 255).to(torch.uint8, memory_format=torch.channels_last)
