"""How long lesson 04's panel takes from a move to the first point of the run that it starts."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from course_lib.bench import Figure
from course_lib.bench.browser import Browser
from course_lib.bench.panels import panel_notebook

MOVES = 7
# The picture's alt text names the number of steps that was asked for, and the score once there is one.
POINT = """() => {
  const steps = document.querySelector(".course-steps input").value;
  const alt = document.querySelector("img.course-training")?.alt ?? "";
  return alt.replaceAll(",", "").includes(`· ${steps} steps ·`) && alt.includes("Accuracy");
}"""


def measure_points() -> Iterator[Figure]:
    """Open the panel with few and with many labels, and ask each time for a run that it has not done yet."""
    with tempfile.TemporaryDirectory() as folder, Browser(Path(folder)) as browser:
        for labels in (50, 2000):
            source = f"from course_lib import transfer\ntransfer.panel(labels={labels})"
            browser.open(panel_notebook(browser.root, source))
            browser.run_all()
            browser.until(POINT, 60)
            browser.page.wait_for_timeout(4000)
            times = [_first_point(browser) for _ in range(MOVES)]
            yield Figure(f"04 first point, {labels:,} labels, median", statistics.median(times), "s", "<= 1.5")


def _first_point(browser: Browser) -> float:
    """Ask for another number of steps, so that both runs are new; return the time to the first point, to 0.03 s."""
    browser.page.locator(".course-steps input").press("ArrowUp")
    start = time.perf_counter()
    browser.until(POINT, 30)
    return time.perf_counter() - start
