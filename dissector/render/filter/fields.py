"""The fields that a filter knows: those of tasks (all columns of the table among them) and those of messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from dissector import numbers
from dissector.errors import UsageError
from dissector.model import Endpoint, Message, Outcome, Severity, Task
from dissector.render.filter.kinds import (
    ADDRESS,
    COUNT,
    DURATION,
    ENDPOINT,
    HRESULT,
    NUMBER,
    TEXT,
    TIME,
    Kind,
    Matcher,
    number,
    one_of,
)
from dissector.render.rows import signal_name, worst
from dissector.wire.masking import texts


class FilterField(NamedTuple):
    """``kind`` reads a condition's value, ``values`` gives those of a task or message (without those that are unknown),
    ``words`` say what it is."""

    kind: Kind
    values: Callable[[Any], Iterable[Any]]
    words: str


def _attribute(name: str) -> Callable[[Any], Iterable[Any]]:
    def values(record: Any) -> Iterable[Any]:
        value = getattr(record, name)
        return () if value is None else (value,)

    return values


def _count(name: str) -> Callable[[Task], Iterable[int]]:
    return lambda task: (getattr(task.counts, name),)


def _endpoints(task: Task) -> Iterator[Endpoint]:
    yield from (end for end in (task.client, task.remote, task.callback_peer) if end is not None)


def _ports(task: Task) -> Iterator[int]:
    yield from (end.port for end in _endpoints(task) if end.port is not None)
    if task.callback_port is not None:
        yield task.callback_port


def _severity(task: Task) -> Iterator[str]:
    if (severity := worst(task.problems)) is not None:
        yield severity.value


def _problem_codes() -> list[str]:
    from dissector.reports.explain import problem_codes

    return problem_codes()


def _signal(operator: str, value: str) -> Matcher:
    """A signal by its number or its name, with or without SIG."""
    if value.isdecimal() or operator not in ("=", "~"):
        return number(numbers.SIGNAL).match(operator, value)
    names = [signal_name(number) for number in range(1, 65)]
    matches = TEXT.match(operator, value if operator == "~" or value.lower().startswith("sig") else f"SIG{value}")
    if not any(map(matches, names)):
        raise UsageError(f"there is no signal {value!r} (write 9, SIGKILL or kill)")
    return lambda number: matches(signal_name(number))


_OUTCOME = one_of("outcome", lambda: [outcome.value for outcome in Outcome])
_KIND = one_of("kind", lambda: ["process", "api"])
_PROBLEM = one_of("problem code", _problem_codes)
_SEVERITY = one_of("severity", lambda: [severity.value for severity in Severity])
_MESSAGE = one_of(
    "kind",
    lambda: ["command", "command_answer", "request", "answer", "error", "keep_alive", "undecoded"],
)
_DIRECTION = one_of("direction", lambda: ["client->remote", "remote->client"])

_N = FilterField(COUNT, _attribute("n"), "number of the task (# in the table)")
_TOOK = FilterField(
    DURATION, lambda task: (task.end - task.start,) if task.end else (), "from its first packet to its last"
)
_CALLBACK = FilterField(DURATION, _attribute("callback_delay"), "from the start command to the callback")
_CODES = FilterField(_PROBLEM, lambda task: (problem.code for problem in task.problems), "code of a problem")

TASK_FIELDS: dict[str, FilterField] = {
    "n": _N,
    "task": _N,
    "start": FilterField(TIME, _attribute("start"), "first packet"),
    "end": FilterField(TIME, lambda task: (task.end,) if task.end else (), "last packet"),
    "client": FilterField(ENDPOINT, _attribute("client"), "client scheduler"),
    "remote": FilterField(ENDPOINT, _attribute("remote"), "remote scheduler"),
    "peer": FilterField(ENDPOINT, _attribute("callback_peer"), "task process, as it calls back"),
    "ip": FilterField(ADDRESS, _endpoints, "address of any of these"),
    "port": FilterField(number(numbers.PORT), _ports, "any port of the task, the callback port among them"),
    "job": FilterField(TEXT, _attribute("job"), "name of the job"),
    "task_id": FilterField(number(numbers.TASK_ID), _attribute("task_id"), "the client scheduler's number of the task"),
    "kind": FilterField(_KIND, _attribute("kind"), "shell jobs are process, jobs with methods api"),
    "process_id": FilterField(NUMBER, _attribute("process_id"), "number in the answer to the start"),
    "pid": FilterField(number(numbers.PID), _attribute("pid"), "process number at the remote"),
    "outcome": FilterField(_OUTCOME, lambda task: (task.outcome.value,), "how it ended"),
    "exit_code": FilterField(number(numbers.EXIT_CODE), _attribute("exit_code"), "exit code of the job's process"),
    "signal": FilterField(Kind("signal", _signal), _attribute("signal"), "what ended the job's process"),
    "took": _TOOK,
    "duration": _TOOK,
    "callback": _CALLBACK,
    "callback_delay": _CALLBACK,
    "calls": FilterField(COUNT, _count("calls"), "calls by the client"),
    "callbacks": FilterField(COUNT, _count("callbacks"), "calls by the task process"),
    "messages": FilterField(COUNT, _count("messages"), "frames on the callback connection"),
    "errors": FilterField(COUNT, _count("errors"), "error answers and failed hresults"),
    "log_lines": FilterField(COUNT, _count("log_lines"), "lines that the job logged"),
    "bytes": FilterField(COUNT, _count("bytes"), "bytes on the callback connection"),
    "problem": _CODES,
    "problems": _CODES,
    "severity": FilterField(_SEVERITY, _severity, "of the worst problem"),
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


MESSAGE_FIELDS: dict[str, FilterField] = {
    "message": FilterField(_MESSAGE, _attribute("kind"), "what it is"),
    "operation": FilterField(
        TEXT, _attribute("operation"), "invoke, call, create_instance ...; name of an XML command"
    ),
    "member": FilterField(TEXT, _members, "method or property, with or without its object: spooler_log.info"),
    "object": FilterField(TEXT, _object, "name that begin gave it, or its id: 0x9feaa85700000004"),
    "class": FilterField(TEXT, _class, "class of the object: Com_log"),
    "direction": FilterField(
        _DIRECTION, lambda message: ("client->remote" if message.to_remote else "remote->client",), "who sent it"
    ),
    "dispid": FilterField(NUMBER, _of_body("dispid"), "number of the member"),
    "hresult": FilterField(HRESULT, _of_body("hresult"), "of an answer: 0x80020009"),
    "latency": FilterField(DURATION, _attribute("latency"), "of an answer: since its request"),
    "depth": FilterField(COUNT, _attribute("depth"), "calls under way around it"),
    "packet": FilterField(COUNT, lambda message: message.packets, "one of its packets"),
    "time": FilterField(TIME, _attribute("time"), "its last packet"),
    "text": FilterField(TEXT, lambda message: texts(message.body), "any text in it"),
}
FIELDS = {**TASK_FIELDS, **MESSAGE_FIELDS}
