"""The public records, made of the tracer's through the contract's: fields and ``to_json`` say the same."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from dissector import model
from dissector.model import Endpoint
from dissector.render import contract
from dissector.render.records import Records
from jstrace.records import (
    Agent,
    Alert,
    Capture,
    Certificate,
    Connection,
    Counts,
    ExcepInfo,
    Exchange,
    InterfaceResult,
    LogLine,
    Message,
    Object,
    Problem,
    Task,
    Tls,
    Value,
    WireError,
)

if TYPE_CHECKING:
    from dissector.render.contract import (
        AgentRecord,
        CaptureRecord,
        ConnectionRecord,
        EndpointRecord,
        ExchangeRecord,
        MessageRecord,
        ObjectRecord,
        ProblemRecord,
        ReferenceRecord,
        TaskRecord,
        TlsRecord,
        ValueRecord,
    )


class Maker:
    """Makes these records of the tracer's, as they are at that moment."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def capture(self, info: model.CaptureInfo) -> Capture:
        text = self._records.capture(info)
        record: CaptureRecord = json.loads(text)
        return Capture(
            text,
            record["file"],
            record["packets"],
            record["tcp_segments"],
            _time_or_none(record["first"]),
            _time_or_none(record["last"]),
            record["link_type"],
            record["truncated"],
        )

    def problem(self, problem: model.Problem) -> Problem:
        text = self._records.problem(problem)
        record: ProblemRecord = json.loads(text)
        return Problem(
            text,
            record["code"],
            record["severity"],
            record["summary"],
            record["cause"],
            record["remedy"],
            tuple(record["packets"]),
            _time(record["time"]),
            record["task"],
            record["connection"],
        )

    def task(self, task: model.Task) -> Task:
        text = self._records.task(task)
        record: TaskRecord = json.loads(text)
        return Task(
            text,
            n=record["n"],
            job=record["job"],
            task_id=record["task_id"],
            outcome=record["outcome"],
            exit_code=record["exit_code"],
            signal=record["signal"],
            start=_time(record["start"]),
            end=_time(record["end"]),
            duration=record["duration"],
            callback_delay=record["callback_delay"],
            client=_endpoint_or_none(record["client"]),
            remote=_endpoint_or_none(record["remote"]),
            callback_port=record["callback"]["port"],
            callback_peer=_endpoint_or_none(record["callback"]["peer"]),
            kind=record["kind"],
            process_id=record["process_id"],
            pid=record["pid"],
            counts=Counts(**record["counts"]),
            log=tuple(LogLine(_time(line["time"]), line["level"], line["text"]) for line in record["log"]),
            problems=tuple(map(self.problem, task.problems)),
            via=record["via"],
            agent=_agent_or_none(record["agent"]),
        )

    def connection(self, connection: model.Connection) -> Connection:
        text = self._records.connection(connection)
        record: ConnectionRecord = json.loads(text)
        return Connection(
            text,
            n=record["n"],
            role=record["role"],
            client=_endpoint(record["client"]),
            server=_endpoint(record["server"]),
            task=record["task"],
            start=_time(record["start"]),
            end=_time(record["end"]),
            closed=record["closed"],
            packets=record["packets"],
            bytes=record["bytes"],
            gaps=record["gaps"],
            retransmissions=record["retransmissions"],
            via=tuple(record["via"]),
            tls=_tls(record["tls"]) if record["tls"] is not None else None,
        )

    def message(self, message: model.Message) -> Message:
        text = self._records.message(message)
        record: MessageRecord = json.loads(text)
        flags, arguments, dispids, results = record["flags"], record["arguments"], record["dispids"], record["results"]
        result, error, excepinfo = record["result"], record["error"], record["excepinfo"]
        return Message(
            text,
            n=record["n"],
            task=record["task"],
            connection=record["connection"],
            time=_time(record["time"]),
            packets=tuple(record["packets"]),
            direction=record["direction"],
            kind=record["kind"],
            operation=record["operation"],
            object=_object(record["object"]),
            member=record["member"],
            dispid=record["dispid"],
            flags=None if flags is None else tuple(flags),
            arguments=None if arguments is None else tuple(map(_value, arguments)),
            answers=record["answers"],
            answered_by=record["answered_by"],
            depth=record["depth"],
            latency=record["latency"],
            hresult=record["hresult"],
            result=None if result is None else _value(result),
            dispids=None if dispids is None else tuple(dispids),
            results=None
            if results is None
            else tuple(InterfaceResult(one["hresult"], _reference(one["object"])) for one in results),
            error=None if error is None else WireError(**error),
            excepinfo=None if excepinfo is None else ExcepInfo(**excepinfo),
            xml=record["xml"],
            bytes=record["bytes"],
            exchange=record["exchange"],
        )

    def exchange(self, exchange: model.Exchange) -> Exchange:
        text = self._records.exchange(exchange)
        record: ExchangeRecord = json.loads(text)
        return Exchange(
            text,
            n=record["n"],
            task=record["task"],
            connection=record["connection"],
            time=_time(record["time"]),
            packets=tuple(record["packets"]),
            method=record["method"],
            target=record["target"],
            status=record["status"],
            kind=record["kind"],
            type=record["type"],
            request_id=record["request_id"],
            repeats=record["repeats"],
            latency=record["latency"],
            error=record["error"],
        )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(f"{text[:-1]}+00:00")


def _time_or_none(text: str | None) -> datetime | None:
    return None if text is None else _time(text)


def _tls(record: TlsRecord) -> Tls:
    return Tls(
        record["version"],
        record["cipher_suite"],
        record["server_name"],
        record["resumed"],
        record["decrypted"],
        record["reason"],
        tuple(
            Certificate(
                one["subject"],
                one["issuer"],
                tuple(one["names"]),
                _time_or_none(one["not_before"]),
                _time_or_none(one["not_after"]),
            )
            for one in record["certificates"]
        ),
        tuple(Alert(one["sender"], one["fatal"], one["name"], one["packet"]) for one in record["alerts"]),
        record["renegotiations"],
    )


def _endpoint(record: EndpointRecord) -> Endpoint:
    return Endpoint(record["ip"], record["port"])


def _endpoint_or_none(record: EndpointRecord | None) -> Endpoint | None:
    return None if record is None else _endpoint(record)


def _agent_or_none(record: AgentRecord | None) -> Agent | None:
    return None if record is None else Agent(**record)


def _object(record: ObjectRecord | None) -> Object | None:
    return None if record is None else Object(int(record["id"], 16), record["name"], record["class"])


def _reference(record: ReferenceRecord | None) -> Object | None:
    return None if record is None else Object(int(record["id"], 16), record["name"], record["class"], record["new"])


def _value(record: ValueRecord) -> Value:
    kind, value = record["type"], record["value"]
    if isinstance(value, dict):
        return Value(kind, _reference(value))
    if isinstance(value, list):
        return Value(kind, tuple(map(_value, value)))
    if isinstance(value, str):
        return Value(kind, _from_text(kind, value))
    # A whole double may be written as an integer.
    return Value(kind, float(value) if kind in contract.FLOATS and value is not None else value)


def _from_text(kind: str, text: str) -> int | float | Decimal | str | bytes:
    """The value of a type whose value is a JSON text."""
    if kind in contract.WHOLE_TEXTS:
        return int(text)
    if kind in contract.MONEY:
        return Decimal(text)
    if kind in contract.FLOATS:
        return float(text)
    return bytes.fromhex(text) if kind in contract.BYTES else text
