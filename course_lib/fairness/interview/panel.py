"""The panel of the interview scorer: the same face, another score."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from course_lib import controls
from course_lib.fairness.interview.config import APPLICANTS, CHANGES, GROUPINGS, InterviewConfig
from course_lib.fairness.interview.experiment import stream
from course_lib.fairness.interview.plots import ApplicantPicture, EffectsPicture, LearningPicture, Look
from course_lib.fairness.interview.result import InterviewResult
from course_lib.lookpanel import LookPanel

WORDS = {name: f"{change.without} → {change.with_it}" for name, change in CHANGES.items()}


def interview_panel(*, hide: Iterable[str] = (), **state: object) -> InterviewPanel:
    """Return the panel of the interview scorer: change one thing about a picture, and see the score move.

    ``state`` sets the controls, by the names of the fields of `InterviewConfig`; ``panel(**old.state())`` makes
    the same panel again. ``hide`` names controls or parts (named, picture, run, stop, status) not to show.
    Opening it trains a network first, for some 2 seconds. Raises `CourseError` for an unknown name or a value
    out of range. Taught in: notebook 06.
    """
    c = InterviewConfig.of(**state)
    made = {
        "change": controls.choice("change", c.change, WORDS, "what is changed about the picture"),
        "applicant": controls.integer_slider(
            "applicant", c.applicant, 0, APPLICANTS - 1, "which of the applicants is shown"
        ),
        "by": controls.choice("groups by", c.by, list(GROUPINGS), "what the applicants are grouped by"),
        "strength": controls.slider(
            "strength", c.strength, 0, 1, 0.05,
            "strength: how far the recruiters' scores in the training data went along with the bookshelf",
        ),
        "n_train": controls.integer_slider(
            "train on", c.n_train, 100, max(5000, c.n_train), "faces in the training data"
        ),
        "epochs": controls.integer("epochs", c.epochs, 1, 100, "epochs: how often each face is trained on"),
        "seed": controls.seed(c.seed),
    }  # fmt: skip
    return InterviewPanel(c, made, hide=hide)


class InterviewPanel(LookPanel):
    """The panel of `interview_panel`."""

    CONFIG = InterviewConfig
    NAMED: ClassVar = {
        "recruiters like books": {},
        "recruiters do not care": {"strength": 0.0},
        "200 training faces": {"n_train": 200, "epochs": 40, "strength": 0.0},
        "glasses on": {"change": "glasses"},
        "brighter light": {"change": "light", "by": "skin tone"},
    }
    LOOKS = ("change", "applicant", "by")
    ANSWERS: ClassVar = {"faces": ApplicantPicture, "effects": EffectsPicture}
    RUNS: ClassVar = {"learning": LearningPicture}

    def answer(self, config: InterviewConfig) -> Look:
        return Look(config, self.latest)

    def stream(self, config: InterviewConfig) -> Iterator[InterviewResult]:
        return stream(config)

    def headline(self, result: InterviewResult) -> str:
        if not result.evaluations:
            return f"Training: step {result.step} of {result.steps}."
        start = "Finished" if result.finished else f"Training: step {result.step} of {result.steps}"
        shelf, smile = (result.evaluations[-1].shift(change) for change in ("bookshelf", "smile"))
        return f"{start}. A bookshelf is worth {shelf:+z.1f} points, a smile {smile:+z.1f}."
