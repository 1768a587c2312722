"""From a returned notebook to the source of one function: it, and whatever of the student's cells it uses.

Runs in the child, on whatever bytes were handed in; nothing here runs any of it.
"""

from __future__ import annotations

import ast
import json
import re
import symtable
from collections.abc import Iterable
from dataclasses import dataclass

WHOLE_CELL = re.compile(r"\s*%%(?!time|timeit|capture|prun)\w")  # such as %%bash: not Python
MAGIC = re.compile(r"^(\s*)(%|!|\?).*$", re.MULTILINE)  # a line of the notebook's own language


@dataclass(frozen=True)
class Found:
    """The source of a function with what it needs; or, with ``problem``, why there is none."""

    source: str = ""
    problem: str = ""


def read_cells(data: bytes) -> tuple[list[str], dict]:
    """Return the sources of a notebook's code cells, and the course's own metadata.

    Raises ValueError with a sentence for what is not a notebook.
    """
    try:
        book = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError("The file is not a notebook: it is not UTF-8 text.") from None
    except (ValueError, RecursionError):
        raise ValueError("The file is not a notebook: it is empty, cut off or not JSON.") from None
    if not isinstance(book, dict) or not isinstance(book.get("cells"), list):
        raise ValueError("The file is not a notebook: it has no cells.")
    sources = []
    for cell in book["cells"]:
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            source = cell.get("source", "")
            parts = source if isinstance(source, list) else [source]
            sources.append("".join(part for part in parts if isinstance(part, str)))
    metadata = book.get("metadata")
    about = metadata.get("course_lib") if isinstance(metadata, dict) else None
    return sources, about if isinstance(about, dict) else {}


def find_functions(sources: list[str], names: Iterable[str]) -> dict[str, Found]:
    """Return, for each name, the statements that define the function and what it uses, in their order.

    Cells run from top to bottom, so that a second definition replaces the first. Of all other statements
    only those count that define or change a name which the function needs, directly or not.
    """
    statements: list[tuple[str, set[str], set[str]]] = []
    broken: dict[int, str] = {}
    for number, source in enumerate(sources, 1):
        try:
            text, tree = parse_cell(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            broken[number] = _describe(number, error)
            continue
        for statement in tree.body:
            part = _text(text, statement)
            statements.append((part, *_names(part, statement)))
    return {name: _find(name, statements, sources, broken) for name in names}


def parse_cell(source: str) -> tuple[str, ast.Module]:
    """Return the cell's Python, as text and parsed; lines of the notebook's own language (``%``, ``!``) pass."""
    if WHOLE_CELL.match(source):
        return "", ast.Module([], [])
    source = re.sub(r"\A\s*%%.*\n?", "\n", source)
    try:
        return source, ast.parse(source)  # first as it is: a line may start with % inside an expression
    except SyntaxError:
        source = MAGIC.sub(r"\1pass", source)
        return source, ast.parse(source)


def _text(source: str, statement: ast.stmt) -> str:
    """Return the statement as it was written, so that errors name the student's own lines."""
    decorators = getattr(statement, "decorator_list", [])
    if not decorators:
        return ast.get_source_segment(source, statement) or ""
    return "\n".join(source.splitlines()[decorators[0].lineno - 1 : statement.end_lineno])


def _find(name: str, statements: list, sources: list[str], broken: dict[int, str]) -> Found:
    defines = any(name in bound for _, bound, _ in statements)
    here = [number for number in broken if re.search(rf"\bdef\s+{re.escape(name)}\b", sources[number - 1])]
    if here and not defines:
        return Found(problem=broken[here[-1]])
    if not defines:
        return Found()
    needed, chosen = {name}, set()
    grown = True
    while grown:
        grown = False
        for i, (_, bound, used) in enumerate(statements):
            if i not in chosen and (bound & needed or "*" in bound):
                chosen.add(i)
                needed |= used
                grown = True
    return Found(source="\n\n".join(statements[i][0] for i in sorted(chosen)))


def _names(text: str, statement: ast.stmt) -> tuple[set[str], set[str]]:
    """Return the notebook's names that a statement defines or changes, and those that it uses."""
    if isinstance(statement, ast.Expr):  # a call defines nothing: check(...), print(...), panel()
        return set(), set()
    table = symtable.symtable(text, "cell", "exec")
    bound = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    used = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    inner = table.get_children()
    while inner:  # in functions and classes, the names that are not their own
        scope = inner.pop()
        used |= {s.get_name() for s in scope.get_symbols() if s.is_global() and s.is_referenced()}
        inner += scope.get_children()
    if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        for node in ast.walk(statement):  # x[0] = 1 and x.y = 1 change x
            if isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
                base = node.value
                while isinstance(base, (ast.Attribute, ast.Subscript)):
                    base = base.value
                bound |= {base.id} if isinstance(base, ast.Name) else set()
    if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
        bound.add("*")
    return bound, used


def _describe(number: int, error: Exception) -> str:
    what = error.msg if isinstance(error, SyntaxError) else "it cannot be read"
    line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
    return f"Code cell {number}{line} is not Python: {what[:200]}"
