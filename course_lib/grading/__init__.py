"""Exercises that answer at once, and a grader for a whole class. ``from course_lib.grading import check``."""

from course_lib.grading.check import check, example, identify, progress, solution

__all__ = ["check", "example", "identify", "progress", "solution"]
