"""How long every panel that answers at once takes, from a key press on its slider to the new picture on screen."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from course_lib.bench import Figure
from course_lib.bench.browser import Browser, Watch
from course_lib.bench.panels import key, latencies, panel_notebook

MOVES = 60  # of which as many as there is room for go one way: a value that was there before can be kept


class Drag(NamedTuple):
    """A panel in some state, a slider of it, the picture that follows, the aim in ms, and steps to go each way."""

    what: str
    panel: str
    slider: str
    picture: str
    aim: str
    steps: int = 60


DRAGS = (
    Drag("01 depth near 1,000", "gradients.panel(depth=1000)", "depth", "profile", "<= 150", 10),
    Drag("01 depth near 10,000", "gradients.panel(depth=8000)", "depth", "profile", "<= 500", 10),
    Drag("02 shift", "normalization.panel()", "shift", "sets", "<= 200"),
    Drag("02 test size", "normalization.panel()", "n_test", "sets", "<= 200"),
    Drag("02 brightness", "normalization.batchnorm_panel()", "brightness", "modes", "<= 200"),
    Drag("03 rotation", "augmentation.panel()", "rotate", "gallery", "<= 150", 36),
    Drag("04 face", "transfer.panel()", "face", "layers", "<= 150"),
    Drag("05 weight", "multitask.panel()", "age_weight", "start", "<= 150", 12),
    Drag("05 noise", "multitask.panel()", "noise", "start", "<= 150"),
    Drag("06 prior", "fairness.panel()", "woman_smiling", "faces", "<= 150"),
    Drag("06 noise", "fairness.panel()", "noise", "faces", "<= 150"),
    Drag("06 applicant", "fairness.interview_panel()", "applicant", "faces", "<= 150"),
    Drag("06 repair", "fairness.regression_panel(bound=12.5)", "strength", "repair", "<= 150"),
    Drag("06 bound", "fairness.regression_panel(bound=12.0)", "bound", "errors", "<= 150"),
    Drag("07 stored study", "mitigation.stored.panel(strength=0.5)", "strength", "stored", "<= 100", 2),
)


def measure_drags() -> Iterator[Figure]:
    """Open each panel in a browser and press arrow keys on its slider; the median and the 95th percentile."""
    with tempfile.TemporaryDirectory() as folder, Browser(Path(folder)) as browser:
        for drag in DRAGS:
            room = drag.panel.partition(".")[0]
            name = panel_notebook(browser.root, f"from course_lib import {room}\n{drag.panel}")
            browser.open(name)
            browser.run_all()
            browser.page.wait_for_selector(f"img.course-{drag.picture}")
            browser.page.wait_for_timeout(4000)
            watch = Watch(browser, f"course-{drag.slider}", f"course-{drag.picture}")
            yield from latencies(drag.what, [watch.move(key(i, drag.steps)) for i in range(MOVES)], drag.aim)
