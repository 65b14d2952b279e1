"""What Python says of a capture: the messages as ``Told`` in the order in which they were completed, then the tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from heapq import heappop, heappush
from typing import Any

from dissector.model import Connection, Message, Outcome, Role, Task
from dissector.session.tracer import Tracer
from dissector.traffic import Packet
from dissector.verify.names import named
from dissector.verify.records import ComparedField, Found, Row, Told
from dissector.wire import control
from dissector.wire import messages as wire
from dissector.wire.decode import fields, pending_of
from dissector.wire.harmless import escape
from dissector.wire.http_message import HttpMessage
from dissector.wire.masking import Mask
from dissector.wire.secrets import MASK

_HEADER = 4
#: Packets that the plugin lists for one message.
_MAX_SEGMENTS = 64


def read(packets: Iterable[Packet], tracer: Tracer) -> Iterator[Told | Row | Found]:
    """The messages of ``packets`` in the order of their numbers, then the tasks in that of theirs.

    A message is final with its answer, so those inside of an open call wait in memory for it.
    """
    waiting: dict[int, Message] = {}
    tasks: list[Task] = []
    teller, due = _Teller(waiting), 1
    late: set[int] = set()
    #: By their packets; where some waited for others, that is not the order of their numbers.
    ready: list[tuple[int, int, Told]] = []

    def tell(number: int, *, is_late: bool) -> None:
        message = waiting.pop(number)
        told = teller.tell(message, is_late=is_late)
        heappush(ready, (message.packets[-1], number, told))

    for packet in packets:
        for event in tracer.feed(packet):
            if isinstance(event, Message):
                waiting[event.n] = event
                teller.numbered(event, packet.number)
                if packet.number > event.connection.last_packet:
                    late.add(event.n)
            elif isinstance(event, Task):
                tasks.append(event)
        while due in waiting:
            tell(due, is_late=due in late)
            late.discard(due)
            due += 1
        while ready and not tracer.reorder.has_held:
            yield heappop(ready)[-1]
    known = tracer.next_number()
    last = tracer.finish()
    waiting.update((event.n, event) for event in last if isinstance(event, Message))
    tasks += [event for event in last if isinstance(event, Task)]
    for number in sorted(waiting):
        tell(number, is_late=number > known or number in late)
    yield from (heappop(ready)[-1] for _ in range(len(ready)))
    tasks.sort(key=lambda task: task.n)
    yield from map(_row, tasks)
    for task in tasks:
        yield from _problems(task)


def _problems(task: Task) -> Iterator[Found]:
    mask = Mask()
    for one in task.problems:
        words = [escape(mask.text(text)) for text in (one.summary, one.cause, one.remedy)]
        yield Found(task.n, one.code, one.severity.value, one.packets, *words)


def _row(task: Task) -> Row:
    counts, word = task.counts, task.outcome.value
    if task.outcome is Outcome.FAILURE and task.exit_code:
        word = f"exit {task.exit_code}"
    return Row(task.n, task.first_packet, word, f"{counts.calls}+{counts.callbacks}", str(counts.log_lines))


class _Teller:
    """Remembers for each task the packet by which it had its number, and how many of its log lines have been met.

    ``later``: messages to come, by number.
    """

    def __init__(self, later: Mapping[int, Message]) -> None:
        self._mask = Mask()
        self._hidden: dict[Any, Any] = {}
        self._later = later
        self._numbered: dict[tuple[Task | None, Connection | None], int] = {}
        self._lines: dict[Task, int] = {}

    def numbered(self, message: Message, packet: int) -> None:
        """The message became final with ``packet``: from then on everybody can know its task's number."""
        if message.task is not None:
            self._numbered.setdefault(_leg(message), packet)

    def tell(self, message: Message, *, is_late: bool) -> Told:
        packet = message.packets[-1]
        is_whole = _is_document(message) or message.size == len(message.raw) + _header_of(message)
        told = Told(
            packet,
            message.size if is_whole else 0,
            connection=f"{message.connection.client} > {message.connection.server}",
        )
        told.is_late = is_late
        told.is_http = isinstance(message.body, HttpMessage)
        told.is_numbered = message.task is None or self._numbered.get(_leg(message), packet + 1) <= packet
        self._hidden = {} if told.is_http else self._mask.hidden(message)
        told.facts = {name: texts for name, texts in self._facts(message) if texts}
        if is_whole:  # of one that is too long to be decoded the plugin shows no bytes
            told.fields = list(self._document(message) if _is_document(message) else self._frame(message))
        return told

    def _facts(self, message: Message) -> Iterator[tuple[str, tuple[str, ...]]]:
        role = message.connection.role
        yield "connection", (role.value if role is Role.COMMAND else Role.CALLBACK.value,)
        yield "kind", (message.kind,)
        yield "operation", _maybe(message.operation)
        yield "task", _maybe(message.task and message.task.n)
        yield "segment", _segments(message)
        if message.request is not None:
            yield "request_in", (str(message.request.packets[-1]),)
            yield "time", (_seconds(message.latency or 0),)
        if message.answered_by is not None:
            yield "response_in", (str(self._later[message.answered_by].packets[-1]),)
        yield from self._of_document(message) if _is_document(message) else self._of_frame(message)

    def _of_frame(self, message: Message) -> Iterator[tuple[str, tuple[str, ...]]]:
        body = message.body
        invoke = message.request.body if message.request else body
        invoke = invoke.asks if isinstance(invoke, wire.Undecoded) else invoke
        yield "depth", (str(message.depth),)
        yield "note", _maybe(message.note)
        yield "object.id", () if message.object_id is None else (f"0x{message.object_id:016x}",)
        yield "object.name", _maybe(message.object_name)
        yield "object.class", _maybe(message.object_class)
        yield "member", _maybe(message.member)
        yield "dispid", (str(invoke.dispid),) if isinstance(invoke, wire.Invoke) else ()
        hresult = getattr(body, "hresult", None)
        yield "hresult", () if hresult is None else (f"0x{hresult:08x}",)
        yield from self._log(message)

    def _log(self, message: Message) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The line that the task's log has of this message."""
        task = message.task
        if task is None or not isinstance(message.body, wire.Invoke):
            return
        met = self._lines.get(task, 0)
        line = task.log[met] if met < len(task.log) else None
        texts = [argument.value for argument in message.body.params.arguments[:1]]
        if line is not None and (line.time, line.packet, [line.text]) == (message.time, message.packets[0], texts):
            self._lines[task] = met + 1
            yield "log.level", (line.level,)
            yield "log.text", (self._shown(line.text),)

    def _of_document(self, message: Message) -> Iterator[tuple[str, tuple[str, ...]]]:
        if not isinstance(message.body, control.Document):
            return
        document = self._mask.body(message.body)
        yield "xml.form", (document.form,)
        yield "xml.element", _maybe(document.element)
        yield "xml.attribute", tuple(f"{name}={value}" for name, value in document.attributes)
        if document.error is not None:
            yield "xml.error.code", (document.error.code,)
            yield "xml.error.text", (document.error.text,)

    def _document(self, message: Message) -> Iterator[ComparedField]:
        yield ComparedField("xml.text", 1, 0, message.size, self._mask.text(message.body.text), message.raw)

    def _frame(self, message: Message) -> Iterator[ComparedField]:
        raw, body, header = message.raw, message.body, _header_of(message)
        if header:
            yield ComparedField("length", 1, 0, header, len(raw), len(raw).to_bytes(header, "big"))
        is_opaque = isinstance(body, wire.Undecoded) and body.data in self._hidden
        pending = pending_of(message.request.body) if message.request is not None else None
        root = fields(raw, pending)
        numbers = self._mask.numbers(message, root)
        for name, level, node, is_number in named(root):
            if any(number.start <= node.start and node.end <= number.end for number in numbers):
                continue  # the plugin shows no field there
            value: object = node.value
            if is_number:
                value = next((float(leaf.value) for leaf in node.leaves() if isinstance(leaf.value, str)), 0.0)
            elif isinstance(value, str) and name != "undecoded":
                value = MASK if is_opaque and value else self._shown(value)
            place = node.start + header, node.end + header
            shown = is_number or not node.children
            yield ComparedField(name, level, *place, value, raw[node.start : node.end] if shown else b"")

    def _shown(self, text: str) -> str:
        """A text of the message at hand as it is shown."""
        hidden = self._hidden.get(text)
        return hidden if isinstance(hidden, str) else self._mask.text(text)


def _is_document(message: Message) -> bool:
    return isinstance(message.body, (control.Document, HttpMessage))


def _leg(message: Message) -> tuple[Task | None, Connection | None]:
    """The task, and where it runs on a Universal Agent, the other leg of it that carries the message: whose that is
    becomes known by what it says."""
    is_copy = message.task is not None and message.task.agent is not None and message.exchange is None
    return message.task, message.connection if is_copy else None


def _header_of(message: Message) -> int:
    """Bytes in front of a message; one in the body of an exchange over HTTP has none."""
    return _HEADER if message.exchange is None else 0


def _segments(message: Message) -> tuple[str, ...]:
    several = len(message.packets) > 1
    return tuple(map(str, message.packets[:_MAX_SEGMENTS])) if several else ()


def _maybe(value: object) -> tuple[str, ...]:
    return () if value is None else (str(value),)


def _seconds(nanoseconds: int) -> str:
    sign = "-" if nanoseconds < 0 else ""
    return f"{sign}{abs(nanoseconds) // 1_000_000_000}.{abs(nanoseconds) % 1_000_000_000:09}"
