"""The first panel of lesson 06: who is in the training data, and who is read how well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

import ipywidgets as widgets

from course_lib.controls import tidy
from course_lib.data.faces import BALANCED, GENDERS, GROUPS
from course_lib.fairness import plots
from course_lib.fairness.config import MOST_MORE, Config
from course_lib.fairness.controls import COLLECT, PRIORS, READING, STEPS, make_controls, shown_priors
from course_lib.fairness.experiment import cached, missing_control, prepare, stream_with_control
from course_lib.fairness.methods import METHODS
from course_lib.fairness.priors import link
from course_lib.fairness.result import Result
from course_lib.fairness.sheet import FacesPicture, Sheet, make_sheet
from course_lib.livepanel import LivePanel

NOBODY = (0, 0, 0, 0)
ONE_ANSWER = 0.95  # of the faces: from there on the accuracies tell about the shares of the labels alone


def panel(*, hide: Iterable[str] = (), **state: object) -> FairnessPanel:
    """Return the panel: set who is in the training data, choose a method, see who is read how well.

    ``state`` sets the controls, by the names of the fields of `Config`; ``panel(**old.state())`` makes the same
    panel again. ``hide`` names controls or parts (named, picture, run, stop, status) not to show.
    Raises `CourseError` for an unknown name or a value out of range. Taught in: notebook 06.
    """
    return FairnessPanel(Config.of(**state), hide=hide)


class FairnessPanel(LivePanel):
    """The first panel of lesson 06; made by `panel`."""

    CONFIG = Config
    NAMED: ClassVar = {
        "the lesson's table": {},
        "the exercise's table, 92 % men": {"priors": (0.06, 0.02, 0.45, 0.47)},
        "balanced": {"priors": BALANCED},
        "few women": {"priors": (0.05, 0.05, 0.45, 0.45)},
        "only women smile": {"priors": (0.0, 0.5, 0.5, 0.0)},
        "few smiles": {"priors": (0.45, 0.05, 0.45, 0.05)},
    }
    ANSWERS: ClassVar = {"faces": FacesPicture}
    RUNS: ClassVar = {"groups": plots.RunPicture, "criteria": plots.CriteriaPicture}

    def __init__(self, config: Config, *, hide: Iterable[str] = ()):
        self.priors, self.more = config.priors, config.more
        self.anchor = ("", config.priors)  # the slider that moves, and the priors before it was taken
        super().__init__(config, make_controls(config), hide=hide)
        shown = {"priors", "more"}
        self.fixed = {name: value for name, value in self.fixed.items() if name not in shown}
        self.method = METHODS[config.method]
        METHODS.subscribe(self)

    # --- state ---

    def state(self) -> dict[str, object]:
        with self.lock:
            values = {name: value for name, value in super().state().items() if name not in PRIORS}
            return {"priors": self.priors} | ({"more": self.more} if any(self.more) else {}) | values

    def values_of(self, config: Config) -> dict[str, object]:
        return config.values() | shown_priors(config)

    def named_config(self, changes: dict[str, object]) -> Config:
        """Return the present settings with the priors of a preset, and nothing collected."""
        return replace(self.config(), **{"priors": Config.priors, "more": NOBODY} | changes)

    def show_config(self, config: Config) -> None:
        self.priors, self.more = config.priors, config.more
        self.anchor = ("", config.priors)
        super().show_config(config)

    # --- what the frame calls ---

    def answer(self, config: Config) -> Sheet:
        for text, number in zip(self.numbers, config.counts(), strict=True):
            text.value = f'<span class="course-number">{number:,}</span>'
        return make_sheet(config)

    def stream(self, config: Config) -> Iterator[Result]:
        return stream_with_control(config)

    def known(self, config: Config) -> Result | None:
        return None if missing_control(config) else cached(config)

    def prepare(self, config: Config) -> Iterator[None]:
        return prepare(config)

    def moved(self, control: widgets.Widget) -> None:
        if self._quiet:
            return
        name = next((name for name, one in self.controls.items() if one is control), "")
        if name in READING:
            self._read()
            return
        if name in PRIORS:
            self._link(name)
        if name == "method":
            self._choose_method()
        super().moved(control)

    def headline(self, result: Result) -> str:
        if not result.evaluations:
            return f"{result.config.named()}: training, step {result.step} of {result.steps}."
        if result.finished and (control := missing_control(result.config)):
            return f"{result.config.named()} has finished; now its control, {control.method}."
        start = "Finished" if result.finished else f"Training: step {result.step} of {result.steps}"
        table = result.groups()
        if table["accuracy"].isna().all():
            return f"{start}."
        worst, mean = result.worst(), table["accuracy"].mean()
        if missing := result.config.missing_label():
            return f"{start}. No training face is {missing}: raise another prior."
        if result.finished and (same := result.same_answer()) > ONE_ANSWER:
            return f"{start}. {100 * same:.0f} % of the faces get the same answer: train longer, or move thresholds."
        return f"{start}. Mean of the groups {mean:.3f}; worst: {worst['group']}, {worst['accuracy']:.3f}."

    def registry_changed(self) -> None:
        """Offer the methods that are registered now; one that is chosen stays chosen."""
        with self.lock:
            control = self.controls["method"]
            chosen = control.value if control.value in METHODS else "StdM"
            self._quiet = True
            control.options = list(METHODS)
            control.value = chosen
            self._quiet = False
            if METHODS[chosen] is not self.method:  # the chosen one was replaced or removed
                self._choose_method()
                self.worker.cancel()
                self.outdate()
                self.say(f"The methods have changed: Run to see {chosen}.", 0.0)

    def _draw(self, result: Any) -> None:
        with self.lock:  # a threshold that moves meanwhile waits, and reads what was drawn
            super()._draw(result.read(self.config()))

    # --- inside ---

    def _read(self) -> None:
        """Read the run that is there with other thresholds, or for another population; nothing is trained."""
        self._forget_error()
        if self.result is not None:
            self.result = self.result.read(self.config())
            self._show(self.RUNS, self.result)
            now = self.result.config == self.config() and not missing_control(self.result.config)
            if self.result.finished and now:  # nothing else is to be said
                self.say(self.headline(self.result))

    def _link(self, name: str) -> None:
        """Have the other priors follow the one that moved."""
        if self.anchor[0] != name:
            self.anchor = (name, self.priors)
        self.priors = link(self.anchor[1], PRIORS.index(name), tidy(self.controls[name].value), STEPS)
        others = dict(zip(PRIORS, self.priors, strict=True))
        del others[name]  # its newer values may be on their way already
        self.quietly({self.controls[other]: prior for other, prior in others.items()})

    def _choose_method(self) -> None:
        """Take the chosen method with its default settings: those of another one do not fit it."""
        self.method = METHODS[self.controls["method"].value]
        self.fixed.pop("settings", None)

    def _collect(self, group: int) -> None:
        if self.more[group] + COLLECT > MOST_MORE:
            self.say(f"At most {MOST_MORE:,} faces of a group can be collected.")
            return
        self.more = tuple(n + COLLECT * (i == group) for i, n in enumerate(self.more))
        self._renew()

    def _renew(self) -> None:
        """Answer a change of what was collected, which is no control of its own."""
        self.quietly({self.named: self._name()})
        super().moved(self.named)

    def _give_back(self, _: object) -> None:
        self.more = NOBODY
        self._renew()

    def above(self) -> list[widgets.Widget]:
        """Return the grid of priors: women and men in rows, without and with a smile in columns."""
        self.numbers = [widgets.HTML(layout={"width": "52px"}) for _ in GROUPS]
        self.collect = []
        for group, name in enumerate(GROUPS):
            button = widgets.Button(
                description=f"+{COLLECT}", tooltip=f"collect {COLLECT} more: {name}", layout={"width": "58px"}
            )
            button.add_class(f"course-collect-{PRIORS[group]}")
            button.on_click(self.guarded(lambda _, group=group: self._collect(group)))
            self.collect.append(button)
        self.reset = widgets.Button(
            description="give back", tooltip="give back all faces that were collected", layout={"width": "96px"}
        )
        self.reset.on_click(self.guarded(self._give_back))
        cells = [
            widgets.HBox([self.controls[name], number, button], layout={"align_items": "center", "width": "384px"})
            for name, number, button in zip(PRIORS, self.numbers, self.collect, strict=True)
        ]
        rows = [
            widgets.HBox(
                [widgets.HTML(f"<b>{who}</b>", layout={"width": "52px"}), *cells[2 * i : 2 * i + 2]],
                layout={"flex_flow": "row wrap", "align_items": "center"},
            )
            for i, who in enumerate(("women", "men"))
        ]
        text = f"Priors of the training faces ({' and '.join(GENDERS)} as drawn), which sum to 1; the count of each:"
        head = widgets.HBox(
            [widgets.HTML(f'<span style="font-size:12px">{text}</span>'), self.reset],
            layout={"justify_content": "space-between", "align_items": "center"},
        )
        return [widgets.VBox([head, *rows])]

    def aside(self) -> list[widgets.Widget]:
        return [control for name, control in self.controls.items() if name not in PRIORS]
