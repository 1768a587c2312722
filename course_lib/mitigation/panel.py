"""The panel of lesson 07: bias in, method on, and see who is left behind."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

import ipywidgets as widgets
import pandas as pd
from matplotlib.figure import Figure

from course_lib.controls import tidy
from course_lib.data import biased_mnist
from course_lib.data.biased_mnist import VARIABLES, BiasedMNIST
from course_lib.data.digits import SOURCES
from course_lib.errors import CourseError
from course_lib.keep import KeptRuns
from course_lib.mitigation import plots
from course_lib.mitigation.config import Config
from course_lib.mitigation.controls import NAMES, make_controls, mean_strength
from course_lib.mitigation.experiment import cached, prepare, standard_of, stream
from course_lib.mitigation.iosm import IOSMPicture
from course_lib.mitigation.methods import METHODS, Setting
from course_lib.mitigation.result import Result
from course_lib.mitigation.sheet import sheet_pixels
from course_lib.mitigation.stored.results import Stored
from course_lib.panel import Panel, Picture
from course_lib.plotting import encode_png

EVERY = 0.4  # seconds between two pictures of a run
COLORS = {"nothing": "#007a5a", "bias labels": "#a34800"}  # of the badge that says what a method is told


def panel(*, hide: Iterable[str] = (), **state: object) -> BiasPanel:
    """Return the lab's panel: set a bias, choose a method, and watch who is left behind.

    ``state`` sets the controls: strength (one number in [0, 1], or a mapping from variables to numbers),
    method, explicit, source, seed, epochs, settings; the other fields of `Config`, such as n_train, have
    no control and stay as given. ``panel(**old.state())`` makes the same panel again.
    ``hide`` names controls or parts (sheet, picture, advanced, keep, run, stop, status) not to show.
    Raises `CourseError` for an unknown name or a value out of range. Taught in: notebook 07.
    """
    return BiasPanel(Config.of(**state), hide)


class BiasPanel(Panel):
    """The panel of lesson 07; made by `panel`."""

    PARTS = (*Panel.PARTS, "sheet", "picture", "advanced", "keep")

    def __init__(self, config: Config, hide: Iterable[str]):
        super().__init__(make_controls(config), hide=hide)
        self.strengths = config.strengths()  # of the seven variables; the sliders follow
        shown = {*NAMES, "settings"}
        self.fixed = {name: value for name, value in config.changed().items() if name not in shown}
        self.settings: dict[str, widgets.BoundedFloatText] = {}
        self.setting_row = widgets.HBox(layout={"min_height": "36px"})
        self.about = widgets.HTML(layout={"width": "284px", "height": "68px", "overflow": "hidden"})
        self.sheet, self.picture = Picture("sheet", 537, 213), Picture("picture", 840, 300)
        self.caption = widgets.HTML()  # of the sheet
        self.run_picture = plots.RunPicture()
        self.iosm_picture = IOSMPicture()
        self.kept = KeptRuns(
            self, csv="bias_mitigation_runs.csv", size=(840, 280),
            table=table, draw=self._draw_kept, describe=lambda runs: f"IOSM of {len(runs)} kept runs; see the table.",
        )  # fmt: skip
        self.result: Result | None = None
        self._choose_method(dict(config.settings))
        METHODS.subscribe(self)
        self._build()
        self.kept.offer(None)
        self.preview()
        self.picture.show(self.run_picture.png())
        self.say("Run, or move a control, to start training.", 0.0)
        self.label({name: NAMES.get(name) or VARIABLES[name].title for name in self.controls})
        self.label({"picture": "No run yet."})
        if (known := cached(config)) is not None:
            self._drawn(known)()
        else:
            self.worker.submit(lambda: prepare(self.config()))  # so that the first run starts at once

    # --- state ---

    def state(self) -> dict[str, object]:
        """Return the controls' values; `panel` and `run` take them: ``panel(**state)``."""
        with self.lock:
            values = {name: tidy(self.controls[name].value) for name in NAMES}
            same = len(set(self.strengths.values())) == 1
            values["strength"] = self.strengths["digit_color"] if same else dict(self.strengths)
            changed = {s.name: self.settings[s.name].value for s in METHODS[values["method"]].settings}
            default = {s.name: s.default for s in METHODS[values["method"]].settings}
            if changed != default:
                values["settings"] = changed
            return values | self.fixed

    def config(self) -> Config:
        """Return what Run would run."""
        return Config(**self.state())

    def static(self) -> Figure:
        """Return a plain figure of the panel as it stands, for slides and documents."""
        beside = Stored.beside(self.result.config) if self.result else None
        return plots.static_figure(self._samples(), self.result, beside)

    # --- what the frame calls ---

    def moved(self, control: widgets.Widget) -> None:
        if self._quiet:
            return
        name = next(name for name, c in [*self.controls.items(), ("", control)] if c is control)
        if name == "strength":
            self.strengths = dict.fromkeys(VARIABLES, tidy(control.value))
        elif name in VARIABLES:
            self.strengths[name] = tidy(control.value)
        elif name == "method":
            self._choose_method({})
        super().moved(control)
        # The others follow; never the one that moved, whose newer values may be on their way already.
        follow = {self.controls[name]: strength for name, strength in self.strengths.items()}
        follow[self.controls["strength"]] = mean_strength(self.strengths)
        follow.pop(control, None)
        self.quietly(follow)
        mixed = len(set(self.strengths.values())) > 1
        self.controls["strength"].description = "mean strength" if mixed else "bias strength"

    def outdate(self) -> None:
        self.result = None
        self.picture.fresh(False)
        self.kept.offer(None)
        self.say("Changed. Training starts when you let go.", 0.0)

    def preview(self) -> None:
        """Draw the sheet: the first training images, four of each digit."""
        try:
            data = self._samples()
        except CourseError:  # no MNIST, say
            self.sheet.fresh(False)
            raise
        self.sheet.show(encode_png(sheet_pixels(data, rows=4)))
        strength = ", ".join(f"{s:.2f}" for s in sorted(set(data.strength)))
        caption = f"Training images from {SOURCES[data.source]}. Strength 0.10 is no bias."
        self.caption.value = f'<div style="font-size:12px;line-height:1.2">{caption}</div>'
        text = f"Forty training images, four of each digit, at bias strength {strength}; {SOURCES[data.source]}."
        self.label({"sheet": text})

    def work(self) -> Iterator[None]:
        config = self.config()
        drawn, evaluations = 0.0, 0
        for result in stream(config):
            new = len(result.evaluations) > evaluations
            if new or result.step == 1 or time.monotonic() - drawn > EVERY:
                self._draw(result)
                drawn, evaluations = time.monotonic(), len(result.evaluations)
            yield
        self.publish(self.kept.show)  # this may be the StdM run that kept ones were waiting for

    def rescale(self, pixel_ratio: float) -> None:
        self.run_picture.scale(pixel_ratio)
        self.iosm_picture.scale(pixel_ratio)
        if not self.worker.busy:  # else the next picture of the run has the new scale
            self.picture.widget.value = self.run_picture.png()
        self.kept.show()

    def registry_changed(self) -> None:
        """Offer the methods that are registered now; one that is chosen stays chosen."""
        with self.lock:
            control = self.controls["method"]
            chosen = control.value if control.value in METHODS else "StdM"
            self._quiet = True
            control.options = list(METHODS)
            self._quiet = False
            self.quietly({control: chosen})
            if METHODS[chosen] is not self._method:  # the chosen one was replaced or removed
                self.worker.cancel()
                self._choose_method({})
                self.outdate()
                self.say(f"The methods have changed: Run to see {chosen}.", 0.0)

    # --- inside ---

    def _samples(self) -> BiasedMNIST:
        source, seed = self.controls["source"].value, self.controls["seed"].value
        return biased_mnist.make(source, "train", self.strengths, 200, seed, cell=17)

    def _draw(self, result: Result) -> None:
        self.publish(self._drawn(result))

    def _drawn(self, result: Result) -> Callable[[], None]:
        """Draw a run so far; return a function that shows it."""
        beside = Stored.beside(result.config)
        self.run_picture.update(result, beside)
        png, text = self.run_picture.png(), plots.describe(result, beside)

        def show() -> None:
            self.result = result
            self.picture.show(png)
            self.say(_progress(result), result.step / result.steps)
            if result.finished or result.evaluations:
                self.label({"picture": text})
            self.kept.offer(result if result.finished else None)

        return show

    def _draw_kept(self, runs: list[Result]) -> tuple[bytes, str]:
        standards = {run: standard_of(run.config) for run in runs}
        compared = [run for run in runs if standards[run]]
        self.iosm_picture.update(compared, [standards[run] for run in compared])
        missing = len(runs) - len(compared)
        note = f"{missing} without an IOSM yet: run StdM at the same settings." if missing else ""
        return self.iosm_picture.png(), note

    def _choose_method(self, values: Mapping[str, float]) -> None:
        """Show what the chosen method is told, its idea, and its settings."""
        self._method = method = METHODS[self.controls["method"].value]
        badge = f'<span class="course-badge" style="background:{COLORS[method.knows]}">told: {method.knows}</span>'
        text = f"{badge} <b>{html.escape(method.title)}.</b> {html.escape(method.idea)}"
        self.about.value = f'<div style="line-height:1.35;font-size:12px">{text}</div>'
        self.controls["explicit"].disabled = method.knows == "nothing"
        self.settings = {s.name: self._setting(s, values.get(s.name, s.default)) for s in method.settings}
        none = widgets.HTML(f"{html.escape(method.title)} has no settings.")
        before, self.setting_row.children = self.setting_row.children, list(self.settings.values()) or [none]
        for widget in before:
            widget.close()

    def _setting(self, setting: Setting, value: float) -> widgets.BoundedFloatText:
        control = widgets.BoundedFloatText(
            value, min=setting.low, max=setting.high, description=setting.name, step=setting.default or 0.1,
            tooltip=setting.text, layout={"width": "180px"},
        )  # fmt: skip
        control.add_class(f"course-setting-{setting.name}")
        self.label({f"setting-{setting.name}": setting.text})
        control.observe(self.guarded(lambda change: self.moved(change["owner"])), "value")
        return control

    def _unfold(self, open_: bool) -> None:
        self.advanced.layout.display = "flex" if open_ else "none"

    def _build(self) -> None:
        main = [self.controls[name] for name in NAMES]
        left = widgets.VBox([*main[:2], self.about, *main[2:]], layout={"width": "290px"})
        digits = "".join(f"<span>{digit}</span>" for digit in range(10))
        sheet = self.part(
            "sheet",
            self.caption,
            self.sheet.widget,
            widgets.HTML(f'<div class="course-digits">{digits}</div>'),
            box=widgets.VBox,
        )
        sliders = widgets.GridBox(
            [self.controls[name] for name in VARIABLES],
            layout={"grid_template_columns": "repeat(auto-fill, 274px)", "grid_gap": "0 4px", "width": "100%"},
        )
        tip = "Set each bias on its own, and the settings of the method"
        self.fold = widgets.ToggleButton(
            False, description="Advanced", icon="sliders", tooltip=tip, layout={"width": "110px", "flex": "0 0 auto"}
        )
        self.advanced = self.part("advanced", sliders, self.setting_row, box=widgets.VBox, width="100%")
        self.fold.observe(self.guarded(lambda change: self._unfold(change["new"])), "value")
        self._unfold(False)
        buttons = [
            self.part("run", self.run_button),
            self.part("stop", self.stop_button),
            self.part("keep", self.kept.keep_button),
            self.part("advanced", self.fold),
        ]
        status = self.part("status", self.bar, self.status, flex="1 1 300px", min_width="0", align_items="center")
        self.frame(
            widgets.HBox([left, sheet], layout={"flex_flow": "row wrap", "align_items": "center"}),
            widgets.HBox(
                [*buttons, status], layout={"align_items": "center", "min_height": "40px", "flex_flow": "row wrap"}
            ),
            self.problem,
            self.advanced,
            self.part("picture", self.picture.widget),
            self.part("keep", self.kept.widget),
        )


def _progress(result: Result) -> str:
    if result.finished:
        return f"Finished {result.steps} steps. Keep this run to compare it."
    per_epoch = result.steps / result.config.epochs
    return f"Training: epoch {int(result.step / per_epoch) + 1} of {result.config.epochs}, step {result.step}"


def table(runs: list[Result]) -> pd.DataFrame:
    """Return one row per run: its `Result.summary`, and its mean IOSM where StdM was run as well."""
    rows = []
    for run in runs:
        standard = standard_of(run.config)
        gains = (
            run.mean_iosm(standard) if standard else dict.fromkeys(("IOSM majority", "IOSM minority"), "no StdM run")
        )
        rows.append(run.summary() | gains)
    return pd.DataFrame(rows)
