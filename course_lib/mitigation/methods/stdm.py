"""StdM: the standard model, with no mitigation at all; what every method is compared with."""

from course_lib.mitigation.methods.base import Method


class StdM(Method):
    """Mean cross-entropy over shuffled batches: every sample counts the same."""

    title = "Standard model"
    idea = "Learn from the data as they are; every sample counts the same."
    source = "empirical risk minimisation"
