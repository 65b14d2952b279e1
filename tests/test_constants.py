"""Thresholds, caps and sizes stand in one place each: nobody writes the number of another module again."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "dissector"
FLOORS = ("session", "stream", "points", "limits.py", "ports.py", "numbers.py")
#: One name and one number for things that have nothing to do with each other, or a number of a format.
OTHERS = {
    "HEADER": "bytes of a length header, where the format is read or written",
    "ANSWER": "a letter of the format",
    "REQUESTS": "letters of the format",
    "MOST_KINDS": "two tables that are bounded alike by chance",
    "NOTHING": "the first of a list of states",
    "SECOND": "a unit",
    "OK": "a status of HTTP",
    "COMMAND_AT": "a place in the format, for different parts of it",
}


def modules(floors: tuple[str, ...] = FLOORS) -> Iterator[Path]:
    for floor in floors:
        yield from [PACKAGE / floor] if floor.endswith(".py") else sorted((PACKAGE / floor).rglob("*.py"))


def numbers(path: Path) -> Iterator[tuple[str, float]]:
    """Constants of a module that are numbers, without an underscore in front."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        for target in targets:
            assert isinstance(node, (ast.Assign, ast.AnnAssign))
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            for one, value in pairs:
                found = number_of(value)
                if isinstance(one, ast.Name) and one.id.isupper() and found is not None:
                    yield one.id.strip("_"), found


def number_of(node: ast.expr | None) -> float | None:
    """Of an expression of literals and ``SECOND``."""
    if node is None or any(not isinstance(one, ast.expr | ast.operator | ast.expr_context) for one in ast.walk(node)):
        return None
    names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    if names - {"SECOND"} or not all(
        isinstance(one, (ast.BinOp, ast.Constant, ast.Name, ast.operator, ast.expr_context)) for one in ast.walk(node)
    ):
        return None
    found = eval(compile(ast.Expression(node), "<constant>", "eval"), {"SECOND": 1_000_000_000})
    return found if isinstance(found, (int, float)) and not isinstance(found, bool) else None


def places() -> dict[tuple[str, float], list[str]]:
    found: dict[tuple[str, float], list[str]] = {}
    for path in modules():
        for one in numbers(path):
            found.setdefault(one, []).append(path.relative_to(PACKAGE).as_posix())
    return found


def test_a_number_has_one_place() -> None:
    twice = {name: where for (name, _), where in places().items() if len(where) > 1 and name not in OTHERS}
    assert twice == {}


def test_what_is_no_duplicate_is_one() -> None:
    """The list above has nothing that is not needed."""
    assert {name for (name, _), where in places().items() if len(where) > 1} <= set(OTHERS)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("piece", sorted((PACKAGE / "codegen" / "lua").glob("*.lua")), ids=lambda path: path.stem)
def test_the_plugin_takes_numbers_from_python(piece: Path) -> None:
    """A constant of a hand-written piece that has the name of one of Python's is that one."""
    known = {one for one in places() if one[1] > 1}
    line = re.compile(r"^ *local ([A-Z_]+(?:, [A-Z_]+)*) = ([0-9][^\n]*)", re.M)
    for names, values in line.findall(piece.read_text(encoding="utf-8")):
        written = zip(names.split(", "), values.partition("--")[0].split(", "), strict=False)
        numbers = [(name, float(value)) for name, value in written if value.strip().isdigit()]
        assert [one for one in numbers if one in known] == []
