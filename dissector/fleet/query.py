"""SQL on a dataset, by DuckDB in this process: reading only, and nothing but the dataset's own files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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

#: What DuckDB says of a file that is not there: it looks for a folder of that name, which it may not.
_GONE = (duckdb.IOException, duckdb.PermissionException)

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
        self._dataset = dataset
        with _refused():
            self._duck = self._opened()

    def _opened(self) -> Any:
        try:
            return _connected(self._dataset)
        except _GONE:
            if not self._dataset.read_anew():
                raise
            return _connected(self._dataset)

    def answer(self, sql: str, parameters: dict[str, object] | None = None) -> SqlAnswer:
        """:raises UsageError: it is no SELECT, or DuckDB does not take it"""
        with _refused():
            self._again_if_changed(lambda: self._duck.execute(self._statement(sql), parameters or {}))
            return SqlAnswer([name for name, *_ in self._duck.description or ()], self._rows())

    def batches(self, sql: str, parameters: dict[str, object] | None = None) -> Any:
        """The same as a reader of pyarrow's record batches.

        :raises UsageError: as ``answer``
        """
        with _refused():
            return self._again_if_changed(
                lambda: self._duck.sql(self._statement(sql), params=parameters).to_arrow_reader(_BATCH)
            )

    def _again_if_changed(self, ask: Callable[[], Any]) -> Any:
        """A run of ``index`` may take files away that were there when the manifest was read."""
        try:
            return ask()
        except _GONE:
            if not self._dataset.read_anew():
                raise
            self._duck = _connected(self._dataset)
            return ask()

    def _statement(self, sql: str) -> Any:
        statements = self._duck.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise UsageError("a dataset is asked by one SELECT and nothing else")
        return statements[0]

    def _rows(self) -> Iterator[ResultRow]:
        with _refused():
            while rows := self._duck.fetchmany(_BATCH):
                yield from rows


def _connected(dataset: Dataset) -> Any:
    duck = duckdb.connect(":memory:", config=_CONFIG)
    tables = dataset.manifest.tables
    files = {table: dataset.files(table) for table in tables}
    allowed = _list(path for paths in files.values() for path in paths)
    duck.execute(f"SET allowed_paths = {allowed}")
    duck.execute("SET temp_directory = ''")
    duck.execute("SET enable_external_access = false")
    for table in tables:
        duck.execute(f"CREATE VIEW {table} AS {_select(table, files[table])}")
    duck.execute("SET lock_configuration = true")
    return duck


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
