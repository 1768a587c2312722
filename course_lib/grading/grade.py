"""``grade SUBMISSIONS --out DIR``: marks a class, over all cores or a cluster; what is done stays done."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from course_lib import __version__
from course_lib.errors import CourseError
from course_lib.grading import book, reports
from course_lib.grading.key import Key
from course_lib.grading.marking import Job, mark
from course_lib.grading.sandbox import find_weakness
from course_lib.grading.submissions import Submission, find_student, find_submissions, keep_last, read_roster
from course_lib.pool import LostWorker, make_workers


@dataclass(frozen=True)
class Class:
    """One run of the grader: whom it grades, by what, and where the results go."""

    out: Path
    key: Key
    roster: Sequence[Mapping[str, str]] = ()
    jobs: int = 1
    dask: str = ""


def grade(
    submissions: Path,
    out: Path,
    key: Key,
    *,
    lesson: str | None = None,
    roster: Path | None = None,
    jobs: int | None = None,
    resume: bool = False,
    dask: str = "",
) -> int:
    """Grade a folder or a zip file of notebooks into ``out``; return how many were marked in this run.

    Writes grades.csv, canvas.csv, moodle.csv, feedback/NAME.html and summary.html. Raises `CourseError` for
    input that cannot be graded. ``resume`` goes on where an earlier run stopped; it marks no notebook again
    that is as it was.
    """
    book.declared(lesson or next(iter(book.LESSONS)))  # an unknown lesson, or no solutions to grade by
    found, left_out = keep_last(find_submissions(submissions, list(book.LESSONS), lesson))
    people = read_roster(roster) if roster else []
    if key.by and not people:
        raise CourseError(f"The students of this release have their own numbers, by {key.by}: name the same --roster.")
    records = out / "records"
    if records.exists() and any(records.iterdir()) and not resume:
        raise CourseError(f"{out} holds results already: add --resume to go on with them, or name a new folder.")
    records.mkdir(parents=True, exist_ok=True)
    for sentence in left_out:
        print(sentence)
    if not dask and (sentence := find_weakness(key.spawn)):
        print(sentence)
    with tempfile.TemporaryDirectory(prefix="course_", ignore_cleanup_errors=True) as folder:
        key = replace(key, folder="" if dask else folder, lessons=tuple(sorted({one.lesson for one in found})))
        run = Class(out, key, people, jobs or os.cpu_count() or 1, dask)
        marked, stopped = _mark_all(run, found)
    reports.write(out, [_load(run, one) for one in found if _path(run, one).exists()], people, key)
    if stopped:
        raise KeyboardInterrupt(f"Stopped: {marked} notebooks were marked and stay; --resume goes on with the others.")
    return marked


def _mark_all(run: Class, found: Sequence[Submission]) -> tuple[int, bool]:
    """Mark what is not marked yet; return how many were, and whether Ctrl-C came."""
    waiting = [one for one in found if not _is_done(run, one)]
    if len(waiting) < len(found):
        print(f"{len(found) - len(waiting)} of {len(found)} notebooks were marked before and are as they were.")
    marked = 0
    bar = tqdm(total=len(waiting), unit="notebook", disable=not waiting)
    try:
        with bar, make_workers(run.jobs, run.dask) as workers:
            for (submission, data), marks in workers.map(mark, _jobs(run, waiting)):
                _save(run, submission, data, marks)
                marked += 1
                bar.update()
    except KeyboardInterrupt:
        return marked, True
    except LostWorker as error:
        raise CourseError(f"{error} (Add --resume.)") from None
    except OSError as error:  # such as a full disk
        raise CourseError(
            f"A result cannot be written ({error.strerror or error}): what was marked before stays, and --resume "
            "goes on once there is room."
        ) from None
    return marked, False


def _jobs(run: Class, waiting: Iterable[Submission]) -> Iterator[tuple[tuple[Submission, bytes], tuple[Job, Key]]]:
    """Yield each submission with its bytes, and what it takes to mark it."""
    for submission in waiting:
        job = make_job(submission, run.roster, run.key.by)
        yield (submission, job.data), (job, run.key)


def make_job(submission: Submission, roster: Sequence[Mapping[str, str]] = (), by: str = "") -> Job:
    """Read a notebook into a job; what cannot be read becomes the job's problem."""
    person = find_student(roster, submission) or {}
    student = person.get(by, submission.student)
    try:
        return Job(student, submission.lesson, submission.read(), submission.problem)
    except Exception as error:  # of a file that went away, a damaged zip entry, or one with a password
        text = f"The file cannot be read: {getattr(error, 'strerror', None) or error}."
        return Job(student, submission.lesson, b"", text[:200])


def _path(run: Class, submission: Submission) -> Path:
    name = f"{submission.lesson}_{reports.file_name(submission.student)}.json"
    return run.out / "records" / name


def _fingerprint(run: Class, data: bytes) -> str:
    """Return what a record depends on: the notebook, the key, the library."""
    parts = (data, run.key.secret.encode(), str(run.key.training).encode(), __version__.encode())
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _is_done(run: Class, submission: Submission) -> bool:
    try:
        record = json.loads(_path(run, submission).read_text("utf-8"))
        return record["fingerprint"] == _fingerprint(run, make_job(submission).data)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _load(run: Class, submission: Submission) -> dict[str, Any]:
    return json.loads(_path(run, submission).read_text("utf-8"))


def _save(run: Class, submission: Submission, data: bytes, marks: dict[str, Any]) -> None:
    """Write a record at once and whole, so that a run that is stopped loses none."""
    person = find_student(run.roster, submission)
    notes = []
    if run.roster and person is None:
        notes.append(f"{submission.student} is not in the list of students, or there twice.")
    if marks["release"] != run.key.release and not marks["problem"]:
        notes.append("The notebook is of another edition of the course than the one that is graded.")
    record = {
        "student": submission.student,
        "number": submission.number,
        "lesson": submission.lesson,
        "file": submission.path,
        "fingerprint": _fingerprint(run, data),
        "notes": notes,
        "problem": marks["problem"],
        "verdicts": marks["verdicts"],
    }
    path = _path(run, submission)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(record, indent=1, ensure_ascii=False), "utf-8", errors="replace")
    part.replace(path)
