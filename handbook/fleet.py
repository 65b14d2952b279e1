"""The tables of ``docs/fleet.md``: every column of a dataset, as ``dissector.fleet.columns`` has them."""

from __future__ import annotations

import re
from pathlib import Path

from dissector.fleet.columns import ABOUT, PARTITIONS, TABLES, TableColumn
from handbook.markdown import code, plain

TARGET = Path(__file__).resolve().parents[1] / "docs" / "fleet.md"
_PLACE = re.compile(r"(<!-- columns -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str) -> str:
    """The page with its tables made anew."""
    tables = "".join(
        f"\n### {table}\n\n{_sentence(ABOUT[table])}\n\n{_table(columns)}" for table, columns in TABLES.items()
    )
    return _PLACE.sub(lambda match: f"{match[1]}{tables}\n{match[2]}", page)


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _table(columns: tuple[TableColumn, ...]) -> str:
    rows = [
        f"| {code(one.name)} | {code(one.kind.sql.replace(chr(34), ''))} | {plain(one.text)} |"
        for one in (*PARTITIONS, *columns)
    ]
    return "\n".join(("| column | type | |", "|---|---|---|", *rows, ""))
