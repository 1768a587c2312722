"""Synthetic faces: exact counts, the same bytes, counterfactuals, and labels that are learnable, not too easily."""

import hashlib
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.data import faces, portrait
from course_lib.data.faces import BALANCED, GROUPS, RANGES, SOURCE, counts, render, sample
from course_lib.errors import CourseError
from course_lib.networks import initialise
from course_lib.randomness import generator

# Priors and counts


@pytest.mark.parametrize("priors", [BALANCED, SOURCE, (1, 0, 0, 0), (0.1, 0.2, 0.3, 0.4), (1 / 3, 1 / 3, 1 / 3, 0)])
@pytest.mark.parametrize("n", [1, 3, 7, 100, 1001])
def test_groups_have_the_counts_of_the_largest_remainder(n, priors):
    drawn = sample(n, priors)
    got = torch.bincount(drawn.group, minlength=4).tolist()
    assert got == counts(n, priors)
    assert sum(got) == len(drawn) == n
    assert all(abs(number - n * prior) < 1 for number, prior in zip(got, priors, strict=True))
    ups = [n * prior % 1 for number, prior in zip(got, priors, strict=True) if number > n * prior]
    downs = [n * prior % 1 for number, prior in zip(got, priors, strict=True) if number < n * prior]
    assert not ups or not downs or min(ups) >= max(downs) - 1e-9


def test_priors_by_name_are_the_same():
    by_name = dict(zip(GROUPS, SOURCE, strict=True))
    assert counts(1000, by_name) == counts(1000, SOURCE) == [450, 20, 60, 470]
    assert counts(10, {GROUPS[1]: 1.0}) == [0, 10, 0, 0]


@pytest.mark.parametrize(("priors", "said"), [
    ((0.5, 0.5), "four shares"), ((0.5, 0.5, 0.5, 0.5), "must sum to 1; they sum to 2"), ("1000", "four shares"),
    ((-0.5, 0.5, 0.5, 0.5), "must be a number from 0 to 1"), ({"men": 1.0}, "a group of the priors must be one of"),
    ((math.nan, 0.5, 0.5, 0), "must be a number from 0 to 1"),
])  # fmt: skip
def test_priors_that_are_none_are_one_clear_sentence(priors, said):
    with pytest.raises(CourseError, match=said):
        sample(10, priors)


@pytest.mark.parametrize(("arguments", "said"), [
    ({"n": 0}, "n must be"), ({"n": 10**7}, "from 1 to 200000"), ({"n": 10, "seed": -1}, "seed must be"),
    ({"n": 10, "glasses": 1.5}, "glasses must be"), ({"n": 10, "bookshelf": "all"}, "bookshelf must be"),
])  # fmt: skip
def test_bad_arguments_are_one_clear_sentence(arguments, said):
    with pytest.raises(CourseError, match=said):
        sample(**arguments)


# Attributes


def test_attributes_have_their_ranges_and_are_independent_of_the_group():
    drawn = sample(4000, SOURCE, seed=2, bookshelf=0.3)
    for name, (low, high) in RANGES.items():
        values = getattr(drawn, name).double()
        assert low <= values.min()
        assert values.max() <= high
        if name not in ("smile", "gender"):
            both = torch.stack([values, drawn.gender.double(), drawn.smile.double()])
            assert torch.corrcoef(both)[0, 1:].abs().max() < 0.06  # 4 standard errors
    assert drawn.glasses.float().mean() == pytest.approx(0.25, abs=0.03)
    assert drawn.background.float().mean() == pytest.approx(0.3, abs=0.03)
    assert drawn.age.mean() == pytest.approx(49, abs=1.2)
    assert drawn.traits.mean().abs() < 0.02
    assert drawn.traits.std() == pytest.approx(1, abs=0.02)


def test_with_other_priors_only_as_many_faces_change_as_must():
    one, other = sample(1000, BALANCED), sample(1000, (0.24, 0.26, 0.25, 0.25))
    assert (one.group != other.group).sum() == 10
    for name in set(RANGES) - {"smile", "gender"}:
        assert torch.equal(getattr(one, name), getattr(other, name))
    assert torch.equal(one.traits, other.traits)


def test_a_part_of_the_faces_is_faces():
    drawn = sample(50)
    smiling = drawn[drawn.smile]
    assert smiling.smile.all()
    assert len(smiling) == 25
    assert torch.equal(render(drawn)[10:20], render(drawn[10:20]))


# Drawings


@pytest.mark.parametrize("size", [32, 64])
def test_drawings_have_their_form_and_differ(size):
    drawn = render(sample(200), size)
    assert drawn.shape == (200, 3, size, size)
    assert drawn.dtype == torch.uint8
    assert len({image.numpy().tobytes() for image in drawn}) == 200
    assert drawn.float().std() > 30


def test_the_same_attributes_give_the_same_bytes():
    drawn = sample(64, SOURCE, seed=5, bookshelf=0.5)
    assert torch.equal(render(drawn), render(sample(64, SOURCE, seed=5, bookshelf=0.5)))
    assert hashlib.sha256(render(drawn).numpy().tobytes()).hexdigest() == BYTES
    assert not torch.equal(render(drawn), render(sample(64, SOURCE, seed=6, bookshelf=0.5)))


BYTES = "e967c24ebda48c3065c84bbd051f5e22eb5dbcf5f2a256142aeaf9eb8420fcdb"


def test_a_face_does_not_depend_on_its_neighbours():
    drawn = sample(100, seed=3)
    alone = torch.cat([render(drawn[i : i + 1]) for i in range(100)])
    assert torch.equal(alone, render(drawn))


@pytest.mark.parametrize("size", [31, 128, 32.0, "32", None])
def test_other_sizes_are_refused(size):
    with pytest.raises(CourseError, match="size must be one of 32, 64"):
        render(sample(2), size)


# Counterfactuals


@pytest.mark.parametrize("change", [{"smile": True}, {"gender": 1}, {"age": 75.0}, {"glasses": True}, {"skin": 0.9},
                                    {"background": 1}, {"pose": 1.0}, {"light": 1.0}])  # fmt: skip
def test_one_change_changes_that_and_nothing_else(change):
    (name, value), drawn = next(iter(change.items())), sample(40, seed=1)
    other = drawn.change(**change)
    assert (getattr(other, name) == value).all()
    for rest in {*RANGES, "traits"} - {name}:
        assert torch.equal(getattr(other, rest), getattr(drawn, rest))
    same = getattr(drawn, name) == value
    differs = (render(other) != render(drawn)).flatten(1).any(1)
    assert differs[~same].all()
    assert not differs[same].any()


def test_a_bookshelf_leaves_the_middle_of_the_face_alone():
    drawn = sample(40, seed=1)
    plain, shelf = render(drawn), render(drawn.change(background=1))
    assert torch.equal(plain[:, :, 12:24, 12:20], shelf[:, :, 12:24, 12:20])


def test_a_smile_changes_the_lower_half_most():
    drawn = sample(100, seed=1)
    change = render(drawn.change(smile=True)).float() - render(drawn.change(smile=False)).float()
    assert change[:, :, 18:28].abs().mean() > 3 * change[:, :, :10].abs().mean()


@pytest.mark.parametrize(("change", "said"), [
    ({"age": 90}, "age must be from 18 to 80"), ({"mood": 1}, "attribute must be one of 'smile'"),
    ({"skin": -0.1}, "skin must be from 0 to 1"), ({"traits": 0}, "attribute must be one of"),
])  # fmt: skip
def test_impossible_changes_are_one_clear_sentence(change, said):
    with pytest.raises(CourseError, match=said):
        sample(3).change(**change)


# What a small network learns


class Small(nn.Module):
    """Three convolutions; three numbers out: smile, gender, age."""

    def __init__(self):
        super().__init__()
        layers = []
        for before, after in ((3, 16), (16, 32), (32, 48)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
        self.body, self.head = nn.Sequential(*layers), nn.Linear(48 * 16, 3)

    def forward(self, x):
        return self.head(self.body(x).flatten(1))


def mean_and_deviation(age):
    return (age - 49) / 18


@pytest.fixture(scope="module")
def learned():
    """A small network after 5,000 balanced faces, and what it says of 2,000 others."""
    train, test = sample(5000, seed=0), sample(2000, seed=1)
    x, generator = render(train), torch.Generator().manual_seed(0)
    network = initialise(Small(), generator).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=6 * 79)
    for _ in range(6):
        for i in torch.randperm(5000, generator=generator).split(64):
            out = network(x[i].float() / 255)
            loss = F.binary_cross_entropy_with_logits(out[:, 0], train.smile[i].float())
            loss = loss + F.binary_cross_entropy_with_logits(out[:, 1], train.gender[i].float())
            loss = loss + F.l1_loss(out[:, 2], mean_and_deviation(train.age[i]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    network.eval()
    with torch.no_grad():
        return network, test, network(render(test).float() / 255)


def test_smile_gender_and_age_are_learnable_but_not_trivial(learned):
    _, test, out = learned
    smile = ((out[:, 0] > 0) == test.smile).float().mean().item()
    gender = ((out[:, 1] > 0) == test.gender.bool()).float().mean().item()
    error = (18 * out[:, 2] + 49 - test.age).abs().mean().item()
    print(f"smile {smile:.3f}, gender {gender:.3f}, mean absolute error of the age {error:.2f} years")
    assert 0.90 <= smile <= 0.99
    assert 0.85 <= gender <= 0.97
    assert 4 <= error <= 9


def test_with_balanced_priors_smile_is_not_read_from_gender(learned):
    network, test, out = learned
    smiles = [(out[:, 0] > 0)[(test.gender == g) & (test.smile == s)].float().mean() for g in (0, 1) for s in (0, 1)]
    assert abs(smiles[0] - smiles[2]) < 0.06  # false alarms for women and for men
    assert abs(smiles[1] - smiles[3]) < 0.06
    with torch.no_grad():
        drawn = [network(render(test.change(gender=g)).float() / 255)[:, 0] for g in (0, 1)]
    assert np.mean([(a > 0).float().mean().item() for a in drawn]) == pytest.approx(0.5, abs=0.05)
    same = ((drawn[0] > 0) == (drawn[1] > 0)).float().mean()
    assert same > 0.93  # drawn as the other gender, nearly every face keeps its answer


def test_what_is_not_the_mouth_says_nothing_of_a_smile_but_eyes_and_cheeks():
    """Without smiles in the picture (all set to none) nothing else gives the label away."""
    drawn = sample(2000, seed=3)
    pixels = render(drawn.change(smile=False)).float().flatten(1)
    label = drawn.smile.float() - 0.5
    covariance = ((pixels - pixels.mean(0)) * label[:, None]).mean(0).abs()
    assert (covariance < 5 * 0.5 * pixels.std(0) / 2000**0.5 + 1e-6).all()


def test_a_thousand_faces_have_no_pixel_out_of_range():
    drawn = render(sample(1000, seed=9, bookshelf=0.5), 64)
    assert drawn.min() < 40
    assert drawn.max() > 230
    assert faces.MAX_FACES >= 50_000


HALVES = slice(0, 50), slice(50, 70)


def test_drawings_are_those_of_all_faces_though_only_those_that_differ_are_drawn(monkeypatch):
    drawings, drawn = faces.Drawings(), []
    draw = portrait.draw
    monkeypatch.setattr(portrait, "draw", lambda some, size: drawn.append(len(some)) or draw(some, size))
    first = faces.sample(50, (0.4, 0.1, 0.2, 0.3), seed=1)
    more = faces.Faces.joined([first, faces.sample(20, seed=2)])
    for one, expected in (
        (first, 50),
        (first, None),  # none differs
        (faces.sample(50, (0.4, 0.1, 0.3, 0.2), seed=1), 5),
        (first.change(background=1, age=30.0), 50),
        (first, 50),
        (more, 20),
        (first, None),
    ):
        drawn.clear()
        pictures = drawings.of(one)
        assert not drawn  # nobody has looked yet
        kept = pictures[:]
        assert drawn == ([expected] if expected else [])
        assert torch.equal(kept, draw(one, 32))


def test_drawings_that_nobody_has_looked_at_are_not_taken_for_drawn():
    drawings, some = faces.Drawings(), faces.sample(30, seed=1)
    drawings.of(some)[:10]
    assert torch.equal(drawings.of(some)[:], render(some))


@pytest.mark.parametrize("noise", [0, 40])
def test_a_camera_takes_the_same_of_each_drawing_whenever_it_is_looked_at(noise):
    some = faces.sample(70, seed=4)
    cameras = [(n, generator(i, "camera")) for i, n in enumerate((50, 20))]
    pictures = faces.camera(faces.Drawings().of(some), noise, cameras)
    parts = [faces.add_grain(render(some[part]), noise, generator(i, "camera")) for i, part in enumerate(HALVES)]
    order = torch.randperm(70, generator=generator(1, "order"))
    for index in order.split(16):
        assert torch.equal(pictures[index], torch.cat(parts)[index])
    assert pictures[:].is_contiguous(memory_format=torch.channels_last)


def test_of_many_photographs_no_grain_is_kept(monkeypatch):
    monkeypatch.setattr(faces, "MOST_LAZY", 9)
    kept = {n: faces.camera(faces.Drawings().of(sample(n)), 30, [(n, generator(0, "camera"))]) for n in (9, 10)}
    assert [pictures._make is None for pictures in kept.values()] == [False, True]


def test_faces_differ_where_any_attribute_does():
    some = faces.sample(4, seed=3)
    traits = some.traits.clone()
    traits[2, 7] += 1
    other = replace(some.change(smile=torch.stack([~some.smile[0], *some.smile[1:]])), traits=traits)
    assert some.differs(other).tolist() == [True, False, True, False]
    assert not some.differs(some).any()
