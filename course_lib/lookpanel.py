"""A panel that trains first and is looked at afterwards: some controls choose only what is shown of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from course_lib.config import Config
from course_lib.livepanel import LivePanel, Partial
from course_lib.runs import finish_run

if TYPE_CHECKING:
    import ipywidgets as widgets


class LookPanel(LivePanel):
    """Base of panels whose ANSWERS show what the latest finished run has found.

    LOOKS: controls that choose what is shown. A move of one draws the ANSWERS at once and leaves a run alone;
    every other control changes what is trained, and the ANSWERS fade until that has been trained.
    ``answer`` reads ``self.latest``, a finished result, which has a ``config``. The first run is made before
    the panel shows, so that there is something to look at: it should take a few seconds at most.
    """

    LOOKS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: Config, controls: Mapping[str, widgets.Widget], *, hide: Iterable[str] = ()):
        self.latest: Any = finish_run(self.stream(config), None)
        super().__init__(config, controls, hide=hide)
        self._draw_now(self.latest)

    def moved(self, control: widgets.Widget) -> None:
        if all(control is not self.controls[name] for name in self.LOOKS):
            super().moved(control)
        elif not self._quiet:
            self._forget_error()
            try:
                self.preview()
            finally:
                self.quietly({self.named: self._name()})

    def preview(self) -> None:
        super().preview()
        if not self.same_run(self.config(), self.latest.config):
            for name in self.ANSWERS:
                self.pictures[name].fresh(False)

    def same_run(self, one: Config, other: Config) -> bool:
        """Return whether two configs are trained alike, whatever is looked at."""
        return all(value == getattr(other, name) for name, value in one.values().items() if name not in self.LOOKS)

    def _draw(self, result: Partial) -> None:
        super()._draw(result)

        def look() -> None:
            self.latest = result
            self.preview()

        if result.finished:
            self.publish(look)

    def _draw_now(self, result: Partial) -> None:
        """Show a finished run that the worker had no part in."""
        self.result = result
        self._show(self.RUNS, result)
        self.say(self.headline(result), 1.0)
