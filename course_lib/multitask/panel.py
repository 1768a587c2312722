"""The panel of lesson 05: which tasks share a trunk, and what each of them gains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

import ipywidgets as widgets

from course_lib.livepanel import LivePanel
from course_lib.multitask import plots
from course_lib.multitask.config import TASKS, Config
from course_lib.multitask.controls import labels_of, make_controls, settings_of, values_of, weight_of
from course_lib.multitask.experiment import cached, prepare, stream
from course_lib.multitask.objective import start
from course_lib.multitask.plots import Before
from course_lib.multitask.result import Result

FEW = {"labels": {"smile": 100}, "channels": 64, "epochs": 12}  # the stored study's setting


def panel(*, hide: Iterable[str] = (), **state: object) -> MultitaskPanel:
    """Return the panel: choose the tasks, their labels and what they count, and see each beside learning it alone.

    ``state`` sets the controls, by the names of the fields of `Config`; ``panel(**old.state())`` makes the same
    panel again. ``hide`` names controls or parts (named, picture, run, stop, status) not to show.
    Raises `CourseError` for an unknown name or a value out of range. Taught in: notebook 05.
    """
    return MultitaskPanel(Config.of(**state), hide=hide)


class MultitaskPanel(LivePanel):
    """The panel of lesson 05; made by `panel`."""

    CONFIG = Config
    NAMED: ClassVar = {
        "smile, age and gender": {},
        "age in years": {"unit": "years"},
        "years, uncertainty": {"unit": "years", "balance": "uncertainty"},
        "few smiles, with gender": FEW | {"tasks": ("smile", "gender")},
        "few smiles, with a coin": FEW | {"tasks": ("smile", "coin")},
    }
    ANSWERS: ClassVar = {"start": plots.StartPicture}
    RUNS: ClassVar = {"curves": plots.CurvesPicture, "pulls": plots.PullsPicture}

    def __init__(self, config: Config, *, hide: Iterable[str] = ()):
        super().__init__(config, make_controls(config), hide=hide)
        self.fixed = {name: value for name, value in self.fixed.items() if name not in ("tasks", "labels", "weights")}
        self._offer_weights()

    # --- state ---

    def state(self) -> dict[str, object]:
        with self.lock:
            return settings_of(super().state())

    def values_of(self, config: Config) -> Mapping[str, object]:
        return values_of(config)

    # --- what the frame calls ---

    def answer(self, config: Config) -> Before:
        return Before(config, start(config))

    def stream(self, config: Config) -> Iterator[Result]:
        return stream(config)

    def known(self, config: Config) -> Result | None:
        return cached(config)

    def prepare(self, config: Config) -> Iterator[None]:
        return prepare(config)

    def moved(self, control: widgets.Widget) -> None:
        if not self._quiet and not any(self.controls[task].value for task in TASKS):
            self.quietly({control: True})  # the one that was just switched off
            self.say("A network must learn something: this is the last task.")
            return
        super().moved(control)
        self._offer_weights()

    def headline(self, result: Result) -> str:
        if not result.evaluations:
            return f"Training: step {result.step} of {result.steps}."
        begin = "Finished" if result.finished else f"Training: step {result.step} of {result.steps}"
        row = result.table().iloc[0]
        unit = " years off" if row["task"] == "age" else " right"
        return f"{begin}. {row['task']}: {row['together']:.3g}{unit} together, {row['alone']:.3g} alone."

    # --- inside ---

    def _offer_weights(self) -> None:
        """Let the weights be set only where they count."""
        for task in TASKS:
            self.controls[weight_of(task)].disabled = self.controls["balance"].value == "uncertainty"

    def above(self) -> list[widgets.Widget]:
        """Return the grid of tasks: a row for each, with its switch, its labels and its weight."""
        text = "Tasks that share the trunk; how many of the training faces have the label; what the loss counts:"
        rows = [
            widgets.HBox(
                [self.controls[name] for name in (task, labels_of(task), weight_of(task))],
                layout={"flex_flow": "row wrap", "align_items": "center"},
            )
            for task in TASKS
        ]
        return [widgets.VBox([widgets.HTML(f'<span style="font-size:12px">{text}</span>'), *rows])]

    def aside(self) -> list[widgets.Widget]:
        return [self.controls[name] for name in ("unit", "balance", "channels", "noise", "epochs", "seed")]
