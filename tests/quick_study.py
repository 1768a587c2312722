"""A study whose runs take no time, or as long as they are told; other processes import it."""

import os
import time
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.study import Study
from course_lib.training import Progress

FAILURES = {  # by the seed of the run
    666: CourseError("The loss became nan."),
    667: RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later."),
    668: MemoryError(),
}
LOG = "QUICK_STUDY_LOG"  # names a folder: each run leaves a file there, named after its process


def plan(source, seeds):
    return [
        {"source": source, "seed": seed, "wait": float(os.environ.get("QUICK_STUDY_WAIT", 0))} for seed in range(seeds)
    ]


def measure(configuration):
    seed, wait = configuration["seed"], configuration["wait"]
    yield Progress(1, 2, 0.5)
    if seed in FAILURES:
        raise FAILURES[seed]
    if seed == 669:
        os._exit(1)  # as if the system had ended this process
    if LOG in os.environ:
        (Path(os.environ[LOG]) / f"{seed}_{os.getpid()}").touch()
    time.sleep(wait)
    yield Progress(2, 2, 0.5)
    return {"value": seed * seed, "not prime, or so": 1}


def measure_on(configuration, device):
    return (yield from measure(configuration)) | {"done_on": device}


STUDY = Study(plan, measure)
ON_DEVICES = Study(plan, measure_on, devices=True)
