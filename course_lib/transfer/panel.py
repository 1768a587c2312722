"""The panel of lesson 04: how many labels, and what to do with layers that have learned something else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import ClassVar

import ipywidgets as widgets

from course_lib import controls
from course_lib.lookpanel import LookPanel
from course_lib.transfer.beside import Pair, stream_pair
from course_lib.transfer.config import FEWEST, REGIMES, TARGETS, Config
from course_lib.transfer.experiment import prepare
from course_lib.transfer.layers import LayersPicture
from course_lib.transfer.look import NETWORKS, Look, LookConfig
from course_lib.transfer.pictures import MOST
from course_lib.transfer.plots import RunPicture, said

FACES = 200  # of the test faces that the slider offers


def panel(*, hide: Iterable[str] = (), **state: object) -> TransferPanel:
    """Return the panel: choose labels and regime, and see the run train beside the one from scratch.

    ``state`` sets the controls: labels, regime, target, lr, steps, seed, face, network; see `LookConfig`.
    ``panel(**old.state())`` makes the same panel again. ``hide`` names controls or parts (named, picture, run,
    stop, status) not to show. Opening it trains two networks first, for some seconds. Raises `CourseError` for
    an unknown name or a value out of range. Taught in: notebook 04.
    """
    config = LookConfig.of(**state)
    return TransferPanel(config, make_controls(config), hide=hide)


def make_controls(config: LookConfig) -> dict[str, widgets.Widget]:
    """Return all controls, set to ``config``, in the order of the tab key."""
    c = config
    return {
        "labels": controls.decade_slider("labels", c.labels, FEWEST, MOST, "labelled faces to learn from"),
        "regime": controls.choice("regime", c.regime, list(REGIMES), "what is done with the pre-trained layers"),
        "target": controls.choice("target", c.target, list(TARGETS), "what is learned"),
        "lr": controls.decade_slider("learning rate", c.lr, 1e-6, 1.0, "AdamW's highest learning rate"),
        "steps": controls.integer("steps", c.steps, 10, 2000, "steps of training"),
        "seed": controls.seed(c.seed),
        "face": controls.integer_slider("face", c.face, 0, max(FACES - 1, c.face), "which test face is shown"),
        "network": controls.choice("layers of", c.network, list(NETWORKS), "whose feature maps are shown"),
    }


class TransferPanel(LookPanel):
    """The panel of lesson 04; made by `panel`."""

    CONFIG = LookConfig
    NAMED: ClassVar = {
        "fine-tuning, 50 labels": {},
        "fine-tuning, 2,000 labels": {"labels": 2000},
        "a rate too low": {"regime": "fine-tuning, rate too low"},
        "frozen features, 50 labels": {"regime": "frozen features"},
        "frozen random layers": {"regime": "frozen random"},
        "age, 50 labels": {"target": "age"},
    }
    LOOKS = ("face", "network")
    ANSWERS: ClassVar = {"layers": LayersPicture}
    RUNS: ClassVar = {"training": RunPicture}

    def answer(self, config: LookConfig) -> Look:
        return Look(config, self.latest)

    def stream(self, config: LookConfig) -> Iterator[Pair]:
        return stream_pair(config.run_config())

    def prepare(self, config: LookConfig) -> Iterator[None]:
        return prepare(config)

    def state(self) -> dict[str, object]:
        values = super().state()
        return values | {"labels": int(values["labels"])}

    def moved(self, control: widgets.Widget) -> None:
        if control is self.controls["regime"] and not self._quiet:  # each has a learning rate that suits it
            self.quietly({self.controls["lr"]: REGIMES[control.value].lr})
        super().moved(control)

    def same_run(self, one: LookConfig, other: Config) -> bool:
        return one.run_config() == replace(other, lr=other.rate())  # a run from before may leave its rate to the regime

    def begun(self, result: Pair) -> int:
        return bool(result.run.evaluations) + bool(result.scratch.evaluations)

    def headline(self, result: Pair) -> str:
        start = "Finished" if result.finished else f"Training: step {result.run.step} of {result.run.steps}"
        if not result.run.evaluations:
            return f"{start}."
        return f"{start}. {said(result)}; {result.run.trained():,} numbers trained."
