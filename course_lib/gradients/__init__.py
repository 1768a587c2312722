"""Lesson 01: vanishing gradients. ``from course_lib import gradients`` brings it all.

``gradients.profile(...)`` measures a very deep network, ``gradients.run(...)`` trains a small Transformer,
``gradients.report(model, batch, loss)`` looks at a model of your own; the panels show the first two live.
"""

from course_lib.gradients.activations import ACTIVATIONS
from course_lib.gradients.config import ProfileConfig, TransformerConfig
from course_lib.gradients.experiment import Profile, profile, weights
from course_lib.gradients.heatmaps import plot_histograms, plot_report
from course_lib.gradients.panels import panel, transformer_panel
from course_lib.gradients.plots import plot_activation, plot_gradients
from course_lib.gradients.report import Finding, Report, report
from course_lib.gradients.transformer import History, run, run_each, stream

__all__ = [
    "ACTIVATIONS", "Finding", "History", "Profile", "ProfileConfig", "Report", "TransformerConfig", "panel",
    "plot_activation", "plot_gradients", "plot_histograms", "plot_report", "profile", "report", "run", "run_each",
    "stream", "transformer_panel", "weights",
]  # fmt: skip
