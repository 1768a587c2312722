"""The graded exercises of lesson 05, with their solutions: this folder never goes to a class.

In each file: the reference, whose name, parameters and docstring are the student's stub; other right
answers; wrong answers, each written by somebody who believed in it; cases; and the hint for each wrong one.
"""

from course_lib.multitask.exercises.balance import BALANCE
from course_lib.multitask.exercises.helping import DOES_IT_HELP
from course_lib.multitask.exercises.pulls import TRUNK_COSINE
from course_lib.multitask.exercises.step import TRAIN_STEP
from course_lib.multitask.exercises.summed import SUMMED_LOSS

EXERCISES = (SUMMED_LOSS, TRUNK_COSINE, BALANCE, TRAIN_STEP, DOES_IT_HELP)
