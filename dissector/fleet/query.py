"""SQL on a dataset, by DuckDB in this process: reading only, and nothing but the dataset's own files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from dissector.errors import ToolError, UsageError
from dissector.fleet.columns import PARTITIONS, TABLES
from dissector.fleet.dataset import Dataset

try:
    import duckdb
except ImportError:
    raise ToolError("this needs pyarrow and duckdb: pip install 'jstrace[fleet]'") from None

#: Rows that are in memory at once.
_BATCH = 2_000
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}

ResultRow = tuple[Any, ...]


class SqlAnswer(NamedTuple):
    """``rows`` come as they are asked for."""

    columns: list[str]
    rows: Iterator[ResultRow]


class Asking:
    """Answers questions about a dataset; what is asked may come from anybody.

    DuckDB itself opens the Parquet files that the manifest names and no others (``allowed_paths``), loads nothing, and
    its settings can not be changed any more when the first question comes; what is no single SELECT is not begun, so
    nothing is written.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._duck = duckdb.connect(":memory:", config=_CONFIG)
        tables = dataset.manifest.tables
        files = {table: dataset.files(table) for table in tables}
        allowed = _list(path for paths in files.values() for path in paths)
        self._duck.execute(f"SET allowed_paths = {allowed}")
        self._duck.execute("SET temp_directory = ''")
        self._duck.execute("SET enable_external_access = false")
        for table in tables:
            self._duck.execute(f"CREATE VIEW {table} AS {_select(table, files[table])}")
        self._duck.execute("SET lock_configuration = true")

    def answer(self, sql: str, parameters: dict[str, object] | None = None) -> SqlAnswer:
        """:raises UsageError: it is no SELECT, or DuckDB does not take it"""
        statement = self._statement(sql)
        with _refused():
            duck = self._duck.execute(statement, parameters or {})
            return SqlAnswer([name for name, *_ in duck.description or ()], self._rows())

    def batches(self, sql: str, parameters: dict[str, object] | None = None) -> Any:
        """The same as a reader of pyarrow's record batches.

        :raises UsageError: as ``answer``
        """
        statement = self._statement(sql)
        with _refused():
            return self._duck.sql(statement, params=parameters).to_arrow_reader(_BATCH)

    def _statement(self, sql: str) -> Any:
        with _refused():
            statements = self._duck.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise UsageError("a dataset is asked by one SELECT and nothing else")
        return statements[0]

    def _rows(self) -> Iterator[ResultRow]:
        with _refused():
            while rows := self._duck.fetchmany(_BATCH):
                yield from rows


@contextmanager
def _refused() -> Iterator[None]:
    """What DuckDB does not take is wrong usage, in one line."""
    try:
        yield
    except duckdb.Error as error:
        raise UsageError(" ".join(str(error).split())) from None


def _select(table: str, files: Sequence[str]) -> str:
    columns = [*PARTITIONS, *TABLES[table]]
    if not files:
        nothing = ", ".join(f'NULL::{column.kind.sql} AS "{column.name}"' for column in columns)
        return f"SELECT {nothing} WHERE false"
    names = ", ".join(f'"{column.name}"' for column in columns)
    types = ", ".join(f"{column.name}: {column.kind.sql}" for column in PARTITIONS)
    return f"SELECT {names} FROM read_parquet({_list(files)}, hive_partitioning = true, hive_types = {{{types}}})"


def _list(texts: Any) -> str:
    return "[" + ", ".join("'" + text.replace("'", "''") + "'" for text in texts) + "]"
