"""Lesson 06: fairness. ``from course_lib import fairness`` brings it all.

``fairness.panel()``, ``fairness.interview_panel()`` and ``fairness.regression_panel()`` open the labs; ``run`` and
the ``plot_`` functions do the same without them.
"""

from course_lib.fairness.config import Config
from course_lib.fairness.criteria import CRITERIA, criteria, group_rates
from course_lib.fairness.experiment import run, run_each, stream
from course_lib.fairness.interview.config import InterviewConfig
from course_lib.fairness.interview.experiment import recruiters_scores, score_faces, train_scorer, train_scorer_each
from course_lib.fairness.interview.panel import interview_panel
from course_lib.fairness.interview.plots import plot_score_gaps, plot_shifts
from course_lib.fairness.methods import METHODS
from course_lib.fairness.panel import panel
from course_lib.fairness.pictures import held_out_faces, photograph
from course_lib.fairness.plots import plot_criteria, plot_groups
from course_lib.fairness.regression.config import AgeConfig
from course_lib.fairness.regression.experiment import sample_workers, train_ages, train_ages_each
from course_lib.fairness.regression.panel import regression_panel
from course_lib.fairness.regression.plots import plot_repair
from course_lib.fairness.regression.repair import parity_distance, wasserstein_repair
from course_lib.fairness.regression.result import error_table
from course_lib.fairness.result import Result
from course_lib.fairness.roc import auc, auc_table, one_vs_rest, plot_roc, roc_curve
from course_lib.fairness.stored import other_settings, study, three_seeds, weight_decays

__all__ = [
    "CRITERIA",
    "METHODS",
    "AgeConfig",
    "Config",
    "InterviewConfig",
    "Result",
    "auc",
    "auc_table",
    "criteria",
    "error_table",
    "group_rates",
    "held_out_faces",
    "interview_panel",
    "one_vs_rest",
    "other_settings",
    "panel",
    "parity_distance",
    "photograph",
    "plot_criteria",
    "plot_groups",
    "plot_repair",
    "plot_roc",
    "plot_score_gaps",
    "plot_shifts",
    "recruiters_scores",
    "regression_panel",
    "roc_curve",
    "run",
    "run_each",
    "sample_workers",
    "score_faces",
    "stream",
    "study",
    "three_seeds",
    "train_ages",
    "train_ages_each",
    "train_scorer",
    "train_scorer_each",
    "wasserstein_repair",
    "weight_decays",
]
