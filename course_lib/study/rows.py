"""The rows of a study: a file for each finished run, written whole or not at all, and checked when it is read."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from course_lib import __version__
from course_lib.errors import CourseError

Row = dict[str, Any]


def key(configuration: Mapping[str, Any]) -> str:
    """Return what names a run: a hash of its configuration, the same if the values come back as texts."""
    text = json.dumps({name: str(value) for name, value in configuration.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def digest(row: Row) -> str:
    """Return what tells a row from all others: its checksum."""
    return _sum(json.dumps(row))


def folder_of(table: Path) -> Path:
    """Return where the finished runs of a table are kept."""
    return table.with_name(table.name + ".rows")


class Folder:
    """The finished runs of a study's table, a file each; ours alone while it is open. Use it with ``with``.

    Raises `CourseError` if another process writes into it, or if it was made by another study or another version of the
    kit, whose results may be others.
    """

    def __init__(self, table: Path, study: str):
        self.table, self.path, self.study = table, folder_of(table), study

    def __enter__(self) -> Folder:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.lock = FileLock(self.path / "lock")
            self.lock.acquire(timeout=0)
        except Timeout:
            raise CourseError(
                f"Another study is writing into {self.path}: wait for it, or name another file."
            ) from None
        except OSError as error:
            raise CourseError(f"{self.path} cannot be written: {error.strerror or error}.") from error
        try:
            self._check()
        except BaseException:
            self.lock.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.lock.release()

    def _check(self) -> None:
        label = self.path / "study.json"
        if not label.exists():
            self._put(label, json.dumps({"study": self.study, "course_lib": __version__}))
        try:
            found = dict(json.loads(label.read_text("utf-8")))
        except (ValueError, TypeError):
            found = {"study": self.study}
        if found.get("study") != self.study:
            raise CourseError(f"{self.path} holds runs of the study {found.get('study')!r}: name another --out.")
        if (version := found.get("course_lib", "of an unknown version")) != __version__:
            raise CourseError(
                f"{self.path} was made by course_lib {version}, and this is {__version__}: name another --out, and add "
                f"--reuse {self.table} to take over what is finished there."
            )

    def read(self) -> dict[str, Row]:
        """Return the rows that are whole, by key. A damaged one is told of, and counts as not there."""
        rows = {}
        for path in sorted(self.path.glob("*.row")):
            if (row := _parse(path)) is None:
                print(f"{path.name} is damaged: that run is done again.")
            else:
                rows[path.stem] = row
        return rows

    def write(self, name: str, row: Row) -> None:
        """Keep the row of a finished run. Raises `CourseError` if it cannot be written, as when the disk is full."""
        body = json.dumps(row)
        self._put(self.path / f"{name}.row", f"{_sum(body)}\n{body}\n")

    def _put(self, path: Path, text: str) -> None:
        try:
            replace(path, text)
        except OSError as error:
            raise CourseError(
                f"{path} cannot be written ({error.strerror or error}): the runs that are finished stay, and the same "
                "command goes on once there is room."
            ) from error


def _parse(path: Path) -> Row | None:
    try:
        digest, body = path.read_text("utf-8").splitlines()
        return json.loads(body) if digest == _sum(body) else None
    except (OSError, ValueError):
        return None


def _sum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def replace(path: Path, content: str | bytes) -> None:
    """Write a file; whoever reads the file meanwhile, or after a power cut, finds the old one or the new one."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def read_table(path: Path, configuration: Row, must_exist: bool = False) -> list[Row]:
    """Return the rows of a study's table, as texts; none if there is no file and it need not exist.

    Raises `CourseError` if it lacks a column of ``configuration``: then it is something else.
    """
    if not path.exists():
        if must_exist:
            raise CourseError(f"There is no file {path}.")
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), set(reader.fieldnames or ())
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (UnicodeDecodeError, csv.Error):
        rows, columns = [], set()
    if not set(configuration) <= columns:
        raise CourseError(f"{path} is not a table of this study: name another file.")
    return rows


def read_finished(path: Path, configuration: Row) -> list[Row]:
    """Return the rows of a study's table, and those of its folder: a study that was killed has not put them together.

    Raises `CourseError` if there is neither, or the table is something else.
    """
    rows = [row for file in sorted(folder_of(path).glob("*.row")) if (row := _parse(file)) is not None]
    rows = [row for row in rows if configuration.keys() <= row.keys()]
    return rows + read_table(path, configuration, must_exist=not rows)


def write_table(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write all rows as a CSV file; what one row has and another has not is empty there."""
    rows = list(rows)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list({name: None for row in rows for name in row}), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, text.getvalue())
    except OSError as error:
        raise CourseError(f"{path} cannot be written ({error.strerror or error}): the finished runs stay.") from error
