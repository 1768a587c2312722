"""The panels of lesson 02: two strategies on two sets of birds, and batch normalisation in its two modes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from course_lib import controls
from course_lib.livepanel import LivePanel
from course_lib.normalization.batchnorm import BatchNormResult, run_batchnorm
from course_lib.normalization.batchnorm_plots import BatchSizesPicture, ModesPicture
from course_lib.normalization.config import LAYERS, MAX_TEST, MAX_TRAIN, BatchNormConfig, Config
from course_lib.normalization.experiment import Result, finding, run
from course_lib.normalization.plots import AccuracyPicture, SetsPicture
from course_lib.normalization.scalers import SCALERS


class StrategiesPanel(LivePanel):
    """Strategy 1 and strategy 2 side by side; made by `panel`."""

    CONFIG = Config
    NAMED: ClassVar = {
        "same units": {},
        "wings in cm, not mm": {"scale": 0.1},
        "every value too high": {"shift": 1.0},
        "nearly all are species B": {"balance": 0.9},
        "five birds": {"n_test": 5},
        "one bird": {"n_test": 1},
    }
    ANSWERS: ClassVar = {"accuracy": AccuracyPicture, "sets": SetsPicture}

    def answer(self, config: Config) -> Result:
        return run(config)

    def headline(self, result: Result) -> str:
        return finding(result)


class BatchNormPanel(LivePanel):
    """Train mode and eval mode side by side; made by `batchnorm_panel`."""

    CONFIG = BatchNormConfig
    NAMED: ClassVar = {
        "ordinary digits": {"brightness": 0.0},
        "brighter digits": {},
        "two images at a time": {"brightness": 0.0, "batch_size": 2},
        "a batch of one": {"brightness": 0.0, "batch_size": 1},
        "one digit per batch": {"brightness": 0.0, "by_digit": True},
    }
    ANSWERS: ClassVar = {"sizes": BatchSizesPicture, "modes": ModesPicture}

    def answer(self, config: BatchNormConfig) -> BatchNormResult:
        return run_batchnorm(config)

    def headline(self, result: BatchNormResult) -> str:
        if result.drift is None:
            return "One image: eval mode answers, train mode cannot: one number has no variance."
        first, last = result.drift["accuracy"].iloc[0], result.drift["accuracy"].iloc[-1]
        return (
            f"Train mode: {result.accuracy('train'):.2f} right, eval mode: {result.accuracy('eval'):.2f}. "
            f"Frozen weights, {result.config.batches} batches later: {first:.2f} became {last:.2f}."
        )


def panel(*, hide: Iterable[str] = (), **state: object) -> StrategiesPanel:
    """Return the panel of the two strategies: move the test set, and see which one still works.

    ``state`` sets the controls, by the names of the fields of `Config`; ``panel(**old.state())`` makes the
    same panel again. ``hide`` names controls or parts (status, picture) not to show. Raises `CourseError` for
    an unknown name or a value out of range. Taught in: notebook 02.
    """
    c = Config.of(**state)
    made = {
        "scaler": controls.choice("scaler", c.scaler, SCALERS.keys(), "scaler: what is done to the features"),
        "n_train": controls.integer_slider("train size", c.n_train, 10, MAX_TRAIN, "birds in the training set"),
        "n_test": controls.integer_slider("test size", c.n_test, 1, MAX_TEST, "birds in the test set"),
        "shift": controls.slider(
            "shift (sd)", c.shift, -3, 3, 0.05, "shift of both features of the test set, in standard deviations"
        ),
        "scale": controls.slider(
            "wing units", c.scale, 0.1, 3, 0.01, "what the test set's wing lengths are multiplied with; 0.1: in cm"
        ),
        "balance": controls.slider("share of B", c.balance, 0, 1, 0.01, "share of species B in the test set"),
        "seed": controls.seed(c.seed),
    }
    return StrategiesPanel(c, made, hide=hide)


def batchnorm_panel(*, hide: Iterable[str] = (), **state: object) -> BatchNormPanel:
    """Return the panel of batch normalisation: one trained network, asked in train mode and in eval mode.

    ``state`` sets the controls, by the names of the fields of `BatchNormConfig`; ``hide`` names controls or
    parts (status, picture) not to show. Raises `CourseError` for an unknown name or a value out of range.
    Taught in: notebook 02.
    """
    c = BatchNormConfig.of(**state)
    made = {
        "layer": controls.choice("layers", c.layer, LAYERS, "kind of batch-norm layers in the network"),
        "batch_size": controls.integer_slider("batch size", c.batch_size, 1, 50, "images in a batch"),
        "brightness": controls.slider("brightness", c.brightness, 0, 0.9, 0.01, "how much brighter the images are"),
        "by_digit": controls.checkbox("one digit per batch", c.by_digit, "batches come sorted by digit, not mixed"),
        "batches": controls.integer_slider(
            "batches fed", c.batches, 1, 20, "batches fed in train mode to frozen weights"
        ),
        "momentum": controls.slider(
            "momentum", c.momentum, 0, 1, 0.01, "momentum: weight of the newest batch in the running statistics"
        ),
        "seed": controls.seed(c.seed),
    }
    return BatchNormPanel(c, made, hide=hide)
