"""From print to handwriting: printed digits, networks that learn them, and what lesson 04 says of both."""

import pandas as pd
import pytest
import torch

from course_lib.data import digits, printed
from course_lib.errors import CourseError
from course_lib.runs import finish
from course_lib.study import find
from course_lib.study import handwriting as study
from course_lib.transfer import handwriting as stored
from course_lib.transfer import read_handwriting
from course_lib.transfer.handwriting import print_reader
from course_lib.transfer.stored import HANDWRITING

# Printed digits


def test_printed_digits_have_their_form_and_differ():
    images, labels = printed.sample(1001, seed=3)
    assert (images.shape, images.dtype) == ((1001, 28, 28), torch.uint8)
    assert set(torch.bincount(labels).tolist()) == {100, 101}
    assert len({image.numpy().tobytes() for image in images}) > 995
    ink = images.float()
    assert ink.amax((1, 2)).min() > 200
    edge = torch.cat([ink[:, 0], ink[:, -1], ink[:, :, 0], ink[:, :, -1]], 1)
    assert (edge > 128).any(1).float().mean() < 0.03  # few are cut off
    written = digits.load()[0].float().mean().item()
    assert ink.mean().item() == pytest.approx(written, rel=0.2)  # about as much ink as in handwriting


def test_the_same_seed_gives_the_same_digits():
    first, again, other = (printed.sample(50, seed=seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_every_font_has_ten_different_digits():
    glyphs = printed._glyphs()
    assert glyphs.shape == (len(printed.FONTS), 10, 56, 56)
    for font in glyphs:
        assert len({digit.numpy().tobytes() for digit in font}) == 10
    assert len({font.numpy().tobytes() for font in glyphs}) == len(printed.FONTS)


@pytest.mark.parametrize("n", [0, 100_001, 2.5, "many"])
def test_how_many_must_be_a_number_in_range(n):
    with pytest.raises(CourseError, match="n must be"):
        printed.sample(n)


# Networks


def test_the_network_of_print_reads_print_that_it_has_not_seen():
    images, labels = printed.sample(500, seed=77)
    reader = print_reader()
    with torch.no_grad():
        said = reader(images[:, None].expand(-1, 3, -1, -1) / 255).argmax(1)
    assert (said == labels).float().mean() > 0.97


def test_transfer_helps_with_few_labels_and_leaves_the_network_of_print_alone():
    before = {name: value.clone() for name, value in print_reader().state_dict().items()}
    accuracy = {start: read_handwriting(50, start) for start in ("scratch", "print")}
    assert 0.5 < accuracy["scratch"] < accuracy["print"] < 0.97
    for name, value in print_reader().state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(("wrong", "said"), [
    ({"labels": -1}, "labels must be"), ({"labels": 1001}, "labels must be"), ({"start": "trunk"}, "start must be"),
    ({"seed": -1}, "seed must be"), ({"source": "mail"}, "source must be"),
])  # fmt: skip
def test_bad_settings_are_one_clear_sentence(wrong, said):
    with pytest.raises(CourseError, match=said):
        read_handwriting(**wrong)


# What is stored


@pytest.fixture(scope="module")
def rows():
    return pd.read_csv(HANDWRITING)


def test_the_stored_study_has_every_run_once(rows):
    plan = find("handwriting").plan("bundled", 5)
    assert len(plan) == 5 * 7 * 2 + 1
    stored_plan = rows[list(plan[0])].to_dict("records")
    assert stored_plan == plan
    assert (rows["n"] == digits.BUNDLED_TEST).all()


def test_a_row_is_what_the_function_returns():
    row = study.plan("bundled", 2)[-2] | {"labels": 10}
    assert finish(study.measure(row))["accuracy"] == round(read_handwriting(10, row["start"], row["seed"]), 4)


def test_what_the_text_says_is_so(rows):
    mean = rows.groupby(["labels", "start"])["accuracy"].mean().unstack()
    assert [round(mean["print"][labels], 2) for labels in (0, 10, 20)] == [0.73, 0.51, 0.73]
    gain = mean["print"] - mean["scratch"]
    assert [round(100 * gain[labels]) for labels in (50, 100)] == [13, 1]
    assert gain[[500, 1000]].abs().max() < 0.01
    table = stored().set_index("labels")
    assert [*table["beats scratch"][:4]] == ["–", "5 of 5", "5 of 5", "5 of 5"]
    assert table.loc[0, "from print"] == "0.73"
