"""Interactive deep-learning lessons: sliders that drive real PyTorch experiments.

Each lesson is a package of its own, imported by name: ``from course_lib import mitigation``.
Importing ``course_lib`` alone is instant and loads neither torch nor any lesson.
"""

__version__ = "0.1.0"
