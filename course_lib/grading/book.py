"""The exercises of this edition: from their declarations, or, in a class edition, from a file without solutions."""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import shutil
import zipfile
import zlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from course_lib.environment import ROOT
from course_lib.errors import CourseError
from course_lib.grading.plain import decode, encode
from course_lib.grading.sheet import Sheet
from course_lib.randomness import derive_seed

LESSONS = {
    "01": "gradients",
    "02": "normalization",
    "03": "augmentation",
    "04": "transfer",
    "05": "multitask",
    "06": "fairness",
    "07": "mitigation",
}  # lesson -> package that holds its exercises
EDITION = Path(__file__).with_name("edition.zip")  # only in what a class gets


def declared(lesson: str) -> tuple:
    """Return the exercises of a lesson with their solutions; raise `CourseError` where there are none."""
    if lesson not in LESSONS:
        raise CourseError(f"Lesson {lesson!r} has no exercises; {', '.join(LESSONS)} have.")
    if EDITION.exists():
        raise CourseError("This is the edition for a class: the exercises' solutions are in the teacher's.")
    return importlib.import_module(f"course_lib.{LESSONS[lesson]}.exercises").EXERCISES


def exercise(id: str) -> Any:
    """Return the declaration of one exercise, with its solution; raise `CourseError` where there is none."""
    for one in declared(_lesson(id)):
        if one.id == id:
            return one
    raise CourseError(_unknown(id))


def titles(lessons: Collection[str] = LESSONS) -> dict[str, tuple[str, int]]:
    """Return title and points of every exercise of these lessons, by id; other lessons are not loaded."""
    if EDITION.exists():
        return {id: tuple(row) for id, row in _edition()["exercises"].items() if _lesson(id) in lessons}
    known = [lesson for lesson in LESSONS if lesson in lessons]
    return {one.id: (one.title, one.points) for lesson in known for one in declared(lesson)}


def edition() -> str:
    """Return the name of the release that this is; empty for the edition for self-study."""
    return _edition()["release"] if EDITION.exists() else ""


def own_numbers_by() -> str:
    """Return what identifies a student in this edition ("student_id"); empty if all have the same numbers."""
    return _edition()["by"] if EDITION.exists() else ""


def visible(id: str, student: str = "") -> Sheet:
    """Return the sheet that `check` uses; ``student`` where students have their own numbers.

    Raises `CourseError` for an unknown exercise or student.
    """
    if not isinstance(id, str) or id not in titles([_lesson(id)]):
        raise CourseError(_unknown(id))
    by = own_numbers_by()
    if by and not student:
        raise CourseError(f'First say who you are, since everybody has their own numbers: identify("your {by}").')
    return _visible(id, student if by else "")


def _unknown(id: object) -> str:
    known = titles([_lesson(id)]) or titles()
    return f"There is no exercise {id!r}; there are {', '.join(known)}."


def _lesson(id: object) -> str:
    return str(id).partition(".")[0]


@functools.lru_cache(maxsize=64)
def _visible(id: str, student: str) -> Sheet:
    if not EDITION.exists():
        return exercise(id).sheet([visible_seed(id)])
    with zipfile.ZipFile(EDITION) as book:
        try:
            names = json.loads(book.read(f"students/{key_of(student) if student else 'all'}"))
        except KeyError:
            raise CourseError(
                f"{student!r} is not in the list of this class: check the spelling, or ask your teacher."
            ) from None
        data = zlib.decompress(book.read(f"sheets/{names[id]}"))
    return Sheet.unpack(decode(data))


def _edition() -> Mapping[str, Any]:
    return _read_index(EDITION.stat().st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _read_index(_changed: int) -> Mapping[str, Any]:
    with zipfile.ZipFile(EDITION) as book:
        return json.loads(book.read("edition.json"))


def write_library(folder: Path) -> None:
    """Copy the library without the exercises' solutions to ``folder``/course_lib."""
    solutions = {f"{package}/exercises" for package in LESSONS.values()}

    def left_out(where: str, names: Sequence[str]) -> set[str]:
        here = Path(where).relative_to(ROOT / "course_lib").as_posix()
        return {n for n in names if n in ("__pycache__", EDITION.name) or f"{here}/{Path(n).stem}" in solutions}

    shutil.copytree(ROOT / "course_lib", folder / "course_lib", ignore=left_out)


def pack_visible(id: str, numbers: Mapping[str, Any] | None = None) -> bytes:
    """Return the sheet that `check` uses, with these numbers, as it lies in an edition."""
    return zlib.compress(encode(exercise(id).sheet([visible_seed(id)], numbers).pack()))


def write_edition(path: Path, release: str, by: str, sheets: Mapping[str, Mapping[str, bytes]]) -> None:
    """Write the file that a class edition has in place of the exercises' solutions.

    sheets: for each student (with ``by`` "", for the one key "") every exercise's visible sheet, packed; students
    with the same one share it. The same bytes for the same content.
    """
    index = {"release": release, "by": by, "exercises": titles()}
    different = {sheet for theirs in sheets.values() for sheet in theirs.values()}
    names = {sheet: hashlib.sha256(sheet).hexdigest() for sheet in different}
    with zipfile.ZipFile(path, "w") as book:  # what is large is packed already
        _write(book, "edition.json", json.dumps(index).encode())
        for student, theirs in sheets.items():
            known = {id: names[sheet] for id, sheet in theirs.items()}
            _write(book, f"students/{key_of(student) if by else 'all'}", json.dumps(known).encode())
        for sheet in sorted(different):
            _write(book, f"sheets/{names[sheet]}", sheet)


def _write(book: zipfile.ZipFile, name: str, data: bytes) -> None:
    book.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), data)


def key_of(student: str) -> str:
    """Return the key of a student's sheets: case and spaces around an identifier do not matter."""
    return f"{derive_seed('student', student.strip().lower()):08x}"


def visible_seed(id: str) -> int:
    """Return the seed of the cases that students see."""
    return derive_seed("visible", id)
