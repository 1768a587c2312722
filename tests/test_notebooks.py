"""The notebooks as they are shipped: executed, without errors, and complete. nbval runs them cell by cell."""

import json
import tempfile
from pathlib import Path

import pytest

from course_lib.grading import book

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def cells(request):
    return json.loads(request.param.read_text("utf-8"))["cells"]


def text(cell):
    return "".join(cell["source"])


def test_there_are_notebooks():
    assert [path.name[:2] for path in NOTEBOOKS] == ["00", *book.LESSONS]


def test_every_code_cell_was_executed_in_order(cells):
    counts = [cell["execution_count"] for cell in cells if cell["cell_type"] == "code" and text(cell).strip()]
    assert counts == list(range(1, len(counts) + 1))


def test_cells_that_show_something_have_outputs(cells):
    for cell in cells:
        last = text(cell).strip().split("\n")[-1]
        if cell["cell_type"] == "code" and ("print(" in last or "plot_" in last or "panel(" in last):
            assert cell["outputs"], text(cell)


def test_no_cell_reports_an_error_or_a_warning(cells):
    for cell in cells:
        for output in cell.get("outputs", []):
            assert output["output_type"] != "error", text(cell)
            assert output.get("name") != "stderr", output.get("text")


def test_no_output_names_the_machine_it_was_made_on(cells):
    stored = json.dumps([cell.get("outputs", []) for cell in cells])
    here = str(Path(__file__).parents[1])
    for trace in (here, str(Path.home()), "/home/", "/Users/", tempfile.gettempdir(), "object at 0x"):
        assert trace not in stored, trace


def test_cells_nbval_cannot_compare_are_tagged(cells):
    for cell in cells:
        data = [o.get("data", {}) for o in cell.get("outputs", [])]
        if any("image/png" in d or "application/vnd.jupyter.widget-view+json" in d for d in data):
            assert "nbval-ignore-output" in cell["metadata"].get("tags", []), text(cell)


def test_panels_are_stored_as_pictures_that_show_without_a_kernel(cells):
    widget = "application/vnd.jupyter.widget-view+json"
    panels = [o["data"] for c in cells for o in c.get("outputs", []) if widget in o.get("data", {})]
    assert panels
    assert all("image/png" in data for data in panels)


@pytest.mark.parametrize("lesson", book.LESSONS)
def test_a_lesson_follows_the_template(lesson):
    cells = json.loads(next(p for p in NOTEBOOKS if p.name.startswith(lesson)).read_text("utf-8"))["cells"]
    lines = [line for c in cells if c["cell_type"] == "markdown" for line in text(c).split("\n")]
    parts = ("After this lesson you can", "## The question", "## PREDICT", "## EXPLORE", "## Exercises")
    parts += ("## Spot the bug", "## DISCUSS", "## In three lines", "## Further reading")
    places = [next((i for i, line in enumerate(lines) if line.startswith(part)), part) for part in parts]
    assert places == sorted(places), "in this order, and all of them"
    exercises = [line.split()[1] for line in lines if line.startswith(f"### {lesson}.")]
    assert exercises == [one.id for one in book.declared(lesson)]


def test_exercises_are_the_declared_stubs_and_each_is_followed_by_its_check():
    for lesson in book.LESSONS:
        cells = json.loads(next(p for p in NOTEBOOKS if p.name.startswith(lesson)).read_text("utf-8"))["cells"]
        exercises = {one.id: one for one in book.declared(lesson)}
        places = {
            c["metadata"]["course_lib"]["exercise"]: i for i, c in enumerate(cells) if "course_lib" in c["metadata"]
        }
        assert list(places) == list(exercises)
        for id, i in places.items():
            assert text(cells[i]) == exercises[id].stub()
            assert text(cells[i + 1]) == f'check("{id}", {exercises[id].name})'
            assert f"({exercises[id].points} points)" in text(cells[i - 1])


def test_the_text_of_an_exercise_names_its_numbers():
    for lesson in book.LESSONS:
        cells = json.loads(next(p for p in NOTEBOOKS if p.name.startswith(lesson)).read_text("utf-8"))["cells"]
        texts = {text(c).split()[1]: text(c) for c in cells if text(c).startswith(f"### {lesson}.")}
        for one in book.declared(lesson):
            for value in one.defaults.values():
                shown = ", ".join(map(str, value)) if isinstance(value, tuple) else f"{value:g}"
                assert shown in texts[one.id], one.id
