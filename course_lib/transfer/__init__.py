"""Lesson 04: transfer learning. ``from course_lib import transfer`` brings it all.

``transfer.panel()`` opens the lab; ``run`` and the ``plot_`` functions do the same without it.
"""

from course_lib.transfer.backbones import backbone
from course_lib.transfer.config import REGIMES, TARGETS, Config, Regime
from course_lib.transfer.experiment import run, run_each, scratch_of, stream
from course_lib.transfer.handwriting import read_handwriting
from course_lib.transfer.layers import plot_filters, plot_maps
from course_lib.transfer.look import filters, maps
from course_lib.transfer.network import FaceNet
from course_lib.transfer.panel import panel
from course_lib.transfer.pictures import held_out, labelled
from course_lib.transfer.plots import plot_curves, plot_study
from course_lib.transfer.result import Result, count_trained
from course_lib.transfer.stored import handwriting, study, summarise, winners
from course_lib.transfer.trunk import load_trunk

__all__ = [
    "REGIMES", "TARGETS", "Config", "FaceNet", "Regime", "Result", "backbone", "count_trained", "filters",
    "handwriting", "held_out", "labelled", "load_trunk", "maps", "panel", "plot_curves", "plot_filters", "plot_maps",
    "plot_study", "read_handwriting", "run", "run_each", "scratch_of", "stream", "study", "summarise", "winners",
]  # fmt: skip
