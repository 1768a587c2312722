"""Lesson 04: transfer learning. ``from course_lib import transfer`` brings it all."""

from course_lib.transfer.backbones import backbone
from course_lib.transfer.config import REGIMES, TARGETS, Config, Regime
from course_lib.transfer.experiment import run, scratch_of, stream
from course_lib.transfer.network import FaceNet
from course_lib.transfer.pictures import held_out, labelled
from course_lib.transfer.result import Result, count_trained
from course_lib.transfer.trunk import load_trunk

__all__ = [
    "REGIMES",
    "TARGETS",
    "Config",
    "FaceNet",
    "Regime",
    "Result",
    "backbone",
    "count_trained",
    "held_out",
    "labelled",
    "load_trunk",
    "run",
    "scratch_of",
    "stream",
]
