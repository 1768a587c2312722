"""Handwritten digits from two sources: the bundled ones, always at hand, and MNIST, downloaded on request."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.util import find_spec
from math import isqrt
from pathlib import Path

import numpy as np
import torch

from course_lib.data import idx
from course_lib.data.idx import find_mnist
from course_lib.errors import CourseError, require_choice

SOURCES = {
    "bundled": "scikit-learn's 1,797 handwritten digits",
    "mnist": "MNIST",
}
SPLITS = ("train", "test")
SIZE = 28  # pixels on each side of a digit's image

BUNDLED_TEST = 500  # of the 1,797
FINE = 8  # each of scikit-learn's 8 x 8 pixels becomes FINE x FINE before the stroke's edge is found
FAINT = [isqrt(4096 * ink) for ink in range(17)]  # square root: a thin stroke greys its pixels only faintly
SHARPEN = 5  # how far to undo the blur of those pixels; keeps small holes open
STROKE = 9  # tenths of the original ink that stay ink: gives MNIST's stroke width


def load(source: str = "bundled", split: str = "train") -> tuple[torch.Tensor, torch.Tensor]:
    """Return the images and labels of one source of digits.

    ``source`` is a key of `SOURCES` and never falls back to another; ``split`` is "train" or "test"
    (bundled: 1,297 and 500 digits, stratified by label; mnist: 60,000 and 10,000).

    Returns images, uint8 [N, 28, 28] with ink 255 on 0, and labels, int64 [N]; both are the caller's own.
    Raises `CourseError` for an unknown source or split and for missing or damaged MNIST files.

    Sources: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, 1998, by way of scikit-learn; Y. LeCun, C. Cortes, C. Burges, MNIST, 1998.

    Taught in: notebook 07.
    """
    images, labels = load_shared(source, split)
    return images.clone(), labels.clone()


def load_shared(source: str = "bundled", split: str = "train") -> tuple[torch.Tensor, torch.Tensor]:
    """Return what `load` returns without copying; all callers share it, so it must not be changed."""
    require_choice("source", source, SOURCES)
    require_choice("split", split, SPLITS)
    return _bundled(split) if source == "bundled" else _mnist(_require_mnist(), split)


# MNIST


def _require_mnist() -> Path:
    folder = find_mnist()
    if folder is None:
        there = {f: sum(bool(idx.locate(f, name)) for name in idx.FILES) for f in idx.folders()}
        best = max(there, key=there.get)
        state = "not complete" if there[best] else "not"
        raise CourseError(f"MNIST is {state} in {best}: {idx.REMEDY}.")
    return folder


@lru_cache(maxsize=len(SPLITS))
def _mnist(folder: Path, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    start = {"train": "train-", "test": "t10k-"}[split]
    images, labels = (
        torch.tensor(idx.read(idx.locate(folder, name), name)) for name in idx.FILES if name.startswith(start)
    )
    return images, labels.long()


# Bundled


@lru_cache(maxsize=len(SPLITS))
def _bundled(split: str) -> tuple[torch.Tensor, torch.Tensor]:
    coarse, labels = _scikit_digits()
    chosen = _mark_test(coarse, labels) == (split == "test")
    return torch.from_numpy(enlarge(coarse[chosen])), torch.from_numpy(labels[chosen])


@lru_cache(maxsize=1)
def _scikit_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's digits, uint8 [1797, 8, 8] in 0..16, and their labels."""
    # Importing scikit-learn takes a second; its file of digits, a few milliseconds.
    table = Path(find_spec("sklearn").origin).parent / "datasets" / "data" / "digits.csv.gz"
    if table.is_file():
        rows = np.loadtxt(table, delimiter=",", dtype=np.int64)
        return rows[:, :-1].reshape(-1, 8, 8).astype(np.uint8), rows[:, -1]
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.images.astype(np.uint8), bunch.target.astype(np.int64)


def _mark_test(coarse: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mark the test digits: bool [N], `BUNDLED_TEST` of them, every label in proportion.

    They are drawn once and for all by a hash of their pixels: no seed, and no change if scikit-learn
    reorders its rows. Ordered by label and hash, evenly spaced ones are taken.
    """
    hashes = np.array([hashlib.sha256(image.tobytes()).hexdigest() for image in coarse])
    steps = np.arange(len(labels) + 1) * BUNDLED_TEST // len(labels)
    marked = np.zeros(len(labels), bool)
    marked[np.lexsort((hashes, labels))] = np.diff(steps) == 1
    return marked


def enlarge(coarse: np.ndarray) -> np.ndarray:
    """Draw digits of 8 x 8 grey pixels the way MNIST's look.

    ``coarse`` is uint8 [N, 8, 8] with values 0 to 16, each the ink in a block of a finer black and white
    scan. Returns uint8 [N, 28, 28]: the larger side of the ink is 20 pixels, its box is in the middle,
    strokes are saturated and their edges soft. All sums are exact in float arithmetic (whole numbers), so
    the bytes are the same on every machine.

    Taught in: notebook 07.
    """
    ink = _find_strokes(coarse)
    rows, columns = (_ink_span(ink.any(axis)) for axis in (2, 1))
    side = np.maximum(rows[1] - rows[0], columns[1] - columns[0])
    down, across = (_shrink_weights(span, side, ink.shape[1]) for span in (rows, columns))
    sums = (down @ ink.astype(np.float32) @ across.transpose(0, 2, 1)).astype(np.int64)
    whole = ((2 * side) ** 2)[:, None, None]
    return ((510 * sums + whole) // (2 * whole)).astype(np.uint8)


def _find_strokes(coarse: np.ndarray) -> np.ndarray:
    """Interpolate smoothly and threshold: bool [N, 10 * FINE, 10 * FINE], one coarse pixel of margin."""
    fine = _spline_weights()
    smooth = fine @ _sharpen(np.array(FAINT, np.float64)[coarse]) @ fine.T
    # The threshold keeps a given area, so that a faint hand and a heavy one both come out whole.
    area = coarse.sum((1, 2), dtype=np.int64) * FINE * FINE * STROKE // (16 * 10)
    ordered = np.sort(smooth.reshape(len(coarse), -1), axis=1)
    threshold = ordered[np.arange(len(coarse)), ordered.shape[1] - 1 - area]
    return smooth > threshold[:, None, None]


def _sharpen(grey: np.ndarray) -> np.ndarray:
    """Take the blur (weights 1 2 1 both ways, sum 16) off: 16 * grey + SHARPEN * (16 * grey - blur)."""
    padded = np.pad(grey, ((0, 0), (1, 1), (1, 1)))
    blur = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    blur = blur[:, :, :-2] + 2 * blur[:, :, 1:-1] + blur[:, :, 2:]
    return 16 * (1 + SHARPEN) * grey - SHARPEN * blur


def _spline_weights() -> np.ndarray:
    """Cubic B-spline weights [10 * FINE, 8] from coarse to fine pixels, times 6 * (2 * FINE)**3: whole."""
    unit = 2 * FINE
    centre = 2 * np.arange(10 * FINE) + 1 - unit  # the margin is one coarse pixel
    x = np.abs(centre[:, None] - (2 * np.arange(8) + 1) * FINE)  # distance, in 1 / unit
    near = 4 * unit**3 - 6 * unit * x**2 + 3 * x**3
    far = np.maximum(2 * unit - x, 0) ** 3
    return np.where(x < unit, near, far).astype(np.float64)


def _ink_span(marked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First marked position of each row of bool [N, L], and the one after the last."""
    return marked.argmax(1), marked.shape[1] - marked[:, ::-1].argmax(1)


def _shrink_weights(span: tuple[np.ndarray, np.ndarray], side: np.ndarray, length: int) -> np.ndarray:
    """Overlaps [N, 28, length] of output pixels with fine ones: ``side`` becomes 20, ``span`` is centred.

    In fortieths of a fine pixel: an output pixel is 2 * side wide, a fine one 40; weights are whole and
    add up to 2 * side.
    """
    pixel = (np.arange(SIZE) * 2 * side[:, None])[:, :, None]
    fine = 40 * np.arange(length) + (SIZE * side - 20 * (span[0] + span[1]))[:, None]
    fine = fine[:, None, :]
    overlap = np.minimum(pixel + 2 * side[:, None, None], fine + 40) - np.maximum(pixel, fine)
    return np.maximum(overlap, 0).astype(np.float32)
