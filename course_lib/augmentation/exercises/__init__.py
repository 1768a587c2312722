"""The graded exercises of lesson 03, with their solutions: this folder never goes to a class.

In each file: the reference, whose name, parameters and docstring are the student's stub; other right
answers; wrong answers, each written by somebody who believed in it; cases; and the hint for each wrong one.
"""

from course_lib.augmentation.exercises.invariance import INVARIANCE
from course_lib.augmentation.exercises.labels import TURNED_LABELS
from course_lib.augmentation.exercises.noise import ADD_LAPLACIAN
from course_lib.augmentation.exercises.smooth import SMOOTHNESS
from course_lib.augmentation.exercises.translate import TRANSLATE

EXERCISES = (TRANSLATE, TURNED_LABELS, INVARIANCE, SMOOTHNESS, ADD_LAPLACIAN)
