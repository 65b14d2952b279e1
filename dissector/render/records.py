"""Records for programs: the output contract ``jstrace/1``, one dictionary per record, keys in the contract's order.

Every key is always there (``None`` when absent), times are ISO 8601 with microseconds, durations are seconds; doubles
without a JSON form (infinities, NaN) are texts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from dissector.model import CaptureInfo, Connection, Endpoint, LogLine, Message, ObjectInfo, Problem, Task
from dissector.render.text import iso
from dissector.render.words import shown_body
from dissector.wire import messages as wire
from dissector.wire.control import Document, HttpMessage
from dissector.wire.enums import VarType, flag_names, vartype_name
from dissector.wire.masking import Mask

Record = dict[str, Any]


class Records:
    """Turns what the tracer tells into the contract's records; texts pass ``mask``."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask

    def capture(self, info: CaptureInfo) -> Record:
        return {
            "file": info.file,
            "packets": info.packets,
            "tcp_segments": info.tcp_segments,
            "first": _time(info.first),
            "last": _time(info.last),
            "link_type": info.link_type,
            "truncated": info.truncated,
        }

    def task(self, task: Task) -> Record:
        counts = task.counts
        return {
            "n": task.n,
            "client": _endpoint(task.client),
            "remote": _endpoint(task.remote),
            "callback": {"port": task.callback_port, "peer": _endpoint(task.callback_peer)},
            "kind": task.kind,
            "process_id": task.process_id,
            "pid": task.pid,
            "job": self._text(task.job),
            "task_id": task.task_id,
            "start": _time(task.start),
            "end": _time(task.end or task.start),
            "duration": _seconds(max(task.end - task.start, 0)),
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
        }

    def connection(self, connection: Connection) -> Record:
        return {
            "n": connection.n,
            "role": connection.role.value,
            "client": _endpoint(connection.client),
            "server": _endpoint(connection.server),
            "task": _number(connection.task),
            "start": _time(connection.start),
            "end": _time(connection.end or connection.start),
            "closed": connection.closed,
            "packets": connection.packets,
            "bytes": connection.bytes,
            "gaps": connection.gaps,
            "retransmissions": connection.retransmissions,
        }

    def problem(self, problem: Problem) -> Record:
        return {
            "code": problem.code,
            "severity": problem.severity.value,
            "task": _number(problem.task),
            "connection": _number(problem.connection),
            "time": _time(problem.time),
            "packets": list(problem.packets),
            "summary": self._text(problem.summary),
            "cause": self._text(problem.cause),
            "remedy": self._text(problem.remedy),
        }

    def message(self, message: Message) -> Record:
        body, objects = shown_body(message, self._mask), message.objects
        record: Record = {
            "n": message.n,
            "task": _number(message.task),
            "connection": message.connection.n,
            "time": _time(message.time),
            "packets": list(message.packets),
            "direction": "client->remote" if message.to_remote else "remote->client",
            "kind": message.kind,
            "operation": message.operation,
            "object": _object(message, body),
            "member": message.member,
            "dispid": None,
            "flags": None,
            "arguments": None,
            "answers": message.answers,
            "answered_by": message.answered_by,
            "depth": message.depth,
            "latency": _seconds(message.latency),
            "hresult": None,
            "result": None,
            "dispids": None,
            "results": None,
            "error": None,
            "excepinfo": None,
            "xml": None,
            "bytes": message.size,
        }
        if isinstance(body, wire.Invoke):
            record["dispid"], record["flags"] = body.dispid, list(flag_names(body.flags))
            record["arguments"] = _arguments(body, objects)
        elif isinstance(body, wire.InvokeAnswer):
            record["hresult"], record["result"] = body.hresult, _result(body, objects)
            record["error"], record["excepinfo"] = _error(body), _excepinfo(body)
        else:
            record["arguments"], record["hresult"] = _arguments(body, objects), getattr(body, "hresult", None)
            record["result"], record["results"] = _result(body, objects), _results(body, objects)
            record["dispids"] = _list(body.dispids) if isinstance(body, wire.GetIdsOfNamesAnswer) else None
            record["error"], record["xml"] = _error(body), _document_text(body)
        return record

    def _text(self, text: str | None) -> str | None:
        return None if text is None else self._mask.text(text)

    def _log_line(self, line: LogLine) -> Record:
        return {"time": _time(line.time), "level": line.level, "text": self._text(line.text)}


_ERROR_PARTS = (("name", "name"), ("code", "code"), ("text", "what"))


# --- parts of a message --------------------------------------------------------------------------------------------


def _error(body: Any) -> Record | None:
    """An ``E`` answer as sent, an ``ERROR`` element, or a failed hresult with what its excepinfo says."""
    if isinstance(body, wire.ErrorAnswer):
        return {key: body.part(f"{prefix}=") or "" for key, prefix in _ERROR_PARTS}
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


def _document_text(body: Any) -> str | None:
    """The XML, also when it came by HTTP; an HTTP message without XML as it is."""
    if isinstance(body, HttpMessage):
        return body.document.text if body.document is not None else body.text
    return body.text if isinstance(body, Document) else None


def _object(message: Message, body: Any) -> Record | None:
    """The object that a message is about; for the answer to a query_interface without its own, the one it found."""
    object_id = message.object_id
    if object_id is None and isinstance(body, wire.QueryInterfaceAnswer) and body.object is not None:
        return _named(body.object.object_id, message.objects)
    if object_id is None:
        return None
    return {"id": _hex(object_id), "name": message.object_name, "class": message.object_class}


def _arguments(body: Any, objects: dict[int, ObjectInfo] | None) -> list[Record] | None:
    if not isinstance(body, (wire.Invoke, wire.Call)):
        return None
    return [value_record(variant, objects) for variant in body.params.natural]


def _result(body: Any, objects: dict[int, ObjectInfo] | None) -> Record | None:
    if not isinstance(body, (wire.InvokeAnswer, wire.CallAnswer)) or body.result is None:
        return None
    return value_record(body.result, objects)


def _results(body: Any, objects: dict[int, ObjectInfo] | None) -> list[Record] | None:
    if not isinstance(body, wire.CreateInstanceAnswer) or body.results is None:
        return None
    return [{"hresult": one.hresult, "object": reference_record(one.object, objects)} for one in body.results]


def _excepinfo(body: Any) -> Record | None:
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


# --- values --------------------------------------------------------------------------------------------------------


def value_record(variant: wire.Variant, objects: dict[int, ObjectInfo] | None = None) -> Record:
    """A VARIANT as the contract's Value."""
    value = variant.value
    if isinstance(value, wire.SafeArray):
        return _array_record(value, objects)
    return {"type": vartype_name(variant.vt), "value": _plain(variant.vt, value, objects)}


def _plain(vt: int, value: Any, objects: dict[int, ObjectInfo] | None) -> Any:
    if isinstance(value, wire.Reference):
        return reference_record(value, objects)
    if isinstance(value, wire.Double):
        return _double(value)
    if vt == VarType.CY:
        return f"{Decimal(value).scaleb(-4):.4f}"
    if vt in (VarType.I8, VarType.UI8):
        return str(value)
    return value


def _double(value: wire.Double) -> float | str:
    number = value.value
    if math.isnan(number):
        return "nan"
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    return number


def _array_record(array: wire.SafeArray, objects: dict[int, ObjectInfo] | None) -> Record:
    elements = array.elements
    name = f"ARRAY|{vartype_name(array.element_vt)}"
    if isinstance(elements, bytes):
        return {"type": name, "value": elements.hex()}
    items = (wire.Variant(VarType.BSTR, one) if isinstance(one, str) else one for one in elements)
    return {"type": name, "value": [value_record(item, objects) for item in items]}


def reference_record(reference: wire.Reference, objects: dict[int, ObjectInfo] | None) -> Record | None:
    """None for the null reference; else the object's id, and its name and class as far as the session knows them."""
    if not reference.object_id:
        return None
    named = _named(reference.object_id, objects)
    title = reference.new.title if reference.new is not None else None
    return {
        "id": named["id"],
        "new": reference.new is not None,
        "name": named["name"],
        "class": named["class"] or title or None,
    }


def _named(object_id: int, objects: dict[int, ObjectInfo] | None) -> Record:
    info = (objects or {}).get(object_id)
    name, class_name = info if info is not None else (None, None)
    return {"id": _hex(object_id), "name": name, "class": class_name}


# --- small things --------------------------------------------------------------------------------------------------


def _hex(object_id: int) -> str:
    return f"0x{object_id:016x}"


def _time(nanoseconds: int | None) -> str | None:
    return None if nanoseconds is None else iso(nanoseconds)


def _seconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e9


def _endpoint(endpoint: Endpoint | None) -> Record | None:
    return None if endpoint is None else {"ip": endpoint.ip, "port": endpoint.port}


def _number(record: Task | Connection | None) -> int | None:
    """The record's number; one that never got a number belongs to nothing that is shown."""
    return record.n or None if record is not None else None


def _list(values: Iterable[int] | None) -> list[int] | None:
    return None if values is None else list(values)
