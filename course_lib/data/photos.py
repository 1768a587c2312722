"""Photographs of faces for those who have them: CelebA's and UTKFace's folders as they are unpacked.

Nothing is downloaded: both sets are for research only, and their terms are between you and their authors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from course_lib.errors import CourseError, require_choice, require_integer
from course_lib.randomness import generator

UTKFACE = re.compile(r"(\d{1,3})_([01])_\d_\d+.*\.jpe?g", re.IGNORECASE)  # age_gender_race_time
SPLITS = ("train", "valid", "test")
MAX_SIZE = 256


@dataclass(frozen=True, eq=False)
class Photos:
    """Photographs and what their set says of them; None where it says nothing.

    images: uint8 [N, 3, size, size]; gender: int64 [N], 0 labelled as a woman and 1 as a man, by somebody else
    than the person shown; smile, glasses: bool [N]; age: float [N], in years. A small share of these labels is
    wrong in both sets.
    """

    images: Tensor
    gender: Tensor
    smile: Tensor | None = None
    glasses: Tensor | None = None
    age: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)


def load_celeba(folder: str | Path, split: str = "train", n: int = 5000, size: int = 32) -> Photos:
    """Return the first ``n`` photographs of a split of CelebA: smile, gender and glasses.

    folder: with ``img_align_celeba/``, ``list_attr_celeba.txt`` and ``list_eval_partition.txt`` in it, as
    torchvision has them; split: "train", "valid" or "test"; size: 8 to 256 pixels, cut out of the middle.
    Raises `CourseError` for what is missing or cannot be read. Source: Z. Liu et al., ICCV 2015.
    Taught in: notebook 06.
    """
    folder = Path(folder)
    require_choice("split", split, SPLITS)
    n, size = require_integer("n", n, 1), require_integer("size", size, 8, MAX_SIZE)
    chosen = {row[0] for row in _rows(folder / "list_eval_partition.txt") if row[1:] == [str(SPLITS.index(split))]}
    lines = _rows(folder / "list_attr_celeba.txt")
    next(lines, None)  # how many there are
    names = next(lines, [])
    if missing := {"Smiling", "Male", "Eyeglasses"} - set(names):
        raise CourseError(f"{folder / 'list_attr_celeba.txt'} has no column {', '.join(sorted(missing))}.")
    rows = [dict(zip(["file", *names], row, strict=False)) for row in lines if row[0] in chosen][:n]
    if not rows:
        raise CourseError(f"{folder} lists no photographs of the split {split!r}.")

    def told(name: str) -> Tensor:
        return torch.tensor([row[name] == "1" for row in rows])

    images = _load([folder / "img_align_celeba" / row["file"] for row in rows], size)
    return Photos(images, told("Male").long(), smile=told("Smiling"), glasses=told("Eyeglasses"))


def load_utkface(folder: str | Path, n: int = 5000, size: int = 32, *, seed: int = 0) -> Photos:
    """Return ``n`` photographs of UTKFace (all, if there are fewer), drawn at random: age and gender.

    folder: with files such as ``25_0_2_20170116174525125.jpg.chip.jpg`` in it or below it (age, gender, ...);
    files with other names are left out; size: 8 to 256 pixels. Raises `CourseError` for what is missing or
    cannot be read. Source: Z. Zhang, Y. Song, H. Qi, CVPR 2017. Taught in: notebook 06.
    """
    folder = Path(folder)
    n, size = require_integer("n", n, 1), require_integer("size", size, 8, MAX_SIZE)
    found = sorted((path, match) for path in folder.rglob("*") if (match := UTKFACE.fullmatch(path.name)))
    if not found:
        raise CourseError(f"There are no photographs with names like 25_0_2_20170116174525125.jpg in {folder}.")
    order = torch.randperm(len(found), generator=generator(seed, "utkface"))[:n].tolist()
    paths, matches = zip(*(found[i] for i in order), strict=True)
    gender = torch.tensor([1 - int(match[2]) for match in matches])  # UTKFace has 0 for men
    return Photos(_load(paths, size), gender, age=torch.tensor([float(match[1]) for match in matches]))


def _rows(path: Path) -> Iterator[list[str]]:
    """Yield the words of each line of a text file."""
    try:
        with path.open(encoding="utf-8") as lines:
            yield from (line.split() for line in lines if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}).") from error


def _load(paths: Sequence[Path], size: int) -> Tensor:
    """Return the middle squares of photographs, uint8 [N, 3, size, size]."""
    images = np.empty((len(paths), size, size, 3), np.uint8)
    for i, path in enumerate(paths):
        try:
            with Image.open(path) as photo:
                side = min(photo.size)
                left, top = ((length - side) / 2 for length in photo.size)
                box = (left, top, left + side, top + side)
                images[i] = photo.convert("RGB").resize((size, size), Image.Resampling.BILINEAR, box, reducing_gap=3)
        except (OSError, SyntaxError) as error:  # Pillow raises SyntaxError for a damaged header
            raise CourseError(f"The photograph {path} cannot be read ({error}).") from error
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
