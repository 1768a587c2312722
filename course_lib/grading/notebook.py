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

WHOLE_CELL = re.compile(r"\s*%%(?!(?:time|timeit|capture|prun)\b)\w")  # such as %%bash: not Python
# A line of the notebook's own language: %timeit f(x), !ls, ?f, f?, x = !ls
MAGIC = re.compile(r"^([ \t]*)(?:[%!?].*|[\w.]+\?{1,2}[ \t]*|[\w., ]+=[ \t]*[%!].*)$", re.MULTILINE)


Statement = tuple[ast.stmt, str, set[str]]  # parsed, the text of its cell, the names that it defines or changes


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
    statements: list[Statement] = []
    broken: dict[int, str] = {}
    for number, source in enumerate(sources, 1):
        try:
            text, tree = parse_cell(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            broken[number] = _describe(number, error)
            continue
        statements += [(statement, text, _bound(statement)) for statement in tree.body]
    return {name: _find(name, statements, sources, broken) for name in names}


def parse_cell(source: str) -> tuple[str, ast.Module]:
    """Return the cell's Python, as text and parsed; lines of the notebook's own language (``%``, ``!``) pass."""
    if WHOLE_CELL.match(source):
        return "", ast.Module([], [])
    source = re.sub(r"\A\s*%%.*\n?", "\n", source)
    try:
        return source, _parse(source)  # first as it is: a line may start with % inside an expression
    except SyntaxError:
        source = MAGIC.sub(r"\1pass", source)
        return source, _parse(source)


def _parse(source: str) -> ast.Module:
    symtable.symtable(source, "cell", "exec")  # finds what the parser lets pass, such as `def f(x, x)`
    return ast.parse(source)


def _text(source: str, statement: ast.stmt) -> str:
    """Return the statement as it was written, so that errors name the student's own lines."""
    decorators = getattr(statement, "decorator_list", [])
    if not decorators:
        return ast.get_source_segment(source, statement) or ""
    lines = re.split(r"\r\n|\r|\n", source)  # as Python counts them; splitlines() knows more ends of a line
    return "\n".join(lines[decorators[0].lineno - 1 : statement.end_lineno])


def _find(name: str, statements: list[Statement], sources: list[str], broken: dict[int, str]) -> Found:
    here = [number for number in broken if re.search(rf"\bdef\s+{re.escape(name)}\b", sources[number - 1])]
    if not any(name in bound for _, _, bound in statements):
        return Found(problem=broken[here[-1]]) if here else Found()
    needed, looked_up, chosen = {name}, set(), {}
    while looked_up != needed:
        looked_up = set(needed)
        for i, (statement, cell, bound) in enumerate(statements):
            if i not in chosen and (bound & needed or "*" in bound):
                chosen[i] = _text(cell, statement)
                needed |= _used(chosen[i])
    return Found(source="\n\n".join(chosen[i] for i in sorted(chosen)))


def _bound(statement: ast.stmt) -> set[str]:
    """Return the notebook's names that a statement defines or changes; ``*`` for those of a star import."""
    if isinstance(statement, ast.Expr):  # a call defines nothing: check(...), print(...), panel()
        return set()
    bound: set[str] = set()
    nodes: list[ast.AST] = [statement]
    while nodes:
        node = nodes.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound.add(node.name)  # what it binds inside is its own
            continue
        if isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            bound |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
            base = node
            while isinstance(base, (ast.Attribute, ast.Subscript)):  # x[0] = 1 and x.y = 1 change x
                base = base.value
            bound |= {base.id} if isinstance(base, ast.Name) else set()
        nodes += ast.iter_child_nodes(node)
    return bound


def _used(text: str) -> set[str]:
    """Return the notebook's names that a statement uses, in its functions and classes too."""
    scopes, used = [symtable.symtable(text, "cell", "exec")], set()
    for scope in scopes:  # which grows
        top = scope.get_type() == "module"
        used |= {s.get_name() for s in scope.get_symbols() if s.is_referenced() and (top or s.is_global())}
        scopes += scope.get_children()
    return used


def _describe(number: int, error: Exception) -> str:
    what = error.msg if isinstance(error, SyntaxError) else "it cannot be read"
    line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
    return f"Code cell {number}{line} is not Python: {what[:200]}"
