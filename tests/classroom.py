"""A class for the tests of grading: a release, notebooks that its students hand in, and the real command."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat

from course_lib.grading import book
from course_lib.grading.release import exercise_of

ROOT = Path(__file__).parents[1]
NAME = "07_bias_mitigation.ipynb"
SOLVED = {one.id: one.solution() for one in book.declared("07")}


def write_notebook(path, released, answers):
    """Write the notebook that a class got, with ``answers`` (exercise -> source of its cell) filled in."""
    notebook = nbformat.read(released / "student/notebooks" / NAME, 4)
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    notebook.metadata.pop("widgets", None)  # large, and of no interest to the grader
    for cell in notebook.cells:
        cell.outputs = []
        if id := exercise_of(cell):
            cell.source = answers.get(id, cell.source)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def start(*arguments):
    """Start ``python -m course_lib ...`` and return the process."""
    command = [sys.executable, "-m", "course_lib", *map(str, arguments)]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "COURSE_LIB_HANDED_OVER": sys.executable}
    return subprocess.Popen(
        command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    )


def run(*arguments):
    """Run ``python -m course_lib ...``; return its exit status and all that it said but for the progress bar."""
    out, err = (process := start(*arguments)).communicate(timeout=600)
    bar = ("notebook]", "notebook/s]")
    return process.returncode, "\n".join(line for line in (out + err).splitlines() if line and not line.endswith(bar))


def results(out):
    """Return all results of a grading, by name: everything but the records."""
    files = [path for path in out.rglob("*") if path.is_file() and "records" not in path.parts]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def totals(out):
    """Return the points of every student in grades.csv."""
    import csv

    with (out / "grades.csv").open(encoding="utf-8", newline="") as file:
        return {row["student"]: float(row["total"]) for row in csv.DictReader(file) if row["student"] != "maximum"}
