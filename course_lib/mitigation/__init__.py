"""Lesson 07: bias mitigation on Biased MNIST. ``from course_lib import mitigation`` brings it all.

``mitigation.panel()`` opens the lab; ``run`` and the ``plot_`` functions do the same without it. ``mitigation.stored``
holds the runs that take hours, with a panel of its own.
"""

from course_lib.mitigation import stored
from course_lib.mitigation.config import Config
from course_lib.mitigation.experiment import run, run_each, stream
from course_lib.mitigation.iosm import plot_iosm
from course_lib.mitigation.methods import METHODS, Method, Setting
from course_lib.mitigation.panel import panel
from course_lib.mitigation.plots import plot_groups, plot_mmd, plot_training
from course_lib.mitigation.result import Evaluation, Result
from course_lib.mitigation.sheet import plot_sheet

__all__ = [
    "METHODS", "Config", "Evaluation", "Method", "Result", "Setting", "panel", "plot_groups", "plot_iosm",
    "plot_mmd", "plot_sheet", "plot_training", "run", "run_each", "stored", "stream",
]  # fmt: skip
