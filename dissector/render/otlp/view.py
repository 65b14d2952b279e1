"""Traces through OpenTelemetry's SDK: to a stream, as lines of OTLP's JSON, or to a collector, as its protobuf."""

from __future__ import annotations

import json
import logging
from base64 import b64decode
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, TextIO

from dissector import __version__
from dissector.errors import ToolError
from dissector.model import CaptureInfo, Event, Task
from dissector.render.by_task import EventsByTask, TaskEvents
from dissector.render.charts.view import title_of
from dissector.render.otlp.spans import TaskSpan, TraceIds, task_span, trace_ids
from dissector.wire.masking import Mask

MISSING = "--format otlp needs OpenTelemetry's SDK: pip install 'jstrace[otlp]'"

try:
    from google.protobuf.json_format import MessageToDict
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExportResult
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON
    from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
except ImportError:
    raise ToolError(MISSING) from None

#: Spans in one request to a collector, and in one line.
_BATCH = 512
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
#: What OTLP's JSON has in hexadecimal digits and protobuf's own in base64.
_IDS = ("traceId", "spanId", "parentSpanId")


class OtlpView:
    """Hands the spans of each task to ``export`` at the end; ``tell`` gets a line for each task with its
    ``traceparent``.

    :raises ToolError: OpenTelemetry's SDK is switched off in the environment
    """

    wants_messages = True

    def __init__(
        self, export: Callable[[Sequence[Any]], None], mask: Mask, tell: Callable[[str], object] | None = None
    ) -> None:
        self._export, self._mask, self._tell = export, mask, tell
        self._all = EventsByTask()
        self._ids, self._ended = _Ids(), _Ended()
        # Nothing of the environment (samplers, limits, attributes) changes what is in a trace.
        resource = Resource({"service.name": "jobscheduler"})
        limits = SpanLimits(*[SpanLimits.UNSET] * 8)
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False, id_generator=self._ids, span_limits=limits
        )
        self._provider.add_span_processor(self._ended)
        self._tracer = self._provider.get_tracer("jstrace", __version__)
        if isinstance(self._tracer, trace.NoOpTracer):
            raise ToolError("OpenTelemetry's SDK is switched off: OTEL_SDK_DISABLED")

    def add(self, event: Event) -> None:
        self._all.add(event)

    def close(self, captures: Sequence[CaptureInfo], seen: int | None = None) -> None:  # noqa: ARG002  a view's shape
        """:raises ToolError: the collector did not take the spans"""
        for task, conversation in self._all.tasks():
            self._task(task, conversation)
            if len(self._ended.spans) >= _BATCH:
                self._send()
        self._send()

    def _task(self, task: Task, conversation: TaskEvents) -> None:
        messages = sorted(conversation.messages, key=lambda message: message.n)
        ids = trace_ids(task, messages)
        self._ids.begin(ids, task)
        context = None
        if ids.parent:
            remote = SpanContext(ids.trace, ids.parent, is_remote=True, trace_flags=_SAMPLED)
            context = trace.set_span_in_context(NonRecordingSpan(remote))
        span = task_span(task, conversation, self._mask)
        traceparent = self._span(span, context, is_root=True)
        if self._tell is not None:
            self._tell(f"{title_of(task, self._mask)}  {traceparent}")

    def _span(self, told: TaskSpan, context: Any, *, is_root: bool = False) -> str:
        """Returns the span's ``traceparent``."""
        kind = SpanKind.INTERNAL if is_root else SpanKind.CLIENT
        span = self._tracer.start_span(told.name, context, kind, told.attributes, start_time=told.start)
        own = span.get_span_context()
        traceparent = f"00-{own.trace_id:032x}-{own.span_id:016x}-01"
        if is_root:
            span.set_attribute("jobscheduler.traceparent", traceparent)
        for event in told.events:
            span.add_event(event.name, event.attributes, event.time)
        inside = trace.set_span_in_context(span)
        for one in told.inside:
            self._span(one, inside)
        if told.failed is not None:
            span.set_status(Status(StatusCode.ERROR, told.failed))
        span.end(max(told.end, told.start))
        return traceparent

    def _send(self) -> None:
        spans = self._ended.spans
        for start in range(0, len(spans), _BATCH):
            self._export(spans[start : start + _BATCH])
        spans.clear()


class _Ids(IdGenerator):  # type: ignore[misc]  # not typed here
    """Numbers of spans that are the same in every run."""

    def __init__(self) -> None:
        self._trace, self._count, self._key = 1, 0, b""

    def begin(self, ids: TraceIds, task: Task) -> None:
        self._trace, self._count = ids.trace, 0
        self._key = repr((ids.trace, task.start, task.n)).encode()

    def generate_trace_id(self) -> int:
        return self._trace

    def generate_span_id(self) -> int:
        self._count += 1
        digest = blake2b(b"%d %s" % (self._count, self._key), digest_size=8).digest()
        return int.from_bytes(digest, "big") or 1


class _Ended(SpanProcessor):  # type: ignore[misc]  # not typed here
    """Keeps spans until they are sent."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


# --- where to ------------------------------------------------------------------------------------------------------


def to_stream(out: TextIO) -> Callable[[Sequence[Any]], None]:
    """A line of OTLP's JSON (``ExportTraceServiceRequest``) for each batch, as collectors read and write files."""

    def export(spans: Sequence[Any]) -> None:
        record = MessageToDict(encode_spans(spans), use_integers_for_enums=True)
        for resource in record["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    span.update({name: b64decode(span[name]).hex() for name in _IDS if name in span})
        out.write(json.dumps(record, separators=(",", ":")) + "\n")
        out.flush()

    return export


def to_collector(url: str) -> Callable[[Sequence[Any]], None]:
    """By HTTP; headers, certificates and the time to wait are those of OTEL_EXPORTER_OTLP_* in the environment."""
    said = _Said()
    logger = logging.getLogger("opentelemetry")
    logger.addHandler(said)
    logger.propagate = False
    address = url if url.rstrip("/").count("/") > 2 else url.rstrip("/") + "/v1/traces"
    exporter = OTLPSpanExporter(endpoint=address)

    def export(spans: Sequence[Any]) -> None:
        try:
            is_taken = exporter.export(spans) is SpanExportResult.SUCCESS
        except OSError as error:
            raise ToolError(f"{address}: {error}") from None
        if not is_taken:
            raise ToolError(f"{address} did not take the spans: {said.last or 'no answer'}")

    return export


class _Said(logging.Handler):
    """The last thing that the exporter logs: why it failed."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage().partition("\n")[0]
