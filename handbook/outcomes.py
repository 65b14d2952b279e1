"""The page of outcomes: the tables of ``session/outcomes.py`` and ``agent_outcomes.py``, row by row, and what their
conditions mean."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple

from dissector.session import agent_outcomes, outcomes
from handbook.markdown import code, plain


class Table(NamedTuple):
    module: ModuleType
    name: str
    title: str


class Line(NamedTuple):
    """A row as it is written, with the remark that stands above it: ``conditions`` are ``name`` or ``no(name)``."""

    outcome: str
    conditions: tuple[str, ...]
    remark: str


_TABLES = (
    Table(outcomes, "OUTCOMES", "Tasks at a remote scheduler"),
    Table(agent_outcomes, "AGENT_OUTCOMES", "Tasks on a Universal Agent"),
)


def outcome_page() -> str:
    """What decides how a task ended."""
    found = ["# Outcomes", ""]
    for table in _TABLES:
        found += [f"## {table.title}", "", *_lines(table)]
    return "\n".join([*found, "## Conditions", "", *_conditions()]) + "\n"


def rows(table: Table) -> Iterator[Line]:
    """The rows of the source; comments are in the source alone."""
    text = inspect.getsource(table.module)
    lines = text.splitlines()
    for node in _source(text, table.name).elts:
        assert isinstance(node, ast.Call)
        outcome, *when = node.args
        conditions = when[0].elts if when and isinstance(when[0], ast.Tuple) else []
        remark = lines[node.lineno - 2].strip()
        yield Line(
            ast.unparse(outcome).rpartition(".")[2].lower(),
            tuple(map(ast.unparse, conditions)),
            remark.removeprefix("# ") if remark.startswith("# ") else "",
        )


def _source(text: str, name: str) -> ast.Tuple:
    for node in ast.parse(text).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name and isinstance(node.value, ast.Tuple):
            return node.value
    raise LookupError(f"there is no {name}")


def _lines(table: Table) -> Iterator[str]:
    for part in (inspect.getdoc(table.module) or "").split("\n\n"):
        yield from (part.replace("``", "`"), "")
    yield from ("| outcome | when all of this holds | |", "|---|---|---|")
    for one in rows(table):
        yield f"| `{one.outcome}` | {', '.join(map(_condition, one.conditions)) or 'otherwise'} | {plain(one.remark)} |"
    yield ""


def _conditions() -> Iterator[str]:
    known: dict[str, object] = {}
    for table in _TABLES:
        for name in (_name(condition) for one in rows(table) for condition in one.conditions):
            known.setdefault(name, getattr(table.module, name))
    for name, condition in known.items():
        words = inspect.getdoc(condition) or ""
        yield from (f"### {name}", "", plain(" ".join(words.replace("``", "").split())) or code(_body(condition)), "")


def _name(condition: str) -> str:
    return condition.removeprefix("no(").removesuffix(")")


def _condition(condition: str) -> str:
    """A link to what it means."""
    name = _name(condition)
    return f"{'not ' if condition != name else ''}[{code(name)}](#{name})"


def _body(condition: object) -> str:
    """What a condition without words asks for."""
    assert inspect.isfunction(condition)
    (function,) = ast.parse(inspect.getsource(condition)).body
    assert isinstance(function, ast.FunctionDef)
    return ast.unparse(function.body[-1]).removeprefix("return ")
