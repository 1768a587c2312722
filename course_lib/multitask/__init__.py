"""Lesson 05: multi-task learning. ``from course_lib import multitask`` brings it all.

``multitask.panel()`` opens the lab; ``run``, ``start`` and the ``plot_`` functions do the same without it.
"""

from course_lib.multitask.config import TASKS, Config
from course_lib.multitask.experiment import run, run_each, stream
from course_lib.multitask.losses import Uncertainty, cosines, gradients, task_losses
from course_lib.multitask.network import SharedTrunk, make_network
from course_lib.multitask.objective import Probe, start
from course_lib.multitask.panel import panel
from course_lib.multitask.pictures import has_label, held_out, training_set
from course_lib.multitask.plots import plot_cosines, plot_task
from course_lib.multitask.result import Result
from course_lib.multitask.stored import gains, plot_study, study, summarise

__all__ = [
    "TASKS", "Config", "Probe", "Result", "SharedTrunk", "Uncertainty", "cosines", "gains", "gradients", "has_label",
    "held_out", "make_network", "panel", "plot_cosines", "plot_study", "plot_task", "run", "run_each", "start",
    "stream", "study", "summarise", "task_losses", "training_set",
]  # fmt: skip
