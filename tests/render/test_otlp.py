"""Tasks as traces of OpenTelemetry: lines of JSON and a collector's protobuf say the same, and all of it."""

from __future__ import annotations

import json
import sys
import threading
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from render_sample import Sample, capture, failing_job, strings
from report_kit import numbered

from dissector.model import Severity
from dissector.render.otlp.spans import TraceIds, trace_ids
from dissector.render.otlp.view import OtlpView, to_stream
from dissector.wire import messages as wire
from dissector.wire.masking import Mask

Spans = list[dict[str, Any]]
CAPTURES = Path(__file__).resolve().parents[2] / "captures"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def exported(events: Iterable[Any]) -> str:
    out = StringIO()
    view = OtlpView(to_stream(out), Mask())
    for event in events:
        view.add(event)
    view.close([capture()])
    return out.getvalue()


def requests(text: str) -> list[ExportTraceServiceRequest]:
    """The lines as the protobuf that they stand for: OTLP's JSON has ids in hexadecimal digits."""
    found = []
    for line in text.splitlines():
        record = json.loads(line)
        for span in _spans_of(record):
            for name in ("traceId", "spanId", "parentSpanId"):
                if name in span:
                    span[name] = b64encode(bytes.fromhex(span[name])).decode()
        found.append(ParseDict(record, ExportTraceServiceRequest()))
    return found


def _spans_of(record: dict[str, Any]) -> Spans:
    return [span for resource in record["resourceSpans"] for scope in resource["scopeSpans"] for span in scope["spans"]]


def spans(text: str) -> Spans:
    return [span for line in text.splitlines() for span in _spans_of(json.loads(line))]


def about(span: dict[str, Any]) -> dict[str, Any]:
    """Attributes by their names; numbers are texts in JSON."""
    return {one["key"]: next(iter(one["value"].values())) for one in span.get("attributes", ())}


def check(found: Spans) -> None:
    """Each trace is a tree whose parents are there, and no id stands twice."""
    ids = {(span["traceId"], span["spanId"]) for span in found}
    assert len(ids) == len(found)
    assert len({span for _, span in ids}) == len(found)
    for span in found:
        assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
        assert span["name"]
        if "parentSpanId" in span:
            assert (span["traceId"], span["parentSpanId"]) in ids


def test_a_task() -> None:
    text = exported(failing_job().events)
    found = spans(text)
    check(found)
    (root,) = (span for span in found if "parentSpanId" not in span)
    known = about(root)
    assert root["name"] == "task shell_fail"
    assert root["status"] == {"code": 2, "message": "failure, exit 5"}
    assert (known["jobscheduler.exit_code"], known["client.address"], known["server.port"]) == (
        "5",
        "10.1.0.10",
        "4455",
    )
    assert known["jobscheduler.traceparent"] == f"00-{root['traceId']}-{root['spanId']}-01"
    (event,) = root["events"]
    assert event["name"] == "job_failed"
    assert about(event)["jobscheduler.remedy"] == "read the task's log"
    assert about(event)["jobscheduler.packets"] == {"values": [{"intValue": "41"}]}
    assert text == exported(failing_job().events)


def test_callbacks_are_inside_of_the_calls_that_they_interrupt() -> None:
    found = {span["name"]: span for span in spans(exported(failing_job().events))}
    step, begin = found["step"], found["begin"]
    assert found["spooler_log.log"]["parentSpanId"] == step["spanId"]
    assert found["spooler_task.Params_xml"]["parentSpanId"] == begin["spanId"]
    root = found["task shell_fail"]["spanId"]
    assert {found[name]["parentSpanId"] for name in ("step", "begin", "remote_scheduler.start_remote_task")} == {root}
    assert int(step["endTimeUnixNano"]) - int(step["startTimeUnixNano"]) == 4_600_000
    assert about(step)["jobscheduler.answer"] == '=> exit code 5, "failing"'


def test_a_request_without_an_answer_lasts_to_the_end() -> None:
    sample = failing_job()
    events = [one for one in sample.events if getattr(one, "answers", None) is None]
    found = {span["name"]: span for span in spans(exported(events))}
    assert found["step"]["status"] == {"code": 2, "message": "no answer"}
    assert found["step"]["endTimeUnixNano"] == found["task shell_fail"]["endTimeUnixNano"]


def test_the_lines_are_protobuf() -> None:
    (request,) = requests(exported(failing_job().events))
    again = ExportTraceServiceRequest.FromString(request.SerializeToString())
    assert again == request
    found = again.resource_spans[0].scope_spans[0].spans
    assert len(found) == len(spans(exported(failing_job().events)))
    assert {len(span.trace_id) for span in found} == {16}


@pytest.mark.one_in(5)
@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.pcap")), ids=lambda path: path.stem)
def test_recordings(path: Path, jstrace: Callable[..., Result]) -> None:
    done = jstrace("read", path, "--format", "otlp")
    found = spans(done.stdout)
    check(found)
    tasks = json.loads(jstrace("read", path, "--format", "json").stdout)["tasks"]
    roots = [about(span)["jobscheduler.task"] for span in found if "parentSpanId" not in span]
    assert sorted(map(int, roots)) == [task["n"] for task in tasks]
    assert len(requests(done.stdout)) == len(done.stdout.splitlines())


def test_commands_to_an_agent(jstrace: Callable[..., Result]) -> None:
    done = jstrace("read", CAPTURES / "agent" / "ua113_shell_ok.pcap", "--format", "otlp")
    found = spans(done.stdout)
    check(found)
    assert {"StartApiTask", "CloseTask"} & {span["name"] for span in found} or "StartSeparateProcess" in done.stdout


def test_many_spans_are_several_lines() -> None:
    text = exported(event for number in range(1, 80) for event in numbered(number).events)
    assert len(text.splitlines()) > 1
    assert max(len(_spans_of(json.loads(line))) for line in text.splitlines()) == 512
    found = spans(text)
    assert len({span["traceId"] for span in found}) == 1  # they are alike to the last fact
    assert len(found) == 79 * len(spans(exported(failing_job().events)))


def test_secrets_are_masked() -> None:
    sample = failing_job()
    sample.problem("job_failed", Severity.ERROR, (1,), "with password=Geheim12")
    assert "Geheim12" not in exported(sample.events)


# --- traceparent ---------------------------------------------------------------------------------------------------


def with_environment(text: str) -> Sample:
    sample = failing_job()
    call = wire.Call(0, "construct", wire.DispParams((), (strings(text),)))
    sample.request(1.5, 23, True, "call", call, "construct")
    return sample


@pytest.mark.parametrize(
    "text",
    [
        f"environment=TRACEPARENT=00-{TRACE}-{SPAN}-01",
        f'environment=<variable name="TRACEPARENT" value="00-{TRACE}-{SPAN}-00"/>',
        f"traceparent: 00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_a_job_in_a_trace_of_its_caller_is_in_it(text: str) -> None:
    sample = with_environment(text)
    assert trace_ids(sample.task, sample.messages) == TraceIds(int(TRACE, 16), int(SPAN, 16))
    found = spans(exported(sample.events))
    assert {span["traceId"] for span in found} == {TRACE}
    (root,) = (span for span in found if span["name"] == "task shell_fail")
    assert root["parentSpanId"] == SPAN


@pytest.mark.parametrize(
    "text",
    [
        f"TRACEPARENT=00-{'0' * 32}-{SPAN}-01",
        f"TRACEPARENT=00-{TRACE}-{'0' * 16}-01",
        f"TRACEPARENT=00-{TRACE[1:]}-{SPAN}-01",
        f"TRACEPARENT=00-{TRACE}-{SPAN}-011",
        f"TRACEPARENT=01-{TRACE}-{SPAN}-01",
        f"PARENT=00-{TRACE}-{SPAN}-01",
    ],
)
def test_what_is_no_traceparent(text: str) -> None:
    sample = with_environment(text)
    assert trace_ids(sample.task, sample.messages) == trace_ids(sample.task, ())


# --- collectors ----------------------------------------------------------------------------------------------------


@contextmanager
def collector(status: int = 200) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A collector on loopback: its address, and the paths and bodies that it gets."""
    got: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("path", ["", "/", "/v1/traces", "/own/path"])
def test_a_collector_gets_what_the_lines_say(path: str, jstrace: Callable[..., Result]) -> None:
    file = CAPTURES / "engine_shell_fail.pcap"
    with collector() as (address, got):
        done = jstrace("read", file, "--format", "otlp", "--otlp-endpoint", address + path)
    assert done.exit_code == 0, done.stderr
    lines = jstrace("read", file, "--format", "otlp").stdout
    assert [place for place, _ in got] == ["/own/path" if path == "/own/path" else "/v1/traces"]
    assert [ExportTraceServiceRequest.FromString(body) for _, body in got] == requests(lines)
    (root,) = (span for span in spans(lines) if "parentSpanId" not in span)
    assert done.stdout.endswith(f"UTC  {about(root)['jobscheduler.traceparent']}\n")
    assert done.stdout.startswith("task 1  shell_fail:1  failure, exit 5  ")


def test_a_collector_that_refuses(jstrace: Callable[..., Result]) -> None:
    with collector(400) as (address, _):
        done = jstrace("read", CAPTURES / "engine_shell_fail.pcap", "--format", "otlp", "--otlp-endpoint", address)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"jstrace: {address}/v1/traces did not take the spans: ")
    assert done.stderr.count("\n") == 1


def test_no_collector(jstrace: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with collector() as (address, _):
        pass
    done = jstrace("read", CAPTURES / "engine_shell_fail.pcap", "--format", "otlp", "--otlp-endpoint", address)
    assert done.exit_code == 2
    assert "did not take the spans: " in done.stderr
    assert done.stderr.count("\n") == 1


# --- what is missing, and what is wrong ----------------------------------------------------------------------------


def test_without_the_sdk(jstrace: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("opentelemetry", "dissector.render.otlp"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    done = jstrace("read", CAPTURES / "engine_shell_fail.pcap", "--format", "otlp")
    assert done.exit_code == 2
    assert done.stderr == "jstrace: --format otlp needs OpenTelemetry's SDK: pip install 'jstrace[otlp]'\n"


def test_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch, jstrace: Callable[..., Result]) -> None:
    before = exported(failing_job().events)
    for name, value in (
        ("OTEL_TRACES_SAMPLER", "always_off"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=b"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3"),
    ):
        monkeypatch.setenv(name, value)
    assert exported(failing_job().events) == before
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    done = jstrace("read", CAPTURES / "engine_shell_fail.pcap", "--format", "otlp")
    assert (done.exit_code, done.stderr) == (2, "jstrace: OpenTelemetry's SDK is switched off: OTEL_SDK_DISABLED\n")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--otlp-endpoint", "http://x"), "--otlp-endpoint needs --format otlp"),
        (("--format", "otlp", "--otlp-endpoint", "x:4318"), "'x:4318' is no URL such as http://localhost:4318"),
        (("--format", "otlp", "-v"), "-v has no effect on --format otlp"),
    ],
)
def test_wrong_usage(options: tuple[str, ...], words: str, jstrace: Callable[..., Result]) -> None:
    done = jstrace("read", CAPTURES / "engine_shell_fail.pcap", *options)
    assert done.exit_code == 2
    assert words in done.stderr
