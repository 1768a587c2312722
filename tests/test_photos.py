"""Loaders for photographs of faces, on small made-up folders in the layouts of CelebA and UTKFace."""

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib.data.photos import load_celeba, load_utkface
from course_lib.errors import CourseError

NAMES = ["Bald", "Eyeglasses", "Male", "Smiling", "Young"]


def photograph(path, colour, size=(178, 218)):
    """A photograph of one colour with a red frame, wider than the middle square leaves over."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((size[1], size[0], 3), colour, np.uint8)
    pixels[:18], pixels[-18:] = (255, 0, 0), (255, 0, 0)
    Image.fromarray(pixels).save(path, quality=95)


@pytest.fixture
def celeba(tmp_path):
    """Twelve photographs, six to train with, three each to validate and to test."""
    partition, attributes = [], ["12", " ".join(NAMES)]
    for i in range(12):
        name = f"{i + 1:06d}.jpg"
        photograph(tmp_path / "img_align_celeba" / name, (10 * i, 100, 100))
        partition.append(f"{name} {0 if i < 6 else 1 if i < 9 else 2}")
        attributes.append(
            f"{name} -1 {1 if i % 4 == 0 else -1:2d} {1 if i % 2 else -1:2d} {1 if i % 3 == 0 else -1:2d} 1"
        )
    (tmp_path / "list_eval_partition.txt").write_text("\n".join(partition))
    (tmp_path / "list_attr_celeba.txt").write_text("\n".join(attributes) + "\n")
    return tmp_path


def test_celeba_gives_the_labels_of_each_photograph(celeba):
    photos = load_celeba(celeba, "train")
    assert photos.images.shape == (6, 3, 32, 32)
    assert photos.images.dtype == torch.uint8
    assert photos.gender.tolist() == [0, 1, 0, 1, 0, 1]
    assert photos.smile.tolist() == [True, False, False, True, False, False]
    assert photos.glasses.tolist() == [True, False, False, False, True, False]
    assert photos.age is None
    red = photos.images[:, 0].float().mean((1, 2))
    assert red.round().tolist() == pytest.approx([0, 10, 20, 30, 40, 50], abs=3)  # the frame is cut off


@pytest.mark.parametrize(("split", "n", "size", "shape"), [
    ("train", 2, 64, (2, 3, 64, 64)), ("valid", 50, 32, (3, 3, 32, 32)), ("test", 3, 8, (3, 3, 8, 8)),
])  # fmt: skip
def test_celeba_gives_the_split_the_number_and_the_size_asked_for(celeba, split, n, size, shape):
    assert load_celeba(celeba, split, n, size).images.shape == shape


def test_utkface_tells_age_and_gender_by_the_name(tmp_path):
    for i, (age, gender) in enumerate([(25, 0), (70, 1), (1, 1), (101, 0)]):
        photograph(
            tmp_path / "UTKFace" / f"{age}_{gender}_2_2017011617{i:04d}.jpg.chip.jpg", (30 * i, 50, 50), (200, 200)
        )
    photograph(tmp_path / "UTKFace" / "39_1_20170116174525125.jpg", (0, 0, 0))  # a known slip: no race
    (tmp_path / "UTKFace" / "readme.txt").write_text("x")
    photos = load_utkface(tmp_path)
    assert sorted(zip(photos.age.tolist(), photos.gender.tolist(), strict=True)) == [(1, 0), (25, 1), (70, 0), (101, 1)]
    assert photos.smile is None
    assert len(load_utkface(tmp_path, n=2)) == 2
    assert torch.equal(load_utkface(tmp_path, seed=3).images, load_utkface(tmp_path, seed=3).images)


def test_what_is_missing_or_damaged_is_one_clear_sentence(celeba, tmp_path):
    with pytest.raises(CourseError, match="There are no photographs with names like"):
        load_utkface(tmp_path / "nowhere")
    with pytest.raises(CourseError, match=r"list_eval_partition\.txt cannot be read"):
        load_celeba(tmp_path / "nowhere")
    with pytest.raises(CourseError, match="split must be one of"):
        load_celeba(celeba, "all")
    with pytest.raises(CourseError, match="size must be"):
        load_celeba(celeba, size=4)
    (celeba / "img_align_celeba" / "000002.jpg").write_bytes(b"no photograph")
    with pytest.raises(CourseError, match=r"000002\.jpg cannot be read"):
        load_celeba(celeba)
    (celeba / "img_align_celeba" / "000001.jpg").unlink()
    with pytest.raises(CourseError, match=r"000001\.jpg cannot be read"):
        load_celeba(celeba)
    (celeba / "list_attr_celeba.txt").write_text("1\nBald Male\n000001.jpg 1 1\n")
    with pytest.raises(CourseError, match="has no column Eyeglasses, Smiling"):
        load_celeba(celeba)


def test_a_split_without_photographs_is_told(celeba):
    (celeba / "list_eval_partition.txt").write_text("000001.jpg 0\n")
    with pytest.raises(CourseError, match="lists no photographs of the split 'test'"):
        load_celeba(celeba, "test")
