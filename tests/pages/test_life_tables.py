"""The tables of a task's life on the page about the house are those of the program."""

from __future__ import annotations

from dissector.session.life import ANSWERS, CALLS, COMMANDS, JOINS, WATCHES
from handbook import lives


def page() -> str:
    return lives.TARGET.read_text(encoding="utf-8")


def test_the_page_has_the_tables_of_the_program() -> None:
    assert page() == lives.filled(page()), "python -m handbook life"


def test_every_edge_is_a_row() -> None:
    section = page().partition("<!-- life of a task -->")[2].partition("<!-- end -->")[0]
    machines = (COMMANDS, CALLS, JOINS, ANSWERS, WATCHES)
    edges = sum(len(edges) or 1 for machine in machines for edges in machine.values())
    assert len([line for line in section.splitlines() if line.startswith("|")]) == edges + 2 * len(machines)
