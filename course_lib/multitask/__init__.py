"""Lesson 05: multi-task learning. ``from course_lib import multitask`` brings it all."""

from course_lib.multitask.config import TASKS, Config
from course_lib.multitask.experiment import run, stream
from course_lib.multitask.losses import Uncertainty, cosines, gradients, task_losses
from course_lib.multitask.network import SharedTrunk, make_network
from course_lib.multitask.objective import Probe, start
from course_lib.multitask.pictures import has_label, held_out, training_set
from course_lib.multitask.result import Result

__all__ = [
    "TASKS",
    "Config",
    "Probe",
    "Result",
    "SharedTrunk",
    "Uncertainty",
    "cosines",
    "gradients",
    "has_label",
    "held_out",
    "make_network",
    "run",
    "start",
    "stream",
    "task_losses",
    "training_set",
]
