"""The digits: what both sources must deliver, and what is said when MNIST's files are not right."""

import gzip
import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from course_lib.data import digits, idx
from course_lib.errors import CourseError

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
COURSE_DATA = os.environ.get("COURSE_DATA")
REAL = next((f for f in (Path(COURSE_DATA or SHARED) / "mnist", SHARED / "mnist") if f.is_dir()), None)
needs_mnist = pytest.mark.skipif(REAL is None, reason="MNIST's files are not here (set COURSE_DATA)")

# If one of these changes, every result on the bundled digits changes: raise the package's version.
CHECKSUMS = {
    "train": "c1ecf42d199be6853c9090c0ed2379992ee5312fdecc250b7387551846095713",
    "test": "fba47a1351f31062c7e97c799a95a39feae251e1dcbdbb109bd5df54f6d60d53",
}


# Bundled


@pytest.mark.parametrize(("split", "count"), [("train", 1297), ("test", 500)])
def test_bundled_digits_have_the_shape_of_mnist(split, count):
    images, labels = digits.load("bundled", split)
    assert images.shape == (count, 28, 28)
    assert images.dtype == torch.uint8
    assert labels.shape == (count,)
    assert labels.dtype == torch.int64


@pytest.mark.parametrize("split", digits.SPLITS)
def test_bundled_bytes_never_change(split):
    images, labels = digits.load("bundled", split)
    content = images.numpy().tobytes() + labels.numpy().tobytes()
    assert hashlib.sha256(content).hexdigest() == CHECKSUMS[split]


def test_bundled_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    coarse, labels = digits._scikit_digits()
    expected = load_digits()
    assert (coarse == expected.images).all()
    assert (labels == expected.target).all()


def test_bundled_digits_are_found_without_their_file(monkeypatch):
    expected = digits._scikit_digits()
    monkeypatch.setattr(Path, "is_file", lambda path: False)
    found = digits._scikit_digits.__wrapped__()
    assert all((a == b).all() for a, b in zip(found, expected, strict=True))


def test_bundled_split_is_stratified_and_depends_on_no_order():
    coarse, labels = digits._scikit_digits()
    test = digits._mark_test(coarse, labels)
    share = digits.BUNDLED_TEST / len(labels)
    for label in range(10):
        assert abs(test[labels == label].sum() - share * (labels == label).sum()) < 1
    order = np.random.default_rng(0).permutation(len(labels))
    assert (digits._mark_test(coarse[order], labels[order]) == test[order]).all()


def test_bundled_splits_share_no_digit():
    train, test = (set(map(bytes, digits.load("bundled", split)[0].numpy())) for split in digits.SPLITS)
    assert not train & test


def test_bundled_ink_box_is_20_pixels_in_the_middle():
    images = torch.cat([digits.load("bundled", split)[0] for split in digits.SPLITS])
    for image in images.numpy():
        rows, columns = (np.flatnonzero(image.any(axis)) for axis in (1, 0))
        sides = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
        assert max(sides) == 20
        assert abs(rows[0] + rows[-1] - 27) <= 1
        assert abs(columns[0] + columns[-1] - 27) <= 1


def test_bundled_ink_is_as_dark_and_as_much_as_mnists():
    images = digits.load()[0].float() / 255
    assert 0.12 < images.mean() < 0.15  # MNIST: 0.13
    assert (images == 1).sum() > (0.4 * images.sum())  # saturated strokes
    assert ((images > 0) & (images < 1)).float().mean() > 0.05  # soft edges


def test_enlarge_keeps_aspect_ratio_and_place():
    upright = np.zeros((1, 8, 8), np.uint8)
    upright[0, :, 3:5] = 16  # a bar, four times as high as wide
    (image,) = digits.enlarge(upright)
    rows, columns = (np.flatnonzero((image > 127).any(axis)) for axis in (1, 0))
    assert (rows[0], rows[-1]) == (4, 23)
    assert 4 <= len(columns) <= 6
    assert (image == image[::-1]).all()
    assert (image == image[:, ::-1]).all()


def test_each_caller_gets_tensors_of_their_own():
    images, labels = digits.load()
    images.zero_()
    labels.zero_()
    again, same = digits.load()
    assert again.any()
    assert same.any()


@pytest.mark.parametrize("arguments", [("emnist", "train"), ("bundled", "dev"), (None, "train"), ("mnist", 0)])
def test_unknown_source_or_split_is_refused(arguments):
    with pytest.raises(CourseError, match=r"(source|split) must be one of"):
        digits.load(*arguments)


# MNIST


@needs_mnist
@pytest.mark.parametrize(("split", "count"), [("train", 60_000), ("test", 10_000)])
def test_mnist_is_read(split, count, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(REAL.parent))
    images, labels = digits.load("mnist", split)
    assert images.shape == (count, 28, 28)
    assert labels.bincount().shape == (10,)
    assert labels[:3].tolist() == {"train": [5, 0, 4], "test": [7, 2, 1]}[split]


@needs_mnist
def test_mnist_is_read_uncompressed(tmp_path):
    name = "t10k-labels-idx1-ubyte"
    raw = tmp_path / name
    raw.write_bytes(gzip.decompress(idx.locate(REAL, name).read_bytes()))
    assert idx.read(idx.locate(tmp_path, name), name)[:3].tolist() == [7, 2, 1]


def stand_ins() -> tuple[dict[str, bytes], dict[str, idx.IdxFile]]:
    """Small files like MNIST's four, and what is expected of them."""
    contents, files = {}, {}
    for name, spec in idx.FILES.items():
        shape = (60 if "train" in name else 10, *spec.shape[1:])
        pixels = np.random.default_rng(len(files)).integers(0, 10, shape, np.uint8)
        contents[name] = idx._header(shape) + pixels.tobytes()
        files[name] = idx.IdxFile(shape, hashlib.sha256(contents[name]).hexdigest())
    return contents, files


CONTENTS, STAND_INS = stand_ins()
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("name", STAND_INS)
def test_idx_files_are_read(tmp_path, name, suffix):
    path = tmp_path / f"{name}{suffix}"
    path.write_bytes(gzip.compress(CONTENTS[name]) if suffix else CONTENTS[name])
    pixels = idx.read(path, name, STAND_INS)
    assert pixels.shape == STAND_INS[name].shape
    assert pixels.tobytes() == CONTENTS[name][-pixels.size :]


def flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        (IMAGES, CONTENTS[IMAGES][:-100], "is truncated"),
        (IMAGES, CONTENTS[IMAGES] + b"\0", "is too long"),
        (IMAGES, flipped(CONTENTS[IMAGES]), "is corrupt"),
        (IMAGES, CONTENTS[TEST_IMAGES], f"holds the content of {TEST_IMAGES}"),
        (IMAGES, CONTENTS[LABELS], f"holds the content of {LABELS}"),
        (LABELS, CONTENTS[IMAGES], f"holds the content of {IMAGES}"),
        (IMAGES, idx._header((61, 28, 28)), "another shape"),
        (IMAGES, b"<html>Not found</html>", "is not an IDX file"),
        (IMAGES, b"", "is not an IDX file"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_wrong_files_get_one_clear_sentence(tmp_path, name, content, fault, suffix):
    path = tmp_path / f"{name}{suffix}"
    path.write_bytes(gzip.compress(content) if suffix else content)
    assert_clear(path, name, fault)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (gzip.compress(CONTENTS[IMAGES])[:-500], "is truncated"),
        (b"<html>Not found</html>", "is not valid gzip data"),
        (gzip.compress(CONTENTS[IMAGES])[:300] + bytes(1000), "is not valid gzip data"),
    ],
)
def test_wrong_gzip_data_gets_one_clear_sentence(tmp_path, content, fault):
    path = tmp_path / f"{IMAGES}.gz"
    path.write_bytes(content)
    assert_clear(path, IMAGES, fault)


def test_unreadable_file_gets_one_clear_sentence(tmp_path):
    assert_clear(tmp_path, IMAGES, "cannot be read")  # a folder


def assert_clear(path: Path, name: str, fault: str) -> None:
    with pytest.raises(CourseError) as caught:
        idx.read(path, name, STAND_INS)
    message = str(caught.value)
    assert str(path) in message
    assert fault in message
    assert "python -m course_lib data mnist" in message
    assert "choose the bundled digits" in message
    assert "\n" not in message


def test_missing_mnist_is_said_and_never_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(idx, "folders", lambda: [tmp_path / "mnist"])
    assert digits.find_mnist() is None
    with pytest.raises(CourseError, match=r"^MNIST is not in .*: run `python -m") as caught:
        digits.load("mnist")
    assert str(tmp_path / "mnist") in str(caught.value)
    assert "python -m course_lib data mnist" in str(caught.value)


def test_mnist_is_looked_for_in_course_data_first(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    folder = tmp_path / "mnist"
    folder.mkdir()
    assert idx.default_folder() == folder
    for name in idx.FILES:
        assert digits.find_mnist() != folder
        (folder / f"{name}.gz").touch()
    assert digits.find_mnist() == folder
    monkeypatch.delenv("COURSE_DATA")
    assert idx.default_folder() == Path(digits.__file__).parents[2] / "data" / "mnist"


@needs_mnist
def test_damaged_mnist_is_refused(tmp_path, monkeypatch):
    folder = shutil.copytree(REAL, tmp_path / "mnist", copy_function=shutil.copyfile)
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    wrong = folder / "t10k-images-idx3-ubyte.gz"
    shutil.copyfile(folder / "train-images-idx3-ubyte.gz", wrong)
    with pytest.raises(CourseError, match="holds the content of train-images-idx3-ubyte"):
        digits.load("mnist", "test")
