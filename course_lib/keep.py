"""Kept runs: pin a finished run, compare all pinned ones in one picture, save their table as CSV."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path

import ipywidgets as widgets
import pandas as pd

from course_lib.errors import CourseError
from course_lib.panel import Panel, Picture

MOST = 8  # runs that one picture can still tell apart


class KeptRuns:
    """The part of a panel that holds the runs a user keeps.

    ``table(runs)`` returns one row for each run; ``draw(runs)`` returns the comparison as PNG and a note
    on what is missing from it; ``describe(runs)`` its alt text.
    """

    def __init__(
        self,
        panel: Panel,
        *,
        csv: str,
        size: tuple[int, int],
        table: Callable[[list], pd.DataFrame],
        draw: Callable[[list], tuple[bytes, str]],
        describe: Callable[[list], str],
    ):
        self.panel, self.csv = panel, Path(csv)
        self.table, self.draw, self.describe = table, draw, describe
        self.runs: list[Hashable] = []
        self._saved = False
        self.keep_button = self._button("Keep", "thumb-tack", self._keep, "Pin this finished run to compare it")
        self.save_button = self._button("Save CSV", "save", self._save, f"Save the table as {self.csv.name}")
        self.clear_button = self._button("Clear", "trash", self._clear, "Forget the kept runs")
        self.picture = Picture("comparison", *size)
        self.note, self.html = widgets.HTML(), widgets.HTML(layout={"overflow": "auto", "max_width": "100%"})
        top = widgets.HBox([self.save_button, self.clear_button, self.note], layout={"align_items": "center"})
        self.widget = widgets.VBox([top, self.picture.widget, self.html], layout={"display": "none"})

    def offer(self, run: Hashable | None) -> None:
        """Let ``run`` be kept, if it is one and not kept yet."""
        self.offered = run
        self.keep_button.disabled = run is None or run in self.runs or len(self.runs) == MOST

    def show(self) -> None:
        """Draw the picture and the table of the kept runs; with none, take no room."""
        self.widget.layout.display = "flex" if self.runs else "none"
        if not self.runs:
            return
        png, note = self.draw(self.runs)
        self.picture.show(png)
        self.note.value = note
        table = self.table(self.runs)
        # One column for each run: a page is not wide enough for one row each.
        self.html.value = table.T.to_html(header=False, float_format="{:.3f}".format, na_rep="not estimable", border=0)
        self.panel.label({"comparison": self.describe(self.runs)})

    def save(self) -> Path:
        """Write the table to the CSV file, whole or not at all; raise `CourseError` if that fails."""
        if not self._saved and self.csv.exists():  # an earlier panel's table stays
            names = (self.csv.with_stem(f"{self.csv.stem}-{i}") for i in range(2, 1000))
            self.csv = next(name for name in names if not name.exists())
        part = self.csv.with_suffix(".part")
        try:
            self.table(self.runs).to_csv(part, index=False)
            part.replace(self.csv)
        except OSError as error:
            raise CourseError(
                f"{self.csv.resolve()} could not be written ({error.strerror}): free some space, "
                "or start the notebook in a folder that you may write to."
            ) from error
        self._saved = True
        return self.csv

    def _button(self, text: str, icon: str, action: Callable[[], None], tooltip: str) -> widgets.Button:
        button = widgets.Button(description=text, icon=icon, tooltip=tooltip, layout={"width": "100px"})
        button.on_click(self.panel.guarded(lambda _: action()))
        return button

    def _keep(self) -> None:
        if self.keep_button.disabled:  # a click can be quicker than the button that it was meant for
            return
        self.runs.append(self.offered)
        self.offer(self.offered)
        self.show()
        full = "; Clear to keep others" if len(self.runs) == MOST else ""
        self.panel.say(f"Kept: {len(self.runs)} of at most {MOST} runs{full}.")

    def _save(self) -> None:
        self.panel.say(f"Saved {len(self.runs)} runs in {self.save().resolve()}")

    def _clear(self) -> None:
        self.runs.clear()
        self.offer(self.offered)
        self.show()
        self.panel.say("Cleared the kept runs.")
