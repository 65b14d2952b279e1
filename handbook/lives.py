"""The tables of a task's life in ``docs/architecture.md``, as ``dissector.session.life`` has them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dissector.session.life import ANSWERS, CALLS, COMMANDS, JOINS, WATCHES, Machine
from handbook.markdown import plain

TARGET = Path(__file__).resolve().parents[1] / "docs" / "architecture.md"
_TABLES = re.compile(r"(<!-- life of a task -->\n).*?(<!-- end -->)", re.DOTALL)
_MACHINES: tuple[tuple[str, str, Machine[Any]], ...] = (
    ("COMMANDS", "a task on its command connection", COMMANDS),
    ("CALLS", "a connection to the announced port", CALLS),
    ("JOINS", "a task by its callback", JOINS),
    ("ANSWERS", "whether what decides was captured", ANSWERS),
    ("WATCHES", "whether a task is looked at", WATCHES),
)


def filled(page: str) -> str:
    """The page with its tables made anew."""
    tables = "\n".join(_table(*one) for one in _MACHINES)
    return _TABLES.sub(lambda match: f"{match[1]}\n{tables}\n{match[2]}", page)


def _table(name: str, title: str, machine: Machine[Any]) -> str:
    rows = [f"| `{name}`: {title} | what happens | and then |", "|---|---|---|"]
    for state, edges in machine.items():
        cells = [(event.value, "stays" if behind is state else behind.value) for event, behind in edges.items()]
        for number, (event, behind) in enumerate(cells or [("", "")]):
            rows.append(f"| {plain(state.value) if not number else ''} | {plain(event)} | {plain(behind)} |")
    return "\n".join([*rows, ""])
