"""The panel of fair regression: a bound on each group's error, a repair of the predictions, and who pays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from course_lib import controls
from course_lib.fairness.regression.config import GROUPS, LEAST, NO_BOUND, AgeConfig
from course_lib.fairness.regression.experiment import stream
from course_lib.fairness.regression.plots import AgeLook, ErrorsPicture, RepairPicture, TrainingPicture
from course_lib.fairness.regression.result import AgeResult
from course_lib.lookpanel import LookPanel


def regression_panel(*, hide: Iterable[str] = (), **state: object) -> RegressionPanel:
    """Return the panel of fair regression: ages of two groups, bounded group loss and Wasserstein repair.

    ``state`` sets the controls, by the names of the fields of `AgeConfig`; ``panel(**old.state())`` makes the
    same panel again. ``hide`` names controls or parts (named, picture, run, stop, status) not to show. Opening
    it trains a network first, for some 3 seconds; the bound and the strength of the repair train none. Raises
    `CourseError` for an unknown name or a value out of range. Taught in: notebook 06.
    """
    c = AgeConfig.of(**state)
    made = {
        "bound": controls.slider(
            "bound", c.bound, LEAST, NO_BOUND, 0.1,
            "bound: the error that each group may have at most on the training data, in years; 20 is no bound",
        ),
        "strength": controls.slider("repair", c.strength, 0, 1, 0.01, "strength of the Wasserstein repair"),
        "share": controls.slider("outdoors", c.share, 0.02, 0.5, 0.01, "share of the workers who work outdoors"),
        "look": controls.slider("look older", c.look, 0, 30, 1, "years that outdoor workers look older than they are"),
        "gap": controls.slider(
            "are younger", c.gap, 0, 30, 1, "years by which the oldest outdoors are younger than the oldest indoors"
        ),
        "n_train": controls.integer_slider(
            "train on", c.n_train, 500, max(5000, c.n_train), "faces in the training data"
        ),
        "seed": controls.seed(c.seed),
    }  # fmt: skip
    return RegressionPanel(c, made, hide=hide)


class RegressionPanel(LookPanel):
    """The panel of `regression_panel`."""

    CONFIG = AgeConfig
    NAMED: ClassVar = {
        "rare, looks older": {},
        "with a bound": {"bound": 10.0},
        "with a repair": {"strength": 1.0},
        "younger in truth": {"look": 0.0, "gap": 30.0, "share": 0.3},
        "younger, repaired": {"look": 0.0, "gap": 30.0, "share": 0.3, "strength": 1.0},
    }
    LOOKS = ("bound", "strength")
    ANSWERS: ClassVar = {"errors": ErrorsPicture, "repair": RepairPicture}
    RUNS: ClassVar = {"training": TrainingPicture}

    def answer(self, config: AgeConfig) -> AgeLook:
        return AgeLook(config, self.latest)

    def stream(self, config: AgeConfig) -> Iterator[AgeResult]:
        return stream(config)

    def headline(self, result: AgeResult) -> str:
        if not result.evaluations:
            return f"Training: step {result.step} of {result.steps}."
        start = "Finished" if result.finished else f"Training: step {result.step} of {result.steps}"
        errors = ", ".join(f"{e:.1f} years {g}" for e, g in zip(result.evaluations[-1].errors, GROUPS, strict=True))
        return f"{start}. Test errors as trained: {errors}."
