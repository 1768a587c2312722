"""Lesson 03: augmentation. ``from course_lib import augmentation`` brings it all.

``augmentation.panel()`` opens the lab; ``run``, ``augment`` and the ``plot_`` functions do the same without it.
"""

from course_lib.augmentation.augmentations import AUGMENTATIONS, Augmentation, augment, effects
from course_lib.augmentation.config import Config
from course_lib.augmentation.experiment import run, run_each, stream
from course_lib.augmentation.gallery import make_gallery, plot_gallery, plot_reading
from course_lib.augmentation.measures import invariance, smoothness
from course_lib.augmentation.panel import panel
from course_lib.augmentation.plots import plot_curves, plot_weights
from course_lib.augmentation.reference import read
from course_lib.augmentation.result import Result
from course_lib.augmentation.stored import plot_study, study, summarise
from course_lib.augmentation.transforms import shift, turn

__all__ = [
    "AUGMENTATIONS", "Augmentation", "Config", "Result", "augment", "effects", "invariance", "make_gallery", "panel",
    "plot_curves", "plot_gallery", "plot_reading", "plot_study", "plot_weights", "read", "run", "run_each", "shift",
    "smoothness", "stream", "study", "summarise", "turn",
]  # fmt: skip
