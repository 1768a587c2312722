"""The graded exercises of lesson 02, with their solutions: this folder never goes to a class.

In each file: the reference, whose name, parameters and docstring are the student's stub; other right
answers; wrong answers, each written by somebody who believed in it; cases; and the hint for each wrong one.
"""

from course_lib.normalization.exercises.batches import STRATEGY_TWO_ACCURACY
from course_lib.normalization.exercises.folds import HELD_OUT
from course_lib.normalization.exercises.ranges import SCALE_TO_RANGE
from course_lib.normalization.exercises.scores import Z_SCORE
from course_lib.normalization.exercises.whitening import WHITEN

EXERCISES = (SCALE_TO_RANGE, Z_SCORE, WHITEN, STRATEGY_TWO_ACCURACY, HELD_OUT)
