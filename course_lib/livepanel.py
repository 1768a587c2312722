"""A panel that needs no more than this: what a state gives, and the pictures that show it.

A lesson's panel subclasses `LivePanel`. `answer` computes what follows every move of a control; `stream`,
where there is one, runs an experiment once a control is let go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Protocol

import ipywidgets as widgets
from matplotlib.figure import Figure

from course_lib.config import Config
from course_lib.controls import choice
from course_lib.errors import CourseError
from course_lib.panel import Panel, Picture
from course_lib.plotting import LiveFigure, new_figure

EVERY = 0.4  # seconds between two pictures of a run
OWN = "(your own)"  # of a state that is none of the named settings


class Partial(Protocol):
    """What `stream` yields: how far a run is, and what it has found so far."""

    step: int
    steps: int
    finished: bool


class LivePanel(Panel):
    """Base of panels whose state is a `Config`, one field for each control.

    ANSWERS, RUNS: picture classes by name, in the order of the page: those drawn at every move, and those
    that follow a run. Each is a `LiveFigure` with SIZE = (width, height) in hundreds of pixels (at most
    8.4 wide; the first one of at most 5.4 stands beside the controls), an ``__init__(figure=None)`` that
    draws on that figure or subfigure, ``update(result)``, and ``describe(result)``, its alt text.
    NAMED: settings worth a name of their own, each as what it changes of the defaults; a selector offers them.
    """

    CONFIG: ClassVar[type[Config]]
    NAMED: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    ANSWERS: ClassVar[Mapping[str, type[LiveFigure]]] = {}
    RUNS: ClassVar[Mapping[str, type[LiveFigure]]] = {}

    def __init__(self, config: Config, controls: Mapping[str, widgets.Widget], *, hide: Iterable[str] = ()):
        self.PARTS = ("status", "picture", *(("run", "stop") if self.RUNS else ()), *(("named",) if self.NAMED else ()))
        super().__init__(controls, hide=hide)
        values = self.values_of(config)
        for name, control in controls.items():
            asked, nearest = values[name], control.value
            if asked != nearest:  # ipywidgets has moved it into the control's range, and said nothing
                raise CourseError(f"This panel cannot show {name}={asked!r}; the nearest that it can is {nearest!r}.")
        self.fixed = {name: value for name, value in config.changed().items() if name not in controls}
        self.figures = {name: make() for name, make in [*self.ANSWERS.items(), *self.RUNS.items()]}
        self.pictures = {name: _picture(name, figure) for name, figure in self.figures.items()}
        self.named = self._make_named()
        self.answered: Any = None  # what the latest answer was computed for
        self.result: Any = None  # of the latest run, as far as it is
        self._build()
        self.label({name: control.tooltip for name, control in [("named", self.named), *self.controls.items()]})
        self.preview()
        for name in self.RUNS:
            self.pictures[name].show(self.figures[name].png())
            self.label({name: "No run yet."})
        if self.RUNS:
            self.say("Run, or move a control, to start.", 0.0)
            if (known := self.known(config)) is not None:
                self._drawn(known)()
            else:
                self.worker.submit(lambda: self.prepare(self.config()))  # so that the first run starts at once

    # --- what a lesson fills in ---

    def answer(self, config: Config) -> Any:
        """Return what the pictures in ANSWERS show; at most some 50 ms, since it follows every move."""

    def stream(self, config: Config) -> Iterator[Partial]:
        """Yield the growing result of a run, often; whoever iterates may stop. The same again is not drawn again."""
        raise NotImplementedError

    def known(self, config: Config) -> Partial | None:
        """Return the finished run of ``config``, if this process has it: a new panel then shows it."""
        return None

    def prepare(self, config: Config) -> Iterator[None]:
        """Do once, ahead of the first run, what makes it wait."""
        yield

    def begun(self, result: Any) -> int:
        """Return how many curves of a run have begun: a first point is drawn at once, the others now and then."""
        return bool(getattr(result, "evaluations", ()))

    def values_of(self, config: Config) -> Mapping[str, object]:
        """Return what each control shows for ``config``, at least; here the field of its name."""
        return config.values()

    def headline(self, result: Any) -> str:
        """Return one line of status about an answer (of a panel without runs) or a run."""
        return f"Finished {result.steps} steps." if result.finished else f"Running: step {result.step}"

    # --- what the frame calls ---

    def state(self) -> dict[str, object]:
        """Return the settings that make the same panel again, and that the experiment takes."""
        with self.lock:
            return super().state() | self.fixed

    def config(self) -> Config:
        """Return the settings as they are now."""
        return self.CONFIG(**self.state())

    def static(self) -> Figure:
        """Return a plain figure of the panel as it stands, for slides and documents."""
        shown = [(picture, self.answered) for picture in self.ANSWERS.values()]
        if self.result is not None or not shown:
            shown += [(picture, self.result) for picture in self.RUNS.values()]
        sizes = [picture.SIZE for picture, _ in shown]
        figure = new_figure(max(width for width, _ in sizes), sum(height for _, height in sizes))
        parts = figure.subfigures(len(shown), 1, height_ratios=[height for _, height in sizes], squeeze=False)[:, 0]
        for part, (picture, result) in zip(parts, shown, strict=True):
            part.set_facecolor("white")
            drawn = picture(part)
            if result is not None:
                drawn.update(result)
        return figure

    def moved(self, control: widgets.Widget) -> None:
        if self._quiet:
            return
        try:
            super().moved(control)
        finally:
            self.quietly({self.named: self._name()})

    def preview(self) -> None:
        try:
            self.answered = self.answer(self.config())
            self._show(self.ANSWERS, self.answered)
        except CourseError:
            for name in self.ANSWERS:
                self.pictures[name].fresh(False)
            raise
        if not self.RUNS:
            self.say(self.headline(self.answered))

    def outdate(self) -> None:
        if not self.RUNS:
            return
        self.result = None
        for name in self.RUNS:
            self.pictures[name].fresh(False)
        self.say("Changed. The run starts when you let go.", 0.0)

    def start(self, delay: float = 0.0) -> None:
        if self.RUNS:
            super().start(delay)

    def work(self) -> Iterator[None]:
        drawn, begun = time.monotonic(), 0  # nothing to draw yet: it would only make the first point wait
        latest = None
        for result in self.stream(self.config()):
            due = result.finished or self.begun(result) > begun or time.monotonic() - drawn > EVERY
            if due and result is not latest:
                self._draw(result)
                drawn, begun, latest = time.monotonic(), self.begun(result), result
            yield

    def rescale(self, pixel_ratio: float) -> None:
        for name, figure in self.figures.items():
            figure.scale(pixel_ratio)
            if name in self.ANSWERS or not self.worker.busy:
                self.pictures[name].widget.value = figure.png()

    # --- inside ---

    def _make_named(self) -> widgets.Dropdown:
        """Return the selector of the named settings, which belongs to no setting of its own."""
        named = choice("setting", self._name(), [OWN, *self.NAMED], "a setting with a name, to begin with")
        named.add_class("course-named")
        named.observe(self.guarded(lambda change: self._choose(change["new"])), "value")
        return named

    def _name(self) -> str:
        now = self.config()
        same = (n for n, changes in self.NAMED.items() if self.named_config(changes) == now)
        return next(same, OWN)

    def named_config(self, changes: Mapping[str, object]) -> Config:
        """Return a named setting; the seed, and what has no control, stay as they are."""
        seed = {"seed": self.controls["seed"].value} if "seed" in self.controls else {}
        return self.CONFIG(**self.fixed | seed | changes)

    def _choose(self, name: str) -> None:
        if self._quiet or name == OWN:
            return
        self.show_config(self.named_config(self.NAMED[name]))
        self.moved(self.named)

    def show_config(self, config: Config) -> None:
        """Set all controls to ``config``."""
        values = self.values_of(config)
        self.quietly({control: values[name] for name, control in self.controls.items()})

    def _show(self, names: Iterable[str], result: Any) -> None:
        """Draw the pictures of these names first, and then say what they show."""
        for name in names:
            self.figures[name].update(result)
            self.pictures[name].show(self.figures[name].png())
        self.label({name: self.figures[name].describe(result) for name in names})

    def _draw(self, result: Partial) -> None:
        self.publish(self._drawn(result))

    def _drawn(self, result: Partial) -> Callable[[], None]:
        """Draw a run so far; return a function that shows it."""
        drawn = {}
        for name in self.RUNS:
            self.figures[name].update(result)
            drawn[name] = self.figures[name].png(), self.figures[name].describe(result)

        def show() -> None:
            self.result = result
            for name, (png, text) in drawn.items():
                self.pictures[name].show(png)
                self.label({name: text})
            self.say(self.headline(result), result.step / result.steps)

        return show

    def above(self) -> list[widgets.Widget]:
        """Return what stands above everything else, over the whole width; here nothing."""
        return []

    def aside(self) -> list[widgets.Widget]:
        """Return the controls that stand beside the first picture; here all."""
        return list(self.controls.values())

    def _build(self) -> None:
        named = [self.part("named", self.named)] if self.NAMED else []
        above = self.above()
        left = widgets.VBox([*named, *self.aside()], layout={"width": "290px"})
        pictures = [self.part("picture", picture.widget) for picture in self.pictures.values()]
        beside = [pictures.pop(0)] if next(iter(self.figures.values())).SIZE[0] <= 5.4 else []
        buttons = [self.part("run", self.run_button), self.part("stop", self.stop_button)] if self.RUNS else []
        bar = [self.bar] if self.RUNS else []
        status = self.part("status", *bar, self.status, flex="1 1 300px", min_width="0", align_items="center")
        if not beside:  # a picture of full width: the controls stand above it, in three columns
            left.layout = widgets.Layout(width="100%", flex_flow="row wrap", display="flex")
            for control in (self.named, *self.controls.values()):
                control.layout.width = "278px"
        self.frame(
            *above,
            widgets.HBox([left, *beside], layout={"flex_flow": "row wrap", "align_items": "center"}),
            widgets.HBox(
                [*buttons, status], layout={"align_items": "center", "min_height": "40px", "flex_flow": "row wrap"}
            ),
            self.problem,
            *pictures,
        )


def _picture(name: str, figure: LiveFigure) -> Picture:
    width, height = figure.SIZE
    return Picture(name, round(100 * width), round(100 * height))
