"""What a class gets and what its teacher keeps: checks work without a solution anywhere, numbers are one's own."""

import inspect
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

from course_lib.errors import CourseError
from course_lib.grading import book
from course_lib.grading.call import call
from course_lib.grading.judge import judge
from course_lib.grading.key import SELF_STUDY, read_key
from course_lib.grading.marking import hidden
from course_lib.grading.notebook import find_functions, read_cells
from course_lib.grading.plain import encode
from course_lib.grading.release import exercise_of, release, solve

ROOT = Path(__file__).parents[1]
EXERCISES = {one.id: one for lesson in book.LESSONS for one in book.declared(lesson)}
UNTRAINED = [one for one in EXERCISES.values() if not one.trial]


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """A release: its folder and its key."""
    folder = tmp_path_factory.mktemp("release") / "new" / "folder"
    return folder, release(folder)


def contents(folder):
    """Every file of a folder by its path, and what is in zip files."""
    for path in (path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        yield name, path.read_bytes()
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as files:
                yield from ((f"{name}/{entry}", files.read(entry)) for entry in files.namelist())


# What is where


def test_students_get_a_course_that_looks_like_the_teachers(kit):
    names = {name for name, _ in contents(kit[0] / "student")}
    notebooks = {f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert notebooks | {"README.md", "LICENSE", "requirements.txt", "course_lib/grading/edition.zip"} <= names
    assert {"data/LICENSES.md", "pyproject.toml", "environment.yml", "course_lib/panel.js"} <= names
    assert not [n for n in names if re.search(r"exercises|thresholds\.csv|__pycache__|release\.json|\.part$|mnist/", n)]
    assert not [n for n in names if n.startswith(("tests", "teacher", "solutions"))]
    assert {path.name for path in kit[0].iterdir()} == {"student", "teacher"}


def test_the_teacher_keeps_the_key_and_solved_notebooks(kit):
    names = {name for name, _ in contents(kit[0] / "teacher")}
    lessons = {
        f"solutions/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb") if path.name[:2] in book.LESSONS
    }
    assert names == {"README.md", "release.json"} | lessons
    assert read_key(kit[0] / "teacher") == read_key(kit[0] / "teacher/release.json") == kit[1]
    assert read_key(None) == SELF_STUDY
    assert kit[1].release in (kit[0] / "teacher/README.md").read_text("utf-8")


def test_two_releases_differ_in_name_and_secret(kit, tmp_path):
    again = release(tmp_path)  # an empty folder will do
    assert kit[1].release != again.release
    assert kit[1].secret != again.secret
    assert len(kit[1].secret) == 32


def test_notebooks_are_as_they_were_but_for_the_releases_name(kit):
    for path in (kit[0] / "student/notebooks").glob("*.ipynb"):
        new, old = nbformat.read(path, 4), nbformat.read(ROOT / "notebooks" / path.name, 4)
        assert new.cells == old.cells
        assert new.metadata.pop("course_lib") == {"release": kit[1].release}
        assert new.metadata == old.metadata
        assert read_cells(path.read_bytes())[1] == {"release": kit[1].release}


# No solution, no secret


def lines_of(function):
    """The lines of a function's body that say something, without their spaces."""
    source = inspect.getsource(function)
    body = source.split('"""')[-1] if function.__doc__ else source.partition("\n")[2]
    lines = [line.partition("#")[0] for line in body.splitlines()]
    return [re.sub(r"\s", "", line) for line in lines if len(re.findall(r"\w+", line)) > 3]


def test_no_line_of_a_solution_or_a_wrong_answer_is_in_the_students_kit(kit):
    # The notebooks are as everybody sees them (see above): one explains a line that an exercise needs.
    files = {n: re.sub(rb"\s", b"", data) for n, data in contents(kit[0] / "student") if not n.endswith(".ipynb")}
    looked_for = 0
    for exercise in EXERCISES.values():
        wrong = [m.answer for m in exercise.misconceptions]
        for function in (exercise.reference, *exercise.alternatives, *wrong):
            for line in lines_of(function):
                looked_for += 1
                assert not [name for name, data in files.items() if line.encode() in data], line
    assert looked_for > 100


def test_no_alternative_is_named(kit):
    named = {f.__name__ for e in EXERCISES.values() for f in e.alternatives if "_" in f.__name__}
    for name, data in contents(kit[0] / "student"):
        assert not [n for n in named if n.encode() in data], name


def test_neither_the_secret_nor_a_hidden_case_is_in_the_students_kit(kit):
    files = dict(contents(kit[0] / "student"))
    everything = b"\0".join(files.values())
    assert kit[1].secret.encode() not in everything
    for one in UNTRAINED:
        sheet, visible = hidden(one.id, kit[1].secret, ""), encode(book.visible(one.id).pack())
        values = [part for case in sheet.cases for part in case.arguments]
        for answer in sheet.expected:
            values += answer.value if isinstance(answer.value, tuple) else [answer.value]
        arrays = [np.asarray(value).tobytes() for value in values if isinstance(value, torch.Tensor)]
        # Long or varied enough not to be there by chance.
        secret = [data for data in arrays if (len(set(data)) > 8 or len(data) > 300) and data not in visible]
        assert len(secret) >= 3
        assert not [data for data in secret if data in everything]


def test_the_library_for_graded_code_has_no_solution_and_no_sheet(tmp_path):
    book.write_library(tmp_path)
    names = {name for name, _ in contents(tmp_path)}
    assert "course_lib/mitigation/trials.py" in names
    assert not [name for name in names if "exercises" in name or name.endswith((".zip", ".pyc"))]


# The students' kit, in a Python of its own

SCRIPT = r"""
import contextlib, importlib, io, json, sys
import course_lib
from course_lib.errors import CourseError
from course_lib.grading import book, check, example, identify, progress, solution

def said(function, *arguments):
    with contextlib.redirect_stdout(io.StringIO()) as text:
        function(*arguments)
    return text.getvalue()

def refused(function, *arguments):
    try:
        function(*arguments)
    except (CourseError, ImportError) as error:
        return f"{type(error).__name__}: {error}"

answers = json.load(sys.stdin)
results = {"where": course_lib.__file__}
for name, (id, source, function) in answers.items():
    space = {}
    exec(source, space)
    results[name] = said(check, id, space[function])
results["progress"] = said(progress)
results["solution"] = said(solution, "07.1")
results["unknown"] = said(check, "07.9", abs)
results["example"] = [str(type(part)) for part in example("07.1")]
results["exercises"] = refused(importlib.import_module, "course_lib.mitigation.exercises")
results["declared"] = refused(book.declared, "07")
from pathlib import Path
from course_lib.grading.grade import grade
from course_lib.grading.marking import hidden
from course_lib.grading.release import release
results["release"] = refused(release, Path("out"))
results["hidden"] = refused(hidden, "07.1", "secret", "")
results["modules"] = [name for name in sys.modules if "exercises" in name]
sys.__stdout__.write(json.dumps(results))
"""


def source_of(exercise, function):
    """An answer as a student could hand it in: with its imports, and the functions that it uses."""
    module = vars(sys.modules[function.__module__])
    helpers = [name for name, value in module.items() if name.startswith("_") and inspect.isfunction(value)]
    parts = [module[name] for name in (*helpers, exercise.name)]
    imports = "import torch\nimport torch.nn.functional as F\n"
    return imports + "\n\n".join(map(inspect.getsource, dict.fromkeys((*parts, function), 0)))


@pytest.fixture(scope="module")
def session(kit, tmp_path_factory):
    """What a student of the class sees for right answers, wrong ones and a stub."""
    answers = {}
    for one in UNTRAINED:
        answers[f"right {one.id}"] = one.id, source_of(one, one.reference), one.name
        for wrong in one.misconceptions:
            if one.id != "07.1":  # whose wrong answers have no default numbers
                answers[f"wrong {one.id} {wrong.name}"] = one.id, source_of(one, wrong.answer), wrong.name
    answers["stub"] = "07.5", EXERCISES["07.5"].stub(), "mitigate"
    variables = {**os.environ, "PYTHONPATH": str(kit[0] / "student"), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=json.dumps(answers), capture_output=True, text=True, timeout=300,
        cwd=tmp_path_factory.mktemp("elsewhere"), env=variables, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert Path(results["where"]).is_relative_to(kit[0] / "student")
    return results


@pytest.mark.parametrize("id", [one.id for one in UNTRAINED])
def test_a_right_answer_passes_all_visible_checks(session, id):
    points = EXERCISES[id].points
    heading, more = session[f"right {id}"].splitlines()
    assert heading.endswith(f"{points} of {points} points")
    assert more == "All visible checks passed; more run when your work is graded."


def test_a_wrong_answer_gets_its_hint_and_its_points(session):
    wrong = {name: text for name, text in session.items() if name.startswith("wrong")}
    assert len(wrong) == sum(len(one.misconceptions) for one in UNTRAINED if one.id != "07.1")
    for name, text in wrong.items():
        _, id, misconception = name.split()
        (hint,) = (m.hint for m in EXERCISES[id].misconceptions if m.name == misconception)
        heading, told = text.splitlines()
        assert told in (hint, f"Right for ordinary input. {hint}")
        assert heading.startswith("✗")


def test_the_rest_of_a_session_works_without_solutions(session):
    assert session["stub"] == "… 07.5 Beat the standard model: 0 of 5 points, not attempted yet\n"
    assert session["progress"].splitlines()[0].endswith(" points so far")
    assert session["unknown"].startswith("There is no exercise '07.9'; there are 07.1, ")
    assert session["example"][0] == "<class 'torch.Tensor'>"


def test_a_class_has_no_solutions_to_show_import_or_release(session):
    refusal = "This is the edition for a class: the exercises' solutions are in the teacher's."
    assert session["solution"] == f"{refusal}\n"
    assert session["exercises"] == "ModuleNotFoundError: No module named 'course_lib.mitigation.exercises'"
    for name in ("declared", "release", "hidden"):
        assert session[name] == f"CourseError: {refusal}"
    assert session["modules"] == []


# Solved notebooks


@pytest.mark.parametrize("lesson", book.LESSONS)
def test_the_solved_notebook_has_what_gets_full_marks(kit, lesson):
    (path,) = (kit[0] / "teacher/solutions").glob(f"{lesson}_*.ipynb")
    sources, about = read_cells(path.read_bytes())
    exercises = book.declared(lesson)
    found = find_functions(sources, [one.name for one in exercises])
    for one in exercises:
        space = {}
        exec(found[one.name].source, space)
        sheet = hidden(one.id, kit[1].secret, "")
        outcomes = [call(space[one.name], encode(case.arguments), sheet.harness) for case in sheet.cases]
        assert judge(sheet, outcomes).points == one.points
    assert about == {"release": kit[1].release}
    cells = [cell for cell in nbformat.read(path, 4).cells if exercise_of(cell)]
    assert len(cells) == len(exercises)
    assert not any(cell.outputs for cell in cells)


def test_solving_a_notebook_takes_out_what_the_stub_said():
    notebook = nbformat.v4.new_notebook()
    for id in ("07.1", None):
        cell = nbformat.v4.new_code_cell("1", metadata={"course_lib": {"exercise": id}} if id else {})
        cell.outputs = [nbformat.v4.new_output("stream", text="1")]
        notebook.cells.append(cell)
    solve(notebook)
    assert [(cell.source[:20], len(cell.outputs)) for cell in notebook.cells] == [("def sample_position(", 0), ("1", 1)]


# What is refused


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for place in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(CourseError, match="is there already and not empty: name a new folder"):
            release(place)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(("text", "said"), [
    ("name,login\nAda,ada\n", "--variant-by must be one of 'name', 'login'; it was 'mail'"),
    ("mail\na\nb\nA \n", "needs a mail of their own: one is empty or there twice"),
    ("mail,name\na,b\n,c\n", "needs a mail of their own: one is empty or there twice"),
    ("mail\n", "has no rows below its header"), ("", "has no rows below its header"),
])  # fmt: skip
def test_a_roster_that_does_not_fit_is_refused_before_anything_is_written(text, said, tmp_path):
    (tmp_path / "roster.csv").write_text(text)
    with pytest.raises(CourseError, match=said):
        release(tmp_path / "out", variant_by="mail", roster=tmp_path / "roster.csv")
    with pytest.raises(CourseError, match="--variant-by mail needs the list of students: --roster"):
        release(tmp_path / "out", variant_by="mail")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", [None, "", "{", "[]", "3", '{"release": "a"}', '{"release": "a", "secret": "b"}'])
def test_what_is_no_teachers_folder_is_told(text, tmp_path):
    if text is not None:
        (tmp_path / "release.json").write_text(text)
    for place in (tmp_path, tmp_path / "release.json"):
        with pytest.raises(CourseError, match=r"is no teacher's folder of a release: it has no release\.json"):
            read_key(place)
