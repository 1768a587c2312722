"""Biased MNIST: how often each value is drawn, and every pixel against a slow and obvious painter."""

import hashlib
import math
import os
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest
import torch
from scipy.stats import chi2_contingency, chisquare

from course_lib.data import biased_mnist, digits
from course_lib.data.biased_mnist import MAX_IMAGES, OWN, VARIABLES, majority, make, render, sample, strengths
from course_lib.data.render import MAX_CELL, MIN_CELL
from course_lib.data.shapes import GLYPHS, SHAPES, glyph_mask, shape_mask
from course_lib.errors import CourseError
from course_lib.randomness import MAX_SEED, generator

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
NAMES = list(VARIABLES)
POSITION = NAMES.index("digit_position")


def everything(seed: int = 0) -> torch.Generator:
    return generator(seed, "test")


def random_digits(n: int) -> torch.Tensor:
    """Every grey from 0 to 255, and some at the threshold."""
    images = torch.randint(0, 256, (n, 28, 28), generator=everything(), dtype=torch.uint8)
    images[: n // 2] = torch.where(images[: n // 2] > 127, 128, 126)
    return images


def random_values(n: int) -> torch.Tensor:
    return sample(torch.arange(n) % 10, 0.1, everything(1))


# Variables


def test_there_are_the_papers_seven_variables():
    assert NAMES == [
        "background_color",
        "digit_color",
        "digit_position",
        "distractor_shape",
        "distractor_color",
        "texture_pattern",
        "texture_color",
    ]
    assert [variable.size for variable in VARIABLES.values()] == [10, 10, 9, 10, 10, 10, 10]
    assert all(len(set(variable.values)) == variable.size for variable in VARIABLES.values())


def test_each_digit_owns_its_own_value_and_nine_owns_the_middle():
    for digit in range(10):
        for column, name in enumerate(NAMES):
            expected = 4 if digit == 9 and name == "digit_position" else digit
            assert OWN[digit, column] == expected


# Sampling


@pytest.mark.parametrize("strength", [0.1, 0.5, 0.9])
def test_values_are_drawn_as_often_as_they_should(strength):
    per_class = 4000
    labels = torch.arange(10).repeat_interleave(per_class)
    values = sample(labels, strength, everything())
    for digit in range(10):
        for column, variable in enumerate(VARIABLES.values()):
            seen = values[labels == digit, column].bincount(minlength=variable.size)
            expected = torch.full((variable.size,), (1 - strength) / (variable.size - 1), dtype=torch.float64)
            expected[OWN[digit, column]] = strength
            assert len(seen) == variable.size
            assert chisquare(seen, per_class * expected).pvalue > 1e-4, (digit, column)


def test_variables_are_drawn_independently():
    values = sample(torch.full((20_000,), 3), 0.5, everything())
    own = values == OWN[3]
    for a in range(7):
        for b in range(a):
            table = torch.zeros(2, 2).index_put_(
                (own[:, a].long(), own[:, b].long()), torch.ones(len(own)), accumulate=True
            )
            assert chi2_contingency(table.numpy()).pvalue > 1e-4


def test_strength_zero_never_and_one_always_draws_the_own_value():
    labels = torch.arange(10).repeat(500)
    assert not majority(labels, sample(labels, 0, everything())).any()
    assert majority(labels, sample(labels, 1, everything())).all()


def test_each_variable_has_its_own_strength():
    labels = torch.arange(10).repeat(500)
    values = sample(labels, {"digit_color": 1, "texture_pattern": 0}, everything())
    share = majority(labels, values).double().mean(0)
    assert share[1] == 1
    assert share[5] == 0
    assert ((share[[0, 2, 3, 4, 6]] - 0.1).abs() < 0.02).all()


def test_higher_strength_only_turns_values_into_own_ones():
    labels = torch.arange(10).repeat(100)
    before = sample(labels, 0, everything())
    for percent in range(5, 105, 5):
        now = sample(labels, percent / 100, everything())
        changed = now != before
        assert (now[changed] == OWN[labels][changed]).all()
        assert not (changed & majority(labels, before)).any()
        before = now


def test_more_samples_leave_the_first_as_they_are():
    labels = torch.arange(10).repeat(10)
    assert (sample(labels[:40], 0.5, everything()) == sample(labels, 0.5, everything())[:40]).all()


def test_majority_is_the_own_value():
    labels, values = torch.tensor([4, 9, 9]), torch.tensor([[4] * 7, [9, 9, 4, 9, 9, 9, 9], [4] * 7])
    assert majority(labels, values)[:2].all()
    assert majority(labels, values)[2].tolist() == [column == POSITION for column in range(7)]


def test_strengths_come_in_the_order_of_the_variables():
    assert strengths(0.7) == (0.7,) * 7
    assert strengths({"texture_color": 1, "background_color": 0}) == (0, 0.1, 0.1, 0.1, 0.1, 0.1, 1)
    assert strengths({}) == strengths(biased_mnist.UNBIASED)


# The slow and obvious painter: one pixel at a time, in fractions

COLORS = [
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 0),
    (0, 255, 255),
    (255, 0, 255),
    (128, 255, 0),
    (128, 0, 255),
    (0, 128, 255),
    (0, 255, 128),
]
# Convex pieces of the shapes in a box from -12 to 12, and strokes of the glyphs in a tile from 0 to 24.
PIECES = {
    "right triangle": [[(-12, -12), (12, 12), (-12, 12)]],
    "obtuse triangle": [[(-12, -9), (12, 8), (-5, 8)]],
    "square": [[(-12, -12), (12, -12), (12, 12), (-12, 12)]],
    "parallelogram": [[(-4, -7), (12, -7), (4, 7), (-12, 7)]],
    "kite": [[(0, -12), (8, -4), (0, 12), (-8, -4)]],
    "pentagon": [[(0, -14), (13, -3), (9, 11), (-9, 11), (-13, -3)]],
    "plus": [[(-3, -12), (3, -12), (3, 12), (-3, 12)], [(-12, -3), (12, -3), (12, 3), (-12, 3)]],
    "arrow": [[(-12, -3), (6, -3), (6, 3), (-12, 3)], [(0, -12), (12, 0), (0, 12)]],
}
SHAPE_NAMES = [
    "circle",
    "right triangle",
    "obtuse triangle",
    "square",
    "parallelogram",
    "kite",
    "pentagon",
    "semicircle",
    "plus",
    "arrow",
]
STROKES = {
    "-": [(7, 12, 17, 12)],
    "/": [(7, 17, 17, 7)],
    "|": [(12, 7, 12, 17)],
    "+": [(7, 12, 17, 12), (12, 7, 12, 17)],
    "x": [(6, 6, 18, 18), (6, 18, 18, 6)],
    "~": [(3, 15, 8, 9), (8, 9, 16, 15), (16, 15, 21, 9)],
    "::": [(x, y, x, y) for x in (6, 18) for y in (6, 18)],
    ">": [(7, 5, 17, 12), (17, 12, 7, 19)],
    "<": [(17, 5, 7, 12), (7, 12, 17, 19)],
    "\\": [(7, 7, 17, 17)],
}


@cache
def in_shape(name: str, column: int, row: int, cell: int) -> bool:
    middle = Fraction(cell, 2)
    x, y = ((at + Fraction(1, 2) - middle) * 24 / middle for at in (column, row))  # half a cell is 24 units
    if name == "circle":
        return x**2 + y**2 <= 144
    if name == "semicircle":
        return y <= 6 and x**2 + (y - 6) ** 2 <= 144
    # A centre on an outline counts as a hair further right and a hair of a hair further down.
    x, y = x + Fraction(1, 10**6), y + Fraction(1, 10**12)
    return any(
        all(
            (bx - ax) * (y - ay) > (by - ay) * (x - ax)
            for (ax, ay), (bx, by) in zip(piece, piece[1:] + piece[:1], strict=True)
        )
        for piece in PIECES[name]
    )


@cache
def in_glyph(name: str, column: int, row: int, cell: int) -> bool:
    tile = Fraction(cell, 2)
    x, y = (((at + Fraction(1, 2)) % tile) * 24 / tile for at in (column, row))
    half = max(24 / tile, Fraction(3)) / 2  # a pixel or an eighth of a tile
    for ax, ay, bx, by in STROKES[name]:
        if (ax, ay) == (bx, by):
            if -half <= x - ax < half and -half <= y - ay < half:
                return True
            continue
        length2 = (bx - ax) ** 2 + (by - ay) ** 2
        t = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length2
        distance2 = (x - ax - t * (bx - ax)) ** 2 + (y - ay - t * (by - ay)) ** 2
        left = (x - ax) * (by - ay) > (y - ay) * (bx - ax)
        if 0 <= t <= 1 and (distance2 < half**2 or (distance2 == half**2 and not left)):
            return True
    return False


def mean_ink(image: list, column: int, row: int, cell: int) -> Fraction:
    side = Fraction(28, cell)
    total = Fraction(0)
    for y in range(math.floor(row * side), math.ceil((row + 1) * side)):
        for x in range(math.floor(column * side), math.ceil((column + 1) * side)):
            high = min((row + 1) * side, y + 1) - max(row * side, y)
            wide = min((column + 1) * side, x + 1) - max(column * side, x)
            total += high * wide * image[y][x]
    return total / side**2


def paint(image: list, values: list, cell: int) -> torch.Tensor:
    background, digit, place, shape, distractor, glyph, texture = values
    canvas = torch.empty(3, 3 * cell, 3 * cell, dtype=torch.uint8)
    for row in range(3 * cell):
        for column in range(3 * cell):
            here, x, y = 3 * (row // cell) + column // cell, column % cell, row % cell
            color = [(255 - c) // 4 for c in COLORS[background]]
            if here != place and in_shape(SHAPE_NAMES[shape], x, y, cell):
                color = COLORS[9 - distractor]
            if in_glyph(list(STROKES)[glyph], column % cell, row % cell, cell):
                color = [255 - c for c in COLORS[texture]]
            if here == place and mean_ink(image, x, y, cell) > 127:
                color = COLORS[digit]
            canvas[:, row, column] = torch.tensor(color, dtype=torch.uint8)
    return canvas


@pytest.mark.parametrize(("cell", "n"), [(8, 20), (9, 20), (14, 20), (15, 10), (29, 3), (32, 3)])
def test_every_pixel_is_as_the_slow_painter_paints_it(cell, n):
    images, values = random_digits(n), random_values(n)
    if n >= 20:  # every shape, glyph, colour and place
        values = torch.arange(n)[:, None].repeat(1, 7) % torch.tensor([10, 10, 9, 10, 10, 10, 10])
    drawn = render(images, values, cell)
    assert drawn.shape == (n, 3, 3 * cell, 3 * cell)
    assert drawn.dtype == torch.uint8
    for i in range(n):
        assert torch.equal(drawn[i], paint(images[i].tolist(), values[i].tolist(), cell)), i


@pytest.mark.parametrize("cell", [16, 24, 31, 32])
def test_shapes_and_glyphs_are_as_the_slow_painter_has_them(cell):
    assert list(SHAPES) == SHAPE_NAMES
    assert list(GLYPHS) == list(STROKES)
    pixels = [(x, y) for y in range(cell) for x in range(cell)]
    for name in SHAPES:
        assert shape_mask(name, cell).flatten().tolist() == [in_shape(name, *at, cell) for at in pixels]
    for name in GLYPHS:
        assert glyph_mask(name, cell).flatten().tolist() == [in_glyph(name, *at, cell) for at in pixels]


@pytest.mark.parametrize("cell", range(MIN_CELL, MAX_CELL + 1, 5))
def test_shapes_and_glyphs_differ_at_every_size(cell):
    assert len({shape_mask(name, cell).tobytes() for name in SHAPES}) == 10
    assert len({glyph_mask(name, cell).tobytes() for name in GLYPHS}) == 10
    assert all(glyph_mask(name, cell).any() for name in GLYPHS)
    assert all(shape_mask(name, cell).any() for name in SHAPES)


def test_shapes_fill_half_a_cell():
    for name in SHAPES:
        rows, columns = (shape_mask(name, 96).any(axis).nonzero()[0] for axis in (1, 0))
        assert 44 <= max(rows.max() - rows.min(), columns.max() - columns.min()) + 1 <= 52
        assert min(rows.min(), columns.min()) >= 20
        assert max(rows.max(), columns.max()) <= 75


# Rendering


def test_rendering_does_not_depend_on_how_images_are_grouped(monkeypatch):
    images, values = random_digits(50), random_values(50)
    whole = render(images, values, 14)
    assert all(torch.equal(render(images[i : i + 7], values[i : i + 7], 14), whole[i : i + 7]) for i in range(0, 50, 7))
    monkeypatch.setattr("course_lib.data.render.CHUNK", 40_000)
    assert torch.equal(render(images, values, 14), whole)


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_rendering_is_exact_even_if_pytorch_is_told_to_round(precision):
    images, values = random_digits(20), random_values(20)
    exact = render(images, values, 15)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        assert torch.equal(render(images, values, 15), exact)
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_gpu_draws_the_same_bytes():
    data = make(n=300, strength=0.5, cell=15)
    assert torch.equal(data.to("cuda").images.cpu(), data.images)


def test_rendering_nothing_gives_nothing():
    assert render(random_digits(0), random_values(0), 14).shape == (0, 3, 42, 42)


def test_rendering_leaves_its_input_alone():
    images, values = random_digits(5), random_values(5)
    before = images.clone(), values.clone()
    render(images, values, 14)
    assert torch.equal(images, before[0])
    assert torch.equal(values, before[1])


# Data sets

# If one of these changes, every result changes: raise the package's version.
CHECKSUMS = {
    ("bundled", "train", 14): "9af0571660f63ba397c887790ebad46c79c2930698cf609fdb704a7efbafddb9",
    ("bundled", "test", 15): "489747e807f6ef8536e1ad573eadb5b21f5cc985d3d29ed18045a3ccc1364f4e",
    ("mnist", "train", 32): "01d4ec0edc4465bc8233a47cc356ab61b7d9ee81eacdd62d6345bf2d3da875c2",
    ("mnist", "test", 14): "285c2e09fa53464656096ee5edc940e9e93f19482cbf2c91cd8a5305e0db4149",
}


@pytest.mark.parametrize(("source", "split", "cell"), CHECKSUMS)
def test_bytes_never_change(source, split, cell, monkeypatch):
    if source == "mnist":
        if "COURSE_DATA" not in os.environ and SHARED.is_dir():
            monkeypatch.setenv("COURSE_DATA", str(SHARED))
        if digits.find_mnist() is None:
            pytest.skip("MNIST's files are not here (set COURSE_DATA)")
    data = make(source, split, strength=0.5, n=200, seed=7, cell=cell)
    digest = hashlib.sha256()
    for tensor in (data.labels, data.values, data.majority, data.images):
        digest.update(tensor.numpy().tobytes())
    assert digest.hexdigest() == CHECKSUMS[source, split, cell]


def test_equal_arguments_give_equal_data_and_others_do_not():
    a, b = (make(n=60, strength=0.5, seed=3) for _ in range(2))
    assert torch.equal(a.images, b.images)
    assert torch.equal(a.values, b.values)
    assert not torch.equal(a.values, make(n=60, strength=0.5, seed=4).values)
    assert not torch.equal(a.digits, make(n=60, strength=0.5, seed=4).digits)


def test_data_holds_together():
    data = make(split="test", n=123, strength={"digit_color": 0.9}, seed=5, cell=9)
    assert len(data) == 123
    assert data.images.shape == (123, 3, 27, 27)
    assert torch.equal(data.majority, majority(data.labels, data.values))
    assert torch.equal(data.images, render(data.digits, data.values, 9))
    assert (data.source, data.split, data.seed, data.cell) == ("bundled", "test", 5, 9)
    assert data.strength == strengths({"digit_color": 0.9})


def test_a_batch_is_what_the_full_rendering_holds():
    data = make(n=100)
    index = torch.randperm(100, generator=everything())[:37]
    assert torch.equal(data.batch(index), data.images[index])
    assert torch.equal(data.batch(slice(10, 20)), data.images[10:20])
    moved = data.to("cpu")
    assert torch.equal(moved.images, data.images)


def test_images_are_drawn_once():
    data = make(n=10)
    assert data.images is data.images


def test_a_slider_changes_neither_digits_nor_what_it_need_not():
    weak, strong = (make(n=40, strength=strength, cell=24) for strength in (0.3, 0.4))
    assert torch.equal(weak.digits, strong.digits)
    assert strong.majority[weak.majority].all()
    same = (weak.values == strong.values).all(1)
    assert torch.equal(weak.images[same], strong.images[same])


@pytest.mark.parametrize("n", [400, 500, 1250])
def test_digits_are_reused_evenly(n):
    originals = digits.load(split="test")[0].flatten(1)
    found = make(split="test", n=n).digits.flatten(1)
    _, counts = found.unique(dim=0, return_counts=True)
    assert counts.max() <= math.ceil(n / len(originals))
    assert len(counts) == min(n, len(originals))


def test_purposes_and_seeds_have_streams_of_their_own():
    def draw(seed, purpose):
        return torch.rand(4, generator=generator(seed, purpose)).tolist()

    assert draw(1, "a") == draw(1, "a")
    assert len({tuple(draw(seed, purpose)) for seed in (0, 1, MAX_SEED) for purpose in "abc"}) == 9


def test_no_global_seed_is_touched():
    before = torch.get_rng_state()
    assert len(make(n=20).images) == 20
    assert torch.equal(torch.get_rng_state(), before)


# Bad input


def assert_refused(match: str, call, *arguments, **keywords) -> None:
    with pytest.raises(CourseError, match=match) as caught:
        call(*arguments, **keywords)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("strength", [-0.1, 1.1, math.nan, math.inf, "0.5", None, True, [0.5] * 7])
def test_bad_strength_is_refused(strength):
    assert_refused("strength must be a number from 0 to 1", make, n=10, strength=strength)
    assert_refused("strength of digit_color must be a number", strengths, {"digit_color": strength})


def test_unknown_variable_is_refused():
    assert_refused("must be one of 'background_color', 'digit_color'", make, n=10, strength={"colour": 0.5})


@pytest.mark.parametrize(
    "labels",
    [
        torch.tensor([0, 10]),
        torch.tensor([-1]),
        torch.tensor([1.0]),
        torch.tensor([True]),
        torch.tensor([[1]]),
        torch.tensor(1),
        [1, 2],
    ],
)
def test_bad_labels_are_refused(labels):
    assert_refused("labels must", sample, labels, 0.5, everything())
    if isinstance(labels, torch.Tensor) and labels.ndim:
        assert_refused("labels must", majority, labels, torch.zeros(len(labels), 7, dtype=torch.int64))


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(2, 28, 28),
        torch.zeros(2, 27, 28, dtype=torch.uint8),
        torch.zeros(28, 28, dtype=torch.uint8),
        torch.zeros(2, 1, 28, 28, dtype=torch.uint8),
        torch.tensor(0, dtype=torch.uint8),
        torch.zeros(2, 28, 28, dtype=torch.uint8).numpy(),
        None,
    ],
)
def test_bad_images_are_refused(images):
    assert_refused(
        r"images must be a tensor of torch.uint8 and shape \[N, 28, 28\]",
        render,
        images,
        random_values(2),
        14,
    )


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (torch.zeros(3, 7, dtype=torch.int64), r"shape \[2, 7\]"),
        (torch.zeros(2, 6, dtype=torch.int64), r"shape \[2, 7\]"),
        (torch.zeros(2, 7), "torch.int64"),
        (torch.full((2, 7), -1), "0..9"),
        (torch.full((2, 7), 10), "0..9"),
        (torch.full((2, 7), 9), "0..8 for the digit position"),
        ([[0] * 7] * 2, "a list"),
    ],
)
def test_bad_values_are_refused(values, match):
    assert_refused(f"values must .*{match}", render, random_digits(2), values, 14)


def test_values_that_do_not_fit_labels_are_refused():
    assert_refused("values must", majority, torch.tensor([1, 2]), torch.zeros(1, 7, dtype=torch.int64))


@pytest.mark.parametrize("cell", [7, 0, -14, 129, 14.5, math.nan, "14", None])
def test_bad_cell_is_refused(cell):
    assert_refused("cell must be a", render, random_digits(1), random_values(1), cell)
    assert_refused("cell must be a", make, n=10, cell=cell)


@pytest.mark.parametrize("n", [0, -1, MAX_IMAGES + 1, 1.5, "10", None])
def test_bad_n_is_refused(n):
    assert_refused("n must be a", make, n=n)


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1, 0.5, "0", None, True])
def test_bad_seed_is_refused(seed):
    assert_refused("seed must be a", make, n=10, seed=seed)


def test_unknown_source_and_split_are_refused():
    assert_refused("source must be one of 'bundled', 'mnist'", make, "emnist")
    assert_refused("split must be one of 'train', 'test'", make, split="validation")


def test_too_many_large_images_at_once_are_refused():
    data = make(n=20_000, cell=128)
    assert_refused("batches", lambda: data.images)
    assert data.batch(slice(0, 2)).shape == (2, 3, 384, 384)
