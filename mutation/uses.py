"""What only the import of a module runs (constants, tables, defaults): which lines use it, and by which names?

Paths count from the current folder.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType

from mutation import FLOORS

#: Module and line.
Line = tuple[str, int]


def users(module: str, line: int) -> tuple[set[Line], set[str]]:
    """Lines inside of functions that use what the statement at this line makes, also by way of other constants; and
    the names of all these."""
    found: set[Line] = set()
    done: set[str] = set()
    todo = [_made(module, line)]
    while todo:
        names, own = todo.pop()
        found |= own
        for name in names - done:
            done.add(name)
            for where, at, is_import in _uses().get(name, ()):
                if is_import:
                    todo.append(_made(where, at))
                else:
                    found.add((where, at))
    return found, done


def names_in(code: CodeType) -> set[str]:
    """Globals and attributes that a function names."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*map(names_in, inner))


def _made(module: str, line: int) -> tuple[set[str], set[Line]]:
    """Names that the innermost statement at a line makes (of a field its class too, which has its default), and the
    lines of a function that begins there."""
    around, statement = _innermost(_tree(module), line)
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        last = statement.end_lineno or line
        return set(), {(module, at) for at in range(statement.body[0].lineno, last + 1)}
    if isinstance(statement, ast.ClassDef):
        return {statement.name}, set()
    stores = (node for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    return {node.id for node in stores} | ({around.name} if isinstance(around, ast.ClassDef) else set()), set()


def _innermost(node: ast.AST, line: int, around: ast.AST | None = None) -> tuple[ast.AST | None, ast.AST]:
    """What the statement at a line stands in, and the statement."""
    for child in ast.iter_child_nodes(node):
        begins = min((one.lineno for one in getattr(child, "decorator_list", ())), default=getattr(child, "lineno", 0))
        if isinstance(child, ast.stmt) and begins <= line <= (child.end_lineno or 0):
            is_function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
            return (node, child) if is_function else _innermost(child, line, node)
    return around, node


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(Path(module).read_text(encoding="utf-8"))


@cache
def _uses() -> dict[str, list[tuple[str, int, bool]]]:
    """Name -> module, line, and whether the import runs it, for all modules of the lower floors."""
    found = defaultdict(list)
    for floor in FLOORS:
        for path in sorted(Path("dissector", floor).glob("*.py")):
            for name, line, is_import in _read(_tree(path.as_posix()), is_import=True):
                found[name].append((path.as_posix(), line, is_import))
    return found


def _read(node: ast.AST, *, is_import: bool) -> Iterator[tuple[str, int, bool]]:
    """Names and attributes that are read below a node."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield node.id, node.lineno, is_import
    elif isinstance(node, ast.Attribute):
        yield node.attr, node.lineno, is_import
    body = node.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) else ()
    inside = body if isinstance(body, list) else [body]
    for child in ast.iter_child_nodes(node):
        yield from _read(child, is_import=is_import and child not in inside)
