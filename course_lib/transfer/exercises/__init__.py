"""The graded exercises of lesson 04, with their solutions: this folder never goes to a class.

In each file: the reference, whose name, parameters and docstring are the student's stub; other right
answers; wrong answers, each written by somebody who believed in it; cases; and the hint for each wrong one.
"""

from course_lib.transfer.exercises.adapt import ADAPT
from course_lib.transfer.exercises.features import FEATURES
from course_lib.transfer.exercises.freeze import FREEZE
from course_lib.transfer.exercises.head import NEW_HEAD
from course_lib.transfer.exercises.regime import REGIME

EXERCISES = (FREEZE, NEW_HEAD, FEATURES, REGIME, ADAPT)
