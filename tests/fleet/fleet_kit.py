"""Datasets for the tests: a small archive of rings that are cut in mid-task, and how a dataset is read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("duckdb")

from benchmarks.archive import Played, Size, make
from dissector.fleet.captures import places_of
from dissector.fleet.dataset import Dataset
from dissector.fleet.index import Indexed, index
from dissector.fleet.query import Asking
from dissector.fleet.tracing import HowToTrace
from dissector.fleet.views import BRIEFS

HOW = HowToTrace((4444, 4455), (50_000, 59_999), messages=False)
SMALL = Size(hosts=2, days=2, tasks=40, captures=10)


def archive(folder: Path, size: Size = SMALL) -> list[Played]:
    return make(folder, size)


def indexed(
    out: Path, *paths: Path, how: HowToTrace = HOW, names: dict[str, str] | None = None, **extra: Any
) -> Indexed:
    return index(Dataset(str(out)), places_of(map(str, paths), names or {}), how, **extra)


def rows(out: Path, sql: str, parameters: dict[str, object] | None = None) -> list[tuple[Any, ...]]:
    return list(Asking(Dataset.existing(str(out))).answer(sql, parameters).rows)


def whole(out: Path, *, files: bool = True) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in a dataset, in an order of its own."""
    found = {}
    for table in Dataset.existing(str(out)).manifest.tables:
        without = "" if files or table not in ("tasks", "connections", "problems") else "EXCLUDE (files)"
        found[table] = sorted(rows(out, f"SELECT * {without} FROM {table}"), key=repr)
    check_briefs(out)
    return found


def check_briefs(out: Path) -> None:
    """They say what the tables say."""
    assert Dataset.existing(str(out)).has_briefs
    for name, brief in BRIEFS.items():
        told, made = rows(out, f"FROM {name}"), rows(out, f"SELECT * EXCLUDE (point), point FROM ({brief.sql})")
        assert sorted(told, key=repr) == sorted(made, key=repr), name


def as_made(played: Iterable[Played]) -> list[tuple[str, int, str, str]]:
    """Tasks as their maker lists them; a capture has microseconds."""
    return sorted((one.point, one.start // 1000, one.job, one.outcome) for one in played)


def as_indexed(out: Path) -> list[tuple[str, int, str, str]]:
    return sorted(rows(out, "SELECT point, epoch_us(start), job, outcome FROM tasks"))


def read_bytes(out: Path) -> dict[str, bytes]:
    """The dataset byte by byte."""
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
