"""Answers as people and programs read them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from dissector.fleet.columns import ABOUT, PARTITIONS, TABLES
from dissector.fleet.query import SqlAnswer
from dissector.fleet.questions import QUESTIONS
from dissector.render.text import escape, fold, harmless_cell

FORMS = ("table", "csv", "json", "parquet")
#: Characters of a cell of a table; the other formats have all.
_WIDTH = 60

Write = Callable[[str], object]


def write_table(answer: SqlAnswer, write: Write) -> None:
    """Columns under their names; control characters are escaped."""
    rows = [[_cell(value) for value in row] for row in answer.rows]
    _aligned(answer.columns, rows, _numeric(rows), write)


def write_csv(answer: SqlAnswer, write: Write) -> None:
    """Times are ISO 8601 in UTC; what a spreadsheet would take for a formula has an apostrophe in front."""
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\n")
    for row in _with_head(answer):
        writer.writerow(row)
        write(line.getvalue())
        line.seek(0)
        line.truncate()


def write_json(answer: SqlAnswer, write: Write) -> None:
    """A list of objects, each on a line."""
    before = "[\n "
    for row in answer.rows:
        write(before + json.dumps({name: _value(value) for name, value in zip(answer.columns, row, strict=True)}))
        before = ",\n "
    write("\n]\n" if before != "[\n " else "[]\n")


def write_questions(write: Write) -> None:
    widest = max(map(len, QUESTIONS))
    for name, question in QUESTIONS.items():
        write(f"{name:<{widest}}  {question.text}\n")


def write_columns(tables: Iterable[str], write: Write) -> None:
    """Each table with its columns, their types in DuckDB, and what they say."""
    for number, table in enumerate(tables):
        write(f"{'' if number == 0 else chr(10)}{table}: {ABOUT[table]}\n")
        for column in (*PARTITIONS, *TABLES[table]):
            write(f"  {column.name}  {column.kind.sql.replace(chr(34), '')}\n")
            if column.text:
                write(f"      {column.text}\n")


def _with_head(answer: SqlAnswer) -> Iterator[list[Any]]:
    yield [harmless_cell(name) for name in answer.columns]
    for row in answer.rows:
        yield [harmless_cell(value) if isinstance(value, str) else value for value in map(_flat, row)]


def _flat(value: Any) -> Any:
    """Objects and lists are their JSON."""
    value = _value(value)
    return json.dumps(value) if isinstance(value, (list, dict)) else value


def _value(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    if isinstance(value, (list, tuple)):
        return [_value(one) for one in value]
    if isinstance(value, dict):
        return {str(name): _value(one) for name, one in value.items()}
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and value - value != 0:  # infinities and NaN are no JSON
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value):
        value = " ".join(value)
    text = value if isinstance(value, str) else str(_flat(value))
    return escape(fold(text, _WIDTH))


def _numeric(rows: list[list[str]]) -> Callable[[int], bool]:
    def is_numeric(at: int) -> bool:
        cells = [row[at] for row in rows if row[at]]
        return bool(cells) and all(cell.replace(".", "", 1).replace("-", "", 1).isdecimal() for cell in cells)

    return is_numeric


def _aligned(columns: list[str], rows: list[list[str]], is_numeric: Callable[[int], bool], write: Write) -> None:
    heads = [escape(name) for name in columns]
    widths = [max([len(head), *(len(row[at]) for row in rows)]) for at, head in enumerate(heads)]
    right = [is_numeric(at) for at in range(len(heads))]
    for row in [heads, *rows]:
        cells = zip(row, widths, right, strict=True)
        line = "  ".join(cell.rjust(width) if to_right else cell.ljust(width) for cell, width, to_right in cells)
        write(line.rstrip() + "\n")
