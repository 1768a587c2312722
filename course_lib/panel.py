"""The frame of every panel: controls on top, a picture that answers, and nothing that jumps.

Only this file, ``keep.py`` and the lessons' own panels and controls know ipywidgets. A lesson subclasses
`Panel`, names its controls, and says what to draw at each move and what to run once a control is let go.
"""

from __future__ import annotations

import base64
import gc
import html
import io
import threading
import traceback
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import anywidget
import ipywidgets as widgets
import traitlets
from matplotlib.figure import Figure

from course_lib.controls import tidy
from course_lib.errors import CourseError, require_choice
from course_lib.plotting import BLANK, encode_png
from course_lib.worker import Worker

# What is imported stays. Else Python looks through all of it now and then, a quarter of a second within a drag.
gc.freeze()

BUTTON = {"width": "80px", "flex": "0 0 auto"}
_panels: weakref.WeakSet[Panel] = weakref.WeakSet()
SETTLE = 0.3  # seconds without a move before a run starts: the pause between two key presses is shorter


class Helper(anywidget.AnyWidget):
    """What the browser must do for a panel; see panel.js."""

    _esm = Path(__file__).with_name("panel.js")
    labels = traitlets.Dict().tag(sync=True)  # CSS class -> accessible name or alt text
    held = traitlets.Bool(False).tag(sync=True)  # whether a slider is being held with the pointer
    pixel_ratio = traitlets.Float(1.0).tag(sync=True)  # screen pixels for each pixel of the page


class Picture:
    """An image of fixed size: it never flickers, and nothing around it moves when it changes."""

    def __init__(self, name: str, width: int, height: int):
        self.name = name
        layout = widgets.Layout(width=f"{width}px", height=f"{height}px", flex="0 0 auto", margin="2px 0")
        self.widget = widgets.Image(format="png", value=encode_png(BLANK), layout=layout)
        self.widget.add_class(f"course-{name}")

    def show(self, png: bytes) -> None:
        self.widget.value = png
        self.fresh(True)

    def fresh(self, yes: bool) -> None:
        """Fade the picture while it shows something that the controls no longer say."""
        (self.widget.remove_class if yes else self.widget.add_class)("course-stale")


class Panel:
    """Base of all panels. Subclasses build their controls and then call ``super().__init__``.

    Parameters
    ----------
    controls
        The controls by name, in the order of the tab key. Their values are the panel's state.
    hide
        Names of controls or parts that are not shown, for a talk; they keep their values.
    """

    PARTS: tuple[str, ...] = ("run", "stop", "status")
    lock = threading.RLock()  # of all panels: JupyterLab may run callbacks in a thread of their own

    def __init__(self, controls: Mapping[str, widgets.Widget], *, hide: Iterable[str] = ()):
        self.controls = dict(controls)
        if not isinstance(hide, Iterable):
            raise CourseError(f"hide must name parts of the panel, such as ['seed']; it was {hide!r}.")
        self.hidden = frozenset([hide] if isinstance(hide, str) else hide)
        for name in self.hidden:
            require_choice("a part to hide", name, [*self.controls, *self.PARTS])
        self.worker = Worker(lambda error: self.publish(lambda: self.fail(error)))
        _panels.add(self)
        self.helper = Helper()
        self.error: Exception | None = None
        self._quiet = self._wanted = False

        self.status = widgets.HTML(layout=widgets.Layout(height="28px", min_width="0", overflow="hidden"))
        self.problem = widgets.HTML()  # an error in full, and where it came from if it is not the user's own
        self.bar = widgets.FloatProgress(min=0, max=1, layout=widgets.Layout(width="110px", flex="0 0 auto"))
        self.run_button = widgets.Button(description="Run", icon="play", layout=BUTTON)
        self.stop_button = widgets.Button(description="Stop", icon="stop", disabled=True, layout=BUTTON)
        self.run_button.on_click(self.guarded(lambda _: self.start()))
        self.stop_button.on_click(self.guarded(lambda _: self.stop()))
        for name, control in self.controls.items():
            control.add_class(f"course-{name}")
            control.observe(self.guarded(self._changed), "value")
        self.helper.observe(self.guarded(lambda change: self._held(change["new"])), "held")
        self.helper.observe(self.guarded(lambda change: self.rescale(change["new"])), "pixel_ratio")

    # --- what a lesson fills in ---

    def preview(self) -> None:
        """Draw at once what can follow a slider while it is dragged."""

    def work(self) -> Iterator[None]:
        """Run the experiment for the current state: show pictures on the way, and pause often."""
        raise NotImplementedError

    def state(self) -> dict[str, object]:
        """Return the values of all controls, as they can be passed back to make the same panel."""
        return {name: tidy(control.value) for name, control in self.controls.items()}

    def static(self) -> Figure:
        """Return a plain figure of the panel as it stands, for slides and documents."""
        raise NotImplementedError

    def rescale(self, pixel_ratio: float) -> None:
        """Draw pictures for a screen with this many pixels for each one of the page."""

    # --- what the frame does ---

    def start(self, delay: float = 0.0) -> None:
        """Run the experiment in ``delay`` seconds, in place of whatever runs now."""
        with self.lock:
            self._wanted = False
            self._forget_error()
            for other in [panel for panel in _panels if panel is not self and panel.worker.busy]:
                other.stop()  # one core, one run: also that of a panel whose cell was run again
            self.stop_button.disabled = False
            self.worker.submit(self._job, delay)

    def stop(self) -> None:
        """Stop the run; what it has shown so far stays."""
        with self.lock:
            self.worker.cancel()
            self._idle("Stopped. Run, or move a control, to start again.")

    def wait(self, timeout: float | None = 60) -> None:
        """Return once nothing runs any more; raise what went wrong since the last move, if anything did."""
        try:
            self.worker.wait(timeout)
        finally:
            error, self.error = self.error, None
        if error is not None:  # from a button, say: ipywidgets only logs what those raise
            raise error

    def say(self, text: str, progress: float | None = None) -> None:
        """Show one line of status, and how far the run is (0 to 1)."""
        self.status.value = f'<span class="course-status">{html.escape(text)}</span>'
        if progress is not None:
            self.bar.value = progress

    def publish(self, show: Callable[[], None]) -> None:
        """Call ``show`` unless the controls have moved on since this run began."""
        with self.lock:
            if self.worker.current():
                show()

    def fail(self, error: Exception) -> None:
        """Show an error where the user looks."""
        with self.lock:
            self.error = error
            own = isinstance(error, CourseError)
            text = str(error) if own else f"{type(error).__name__}: {error}"
            self.say("That did not work:")
            trace = "" if own else html.escape("".join(traceback.format_exception(error)))
            fold = trace and f"<details><summary>Where</summary><pre>{trace}</pre></details>"
            message = html.escape(text, quote=False)
            self.problem.value = f'<b class="course-error" role="alert">{message}</b>{fold}'
            self.run_button.disabled, self.stop_button.disabled = False, True

    def guarded(self, callback: Callable) -> Callable:
        """Return ``callback`` with its errors shown in the panel, and raised all the same."""

        def call(argument: object) -> None:
            with self.lock:
                try:
                    callback(argument)
                except Exception as error:
                    self.fail(error)
                    raise

        return call

    def quietly(self, values: Mapping[widgets.Widget, object]) -> None:
        """Set controls to values without an answer from the panel."""
        self._quiet = True
        try:
            for control, value in values.items():
                control.value = value
        finally:
            self._quiet = False

    def label(self, labels: Mapping[str, str]) -> None:
        """Set the accessible names of controls and the alt texts of pictures, by their names."""
        new = self.helper.labels | {f"course-{name}": text for name, text in labels.items()}
        if new != self.helper.labels:
            self.helper.labels = new

    def part(self, name: str, *children: widgets.Widget, box: type = widgets.HBox, **layout) -> widgets.Widget:
        """Return a box around ``children`` that is not shown if ``name`` is to be hidden."""
        if name in self.hidden:
            layout["display"] = "none"
        return box(children, layout=widgets.Layout(**({"flex": "0 0 auto"} | layout)))

    def frame(self, *rows: widgets.Widget) -> None:
        """Put the panel together, ready to be shown."""
        for name, control in self.controls.items():
            if name in self.hidden:
                control.layout.display = "none"
        style = widgets.HTML(f"<style>{STYLE}</style>", layout=widgets.Layout(display="none"))
        layout = widgets.Layout(width="850px", max_width="100%")
        self.widget = widgets.VBox([self.helper, style, *rows], layout=layout)
        self.widget.add_class("course-panel")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.state().items())})"

    def _repr_mimebundle_(self, **kwargs: object) -> object:
        # Where the widget cannot live (no kernel, an untrusted copy, a web page) its plain picture is shown.
        bundle = self.widget._repr_mimebundle_(**kwargs) | {"text/plain": repr(self)}
        if self.error is None:  # else there may be nothing to draw
            buffer = io.BytesIO()
            self.static().savefig(buffer, format="png")
            bundle["image/png"] = base64.b64encode(buffer.getvalue()).decode()
        return bundle

    def _changed(self, change: Mapping) -> None:
        if tidy(change["old"]) != tidy(
            change["new"]
        ):  # else it is the browser, which calculates with other last digits
            self.moved(change["owner"])

    def moved(self, control: widgets.Widget) -> None:
        """Answer a move of ``control``: stop the run, draw the preview, and run again once it is let go."""
        if self._quiet:
            return
        self.worker.cancel()
        self._forget_error()
        self._wanted = True
        try:
            self.preview()  # first of all: it is what the eye waits for
        finally:
            self.outdate()
        if not self.helper.held:
            self.start(SETTLE)

    def outdate(self) -> None:
        """Mark as outdated what belongs to the run before this move."""

    def _held(self, held: bool) -> None:
        if not held and self._wanted:  # let go after a move
            self.start(SETTLE)

    def _forget_error(self) -> None:
        self.error, self.problem.value = None, ""

    def _job(self) -> Iterator[None]:
        yield from self.work()
        self.publish(lambda: self._idle(None))

    def _idle(self, text: str | None) -> None:
        self.stop_button.disabled = True
        if text is not None:
            self.say(text)


STYLE = """
.course-panel img.course-stale { opacity: 0.35; }
.course-panel .course-status { display: flex; align-items: center; height: 28px; line-height: 14px; } /* two lines */
.course-panel img { object-fit: contain; }
.course-panel table { font-size: 12px; line-height: 1.25; }
.course-panel .course-error { color: var(--jp-error-color1, #b00020); white-space: normal; line-height: 1.4; }
.course-panel .course-digits { display: flex; width: 537px; font-size: 12px; line-height: 1; }
.course-panel .course-digits span { flex: 1; text-align: center; }
.course-panel :focus-visible { outline: 2px solid #0173b2; outline-offset: 1px; }
.course-panel .course-badge { border-radius: 9px; padding: 1px 8px; font-size: 12px; color: white; }
"""
