"""The tables of a dataset and their columns, made of the output contract: what ``read`` prints as JSON, a record a row.

A record's numbers count within one run of ``read``, and a dataset is made by many; so ``n`` is left out of tasks and
connections, and what refers to one of them has its ``id``.  Objects stay objects (``remote.ip``), lists stay lists;
what may be anything (an argument, a body) is its JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, is_typeddict

from dissector.render import contract
from dissector.render.schema import hints

#: Of the columns and of how files lie in the dataset; it changes where one is removed or gets another meaning.
SCHEMA = "jstrace-fleet/1"

TEXT, WHOLE, FLOAT, TRUTH, TIME, JSON = "VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN", "TIMESTAMP", "JSON"
LIST, STRUCT = "LIST", "STRUCT"
_SCALARS = {str: TEXT, int: WHOLE, float: FLOAT, bool: TRUTH, object: JSON}
_WHOLE_END = 1 << 63


class ColumnKind(NamedTuple):
    """What a column holds.  ``parts``: of a STRUCT its members by their names, of a LIST its items under no name."""

    word: str
    parts: tuple[tuple[str, ColumnKind], ...] = ()

    @property
    def sql(self) -> str:
        """As DuckDB calls it."""
        if self.word == LIST:
            return f"{self.parts[0][1].sql}[]"
        if self.word == STRUCT:
            members = ", ".join(f'"{name}" {kind.sql}' for name, kind in self.parts)
            return f"STRUCT({members})"
        return TEXT if self.word == JSON else self.word


class TableColumn(NamedTuple):
    name: str
    kind: ColumnKind
    text: str


_TEXT, _TIME, _WHOLE = ColumnKind(TEXT), ColumnKind(TIME), ColumnKind(WHOLE)
_ID = TableColumn("id", _TEXT, "the same whenever and with whatever other files it is indexed")
_TASK = TableColumn("task", _TEXT, "id of its task")
_CONNECTION = TableColumn("connection", _TEXT, "id of its connection")
_BEGIN = TableColumn("begin", _TIME, "start of its task, else of its connection: by this it belongs to a day")
_FILES = TableColumn(
    "files",
    ColumnKind(LIST, (("", _TEXT),)),
    "capture files of its time; packets are numbered over these, as read numbers them",
)
#: What partitions say; every view has them in front.
PARTITIONS = (
    TableColumn("day", ColumnKind("DATE"), "in UTC, on which its task (else its connection) began"),
    TableColumn("point", _TEXT, "place of capture"),
)


def _columns(record: Any, before: tuple[TableColumn, ...], left_out: tuple[str, ...] = ()) -> tuple[TableColumn, ...]:
    own = {column.name for column in before}
    found = [TableColumn(key, kind_of(kind), _note(kind)) for key, kind in hints(record).items()]
    return (*before, *(column for column in found if column.name not in own and column.name not in left_out))


def kind_of(kind: Any) -> ColumnKind:
    """The kind of column for a type of the contract.

    :raises TypeError: there is none
    """
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _TIME if contract.MOMENT in parts else kind_of(parts[0])
    if origin is Literal:
        return _TEXT
    if origin in (Union, UnionType):
        some = [part for part in parts if part is not NoneType]
        return kind_of(some[0]) if len(some) == 1 else ColumnKind(JSON)
    if kind is contract.ValueRecord:  # holds values again
        return ColumnKind(JSON)
    if origin is list:
        inner = kind_of(parts[0])
        return inner if inner.word == JSON else ColumnKind(LIST, (("", inner),))
    if is_typeddict(kind):
        return ColumnKind(STRUCT, tuple((key, kind_of(one)) for key, one in hints(kind).items()))
    if kind in _SCALARS:
        return ColumnKind(_SCALARS[kind])
    raise TypeError(f"no column is known for {kind!r}")


def _note(kind: Any) -> str:
    notes = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    return next((note for note in notes if isinstance(note, str)), "")


_LOG_PACKET = TableColumn("packet", _WHOLE, "number of the packet that carries it, over the files of the task")

#: By the names of folders and views.  ``messages`` and ``exchanges`` are there with --messages only.
TABLES: dict[str, tuple[TableColumn, ...]] = {
    "tasks": _columns(
        contract.TaskRecord,
        (
            _ID,
            TableColumn("first_packet", _WHOLE, "number of its first packet"),
            TableColumn("last_packet", _WHOLE, "number of its last packet"),
            _FILES,
        ),
        ("n", "log", "points"),
    ),
    "connections": _columns(
        contract.ConnectionRecord,
        (
            _ID,
            _TASK,
            _BEGIN,
            TableColumn("first_packet", _WHOLE, "number of its first packet"),
            TableColumn("last_packet", _WHOLE, "number of its last packet"),
            _FILES,
        ),
        ("n", "point"),
    ),
    "problems": _columns(contract.ProblemRecord, (_TASK, _CONNECTION, _BEGIN, _FILES)),
    "log": _columns(contract.LogLineRecord, (_TASK, _BEGIN, _LOG_PACKET)),
    "messages": _columns(contract.MessageRecord, (_TASK, _CONNECTION, _BEGIN)),
    "exchanges": _columns(contract.ExchangeRecord, (_TASK, _CONNECTION, _BEGIN)),
}
#: The column by which a row belongs to a day, and to what a later run tells again.
BEGINS = {name: "start" if name == "tasks" else "begin" for name in TABLES}
ABOUT = {
    "tasks": "a row for each remote task",
    "connections": "a row for each TCP connection of JobScheduler",
    "problems": "what went wrong, with its proof; a task may have several",
    "log": "lines of the tasks' logs",
    "messages": "documents and frames (jstrace index --messages); n, answers and answered_by count within one run",
    "exchanges": "requests over HTTP with their responses (jstrace index --messages)",
}

Converter = Callable[[Any], Any]


def converter(kind: ColumnKind) -> Converter:
    """Makes of a JSON value what the column takes."""
    word = kind.word
    if word == JSON:
        return _json_text
    if word == LIST:
        item = converter(kind.parts[0][1])
        return lambda values: None if values is None else [item(value) for value in values]
    if word == STRUCT:
        members = [(name, converter(part)) for name, part in kind.parts]
        return lambda value: None if value is None else {name: part(value[name]) for name, part in members}
    scalars: dict[str, Converter] = {TIME: _moment, WHOLE: _whole, TEXT: _text}
    return scalars.get(word, _same)


def _same(value: Any) -> Any:
    return value


def _json_text(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


def _moment(text: str | None) -> datetime | None:
    """The contract's time; columns are in UTC and say no zone."""
    return None if text is None else datetime.fromisoformat(text[:-1])


def _whole(number: int | None) -> int | None:
    """What no column holds is not known."""
    return number if number is None or -_WHOLE_END <= number < _WHOLE_END else None


def _text(text: str | None) -> str | None:
    """Halves of characters, which JSON of the wire may have, are no text."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "replace").decode()
