"""What a class is graded by, and where its teacher keeps it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.grading import book

SECRET = "release.json"


@dataclass(frozen=True)
class Key:
    """What a class is graded by: the release's name and secret, and what its students are told apart by."""

    release: str
    secret: str
    by: str = ""
    training: bool = True  # False: exercises that are graded by training are left out
    spawn: bool = False  # True: no forked children, as where there is no Linux
    folder: str = ""  # for temporary files
    lessons: tuple[str, ...] = tuple(book.LESSONS)  # that are loaded before the first notebook is marked


SELF_STUDY = Key("", "self-study")  # for submissions of the edition that holds its solutions


def read_key(folder: Path | None) -> Key:
    """Return the key in a teacher's folder (or its file); without one, that of the edition for self-study."""
    if folder is None:
        return SELF_STUDY
    path = folder / SECRET if folder.is_dir() else folder
    try:
        about = json.loads(path.read_text("utf-8"))
        return Key(str(about["release"]), str(about["secret"]), str(about["by"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise CourseError(
            f"{folder} is no teacher's folder of a release: it has no {SECRET} that can be read."
        ) from None
