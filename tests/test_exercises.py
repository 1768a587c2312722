"""Every exercise is put to its own test: right answers pass, wrong ones get their own hint, stubs get nothing."""

import functools
import inspect
import math
import os
import re
from dataclasses import replace

import nbformat
import pytest
import torch
from torch import nn

from course_lib.grading import book
from course_lib.grading.call import call
from course_lib.grading.judge import judge
from course_lib.grading.plain import decode, encode
from course_lib.grading.release import exercise_of
from course_lib.lab import NOTEBOOKS, find_lesson

LESSONS = {lesson: book.declared(lesson) for lesson in book.LESSONS}
EVERY = [one for exercises in LESSONS.values() for one in exercises]
NETWORKS = ("04.1", "04.2", "04.5")  # ask for a network, where the others ask for numbers
SEEDS = range(int(os.environ.get("COURSE_TEST_SEEDS", "6")))  # with own numbers for the odd ones
each_exercise = pytest.mark.parametrize("exercise", EVERY, ids=lambda one: one.id)


@functools.cache
def sheet_of(id, seed):
    """The sheet of a seed; every other one with numbers of one's own."""
    one = book.exercise(id)
    own = one.numbers(torch.Generator().manual_seed(seed)) if one.numbers and seed % 2 else None
    return one.sheet([seed], own)


def verdict_on(function, sheet):
    """The verdict on a function; what is keyword-only in it are the sheet's numbers."""
    every = inspect.signature(function).parameters.values()
    numbers = {p.name: sheet.numbers[p.name] for p in every if p.kind is p.KEYWORD_ONLY}
    bound = functools.partial(function, **numbers) if numbers else function
    return judge(sheet, [call(bound, encode(case.arguments), sheet.harness) for case in sheet.cases])


# The mutation test


@each_exercise
@pytest.mark.parametrize("seed", SEEDS)
def test_right_answers_pass_with_all_points(exercise, seed):
    sheet = sheet_of(exercise.id, seed)
    for function in (exercise.reference, *exercise.alternatives):
        verdict = verdict_on(function, sheet)
        assert (verdict.status, verdict.points, verdict.hint) == ("passed", exercise.points, ""), function.__name__


@each_exercise
@pytest.mark.parametrize("seed", SEEDS)
def test_every_misconception_loses_points_and_gets_its_own_hint(exercise, seed):
    sheet = sheet_of(exercise.id, seed)
    for wrong in exercise.misconceptions:
        verdict = verdict_on(wrong.answer, sheet)
        assert verdict.points < exercise.points
        assert verdict.misconception == wrong.name
        assert verdict.hint in (wrong.hint, f"Right for ordinary input. {wrong.hint}")


@each_exercise
def test_the_stub_is_not_attempted(exercise):
    space = {}
    exec(exercise.stub(), space)
    for seed in range(2):
        verdict = verdict_on(space[exercise.name], sheet_of(exercise.id, seed))
        assert (verdict.status, verdict.points) == ("not attempted", 0)


# Other ways to be wrong


def altered(alter):
    """A way to be wrong: ``alter`` the right answer, or the first part of it."""

    def make(right):
        def wrong(*arguments):
            answer = right(*arguments)
            return (alter(answer[0]), *answer[1:]) if isinstance(answer, tuple) else alter(answer)

        return wrong

    return make


def give_up(answer):
    raise ValueError("I give up")


def changing(right):
    def wrong(*arguments):
        tensors = [a for a in arguments if isinstance(a, torch.Tensor)]
        answer = right(*[a.clone() if isinstance(a, torch.Tensor) else a for a in arguments])
        tensors[-1].zero_()
        return answer

    return wrong


NOT_FINITE = "There is (NaN|infinity|NaN or infinity) in its answer"
WAYS = {
    "dtype": (altered(lambda answer: answer > 0), "True or False .bool.; it must return|cannot be differentiated"),
    "shape": (altered(lambda answer: answer[None]), r"It returns a tensor of .* with shape \[.*; the shape must be \["),
    "NaN": (
        altered(lambda answer: answer * math.nan),
        f"{NOT_FINITE}|decimal numbers .float.; it must return",
    ),
    "infinity": (altered(lambda answer: answer + math.inf), f"{NOT_FINITE}|decimal numbers .float.; it must return"),
    "error": (altered(give_up), "It stopped with an error: ValueError: I give up, in line 2 of give_up"),
    "nothing": (
        altered(lambda answer: None),
        "It returns nothing .None.; it must return .* Does it end in `return`",
    ),
    "a list": (altered(lambda answer: [answer]), "It returns 1 values; it must return (a tensor of|one number)"),
    "changed input": (changing, "It changes its input, which its caller still needs"),
}


@pytest.mark.parametrize(
    ("exercise", "way"),
    [pytest.param(one, way, id=f"{one.id}-{way}") for one in EVERY for way in WAYS if one.id not in NETWORKS]
    + [pytest.param(one, "error", id=f"{one.id}-error") for one in EVERY if one.id in NETWORKS],
)
def test_each_way_to_be_wrong_has_its_own_message(exercise, way):
    make, said = WAYS[way]
    sheet = sheet_of(exercise.id, 0)
    verdict = verdict_on(make(functools.partial(exercise.reference, **sheet.numbers)), sheet)
    assert (verdict.status, verdict.points) == ("wrong", 0)
    assert re.search(said, verdict.hint), verdict.hint


@each_exercise
def test_an_answer_learned_by_heart_is_wrong(exercise):
    sheet = sheet_of(exercise.id, 0)
    answers = []

    def by_heart(*arguments):
        if not answers:
            answer = exercise.reference(*arguments, **sheet.numbers)
            answers.append(answer if isinstance(answer, nn.Module) else decode(encode(answer)))
        return answers[0]

    verdict = verdict_on(by_heart, sheet)
    assert (verdict.status, verdict.points) == ("wrong", 0)
    assert verdict.misconception == ("everything_detached" if exercise.id == "07.4" else "")
    assert verdict.hint


def test_chance_must_come_from_the_generator():
    sheet = sheet_of("07.1", 0)
    verdict = verdict_on(lambda labels, strength, _: reference("07.1")(labels, strength, None), sheet)
    assert (verdict.status, verdict.points, verdict.misconception) == ("wrong", 0, "")
    assert verdict.hint.startswith("The same input twice gave different answers")


@pytest.mark.parametrize("number", [torch.Tensor.item, torch.Tensor.detach, lambda loss: loss.detach().numpy()])
def test_a_loss_without_a_gradient_is_told_so(number):
    verdict = verdict_on(altered(number)(reference("07.4")), sheet_of("07.4", 0))
    assert verdict.misconception == "everything_detached"


@pytest.mark.parametrize("exercise", [one for one in EVERY if one.summary], ids=lambda one: one.id)
def test_an_answer_in_numpy_is_judged_like_one_in_torch(exercise):
    def in_numpy(answer):
        return tuple(map(in_numpy, answer)) if isinstance(answer, tuple) else answer.numpy()

    sheet = sheet_of(exercise.id, 0)
    right = functools.partial(exercise.reference, **exercise.defaults)
    assert verdict_on(lambda *arguments: in_numpy(right(*arguments)), sheet).status == "passed"


def test_a_summary_that_fails_costs_its_own_answer_only():
    def broken(arguments, answer):
        raise ArithmeticError("no such number")

    sheet = replace(sheet_of("07.1", 0), summary=broken)
    verdict = verdict_on(reference("07.1"), sheet)
    assert (verdict.status, verdict.points) == ("wrong", 0)
    assert "cannot be judged (ArithmeticError: no such number)" in verdict.hint


# What an exercise must have


def reference(id):
    """The solution with the numbers that the text names."""
    return functools.partial(book.exercise(id).reference, **book.exercise(id).defaults)


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_has_twenty_points_in_the_order_of_its_exercises(lesson):
    ids = [one.id for one in LESSONS[lesson]]
    assert ids == [f"{lesson}.{i}" for i in range(1, len(ids) + 1)]
    assert sum(one.points for one in LESSONS[lesson]) == 20
    assert all(0 <= one.core < one.points for one in LESSONS[lesson])


@each_exercise
def test_an_exercise_is_complete(exercise):
    assert len(exercise.misconceptions) >= 3
    assert len(exercise.alternatives) >= 1
    names = [m.name for m in exercise.misconceptions]
    assert len(set(names)) == len(names)
    assert set(exercise.defaults) == set(exercise.told)
    assert (exercise.numbers is None) == (not exercise.defaults)
    assert any(not case.edge for case in sheet_of(exercise.id, 0).cases)


@pytest.mark.parametrize("exercise", [one for one in EVERY if one.numbers], ids=lambda one: one.id)
def test_own_numbers_differ_and_fit_the_exercise(exercise):
    drawn = [exercise.numbers(torch.Generator().manual_seed(seed)) for seed in range(40)]
    assert all(set(numbers) == set(exercise.defaults) for numbers in drawn)
    assert len({str(numbers) for numbers in drawn}) > 15
    again = exercise.numbers(torch.Generator().manual_seed(3))
    assert again == drawn[3]


def lines_of(function):
    """The lines of a function below its docstring that hold more than a name and a bracket."""
    body = inspect.getsource(function).split('"""')[-1].splitlines()[0 if function.__doc__ else 1 :]
    lines = [line.partition("#")[0].strip() for line in body]
    return [line for line in lines if len(re.findall(r"\w+", line)) > 2]


@each_exercise
def test_hints_are_short_and_hold_no_solution(exercise):
    lines = [line for function in (exercise.reference, *exercise.alternatives) for line in lines_of(function)]
    assert len(lines) >= 3
    for hint in [m.hint for m in exercise.misconceptions]:
        assert 1 <= len(re.findall(r"[.?!](?=\s|$)", hint)) <= 3, hint
        assert hint[0].isupper() or hint[0] in "`0", hint
        assert hint.endswith((".", "?")), hint
        assert not [line for line in lines if line in hint or line.removeprefix("return ") in hint], hint
        assert all(len(code) < 20 for code in re.findall("`(.*?)`", hint)), hint
        if exercise.numbers:  # 0 and 1 belong to no solution
            assert set(re.findall(r"\d+", hint)) <= {"0", "1"}, hint


@each_exercise
def test_the_stub_shows_name_parameters_and_docstring_only(exercise):
    stub = exercise.stub()
    space = {}
    exec(stub, space)
    function = space[exercise.name]
    assert list(inspect.signature(function).parameters) == list(exercise.parameters)
    assert inspect.getdoc(function) == inspect.getdoc(exercise.reference)
    assert not [line for line in lines_of(exercise.reference) if line in stub]
    assert len(stub.splitlines()) == len(function.__doc__.splitlines()) + 2


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_notebook_holds_the_stubs_and_a_check_for_each(lesson):
    cells = [cell for cell in nbformat.read(NOTEBOOKS / find_lesson(lesson), 4).cells if cell.cell_type == "code"]
    stubs = {id: cell.source for cell in cells if (id := exercise_of(cell))}
    assert stubs == {one.id: one.stub() for one in LESSONS[lesson]}
    checks = [f'check("{one.id}", {one.name})' for one in LESSONS[lesson]]
    assert [cell.source for cell in cells if cell.source.startswith("check(")] == checks


@each_exercise
def test_the_solution_as_it_is_shown_is_right(exercise):
    space = {"torch": torch, "F": nn.functional}
    exec(exercise.solution(), space)
    assert verdict_on(space[exercise.name], sheet_of(exercise.id, 0)).status == "passed"
