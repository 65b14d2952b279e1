"""Records for programs: the output contract ``jstrace/1``, each as the text of a JSON object, keys in its order.

Every key is always there (null when absent), times are ISO 8601 with microseconds, durations are seconds; doubles
without a JSON form (infinities, NaN) are texts.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from dissector.model import (
    AgentPlace,
    CaptureInfo,
    Connection,
    Endpoint,
    Exchange,
    LogLine,
    Message,
    Problem,
    Task,
    TaskPoint,
)
from dissector.render.times import iso
from dissector.render.tls_record import tls_record
from dissector.render.values import (
    NULL,
    Objects,
    array,
    encoded,
    named_text,
    number_or_null,
    object_text,
    reference_text,
    text_or_null,
    value_text,
)
from dissector.render.words import shown_body
from dissector.wire import messages as wire
from dissector.wire.agent import failure_of, json_of
from dissector.wire.control import Document
from dissector.wire.enums import flag_names
from dissector.wire.http_message import HttpMessage
from dissector.wire.masking import Mask

if TYPE_CHECKING:
    from dissector.render import contract


#: Name of the place of capture where there is only one.
_ONLY_POINT = "capture"


class Records:
    """Turns what the tracer tells into the contract's records; texts pass ``mask``."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask

    def capture(self, info: CaptureInfo) -> str:
        record: contract.CaptureRecord = {
            "file": info.file,
            "packets": info.packets,
            "tcp_segments": info.tcp_segments,
            "first": _time(info.first),
            "last": _time(info.last),
            "link_type": info.link_type,
            "truncated": info.truncated,
            "point": info.point,
            "clock_offset": _seconds(info.clock_offset),
            "clock_error": _seconds(info.clock_error),
            "clock_drift": info.clock_drift,
        }
        return encoded(record)

    def task(self, task: Task) -> str:
        counts = task.counts
        record: contract.TaskRecord = {
            "n": task.n,
            "client": _known(task.client),
            "remote": _known(task.remote),
            "callback": {"port": task.callback_port, "peer": _known(task.callback_peer)},
            "kind": cast("contract.KindWord | None", task.kind),
            "process_id": task.process_id,
            "pid": task.pid,
            "job": self._text(task.job),
            "task_id": task.task_id,
            "start": iso(task.start),
            "end": iso(task.end or task.start),
            "duration": max(task.end - task.start, 0) / 1e9,
            "callback_delay": _seconds(task.callback_delay),
            "outcome": task.outcome.value,
            "exit_code": task.exit_code,
            "signal": task.signal,
            "counts": {
                "messages": counts.messages,
                "calls": counts.calls,
                "callbacks": counts.callbacks,
                "errors": counts.errors,
                "keep_alives": counts.keep_alives,
                "log_lines": counts.log_lines,
                "bytes": counts.bytes,
            },
            "log": [self._log_line(line) for line in task.log],
            "problems": [problem.code for problem in task.problems],
            "via": cast("contract.ViaWord", task.via),
            "agent": self._agent(task.agent),
            "points": [_point(point) for point in task.points or [_only_point(task)]],
        }
        return encoded(record)

    def connection(self, connection: Connection) -> str:
        record: contract.ConnectionRecord = {
            "n": connection.n,
            "role": connection.role.value,
            "client": _endpoint(connection.client),
            "server": _endpoint(connection.server),
            "task": _number(connection.task),
            "start": iso(connection.start),
            "end": iso(connection.end or connection.start),
            "closed": cast("contract.EndWord | None", connection.closed),
            "packets": connection.packets,
            "bytes": connection.bytes,
            "gaps": connection.gaps,
            "retransmissions": connection.retransmissions,
            "via": list(map(str, connection.via)),
            "tls": tls_record(connection.tls) if connection.tls is not None else None,
            "point": connection.point or _ONLY_POINT,
            "duplicates": connection.duplicates,
        }
        return encoded(record)

    def problem(self, problem: Problem) -> str:
        record: contract.ProblemRecord = {
            "code": problem.code,
            "severity": problem.severity.value,
            "task": _number(problem.task),
            "connection": _number(problem.connection),
            "time": iso(problem.time),
            "packets": list(problem.packets),
            "summary": self._mask.text(problem.summary),
            "cause": self._mask.text(problem.cause),
            "remedy": self._mask.text(problem.remedy),
        }
        return encoded(record)

    def message(self, message: Message) -> str:
        body, objects = shown_body(message, self._mask), message.objects
        answers, answered_by, latency = message.answers, message.answered_by, message.latency
        return (
            f'{{"n": {message.n}, "task": {_number(message.task) or NULL}, "connection": {message.connection.n}, '
            f'"time": "{iso(message.time)}", "packets": {list(message.packets)}, '
            f'"direction": {_TO_REMOTE if message.to_remote else _TO_CLIENT}, "kind": "{message.kind}", '
            f'"operation": {text_or_null(self._operation(message))}, "object": {_object(message, body)}, '
            f'"member": {text_or_null(message.member)}, {_asked(body, objects)}, '
            f'"answers": {NULL if answers is None else answers}, '
            f'"answered_by": {NULL if answered_by is None else answered_by}, "depth": {message.depth}, '
            f'"latency": {NULL if latency is None else latency / 1e9}, {_answered(body, objects)}, '
            f'"bytes": {message.size}, "exchange": {NULL if message.exchange is None else message.exchange}}}'
        )

    def exchange(self, exchange: Exchange) -> str:
        request, response = exchange.request, exchange.response
        failure = None if response is None else failure_of(response)
        record: contract.ExchangeRecord = {
            "n": exchange.n,
            "task": _number(exchange.task),
            "connection": exchange.connection.n,
            "time": iso(exchange.time),
            "packets": list(exchange.packets),
            "method": request.method or "",
            "target": self._mask.agent(request.path or ""),
            "status": exchange.status,
            "kind": cast("contract.ExchangeWord", exchange.kind),
            "type": self._text(exchange.type),
            "request_id": exchange.request_id,
            "repeats": exchange.repeats,
            "latency": _seconds(exchange.latency),
            "request": self._mask.json(json_of(request)),
            "response": None if response is None else self._mask.json(json_of(response)),
            "error": None if failure is None else self._mask.agent(failure),
        }
        return encoded(record)

    def _agent(self, place: AgentPlace | None) -> contract.AgentRecord | None:
        if place is None:
            return None
        name = place.agent_task_id
        return {
            "ip": place.ip,
            "port": place.port,
            "prefix": place.prefix,
            "tunnel": place.tunnel,
            "agent_task_id": None if name is None else self._mask.agent(name),
        }

    def _operation(self, message: Message) -> str | None:
        """Of a command by HTTP it has the URL."""
        return self._text(message.operation) if isinstance(message.body, HttpMessage) else message.operation

    def _text(self, text: str | None) -> str | None:
        return None if text is None else self._mask.text(text)

    def _log_line(self, line: LogLine) -> contract.LogLineRecord:
        level = cast("contract.LevelWord", line.level)
        return {"time": iso(line.time), "level": level, "text": self._mask.text(line.text)}


# --- parts of a message --------------------------------------------------------------------------------------------


def _members(*names: str) -> str:
    """Members of an object for ``%`` to fill in."""
    return ", ".join(f'"{name}": %s' for name in names)


_ASKED = _members("dispid", "flags", "arguments")
_ANSWERED = _members("hresult", "result", "dispids", "results", "error", "excepinfo", "xml")
_NOTHING_ASKED, _NOTHING_ANSWERED = (members.replace("%s", NULL) for members in (_ASKED, _ANSWERED))
#: What nearly all answers to an invoke say.
_RESULT = _ANSWERED % ("%s", "%s", *[NULL] * 5)
#: What brings neither a result nor an error.
_SILENT = frozenset((wire.Invoke, wire.Call, wire.Release, wire.GetIdsOfNames, wire.KeepAlive, wire.EmptyAnswer))
_TO_REMOTE, _TO_CLIENT = '"client->remote"', '"remote->client"'
_ERROR_PARTS = ("name=", "code=", "what=")


def _asked(body: Any, objects: Objects) -> str:
    if isinstance(body, wire.Invoke):
        return _ASKED % (body.dispid, _flags(body.flags), _arguments(body.params, objects))
    if isinstance(body, wire.Call):
        return _ASKED % (NULL, NULL, _arguments(body.params, objects))
    if isinstance(body, wire.Undecoded) and isinstance(body.asks, wire.Invoke):
        return _ASKED % (body.asks.dispid, _flags(body.asks.flags), NULL)
    return _NOTHING_ASKED


def _answered(body: Any, objects: Objects) -> str:
    if type(body) in _SILENT:
        return _NOTHING_ANSWERED
    hresult = getattr(body, "hresult", None)
    result = body.result if isinstance(body, (wire.InvokeAnswer, wire.CallAnswer)) else None
    result_text = NULL if result is None else value_text(result, objects)
    if result is not None and not wire.is_failed(body.hresult) and getattr(body, "failure", None) is None:
        return _RESULT % (hresult, result_text)
    dispids = body.dispids if isinstance(body, wire.GetIdsOfNamesAnswer) else None
    return _ANSWERED % (
        number_or_null(hresult),
        result_text,
        NULL if dispids is None else list(dispids),
        _results(body, objects),
        encoded(_error(body)),
        encoded(_excepinfo(body)),
        text_or_null(_document_text(body)),
    )


@lru_cache(maxsize=256)
def _flags(flags: int) -> str:
    return encoded(flag_names(flags))


def _arguments(params: wire.DispParams, objects: Objects) -> str:
    return array([value_text(variant, objects) for variant in params.natural])


def _object(message: Message, body: Any) -> str:
    """The object that a message is about; for the answer to a query_interface without its own, the one it found."""
    object_id = message.object_id
    if object_id is not None:
        return object_text(object_id, message.object_name, message.object_class)
    if isinstance(body, wire.QueryInterfaceAnswer) and body.object is not None:
        return named_text(body.object.object_id, message.objects)
    return NULL


def _results(body: Any, objects: Objects) -> str:
    if not isinstance(body, wire.CreateInstanceAnswer) or body.results is None:
        return NULL
    results = ((one.hresult, reference_text(one.object, objects)) for one in body.results)
    return array(f'{{"hresult": {hresult}, "object": {reference}}}' for hresult, reference in results)


def _error(body: Any) -> contract.ErrorRecord | None:
    """An ``E`` answer as sent, an ``ERROR`` element, or a failed hresult with what its excepinfo says."""
    if isinstance(body, wire.ErrorAnswer):
        name, code, text = (body.part(prefix) or "" for prefix in _ERROR_PARTS)
        return {"name": name, "code": code, "text": text}
    if isinstance(body, (Document, HttpMessage)):
        error = body.error
        return None if error is None else {"name": error.class_name, "code": error.code, "text": error.text}
    hresult = getattr(body, "hresult", None)
    if hresult is None or not wire.is_failed(hresult):
        return None
    info = body.failure.excepinfo if isinstance(body, wire.InvokeAnswer) and body.failure else None
    return {
        "name": info.source if info else "",
        "code": f"{hresult:08X}",
        "text": info.description if info else "",
    }


def _excepinfo(body: Any) -> contract.ExcepInfoRecord | None:
    if not isinstance(body, wire.InvokeAnswer) or body.failure is None:
        return None
    info = body.failure.excepinfo
    return {
        "code": info.code,
        "reserved": info.reserved,
        "source": info.source,
        "description": info.description,
        "help_file": info.help_file,
        "help_context": info.help_context,
        "scode": info.scode,
    }


def _document_text(body: Any) -> str | None:
    """The XML, also when it came by HTTP; an HTTP message without XML as it is."""
    if isinstance(body, HttpMessage):
        return body.document.text if body.document is not None else body.text
    return body.text if isinstance(body, Document) else None


# --- small things --------------------------------------------------------------------------------------------------


def _time(nanoseconds: int | None) -> str | None:
    return None if nanoseconds is None else iso(nanoseconds)


def _seconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e9


def _endpoint(endpoint: Endpoint) -> contract.EndpointRecord:
    return {"ip": endpoint.ip, "port": endpoint.port}


def _known(endpoint: Endpoint | None) -> contract.EndpointRecord | None:
    return None if endpoint is None else _endpoint(endpoint)


def _only_point(task: Task) -> TaskPoint:
    return TaskPoint(_ONLY_POINT, task.client, task.remote, task.callback_port, 0, 0, task.first_packet)


def _point(point: TaskPoint) -> contract.PointRecord:
    return {
        "name": point.name,
        "client": _known(point.client),
        "remote": _known(point.remote),
        "callback_port": point.callback_port,
        "clock_offset": _seconds(point.clock_offset),
        "clock_error": _seconds(point.clock_error),
        "first_packet": point.first_packet,
    }


def _number(record: Task | Connection | None) -> int | None:
    """The record's number; one that never got a number belongs to nothing that is shown."""
    return record.n or None if record is not None else None
