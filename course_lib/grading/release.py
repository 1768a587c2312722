"""``release DIR``: what a class gets, without solutions, and what its teacher keeps."""

from __future__ import annotations

import csv
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from tqdm import tqdm

from course_lib import __version__
from course_lib.environment import ROOT
from course_lib.errors import CourseError, require_choice
from course_lib.grading import book
from course_lib.grading.exercise import Exercise
from course_lib.grading.key import SECRET, Key
from course_lib.grading.marking import own_numbers
from course_lib.grading.submissions import read_roster
from course_lib.lab import NOTEBOOKS, find_lesson
from course_lib.pool import LostWorker, make_workers

MANY = 64  # sheets, from which on more processes are started: each takes as long to start as twenty of them
KIT = ("README.md", "LICENSE", "requirements.txt", "environment.yml", "pyproject.toml", "data", "notebooks")
NAMES_SOLUTIONS = "*_thresholds.csv"  # right and wrong answers of exercises that are graded by training
TEACHER = """\
# What the teacher keeps

`{release}` is the release that your students have: the folder `student` beside this one. Keep this folder to
yourself: `release.json` holds the secret that the hidden cases follow from, `solutions` the solved notebooks.

    python -m course_lib grade SUBMISSIONS --out RESULTS --release {teacher}{roster}

grades a folder or a zip file of returned notebooks, from the course's own folder.
"""


def release(out: Path, *, variant_by: str | None = None, roster: Path | None = None) -> Key:
    """Write ``out``/student and ``out``/teacher and return the key that the class is graded by.

    variant_by: a column of the CSV file ``roster``; each student then has their own numbers. Raises
    `CourseError` if ``out`` is there and not empty, or for a roster that does not fit.
    """
    if variant_by and not roster:
        raise CourseError(f"--variant-by {variant_by} needs the list of students: --roster FILE.csv with that column.")
    students = _list_students(roster, variant_by) if variant_by else [""]
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CourseError(f"{out} is there already and not empty: name a new folder.")
    key = Key(f"{__version__}-{secrets.token_hex(3)}", secrets.token_hex(16), variant_by or "")
    exercises = [one for lesson in book.LESSONS for one in book.declared(lesson)]
    sheets = _pack_sheets(key, exercises, students)  # first: it takes long, and nothing is written if it is stopped
    _write_student(out / "student", key, sheets)
    _write_teacher(out / "teacher", key, exercises, students)
    return key


def _list_students(roster: Path, column: str) -> list[str]:
    rows = read_roster(roster)
    require_choice("--variant-by", column, rows[0])
    students = [row[column] for row in rows]
    keys = [book.key_of(student) for student in students]
    if not all(students) or len(set(keys)) < len(keys):
        raise CourseError(f"Every student in {roster} needs a {column} of their own: one is empty or there twice.")
    return students


def _write_student(folder: Path, key: Key, sheets: Mapping[str, Mapping[str, bytes]]) -> None:
    book.write_library(folder)
    for name in KIT:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("mnist", "*.part", ".ipynb_checkpoints", NAMES_SOLUTIONS)
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copyfile(source, folder / name)
    for path in sorted((folder / "notebooks").glob("*.ipynb")):
        edit_notebook(path, path, lambda notebook: _stamp(notebook, key))
    book.write_edition(folder / "course_lib/grading/edition.zip", key.release, key.by, sheets)


def _pack_sheets(key: Key, exercises: Sequence[Exercise], students: Sequence[str]) -> dict[str, dict[str, bytes]]:
    """Return every student's visible sheets, by exercise; those with the same numbers are worked out once."""
    numbers = {student: {one.id: own_numbers(one, key.secret, student) for one in exercises} for student in students}
    work = {(id, str(mine)): (id, mine) for theirs in numbers.values() for id, mine in theirs.items()}
    packed = dict(_pack(work))
    return {student: {id: packed[id, str(mine)] for id, mine in theirs.items()} for student, theirs in numbers.items()}


def _pack(work: Mapping[Any, tuple]) -> Iterator[tuple[Any, bytes]]:
    """Yield each packed sheet as it is done, where there are many by processes on all cores."""
    if len(work) < MANY:
        yield from ((what, book.pack_visible(*arguments)) for what, arguments in work.items())
        return
    try:
        with tqdm(total=len(work), unit="sheet") as bar, make_workers(os.cpu_count() or 1) as workers:
            for what, sheet in workers.map(book.pack_visible, work.items()):
                bar.update()
                yield what, sheet
    except LostWorker:
        raise CourseError("A worker process was ended from outside (was memory short?): nothing is written.") from None


def _stamp(notebook: Any, key: Key) -> None:
    """Note the release in a notebook; where students have their own numbers, ask who it is."""
    notebook.metadata["course_lib"] = {"release": key.release}
    if not key.by:
        return
    cells = notebook.cells
    place = [i for i, cell in enumerate(cells) if cell.cell_type == "markdown" and "## Exercises" in cell.source]
    for i in place[:1]:
        text = (
            f"**You have your own numbers.** Put your {key.by} between the quotes and run the cell: it shows the "
            "numbers that take the place of those in the text, in this notebook and when your work is graded."
        )
        ask = 'from course_lib.grading import identify\n\nidentify("...")'
        cells[i + 1 : i + 1] = [nbformat.v4.new_markdown_cell(text), nbformat.v4.new_code_cell(ask)]


def _write_teacher(folder: Path, key: Key, exercises: Sequence[Exercise], students: Sequence[str]) -> None:
    (folder / "solutions").mkdir(parents=True)
    about = {"release": key.release, "secret": key.secret, "by": key.by}
    (folder / SECRET).write_text(json.dumps(about, indent=1), "utf-8")
    (folder / "README.md").write_text(
        TEACHER.format(release=key.release, teacher=folder.resolve(), roster=" --roster FILE.csv" if key.by else ""),
        "utf-8",
    )
    for lesson in book.LESSONS:
        name = find_lesson(lesson)
        edit_notebook(
            NOTEBOOKS / name, folder / "solutions" / name, lambda notebook: (solve(notebook), _stamp(notebook, key))
        )
    if key.by:
        with (folder / "numbers.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow([key.by, "exercise", "number", "value"])
            for student in students:
                for one in exercises:
                    for name, value in (own_numbers(one, key.secret, student) or {}).items():
                        table.writerow([student, one.id, name, value])


def edit_notebook(source: Path, target: Path, edit: Callable[[Any], None]) -> None:
    """Read a notebook, change it, and write it."""
    notebook = nbformat.read(source, 4)
    edit(notebook)
    nbformat.write(notebook, target)


def solve(notebook: Any) -> None:
    """Put the reference's source in place of every stub, and take out what the cell said before."""
    for cell in notebook.cells:
        if id := exercise_of(cell):
            cell.source = book.exercise(id).solution()
            cell.outputs = []


def exercise_of(cell: Any) -> str:
    """Return the exercise whose stub a cell is; empty if it is none."""
    about = cell.metadata.get("course_lib", {})
    return about.get("exercise", "") if cell.cell_type == "code" else ""
