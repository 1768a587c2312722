"""The assignment in nbgrader's format goes through the real nbgrader, from the source to the feedback."""

import copy
import html
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

from course_lib import cli, environment
from course_lib.errors import CourseError
from course_lib.grading import book
from course_lib.grading.check import points
from course_lib.grading.key import read_key
from course_lib.grading.nbgrader_source import hidden_points, mark_solution

ROOT = Path(__file__).parents[1]
ASSIGNMENT = "07_bias_mitigation"
EXERCISES = {one.id: one for one in book.declared("07")}
UNTRAINED = [id for id, one in EXERCISES.items() if one.trial is None]
MAXIMUM = {f"points-{id.replace('.', '-')}": float(one.points) for id, one in EXERCISES.items()}
QUESTIONS = [f"discuss-07-55-{number}" for number in (1, 2, 3)]
NONSENSE = {
    "07.1": "def sample_position(labels, strength, generator):\n    return np.float64(1.0)",
    "07.2": "def group_gaps(right, right_standard, majority):\n    print('oh', file=sys.stderr)\n    return True",
    "07.3": "def update_weights(q, losses, group):\n    sys.exit(0)",
    "07.4": "def sd_loss(logits, y):\n    return torch.tensor(1.0)",
    "07.5": "import sys\nimport numpy as np\n\n\ndef mitigate(x, generator):\n    return float('nan')",
}
# What others say: Python's warnings about the code of installed packages, with the line that they are about;
# ipykernel about its own transport; nbgrader whenever it puts hidden tests back.
TOLERATED = re.compile(
    r"\[\w+ \| INFO\] .*"
    r"|\S*site-packages\S+:\d+: \w*Warning: .*\n( .*)?"
    r"|\[IPKernelApp\] WARNING \| Kernel is running over TCP without encryption\..*"
)
HIDDEN_TESTS = r"\[AutogradeApp \| WARNING\] Attribute 'checksum' for cell points-07-\d has changed! .*"


# The source is written where there is no nbgrader.
RELEASE = "import sys; sys.modules['nbgrader'] = None; from course_lib.cli import main; sys.exit(main(sys.argv[1:]))"


def run(*arguments, cwd, path=ROOT):
    """Run Python in a folder, with the library in ``path``; return its status and all that it says.

    Where ``path`` is empty, it is the settings in the folder that tell where the library is.
    """
    kept = {name: os.environ[name] for name in os.environ if not name.startswith(("JUPYTER", "PYTHON", "NBGRADER"))}
    own = {"PYTHONPATH": str(path), "JUPYTER_CONFIG_DIR": str(cwd / "no settings"), environment.HANDED_OVER: "here"}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=kept | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    return done.returncode, done.stdout


def complaints(said, *tolerated):
    """Return what a command said but for what is tolerated."""
    for pattern in (TOLERATED, *map(re.compile, tolerated)):
        said = pattern.sub("", said)
    return [line for line in said.splitlines() if line.strip()]


def name_of(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def named(notebook, name):
    return next(cell for cell in notebook.cells if name_of(cell) == name)


def fill_in(notebook, answers):
    """Put answers (exercise -> source) in place of the student's cells."""
    for id, source in answers.items():
        named(notebook, f"answer-{id.replace('.', '-')}").source = source


def solved(ids=EXERCISES):
    return {id: mark_solution(EXERCISES[id]) for id in ids}


def hand_in(course, student, notebook):
    file = course / "submitted" / student / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    file.parent.mkdir(parents=True)
    nbformat.write(notebook, file)


def marks(course, student):
    """Return the points of a student in the grade book, cell by cell; None for what a person is to mark."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "course_lib") as grades:
        submission = grades.find_submission(ASSIGNMENT, student)
        cells = [grade for notebook in submission.notebooks for grade in notebook.grades]
        assert all(grade.needs_manual_grade == (grade.auto_score is None) for grade in cells)
        return {grade.name: grade.auto_score for grade in cells}


def exercises_only(notebook, ids=EXERCISES):
    """Return a copy without the lesson around its exercises, for a kernel: the demonstrations train for a minute."""
    notebook = copy.deepcopy(notebook)
    kept = {f"{kind}-{id.replace('.', '-')}" for id in ids for kind in ("answer", "points")}
    notebook.cells = [c for c in notebook.cells if name_of(c) in kept or c.source.startswith("import torch\n")]
    return notebook


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course folder, after ``release --nbgrader`` and ``nbgrader generate_assignment``."""
    folder = tmp_path_factory.mktemp("nbgrader") / "course"
    status, said = run("-c", RELEASE, "release", "--nbgrader", folder, cwd=ROOT)
    assert (status, said.startswith("Release")) == (0, True), said
    status, said = run("-m", "nbgrader", "generate_assignment", ASSIGNMENT, cwd=folder, path="")
    assert (status, complaints(said)) == (0, [])
    return folder


@pytest.fixture(scope="module")
def released(course):
    """The notebook that students get."""
    return nbformat.read(course / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", 4)


# ---- what is written


def test_the_students_version_has_the_stubs_and_no_solution(course, released):
    for id, exercise in EXERCISES.items():
        source = named(released, f"answer-{id.replace('.', '-')}").source
        stub = exercise.stub().splitlines()[:-1]
        assert source.splitlines() == [*stub, "    # YOUR CODE HERE", "    raise NotImplementedError()"]
    for folder in ("release", "student"):
        texts = [path.read_text("utf-8") for path in (course / folder).rglob("*.ipynb")]
        texts += [path.read_text("utf-8") for path in (course / folder).rglob("*.py")]
        for exercise in EXERCISES.values():
            (*_, last) = mark_solution(exercise).splitlines()[:-1]
            assert not any(last.strip() in text for text in texts), exercise.id
    assert not any(word in cell.source for cell in released.cells for word in ("SOLUTION", "HIDDEN", "hidden"))
    assert [path.name for path in (course / "student/notebooks").glob("*.ipynb")] == ["00_start_here.ipynb"]


def test_each_exercise_has_an_answer_a_check_and_locked_points(released):
    sources = [cell.source for cell in released.cells]
    for id, exercise in EXERCISES.items():
        at = sources.index(named(released, f"answer-{id.replace('.', '-')}").source)
        check, counted = released.cells[at + 1 : at + 3]
        assert check.source == f'check("{id}", {exercise.name})'
        assert counted.source.splitlines()[-1] == f'_points("{id}", {exercise.name})'
        about = counted.metadata.nbgrader
        assert (about.grade, about.locked, about.solution, about.points) == (True, True, False, exercise.points)
    names = [name_of(cell) for cell in released.cells if name_of(cell)]
    assert len(names) == len(set(names)) == 2 * len(EXERCISES) + len(QUESTIONS)


def test_each_question_has_an_answer_of_its_own(released):
    for number, name in enumerate(QUESTIONS, 1):
        answer = named(released, name)
        question = released.cells[released.cells.index(answer) - 1]
        assert question.source.startswith(f"{number}. ")
        assert question.source.endswith("? (2 points)")
        about = answer.metadata.nbgrader
        assert (answer.cell_type, answer.source, about.points) == ("markdown", "YOUR ANSWER HERE", 2)
        assert (about.grade, about.solution, about.locked) == (True, True, False)


def test_the_rest_of_the_lesson_is_as_it_was(course, released):
    lesson = nbformat.read(ROOT / "notebooks" / f"{ASSIGNMENT}.ipynb", 4)
    changed = {cell.id for cell in lesson.cells if "exercise" in cell.metadata.get("course_lib", {})}
    before = {cell.id: cell.source for cell in lesson.cells if not cell.source.startswith("## DISCUSS")}
    after = {cell.id: cell.source for cell in released.cells}
    assert {id for id in before if after[id] != before[id]} == changed
    assert released.metadata["course_lib"] == {"release": read_key(course / "teacher").release}


def test_one_notebook_for_all_leaves_no_room_for_own_numbers(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(environment.HANDED_OVER, "here")
    assert cli.main(["release", "--nbgrader", "--variant-by", "id", "--roster", "r.csv", str(tmp_path / "c")]) == 1
    assert "leave out --nbgrader or --variant-by" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


# ---- a class


def test_a_class_is_marked_and_gets_feedback(course, released):
    ada, bob, eve = (copy.deepcopy(released) for _ in range(3))
    fill_in(ada, solved())
    for name in QUESTIONS:
        named(ada, name).source = "Told what, and measured on whom?"
    fill_in(eve, NONSENSE)
    for student, notebook in (("ada", ada), ("bob", bob), ("eve", eve)):
        hand_in(course, student, notebook)
    status, said = run("-m", "nbgrader", "autograde", ASSIGNMENT, cwd=course, path="")
    assert (status, complaints(said)) == (0, [])
    assert marks(course, "ada") == MAXIMUM | dict.fromkeys(QUESTIONS)
    assert marks(course, "bob") == marks(course, "eve") == dict.fromkeys([*MAXIMUM, *QUESTIONS], 0.0)

    status, said = run("-m", "nbgrader", "generate_feedback", ASSIGNMENT, cwd=course, path="")
    assert (status, complaints(said)) == (0, [])
    pages = [course / "feedback" / student / ASSIGNMENT / f"{ASSIGNMENT}.html" for student in ("ada", "bob", "eve")]
    ada, bob, eve = (html.unescape(page.read_text("utf-8")) for page in pages)
    assert "07.3 GDRO's weight update: 4 of 4 points" in ada
    assert "07.3 GDRO's weight update: 0 of 4 points, not attempted yet" in bob
    assert "It stopped with an error: SystemExit: 0, in line 2 of update_weights" in eve
    assert not any(read_key(course / "teacher").secret in page for page in (ada, bob, eve))


def without(*names):
    def change(notebook):
        notebook.cells = [cell for cell in notebook.cells if name_of(cell) not in names]

    return change


def twice(name):
    def change(notebook):
        at = notebook.cells.index(named(notebook, name))
        notebook.cells.insert(at, copy.deepcopy(notebook.cells[at]))
        notebook.cells[at].id = "again"

    return change


def about(name, **changes):
    return lambda notebook: named(notebook, name).metadata.nbgrader.update(changes)


def as_text(notebook):
    cell = named(notebook, "points-07-1")
    cell.cell_type = "markdown"
    del cell["outputs"], cell["execution_count"]


def broken_metadata(notebook):
    named(notebook, "points-07-1").metadata.nbgrader = "mine"


def ends_the_kernel(notebook):
    notebook.cells.insert(0, nbformat.v4.new_code_cell("import os\n\nos._exit(0)"))


TAMPERED = {
    "answer_twice": twice("answer-07-1"),
    "points_twice": twice("points-07-1"),
    "points_deleted": without("points-07-1"),
    "text_deleted": without(QUESTIONS[1]),
    "metadata_newer": about("points-07-1", schema_version=4),
    "metadata_older": about("points-07-1", schema_version=0),
    "metadata_broken": broken_metadata,
    "unlocked": about("points-07-1", grade=False, locked=False, solution=True),
    "renamed": about("points-07-1", grade_id="mine"),
    "more_points": about("points-07-1", points=100),
    "as_text": as_text,
    "ends_the_kernel": ends_the_kernel,
}


def test_what_became_of_its_cells_costs_no_points_and_stops_nobody(course, released, tmp_path):
    here = tmp_path / "course"
    shutil.copytree(course, here, ignore=shutil.ignore_patterns("submitted", "autograded", "feedback"))
    for student, change in TAMPERED.items():
        notebook = copy.deepcopy(released)
        fill_in(notebook, solved(UNTRAINED))
        change(notebook)
        hand_in(here, student, notebook)
    cheat = copy.deepcopy(released)
    for cell in cheat.cells:  # by itself nbgrader would skip them, and give full points
        cell.metadata["tags"] = ["skip-execution"]
    cheat.cells.insert(0, nbformat.v4.new_code_cell("import sys\n\nsys.displayhook = lambda value: None"))
    named(cheat, "points-07-1").source = "100.0"
    hand_in(here, "cheat", cheat)
    killer = copy.deepcopy(released)
    fill_in(
        killer, solved(UNTRAINED) | {"07.3": "import os\n\n\ndef update_weights(q, losses, group):\n    os._exit(0)"}
    )
    hand_in(here, "killer", killer)
    status, said = run("-m", "nbgrader", "autograde", ASSIGNMENT, cwd=here, path="")
    mended = (r".* Cell '(points-07-1|discuss-07-55-2)' is missing and was added at the end", ".*'cell_type'.*")
    assert (status, complaints(said, *mended)) == (0, [])
    full = MAXIMUM | {"points-07-5": 0.0} | dict.fromkeys(QUESTIONS, 0.0)
    assert {student: marks(here, student) for student in TAMPERED} == dict.fromkeys(TAMPERED, full)
    assert marks(here, "cheat") == dict.fromkeys(full, 0.0)
    assert marks(here, "killer") == full | {"points-07-3": 0.0}


def test_a_file_that_is_no_notebook_stops_nobody(course, released, tmp_path):
    here = tmp_path / "course"
    shutil.copytree(course, here, ignore=shutil.ignore_patterns("submitted", "autograded", "feedback"))
    hand_in(here, "aaa", released)
    (here / "submitted/aaa" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").write_text("hello", "utf-8")
    hand_in(here, "zoe", released)
    status, said = run("-m", "nbgrader", "autograde", ASSIGNMENT, cwd=here, path="")
    assert status == 1
    assert f"error processing assignment '{ASSIGNMENT}' for student 'aaa'" in said
    assert marks(here, "zoe") == dict.fromkeys([*MAXIMUM, *QUESTIONS], 0.0)


def test_nbgrader_by_itself_comes_to_the_same_marks(course, released, tmp_path):
    """In a course with settings of its own, where nbgrader executes the notebooks in its kernel."""
    here = tmp_path / "course"
    shutil.copytree(course, here, ignore=shutil.ignore_patterns("submitted", "autograded", "feedback"))
    (here / "nbgrader_config.py").write_text(
        "c = get_config()\nc.CourseDirectory.course_id = 'course_lib'\nc.Execute.timeout = 600\n", "utf-8"
    )
    ada, eve = exercises_only(released), exercises_only(released)
    fill_in(ada, solved())
    mitigate = named(ada, "answer-07-5")
    mitigate.source = f"import sys\n\n\n{mitigate.source}".replace(
        "    ### BEGIN", "    print('a warning', file=sys.stderr)\n    ### BEGIN"
    )
    fill_in(eve, NONSENSE)
    eve.cells.insert(0, nbformat.v4.new_code_cell("import sys\n\nimport numpy as np"))
    hand_in(here, "ada", ada)
    hand_in(here, "eve", eve)
    status, said = run("-m", "nbgrader", "autograde", ASSIGNMENT, cwd=here)
    assert (status, complaints(said, HIDDEN_TESTS)) == (0, [])
    for student, expected in (("ada", MAXIMUM), ("eve", dict.fromkeys(MAXIMUM, 0.0))):
        assert {name: value for name, value in marks(here, student).items() if name in MAXIMUM} == expected
    done = nbformat.read(here / "autograded/ada" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", 4)
    outputs = [cell.outputs for cell in done.cells if name_of(cell) in MAXIMUM]
    assert [[output.data["text/plain"] for output in cell] for cell in outputs] == [
        [repr(value)] for value in MAXIMUM.values()
    ]


def test_a_teachers_own_graded_cells_are_executed(course, tmp_path):
    here = tmp_path / "course"
    shutil.copytree(course / "teacher", here / "teacher")
    shutil.copy(course / "nbgrader_config.py", here)
    source = exercises_only(nbformat.read(course / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", 4), UNTRAINED[:2])
    own = named(source, "points-07-1").metadata.nbgrader | {"grade_id": "own", "points": 2}
    source.cells.append(nbformat.v4.new_code_cell("assert callable(group_gaps)\n0.5", metadata={"nbgrader": own}))
    file = here / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    file.parent.mkdir(parents=True)
    nbformat.write(source, file)
    assert run("-m", "nbgrader", "generate_assignment", ASSIGNMENT, cwd=here, path="")[0] == 0
    notebook = nbformat.read(here / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", 4)
    fill_in(notebook, solved(["07.1"]))
    hand_in(here, "ada", notebook)
    status, said = run("-m", "nbgrader", "autograde", ASSIGNMENT, cwd=here, path="")
    assert (status, complaints(said)) == (0, [])
    assert marks(here, "ada") == {"points-07-1": 3.0, "points-07-2": 0.0, "own": 0.5}


def test_a_student_can_validate_with_the_students_library(course, released, tmp_path):
    notebook = exercises_only(released, UNTRAINED[:2])
    fill_in(notebook, solved(["07.1"]))
    file = tmp_path / "mine.ipynb"
    nbformat.write(notebook, file)
    _, said = run("-m", "nbgrader", "validate", file, cwd=tmp_path, path=course / "student")
    assert "VALIDATION FAILED ON 1 CELL(S)" in said
    assert '_points("07.2", group_gaps)' in said


# ---- the points of a function, where nbgrader executes it


def say_something(*_):
    print("oh", file=sys.stderr)
    return 1.0


def leave(*_):
    sys.exit(1)


def recurse(*arguments):
    return recurse(*arguments)


ANYTHING = {
    "raises": lambda *_: 1 / 0,
    "prints to stderr": say_something,
    "exits": leave,
    "recurses": recurse,
    "np.float64": lambda *_: np.float64(1.0),
    "tensor": lambda *_: torch.tensor(1.0),
    "nan": lambda *_: float("nan"),
    "True": lambda *_: True,
    "None": lambda *_: None,
    "itself": lambda *arguments: arguments,
    "takes nothing": lambda: 1.0,
    "no function": 3.0,
}


@pytest.fixture
def inside(course, monkeypatch):
    """Work where nbgrader has a student's notebook when it executes it."""
    folder = course / "autograded/somebody" / ASSIGNMENT
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(folder)


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("count", [points, hidden_points])
@pytest.mark.parametrize("function", ANYTHING.values(), ids=ANYTHING.keys())
def test_nonsense_counts_as_a_plain_zero_in_silence(count, function, capfd):
    given = [count(id, function) for id in EXERCISES]
    assert [type(value) for value in given] == [float] * len(EXERCISES)
    assert given == [0.0] * len(EXERCISES)
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("inside")
def test_a_function_that_ends_in_training_counts_zero(capfd):
    def in_training(x, generator):
        if len(x) > 16:  # more than in any case
            sys.exit(1)
        return x.mean(1, keepdim=True).repeat(1, 3, 1, 1)

    value = hidden_points("07.5", in_training)
    assert (type(value), value) == (float, 0.0)
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("inside")
def test_what_is_right_for_ordinary_input_counts_in_part():
    group_gaps = EXERCISES["07.2"].reference
    assert hidden_points("07.2", group_gaps) == 4.0
    assert (
        hidden_points("07.2", lambda right, standard, majority: group_gaps(right, standard, majority, least=1)) == 3.0
    )


def test_without_its_release_nothing_is_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CourseError, match=r"teacher/release\.json"):
        hidden_points("07.1", EXERCISES["07.1"].reference)
