"""Lesson 02: train-vs-test normalisation. ``from course_lib import normalization`` brings it all.

``normalization.panel()`` compares the two strategies, ``normalization.batchnorm_panel()`` the two modes of batch
normalisation; ``run``, ``run_batchnorm`` and the ``plot_`` functions do the same without a panel.
"""

from course_lib.normalization.batchnorm import (
    BatchNormResult,
    brighten,
    make_network,
    run_batchnorm,
    trained,
)
from course_lib.normalization.batchnorm_plots import plot_batch_sizes, plot_drift, plot_modes
from course_lib.normalization.config import BatchNormConfig, Config
from course_lib.normalization.experiment import Result, classify, run, test_sets, training_set
from course_lib.normalization.panels import batchnorm_panel, panel
from course_lib.normalization.plots import plot_accuracy, plot_scatter, plot_sets
from course_lib.normalization.scalers import SCALERS, PCAWhitening, Range, Scaler, ZCAWhitening, ZScore

__all__ = [
    "SCALERS", "BatchNormConfig", "BatchNormResult", "Config", "PCAWhitening", "Range", "Result", "Scaler",
    "ZCAWhitening", "ZScore", "batchnorm_panel", "brighten", "classify", "make_network", "panel", "plot_accuracy",
    "plot_batch_sizes", "plot_drift", "plot_modes", "plot_scatter", "plot_sets", "run", "run_batchnorm",
    "test_sets", "trained", "training_set",
]  # fmt: skip
