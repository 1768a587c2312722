"""The lab in a real browser: its start, the slider's answer, the first point of a run, memory."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from course_lib.bench import Figure
from course_lib.bench.browser import Browser, Watch

CELL = "from course_lib import mitigation\npanel = mitigation.panel()\npanel"
TRAINING = "() => document.querySelector('.course-status').innerText.startsWith('Training')"

# The sheet's alt text names the strength that it was drawn for.
SETTLED = """() => document.querySelector("img.course-sheet").alt
  .includes(`strength ${document.querySelector(".course-strength .widget-readout").innerText};`)"""


def panel_notebook(root: Path, source: str = CELL, name: str = "panel.ipynb") -> str:
    """Write a notebook of one cell into ``root`` and return its name."""
    cell = {"cell_type": "code", "id": "panel", "metadata": {}, "outputs": [], "execution_count": None}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {"cells": [cell | {"source": source}], "metadata": {"kernelspec": kernel}}
    (root / name).write_text(json.dumps(notebook | {"nbformat": 4, "nbformat_minor": 5}))
    return name


def measure_browser() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        name = panel_notebook(root)
        start = time.perf_counter()
        with Browser(root) as browser:
            browser.page.goto(f"http://127.0.0.1:{browser.port}/lab/tree/{name}")
            browser.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
            yield Figure("lab: from start to a usable page", time.perf_counter() - start, "s", "<= 10")
            browser.open(name)
            browser.run_all()
            browser.page.wait_for_selector("img.course-sheet")
            browser.page.wait_for_timeout(4000)
            yield Figure("memory of the kernel, panel open and idle", _kernel_memory(browser), "MB", "<= 800")
            watch = Watch(browser, "course-strength", "course-sheet")
            idle = [watch.move(key(i)) for i in range(60)]
            yield from latencies("key to new sheet, idle", idle, "<= 120")
            settled = [_drag(browser, 40 if i % 2 else -40) for i in range(20)]
            yield from latencies("pointer: last of 20 moves to its sheet", settled, "")
            busy = []
            for i in range(40):
                browser.until(TRAINING, 30)
                browser.page.wait_for_timeout(600)
                busy.append(watch.move(key(i)))
            yield from latencies("key to new sheet while a run trains", busy, "<= 150")
            yield Figure("from the last move to the first point", _first_point(browser, watch), "s", "<= 1.5")


def key(i: int, steps: int = 4) -> str:
    """Return the key of move ``i``: so many steps to the right, as many back, and so on."""
    return "ArrowRight" if i // steps % 2 == 0 else "ArrowLeft"


def latencies(what: str, times: list[float], aim: str) -> Iterator[Figure]:
    yield Figure(f"{what}, median", statistics.median(times), "ms")
    yield Figure(f"{what}, p95", sorted(times)[int(0.95 * len(times))], "ms", aim)


def _drag(browser: Browser, pixels: float) -> float:
    """Drag the slider in 20 moves, 60 a second; return the ms from the last one until the sheet shows it."""
    mouse = browser.page.mouse
    box = browser.page.locator(".course-strength .noUi-handle").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    mouse.move(x, y)
    mouse.down()
    for i in range(20):
        mouse.move(x + pixels * (i + 1) / 20, y)
        browser.page.wait_for_timeout(16)
    start = time.perf_counter()
    browser.until(SETTLED, 10)
    passed = 1000 * (time.perf_counter() - start)
    mouse.up()
    return passed


def _first_point(browser: Browser, watch: Watch) -> float:
    """Return the median time from a move to the first point of the run that it starts, to 0.03 s."""
    times = []
    for i in range(7):
        watch.move(key(i))
        start = time.perf_counter()
        browser.until(f"() => !({TRAINING})()", 10)
        browser.until(TRAINING, 30)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _kernel_memory(browser: Browser) -> float:
    """Return the resident memory of the notebook's kernel in MB, as its own process reports it."""
    address = f"http://127.0.0.1:{browser.port}/api/kernels"
    with urllib.request.urlopen(address) as reply:
        kernel = json.load(reply)[0]["id"]
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            command = status.with_name("cmdline").read_text()
            if f"kernel-{kernel}" in command:
                return int(status.read_text().split("VmRSS:")[1].split()[0]) / 1024
        except OSError:  # a process that has just ended
            continue
    return float("nan")  # not Linux: /proc is not there
