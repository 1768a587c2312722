"""How long it takes to import ``course_lib``, and that this brings no torch."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator

from course_lib.bench import Figure

CODE = "import time; t = time.perf_counter(); import course_lib; t = time.perf_counter() - t; import sys"
CODE += "; print(t, 'torch' in sys.modules)"


def measure_import() -> Iterator[Figure]:
    times, torch = [], False
    for _ in range(7):
        output = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True).stdout
        times.append(float(output.split()[0]))
        torch |= "True" in output
    yield Figure("import course_lib", statistics.median(times), "s", "<= 0.2")
    yield Figure("import course_lib brings torch (1: yes)", float(torch), "", "<= 0")
