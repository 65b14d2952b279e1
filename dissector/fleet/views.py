"""What DuckDB is told of a dataset's files: the text of views on them, and of briefs.

A question about months opens thousands of files, a day and a point each, and opening takes longer than reading.  A
brief has what the ready-made questions ask for, or sums of a day, of all days of a point in one file, and is written
together with the tables that it is made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dissector.fleet.columns import PARTITIONS, TABLES
from dissector.reports.summary import FINE

#: Of a task, that it failed.
FAILED = f"outcome NOT IN ({', '.join(repr(outcome.value) for outcome in FINE)})"


class Brief(NamedTuple):
    """``sql`` makes it of the tables ``of``; a row belongs to one day and one point."""

    of: tuple[str, ...]
    sql: str


BRIEFS = {
    # What says more of a task is there of those that failed.
    "brief_tasks": Brief(
        ("tasks",),
        f"""
SELECT day, point, start, "end", duration, callback_delay, job, outcome, client.ip AS client, remote.ip AS remote,
  callback.port AS port, CASE WHEN {FAILED} THEN id END AS id, CASE WHEN {FAILED} THEN exit_code END AS exit_code,
  CASE WHEN {FAILED} THEN problems END AS problems
FROM tasks""",
    ),
    "brief_connections": Brief(
        ("connections",),
        """
SELECT day, point, client.ip AS client, server.ip AS server, count(*) AS connections, sum(packets)::BIGINT AS packets,
  sum(retransmissions)::BIGINT AS retransmissions, sum(gaps)::BIGINT AS gaps,
  count(*) FILTER (closed = 'rst') AS resets
FROM connections GROUP BY ALL""",
    ),
    "brief_problems": Brief(
        ("problems", "tasks"),
        f"""
SELECT day, point, remote, failed, code, severity, count(*) AS times, count(DISTINCT task) AS tasks,
  min(time) AS "first", max(time) AS "last"
FROM problems LEFT JOIN (SELECT id AS task, remote.ip AS remote, {FAILED} AS failed FROM tasks) USING (task)
GROUP BY ALL""",
    ),
}


def of_files(table: str, files: Sequence[str]) -> str:
    """All rows of files in their partitions."""
    if not files:
        return _nothing(table)
    kinds = {column.name: column.kind.sql for column in PARTITIONS}
    if table in BRIEFS:
        del kinds["day"]
    types = ", ".join(f"{name}: {kind}" for name, kind in kinds.items())
    names = "*" if table in BRIEFS else _names(table)
    return f"SELECT {names} FROM read_parquet({quoted(files)}, hive_partitioning = true, hive_types = {{{types}}})"


def of_new_files(table: str, begin: str, files: Sequence[str]) -> str:
    """All rows of files that lie in no partition yet, of one point."""
    if not files:
        return _nothing(table)
    return f"SELECT {begin}::DATE AS day, NULL::VARCHAR AS point, * FROM read_parquet({quoted(files)})"


def quoted(texts: Iterable[str]) -> str:
    """A list."""
    return "[" + ", ".join("'" + text.replace("'", "''") + "'" for text in texts) + "]"


def _nothing(table: str) -> str:
    columns = ", ".join(f'NULL::{column.kind.sql} AS "{column.name}"' for column in (*PARTITIONS, *TABLES[table]))
    return f"SELECT {columns} WHERE false"


def _names(table: str) -> str:
    return ", ".join(f'"{column.name}"' for column in (*PARTITIONS, *TABLES[table]))
