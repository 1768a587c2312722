"""One call of a function: nothing that it does is raised, and its outcome says what it was."""

import pytest
import torch

from course_lib.grading.call import MAX_PRINTED, Outcome, call, hushed
from course_lib.grading.plain import Other, Seed, encode


def outcome_of(function, *arguments):
    return call(function, encode(arguments))


def raising(error):
    def function():
        x = 1  # so that the error is in the third line
        raise error(x)

    return function


def test_a_call_gets_a_copy_of_its_own_and_a_new_generator():
    def draw(x, generator):
        x += 1
        return torch.rand(3, generator=generator)

    x = torch.zeros(2)
    first, again = outcome_of(draw, x, Seed(3)), outcome_of(draw, x, Seed(3))
    assert first.changed
    assert not x.any()
    assert torch.equal(first.value, again.value)
    assert not outcome_of(lambda x, generator: x + 1, x, Seed(3)).changed


def test_an_answer_is_kept_as_it_was_when_it_was_given():
    kept = torch.zeros(2)
    outcome = outcome_of(lambda: kept)
    kept += 1
    assert outcome.value.tolist() == [0, 0]


@pytest.mark.parametrize(
    "error", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, RecursionError, MemoryError]
)
def test_an_error_is_told_with_its_place(error):
    outcome = outcome_of(raising(error))
    assert outcome.status == "error"
    assert outcome.error == error.__name__
    assert outcome.text == f"{error.__name__}: 1, in line 3 of function: `raise error(x)`"


def test_an_error_without_a_message_has_its_type():
    outcome = outcome_of(raising(lambda x: KeyboardInterrupt()))
    assert outcome.text.startswith("KeyboardInterrupt, in line 3 of function")
    assert outcome.error == "KeyboardInterrupt"


def test_an_error_whose_text_fails_has_its_type():
    class Silent(Exception):
        def __str__(self):
            raise RuntimeError

    assert outcome_of(raising(Silent)).text.startswith("Silent: (its message cannot be shown), in line 3")


def test_an_error_from_a_library_is_placed_in_the_function_itself():
    def multiply(x):
        return x @ x

    text = outcome_of(multiply, torch.zeros(2, 3)).text
    assert text.startswith("RuntimeError: mat1 and mat2 shapes cannot be multiplied")
    assert text.endswith("in line 2 of multiply: `return x @ x`")


def test_only_the_first_line_of_a_message_is_told_and_not_without_end():
    assert "second" not in outcome_of(raising(lambda x: ValueError("first\nsecond"))).text
    assert len(outcome_of(raising(lambda x: ValueError("x" * 10_000))).text) < 500


def raise_(error):
    raise error


@pytest.mark.parametrize(
    "function",
    [lambda: NotImplemented, lambda: ..., lambda: raise_(NotImplementedError), lambda: raise_(NotImplementedError())],
)
def test_each_way_to_say_not_yet_is_not_attempted(function):
    assert outcome_of(function) == Outcome("not attempted")


def test_a_stub_with_words_of_its_own_is_an_error():
    assert outcome_of(lambda: raise_(NotImplementedError("half of it"))).error == "NotImplementedError"


def test_what_is_not_plain_is_described_and_what_cannot_be_described_is_an_error():
    class Meta(type):
        @property
        def __name__(cls):
            raise RuntimeError("no name")

    assert outcome_of(lambda: (i for i in "ab")).value == Other("an object of type generator")
    assert outcome_of(lambda: Meta("Thing", (), {})()).error == "RuntimeError"


def test_a_harness_is_called_with_the_function_and_the_arguments():
    def harness(function, x, y):
        return function(x) + y

    assert call(lambda x: 2 * x, encode((3, 1)), harness).value == 7


def test_what_is_printed_is_counted_and_lost(capsys):
    def chatty():
        print("abc")
        return 1

    with hushed():
        assert [outcome_of(chatty).printed for _ in range(3)] == [4, 4, 4]
    assert capsys.readouterr().out == ""


def test_a_function_that_prints_without_end_is_ended():
    def endless():
        while True:
            print("x" * 999)

    with hushed():
        outcome = outcome_of(endless)
    assert outcome.error == "RuntimeError"
    assert "printed more than 1,000,000 characters" in outcome.text
    assert outcome.printed <= MAX_PRINTED + 1000
