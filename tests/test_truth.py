"""Every frame of every recording, compared with what the recorded software put into it.

``captures/NAME.truth.json`` lists the frames of each callback connection in order (captures/README.md).  The program
runs whole, as a user runs it, and its JSON is compared field by field.  Three things differ between the two by
agreement and are translated here:

* The truth numbers frames from 0 on each connection, the program numbers messages over the whole run.
* The truth has doubles as the text on the wire, CY as the raw integer and references with title and properties.
* From release 1.10 on a task process opens the dialog with a JSON token.  It is marked ``undecodable`` and the truth
  counts it as a request that stays open: everything behind it is one level deeper there, and it is ``unanswered``.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

Json = dict[str, Any]
CAPTURES = Path(__file__).resolve().parent.parent / "captures"

#: Frames of the callback connections of each recording: none may go uncompared.
FRAMES = {
    "engine_agent_not_reachable": 0,
    "engine_api_init_false": 26,
    "engine_api_java_errorcalls": 64,
    "engine_api_java_exception": 30,
    "engine_api_java_noclass": 22,
    "engine_api_java_ok": 120,
    "engine_api_manylog": 1036,
    "engine_api_sub": 4542,
    "engine_bigscript": 30,
    "engine_frozen_controller": 2102,
    "engine_kill_agent": 19,
    "engine_kill_task": 30,
    "engine_order": 190,
    "engine_process_file": 30,
    "engine_shell_bad_monitor": 24,
    "engine_shell_fail": 30,
    "engine_shell_ok": 32,
    "engine_ten_tasks": 320,
    "engine_xml_errors": 0,
    "engine_xml_keepalive_space": 0,
    "h19_basic": 160,
    "h19_errors": 56,
    "h19_keepalive_many": 176,
    "h19_kill_client": 648,
    "h19_kill_server_midmessage": 11,
    "h19_many": 4022,
    "h19_nested": 60,
    "h19_two": 244,
    "h19_variants": 158,
    "scala111_keepalive": 36,
    "scala113_http_tunnel": 45,
    "scala113_shell": 31,
    "scala19_java": 244,
    "scala19_shell": 34,
}

#: Frames that break the format on purpose: (recording, frame in its connection).
BROKEN = {("scala113_http_tunnel", 0), ("scala113_shell", 0), ("scala19_java", 214)}

KINDS = {"S": {"request"}, "O": {"request"}, "A": {"answer"}, "E": {"error"}, "K": {"keep_alive"}}


@cache
def truth_of(name: str) -> Json:
    truth: Json = json.loads((CAPTURES / f"{name}.truth.json").read_text(encoding="utf-8"))
    return truth


def messages_of(document: Json, connection: Json) -> list[Json]:
    """The program's messages of the truth's connection; the task process opened it, so it is the ``client`` there."""
    numbers = [
        found["n"]
        for found in document["connections"]
        if [found["server"]["ip"], found["server"]["port"]] == connection["client"]
        and [found["client"]["ip"], found["client"]["port"]] == connection["peer"]
    ]
    assert len(numbers) == 1, f"{connection['peer']} -> {connection['client']} is there {len(numbers)} times"
    return [message for message in document["messages"] if message["connection"] == numbers[0]]


# --- values --------------------------------------------------------------------------------------------------------


def contract_value(value: Json) -> Json:
    """A value of the truth as the output contract writes it."""
    kind, content = value["type"], value["value"]
    if kind in ("R4", "R8", "DATE"):
        return {"type": kind, "value": contract_double(content)}
    if kind == "CY":
        return {"type": kind, "value": f"{Decimal(content) / 10_000:.4f}"}
    if kind in ("ARRAY|VARIANT", "ARRAY|BSTR"):
        return {"type": kind, "value": [contract_value(element) for element in content]}
    if kind in ("DISPATCH", "UNKNOWN"):
        return {"type": kind, "value": contract_reference(content)}
    return {"type": kind, "value": content}


def contract_double(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else str(number)


def contract_reference(reference: Json | None) -> Json | None:
    return reference and {"id": reference["id"], "new": reference["new"]}


def bare(value: Any) -> Any:
    """A value of the program without the names and classes that it adds to references: the truth has none there."""
    if isinstance(value, list):
        return [bare(element) for element in value]
    if isinstance(value, dict) and {"id", "new", "name", "class"} == set(value):
        return contract_reference(value)
    if isinstance(value, dict):
        return {key: bare(element) for key, element in value.items()}
    return value


def spelled(value: Any) -> str:
    """For comparison: tells 1 from 1.0 and from true, and -0.0 from 0.0, which ``==`` does not."""
    return json.dumps(value, sort_keys=True)


# --- one frame -----------------------------------------------------------------------------------------------------


def expectations(frame: Json) -> Iterator[tuple[str, Any]]:
    """What the program has to say about a frame: (field, value), for the fields that the frame has."""
    yield "direction", frame["direction"]
    yield "bytes", frame["bytes"]
    if frame["class"] in "SOA" and frame["operation"] != "keep_alive":
        yield "operation", frame["operation"]
    if "member" in frame:
        yield "member", frame["member"]
    if "dispid" in frame:
        yield "dispid", frame["dispid"]
    if "flags" in frame:
        yield "flags", frame["flags"]
    if "arguments" in frame:
        yield "arguments", [contract_value(value) for value in frame["arguments"]]
    if frame["class"] in "AE":
        yield "hresult", frame.get("hresult")
        yield "dispids", frame.get("dispids")
        yield "result", contract_value(frame["result"]) if "result" in frame else None
        yield "excepinfo", frame.get("excepinfo")
        yield "results", contract_results(frame)


def contract_results(frame: Json) -> list[Json] | None:
    if "results" not in frame:
        return None
    return [{"hresult": one["hresult"], "object": contract_reference(one["object"])} for one in frame["results"]]


def differences(frame: Json, message: Json, numbers: list[int], shift: int) -> list[str]:
    """What is wrong with ``message``; ``numbers``: the program's numbers by the truth's, ``shift``: levels too deep."""
    found = [
        f"{field}: {spelled(bare(message[field]))[:300]} instead of {spelled(value)[:300]}"
        for field, value in expectations(frame)
        if spelled(bare(message[field])) != spelled(value)
    ]
    kinds = KINDS[frame["class"]] if frame["operation"] != "keep_alive" else {"keep_alive", "answer"}
    answers = numbers[frame["answers"]] if "answers" in frame else None
    checks = {
        "kind": message["kind"] in kinds,
        "packets": [message["packets"][0], message["packets"][-1]] == frame["packets"],
        "depth": message["depth"] == frame["depth"] - shift,
        "answers": message["answers"] == answers,
        "latency": (message["latency"] is not None) == ("answers" in frame),
        "object": object_is_told(frame, message["object"]),
        "error": error_is_told(frame, message["error"]),
    }
    return found + [f"{field}: {message[field]}" for field, right in checks.items() if not right]


def object_is_told(frame: Json, found: Json | None) -> bool:
    """The object of a request; where the truth knows no name or class the program may have found one."""
    if frame["class"] != "O":
        return True
    if found is None or found["id"] != frame["object_id"]:
        return False
    right_name: bool = frame["object_name"] in (None, found["name"])
    right_class: bool = frame["object_class"] in (None, "", found["class"])
    return right_name and right_class


def error_is_told(frame: Json, found: Json | None) -> bool:
    """``E`` answers as sent, a failed hresult as source, eight hex digits and description."""
    if frame["class"] == "E":
        return bool(found == frame["error"])
    if frame.get("hresult", 0) < 0x8000_0000:
        return found is None
    details = frame.get("excepinfo") or {"source": "", "description": ""}
    return (
        found is not None
        and str(found["code"]).lower() == f"{frame['hresult']:08x}"
        and (found["name"] or "") == details["source"]
        and details["description"] in (found["text"] or "")
    )


# --- one connection ------------------------------------------------------------------------------------------------


def compare(name: str, document: Json, connection: Json) -> int:
    """Number of frames compared, all of them right."""
    frames = connection["messages"]
    messages = messages_of(document, connection)
    assert len(messages) == len(frames)
    numbers = [message["n"] for message in messages]
    token = bool(frames) and frames[0]["class"] == "{"
    complaints = []
    for frame, message in zip(frames, messages, strict=True):
        if frame["operation"] == "undecodable":
            assert (name, frame["n"]) in BROKEN
            assert message["kind"] == "undecoded" or reported(document, message), message
            assert message["bytes"] == frame["bytes"]
        else:
            assert message["kind"] != "undecoded", message
            complaints += [f"frame {frame['n']}, {text}" for text in differences(frame, message, numbers, int(token))]
    assert complaints == []
    check_pairs(connection, messages, numbers, token)
    return len(frames)


def reported(document: Json, message: Json) -> bool:
    """True when a problem of the message's connection shows its packets."""
    return any(
        problem["connection"] == message["connection"] and set(problem["packets"]) & set(message["packets"])
        for problem in document["problems"]
    )


def check_pairs(connection: Json, messages: list[Json], numbers: list[int], token: bool) -> None:
    """``answered_by`` is the inverse of ``answers``, and what nobody answered is what the truth lists."""
    answered = {message["answers"]: message["n"] for message in messages if message["answers"] is not None}
    requests = [message for message in messages if message["kind"] in ("request", "keep_alive")]
    for message in requests:
        assert message["answered_by"] == answered.get(message["n"])
    if not token:
        expected = [numbers[n] for n in connection["unanswered"]]
        assert [message["n"] for message in requests if message["answered_by"] is None] == expected


# --- the tests -----------------------------------------------------------------------------------------------------


def test_no_recording_is_skipped() -> None:
    assert set(FRAMES) == {path.name.removesuffix(".truth.json") for path in CAPTURES.glob("*.truth.json")}
    assert set(FRAMES) == {path.stem for path in CAPTURES.glob("*.pcap")}
    assert sum(FRAMES.values()) == 14_572


@pytest.mark.parametrize("name", FRAMES)
def test_every_frame_is_what_was_sent(name: str, trace: Callable[..., Json]) -> None:
    document = trace(CAPTURES / f"{name}.pcap")
    connections = truth_of(name)["callback_connections"]
    assert sum(compare(name, document, connection) for connection in connections) == FRAMES[name]
    talked = [found for found in document["connections"] if found["role"] == "callback" and found["bytes"]]
    assert len(talked) == len(connections)


def test_an_unfinished_frame_is_not_invented(trace: Callable[..., Json]) -> None:
    """The task process died while it sent 1 MB: the bytes that came are no message, and the loss is told."""
    connection = truth_of("h19_kill_server_midmessage")["callback_connections"][0]
    assert connection["left_over"] == {"remote->client": 24_481}
    document = trace(CAPTURES / "h19_kill_server_midmessage.pcap")
    messages = messages_of(document, connection)
    assert sum(message["bytes"] for message in messages) < 24_481
    assert "connection_lost" in {problem["code"] for problem in document["problems"]}


FIELDS_TO_BREAK = [
    ("direction", "client->remote"),
    ("operation", "call"),
    ("member", "Error"),
    ("dispid", 13),
    ("flags", ["METHOD", "PROPERTYGET"]),
    ("arguments", []),
    ("object", None),
    ("depth", 0),
    ("bytes", 6),
    ("packets", [1]),
    ("answers", 1),
    ("latency", 0.1),
    ("kind", "answer"),
    ("error", {"name": "", "code": "", "text": ""}),
]


@pytest.mark.parametrize(("field", "value"), FIELDS_TO_BREAK, ids=[field for field, _ in FIELDS_TO_BREAK])
def test_the_comparison_sees_a_broken_field(field: str, value: Any) -> None:
    """A message that is right passes, and fails as soon as one field is wrong."""
    frame = truth_of("engine_api_init_false")["callback_connections"][0]["messages"][7]
    assert (frame["operation"], frame["member"], frame["depth"]) == ("invoke", "warn", 1)
    right = {
        **{key: frame[key] for key in ("direction", "operation", "member", "dispid", "flags", "bytes", "depth")},
        "kind": "request",
        "packets": [30],
        "arguments": [{"type": "BSTR", "value": "init returns false"}],
        "object": {"id": frame["object_id"], "name": "spooler_log", "class": frame["object_class"]},
        **dict.fromkeys(("answers", "latency", "hresult", "result", "dispids", "results", "error", "excepinfo")),
    }
    assert differences(frame, right, list(range(100)), 0) == []
    assert differences(frame, {**copy.deepcopy(right), field: value}, list(range(100)), 0) != []


@pytest.mark.parametrize(
    ("truth", "expected"),
    [
        ({"type": "R8", "value": "1.5000000000000000e+00"}, '{"type": "R8", "value": 1.5}'),
        ({"type": "R8", "value": "-0.0000000000000000e+00"}, '{"type": "R8", "value": -0.0}'),
        ({"type": "R4", "value": "-inf"}, '{"type": "R4", "value": "-inf"}'),
        ({"type": "R8", "value": "Infinity"}, '{"type": "R8", "value": "inf"}'),
        ({"type": "DATE", "value": "nan"}, '{"type": "DATE", "value": "nan"}'),
        ({"type": "CY", "value": "-10000"}, '{"type": "CY", "value": "-1.0000"}'),
        ({"type": "CY", "value": "9223372036854775807"}, '{"type": "CY", "value": "922337203685477.5807"}'),
        ({"type": "BOOL", "value": True}, '{"type": "BOOL", "value": true}'),
    ],
)
def test_values_are_translated_to_the_contract(truth: Json, expected: str) -> None:
    assert spelled(contract_value(truth)) == expected
