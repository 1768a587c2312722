"""A class in which every student has their own numbers: one's own pass, another's fail, strangers are told."""

import csv
import functools
import importlib
import re
import zipfile
from pathlib import Path

import nbformat
import pytest

from course_lib.grading import book
from course_lib.grading.marking import hidden, own_numbers
from course_lib.grading.release import release

ROOT = Path(__file__).parents[1]
NUMBERED = [one for lesson in book.LESSONS for one in book.declared(lesson) if one.numbers]
STUDENTS = ["ada@x.org", "BOB@x.org", "čyd"]
check_module = importlib.import_module("course_lib.grading.check")  # the name is the function's


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A release with own numbers for each student."""
    folder = tmp_path_factory.mktemp("own")
    roster = folder / "roster.csv"
    roster.write_text("name,mail\n" + "".join(f"N,{mail}\n" for mail in STUDENTS), "utf-8")
    return folder / "out", release(folder / "out", variant_by="mail", roster=roster)


@pytest.fixture
def in_class(own, monkeypatch):
    """Be a student of the class with own numbers."""
    monkeypatch.setattr(book, "EDITION", own[0] / "student/course_lib/grading/edition.zip")
    monkeypatch.setattr(check_module, "_student", "")
    monkeypatch.setattr(check_module, "_verdicts", {})
    for cache in (book._visible, book._read_index):
        cache.cache_clear()
    yield
    for cache in (book._visible, book._read_index):
        cache.cache_clear()


def numbers_of(one, own, student):
    return dict(own_numbers(one, own[1].secret, student))


def all_numbers(own):
    """Student, exercise, name and value of every number."""
    return {
        (student, one.id, name, str(value))
        for student in STUDENTS
        for one in NUMBERED
        for name, value in numbers_of(one, own, student).items()
    }


def test_students_have_different_numbers_and_the_teacher_a_list_of_them(own):
    with (own[0] / "teacher/numbers.csv").open(encoding="utf-8", newline="") as file:
        rows = [tuple(row) for row in csv.reader(file)]
    assert rows[0] == ("mail", "exercise", "number", "value")
    assert set(rows[1:]) == all_numbers(own)
    same = [one.id for one in NUMBERED if len({str(numbers_of(one, own, student)) for student in STUDENTS}) == 1]
    assert len(same) <= 2  # the release draws them: some exercises have but 21 different numbers
    assert not list((own[0] / "student").rglob("numbers.csv"))


def test_students_with_the_same_numbers_share_a_sheet(own):
    every = [one for lesson in book.LESSONS for one in book.declared(lesson)]
    different = {(one.id, str(own_numbers(one, own[1].secret, student))) for one in every for student in STUDENTS}
    with zipfile.ZipFile(own[0] / "student/course_lib/grading/edition.zip") as edition:
        sheets = [name for name in edition.namelist() if name.startswith("sheets/")]
    assert len(different) < len(every) * len(STUDENTS)
    assert len(sheets) == len(set(sheets)) == len(different)


@pytest.mark.usefixtures("in_class")
def test_ones_own_numbers_pass_and_anothers_fail(own):
    for one in NUMBERED:
        mine, other = (numbers_of(one, own, student) for student in STUDENTS[:2])
        for student in (STUDENTS[0], f" {STUDENTS[0].upper()} "):  # capitals and spaces do not matter
            sheet = book.visible(one.id, student)
            assert sheet.numbers == mine
            verdict = check_module.examine(sheet, functools.partial(one.reference, **mine))
            assert verdict.points == one.points
        if mine != other:
            assert check_module.examine(sheet, functools.partial(one.reference, **other)).points < one.points


def test_hidden_cases_have_the_same_numbers_as_the_visible_ones(own):
    for one in NUMBERED:
        for student in STUDENTS:
            assert hidden(one.id, own[1].secret, student).numbers == numbers_of(one, own, student)


@pytest.mark.usefixtures("in_class")
def test_a_student_says_who_they_are_before_checking(own, capsys):
    one = next(one for one in NUMBERED if one.id == "07.2")
    mine = functools.partial(one.reference, **numbers_of(one, own, STUDENTS[1]))
    check_module.check(one.id, mine)
    assert capsys.readouterr().out.endswith('since everybody has their own numbers: identify("your mail").\n')
    check_module.identify(STUDENTS[1].lower())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Your own numbers, bob@x.org")
    told = {row[1:] for row in all_numbers(own) if row[0] == STUDENTS[1]}
    shown = {tuple(re.fullmatch(r"(\S+)  (\w+) = (.*)   \(.*\)", line).groups()) for line in lines[1:]}
    assert shown == told
    check_module.check(one.id, mine)
    assert capsys.readouterr().out.startswith("✓")


@pytest.mark.usefixtures("in_class")
@pytest.mark.parametrize(("student", "said"), [
    ("eve@x.org", "'eve@x.org' is not in the list of this class"), ("", "goes between the quotes"),
    ("  ", "goes between the quotes"), (None, "goes between the quotes"), (3, "goes between the quotes"),
    ("...", "goes between the quotes"),
])  # fmt: skip
def test_an_unknown_student_gets_a_sentence_and_no_error(student, said, capsys):
    check_module.identify(student)
    assert said in capsys.readouterr().out


def test_the_notebook_asks_who_it_is_where_the_exercises_begin(own):
    for path in (own[0] / "student/notebooks").glob("07_*.ipynb"):
        new, old = nbformat.read(path, 4).cells, nbformat.read(ROOT / "notebooks" / path.name, 4).cells
        added = [i for i, cell in enumerate(new) if "identify(" in cell.source and cell.cell_type == "code"]
        assert len(added) == 1
        assert "## Exercises" in new[added[0] - 2].source
        assert "Put your mail between the quotes" in new[added[0] - 1].source
        assert [cell.source for cell in new[: added[0] - 1] + new[added[0] + 1 :]] == [cell.source for cell in old]
        nbformat.validate(nbformat.read(path, 4))
