"""The graded exercises of lesson 01, with their solutions: this folder never goes to a class."""

from course_lib.gradients.exercises.closed_form import LOG_NORMS
from course_lib.gradients.exercises.product import LOG_PRODUCT
from course_lib.gradients.exercises.slopes import SLOPES
from course_lib.gradients.exercises.underflow import UNDERFLOW
from course_lib.gradients.exercises.weights import INITIAL_WEIGHTS

EXERCISES = (SLOPES, LOG_NORMS, LOG_PRODUCT, UNDERFLOW, INITIAL_WEIGHTS)
