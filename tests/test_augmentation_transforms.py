"""The augmentations: against torch and scipy, nothing wraps around, every image has its own draw, labels are told."""

import math

import pytest
import torch
from scipy import ndimage, stats

from course_lib.augmentation import AUGMENTATIONS, Config, augment, effects, read, shift, transforms, turn
from course_lib.data import digits
from course_lib.errors import CourseError

AMOUNTS = {"translate": 3, "rotate": 20, "scale": 0.3, "flip_horizontal": 0.5, "flip_vertical": 0.5}
AMOUNTS |= {"erase": 0.4, "gaussian": 0.2, "laplacian": 0.2}
each = pytest.mark.parametrize("name", AUGMENTATIONS.built_in)


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


def images(batch=40, height=28, width=28, channels=1):
    return torch.rand(batch, channels, height, width, generator=draw(9))


# All of them


def test_the_tests_know_every_augmentation():
    assert set(AMOUNTS) == set(AUGMENTATIONS)


@each
def test_amount_zero_changes_nothing_and_draws_nothing(name):
    x, generator = images(), draw()
    state = generator.get_state()
    assert AUGMENTATIONS[name].function(x, generator, 0) is x
    assert torch.equal(generator.get_state(), state)


@each
@pytest.mark.parametrize("shape", [(5, 28, 28, 1), (3, 20, 30, 3), (0, 28, 28, 1)])
def test_form_range_and_input_stay_and_the_seed_decides(name, shape):
    x = images(*shape)
    before = x.clone()
    first, again = (augment(x, draw(1), {name: AMOUNTS[name]}) for _ in range(2))
    assert torch.equal(x, before)
    assert torch.equal(first, again)
    assert (first.shape, first.dtype) == (x.shape, x.dtype)
    assert not len(x) or (first.min() >= 0 and first.max() <= 1 + 1e-6)
    assert not len(x) or not torch.equal(first, augment(x, draw(2), {name: AMOUNTS[name]}))


@each
def test_every_image_has_its_own_draw(name):
    same = images(1).expand(30, -1, -1, -1).contiguous()
    changed = augment(same, draw(), {name: AMOUNTS[name]})
    assert len(changed.flatten(1).unique(dim=0)) >= (2 if name.startswith("flip") else 15)


@each
def test_the_largest_amount_is_allowed_and_beyond_it_is_a_sentence(name):
    augment(images(4), draw(), {name: AUGMENTATIONS[name].high})
    with pytest.raises(CourseError, match=rf"{name} must be a"):
        Config(**{name: AUGMENTATIONS[name].high * 1.01 + 1})
    with pytest.raises(CourseError, match="must be a"):
        augment(images(4), draw(), {name: -1})


@pytest.mark.parametrize("wrong", [torch.zeros(3, 28, 28), torch.zeros(3, 1, 28, 28, dtype=torch.uint8), None, [[1.0]]])
def test_what_is_no_batch_of_images_is_refused(wrong):
    with pytest.raises(CourseError, match=r"x must be images, decimal numbers of shape \[B, C, H, W\]"):
        augment(wrong, draw(), {"translate": 1})


def test_the_order_does_not_depend_on_how_the_amounts_are_named():
    x = images(6)
    one, other = {"gaussian": 0.1, "translate": 2}, {"translate": 2, "gaussian": 0.1}
    assert torch.equal(augment(x, draw(), one), augment(x, draw(), other))
    with pytest.raises(CourseError, match="There is no augmentation 'blur'; there are translate, "):
        augment(x, draw(), {"blur": 0})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@each
def test_a_gpu_gives_the_same_images(name):
    x = images(50)
    there = augment(x.cuda(), draw(), {name: AMOUNTS[name]})
    assert there.is_cuda
    torch.testing.assert_close(there.cpu(), augment(x, draw(), {name: AMOUNTS[name]}), rtol=1e-4, atol=1e-4)


# One by one


@pytest.mark.parametrize(("right", "down"), [(0, 0), (3, 0), (0, -2), (-4, 5), (9, 1), (-40, 2), (0, 28)])
def test_shift_is_that_of_scipy_with_zeros(right, down):
    x = images(2, 12, 9, 2)
    moved = shift(x, torch.tensor([right, 0]), torch.tensor([down, 0]))
    wanted = ndimage.shift(x[0].numpy(), (0, down, right), order=0, mode="constant", prefilter=False)
    assert torch.equal(moved[0], torch.from_numpy(wanted))
    assert torch.equal(moved[1], x[1])


def test_what_leaves_the_picture_is_gone():
    dot = torch.zeros(2000, 1, 28, 28)
    dot[:, :, 0, 27] = 1  # the upper right corner
    moved = augment(dot, draw(), {"translate": 4})
    rows, columns = moved[:, 0].nonzero()[:, 1:].T
    assert rows.max() == 4
    assert columns.min() == 23  # never on the other side
    assert abs(len(rows) / 2000 - 25 / 81) < 0.05  # down and to the left only, with 5 of 9 moves each


def test_all_moves_are_equally_likely():
    dot = torch.zeros(20_000, 1, 9, 9)
    dot[:, :, 4, 4] = 1
    counts = augment(dot, draw(), {"translate": 2}).sum((0, 1))[2:7, 2:7].flatten()
    assert counts.sum() == 20_000
    assert stats.chisquare(counts.numpy()).pvalue > 1e-4


@pytest.mark.parametrize("quarter", [-1, 0, 1, 2])
@pytest.mark.parametrize("side", [8, 9])
def test_a_quarter_turn_is_that_of_rot90(quarter, side):
    x = images(3, side, side)
    turned = turn(x, torch.full((3,), 90.0 * quarter))
    torch.testing.assert_close(turned, x.rot90(quarter, (2, 3)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("angle", [-50.0, 17.0])
def test_turn_is_scipys_bilinear_rotation_inside_of_the_picture(angle):
    x = ndimage.gaussian_filter(images(1, 24, 31)[0, 0].numpy(), 2)
    mine = turn(torch.from_numpy(x)[None, None], torch.tensor([angle]))[0, 0].numpy()
    theirs = ndimage.rotate(x, angle, reshape=False, order=1)
    assert abs(mine - theirs)[9:15, 12:19].max() < 1e-4  # counter-clockwise, and no wider than it is high


def test_scaling_by_two_doubles_sizes():
    x = torch.zeros(1, 1, 28, 28)
    x[:, :, 12:16, 12:16] = 1
    assert turn(x, torch.zeros(1), 2.0).sum() == pytest.approx(64, rel=0.02)
    assert turn(x, torch.zeros(1), 0.5).sum() == pytest.approx(4, rel=0.02)


def test_angles_and_factors_reach_their_ends_and_no_farther():
    bar = torch.zeros(3000, 1, 31, 31)
    bar[:, :, 15, 15:27] = 1
    ink = augment(bar, draw(), {"rotate": 40})[:, 0]
    place = torch.arange(31.0) - 15
    mass = ink.sum((1, 2))
    down, right = (ink.sum(2) @ place) / mass, (ink.sum(1) @ place) / mass
    angle = torch.rad2deg(torch.atan2(-down, right))
    assert 38 < angle.max() < 41
    assert -41 < angle.min() < -38
    assert stats.kstest(angle.numpy(), stats.uniform(-40, 80).cdf).pvalue > 1e-4


@pytest.mark.parametrize(("name", "axis"), [("flip_horizontal", 3), ("flip_vertical", 2)])
def test_a_flip_exchanges_the_sides_of_the_given_share(name, axis):
    x = images(4000, 4, 5)
    flipped = augment(x, draw(), {name: 0.3})
    is_flipped = (flipped == x.flip(axis)).flatten(1).all(1)
    assert (is_flipped | (flipped == x).flatten(1).all(1)).all()
    assert abs(is_flipped.double().mean() - 0.3) < 0.04
    assert torch.equal(augment(x, draw(), {name: 1}), x.flip(axis))


@pytest.mark.parametrize(("name", "law"), [("gaussian", stats.norm), ("laplacian", stats.laplace)])
@pytest.mark.parametrize("sd", [0.02, 0.08])
def test_noise_has_the_named_distribution(name, law, sd):
    x = torch.full((60, 1, 28, 28), 0.5)  # far from the ends: 0.5 / 0.08 is more than 6
    noise = (augment(x, draw(), {name: sd}) - x).flatten().double().numpy()
    assert noise.std() == pytest.approx(sd, rel=0.03)
    width = sd if name == "gaussian" else sd / math.sqrt(2)
    assert stats.kstest(noise[:8000], law(0, width).cdf).pvalue > 1e-4


def test_laplacian_noise_is_finite_even_where_the_uniform_number_is_zero(monkeypatch):
    monkeypatch.setattr(transforms.torch, "rand", lambda *shape, **_: torch.zeros(shape))
    assert transforms.laplacian(images(2), draw(), 0.1).isfinite().all()


def test_erased_is_one_rectangle_of_at_most_the_given_area():
    hole = augment(torch.ones(3000, 1, 20, 30), draw(), {"erase": 0.3})[:, 0] == 0
    area = hole.sum((1, 2))
    height, width = hole.any(2).sum(1), hole.any(1).sum(1)
    assert torch.equal(area, height * width)  # a full rectangle
    assert area.max() <= 0.3 * 600 * 1.2  # sides are rounded to whole pixels
    assert area.double().mean() == pytest.approx(0.15 * 600, rel=0.1)
    assert hole[:, 0].any()
    assert hole[:, -1].any()  # it may lie at any edge


# What it does to the label


@each
def test_each_effect_is_declared_in_one_of_the_known_words(name):
    one = AUGMENTATIONS[name]
    assert set(one.effect(0).values()) == {"keeps"}
    for amount in (one.step, one.high / 2, one.high):
        found = one.effect(amount)
        assert list(found) == list(range(10))
        assert all(word in ("keeps", "may break", "breaks") or word[:-1] == "may become " for word in found.values())


def test_effects_depend_on_digit_and_amount():
    assert effects({"rotate": 30, "translate": 0}, 6) == {"rotate": "keeps"}
    assert effects({"rotate": 180, "flip_horizontal": 0.5}, 6) == {
        "rotate": "may become 9", "flip_horizontal": "breaks",
    }  # fmt: skip
    assert effects({"flip_horizontal": 1}, 8) == {"flip_horizontal": "keeps"}


def test_the_reference_classifier_agrees_with_the_table_about_mirrors_and_turns():
    pixels, y = digits.load("bundled", "test")
    x = pixels[:, None] / 255
    assert (read(x) == y).float().mean() >= 0.97
    for axis, name in ((3, "flip_horizontal"), (2, "flip_vertical")):
        seen = read(x.flip(axis))
        right = {d: (seen[y == d] == d).float().mean().item() for d in range(10)}
        keeps = {d for d, word in AUGMENTATIONS[name].effect(1).items() if word == "keeps"}
        assert min(right[d] for d in keeps) > max(right[d] for d in right if d not in keeps)
    upside_down = read(x.flip((2, 3)))
    assert (upside_down[y == 6] == 9).float().mean() > 0.5
    assert (upside_down[y == 9] == 6).float().mean() > 0.4


# Your own


@pytest.fixture
def register():
    yield AUGMENTATIONS.register
    for name in AUGMENTATIONS.own():
        AUGMENTATIONS.remove(name)


def test_an_augmentation_of_ones_own_joins_and_leaves(register):
    def negative(x, generator):
        """Ink and paper exchanged."""
        return x.neg_().add_(1)  # in place: the caller's images stay all the same

    one = register("negative", negative)
    assert (one.title, one.idea, list(AUGMENTATIONS)[-1]) == ("negative", "Ink and paper exchanged.", "negative")
    x = images(3)
    before = x.clone()
    assert torch.equal(augment(x, draw(), Config(translate=0, own="negative").amounts()), 1 - before)
    assert torch.equal(x, before)
    AUGMENTATIONS.remove("negative")
    with pytest.raises(CourseError, match="own must be 'none' or an augmentation that you registered"):
        Config(own="negative")


@pytest.mark.parametrize(("name", "function", "said"), [
    ("rotate", lambda x, g: x, "'rotate' comes with the kit: give your augmentation another name"),
    ("", lambda x, g: x, "For an augmentation, the name must be a text of 1 to 24 characters"),
    ("mine", lambda x: x, r"must take \(x, generator\)"),
    ("mine", 3, r"must take \(x, generator\)"),
])  # fmt: skip
def test_what_cannot_join_is_told_why(register, name, function, said):
    with pytest.raises(CourseError, match=said):
        register(name, function)


@pytest.mark.parametrize("wrong", [lambda x, g: x[:, :, 1:], lambda x, g: x > 0, lambda x, g: None])
def test_what_returns_no_images_is_told_so(register, wrong):
    register("wrong", wrong)
    with pytest.raises(CourseError, match="'wrong' must return images of the same shape"):
        augment(images(3), draw(), {"wrong": 1})
