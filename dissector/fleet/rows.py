"""What the tracer tells as rows of a dataset's tables; each event's record is that of ``render.records``."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from dissector.fleet.columns import TABLES, Converter, converter
from dissector.fleet.places import FilesOfRun
from dissector.model import Connection, Event, Exchange, Message, Problem, Task
from dissector.render.records import Records
from dissector.render.times import iso

#: Takes a table's name, a row, and about how many characters are in it.
Sink = Callable[[str, dict[str, Any], int], object]

_CONVERTERS: dict[str, list[tuple[str, Converter]]] = {
    table: [(column.name, converter(column.kind)) for column in columns] for table, columns in TABLES.items()
}


class RowsOfRun:
    """Makes rows of one point's events."""

    def __init__(self, point: str, records: Records, files: FilesOfRun, sink: Sink) -> None:
        self._point, self._records, self._files, self._sink = point, records, files, sink

    def add(self, event: Event) -> None:
        records = self._records
        if isinstance(event, Task):
            self._task(event, json.loads(text := records.task(event)), len(text))
        elif isinstance(event, Connection):
            self._connection(event, json.loads(text := records.connection(event)), len(text))
        elif isinstance(event, Problem):
            self._of_owner("problems", event, json.loads(text := records.problem(event)), len(text))
        elif isinstance(event, Message):
            self._of_owner("messages", event, json.loads(text := records.message(event)), len(text))
        else:
            self._of_owner("exchanges", event, json.loads(text := records.exchange(event)), len(text))

    def _task(self, task: Task, record: dict[str, Any], size: int) -> None:
        place = self._files.at(task.start, task.end)
        lines = record.pop("log")
        record["id"] = found = task_id(self._point, task)
        record["first_packet"] = task.first_packet - place.before
        record["last_packet"] = max([task.first_packet, *(one.last_packet for one in parts_of(task))]) - place.before
        record["files"] = place.files
        self._put("tasks", record, size)
        begin = record["start"]
        for line, told in zip(task.log, lines, strict=True):
            told |= {"task": found, "begin": begin, "packet": line.packet - place.before}
            self._put("log", told, len(told["text"]))

    def _connection(self, connection: Connection, record: dict[str, Any], size: int) -> None:
        place = self._files.at(connection.start, connection.end)
        record["id"] = _connection_id(self._point, connection)
        record["task"] = self._owner(connection.task)
        record["begin"] = iso(begin_of(connection))
        record["first_packet"] = connection.first_packet - place.before
        record["last_packet"] = max(connection.last_packet, connection.first_packet) - place.before
        record["files"] = place.files
        for alert in (record["tls"] or {}).get("alerts", ()):
            alert["packet"] -= place.before
        self._put("connections", record, size)

    def _of_owner(self, table: str, event: Problem | Message | Exchange, record: dict[str, Any], size: int) -> None:
        """A row that belongs to a task, or else to a connection; packets are numbered over the files of that."""
        owner, connection = event.task or event.connection, event.connection
        place = self._files.at(*((event.time,) * 2 if owner is None else (owner.start, max(owner.end, event.time))))
        record["packets"] = [number - place.before for number in record["packets"]]
        record["task"] = self._owner(event.task)
        record["connection"] = (
            _connection_id(self._point, connection) if connection is not None and connection.n else None
        )
        record["begin"] = iso(begin_of(event))
        record["files"] = place.files
        self._put(table, record, size)

    def _owner(self, task: Task | None) -> str | None:
        return task_id(self._point, task) if task is not None and task.n else None

    def _put(self, table: str, record: dict[str, Any], size: int) -> None:
        row = {name: convert(record[name]) for name, convert in _CONVERTERS[table]}
        self._sink(table, row, size)


def task_id(point: str, task: Task) -> str:
    """By where and when it was first seen; the rest of its facts may come later."""
    first = next((one for one in parts_of(task) if one.first_packet == task.first_packet), None)
    ends = sorted(map(str, (first.client, first.server))) if first is not None else [str(task.client)]
    return _id(point, "task", task.start, *ends)


def parts_of(task: Task) -> list[Connection]:
    """The connections that carry it, as far as they are known."""
    return [one for one in (task.command, task.callback, *task.carriers) if one is not None]


def _connection_id(point: str, connection: Connection) -> str:
    return _id(point, "connection", connection.start, connection.client, connection.server)


def _id(*parts: object) -> str:
    """Of what something begins with, so that it is the same in every run."""
    return blake2b(repr(parts).encode(), digest_size=7).hexdigest()


def begin_of(event: Event) -> int:
    """Start of its task, else of its connection: what belongs together is in one partition."""
    if isinstance(event, Task):
        return event.start
    if isinstance(event, Connection):
        return event.start if event.task is None else min(event.start, event.task.start)
    owner = event.task or event.connection
    return event.time if owner is None else begin_of(owner)
