"""The page of outcomes: the table of ``session/outcomes.py``, row by row, and what its conditions mean."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import NamedTuple

from dissector.session import outcomes
from handbook.markdown import code, plain

_TABLE = "OUTCOMES"


class Line(NamedTuple):
    """A row as it is written, with the remark that stands above it: ``conditions`` are ``name`` or ``no(name)``."""

    outcome: str
    conditions: tuple[str, ...]
    remark: str


def outcome_page() -> str:
    """What decides how a task ended."""
    return "\n".join(_lines()) + "\n"


def rows() -> Iterator[Line]:
    """The rows of the source; comments are in the source alone."""
    text = inspect.getsource(outcomes)
    lines = text.splitlines()
    for node in _table(text).elts:
        assert isinstance(node, ast.Call)
        outcome, *when = node.args
        conditions = when[0].elts if when and isinstance(when[0], ast.Tuple) else []
        remark = lines[node.lineno - 2].strip()
        yield Line(
            ast.unparse(outcome).rpartition(".")[2].lower(),
            tuple(map(ast.unparse, conditions)),
            remark.removeprefix("# ") if remark.startswith("# ") else "",
        )


def _table(text: str) -> ast.Tuple:
    for node in ast.parse(text).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == _TABLE and isinstance(node.value, ast.Tuple):
            return node.value
    raise LookupError(f"{outcomes.__name__} has no {_TABLE}")


def _lines() -> Iterator[str]:
    yield from ("# Outcomes", "")
    for part in (inspect.getdoc(outcomes) or "").split("\n\n"):
        yield from (part.replace("``", "`"), "")
    yield from ("| outcome | when all of this holds | |", "|---|---|---|")
    for one in rows():
        yield f"| `{one.outcome}` | {', '.join(map(_condition, one.conditions)) or 'otherwise'} | {plain(one.remark)} |"
    yield from ("", "## Conditions", "")
    for name in dict.fromkeys(_name(condition) for one in rows() for condition in one.conditions):
        words = inspect.getdoc(getattr(outcomes, name)) or ""
        yield from (f"### {name}", "", plain(" ".join(words.replace("``", "").split())) or code(_body(name)), "")


def _name(condition: str) -> str:
    return condition.removeprefix("no(").removesuffix(")")


def _condition(condition: str) -> str:
    """A link to what it means."""
    name = _name(condition)
    return f"{'not ' if condition != name else ''}[{code(name)}](#{name})"


def _body(name: str) -> str:
    """What a condition without words asks for."""
    (function,) = ast.parse(inspect.getsource(getattr(outcomes, name))).body
    assert isinstance(function, ast.FunctionDef)
    return ast.unparse(function.body[-1]).removeprefix("return ")
