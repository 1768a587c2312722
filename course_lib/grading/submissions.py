"""What was handed in: every notebook in a folder or a zip file, and whose it is. Nothing is unpacked or run."""

from __future__ import annotations

import csv
import os
import re
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from course_lib.errors import CourseError

MAX_NOTEBOOK = 16 * 2**20  # bytes
MAX_DEPTH = 8  # folders in folders
MARK = re.compile(rb'"exercise"\s*:\s*"(\d\d)\.\d')  # of an exercise's cell, in its metadata
CANVAS = re.compile(r"(?P<name>.+?)(_LATE)?_(?P<id>\d+)_(?P<file>\d+)_(?P<rest>.+)", re.DOTALL)
MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_(file|onlinetext)_?", re.DOTALL)
FLAT = re.compile(r"(.*?)[_ -]?((?<!\d)\d\d_[a-z_]+(?:[ (-]+\d+\)?)?)?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Submission:
    """One notebook: the student's name as the file tells it, the lesson, and where it is.

    number: the student's number in Canvas or Moodle, if the name has one; problem: why it cannot be read.
    """

    student: str
    lesson: str
    path: str
    archive: Path | None = field(default=None, repr=False)
    folder: Path | None = field(default=None, repr=False)
    number: str = ""
    problem: str = ""

    def read(self) -> bytes:
        """Return the notebook's bytes; of a file that is replaced meanwhile, never more than is allowed."""
        if self.problem:
            return b""
        if self.archive:
            with zipfile.ZipFile(self.archive) as files, files.open(self.path) as file:
                return file.read(MAX_NOTEBOOK + 1)[:MAX_NOTEBOOK]
        number = os.open(self.folder / self.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(number, "rb") as file:
            return file.read(MAX_NOTEBOOK + 1)[:MAX_NOTEBOOK]


def find_submissions(where: Path, lessons: Sequence[str], lesson: str | None = None) -> list[Submission]:
    """Return what was handed in, sorted by student; of two notebooks of one student, the last by name counts.

    Layouts: a folder for each student (also nbgrader's, with the assignment's folder inside), or files that
    begin with the student (as Canvas names them). lesson: of notebooks whose name does not begin with a
    lesson's number; without it, their exercises tell, or what most others are. Raises `CourseError` if there
    is nothing.
    """
    if not where.exists():
        raise CourseError(f"There is nothing at {where}: name the folder or zip file with the submissions.")
    files = _list_zip(where) if where.is_file() else _list_folder(where)
    paths = list(files)
    if not paths:
        raise CourseError(f"{where} is empty, or holds no notebook (.ipynb): nothing was graded.")
    wrapper = _find_wrapper([_strip(path, where) for path, _ in paths])
    found = []
    for path, problem in paths:
        student, number, rest = _whose(_strip(path, where).removeprefix(wrapper))
        which = next((n for n in re.findall(r"(?<!\d)(\d\d)_", rest) if n in lessons), lesson)
        place = {"archive": where} if where.is_file() else {"folder": where}
        one = Submission(student, which or "", path, number=number, problem=problem, **place)
        found.append(replace(one, lesson=which or (lessons[0] if len(lessons) == 1 else _find_mark(one, lessons))))
    most = Counter(one.lesson for one in found if one.lesson).most_common(1)
    if not most:
        raise CourseError(f"Which lesson is {found[0].path}? Name it with --lesson, such as --lesson {lessons[0]}.")
    found = [one if one.lesson else replace(one, lesson=most[0][0]) for one in found]  # as most of the class
    return sorted(_tell_apart(found), key=lambda s: (s.student.lower(), s.lesson, s.path))


def _find_mark(submission: Submission, lessons: Sequence[str]) -> str:
    """Return the lesson that the first exercise in a notebook belongs to, if it can be read and has one."""
    try:
        data = submission.read()
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError):  # marking it will say so
        return ""
    return next((n for n in map(bytes.decode, MARK.findall(data)) if n in lessons), "")


def _tell_apart(found: Sequence[Submission]) -> Iterator[Submission]:
    """Add the number to the names of students who have the same name in Canvas or Moodle."""
    numbers: dict[str, set[str]] = {}
    for one in found:
        numbers.setdefault(one.student.lower(), set()).add(one.number)
    for one in found:
        several = one.number and len(numbers[one.student.lower()]) > 1
        yield replace(one, student=f"{one.student} {one.number}") if several else one


def keep_last(found: Sequence[Submission]) -> tuple[list[Submission], list[str]]:
    """Return one submission for each student and lesson, and a sentence for every one that is left out."""
    last = {(s.student.lower(), s.lesson): s for s in found}
    sentences = [
        f"{s.student} handed in lesson {s.lesson} more than once: {_printable(chosen.path)} is graded, "
        f"{_printable(s.path)} is not."
        for s in found
        if (chosen := last[s.student.lower(), s.lesson]) is not s
    ]
    return list(last.values()), sentences


def _list_folder(where: Path) -> Iterator[tuple[str, str]]:
    for folder, folders, names in os.walk(where):
        deep = len(Path(folder).relative_to(where).parts) >= MAX_DEPTH
        folders[:] = [] if deep else sorted(name for name in folders if _is_shown(name))
        for name in sorted(names + [link for link in folders if (Path(folder) / link).is_symlink()]):
            if not (name.lower().endswith(".ipynb") and _is_shown(name)):
                continue
            path = Path(folder) / name
            about = path.lstat()
            problem = ""
            if not stat.S_ISREG(about.st_mode):
                problem = "The file is a link or something else that is no file: hand in the notebook itself."
            yield path.relative_to(where).as_posix(), problem or _find_size_problem(about.st_size)


def _list_zip(where: Path) -> Iterator[tuple[str, str]]:
    try:
        entries = zipfile.ZipFile(where).infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise CourseError(f"{where} is neither a folder nor a zip file that can be read ({error}).") from None
    for entry in entries:
        parts = PurePosixPath(entry.filename).parts
        if entry.filename.lower().endswith(".ipynb") and all(map(_is_shown, parts)) and not entry.is_dir():
            link = "The file is a link: hand in the notebook itself." if entry.external_attr >> 28 == 0o12 else ""
            locked = "The file is encrypted: hand in the notebook itself." if entry.flag_bits & 1 else ""
            yield entry.filename, link or locked or _find_size_problem(entry.file_size)


def _is_shown(name: str) -> bool:
    return not name.startswith((".", "__MACOSX"))


def _find_size_problem(size: int) -> str:
    if size > MAX_NOTEBOOK:
        return f"The notebook has {size / 2**20:,.0f} MiB; {MAX_NOTEBOOK >> 20} are allowed: clear its outputs."
    return "" if size else "The notebook is empty."


def _find_wrapper(paths: Sequence[str]) -> str:
    """Return the one folder that holds everything, with its slash, if it is not a student's; else nothing."""
    parts = [PurePosixPath(path).parts for path in paths]
    first = parts[0][0]
    if any(len(part) < 2 or part[0] != first for part in parts):
        return ""
    inside = {part[1] for part in parts if not re.match(r"\d\d_", part[1])}  # a student's own are lessons
    return f"{first}/" if len(inside) > 1 else ""


def _strip(path: str, where: Path) -> str:
    """Leave out a folder that goes by a name which no student has: "submitted", or the zip file's own."""
    first, _, rest = path.partition("/")
    return rest if rest and first.lower() in ("submitted", "submissions", where.stem.lower()) else path


def _whose(path: str) -> tuple[str, str, str]:
    """Return a submission's student, their number if the name has one, and the rest of the name."""
    *folders, name = PurePosixPath(path).parts
    if folders:
        moodle = MOODLE.fullmatch(folders[0])
        student, number = (moodle["name"], moodle["id"]) if moodle else (folders[0], "")
        return clean(student), number, "/".join([*folders[1:], name])
    stem = name[: -len(".ipynb")]
    if canvas := CANVAS.fullmatch(stem):
        return clean(canvas["name"]), canvas["id"], canvas["rest"]
    student, lesson = FLAT.fullmatch(stem).groups()
    return clean(student or stem), "", lesson or stem


def clean(name: str) -> str:
    """Return a name as it can stand in a table: printable, at most 80 characters."""
    return _printable(name).strip()[:80] or "(no name)"


def _printable(text: str) -> str:
    """Return a text with a number for what cannot be shown, so that different texts stay different."""
    return "".join(c if c.isprintable() else f"<{ord(c):x}>" for c in text)


def read_roster(path: Path) -> list[dict[str, str]]:
    """Return the students of a class: rows of a CSV file with a header, such as an export of Canvas or Moodle."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [{k: (v or "").strip() for k, v in row.items() if k} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CourseError(f"The list of students {path} cannot be read: {error}.") from None
    rows = [row for row in rows if any(row.values()) and not any("points possible" in v.lower() for v in row.values())]
    if not rows:
        raise CourseError(f"The list of students {path} has no rows below its header.")
    return rows


def find_student(roster: Sequence[Mapping[str, str]], submission: Submission) -> Mapping[str, str] | None:
    """Return the row that names this student (or their number) in any of its columns; None if none or two do."""
    names = {submission.student.lower(), submission.number.lower()} - {""}
    rows = [row for row in roster if names & {value.lower() for value in row.values()}]
    return rows[0] if len(rows) == 1 else None
