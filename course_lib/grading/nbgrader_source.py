"""``release --nbgrader DIR``: the same assignment in nbgrader's source format, and nbgrader's settings for it.

nbgrader by itself executes the whole of a returned notebook in a kernel of the teacher's: with all the teacher's
rights, without isolation, and with a minute of training for each student. The settings that are written here
let `nbgrader_marking` mark the exercises in its place, as ``python -m course_lib grade`` does. The notebooks do
not depend on that: executed by nbgrader itself, they give the same points to whoever means no harm.
"""

from __future__ import annotations

import ast
import re
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nbformat.v4 import new_code_cell, new_markdown_cell

from course_lib.environment import ROOT, requirements
from course_lib.errors import CourseError
from course_lib.grading import book
from course_lib.grading.call import hushed
from course_lib.grading.check import examine
from course_lib.grading.exercise import Exercise
from course_lib.grading.key import SECRET, Key, read_key
from course_lib.grading.marking import hidden
from course_lib.grading.release import edit_notebook, exercise_of, release
from course_lib.lab import NOTEBOOKS, find_lesson
from course_lib.randomness import derive_seed

DISCUSSION = 2  # points for each question, given by a person
POINTS = """\
# Your points so far. Leave this cell as it is: when your work is graded, it tries other cases.
from course_lib.grading.check import points as _points

### BEGIN HIDDEN TESTS
from course_lib.grading.nbgrader_source import hidden_points as _points

### END HIDDEN TESTS
_points("{id}", {name})"""
CONFIG = '''\
"""nbgrader's settings for this course."""

import os
import sys
from pathlib import Path

LIBRARY = {library!r}  # the course as the teacher has it, with its solutions


def put_first(variable, folder):
    os.environ[variable] = os.pathsep.join(filter(None, [folder, os.environ.get(variable)]))


sys.path.insert(0, LIBRARY)
put_first("PYTHONPATH", LIBRARY)  # for kernels
put_first("PATH", str(Path(sys.executable).parent))  # nbgrader calls `alembic`, which was installed with it

c = get_config()
c.CourseDirectory.course_id = "course_lib"
c.CourseDirectory.root = str(Path(__file__).resolve().parent)
# Notebooks are mended, and their exercises marked in child processes that hold no answers. Without these two lists
# nbgrader executes whole notebooks itself, without isolation: their code then runs as you, with all your rights.
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.ClearOutput",
    "course_lib.grading.nbgrader_marking.Mend",  # in place of DeduplicateIds
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "course_lib.grading.nbgrader_marking.Mark",  # in place of Execute
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
# Where nbgrader executes a notebook:
c.Execute.timeout = 600  # seconds for a cell; one of them trains
c.Execute.skip_cells_with_tag = "{tag}"  # by itself nbgrader gives full points for cells with a tag that students know
'''
README = """\
# The course in nbgrader's format

Three commands for each assignment in `source`, to be run in this folder with the Python that has the course's
packages; nbgrader comes with `{python} -m pip install "{nbgrader}"`.

    {python} -m nbgrader generate_assignment {assignment}
    {python} -m nbgrader autograde {assignment}
    {python} -m nbgrader generate_feedback {assignment}

The first writes `release/{assignment}` for your students; the second marks what they handed in, which lies in
`submitted/STUDENT/{assignment}`; the third writes `feedback`. Answers to the discussion questions are marked by you,
{discussion} points each, in nbgrader's Formgrader: `{python} -m jupyter lab`, menu Nbgrader. A file that is no
notebook at all is named as an error, is left unmarked, and stops nobody else's.

Students need the course's library without its solutions, too: the folder `student`. Keep everything else to yourself,
above all `source` and `teacher`.

## Whose code runs where

nbgrader by itself executes every returned notebook in a kernel of yours, **without isolation**: a student's code then
runs with all your rights, and could read your files or change its own grade. `nbgrader_config.py` replaces that step.
The exercises are marked in child processes that hold no answers, with as little time, memory, files and network as
your system can hold them to; nothing else of a notebook is executed, so that pictures do not show in its feedback.

There is no isolation with settings other than these: in another course folder, with `nbgrader validate`, or once you
add graded code cells of your own, for which nbgrader executes the notebook. The same marks, as tables for Canvas and
Moodle and with isolation in any case, come from this command in the course's own folder ({library}):

    {python} -m course_lib grade {here}/submitted --out RESULTS --release {here}/teacher
"""


def release_source(out: Path) -> Key:
    """Write what `release` writes, and ``out``/source, nbgrader_config.py and README.md; return the key.

    The lessons that have exercises are not in ``out``/student: students get them from nbgrader. Raises
    `CourseError` if ``out`` is there and not empty.
    """
    key = release(out)
    names = [find_lesson(lesson) for lesson in book.LESSONS]
    for name in names:
        folder = out / "source" / Path(name).stem
        folder.mkdir(parents=True)
        edit_notebook(NOTEBOOKS / name, folder / name, lambda notebook: convert(notebook, key))
        (out / "student/notebooks" / name).unlink()
    (out / "nbgrader_config.py").write_text(CONFIG.format(library=str(ROOT), tag=secrets.token_hex(8)), "utf-8")
    places = {"python": sys.executable, "here": out.resolve(), "library": ROOT}
    (nbgrader,) = requirements(["instructor"])["instructor"]
    text = README.format(assignment=Path(names[0]).stem, discussion=DISCUSSION, nbgrader=nbgrader, **places)
    (out / "README.md").write_text(text, "utf-8")
    return key


def convert(notebook: Any, key: Key) -> None:
    """Make a lesson's notebook the source of an nbgrader assignment: solutions, points, marked questions."""
    notebook.metadata["course_lib"] = {"release": key.release}
    notebook.metadata.pop("widgets", None)
    notebook.cells = [new for cell in notebook.cells for new in _convert_cell(cell)]


def _convert_cell(cell: Any) -> Iterator[Any]:
    """Yield what takes the place of one cell."""
    if cell.cell_type == "markdown":
        yield from _split_discussion(cell) if cell.source.startswith("## DISCUSS") else [cell]
        return
    cell.outputs, cell.execution_count = [], None
    if id := exercise_of(cell):
        cell.source = mark_solution(book.exercise(id))
        cell.metadata["nbgrader"] = _about(f"answer-{_slug(id)}", solution=True)
    yield cell
    if checked := re.match(r'check\("([\d.]+)"', cell.source):
        exercise = book.exercise(checked[1])
        about = _about(f"points-{_slug(exercise.id)}", grade=True, locked=True, points=exercise.points)
        source = POINTS.format(id=exercise.id, name=exercise.name)
        yield new_code_cell(source, id=f"{cell.id}-points", metadata={"nbgrader": about})


def _split_discussion(cell: Any) -> Iterator[Any]:
    """Yield the heading, and a cell for each numbered question and one for its answer."""
    heading, *questions = re.split(r"^(?=\d+\. )", re.sub(r"^> .*\n?", "", cell.source, flags=re.MULTILINE), flags=re.M)
    yield new_markdown_cell(heading.strip(), id=cell.id)
    for number, question in enumerate(questions, 1):
        about = _about(f"discuss-{cell.id}-{number}", grade=True, solution=True, points=DISCUSSION)
        yield new_markdown_cell(f"{question.strip()} ({DISCUSSION} points)", id=f"{cell.id}-{number}")
        text = "*Write here what you look for in an answer; students get an empty cell.*"
        yield new_markdown_cell(text, id=f"{cell.id}-{number}-answer", metadata={"nbgrader": about})


def _about(grade_id: str, **given: Any) -> dict[str, Any]:
    """Return the metadata that nbgrader (schema version 3) knows a cell by."""
    kinds = {"grade": False, "solution": False, "locked": False, "task": False}
    return {"grade_id": grade_id, "schema_version": 3, **kinds, **given}


def _slug(id: str) -> str:
    return id.replace(".", "-")


def exercise_of_points(grade_id: str) -> str:
    """Return the exercise whose points a cell shows ("07.1" for "points-07-1"); empty if it shows none."""
    return {f"points-{_slug(id)}": id for id in book.titles()}.get(grade_id, "")


def mark_solution(exercise: Exercise) -> str:
    """Return the stub's cell with the reference's body in place of its last line, between nbgrader's marks."""
    stub, source = exercise.stub().splitlines(), exercise.solution()
    docstring = ast.parse(source).body[0].body[0]
    numbers = [f"    {name} = {value!r}" for name, value in exercise.defaults.items()]
    body = source.splitlines()[docstring.end_lineno :]
    return "\n".join([*stub[:-1], "    ### BEGIN SOLUTION", *numbers, *body, "    ### END SOLUTION"])


def hidden_points(id: str, function: Callable) -> float:
    """Return the points of a function, a plain float, from the release's hidden cases; show nothing.

    For notebooks that nbgrader executes, below the folder that `release_source` wrote; the function runs here, in
    the caller's process. Raises `CourseError` where there is no release, or no solutions: nbgrader then gives 0.
    """
    key = read_key(find_teacher(Path.cwd()))
    sheet = hidden(id, key.secret, "")
    seeds = [derive_seed(key.secret, id, "trial", i) for i in range(sheet.trial.seeds)] if sheet.trial else []
    with hushed():  # or nbgrader would give nothing to whoever causes a warning
        return float(examine(sheet, function, seeds).points)


def find_teacher(here: Path) -> Path:
    """Return the folder `teacher` of the course that ``here`` lies in."""
    for folder in (here, *here.parents):
        if (folder / "teacher" / SECRET).exists():
            return folder / "teacher"
    raise CourseError(f"Neither {here} nor a folder above it has teacher/{SECRET}, which the hidden cases follow from.")
