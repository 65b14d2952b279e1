"""The two formats for programs: ``json`` (one object, written at the end) and ``jsonl`` (a record a line, at once).

What is written is ASCII (other characters are escaped) and therefore valid JSON in any locale.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

from dissector.model import CaptureInfo, Connection, Event, Exchange, Message, Problem, Task
from dissector.render.contract import SCHEMA
from dissector.render.records import Records

#: Seconds after which written lines must have reached the reader of a pipe.
_FLUSH_SECONDS = 0.2


class JsonView:
    """One object with everything, in the order of numbers; a record a line, so that ``grep`` is of use."""

    def __init__(self, out: TextIO, records: Records, messages: bool) -> None:
        self.wants_messages = messages
        self._out = out
        self._records = records
        self._tasks: list[Task] = []
        self._connections: list[Connection] = []
        self._problems: list[Problem] = []
        self._messages: list[Message] = []
        self._exchanges: list[Exchange] = []

    def add(self, event: Event) -> None:
        if isinstance(event, Message):
            self._messages.append(event)
        elif isinstance(event, Task):
            self._tasks.append(event)
        elif isinstance(event, Connection):
            self._connections.append(event)
        elif isinstance(event, Exchange):
            self._exchanges.append(event)
        else:
            self._problems.append(event)

    def close(self, captures: Sequence[CaptureInfo], seen: int | None = None) -> None:  # noqa: ARG002  a view's shape
        records, write = self._records, self._out.write
        self._tasks.sort(key=lambda task: task.n)
        self._connections.sort(key=lambda connection: connection.n)
        self._problems.sort(key=lambda problem: problem.time)
        self._messages.sort(key=lambda message: message.n)
        write(f'{{"schema": "{SCHEMA}"')
        self._list("captures", captures, records.capture)
        self._list("tasks", self._tasks, records.task)
        self._list("connections", self._connections, records.connection)
        self._list("problems", self._problems, records.problem)
        if self.wants_messages:
            self._list("messages", self._messages, records.message)
            self._exchanges.sort(key=lambda exchange: exchange.n)
            self._list("exchanges", self._exchanges, records.exchange)
        write("}\n")
        self._out.flush()

    def _list(self, key: str, items: Iterable[Any], record: Callable[[Any], str]) -> None:
        write = self._out.write
        write(f',\n "{key}": [')
        separator = "\n  "
        for item in items:
            write(separator + record(item))
            separator = ",\n  "
        write("]")


class JsonLinesView:
    """The same records, each written as soon as it is final."""

    def __init__(self, out: TextIO, records: Records, messages: bool) -> None:
        self.wants_messages = messages
        self._out = out
        self._records = records
        self._flushed = 0.0

    def add(self, event: Event) -> None:
        records = self._records
        if isinstance(event, Message):
            self._line("message", records.message(event))
        elif isinstance(event, Task):
            self._line("task", records.task(event))
        elif isinstance(event, Connection):
            self._line("connection", records.connection(event))
        elif isinstance(event, Exchange):
            self._line("exchange", records.exchange(event))
        else:
            self._line("problem", records.problem(event))

    def close(self, captures: Sequence[CaptureInfo], seen: int | None = None) -> None:  # noqa: ARG002  a view's shape
        for info in captures:
            self._line("capture", self._records.capture(info))
        self._out.flush()

    def flush(self) -> None:
        """What was written must reach the reader of a pipe."""
        self._out.flush()

    def _line(self, name: str, record: str) -> None:
        self.write(record_line(name, record))

    def write(self, line: str) -> None:
        self._out.write(line)
        now = time.monotonic()
        if now - self._flushed > _FLUSH_SECONDS:
            self._flushed = now
            self._out.flush()


def record_line(name: str, record: str) -> str:
    """A record of JSON lines, with what it is in front."""
    return f'{{"record": "{name}", {record[1:]}\n'
