"""``grade SUBMISSIONS --out DIR``: marks a class, over all cores or a cluster; what is done stays done."""

from __future__ import annotations

import hashlib
import itertools
import json
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from course_lib import __version__
from course_lib.errors import CourseError
from course_lib.grading import book, reports
from course_lib.grading.marking import Job, Key, mark
from course_lib.grading.sandbox import find_weakness
from course_lib.grading.submissions import Submission, find_student, find_submissions, keep_last, read_roster

AHEAD = 4  # notebooks that wait for each worker: memory does not grow with the class


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
        run = Class(out, replace(key, folder="" if dask else folder), people, jobs or os.cpu_count() or 1, dask)
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
        with bar, _workers(run) as workers:
            for submission, data, marks in workers.map(waiting):
                _save(run, submission, data, marks)
                marked += 1
                bar.update()
    except KeyboardInterrupt:
        return marked, True
    except OSError as error:  # such as a full disk
        raise CourseError(
            f"A result cannot be written ({error.strerror or error}): what was marked before stays, and --resume "
            "goes on once there is room."
        ) from None
    except BrokenProcessPool:
        raise CourseError(
            "A process of the grader was ended from outside (was memory short?): what was marked stays, and "
            "--resume goes on; --jobs 1 takes less memory."
        ) from None
    return marked, False


class _Local:
    """Worker processes on this machine."""

    def __init__(self, run: Class):
        self.key, self.roster, self.ahead = run.key, run.roster, AHEAD * run.jobs
        context = multiprocessing.get_context("spawn")  # a fork would carry over what torch has started
        self.pool = ProcessPoolExecutor(run.jobs, mp_context=context, initializer=_leave_ctrl_c_to_the_grader)

    def __enter__(self) -> _Local:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is not None:  # do not wait for a notebook that takes minutes
            for process in list((self.pool._processes or {}).values()):
                process.kill()
        self.pool.shutdown(cancel_futures=True)

    def submit(self, job: Job) -> Future:
        return self.pool.submit(mark, job, self.key)

    def map(self, waiting: Iterable[Submission]) -> Iterator[tuple[Submission, bytes, dict]]:
        """Yield each submission with its bytes and marks, as they are done."""
        left = iter(waiting)
        running: dict[Future, tuple[Submission, bytes]] = {}
        while True:
            for submission in itertools.islice(left, self.ahead - len(running)):
                job = make_job(submission, self.roster, self.key.by)
                running[self.submit(job)] = (submission, job.data)
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield *running.pop(future), future.result()


class _Cluster(_Local):
    """Workers of a Dask cluster that is there already."""

    def __init__(self, run: Class):
        try:
            from distributed import Client
        except ImportError:
            raise CourseError("--dask needs the package distributed: pip install 'dask[distributed]'.") from None
        try:
            self.client = Client(run.dask, timeout=10)
        except (OSError, ValueError, TimeoutError) as error:
            raise CourseError(f"There is no Dask cluster at {run.dask!r} ({error}).") from None
        versions = set(self.client.run(_version).values())
        if not versions:
            raise CourseError(f"The Dask cluster at {run.dask} has no workers.")
        if versions != {__version__}:
            raise CourseError(
                f"Every worker needs course_lib {__version__}; the cluster has {sorted(map(str, versions))}."
            )
        self.key, self.roster, self.ahead = run.key, run.roster, AHEAD * len(self.client.nthreads())

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def submit(self, job: Job) -> Future:
        future = self.client.submit(mark, job, self.key, pure=False)
        done: Future = Future()
        future.add_done_callback(lambda f: _pass_on(f, done))
        return done


def _pass_on(source: Any, target: Future) -> None:
    try:
        target.set_result(source.result())
    except BaseException as error:
        target.set_exception(error)


def _version() -> str:
    return __version__


def _workers(run: Class) -> _Local:
    return _Cluster(run) if run.dask else _Local(run)


def _leave_ctrl_c_to_the_grader() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


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
