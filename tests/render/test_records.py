"""The output contract, key by key: what programs read must not change by accident."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from render_sample import (
    EMPTY_ANSWER,
    INSTANCE,
    LOG,
    NULL_GUID,
    OBJECTS,
    TASK,
    Sample,
    at,
    bstr,
    capture,
    failing_job,
    params,
)
from strategies import bodies, variants

from dissector.model import Endpoint, Severity
from dissector.render.json import JsonLinesView, JsonView
from dissector.render.records import Records
from dissector.render.values import reference_text, value_text
from dissector.wire import messages as wire
from dissector.wire.enums import vartype_name
from dissector.wire.masking import Mask

TASK_RECORD = {
    "n": 1,
    "client": {"ip": "10.1.0.10", "port": 47406},
    "remote": {"ip": "10.2.0.10", "port": 4455},
    "callback": {"port": 59999, "peer": {"ip": "10.2.0.10", "port": 40004}},
    "kind": "process",
    "process_id": 1,
    "pid": None,
    "job": "shell_fail",
    "task_id": 1,
    "start": "2026-11-22T04:07:04.837000Z",
    "end": "2026-11-22T04:07:04.852000Z",
    "duration": 0.015,
    "callback_delay": 0.0006,
    "outcome": "failure",
    "exit_code": 5,
    "signal": None,
    "counts": {
        "messages": 18,
        "calls": 5,
        "callbacks": 4,
        "errors": 0,
        "keep_alives": 0,
        "log_lines": 1,
        "bytes": 2000,
    },
    "log": [{"time": "2026-11-22T04:07:04.845000Z", "level": "info", "text": "failing\nfor good\n"}],
    "problems": ["job_failed"],
    "via": "tcp",
    "agent": None,
    "points": [
        {
            "name": "capture",
            "client": {"ip": "10.1.0.10", "port": 47406},
            "remote": {"ip": "10.2.0.10", "port": 4455},
            "callback_port": 59999,
            "clock_offset": 0.0,
            "clock_error": 0.0,
            "first_packet": 10,
        }
    ],
}

CONNECTION_RECORD = {
    "n": 2,
    "role": "callback",
    "client": {"ip": "10.2.0.10", "port": 40004},
    "server": {"ip": "10.1.0.10", "port": 59999},
    "task": 1,
    "start": "2026-11-22T04:07:04.837600Z",
    "end": "2026-11-22T04:07:04.852000Z",
    "closed": None,
    "packets": 0,
    "bytes": 0,
    "gaps": 0,
    "retransmissions": 0,
    "via": [],
    "tls": None,
    "point": "capture",
    "duplicates": 0,
}

PROBLEM_RECORD = {
    "code": "job_failed",
    "severity": "error",
    "task": 1,
    "connection": None,
    "time": "2026-11-22T04:07:04.849000Z",
    "packets": [41],
    "summary": 'The job\'s process ended with exit code 5 ("failing").',
    "cause": "the script itself: everything on the wire went as it should",
    "remedy": "read the task's log",
}

CAPTURE_RECORD = {
    "file": "engine_shell_fail.pcap",
    "packets": 59,
    "tcp_segments": 57,
    "first": "2026-11-22T04:07:04.837000Z",
    "last": "2026-11-22T04:07:04.852000Z",
    "link_type": "EN10MB",
    "truncated": False,
    "point": None,
    "clock_offset": None,
    "clock_error": None,
    "clock_drift": None,
}

#: A message of which every field is absent that can be.
BLANK = {
    "n": 0,
    "task": 1,
    "connection": 2,
    "time": "",
    "packets": [],
    "direction": "client->remote",
    "kind": "request",
    "operation": None,
    "object": None,
    "member": None,
    "dispid": None,
    "flags": None,
    "arguments": None,
    "answers": None,
    "answered_by": None,
    "depth": 0,
    "latency": None,
    "hresult": None,
    "result": None,
    "dispids": None,
    "results": None,
    "error": None,
    "excepinfo": None,
    "xml": None,
    "bytes": 0,
    "exchange": None,
}

RECORDS = Records(Mask())


def read(record: str) -> Any:
    """A record as a program reads it; its text is what ``json`` would write."""
    found = json.loads(record)
    assert json.dumps(found, allow_nan=False) == record
    return found


def message(number: int) -> dict[str, Any]:
    """The record of message ``number`` of the failing job."""
    record: dict[str, Any] = read(RECORDS.message(failing_job().messages[number - 1]))
    return record


def test_records_of_a_run() -> None:
    sample = failing_job()
    assert RECORDS.task(sample.task) == json.dumps(TASK_RECORD)
    assert RECORDS.connection(sample.callback) == json.dumps(CONNECTION_RECORD)
    assert RECORDS.problem(sample.problems[0]) == json.dumps(PROBLEM_RECORD)
    assert RECORDS.capture(capture()) == json.dumps(CAPTURE_RECORD)


def test_what_is_not_known_is_null() -> None:
    sample = Sample()
    sample.task.remote, sample.task.client = None, Endpoint("10.1.0.10", None)
    record = read(RECORDS.task(sample.task))
    assert list(record) == list(TASK_RECORD)
    assert record["client"] == {"ip": "10.1.0.10", "port": None}
    assert record["remote"] is None
    assert record["callback"] == {"port": None, "peer": None}
    assert (record["duration"], record["end"]) == (0.0, record["start"])
    sample.callback.task = None
    assert read(RECORDS.connection(sample.callback))["task"] is None
    info = capture()
    info.first = info.last = info.link_type = None
    assert list(read(RECORDS.capture(info)).values())[3:6] == [None, None, None]


@pytest.mark.parametrize("number", range(1, 23))
def test_every_message_has_every_key_in_order(number: int) -> None:
    assert list(message(number)) == list(BLANK)


def test_a_command_and_its_answer() -> None:
    xml = '<remote_scheduler.start_remote_task tcp_port="59999" kind="process"/>'
    assert message(1) == BLANK | {
        "n": 1,
        "connection": 1,
        "time": "2026-11-22T04:07:04.837000Z",
        "packets": [13],
        "kind": "command",
        "operation": "remote_scheduler.start_remote_task",
        "answered_by": 2,
        "xml": xml,
        "bytes": len(xml),
        "exchange": None,
    }
    answer = message(2)
    assert (answer["kind"], answer["direction"], answer["answers"]) == ("command_answer", "remote->client", 1)
    assert answer["latency"] == 0.000459
    assert answer["xml"] == '<spooler><answer><process process_id="1"/></answer></spooler>'


def test_create_instance() -> None:
    reference = {
        "id": "0xc835cdfe00000001",
        "new": True,
        "name": None,
        "class": "sos::scheduler::Com_remote_module_instance_server",
    }
    answer = message(4)
    assert (answer["hresult"], answer["results"]) == (0, [{"hresult": 0, "object": reference}])
    assert (message(3)["arguments"], message(3)["object"]) == (None, None)


def test_a_call_and_its_answer() -> None:
    found = message(5)
    assert found["object"] == {"id": "0xc835cdfe00000001", "name": None, "class": OBJECTS[INSTANCE].class_name}
    assert (found["operation"], found["member"], found["dispid"], found["flags"]) == ("call", "construct", None, None)
    assert found["arguments"][0]["type"] == "ARRAY|VARIANT"
    assert found["arguments"][0]["value"][0] == {"type": "BSTR", "value": "language=shell"}
    assert message(6)["result"] == {"type": "BOOL", "value": True}
    assert message(13)["arguments"] == []


def test_a_lookup_and_its_answer() -> None:
    assert (message(8)["member"], message(8)["arguments"]) == ("Params_xml", None)
    assert (message(9)["dispids"], message(9)["hresult"]) == ([35], 0)


def test_an_invoke_has_its_arguments_in_natural_order() -> None:
    found = message(14)
    assert (found["dispid"], found["flags"], found["depth"]) == (14, ["METHOD"], 1)
    assert found["arguments"] == [{"type": "I4", "value": 0}, {"type": "BSTR", "value": "failing\nfor good\n"}]
    assert found["object"]["name"] == "spooler_log"
    assert message(15)["result"] == {"type": "EMPTY", "value": None}
    assert message(10)["flags"] == ["PROPERTYGET"]


def test_errors() -> None:
    sample = Sample()
    asked = sample.request(1, 20, False, "invoke", wire.Invoke(TASK, 9, NULL_GUID, 0, 3, params()), "job", 1)
    info = wire.ExcepInfo(1, 2, "Spooler.Task", "no such job", "help", 3, -4)
    failed = sample.answer(2, 21, asked, wire.InvokeAnswer(0x8002000A, None, wire.InvokeFailure(-1, info)))
    record = read(RECORDS.message(failed))
    assert read(RECORDS.message(asked))["flags"] == ["METHOD", "PROPERTYGET"]
    assert record["hresult"] == 0x8002000A
    assert record["error"] == {"name": "Spooler.Task", "code": "8002000A", "text": "no such job"}
    assert record["excepinfo"] == {
        "code": 1,
        "reserved": 2,
        "source": "Spooler.Task",
        "description": "no such job",
        "help_file": "help",
        "help_context": 3,
        "scode": -4,
    }
    assert record["result"] is None
    answer = sample.answer(3, 22, asked, wire.ErrorAnswer(("name=", "what=broken", "odd")))
    assert read(RECORDS.message(answer))["error"] == {"name": "", "code": "", "text": "broken"}
    lookup = sample.answer(4, 23, asked, wire.GetIdsOfNamesAnswer(0x80020006, None))
    assert read(RECORDS.message(lookup))["error"] == {"name": "", "code": "80020006", "text": ""}
    assert read(RECORDS.message(lookup))["dispids"] is None
    fine = sample.answer(5, 24, asked, wire.CallAnswer(1, wire.Variant(0, None)))
    assert (read(RECORDS.message(fine))["hresult"], read(RECORDS.message(fine))["error"]) == (1, None)
    command = sample.say(6, 25, "<x/>")
    refused = sample.reply(7, 26, command, '<ERROR code="SCHEDULER-121" class="C" text="no"/>')
    assert read(RECORDS.message(refused))["error"] == {"name": "C", "code": "SCHEDULER-121", "text": "no"}


@pytest.mark.parametrize(
    ("variant", "kind", "value"),
    [
        (wire.Variant(0, None), "EMPTY", None),
        (wire.Variant(1, None), "NULL", None),
        (wire.Variant(2, -2), "I2", -2),
        (wire.Variant(3, 3), "I4", 3),
        (wire.Variant(20, -(2**63)), "I8", "-9223372036854775808"),
        (wire.Variant(21, 2**64 - 1), "UI8", "18446744073709551615"),
        (wire.Variant(4, wire.Double("1.5")), "R4", 1.5),
        (wire.Variant(4, wire.Double("4.9E-324")), "R4", 5e-324),
        (wire.Variant(5, wire.Double("3.3333333333333331e-01")), "R8", 1 / 3),
        (wire.Variant(5, wire.Double("1.0E7")), "R8", 10_000_000.0),
        (wire.Variant(5, wire.Double("1e22")), "R8", 1e22),
        (wire.Variant(5, wire.Double("-0.0")), "R8", -0.0),
        (wire.Variant(5, wire.Double("-inf")), "R8", "-inf"),
        (wire.Variant(5, wire.Double("Infinity")), "R8", "inf"),
        (wire.Variant(7, wire.Double("NaN")), "DATE", "nan"),
        (wire.Variant(6, 12_345), "CY", "1.2345"),
        (wire.Variant(6, -1), "CY", "-0.0001"),
        (wire.Variant(6, 2**63 - 1), "CY", "922337203685477.5807"),
        (wire.Variant(8, "äß"), "BSTR", "äß"),
        (wire.Variant(10, -2147352567), "ERROR", -2147352567),
        (wire.Variant(11, False), "BOOL", False),
        (wire.Variant(9, wire.Reference(0, None)), "DISPATCH", None),
        (wire.Variant(0x2011, wire.SafeArray(0x90, 0, 17, b"\x00\xff")), "ARRAY|UI1", "00ff"),
        (wire.Variant(0x2008, wire.SafeArray(0x110, 0, 8, ("a",))), "ARRAY|BSTR", [{"type": "BSTR", "value": "a"}]),
    ],
)
def test_values(variant: wire.Variant, kind: str, value: object) -> None:
    assert value_text(variant) == json.dumps({"type": kind, "value": value})


def test_a_reference_is_named_as_far_as_it_is_known() -> None:
    known = read(reference_text(wire.Reference(LOG, None), OBJECTS))
    assert known == {"id": f"0x{LOG:016x}", "new": False, "name": "spooler_log", "class": OBJECTS[LOG].class_name}
    unknown = read(reference_text(wire.Reference(5, None), OBJECTS))
    assert unknown == {"id": "0x0000000000000005", "new": False, "name": None, "class": None}
    new = wire.Reference(5, wire.NewObject("Title", NULL_GUID, ()))
    named = {"id": "0x0000000000000005", "new": True, "name": None, "class": "Title"}
    assert read(reference_text(new, None)) == named


def as_dictionary(variant: wire.Variant) -> dict[str, Any]:
    """The contract's Value in the plainest way."""
    vt, value = variant.vt, variant.value
    if isinstance(value, wire.SafeArray):
        kind, elements = f"ARRAY|{vartype_name(value.element_vt)}", value.elements
        if isinstance(elements, bytes):
            return {"type": kind, "value": elements.hex()}
        variants = [wire.Variant(8, one) if isinstance(one, str) else one for one in elements]
        return {"type": kind, "value": [as_dictionary(one) for one in variants]}
    shown: Any = value
    if isinstance(value, wire.Reference):
        info = OBJECTS.get(value.object_id)
        name, class_name = info or (None, None)
        known = {"name": name, "class": class_name or (value.new.title or None if value.new else None)}
        shown = {"id": f"0x{value.object_id:016x}", "new": value.new is not None, **known} if value.object_id else None
    elif isinstance(value, wire.Double):
        shown = value.value if math.isfinite(value.value) else str(value.value)
    elif vartype_name(vt) == "CY":
        assert isinstance(value, int)
        shown = f"{'-' if value < 0 else ''}{abs(value) // 10_000}.{abs(value) % 10_000:04d}"
    elif vartype_name(vt) in ("I8", "UI8"):
        shown = str(value)
    return {"type": vartype_name(vt), "value": shown}


@given(variants)
def test_values_are_written_as_json_writes_them(variant: wire.Variant) -> None:
    assert value_text(variant, OBJECTS) == json.dumps(as_dictionary(variant), allow_nan=False)


@given(bodies, st.booleans())
def test_any_message_is_written_as_json_writes_it(body: tuple[wire.Body, Any], masked: bool) -> None:
    sample = Sample()
    asked = sample.request(1, 20, False, "invoke", wire.Invoke(TASK, 9, NULL_GUID, 0, 3, params()), "job", 1)
    said = sample.answer(2, 21, asked, body[0])
    for one in (said, sample.request(3, 22, True, "call", body[0])):
        record = read(Records(Mask(masked)).message(one))
        assert list(record) == list(BLANK)
        params_of = getattr(body[0], "params", None)
        if not masked and params_of is not None:
            assert record["arguments"] == [as_dictionary(argument) for argument in params_of.natural]


# --- the two formats -----------------------------------------------------------------------------------------------


def written(view_class: type[JsonView] | type[JsonLinesView], sample: Sample, messages: bool, mask: bool = True) -> str:
    out = io.StringIO()
    view = view_class(out, Records(Mask(mask)), messages)
    for event in sample.events:
        if view.wants_messages or event not in sample.messages:
            view.add(event)
    view.close([capture()])
    return out.getvalue()


def test_json_is_one_object_in_the_order_of_numbers() -> None:
    sample = failing_job()
    sample.messages.reverse()
    document = json.loads(written(JsonView, sample, messages=True))
    assert list(document) == ["schema", "captures", "tasks", "connections", "problems", "messages", "exchanges"]
    assert document["schema"] == "jstrace/1"
    assert document["tasks"] == [TASK_RECORD]
    assert document["problems"] == [PROBLEM_RECORD]
    assert document["captures"] == [CAPTURE_RECORD]
    assert [one["n"] for one in document["connections"]] == [1, 2]
    assert [one["n"] for one in document["messages"]] == list(range(1, 23))


def test_json_without_messages() -> None:
    assert "messages" not in json.loads(written(JsonView, failing_job(), messages=False))


def test_jsonl_is_a_record_a_line() -> None:
    lines = [json.loads(line) for line in written(JsonLinesView, failing_job(), messages=True).splitlines()]
    assert [line["record"] for line in lines] == [
        *["message"] * 22,
        "problem",
        "connection",
        "connection",
        "task",
        "capture",
    ]
    assert next(iter(lines[0])) == "record"
    assert lines[-2] == {"record": "task"} | TASK_RECORD


@pytest.mark.parametrize("view_class", [JsonView, JsonLinesView])
def test_any_locale_can_write_it(view_class: type[JsonView] | type[JsonLinesView]) -> None:
    sample = failing_job()
    sample.task.job = "\u00fc\ud800\n\x1b"
    assert written(view_class, sample, messages=True).isascii()


@pytest.mark.parametrize("view_class", [JsonView, JsonLinesView])
def test_secrets_are_masked_unless_wanted(view_class: type[JsonView] | type[JsonLinesView]) -> None:
    secret = "hunter2hunter2"
    sample = failing_job()
    put = wire.Invoke(TASK, 5, NULL_GUID, 0, 4, params(bstr("db_password"), bstr(secret)))
    sample.answer(31, 71, sample.request(30, 70, False, "invoke", put, "value"), EMPTY_ANSWER)
    get = wire.Invoke(TASK, 5, NULL_GUID, 0, 2, params(bstr("db_password")))
    asked = sample.request(32, 72, False, "invoke", get, "value")
    sample.answer(33, 73, asked, wire.InvokeAnswer(0, bstr(secret), None))
    sample.say(34, 74, f'<x password="{secret}"/>')
    sample.answer(35, 75, asked, wire.ErrorAnswer((f"what=password={secret}",)))
    sample.problem("error_answer", Severity.ERROR, (75,), f"password={secret}", f"pwd={secret}", f"password={secret}")
    sample.task.log = [sample.task.log[0]._replace(text=f"password={secret}", time=at(1))]
    sample.task.job = f"password={secret}"
    assert secret not in written(view_class, sample, messages=True)
    assert written(view_class, sample, messages=True, mask=False).count(secret) == 9
