"""What nbgrader's ``autograde`` does in a course that ``release --nbgrader`` wrote: two steps of its conversion.

`Mend` gives a returned notebook the cells back that nbgrader knows it by, whatever became of them: nbgrader itself
stops the whole class at a cell that is there twice. `Mark` marks the exercises in child processes that hold no
answers (see `marking`) in place of executing the notebook, so that a student cannot end the kernel, write to the
grade book, or get full points, as nbgrader gives them, for a graded cell without an output.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from nbgrader.api import Gradebook, Notebook
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from nbgrader.utils import is_grade

from course_lib.grading.check import describe_verdict
from course_lib.grading.judge import Verdict
from course_lib.grading.key import read_key
from course_lib.grading.marking import Job, mark
from course_lib.grading.nbgrader_source import exercise_of_points, find_teacher

Known = dict[str, dict[str, Any]]  # the name of a cell -> its metadata in nbgrader's format, and its "source"


class Mend(NbGraderPreprocessor):
    """Takes all that nbgrader knows about a notebook's cells from the grade book, and nothing from the student."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        about = resources["nbgrader"]
        with Gradebook(about["db_url"]) as grades:
            missing = _known(grades.find_notebook(about["notebook"], about["assignment"]))
        for cell in reversed(nb.cells):  # of two cells with one name nbgrader takes the last, too
            theirs = cell.metadata.pop("nbgrader", None)
            cell.metadata.pop("tags", None)  # such as "skip-execution"
            name = theirs.get("grade_id") if isinstance(theirs, dict) else None
            if isinstance(name, str) and name in missing:
                known = missing.pop(name)
                cell.metadata["nbgrader"] = known["metadata"]
                cell.source = known["source"] if known["metadata"]["locked"] else cell.source
        for name, known in missing.items():
            if known["metadata"]["grade"]:
                self.log.warning("Cell '%s' is missing and was added at the end", name)
                new_cell = new_code_cell if known["metadata"]["cell_type"] == "code" else new_markdown_cell
                nb.cells.append(new_cell(known["source"], metadata={"nbgrader": known["metadata"]}))
        return nb, resources


def _known(notebook: Notebook) -> Known:
    """Return what the grade book knows about the cells of a notebook."""
    points = {cell.name: cell.max_score for cell in [*notebook.grade_cells, *notebook.task_cells]}
    grade, solution, task = (
        {cell.name for cell in cells} for cells in (notebook.grade_cells, notebook.solution_cells, notebook.task_cells)
    )
    known = {}
    for cell in notebook.source_cells:
        kinds = {"grade": cell.name in grade, "solution": cell.name in solution, "task": cell.name in task}
        about = {"grade_id": cell.name, "schema_version": 3, "locked": cell.locked, **kinds}
        about |= {"cell_type": cell.cell_type, "checksum": cell.checksum}
        about |= {"points": points[cell.name]} if cell.name in points else {}
        known[cell.name] = {"metadata": about, "source": cell.source}
    return known


class Mark(Execute):
    """Marks the kit's exercises; executes notebooks with graded code cells of the teacher's own, as nbgrader does."""

    def preprocess(self, nb: Any, resources: Any, km: Any = None) -> tuple[Any, Any]:
        graded = [cell for cell in nb.cells if cell.cell_type == "code" and is_grade(cell)]
        ours = {id: cell for cell in graded if (id := exercise_of_points(cell.metadata.nbgrader.grade_id))}
        if len(ours) < len(graded):
            nb, resources = super().preprocess(nb, resources, km)
        for lesson in sorted({id.partition(".")[0] for id in ours}):
            job = Job(resources["nbgrader"]["student"], lesson, nbformat.writes(nb).encode())
            marks = mark(job, read_key(find_teacher(Path.cwd())))  # nbgrader works in the course's folder
            for verdict in (Verdict(**row) for row in marks["verdicts"]):
                if verdict.id in ours:  # a teacher may have taken it out of the source
                    _show(ours[verdict.id], verdict, marks["problem"])
        return nb, resources


def _show(cell: Any, verdict: Verdict, problem: str) -> None:
    """Make the verdict the cell's output: text that nbgrader only shows, and the points, which it takes."""
    lines = [*filter(None, [problem]), *describe_verdict(verdict)]
    shown = new_output("stream", name="stdout", text="".join(f"{textwrap.fill(line, 100)}\n" for line in lines))
    counted = new_output("execute_result", {"text/plain": repr(verdict.points)}, execution_count=1)
    cell.outputs, cell.execution_count = [shown, counted], 1
