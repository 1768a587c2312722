"""What lesson 07 shows of runs that take minutes or hours: made beforehand, and kept in files.

``stored.panel()`` opens the stored study; ``runs`` gives its rows, ``table1``, ``agreement`` and the ``plot_``
functions what the paper shows of its own, and both side by side.
"""

from course_lib.mitigation.stored.figures import plot_counts, plot_gains, plot_gaps
from course_lib.mitigation.stored.panel import panel
from course_lib.mitigation.stored.results import Stored, StoredConfig, runs, settings, tidy
from course_lib.mitigation.stored.tables import agreement, search, table1
from course_lib.mitigation.stored.three_seeds import three_seeds

__all__ = [
    "Stored", "StoredConfig", "agreement", "panel", "plot_counts", "plot_gains", "plot_gaps", "runs", "search",
    "settings", "table1", "three_seeds", "tidy",
]  # fmt: skip
