"""Tasks as a trace: what https://ui.perfetto.dev wants of it, and what it shows."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from jsonschema import Draft202012Validator, ValidationError
from render_sample import capture, failing_job

from dissector.render.perfetto import PerfettoView
from dissector.wire.masking import Mask

Records = list[dict[str, Any]]
CAPTURES = Path(__file__).resolve().parents[2] / "captures"
#: What the format has of each phase; Perfetto's own reader of traces is a program that PyPI does not bring.
_SCHEMA = Draft202012Validator(json.loads(Path(__file__).with_name("trace_event.schema.json").read_text("utf-8")))


def trace(events: Iterable[Any]) -> dict[str, Any]:
    out = io.StringIO()
    view = PerfettoView(out, Mask())
    for event in events:
        view.add(event)
    view.close([capture()])
    document: dict[str, Any] = json.loads(out.getvalue())
    return document


def check(document: dict[str, Any]) -> Records:
    """The rules of the Trace Event Format: known phases, all their fields, slices of a track nested in each other, and
    each flow begun and ended inside of a slice."""
    _SCHEMA.validate(document)
    records: Records = document["traceEvents"]
    tracks: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for record in records:
        assert record["ph"] in ("M", "X", "i", "s", "f")
        if record["ph"] == "X":
            assert record["dur"] >= 0
            tracks.setdefault((record["pid"], record["tid"]), []).append((record["ts"], record["ts"] + record["dur"]))
    for slices in tracks.values():
        open_ends: list[float] = []
        for start, end in sorted(slices, key=lambda one: (one[0], -one[1])):
            while open_ends and open_ends[-1] <= start:
                open_ends.pop()
            assert not open_ends or end <= open_ends[-1] + 0.001
            open_ends.append(end)
    flows = [record for record in records if record["ph"] in "sf"]
    for flow in flows:
        assert any(start <= flow["ts"] <= end for start, end in tracks[flow["pid"], flow["tid"]])
    begun, ended = ({flow["id"] for flow in flows if flow["ph"] == phase} for phase in "sf")
    assert ended <= begun
    return records


def test_a_task() -> None:
    document = trace(failing_job().events)
    records = check(document)
    assert document["otherData"] == {"start": "2026-11-22T04:07:04.837000Z"}
    names = [record["args"]["name"] for record in records if record["ph"] == "M"]
    assert names == ["10.1.0.10", "task 1  shell_fail", "10.2.0.10:4455", "task 1  shell_fail"]
    slices = {record["name"]: record for record in records if record["ph"] == "X"}
    step = slices["step"]
    assert (step["ts"], step["dur"]) == (7_700, 4_600)
    assert step["args"] == {"answer": '=> exit code 5, "failing"', "packets": [38, 41]}
    assert slices["release"]["pid"] == step["pid"] != slices["remote_task.close process_id=1"]["pid"]
    assert [record["ph"] for record in records if record["ph"] in "sf"] == ["s", "f"]
    (problem,) = [record for record in records if record["ph"] == "i"]
    assert problem["args"]["packets"] == "41"


def test_nothing() -> None:
    assert trace([]) == {"displayTimeUnit": "ms", "otherData": {}, "traceEvents": []}


@pytest.mark.parametrize(
    "name",
    [
        *("engine_ten_tasks.pcap", "faults/02_callback_drop.c.pcap", "faults/08_remote_port_closed.c.pcap"),
        *("agent/ua113_two_tasks.pcap", "engine_api_java_ok.pcap"),
    ],
)
def test_recordings(name: str, jstrace: Callable[..., Result]) -> None:
    done = jstrace("read", CAPTURES / name, "--format", "perfetto")
    assert done.exit_code == 0
    records = check(json.loads(done.stdout))
    assert any(record["ph"] == "X" for record in records)


@pytest.mark.parametrize(
    "change",
    [
        *({"ph": "Q"}, {"dur": -1}, {"dur": None}, {"ts": "1"}, {"pid": "host"}, {"name": ""}, {"args": []}),
        *({"ph": "i"}, {"ph": "s"}, {"ph": "M"}, {"more": 1}),
    ],
)
def test_the_schema_sees_what_is_wrong(change: dict[str, Any]) -> None:
    document = trace(failing_job().events)
    record = next(one for one in document["traceEvents"] if one["ph"] == "X")
    record.update(change)
    with pytest.raises(ValidationError):
        _SCHEMA.validate(document)
