"""``check`` in a student's hands: it answers everything with points or a sentence, and leaves no trace."""

import contextlib
import functools
import importlib
import inspect
import re
import sys
import threading
import time

import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient

from course_lib.environment import ROOT
from course_lib.errors import CourseError
from course_lib.grading import book, check, example, identify, progress, solution

module = importlib.import_module("course_lib.grading.check")  # the name is the function's
IDS = list(book.titles())
NETWORKS = ("04.1", "04.2", "04.5")  # ask for a network, where the others ask for numbers


@pytest.fixture
def said(capsys, monkeypatch):
    """Start a session; return a function that calls another one, and returns what that showed."""
    for name, value in (("_verdicts", {}), ("_failed", {}), ("_student", ""), ("SECONDS", 60)):
        monkeypatch.setattr(module, name, value)

    def call(function, *arguments):
        before = sys.stdin, sys.stdout, sys.stderr
        state = torch.get_rng_state()
        assert function(*arguments) is None
        assert (sys.stdin, sys.stdout, sys.stderr) == before
        assert torch.equal(torch.get_rng_state(), state)
        shown = capsys.readouterr()
        assert shown.err == ""
        return shown.out

    return call


@pytest.fixture
def hasty(monkeypatch, said):
    """Stop a function after half a second."""
    monkeypatch.setattr(module, "SECONDS", 0.5)


def right(id):
    """The solution, as a student would have written it."""
    exercise = book.exercise(id)
    return functools.partial(exercise.reference, **exercise.defaults)


def failing(error):
    """A function that raises."""

    def group_gaps(right, right_standard, majority):
        raise error

    return group_gaps


# Points


@pytest.mark.parametrize("id", [id for id in IDS if not book.exercise(id).trial])
def test_a_right_answer_gets_all_points(id, said):
    title, points = book.titles()[id]
    assert said(check, id, right(id)) == f"✓ {id} {title}: {points} of {points} points\n"
    assert module.points(id, right(id)) == points
    assert type(module.points(id, right(id))) is float


@pytest.mark.parametrize("id", IDS)
def test_a_misconception_gets_its_hint(id, said):
    wrong = book.exercise(id).misconceptions[0]
    defaults = {k: v for k, v in book.exercise(id).defaults.items() if k in inspect.signature(wrong.answer).parameters}
    heading, hint = said(check, id, functools.partial(wrong.answer, **defaults)).splitlines()
    right_but_for_an_edge = hint.startswith("Right for ordinary input. ")
    points = book.exercise(id).core if right_but_for_an_edge else 0
    assert heading == f"✗ {id} {book.titles()[id][0]}: {points} of {book.titles()[id][1]} points"
    assert hint.removeprefix("Right for ordinary input. ") == wrong.hint


@pytest.mark.parametrize("id", IDS)
def test_a_stub_is_not_attempted_yet(id, said):
    space = {}
    exec(book.exercise(id).stub(), space)
    title, points = book.titles()[id]
    stub = space[book.exercise(id).name]
    assert said(check, id, stub) == f"… {id} {title}: 0 of {points} points, not attempted yet\n"
    assert module.points(id, stub) == 0


def test_a_real_training_run_gives_points(said):
    *_, heading, note = said(check, "07.5", right("07.5")).splitlines()
    assert heading == "✓ 07.5 Beat the standard model: 5 of 5 points"
    gain = float(re.search(r"standard model's: ([+-]\d\.\d{3}) \(asked for: \+0\.10\)\.$", note)[1])
    assert gain > 0.1


@pytest.mark.parametrize(("late", "words"), [
    (lambda x: 1 / 0, "ZeroDivisionError: division by zero"),
    (lambda x: sys.exit(3), "SystemExit: 3"), (lambda x: x[:, :1], "The function must return decimal numbers of shape"),
])  # fmt: skip
def test_what_goes_wrong_in_training_is_told(late, words, said):
    def mitigate(x, generator):
        return late(x) if len(x) > 16 else x / 2 + 0.1 * torch.rand((), generator=generator)

    *_, heading, hint = said(check, "07.5", mitigate).splitlines()
    assert heading == "✗ 07.5 Beat the standard model: 0 of 5 points"
    assert hint.startswith("It stopped with an error in training: ")
    assert words in hint
    assert hint.endswith(".")
    assert not hint.endswith("..")


# A wrong call


@pytest.mark.parametrize("id", ["7.1", "07.9", "", 7.1, None, [], {}, ("07.1",), abs, "07.1\n"], ids=repr)
def test_an_unknown_exercise_is_told_which_there_are(id, said):
    text = said(check, id, abs)
    first = "07.1, 07.2, " if str(id).startswith("07.") else "01.1, 01.2, "  # of its lesson, or of all
    assert text.startswith(f"There is no exercise {id!r}; there are {first}")
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize("given", [3, None, "group_gaps", torch.ones(3), [abs], np.float64(1)], ids=repr)
def test_the_function_is_passed_itself(given, said):
    hint = "check takes the function itself, without parentheses and arguments: `check("
    assert said(check, "07.2", given).splitlines()[1] == hint + '"07.2", group_gaps)`.'


@pytest.mark.parametrize("function", [
    lambda: 0, lambda right: 0, lambda a, b, c, d: 0, lambda a, b, *, c: 0, lambda **k: 0, dict.fromkeys,
])  # fmt: skip
def test_other_parameters_are_told(function, said):
    hint = said(check, "07.2", function).splitlines()[1]
    assert hint.startswith("The function is called as `group_gaps(right, right_standard, majority)`; yours takes `(")


@pytest.mark.parametrize("function", [
    lambda a, b, c: right("07.2")(a, b, c), lambda *all: right("07.2")(*all),
    lambda a, b, c, least=10: right("07.2")(a, b, c), right("07.2"), torch.compiler.disable(right("07.2")),
])  # fmt: skip
def test_anything_that_can_be_called_so_will_do(function, said):
    assert said(check, "07.2", function).startswith("✓")


# A wrong function


@pytest.mark.parametrize(("error", "words"), [
    (ValueError("too\nmany"), "ValueError: too, in line 2 of group_gaps: `raise error`."),
    (SystemExit(), "SystemExit, in line 2 of group_gaps"), (KeyboardInterrupt(), "KeyboardInterrupt, in line 2"),
    (GeneratorExit("x"), "GeneratorExit: x"), (RecursionError("deep"), "RecursionError: deep"),
])  # fmt: skip
def test_an_error_is_told_with_its_line_and_raises_nothing(error, words, said):
    assert words in said(check, "07.2", failing(error))


@pytest.mark.usefixtures("hasty")
def test_an_endless_loop_is_stopped(said):
    ended = threading.Event()

    def update_weights(q, losses, group):
        try:
            while True:
                pass
        finally:
            ended.set()

    text = said(check, "07.3", update_weights)
    assert "stopped after 0 seconds on an input that takes a moment: look for a loop without end." in text
    assert ended.is_set()


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("swallowed", [SystemExit, KeyboardInterrupt, BaseException])
def test_an_endless_loop_that_swallows_what_stops_it_is_left_behind(swallowed, said, monkeypatch):
    free = threading.Event()

    def update_weights(q, losses, group):
        while not free.is_set():
            with contextlib.suppress(swallowed):
                time.sleep(0.01)
        return q

    try:
        text = said(check, "07.3", update_weights)
        assert "07.3 GDRO's weight update: 0 of 4 points" in text
        assert "look for a loop without end" in text
        assert ("restart the kernel" in text) is (swallowed is not KeyboardInterrupt)
        monkeypatch.setattr(module, "SECONDS", 60)
        assert said(check, "07.2", right("07.2")).startswith("✓")  # works meanwhile
    finally:
        free.set()


@pytest.mark.usefixtures("hasty")
def test_a_loop_that_swallows_what_stops_it_a_few_times_is_stopped(said):
    swallowed = []

    def update_weights(q, losses, group):
        while True:
            try:
                while True:
                    pass
            except SystemExit:
                swallowed.append(1)
                if len(swallowed) > 4:
                    raise

    assert said(check, "07.3", update_weights).endswith("look for a loop without end.\n")
    assert len(swallowed) == 5


def test_what_a_function_prints_is_not_shown_but_noted(said):
    def group_gaps(*arguments):
        print("secret")
        print("secret", file=sys.stderr)
        sys.stdout.write("secret")
        return right("07.2")(*arguments)

    heading, note = said(check, "07.2", group_gaps).splitlines()
    assert heading.startswith("✓")
    assert note.startswith("It prints, which is fine while you try things out")


def test_a_function_that_replaces_standard_output_replaces_it_for_itself(said):
    def group_gaps(*arguments):
        sys.stdout = sys.stderr = None
        return right("07.2")(*arguments)

    assert said(check, "07.2", group_gaps).startswith("✓")


@pytest.mark.parametrize("id", [id for id in IDS if not book.exercise(id).trial and id not in NETWORKS])
def test_no_verdict_holds_a_number_of_the_right_answer(id, said):
    def nearly(alter):
        def function(*arguments):
            answer = right(id)(*arguments)
            return tuple(map(alter, answer)) if isinstance(answer, tuple) else alter(answer)

        return function

    alterations = (lambda a: a + 1, lambda a: a * 0, lambda a: a * 1.01, lambda a: a[..., None], lambda a: a * np.nan)
    for alter in alterations:
        text = said(check, id, nearly(alter)).removeprefix(f"✗ {id} ")
        if text.startswith("✓") and book.exercise(id).summary:  # what is compared may differ a little
            continue
        assert " 0 of " in text.splitlines()[0]
        assert not re.findall(r"\d*\.\d+", text)  # no decimal number at all


# The rest of a session


def test_progress_sums_the_latest_verdicts(said):
    total = sum(points for _, points in book.titles().values())  # of all lessons, as none was begun
    assert said(progress).splitlines()[:2] == [
        f"0 of {total} points so far",
        "01.1  Three derivatives: not checked yet",
    ]
    large = functools.partial(book.exercise("07.4").misconceptions[-1].answer, **book.exercise("07.4").defaults)
    for id, function in [("07.2", abs), ("07.3", right("07.3")), ("07.4", large), ("07.2", right("07.2")), ("07", abs)]:
        said(check, id, function)
    assert said(progress).splitlines() == [
        "11 of 20 points so far",
        "07.1  Sample a bias variable: not checked yet",
        "07.2  MMD and IOSM: 4 of 4 points, passed",
        "07.3  GDRO's weight update: 4 of 4 points, passed",
        "07.4  A loss that is told nothing: 3 of 4 points, part",
        "07.5  Beat the standard model: not checked yet",
    ]


def test_the_example_is_the_input_that_failed_or_the_first(said):
    first = example("07.2")
    assert [part.shape[0] for part in first] == [500] * 3
    said(check, "07.2", lambda a, b, c: right("07.2")(a, b, c) if len(a) != 200 else None)
    assert example("07.2")[2].shape == (200, 1)
    said(check, "07.2", right("07.2"))
    assert all(torch.equal(a, b) for a, b in zip(example("07.2"), first, strict=True))


def test_the_example_can_be_passed_to_the_function_and_changed_at_will(said):
    labels, _, generator = example("07.1")
    assert isinstance(generator, torch.Generator)
    assert right("07.1")(*example("07.1")).shape == labels.shape
    labels.zero_()
    assert example("07.1")[0].any()
    assert said(check, "07.1", right("07.1")).startswith("✓")


def test_there_is_no_example_of_an_unknown_exercise():
    with pytest.raises(CourseError, match="There is no exercise '7'"):
        example("7")


@pytest.mark.parametrize("id", IDS)
def test_the_solution_is_shown_for_self_study(id, said):
    text = said(solution, id)
    assert text == book.exercise(id).solution() + "\n"
    assert text.startswith(f"def {book.exercise(id).name}(")


@pytest.mark.parametrize("id", ["07", "07.9", "99.1", 7, None, []], ids=repr)
def test_there_is_no_solution_of_an_unknown_exercise(id, said):
    assert re.match(r"There is no exercise|Lesson '.*' has no exercises; 01, .*07 have", said(solution, id))


def test_everybody_has_the_same_numbers_in_self_study(said):
    assert said(identify, "ada") == "Everybody has the same numbers in this edition: those in the text.\n"
    assert book.edition() == book.own_numbers_by() == ""


# In a notebook


@pytest.fixture(scope="module")
def outputs():
    """What a real kernel sends for each of a few cells."""
    cells = [
        "from course_lib.grading import check, progress, identify, example",
        'check("07.3", lambda q, losses, group: 1 / 0)',
        'check("<b>", print)',
        'check("07.2", "<script>")',
        "progress()",
        'print("still here")',
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(ROOT)}}).execute()
    return [cell.outputs for cell in notebook.cells]


def test_a_notebook_gets_a_box_and_plain_text(outputs):
    (box,) = outputs[1]
    assert box.output_type == "display_data"
    assert set(box.data) == {"text/html", "text/plain"}
    heading, hint = box.data["text/plain"].splitlines()
    assert heading == "✗ 07.3 GDRO's weight update: 0 of 4 points"
    assert hint.startswith("It stopped with an error: ZeroDivisionError: division by zero, in line 1: `check(")
    assert '<div role="status"' in box.data["text/html"]
    assert "<b>✗ 07.3 GDRO&#x27;s weight update: 0 of 4 points</b>" in box.data["text/html"]
    assert "<code>check(&quot;07.3&quot;" in box.data["text/html"]  # the line that failed


def test_what_a_student_wrote_is_escaped(outputs):
    for cell in outputs[2:4]:
        assert len(cell) == 1
        assert not re.findall("<script|<b>'", cell[0].data["text/html"])
    assert "&lt;b&gt;" in outputs[2][0].data["text/html"]


def test_progress_is_a_box_and_printing_works_afterwards(outputs):
    assert outputs[4][0].data["text/plain"].startswith("0 of 20 points so far\n")
    assert outputs[5][0].text == "still here\n"


def test_a_call_without_number_or_function_is_told_how_to_call(said):
    def mine(q):
        return q

    for arguments, how in (((mine,), 'check("07.1", mine)'), (("07.3",), 'check("07.3", your_function)')):
        assert said(check, *arguments) == f"check needs the number of the exercise and your function: {how}.\n"
