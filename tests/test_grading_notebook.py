"""From a notebook to the source of one function: it and what it needs, and no statement more."""

import json

import nbformat
import pytest

from course_lib.grading import book
from course_lib.grading.notebook import find_functions, read_cells
from course_lib.lab import NOTEBOOKS, find_lesson

F = "def f(x):\n    return x"


def found(*cells, name="f"):
    return find_functions(list(cells), [name])[name]


def value(*cells, argument=1, name="f"):
    """What the function that is found in these cells returns."""
    space = {}
    exec(found(*cells, name=name).source, space)
    return space[name](argument)


def source(*cells):
    return found(*cells).source


# What is needed


def test_a_function_stands_for_itself():
    assert source("import torch", F, "print(f(1))", "y = f(2)") == F


@pytest.mark.parametrize(("cells", "wanted"), [
    (["A = 2", "B = 3", "def f(x): return A * x"], 2),
    (["def f(x): return A * x", "A = 2"], 2),  # as long as nothing calls it in between
    (["import math", "from math import pi as π", "def f(x): return math.floor(π)"], 3),
    (["import os.path", "def f(x): return os.path.basename('a/b')"], "b"),
    (["import json as j, re", "def f(x): return j.loads('4')"], 4),
    (["from math import *", "def f(x): return floor(2.5)"], 2),
    (["def g(x): return h(x)", "def h(x): return x + 1", "def f(x): return g(x)"], 2),
    (["def f(x): return x and 1 + f(x - 1)"], 1),
    (["class C:\n    n = 5\n    def m(self): return C.n", "def f(x): return C().m()"], 5),
    (["A = 1", "A += 1", "def f(x): return A"], 2),
    (["A, (B, *C) = 1, (2, 3)", "def f(x): return C"], [3]),
    (["A: int = 4", "def f(x): return A"], 4),
    (["A = B = 6", "def f(x): return B"], 6),
    (["for A in range(3):\n    pass", "def f(x): return A"], 2),
    (["if True:\n    def g(): return 1\nelse:\n    g = None", "def f(x): return g()"], 1),
    (["try:\n    import nothing_of_the_kind as n\nexcept ImportError:\n    n = 3", "def f(x): return n"], 3),
    (["with open(__import__('os').devnull) as A:\n    B = A.read()", "def f(x): return B"], ""),
    (["A = [1, 2]", "A[0] = 9", "def f(x): return A"], [9, 2]),
    (["A = {'a': {}}", "A['a']['b'] = 3", "def f(x): return A"], {"a": {"b": 3}}),
    (["class C: pass", "C.n = C", "C.n.k = 3", "def f(x): return C.k"], 3),
    (["A = [1, 2]", "del A[0]", "def f(x): return A"], [2]),
    (["def g(): pass", "g.calls = 7", "def f(x): return g.calls"], 7),
    (["A = 3", "f = lambda x: A * x"], 3),
    (["import functools", "@functools.cache\ndef f(x): return x + 1"], 2),
    (["def twice(g): return lambda x: 2 * g(x)", "x = 1; y = 2\n@twice\n@twice\ndef f(x):\n    return x"], 4),
    (["N = 3", "def f(x, n=N): return n"], 3),
    (["T = int", "def f(x: T) -> T: return x"], 1),
    (["N = 3", "def f(x):\n    def g():\n        return N\n    return g()"], 3),
    (["N = 3", "def f(x): return [N for _ in range(x)]"], [3]),
    (["N = 3", "def f(x):\n    class C:\n        n = N\n    return C.n"], 3),
    (["N = 0", "def f(x):\n    global N\n    N += 1\n    return N"], 1),
    (["if (N := 5) > 3:\n    pass", "def f(x): return N"], 5),
])  # fmt: skip
def test_whatever_it_uses_comes_with_it(cells, wanted):
    assert value(*cells) == wanted


def test_the_last_definition_counts():
    assert value("def f(x): return 1", "f(3)", "def f(x): return 2") == 2
    assert value("def g(): return 1", "def f(x): return g()", "def g(): return 2") == 2
    assert value("def f(x): return 1", "old = f", "def f(x): return old(x) + 1") == 2


def test_statements_keep_their_order_and_their_text():
    cells = ["A = 1", "def g():\n    # a comment\n    return A", "A = 2", "def f(x):\n    return g()"]
    assert source(*[f"{cell}  # end" for cell in cells]) == "\n\n".join(cells)
    decorated = "import functools\n\n\n@functools.cache  # kept\ndef f(x):\n    return x"
    assert source(decorated).endswith("@functools.cache  # kept\ndef f(x):\n    return x")


def test_each_function_comes_with_what_it_needs_alone():
    got = find_functions(["A = 1\nB = 2", "def f(): return A", "def g(): return B"], ["f", "g", "h"])
    assert got["f"].source == "A = 1\n\ndef f(): return A"
    assert got["g"].source == "B = 2\n\ndef g(): return B"
    assert not got["h"].source
    assert not got["h"].problem


# What is not needed

TRAIN = "result = train(epochs=100)"


@pytest.mark.parametrize("cell", [
    "check('07.1', f)", "f(1)", "print(f(1))", "1 / 0", "panel()", "import torch", "other = f(1)", "del other",
    "for i in range(10**12):\n    f(i)", "while True:\n    pass", "assert f(1) == 2", "raise SystemExit", TRAIN,
    "if f(1):\n    y = 3", "y = [f(i) for i in range(3)]", "x[0] = 1", "x.y = f(1)", "def g(): return f(1)",
    "class C:\n    y = f(1)", "[f := 1]", "with open('a') as file:\n    pass", "x = y = 1 / 0",
], ids=repr)  # fmt: skip
def test_what_it_does_not_use_is_not_run(cell):
    assert source(cell, F, cell) == F


@pytest.mark.parametrize("function", [
    "def f(x):\n    y = x\n    return y", "def f(y):\n    return y",
    "def f(x):\n    for y in [x]:\n        pass\n    return y",
    "def f(x):\n    return [y for y in [x]][0]", "def f(x):\n    import y\n    return y",
    "def f(x):\n    def y(): return x\n    return y()", "def f(x):\n    return (lambda y: y)(x)",
    "def f(x):\n    with x as y:\n        return y", "def f(x):\n    x.y = 1\n    return x.y",
    "def f(x):\n    return x(y=1)",
    "def f(x):\n    y: int = x\n    return y", "def f(x):\n    class y:\n        z = 1\n    return y",
    "def f(x):\n    def g():\n        nonlocal y\n        y = 2\n    y = 1\n    g()\n    return y",
], ids=repr)  # fmt: skip
def test_its_own_names_hide_the_notebooks(function):
    assert source("y = 1 / 0", "y[0] = train()", function) == function


# The notebook's own language


@pytest.mark.parametrize("line", [
    "%matplotlib inline", "%timeit f(1)", "!pip install torch", "?f", "f?", "f??", "torch.nn.Linear?", "x = !ls",
    "x = %time f(1)", "a, b = !ls", "  %time f(1)".strip(), "!ls | grep 'a'", "%load_ext a_b",
])  # fmt: skip
def test_its_lines_are_passed_over(line):
    assert source(f"{line}\n{F}") == F
    assert source(f"A = 2\n{line}\ndef f(x):\n    return A", line) == "A = 2\n\ndef f(x):\n    return A"


def test_its_lines_within_a_function_are_passed_over():
    assert value("def f(x):\n    %time x\n    if x:\n        !ls\n    return x + 1") == 2


@pytest.mark.parametrize("head", ["%%time", "%%time\n", "%%capture out", "\n%%timeit -n 3", "%%prun"])
def test_a_cell_that_is_measured_counts(head):
    assert value(f"{head}\ndef f(x):\n    return x + 1") == 2


@pytest.mark.parametrize("head", ["%%bash", "%%html", "%%writefile f.py", "  %%javascript", "%%timeless"])
def test_a_cell_in_another_language_does_not(head):
    assert not source(f"{head}\n{F}")
    assert source(F, f"{head}\ndef f(x): return 2") == F


def test_a_line_of_python_may_begin_with_percent_or_a_bang():
    assert value("def f(x):\n    return (x + 7\n        % 5)") == 3
    assert value("def f(x):\n    return '''\n%d\n!x\n''' % x") == "\n1\n!x\n"
    assert value("def f(x):\n    return x != 1") is False


def test_lines_end_where_python_ends_them():
    assert value("s = 'a\x0c\u2028\x85b'\n\n@staticmethod\ndef f(x):\n    return s").startswith("a")
    assert value("import functools\r\n@functools.cache\r\ndef f(x):\r\n    return x") == 1


# What is no Python


def test_a_syntax_error_in_its_own_cell_is_told_with_its_place():
    got = found("x = 1", "y = 2\ndef f(x):\n    return (x\n")
    assert (got.source, got.problem) == ("", "Code cell 2, line 3 is not Python: '(' was never closed")


def test_a_syntax_error_in_another_cell_does_not_matter():
    assert source("for", F, "def g(:", "x = )") == F
    assert found("for", F).problem == ""


def test_an_earlier_definition_counts_where_a_later_one_is_no_python():
    assert source(F, "def f(x:\n    return 2") == F


@pytest.mark.parametrize("cell", [
    "def g(x, x): pass", "x = 1\nglobal x", "nonlocal y", "def g():\n    nonlocal y", "def g(a):\n    global a",
    "return 3", "x = '\ud800'", "x = '\0'", "\tx = 1\n  y = 2", "x" * 200 + "é€" * 9 + ")", "(" * 9999,
    "x = " + "+" * 200_000 + "1",
    "x = " + "1+" * 100_000 + "1", "a" + ".a" * 100_000, "é" + "\ufeff", "print 'x'", "await g()", "async with a: pass",
], ids=lambda cell: repr(cell[:30]))  # fmt: skip
def test_whatever_stands_in_another_cell_the_function_is_found(cell):
    assert source(cell, F) == F


@pytest.mark.parametrize(
    "cell", ["def f(x, x): pass", "def f(x):\n    nonlocal y", "def f(x):\nreturn 1", "def f(x): \0"]
)
def test_what_the_parser_lets_pass_is_a_problem_of_its_own_cell(cell):
    got = found("A = 1", cell, "f(1)")
    assert got.source == ""
    assert got.problem.startswith("Code cell 2")
    assert "is not Python: " in got.problem


def test_nothing_is_run_to_find_a_function(tmp_path):
    mark = tmp_path / "mark"
    found(f"open({str(mark)!r}, 'w')", f"A = open({str(mark)!r}, 'w')", "def f(x): return A")
    assert not mark.exists()


# Notebooks


def notebook(*cells, **more):
    return json.dumps({"cells": list(cells), **more}).encode()


def code(text):
    return {"cell_type": "code", "source": text}


def test_code_cells_are_read_from_texts_and_lists_of_lines():
    cells = [
        code("a\nb"),
        {"cell_type": "markdown", "source": "x"},
        code(["c\n", "d"]),
        code([]),
        {"cell_type": "code"},
    ]
    assert read_cells(notebook(*cells))[0] == ["a\nb", "c\nd", "", ""]


@pytest.mark.parametrize("cell", [1, None, [], "code", {"cell_type": ["code"]}, {"source": "x"}, {"cell_type": "raw"}])
def test_what_is_no_code_cell_is_passed_over(cell):
    assert read_cells(notebook(cell, code("x")))[0] == ["x"]


@pytest.mark.parametrize("text", [3, None, {"a": 1}, [1, None, ["x"]], True])
def test_a_source_that_is_no_text_is_empty(text):
    assert read_cells(notebook(code(text)))[0] == [""]


@pytest.mark.parametrize(("metadata", "about"), [
    ({"course_lib": {"release": "a"}}, {"release": "a"}), ({"course_lib": []}, {}), ([], {}), (None, {}), ("x", {}),
])  # fmt: skip
def test_the_course_tells_its_release_in_the_metadata(metadata, about):
    assert read_cells(notebook(metadata=metadata))[1] == about


@pytest.mark.parametrize(("data", "said"), [
    (b"", "empty, cut off or not JSON"), (b"{", "empty, cut off or not JSON"), (b"\xff\xfea", "not UTF-8"),
    ('{"cells": "é"}'.encode("latin-1"), "not UTF-8"), (b"[" * 100_000, "cut off or not JSON"), (b"[]", "no cells"),
    (b'"cells"', "no cells"), (b"null", "no cells"), (b"{}", "no cells"), (b'{"cells": {}}', "no cells"),
    (b'{"worksheets": [{"cells": []}]}', "no cells"), (b'{"cells": [' + b"9" * 5000 + b"]}", "not JSON"),
])  # fmt: skip
def test_what_is_no_notebook_is_told_so(data, said):
    with pytest.raises(ValueError, match=said):
        read_cells(data)


def test_a_mark_at_the_beginning_of_a_file_does_not_matter():
    assert read_cells(b"\xef\xbb\xbf" + notebook(code("x")))[0] == ["x"]


@pytest.mark.parametrize("lesson", book.LESSONS)
def test_the_functions_of_a_real_lesson_are_found_without_the_lesson(lesson):
    sources, _ = read_cells((NOTEBOOKS / find_lesson(lesson)).read_bytes())
    cells = nbformat.read(NOTEBOOKS / find_lesson(lesson), 4).cells
    assert sources == [cell.source for cell in cells if cell.cell_type == "code"]
    stubs = {one.name: one.stub().partition("  #")[0] for one in book.declared(lesson)}
    assert {name: one.source for name, one in find_functions(sources, stubs).items()} == stubs
