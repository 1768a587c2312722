"""What a notebook shows of a wrong call: the reader's own line and one sentence, nothing of the kit's code."""

import nbformat
from nbclient import NotebookClient

CALLS = {
    'from course_lib import fairness\ndef mine():\n    x = 1\n    return fairness.run(method="magic")\n\nmine()': (
        'Line 4: return fairness.run(method="magic")',
        "There is no method 'magic'; there are StdM, ",
    ),
    "fairness.run(priors=None)": ("Line 1: fairness.run(priors=None)", "priors must be four shares, "),
    "fairness.panel(\n    weight_decay=-1)": ("Line 1: fairness.panel(", "weight_decay must be "),
}


def test_a_wrong_call_shows_the_readers_line_and_the_sentence():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CALLS])
    NotebookClient(notebook, allow_errors=True).execute()
    for cell, (line, sentence) in zip(notebook.cells, CALLS.values(), strict=True):
        (output,) = (one for one in cell.outputs if one.output_type == "error")
        assert output.ename == "CourseError"
        assert output.traceback[0] == line
        assert output.traceback[1].startswith(f"CourseError: {sentence}")
        assert len(output.traceback) == 2
