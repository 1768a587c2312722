"""A study whose runs take no time, or as long as they are told; other processes import it."""

import os
import time
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.study import Study
from course_lib.training import Progress

LOG = "QUICK_STUDY_LOG"  # names a folder: each run leaves a file there, named after its process


def plan(source, seeds):
    return [
        {"source": source, "seed": seed, "wait": float(os.environ.get("QUICK_STUDY_WAIT", 0))} for seed in range(seeds)
    ]


def measure(configuration):
    seed, wait = configuration["seed"], configuration["wait"]
    yield Progress(1, 2, 0.5)
    if seed == 666:
        raise CourseError("The loss became nan.")
    if LOG in os.environ:
        (Path(os.environ[LOG]) / f"{seed}_{os.getpid()}").touch()
    time.sleep(wait)
    yield Progress(2, 2, 0.5)
    return {"value": seed * seed}


STUDY = Study(plan, measure)
