"""Writes briefs (see ``views``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dissector.errors import ToolError
from dissector.fleet.columns import BEGINS
from dissector.fleet.parquet import Written, sealed, write_brief
from dissector.fleet.views import BRIEFS, of_new_files, quoted
from dissector.sources.remote import RemoteFile, alone, is_remote

try:
    import duckdb
except ImportError:
    raise ToolError("this needs pyarrow and duckdb: pip install 'jstrace[fleet]'") from None

#: Rows of a row group: there are a few columns.
_ROWS = 65_536
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "memory_limit": "100MB",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def brief_files(folder: Path, made: Sequence[Written], before: Iterable[tuple[str, str]], day: str) -> list[Written]:
    """The briefs of a point: of days before ``day`` (ISO) what ``before`` has, its briefs by tables and paths, of the
    others what is in the files ``made``."""
    files = defaultdict[str, list[str]](list)
    for one in made:
        files[one.table].append(one.path)
    old = dict(before)
    with _duck(folder, old.values()) as duck:
        for table, begin in BEGINS.items():
            duck.execute(f"CREATE VIEW {table} AS {of_new_files(table, begin, files[table])}")
        found = []
        for table, brief in BRIEFS.items():
            parts = [f"FROM {_old(old[table])} WHERE day < '{day}'"] if table in old else []
            if files[brief.of[0]]:
                parts.append(f"SELECT * EXCLUDE (point) FROM ({brief.sql}) ORDER BY ALL")
            found += _written(duck, parts, table, folder)
        return found


def shortened(folder: Path, table: str, path: str, day: str) -> list[Written]:
    """A brief without what began up to ``day`` (ISO); nothing where nothing is left."""
    with _duck(folder, [path]) as duck:
        return _written(duck, [f"FROM {_old(path)} WHERE day > '{day}'"], table, folder)


def _duck(folder: Path, paths: Iterable[str]) -> Any:
    """That opens these files as well."""
    duck = duckdb.connect(":memory:", config=_CONFIG)
    if (url := next(filter(is_remote, paths), None)) is not None:  # all are of one file system
        duck.register_filesystem(RemoteFile.at(url).system)
    duck.execute(f"SET temp_directory = {quoted([str(folder / 'spilt')])[1:-1]}")
    return duck


def _old(path: str) -> str:
    return f"read_parquet({quoted([alone(path)])}, hive_partitioning = false)"


def _written(duck: Any, selects: Sequence[str], table: str, folder: Path) -> list[Written]:
    """The rows of all ``selects``, one behind the other."""
    path = folder / table
    readers = [duck.cursor().sql(select).to_arrow_reader(_ROWS) for select in selects]
    rows = write_brief(path, readers) if readers else 0
    if not rows:
        return []
    size, digest = sealed(path)
    return [Written(table, "", str(path), rows, size, "", digest)]
