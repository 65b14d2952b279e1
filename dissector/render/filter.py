"""Filter expressions: ``job=nightly outcome!=success member=spooler_log.info latency>0.5``.

Conditions are separated by white space and must all hold.  A condition is ``field operator value`` without spaces;
operators are ``= != > < >= <= ~``.  ``~`` looks for a part of a text, where ``*`` stands for anything (the search is
linear in the text).  Values with spaces stand in quotes.  A field with several values (``ip``, ``packet``) holds when
one of them does; ``!=`` holds when none is equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

from dissector.errors import UsageError
from dissector.model import Endpoint, Message, Task
from dissector.render.rows import signal_name
from dissector.wire.masking import texts

_CONDITION = re.compile(
    r"(?P<field>\w+)(?P<operator>!=|>=|<=|=|~|>|<)(?P<value>\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s\"']\S*|)(?=\s|$)"
)
_TIME = re.compile(
    r"(?:(?P<date>\d{4}-\d\d-\d\d)(?:[T ]|$))?"
    r"(?:(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)(?:\.(?P<part>\d{1,9}))?)?)?Z?"
)
_SECONDS = re.compile(r"(?P<number>\d{1,12}(?:\.\d{1,12})?|\.\d{1,12})(?P<unit>us|ms|s|min|h|)")
_UNITS = {"us": 1_000, "ms": 1_000_000, "": 1_000_000_000, "s": 1_000_000_000, "min": 60 * 10**9, "h": 3600 * 10**9}
_DAY = 86_400 * 10**9

Matcher = Callable[[Any], bool]


# --- values of conditions ------------------------------------------------------------------------------------------


def _text(operator: str, value: str) -> Matcher:
    wanted = value.casefold()
    if operator == "~":
        return partial(_contains, wanted.split("*"))
    if operator not in ("=", "!="):
        raise UsageError(f"a text can be compared with =, != and ~, not with {operator}")
    return lambda actual: str(actual).casefold() == wanted


def _contains(parts: Sequence[str], actual: object) -> bool:
    """True when all parts stand in the text, one behind the other."""
    text, place = str(actual).casefold(), 0
    for part in parts:
        place = text.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return True


def _address(operator: str, value: str) -> Matcher:
    if operator in ("=", "!=") and "/" in value:
        try:
            network = ip_network(value, strict=False)
        except ValueError:
            raise UsageError(f"{value} is no network") from None
        return lambda actual: ip_address(actual) in network
    return _text(operator, value)


def _number(operator: str, value: str) -> Matcher:
    try:
        number = int(value, 0)
    except ValueError:
        raise UsageError(f"{value or 'nothing'} is no whole number") from None
    return _ordered(operator, number, number)


def _seconds(operator: str, value: str) -> Matcher:
    match = _SECONDS.fullmatch(value)
    if match is None:
        raise UsageError(f"{value or 'nothing'} is no duration (write 0.5, 500ms, 2min)")
    nanoseconds = round(float(match["number"]) * _UNITS[match["unit"]])
    return _ordered(operator, nanoseconds, nanoseconds)


def _time(operator: str, value: str) -> Matcher:
    """A time in UTC, with a date or of any day; it means the whole minute or second that it names."""
    match = _TIME.fullmatch(value)
    if match is None or not (match["date"] or match["hour"]):
        raise UsageError(f"{value or 'nothing'} is no time (write 04:07:15.118 or 2026-11-22T04:07)")
    part = match["part"] or ""
    low = (int(match["hour"] or 0) * 3600 + int(match["minute"] or 0) * 60 + int(match["second"] or 0)) * 10**9
    low += int(part.ljust(9, "0"))
    width = 10 ** (9 - len(part)) if match["second"] else 60 * 10**9 if match["hour"] else _DAY
    if match["date"] is None:
        test = _ordered(operator, low, low + width - 1)
        return lambda actual: test(actual % _DAY)
    try:
        day = datetime.strptime(match["date"], "%Y-%m-%d").replace(tzinfo=timezone.utc)
    except ValueError:
        raise UsageError(f"{match['date']} is no date") from None
    low += int(day.timestamp()) * 10**9
    return _ordered(operator, low, low + width - 1)


def _ordered(operator: str, low: int, high: int) -> Matcher:
    """Compare with a number, or with all numbers from ``low`` to ``high`` as one."""
    tests: dict[str, Matcher] = {
        "=": lambda actual: low <= actual <= high,
        "!=": lambda actual: low <= actual <= high,
        ">": lambda actual: actual > high,
        ">=": lambda actual: actual >= low,
        "<": lambda actual: actual < low,
        "<=": lambda actual: actual <= high,
    }
    if operator not in tests:
        raise UsageError(f"a number can be compared with = != > < >= <=, not with {operator}")
    return tests[operator]


# --- fields --------------------------------------------------------------------------------------------------------


class Field(NamedTuple):
    """``kind`` reads the condition's value, ``values`` those of a task or message (without those that are unknown)."""

    kind: Callable[[str, str], Matcher]
    values: Callable[[Any], Iterable[Any]]


def _attribute(name: str) -> Callable[[Any], Iterable[Any]]:
    def values(record: Any) -> Iterable[Any]:
        value = getattr(record, name)
        return () if value is None else (value,)

    return values


def _endpoints(task: Task) -> Iterator[Endpoint]:
    yield from (end for end in (task.client, task.remote, task.callback_peer) if end is not None)


def _ports(task: Task) -> Iterator[int]:
    yield from (end.port for end in _endpoints(task) if end.port is not None)
    if task.callback_port is not None:
        yield task.callback_port


def _endpoint_names(end: Endpoint | None) -> Iterable[str]:
    return () if end is None else (end.ip, str(end))


TASK_FIELDS: dict[str, Field] = {
    "n": Field(_number, _attribute("n")),
    "task": Field(_number, _attribute("n")),
    "job": Field(_text, _attribute("job")),
    "task_id": Field(_number, _attribute("task_id")),
    "outcome": Field(_text, lambda task: (task.outcome.value,)),
    "kind": Field(_text, _attribute("kind")),
    "exit_code": Field(_number, _attribute("exit_code")),
    "signal": Field(_text, lambda task: (task.signal, signal_name(task.signal)) if task.signal else ()),
    "client": Field(_text, lambda task: _endpoint_names(task.client)),
    "remote": Field(_text, lambda task: _endpoint_names(task.remote)),
    "port": Field(_number, _ports),
    "ip": Field(_address, lambda task: (end.ip for end in _endpoints(task))),
    "duration": Field(_seconds, lambda task: (task.end - task.start,) if task.end else ()),
    "callback_delay": Field(_seconds, _attribute("callback_delay")),
    "problem": Field(_text, lambda task: (problem.code for problem in task.problems)),
    "pid": Field(_number, _attribute("pid")),
    "process_id": Field(_number, _attribute("process_id")),
    "start": Field(_time, _attribute("start")),
}


def _members(message: Message) -> Iterator[str]:
    if message.member is not None:
        yield message.member
        if message.object_name is not None:
            yield f"{message.object_name}.{message.member}"


def _object(message: Message) -> Iterator[str]:
    if message.object_name is not None:
        yield message.object_name
    if message.object_id is not None:
        yield f"0x{message.object_id:016x}"


def _class(message: Message) -> Iterator[str]:
    if message.object_class is not None:
        yield message.object_class
        yield message.object_class.rpartition("::")[2]


def _of_body(name: str) -> Callable[[Message], Iterable[Any]]:
    def values(message: Message) -> Iterable[Any]:
        value = getattr(message.body, name, None)
        return () if value is None else (value,)

    return values


MESSAGE_FIELDS: dict[str, Field] = {
    "message": Field(_text, _attribute("kind")),
    "operation": Field(_text, _attribute("operation")),
    "member": Field(_text, _members),
    "object": Field(_text, _object),
    "class": Field(_text, _class),
    "direction": Field(_text, lambda message: ("client->remote" if message.to_remote else "remote->client",)),
    "dispid": Field(_number, _of_body("dispid")),
    "hresult": Field(_number, _of_body("hresult")),
    "latency": Field(_seconds, _attribute("latency")),
    "depth": Field(_number, _attribute("depth")),
    "packet": Field(_number, lambda message: message.packets),
    "time": Field(_time, _attribute("time")),
    "text": Field(_text, lambda message: texts(message.body)),
}


# --- expressions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Condition:
    field: Field
    matches: Matcher
    negated: bool

    def holds(self, record: Task | Message) -> bool:
        return any(self.matches(value) for value in self.field.values(record)) != self.negated


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions on tasks and conditions on messages; without any, everything passes."""

    on_tasks: tuple[Condition, ...] = ()
    on_messages: tuple[Condition, ...] = ()

    def task(self, task: Task) -> bool:
        return all(condition.holds(task) for condition in self.on_tasks)

    def message(self, message: Message) -> bool:
        return all(condition.holds(message) for condition in self.on_messages)


def parse(expressions: Iterable[str]) -> Filter:
    """Read filter expressions (all of them must hold).

    Raises UsageError for an unknown field, operator or value.
    """
    on_tasks: list[Condition] = []
    on_messages: list[Condition] = []
    for expression in expressions:
        for name, operator, value in _conditions(expression):
            field = TASK_FIELDS.get(name) or MESSAGE_FIELDS.get(name)
            if field is None:
                raise UsageError(
                    f"filter {expression!r}: unknown field {name!r}; fields of tasks are {', '.join(TASK_FIELDS)};"
                    f" fields of messages are {', '.join(MESSAGE_FIELDS)}"
                )
            try:
                matches = field.kind(operator, value)
            except UsageError as error:
                raise UsageError(f"filter {expression!r}: {name}: {error}") from None
            (on_tasks if name in TASK_FIELDS else on_messages).append(Condition(field, matches, operator == "!="))
    return Filter(tuple(on_tasks), tuple(on_messages))


def _conditions(expression: str) -> Iterator[tuple[str, str, str]]:
    place = 0
    while rest := expression[place:].lstrip():
        place = len(expression) - len(rest)
        match = _CONDITION.match(expression, place)
        if match is None:
            raise UsageError(f"filter {expression!r}: {rest!r} is not field, operator and value without spaces")
        yield match["field"].lower(), match["operator"], _unquoted(match["value"])
        place = match.end()


def _unquoted(value: str) -> str:
    if value[:1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value[1:-1] if value[:1] == "'" else value
