"""SQL on a dataset, by DuckDB in this process: reading only, and nothing but the dataset's own files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from dissector.errors import ToolError, UsageError
from dissector.fleet.dataset import Dataset
from dissector.fleet.views import BRIEFS, of_files, quoted
from dissector.sources.remote import tells_times

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
        self._duck: Any = None

    def answer(self, sql: str, parameters: dict[str, object] | None = None) -> SqlAnswer:
        """:raises UsageError: it is no SELECT, or DuckDB does not take it"""
        with _refused():
            self._ask(sql, lambda: self._duck.execute(self._statement(sql), parameters or {}))
            return SqlAnswer([name for name, *_ in self._duck.description or ()], self._rows())

    def batches(self, sql: str, parameters: dict[str, object] | None = None) -> Any:
        """The same as a reader of pyarrow's record batches.

        :raises UsageError: as ``answer``
        """
        with _refused():
            return self._ask(
                sql, lambda: self._duck.sql(self._statement(sql), params=parameters).to_arrow_reader(_BATCH)
            )

    def _ask(self, sql: str, ask: Callable[[], Any]) -> Any:
        """A run of ``index`` may take files away that were there when the manifest was read."""
        try:
            self._duck = _connected(self._dataset, sql)
            return ask()
        except _GONE:
            if not self._dataset.read_anew():
                raise
            self._duck = _connected(self._dataset, sql)
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


def _connected(dataset: Dataset, sql: str) -> Any:
    """With the tables that a question names: to open those of months takes longer than to read them."""
    views = _views(dataset, sql)
    duck = duckdb.connect(":memory:", config=_CONFIG)
    allowed = quoted(path for files in views.values() for path in files or ())
    if dataset.storage.system is not None:
        duck.register_filesystem(_asked_for_times(dataset))
    duck.execute(f"SET allowed_paths = {allowed}")
    duck.execute("SET temp_directory = ''")
    duck.execute("SET enable_external_access = false")
    for table, files in views.items():
        duck.execute(f"CREATE VIEW {table} AS {BRIEFS[table].sql if files is None else of_files(table, files)}")
    duck.execute("SET lock_configuration = true")
    return duck


def _asked_for_times(dataset: Dataset) -> Any:
    """:raises UsageError: its file system does not say when a file was written, and DuckDB does not do without"""
    system = dataset.storage.system
    if not tells_times(system):
        reason = f"{dataset.name.partition(':')[0]} does not say when files were written"
        raise UsageError(f"{dataset.name}: {reason}, so copy the dataset to a folder")
    return system


def _views(dataset: Dataset, sql: str) -> dict[str, list[str] | None]:
    """The tables that are named, or all of them where none is, with their files; None: it is made of other ones."""
    words = sql.lower()
    tables = dataset.manifest.tables
    named = [table for table in (*tables, *BRIEFS) if table in words] or tables
    views: dict[str, list[str] | None] = {table: dataset.files(table) for table in named if table not in BRIEFS}
    for brief in (table for table in named if table in BRIEFS):
        files = dataset.files(brief) if dataset.has_briefs else []
        if not files:
            views = {**{table: dataset.files(table) for table in BRIEFS[brief].of}, **views}
        views[brief] = files or None
    return views


@contextmanager
def _refused() -> Iterator[None]:
    """What DuckDB does not take is wrong usage, in one line."""
    try:
        yield
    except duckdb.Error as error:
        raise UsageError(" ".join(str(error).split())) from None
