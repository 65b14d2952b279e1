"""What is done with the bytes of a connection: one small class for each thing that a connection can be.

    Sniffer   nobody knows yet: keeps the first bytes until they tell, then hands them on
    Command   XML documents, paired with their answers
    Callback  frames, paired by a Dialog

A handler gets ``Chunk`` and ``Gap`` in stream order and ``closed`` once; it tells the tracer (through ``Desk``) what it
found.  Detection goes by content; a port is a hint for connections whose bytes say nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from dissector.limits import MAX_PENDING_COMMANDS
from dissector.model import Connection, Message, Task
from dissector.numbers import odd_words
from dissector.session import detect
from dissector.session.dialog import Dialog
from dissector.session.skim import ANSWER, Skim
from dissector.session.sniffer import Sniffer as Sniffer
from dissector.session.task import TaskFacts, document_of
from dissector.stream.block import Pairs
from dissector.stream.documents import DocumentReader
from dissector.stream.framing import FrameReader
from dissector.traffic import Chunk, Frame, Gap, RawDocument, Side, Skipped, StreamProblem
from dissector.wire import control

#: Tasks of one connection from which on those that are over are looked for.
_FEW_TASKS = 16


class Desk(Protocol):
    """What a handler may ask of the tracer."""

    def next_number(self) -> int: ...
    def tells(self, connection: Connection) -> bool:
        """False when a connection's messages are of no use but for what the tasks' facts need of them."""

    def omitted(self, connection: Connection, messages: int) -> None: ...
    def message(self, message: Message) -> None: ...
    def stream_problem(self, problem: StreamProblem, connection: Connection) -> None: ...
    def recognised(self, connection: Connection) -> None: ...
    def command_found(self, connection: Connection, *, kill: bool) -> TaskFacts | None: ...
    def command_started(self, facts: TaskFacts) -> None: ...
    def is_open(self, record: Task) -> bool:
        """True while the task is under way."""

    def callback_opened(self, facts: TaskFacts, connection: Connection) -> TaskFacts: ...
    def callback_foreign(self, facts: TaskFacts, connection: Connection, packet: int) -> None: ...


class Command:
    """A command connection: documents of both sides, each answer paired with its command.

    Requests and answers alternate; broken XML may never be answered, and several commands in one segment are answered
    by one error.  So an answer belongs to the oldest open command that is not broken (an XML error: to the oldest one),
    and whatever is older, or came in the same segment as the command of an XML error, stays without an answer.
    """

    def __init__(self, connection: Connection, desk: Desk, head: bytes = b"", *, is_ours: bool = True) -> None:
        """``head``: the first bytes of the client, ``is_ours``: not only its port says what the connection is."""
        self.connection = connection
        self.head = head
        self.facts: TaskFacts | None = None
        self._desk = desk
        self._is_ours = is_ours
        self._open: list[Message] = []
        #: Commands behind these that wait for their answers too, but are not kept.
        self._unpaired = 0
        mid_stream = connection.mid_stream
        self._readers = (
            DocumentReader(Side.CLIENT, is_client=True, mid_stream=mid_stream),
            DocumentReader(Side.SERVER, is_client=False, mid_stream=mid_stream),
        )
        #: Tasks begun here: all that are under way, and some that were.
        self.tasks: dict[Task, TaskFacts] = {}
        self._by_process: dict[int, TaskFacts] = {}
        #: Those that were answered with no number: two are as good as more.
        self._unnumbered: list[TaskFacts] = []
        self._most_tasks = _FEW_TASKS

    def chunk(self, chunk: Chunk) -> None:
        self._handle(self._readers[chunk.side].feed(chunk))

    def gap(self, gap: Gap) -> None:
        if gap.snapped and gap.side is Side.CLIENT and self.facts is not None:
            self.facts.cut_command = self.facts.cut_command or gap.time
        self._handle(self._readers[gap.side].gap(gap))

    def closed(self, number: int, time: int) -> None:
        for reader in self._readers:
            self._handle(reader.finish(number, time))
        for message in self._open:
            self._desk.message(message)
        self._open.clear()

    def _handle(self, items: Iterable[RawDocument | StreamProblem]) -> None:
        for item in items:
            if isinstance(item, StreamProblem):
                self._problem(item)
            elif item.kind == "poke":
                continue
            elif item.side is Side.CLIENT:
                self._command(item)
            else:
                self._answer(item)

    def _problem(self, problem: StreamProblem) -> None:
        """Told unless the bytes may be somebody else's: what is wrong with those is no matter of ours."""
        if self._is_ours:
            self._desk.stream_problem(problem, self.connection)

    def _command(self, raw: RawDocument) -> None:
        message = self._message(raw, "command")
        document = document_of(message)
        start = control.start_command(document) if document else None
        if start is not None:
            self._start(message)
        facts = self._facts_of(document)
        message.task = facts.record if facts else None
        if facts is not None:
            facts.command(message)
        if start is not None and facts is not None:
            self._desk.command_started(facts)
        self._desk.recognised(self.connection)
        self._tell_odd_numbers(message)
        if len(self._open) < MAX_PENDING_COMMANDS and not self._unpaired:
            self._open.append(message)
        else:
            # Its answer comes behind those of the others, so that it is enough to count.
            self._unpaired += 1
            message.note = message.note or f"behind {MAX_PENDING_COMMANDS} commands without an answer: not paired"
            self._desk.message(message)

    def _start(self, message: Message) -> None:
        """The engine starts one task a connection; a tool may start more, each a task of its own."""
        if self.facts is None or self.facts.start is not None:
            self.begin(TaskFacts.of_command(self.connection, message if self.tasks else None))

    def begin(self, facts: TaskFacts) -> None:
        if len(self.tasks) >= self._most_tasks:
            self.tasks = {record: known for record, known in self.tasks.items() if self._desk.is_open(record)}
            self._by_process = {
                number: known for number, known in self._by_process.items() if known.record in self.tasks
            }
            self._most_tasks = max(_FEW_TASKS, 2 * len(self.tasks))
        self.facts = self.tasks[facts.record] = facts
        self._named(facts)

    def _named(self, facts: TaskFacts) -> None:
        """Of several tasks with one process_id the first one counts."""
        if facts.record.process_id is not None:
            self._by_process.setdefault(facts.record.process_id, facts)
        elif facts.start_answer is not None and facts.start_error is None and facts not in self._unnumbered:
            self._unnumbered = [*self._unnumbered[:1], facts]

    def _facts_of(self, document: control.Document | None) -> TaskFacts | None:
        """The task that a command is about: by its process_id where several run on this connection."""
        close = control.close_task(document) or control.kill_task(document) if document else None
        if close is not None and len(self.tasks) > 1:
            return self._by_number(close.process_id)
        if document is not None and close is None and control.start_command(document) is None:
            return None
        if close is not None and not self.tasks:
            kill = not isinstance(close, control.CloseTask) or close.kill
            if (found := self._desk.command_found(self.connection, kill=kill)) is not None:
                self.begin(found)
        return self.facts

    def _by_number(self, process_id: int | None) -> TaskFacts | None:
        """The task under way that has the number, which the newest one may have though that was not captured; without
        one the only task that was answered with none."""
        if process_id is None:
            known = self._unnumbered[0] if len(self._unnumbered) == 1 else None
        else:
            known = self._by_process.get(process_id)
            if known is None and self.facts is not None and self.facts.record.process_id is None:
                known = self.facts
        return None if known is None or known.given_up else known

    def _answer(self, raw: RawDocument) -> None:
        self._is_ours = self._is_ours or detect.is_engine(b"", raw.data)
        message = self._message(raw, "command_answer")
        request = self._pair(message)
        if request is not None:
            request.answered_by = message.n
            message.answers = request.n
            message.request = request
            message.latency = message.time - request.time
            message.operation = request.operation
            message.task = request.task
            facts = self.tasks.get(request.task) if request.task is not None else None
            if facts is not None:
                facts.command_answer(message)
                self._named(facts)
        elif not self.tasks and (started := TaskFacts.of_answer(self.connection, message)) is not None:
            self.begin(started)
            self._desk.command_started(started)
            self._desk.recognised(self.connection)
        self._tell_odd_numbers(message)
        self._desk.message(message)

    def _pair(self, answer: Message) -> Message | None:
        document = document_of(answer)
        is_xml_error = document is not None and document.error is not None and document.error.code.startswith("XML")
        request: Message | None = None
        while self._open and request is None:
            candidate = self._open.pop(0)
            if is_xml_error or not _is_broken(candidate):
                request = candidate
            else:
                self._desk.message(candidate)
        while is_xml_error and request and self._open and self._open[0].packets[-1] == request.packets[-1]:
            self._desk.message(self._open.pop(0))
        if request is not None:
            self._desk.message(request)
        elif self._unpaired:
            self._unpaired -= 1
        return request

    def _message(self, raw: RawDocument, kind: str) -> Message:
        body: control.Document | control.HttpMessage
        if raw.kind == "http":
            body = control.parse_http(raw.data, is_request=kind == "command")
        elif kind == "command":
            body = control.parse_command(raw.data)
        else:
            body = control.parse_answer(raw.data)
        number, to_remote = self._desk.next_number(), kind == "command"
        data = raw.data
        message = Message(
            number, self.connection, raw.time, raw.packets, to_remote, kind, body.element, body, data, len(data)
        )
        note = getattr(body, "reason", None)
        message.note = note if raw.complete else note or "the document is not complete"
        return message

    def _tell_odd_numbers(self, message: Message) -> None:
        document = document_of(message)
        for name, text in control.odd_numbers(document) if document is not None else ():
            side = Side.CLIENT if message.to_remote else Side.SERVER
            where = 0, message.packets[-1], message.time
            problem = StreamProblem("odd_number", side, *where, odd_words(name, text))
            self._problem(problem)


class Callback:
    """A callback connection of the task ``facts``; its listening end is the JobScheduler client."""

    def __init__(self, connection: Connection, desk: Desk, facts: TaskFacts) -> None:
        self.connection = connection
        self.facts = facts
        self._desk = desk
        self._dialog = Dialog(connection, Side.SERVER, desk.next_number)
        synced = not connection.mid_stream
        self._readers = (FrameReader(Side.CLIENT, synced=synced), FrameReader(Side.SERVER, synced=synced))
        self._foreign = False
        self._opened = False
        self._skim = None if desk.tells(connection) else Skim(self._dialog, Side.SERVER)

    def chunk(self, chunk: Chunk) -> None:
        if self._foreign:
            return
        if self.facts.confirmed and self._opened:
            reader = self._readers[chunk[0]]
            frame = reader.whole(chunk)
            if frame is not None:
                self.frame(frame)
            else:
                self._handle(reader.pieces(chunk))
            return
        self._open()
        if (
            not self.facts.confirmed
            and chunk.side is Side.CLIENT
            and chunk.offset == 0
            and not self.connection.mid_stream
            and detect.is_foreign_callback(chunk.data)
        ):
            self._foreign = True
            self._desk.callback_foreign(self.facts, self.connection, chunk.number)
            return
        self._handle(self._readers[chunk.side].feed(chunk))

    def frame(self, frame: Frame) -> None:
        """The next message of a connection that is ``in_step``."""
        if self._skim is None or not self._skim.take(frame, self.facts):
            self._frame(frame)
        elif frame[2][0] == ANSWER:
            self._desk.omitted(self.connection, 2)

    @property
    def in_step(self) -> bool:
        """True when whole messages in order are all that is expected."""
        ready = self.facts.confirmed and self._opened and not self._foreign
        return ready and all(reader.in_step for reader in self._readers)

    def pairs(self, pairs: Pairs, asker: Side, heads: list[bytes], first: int) -> bool:
        """Skims messages of a run, if ``asker`` may ask now; the connection has to be ``in_step``.  ``first`` is the
        number of its block's first packet."""
        if self._skim is None or not self._skim.may_ask(asker):
            return False
        self._skim.take_pairs(pairs, heads, self.facts, first)
        return True

    def passed(self, *, is_answer: bool) -> None:
        """One of the messages that ``pairs`` took comes by."""
        self._desk.next_number()
        if is_answer:
            self._desk.omitted(self.connection, 2)

    def gap(self, gap: Gap) -> None:
        if not self._foreign:
            self._open()
            self.facts.proof.lost(gap.side)
            self._handle(self._readers[gap.side].gap(gap))

    def _open(self) -> None:
        if not self._opened:
            self._opened = True
            self.facts = self._desk.callback_opened(self.facts, self.connection)
            self.facts.dialog = self._dialog
            self.facts.proof.settled = not self.connection.mid_stream

    def closed(self, number: int, time: int) -> None:
        if self.connection.established:  # accepted, maybe without a word
            self._open()
        if not self._foreign:
            for reader in self._readers:
                self._handle(reader.finish(number, time))
        self.facts.open_requests = self._dialog.open_requests()
        for message in self.facts.open_requests:
            self._desk.message(message)

    def _handle(self, items: Iterable[Frame | Skipped | StreamProblem]) -> None:
        for item in items:
            if isinstance(item, StreamProblem):
                if item.code != "gap":
                    self.facts.proof.lost(item.side)
                self._desk.stream_problem(item, self.connection)
                continue
            if not self.facts.confirmed and item.side is Side.CLIENT:
                self.facts.confirmed = True
            if isinstance(item, Skipped):
                self._skipped(item)
            else:
                self.frame(item)

    def _skipped(self, skipped: Skipped) -> None:
        """A message that is too long to be decoded: whose it is and what it asks for is known all the same."""
        message = self._dialog.skipped(skipped)
        if not message.to_remote:
            self.facts.proof.unread(message)
        self.facts.frame(message)
        message.note = skipped.reason
        self._told(message, skipped.head[0])

    def _frame(self, frame: Frame) -> None:
        message = self._dialog.feed(frame)
        self.facts.frame(message)
        self._told(message, frame[2][0])

    def _told(self, message: Message, message_class: int) -> None:
        desk = self._desk
        if message.request is not None:
            desk.message(message.request)
        for lost in self._dialog.given_up():
            desk.message(lost)
        if message_class not in b"SOK":
            desk.message(message)


Handler = Command | Callback | Sniffer


def _is_broken(message: Message) -> bool:
    document = document_of(message)
    return document is not None and document.form == "broken"
