"""How long a panel of lessons 04 to 06 takes from a move to the first point of the run that it starts."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from course_lib.bench import Figure
from course_lib.bench.browser import Browser
from course_lib.bench.panels import panel_notebook

MOVES = 7


class Start(NamedTuple):
    """A step of ``control`` that starts a run, and what the alt text of ``picture`` says once there is a point."""

    what: str
    panel: str
    control: str
    picture: str
    point: str  # a regular expression


STARTS = (
    Start("04, 50 labels", "transfer.panel(labels=50)", "steps", "training", "Accuracy"),
    Start("04, 2,000 labels", "transfer.panel(labels=2000)", "steps", "training", "Accuracy"),
    Start("05, other epochs", "multitask.panel()", "epochs", "curves", r"of \d+: "),
    Start("05, other faces", "multitask.panel()", "seed", "curves", r"of \d+: "),
    Start("06, other epochs", "fairness.panel()", "epochs", "groups", "Accuracy"),
    Start("06, other priors", "fairness.panel()", "woman_smiling", "groups", "Accuracy"),
    Start("06, other faces", "fairness.panel()", "seed", "groups", "Accuracy"),
    Start("06 interview, other faces", "fairness.interview_panel()", "seed", "learning", "points: (?!not yet)"),
    Start("06 ages, other faces", "fairness.regression_panel()", "seed", "training", "years: (?!not yet)"),
)
# Which run the alt text is about: its settings, and the number of steps.
RUN = """(picture) => {
  const alt = document.querySelector("img.course-" + picture)?.alt ?? "";
  const [, settings, steps] = alt.match(/^(.*)step [0-9,]+ (of [0-9,]+)/i) ?? [alt, alt, ""];
  return settings + steps;
}"""
POINT = f"""([picture, point, before]) => {{
  const alt = document.querySelector("img.course-" + picture)?.alt ?? "";
  return new RegExp(point).test(alt) && ({RUN})(picture) !== before;
}}"""


def measure_points() -> Iterator[Figure]:
    """Open each panel, and ask each time for a run that it has not done yet."""
    with tempfile.TemporaryDirectory() as folder, Browser(Path(folder)) as browser:
        for start in STARTS:
            room = start.panel.partition(".")[0]
            browser.open(panel_notebook(browser.root, f"from course_lib import {room}\n{start.panel}"))
            browser.run_all()
            browser.until(f"() => document.querySelector('img.course-{start.picture}')", 60)
            browser.page.wait_for_timeout(5000)
            times = [_first_point(browser, start) for _ in range(MOVES)]
            yield Figure(f"first point, {start.what}, median", statistics.median(times), "s", "<= 1.5")


def _first_point(browser: Browser, start: Start) -> float:
    """Move the control by a step; return the time to the first point of the run, to 0.03 s."""
    control = browser.page.locator(f".course-{start.control} input, .course-{start.control} [role=slider]").first
    control.focus()
    before = browser.page.evaluate(RUN, start.picture)
    control.press("ArrowUp")
    begin = time.perf_counter()
    browser.until(f"() => ({POINT})({json.dumps([start.picture, start.point, before])})", 30)
    return time.perf_counter() - begin
