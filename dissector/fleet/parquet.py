"""Rows into Parquet files: a file for each table and day, written row group by row group, so memory stays small."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import date, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from dissector.errors import ToolError
from dissector.fleet.columns import BEGINS, LIST, SCHEMA, STRUCT, TABLES, TIME, ColumnKind
from dissector.render.contract import SCHEMA as CONTRACT
from dissector.sources.bytestream import open_file

try:
    import pyarrow
    from pyarrow import parquet
except ImportError:
    raise ToolError("this needs pyarrow and duckdb: pip install 'jstrace[fleet]'") from None

#: Rows of a row group, and characters of their texts, at most.
_ROWS, _CHARACTERS = 8_192, 4 << 20
#: Days of one table that are written at once; tasks end about in the order in which they begin.
_DAYS = 3
_BLOCK = 1 << 20
#: Of zstd.  Files are small, so it costs next to nothing beside tracing.
_LEVEL = 19
_SCALARS = {
    "VARCHAR": pyarrow.string(),
    "JSON": pyarrow.string(),
    "BIGINT": pyarrow.int64(),
    "DOUBLE": pyarrow.float64(),
    "BOOLEAN": pyarrow.bool_(),
    "TIMESTAMP": pyarrow.timestamp("us"),
    "DATE": pyarrow.date32(),
}

Row = dict[str, Any]


def arrow_type(kind: ColumnKind) -> Any:
    if kind.word == LIST:
        return pyarrow.list_(arrow_type(kind.parts[0][1]))
    if kind.word == STRUCT:
        return pyarrow.struct([(name, arrow_type(part)) for name, part in kind.parts])
    return _SCALARS[kind.word]


def schema(table: str) -> Any:
    """Of a table's files, which say in their metadata what they follow."""
    fields = [(column.name, arrow_type(column.kind)) for column in TABLES[table]]
    return pyarrow.schema(fields, metadata={"jstrace": SCHEMA, "records": CONTRACT})


def _stepping(table: str) -> dict[str, str]:
    """Columns that grow from row to row, about, or fall as systems and schedulers choose ports: the steps are short."""
    names = [column.name for column in TABLES[table] if column.kind.word == TIME or "packet" in column.name]
    ports = [path for column in TABLES[table] for path in _leaves(column.kind, column.name) if path.endswith(".port")]
    return {name: "DELTA_BINARY_PACKED" for name in (*names, *ports) if name != "packets"}


def _leaves(kind: ColumnKind, path: str) -> Iterator[str]:
    """The columns that a column is kept as."""
    if kind.word == LIST:
        yield from _leaves(kind.parts[0][1], f"{path}.list.element")
    elif kind.word == STRUCT:
        for name, part in kind.parts:
            yield from _leaves(part, f"{path}.{name}")
    else:
        yield path


def _repeating(table: str) -> list[str]:
    """The other columns, in which values come again; ids do not."""
    stepping = _stepping(table)
    leaves = (path for column in TABLES[table] for path in _leaves(column.kind, column.name))
    return [path for path in leaves if path not in stepping and path != "id"]


class Written(NamedTuple):
    """A whole file under a name of its own: what it holds, the last ``begin`` of its rows, and its digest."""

    table: str
    day: str
    path: str
    rows: int
    size: int
    last: str
    digest: str


class DayFiles:
    """Writes rows to files in ``folder``, which is this writer's own; ``close`` gives them all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[tuple[str, date], _DayFile] = {}
        self._done: list[Written] = []

    def add(self, table: str, row: Row, characters: int) -> None:
        """``characters``: about how long the row is."""
        day = row[BEGINS[table]].date()
        file = self._open.get((table, day))
        if file is None:
            self._make_room(table)
            path = self._folder / f"{len(self._done) + len(self._open)}.{table}"
            file = self._open[table, day] = _DayFile(table, day, path)
        file.add(row, characters)

    def _make_room(self, table: str) -> None:
        days = [day for name, day in self._open if name == table]
        if len(days) >= _DAYS:
            self._done.append(self._open.pop((table, min(days))).close())

    def close(self) -> list[Written]:
        self._done += [file.close() for file in self._open.values()]
        self._open.clear()
        return self._done


class _DayFile:
    def __init__(self, table: str, day: date, path: Path) -> None:
        self._table, self._day, self._path = table, day, path
        self._schema = schema(table)
        self._writer: Any = parquet.ParquetWriter(
            path,
            self._schema,
            compression="zstd",
            compression_level=_LEVEL,
            write_statistics=[BEGINS[table]],
            use_dictionary=_repeating(table),
            column_encoding=_stepping(table),
            store_schema=False,
            data_page_version="2.0",
        )
        self._rows: list[Row] = []
        self._characters = self._count = 0
        self._last = datetime.min

    def add(self, row: Row, characters: int) -> None:
        self._rows.append(row)
        self._characters += characters
        self._last = max(self._last, row[BEGINS[self._table]])
        if len(self._rows) >= _ROWS or self._characters >= _CHARACTERS:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_batch(pyarrow.RecordBatch.from_pylist(self._rows, self._schema))
            self._count += len(self._rows)
            self._rows, self._characters = [], 0

    def close(self) -> Written:
        self._flush()
        self._writer.close()
        size, digest = sealed(self._path)
        last = self._last.isoformat(timespec="microseconds")
        return Written(self._table, self._day.isoformat(), str(self._path), self._count, size, last, digest)


def sealed(path: Path) -> tuple[int, str]:
    """Size and digest of a file that is on the disk, for certain."""
    digest, size = blake2b(digest_size=10), 0
    with path.open("rb+") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
        os.fsync(file.fileno())
    return size, digest.hexdigest()


def rows_of(path: str, columns: list[str] | None = None) -> Iterator[Row]:
    """The rows of a file, a row group in memory at a time."""
    with open_file(path) as opened, closing(parquet.ParquetFile(opened)) as file:
        for batch in file.iter_batches(columns=columns):
            yield from batch.to_pylist()


class _Sink(io.RawIOBase):
    """What pyarrow writes to."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write, self._at = write, 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        self._write(bytes(data))
        self._at += len(data)
        return len(data)


def write_batches(batches: Any, write: Callable[[bytes], object]) -> None:
    """A whole file, of a reader of record batches."""
    with parquet.ParquetWriter(_Sink(write), batches.schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)


def write_brief(path: Path, readers: Sequence[Any]) -> int:
    """A file of readers of record batches alike, one behind the other; how many rows it has."""
    columns, rows = readers[0].schema, 0
    stepping = [field.name for field in columns if pyarrow.types.is_timestamp(field.type)]
    repeating = [
        f"{field.name}.list.element" if pyarrow.types.is_list(field.type) else field.name
        for field in columns
        if field.name not in stepping
    ]
    with parquet.ParquetWriter(
        path,
        columns.with_metadata({"jstrace": SCHEMA}),
        compression="zstd",
        compression_level=_LEVEL,
        write_statistics=False,
        use_dictionary=repeating,
        column_encoding=dict.fromkeys(stepping, "DELTA_BINARY_PACKED"),
        store_schema=False,
        data_page_version="2.0",
    ) as writer:
        for reader in readers:
            for batch in reader:
                writer.write_batch(batch.cast(columns))
                rows += batch.num_rows
    return rows
