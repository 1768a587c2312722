"""The graded exercises of lesson 06, with their solutions: this folder never goes to a class.

In each file: the reference, whose name, parameters and docstring are the student's stub; other right
answers; wrong answers, each written by somebody who believed in it; cases; and the hint for each wrong one.
"""

from course_lib.fairness.exercises.bayes import BEST_ANSWERS
from course_lib.fairness.exercises.bounded import BOUNDED_LOSS
from course_lib.fairness.exercises.collecting import WEIGHTS_FOR
from course_lib.fairness.exercises.gaps import FAIRNESS_GAPS
from course_lib.fairness.exercises.subgroups import SUBGROUP_TABLE

EXERCISES = (SUBGROUP_TABLE, FAIRNESS_GAPS, WEIGHTS_FOR, BOUNDED_LOSS, BEST_ANSWERS)
