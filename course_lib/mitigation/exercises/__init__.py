"""The graded exercises of lesson 07, with their solutions: this folder never goes to a class.

In each file: the reference, whose name, parameters and docstring are the student's stub; other right
answers; wrong answers, each written by somebody who believed in it; cases; and the hint for each wrong one.
"""

from course_lib.mitigation.exercises.gaps import GROUP_GAPS
from course_lib.mitigation.exercises.loss import SD_LOSS
from course_lib.mitigation.exercises.method import MITIGATE
from course_lib.mitigation.exercises.sampling import SAMPLE_POSITION
from course_lib.mitigation.exercises.weights import UPDATE_WEIGHTS

EXERCISES = (SAMPLE_POSITION, GROUP_GAPS, UPDATE_WEIGHTS, SD_LOSS, MITIGATE)
