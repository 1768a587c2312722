"""From what a student's function answered to points and a hint: the same for the notebook and the class."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from course_lib.grading.call import Outcome
from course_lib.grading.plain import Other, encode
from course_lib.grading.sheet import Answer, Case, Sheet

KINDS = {"b": "bool", "u": "int", "i": "int", "f": "float"}
WORDS = {"bool": "True or False", "int": "whole numbers", "float": "decimal numbers"}


@dataclass(frozen=True)
class Fault:
    """What is wrong with the answer to one case; a "value" says no more than that."""

    kind: str
    text: str = ""


@dataclass(frozen=True)
class Verdict:
    """The result of one exercise. status: "passed", "part", "wrong" or "not attempted".

    hint: sentences for the student; misconception: the name of the one behind a wrong answer; note: what
    does not cost points.
    """

    id: str
    title: str
    status: str
    points: float
    maximum: int
    hint: str = ""
    misconception: str = ""
    note: str = ""


def as_html(text: str) -> str:
    """Return a hint, or another sentence, as HTML, with what stands between backticks as code."""
    parts = html.escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


def answer_of(outcome: Outcome, case: Case, summary: Callable | None, right: Answer | None = None) -> Answer:
    """Return the comparable answer in ``outcome``; ``right`` is the right one, None for itself."""
    if outcome.status != "answer":
        return Answer([], error=outcome.error or outcome.status)
    form = form_of(outcome.value)
    if right is not None and find_form_fault(form, right.form):
        return Answer(form)
    try:
        return Answer(form, summary(case.arguments, outcome.value) if summary else outcome.value)
    except Exception as error:  # of numbers that nobody thought of: it is this answer's fault, and no other's
        return Answer(form, error=f"{type(error).__name__}: {error}")


def form_of(value: object) -> list:
    """Return the form of plain data, as plain data: what it is, its kind of numbers, its shape."""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        array = value.numpy() if isinstance(value, torch.Tensor) else value
        return ["numbers", KINDS[array.dtype.kind], list(array.shape)]
    if isinstance(value, (bool, int, float)):
        return ["numbers", type(value).__name__, []]
    if isinstance(value, (list, tuple)):
        return ["several", [form_of(item) for item in value]]
    if isinstance(value, dict):
        return ["dict", {key: form_of(item) for key, item in sorted(value.items())}]
    if isinstance(value, str):
        return ["a text"]
    return [value.what] if isinstance(value, Other) else ["nothing (None)"]


def describe(form: list) -> str:
    """Return a form in words: "a tensor of whole numbers with shape [7, 2]"."""
    if form[0] == "numbers":
        kind, shape = form[1:]
        return f"a tensor of {WORDS[kind]} with shape {shape}" if shape else f"one number ({kind})"
    if form[0] == "several":
        return f"{len(form[1])} values" if form[1] else "an empty list"
    return "a dict with the keys " + ", ".join(form[1]) if form[0] == "dict" else form[0]


def find_form_fault(got: list, want: list) -> Fault | None:
    """Return what is wrong with the form of an answer, if anything."""
    if got == want:
        return None
    if got[0] == want[0] == "several" and len(got[1]) == len(want[1]):
        parts = zip(got[1], want[1], strict=True)
        faults = [(i, fault) for i, part in enumerate(parts, 1) if (fault := find_form_fault(*part))]
        return Fault(faults[0][1].kind, f"Value {faults[0][0]}: {faults[0][1].text}") if faults else None
    if got[0] == want[0] == "dict" and got[1].keys() == want[1].keys():
        faults = [(key, fault) for key in want[1] if (fault := find_form_fault(got[1][key], want[1][key]))]
        return Fault(faults[0][1].kind, f"{faults[0][0]}: {faults[0][1].text}") if faults else None
    if got[0] == want[0] == "numbers":
        if got[2] != want[2]:
            return Fault("shape", f"It returns {describe(got)}; the shape must be {want[2]}.")
        if got[1] == "int" and want[1] == "float":  # 0 for 0.0
            return None
        return Fault("dtype", f"It returns {WORDS[got[1]]} ({got[1]}); it must return {WORDS[want[1]]} ({want[1]}).")
    end = " Does it end in `return`?" if got[0].startswith("nothing") else ""
    return Fault("type", f"It returns {describe(got)}; it must return {describe(want)}.{end}")


def find_value_fault(got: object, want: object, rtol: float, atol: float) -> Fault | None:
    """Compare two values of the same form, number by number; NaN equals NaN."""
    if isinstance(want, (list, tuple)):
        faults = [find_value_fault(g, w, rtol, atol) for g, w in zip(got, want, strict=True)]
        return next(filter(None, faults), None)
    if isinstance(want, dict):
        return next(filter(None, (find_value_fault(got[key], want[key], rtol, atol) for key in want)), None)
    if isinstance(want, (str, Other)) or want is None:
        return None if got == want else Fault("value")
    got, want = (np.asarray(value, dtype=np.float64) for value in (got, want))
    if np.allclose(got, want, rtol=rtol, atol=atol, equal_nan=True):
        return None
    if (np.isnan(got) & ~np.isnan(want)).any():
        return Fault("nan", "There is NaN in its answer where a number belongs: look for 0 / 0, or a mean of nothing.")
    if (np.isinf(got) & ~np.isinf(want)).any():
        return Fault(
            "nan", "There is infinity in its answer where a number belongs: look for x / 0, log(0), exp(1000)."
        )
    return Fault("value")


def find_difference(got: Answer, want: Answer, rtol: float, atol: float) -> Fault | None:
    """Return what makes two answers different, if anything does."""
    if got.error or want.error:
        return None if got.error == want.error else Fault("error", f"Its answer cannot be judged ({got.error}).")
    fault = find_form_fault(got.form, want.form)
    if fault or got.value is want.value is None:
        return fault
    return find_value_fault(got.value, want.value, rtol, atol)


def find_fault(sheet: Sheet, got: Answer, want: Answer, outcome: Outcome) -> Fault | None:
    """Return what is wrong with the outcome of one case, if anything; ``want`` is the right answer."""
    if outcome.status == "not attempted":
        return Fault("not attempted", "A part of it still raises NotImplementedError.")
    if outcome.status != "answer":
        what = "It stopped with an error: " if outcome.status == "error" else ""
        return Fault(outcome.status, f"{what}{outcome.text}.")
    if outcome.changed:
        return Fault("changed", "It changes its input, which its caller still needs: work on a copy (`x.clone()`).")
    if sheet.trial and not got.error:  # there is no one right answer: it takes training to tell
        return find_form_fault(got.form, want.form) or _find_infinite(got.value)
    return find_difference(got, want, sheet.rtol, sheet.atol)


def _find_infinite(value: object) -> Fault | None:
    finite = np.isfinite(np.asarray(value, dtype=np.float64)).all()
    return None if finite else Fault("nan", "There is NaN or infinity in its answer: look for x / 0 or log(0).")


def judge(sheet: Sheet, outcomes: Sequence[Outcome]) -> Verdict:
    """Return points and hint for the outcomes of all cases of a sheet (fewer, if the function was stopped)."""
    if outcomes and outcomes[0].status == "not attempted":
        return Verdict(sheet.id, sheet.title, "not attempted", 0, sheet.points)
    asked = list(zip(sheet.cases, outcomes, sheet.expected, strict=False))
    answers = [answer_of(outcome, case, sheet.summary, want) for case, outcome, want in asked]
    faults = [find_fault(sheet, got, want, out) for got, (_, out, want) in zip(answers, asked, strict=True)]
    faults += [Fault("stopped", "It was stopped before.")] * (len(sheet.cases) - len(faults))
    faults = _find_unstable(sheet, outcomes, faults)
    printed = sum(outcome.printed for outcome in outcomes)
    note = "It prints, which is fine while you try things out; take it out in the end." if printed else ""
    if sheet.trial and not any(faults):
        faults = _find_hopeless(sheet, answers)
    if not any(faults):
        return Verdict(sheet.id, sheet.title, "passed", sheet.points, sheet.points, note=note)
    in_core = [fault for fault, case in zip(faults, sheet.cases, strict=True) if fault and not case.edge]
    hint, name = _explain(sheet, answers, faults)
    points = 0 if in_core else sheet.core
    if points:
        hint = f"Right for ordinary input. {hint}"
    return Verdict(sheet.id, sheet.title, "part" if points else "wrong", points, sheet.points, hint, name, note)


def _find_hopeless(sheet: Sheet, answers: Sequence[Answer]) -> list[Fault | None]:
    """Return faults for a misconception about what is graded by training: it need not be trained to know."""
    for _, _, theirs in sheet.misconceptions:
        if not any(find_difference(*pair, sheet.rtol, sheet.atol) for pair in zip(answers, theirs, strict=True)):
            return [Fault("value")] * len(answers)
    return [None] * len(answers)


def _find_unstable(sheet: Sheet, outcomes: Sequence[Outcome], faults: list[Fault | None]) -> list[Fault | None]:
    """Return ``faults`` with one for each case that was asked before and answered differently then."""
    seen: dict[bytes, bytes] = {}
    faults = list(faults)
    for i, (case, outcome) in enumerate(zip(sheet.cases, outcomes, strict=False)):
        value = encode(outcome.value)
        if outcome.status == "answer" and seen.setdefault(encode(case.arguments), value) != value and not faults[i]:
            text = "The same input twice gave different answers: draw every random number from `generator`."
            faults[i] = Fault("unstable", text)
    return faults


def _explain(sheet: Sheet, answers: Sequence[Answer], faults: Sequence[Fault | None]) -> tuple[str, str]:
    """Return a hint, and the name of the misconception that it is about, if one explains the wrong answers."""
    wrong = [i for i, fault in enumerate(faults) if fault]
    wrong = [i for i in wrong if not sheet.cases[i].edge] or wrong  # first things first
    tolerance = sheet.rtol, sheet.atol
    best, most = None, (0, 0)
    for name, hint, theirs in sheet.misconceptions:
        given = [find_difference(*pair, *tolerance) is None for pair in zip(answers, theirs, strict=False)]
        mistaken = [find_difference(*pair, *tolerance) for pair in zip(theirs, sheet.expected, strict=True)]
        explained = sum(given[i] and bool(mistaken[i]) for i in wrong if i < len(given))
        if explained and (explained, sum(given)) > most:
            best, most = (hint, name), (explained, sum(given))
    first = next((faults[i] for i in wrong if faults[i].kind != "value"), None)
    if best and (most[0] == len(wrong) or (not first and most[0] >= len(wrong) / 2)):
        return best
    if first:
        return first.text, ""
    edges = {sheet.cases[i].edge for i in wrong}
    if "" not in edges:
        return f"Not yet right for {' and '.join(sorted(edges))}.", ""
    right = faults.count(None)
    some = f" It is right for {right} of {len(faults)} inputs." if right else ""
    return f"The form of its answer is right, the numbers are not yet.{some}", ""
