"""From outcomes to points and a hint: what is said of each fault, and which explanation is preferred."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from course_lib.grading.call import Outcome
from course_lib.grading.judge import Fault, describe, find_value_fault, form_of, judge
from course_lib.grading.plain import Other, Seed, decode, encode
from course_lib.grading.sheet import Answer, Case, Sheet, Trial

EDGES = ("", "", "", "an empty group", "large numbers")


def answer(value):
    """The outcome of a function that returned ``value``."""
    return Outcome("answer", decode(encode(value)))


def rows(values):
    """Values, or answers that are errors, as they stand in a sheet."""
    return tuple(v if isinstance(v, Answer) else Answer(form_of(decode(encode(v))), decode(encode(v))) for v in values)


def make_sheet(expected, misconceptions=(), edges=EDGES, **more):
    """A sheet with a case for each of ``expected``; misconceptions: (name, hint, what it answers to each)."""

    given = {"rtol": 1e-4, "atol": 1e-6, "summary": None, "harness": None, "trial": None, "numbers": {}, "told": {}}
    return Sheet(
        id="99.1", title="Test", name="f", parameters=("x",), points=4, core=3,
        cases=tuple(Case((torch.tensor(i),), edge) for i, edge in zip(range(len(expected)), edges, strict=False)),
        expected=rows(expected),
        misconceptions=tuple((name, hint, rows(values)) for name, hint, values in misconceptions),
        **given | more,
    )  # fmt: skip


NUMBERS = [torch.tensor([1.0 + i, 2.0, -3.0]) for i in range(5)]


@pytest.fixture
def sheet():
    return make_sheet(NUMBERS)


def verdict_of(sheet, *values):
    return judge(sheet, [value if isinstance(value, Outcome) else answer(value) for value in values])


def test_all_right_is_all_points(sheet):
    verdict = verdict_of(sheet, *NUMBERS)
    assert (verdict.status, verdict.points, verdict.maximum) == ("passed", 4, 4)
    assert verdict.hint == verdict.misconception == verdict.note == ""


# Points


@pytest.mark.parametrize(("wrong", "status", "points"), [
    ((3,), "part", 3), ((4,), "part", 3), ((3, 4), "part", 3), ((0,), "wrong", 0), ((2, 3), "wrong", 0),
    (range(5), "wrong", 0),
])  # fmt: skip
def test_ordinary_input_counts_before_what_is_special(sheet, wrong, status, points):
    verdict = verdict_of(sheet, *[v + 1 if i in wrong else v for i, v in enumerate(NUMBERS)])
    assert (verdict.status, verdict.points) == (status, points)


def test_partial_points_say_that_ordinary_input_is_right_and_what_is_not(sheet):
    verdict = verdict_of(sheet, *NUMBERS[:3], NUMBERS[3] + 1, NUMBERS[4] + 1)
    assert verdict.hint == "Right for ordinary input. Not yet right for an empty group and large numbers."
    verdict = verdict_of(sheet, *NUMBERS[:4], NUMBERS[4] * math.nan)
    assert verdict.hint.startswith("Right for ordinary input. There is NaN in its answer")


def test_an_exercise_without_partial_points_gives_none(sheet):
    verdict = verdict_of(replace(sheet, core=0), *NUMBERS[:4], NUMBERS[4] + 1)
    assert (verdict.status, verdict.points, verdict.hint) == ("wrong", 0, "Not yet right for large numbers.")


def test_a_wrong_answer_says_for_how_many_inputs_it_is_right(sheet):
    assert verdict_of(sheet, NUMBERS[0] + 1, *NUMBERS[1:]).hint.endswith("It is right for 4 of 5 inputs.")
    all_wrong = verdict_of(sheet, *[v + 1 for v in NUMBERS])
    assert all_wrong.hint == "The form of its answer is right, the numbers are not yet."


# Faults


def test_not_attempted_gets_nothing_and_is_no_fault(sheet):
    verdict = judge(sheet, [Outcome("not attempted")])
    assert (verdict.status, verdict.points, verdict.hint) == ("not attempted", 0, "")


@pytest.mark.parametrize(("last", "status", "points", "said"), [
    (Outcome("not attempted"), "part", 3, "A part of it still raises NotImplementedError."),
    (Outcome("error", text="KeyError: 'a'"), "part", 3, "It stopped with an error: KeyError: 'a'."),
    (Outcome("slow", text="It took too long"), "part", 3, "It took too long."),
    (Outcome("died", text="It ended its process"), "part", 3, "It ended its process."),
])  # fmt: skip
def test_what_stopped_is_told_in_its_own_words(sheet, last, status, points, said):
    verdict = verdict_of(sheet, *NUMBERS[:4], last)
    assert (verdict.status, verdict.points) == (status, points)
    assert verdict.hint == f"Right for ordinary input. {said}"
    early = verdict_of(sheet, NUMBERS[0], last)  # and was not called again
    assert (early.status, early.points, early.hint) == ("wrong", 0, said)


def test_cases_that_were_not_asked_count_as_wrong(sheet):
    verdict = verdict_of(sheet, *NUMBERS[:4])
    assert verdict.points == 3
    assert "It was stopped before." in verdict.hint


def test_a_changed_input_is_a_fault_of_a_right_answer(sheet):
    verdict = verdict_of(sheet, *[replace(answer(v), changed=True) for v in NUMBERS])
    assert verdict.points == 0
    assert verdict.hint.startswith("It changes its input, which its caller still needs: work on a copy")


def test_printing_is_noted_and_costs_nothing(sheet):
    verdict = verdict_of(sheet, *NUMBERS[:4], replace(answer(NUMBERS[4]), printed=3))
    assert verdict.points == 4
    assert verdict.note.startswith("It prints")


def test_two_answers_to_the_same_input_must_be_equal():
    sheet = make_sheet([NUMBERS[0]] * 2, atol=10)
    sheet = replace(sheet, cases=(Case((Seed(1),)), Case((Seed(1),))))
    assert verdict_of(sheet, NUMBERS[0], NUMBERS[0]).status == "passed"
    verdict = verdict_of(sheet, NUMBERS[0], NUMBERS[0] + 1)
    assert verdict.points == 0
    assert verdict.hint.startswith("The same input twice gave different answers")
    other = replace(sheet, cases=(Case((Seed(1),)), Case((Seed(2),))))
    assert verdict_of(other, NUMBERS[0], NUMBERS[0] + 1).status == "passed"


# Form

ONE = torch.zeros(2, 3)
FORMS = [
    (ONE, None, "It returns nothing (None); it must return a tensor of decimal numbers with shape [2, 3]. Does it end"),
    (ONE, ONE[0], "It returns a tensor of decimal numbers with shape [3]; the shape must be [2, 3]."),
    (ONE, 1.0, "It returns one number (float); the shape must be [2, 3]."),
    (ONE, ONE > 0, "It returns True or False (bool); it must return decimal numbers (float)."),
    (ONE > 0, ONE, "It returns decimal numbers (float); it must return True or False (bool)."),
    (ONE.long(), ONE, "It returns decimal numbers (float); it must return whole numbers (int)."),
    (ONE.long(), ONE > 0, "It returns True or False (bool); it must return whole numbers (int)."),
    (ONE, [[0.0] * 3] * 2, "It returns 2 values; it must return a tensor of decimal numbers with shape [2, 3]."),
    (ONE, [], "It returns an empty list; it must return a tensor"),
    (ONE, "text", "It returns a text; it must return a tensor"),
    (ONE, {"a": 1, "b": 2}, "It returns a dict with the keys a, b; it must return a tensor"),
    (ONE, (i for i in "ab"), "It returns an object of type generator; it must return a tensor"),
    (ONE, torch.zeros(1).expand(10**5, 10**5), "MiB are allowed; it must return a tensor"),
    ((ONE, 1.0), ONE, "It returns a tensor of decimal numbers with shape [2, 3]; it must return 2 values."),
    ((ONE, 1.0), (ONE, 1.0, 2), "It returns 3 values; it must return 2 values."),
    (
        (ONE, 1.0),
        (ONE, ONE),
        "Value 2: It returns a tensor of decimal numbers with shape [2, 3]; the shape must be [].",
    ),
    ((ONE, (1, True)), (ONE, (1, "x")), "Value 2: Value 2: It returns a text; it must return one number (bool)."),
    ({"a": 1, "b": 0.5}, {"a": 1}, "It returns a dict with the keys a; it must return a dict with the keys a, b."),
    ({"a": 1, "b": 0.5}, {"b": 0.5, "a": "x"}, "a: It returns a text; it must return one number (int)."),
    (1, True, "It returns True or False (bool); it must return whole numbers (int)."),
    ("text", 1, "It returns one number (int); it must return a text."),
    (None, 1, "It returns one number (int); it must return nothing (None)."),
]


@pytest.mark.parametrize(("want", "got", "said"), FORMS, ids=range(len(FORMS)))
def test_an_answer_of_another_form_is_told_what_it_is_and_must_be(want, got, said):
    verdict = verdict_of(make_sheet([want]), got)
    assert (verdict.points, verdict.misconception) == (0, "")
    assert said in verdict.hint


@pytest.mark.parametrize(("want", "got"), [
    (1.0, 1), (1.0, np.float64(1)), (1.0, torch.tensor(1)), (torch.tensor(1.0), 1.0), (ONE, ONE.long()),
    (ONE, ONE.numpy()), (ONE, ONE.half()), (ONE, ONE.double()), (ONE.numpy(), ONE), (ONE.long(), ONE.to(torch.uint8)),
    ([1.0, ONE], (1, ONE)), ((1, 2), [1, 2]), ({"a": 1.0, "b": 2}, {"b": 2, "a": 1}), (True, np.bool_(True)),
    (torch.ones(0, 3), torch.ones(0, 3)), ("text", "text"), (None, None), ((), []), (torch.tensor(1e-7), 0.0),
], ids=str)  # fmt: skip
def test_the_same_numbers_in_another_container_are_right(want, got):
    assert verdict_of(make_sheet([want]), got).status == "passed"


def test_every_form_can_be_described():
    for value in (ONE, ONE > 0, 1, 1.5, True, [ONE], [], {}, {"a": 1}, "text", None, Other("a thing"), Seed(1)):
        assert describe(form_of(value))


# Value


def compare(got, want):
    fault = find_value_fault(decode(encode(got)), decode(encode(want)), 1e-4, 1e-6)
    return fault and fault.kind


@pytest.mark.parametrize(("got", "want", "kind"), [
    ([math.nan, 1.0], [math.nan, 1.0], None), ([0.0, 1.0], [math.nan, 1.0], "value"),
    ([math.nan, 1.0], [0.0, 1.0], "nan"), ([math.inf, 1.0], [math.inf, 1.0], None),
    ([-math.inf, 1.0], [math.inf, 1.0], "value"), ([math.inf, 1.0], [0.0, 1.0], "nan"),
    ([math.inf, 1.0], [math.nan, 1.0], "nan"), ([1.00009, 0.0], [1.0, 9e-7], None),
    ([1.0002, 0.0], [1.0, 0.0], "value"), ([1.0, 2e-6], [1.0, 0.0], "value"), ([1e300, 1.0], [-1e300, 1.0], "value"),
])  # fmt: skip
def test_numbers_are_compared_one_by_one_and_nan_equals_nan(got, want, kind):
    assert compare(got, want) == kind
    assert compare(torch.tensor(got, dtype=torch.float64), torch.tensor(want, dtype=torch.float64)) == kind
    assert compare({"a": (1, np.array(got))}, {"a": (1, np.array(want))}) == kind


@pytest.mark.parametrize(("got", "want", "same"), [
    (2**62, 2**62 + 2**60, False), (True, False, False), (np.array([255], np.uint8), np.array([-1]), False),
    (np.float16(0.1), np.float32(0.1), False), (torch.zeros(0), torch.zeros(0), True), ("a", "b", False),
    (Other("a"), Other("b"), False), ((1, "a"), (1, "b"), False),
])  # fmt: skip
def test_other_values_are_compared_as_they_are(got, want, same):
    assert (compare(got, want) is None) is same


def test_a_number_as_large_as_a_message_can_hold_is_compared():
    sheet = make_sheet([1.0])
    assert verdict_of(sheet, 2**63 - 1).status == "wrong"
    assert verdict_of(sheet, 10**400).hint.startswith("It returns a whole number of more than 18 digits")


# The explanation

DOUBLE = ("double", "You double it.", [2 * v for v in NUMBERS])
SHIFT = ("shift", "You shift it.", [v + 1 for v in NUMBERS])
NO_EDGE = ("no_edge", "Mind the empty group.", [*NUMBERS[:3], NUMBERS[3] * math.nan, NUMBERS[4]])
STOPS = ("stops", "It cannot divide.", [*NUMBERS[:3], Answer([], error="ZeroDivisionError"), NUMBERS[4]])


@pytest.fixture
def explained():
    return make_sheet(NUMBERS, [DOUBLE, SHIFT, NO_EDGE, STOPS])


def test_the_answers_of_a_misconception_are_explained_by_it(explained):
    verdict = verdict_of(explained, *DOUBLE[2])
    assert (verdict.points, verdict.hint, verdict.misconception) == (0, "You double it.", "double")
    verdict = verdict_of(explained, *NO_EDGE[2])  # although there is NaN in its answer
    assert (verdict.points, verdict.misconception) == (3, "no_edge")
    assert verdict.hint == "Right for ordinary input. Mind the empty group."


def test_an_error_of_the_same_type_is_the_same_misconception(explained):
    stopped = [*NUMBERS[:3], Outcome("error", text="ZeroDivisionError: x, in line 2 of f"), NUMBERS[4]]
    assert verdict_of(explained, *stopped).misconception == "stops"
    stopped[3] = Outcome("error", text="KeyError: 'x'")
    verdict = verdict_of(explained, *stopped)
    assert verdict.misconception == ""
    assert verdict.hint == "Right for ordinary input. It stopped with an error: KeyError: 'x'."


def test_ordinary_input_is_explained_before_what_is_special(explained):
    assert verdict_of(explained, *DOUBLE[2][:3], NUMBERS[3] * math.nan, SHIFT[2][4]).misconception == "double"
    verdict = verdict_of(explained, NUMBERS[0] - 7, *NO_EDGE[2][1:])
    assert (verdict.misconception, verdict.points) == ("", 0)
    assert verdict.hint == "The form of its answer is right, the numbers are not yet. It is right for 3 of 5 inputs."


@pytest.fixture
def ordinary():
    """A sheet without special input."""
    return make_sheet(NUMBERS, [DOUBLE, SHIFT], edges=[""] * 5)


@pytest.mark.parametrize(("doubled", "shifted", "name"), [
    ((0, 1, 2), (3, 4), "double"), ((0, 1), (2, 3, 4), "shift"), ((0, 1, 2), (), "double"), ((), (1, 2, 3), "shift"),
])  # fmt: skip
def test_of_two_misconceptions_the_one_that_explains_more_is_told(ordinary, doubled, shifted, name):
    values = [DOUBLE[2][i] if i in doubled else SHIFT[2][i] if i in shifted else v for i, v in enumerate(NUMBERS)]
    assert verdict_of(ordinary, *values).misconception == name


def test_a_misconception_must_explain_half_of_what_is_wrong(ordinary):
    other = [v - 7 for v in NUMBERS]
    assert verdict_of(ordinary, *DOUBLE[2][:3], *other[3:]).misconception == "double"
    verdict = verdict_of(ordinary, *DOUBLE[2][:2], *other[2:])
    assert (verdict.misconception, verdict.hint[:11]) == ("", "The form of")


def test_a_fault_that_can_be_named_goes_before_half_an_explanation(ordinary):
    verdict = verdict_of(ordinary, *DOUBLE[2][:4], DOUBLE[2][4] * math.nan)
    assert (verdict.misconception, verdict.hint[:12]) == ("", "There is NaN")
    changed = [replace(answer(v), changed=True) for v in DOUBLE[2]]
    assert verdict_of(ordinary, *changed).misconception == "double"  # it explains all


def test_a_misconception_that_is_right_somewhere_explains_only_what_it_has_wrong(explained):
    # no_edge answers rightly but for the empty group; what is wrong elsewhere is none of its.
    verdict = verdict_of(explained, NUMBERS[0] - 7, *NUMBERS[1:])
    assert (verdict.misconception, verdict.points) == ("", 0)
    verdict = verdict_of(explained, *[replace(answer(v), changed=True) for v in NUMBERS])
    assert (verdict.misconception, verdict.hint[:20]) == ("", "It changes its input")


def test_the_hint_never_holds_what_would_be_right():
    secret = torch.tensor([0.123457, 987.654])
    for got in (torch.zeros(2), torch.tensor([math.nan, 1]), torch.zeros(3), None, [1, 2], "text", torch.zeros(2) > 0):
        verdict = verdict_of(make_sheet([secret]), got)
        assert verdict.points == 0
        assert "0.123" not in verdict.hint
        assert "987" not in verdict.hint


# What is graded by training


def tried(threshold=0.1):
    trial = Trial(score=None, threshold=threshold, told="{score}", hint="")
    same = ("unchanged", "Nothing changes.", NUMBERS)
    return make_sheet([v * 100 for v in NUMBERS], [same], edges=[""] * 5, trial=trial)


def test_where_training_decides_any_finite_numbers_of_the_right_form_pass():
    assert verdict_of(tried(), *[v * 55 for v in NUMBERS]).status == "passed"
    for wrong, said in [(math.nan, "There is NaN or infinity"), (math.inf, "There is NaN or infinity")]:
        verdict = verdict_of(tried(), *[v * 55 for v in NUMBERS[:4]], NUMBERS[4] * wrong)
        assert (verdict.points, verdict.hint[: len(said)]) == (0, said)
    assert "the shape must be [3]" in verdict_of(tried(), *[v[None] for v in NUMBERS]).hint


def test_what_is_known_not_to_work_needs_no_training():
    verdict = verdict_of(tried(), *NUMBERS)
    assert (verdict.points, verdict.misconception, verdict.hint) == (0, "unchanged", "Nothing changes.")


def test_a_fault_says_no_more_than_its_kind_of_a_wrong_value():
    assert find_value_fault(1.0, 2.0, 0, 0) == Fault("value", "")
