"""A command connection: XML documents of both sides, each answer paired with its command."""

from __future__ import annotations

from collections.abc import Iterable

from dissector.limits import MAX_PENDING_COMMANDS
from dissector.model import Connection, Exchange, Message, Task
from dissector.numbers import odd_words
from dissector.session import detect
from dissector.session.bodies import document_of
from dissector.session.desk import Desk
from dissector.session.life import CommandState, WatchState
from dissector.session.task import TaskFacts
from dissector.stream.documents import DocumentReader
from dissector.traffic import Chunk, Gap, RawDocument, Side, StreamProblem
from dissector.wire import control
from dissector.wire.http_message import HttpMessage, parse_http

#: Tasks of one connection from which on those that are over are looked for.
_FEW_TASKS = 16


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
        if gap.acknowledged and gap.side is Side.CLIENT and self.facts is not None:
            before = self.connection.sides[Side.CLIENT].last_data
            # What is not in the capture at all was sent before it was acknowledged.
            time = gap.time if gap.snapped or before is None else min(before.time, gap.time)
            self.facts.cut_command = self.facts.cut_command or time
        self._handle(self._readers[gap.side].gap(gap))

    def closed(self, number: int, time: int) -> None:
        for reader in self._readers:
            self._handle(reader.finish(number, time))
        for message in self._open:
            self._unanswered(message)
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
        facts = self._facts_of(document, message.packets[0])
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
            self._unanswered(message)

    def _start(self, message: Message) -> None:
        """The engine starts one task a connection; a tool may start more, each a task of its own."""
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
        elif (
            facts.start_answer is not None
            and facts.life.command is not CommandState.REFUSED
            and facts not in self._unnumbered
        ):
            self._unnumbered = [*self._unnumbered[:1], facts]

    def _facts_of(self, document: control.Document | None, packet: int) -> TaskFacts | None:
        """The task that a command, in ``packet``, is about: by its process_id where several run on this connection."""
        close = control.close_task(document) or control.kill_task(document) if document else None
        if close is not None and len(self.tasks) > 1:
            return self._by_number(close.process_id)
        if document is not None and close is None and control.start_command(document) is None:
            return None
        if close is not None and not self.tasks:
            kill = not isinstance(close, control.CloseTask) or close.kill
            if (found := self._desk.command_found(self.connection, packet, kill=kill)) is not None:
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
        return None if known is None or known.life.watch is WatchState.LET_GO else known

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
            message.exchange = request.exchange
            self._exchange(request, message)
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
                self._unanswered(candidate)
        while is_xml_error and request and self._open and self._open[0].packets[-1] == request.packets[-1]:
            self._unanswered(self._open.pop(0))
        if request is not None:
            self._desk.message(request)
        elif self._unpaired:
            self._unpaired -= 1
        return request

    def _unanswered(self, message: Message) -> None:
        self._desk.message(message)
        self._exchange(message, None)

    def _exchange(self, request: Message, answer: Message | None) -> None:
        """One that came over HTTP is an exchange as well."""
        if request.exchange is None:
            return
        if answer is not None and not isinstance(answer.body, HttpMessage):
            answer = None  # the other end does not speak HTTP
        exchange = Exchange(request.exchange, self.connection, request.time, request.packets, "command", request.body)
        exchange.task = request.task
        if answer is not None:
            exchange.response, exchange.status, exchange.answered = answer.body, answer.body.status, answer.time
            exchange.latency, exchange.response_packets = answer.latency, answer.packets
        self._desk.exchange(exchange)

    def _message(self, raw: RawDocument, kind: str) -> Message:
        body: control.Document | HttpMessage
        if raw.kind == "http":
            body = parse_http(raw.data, is_request=kind == "command")
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
        if raw.kind == "http" and to_remote:
            message.exchange = self._desk.next_exchange()
        return message

    def _tell_odd_numbers(self, message: Message) -> None:
        document = document_of(message)
        for name, text in control.odd_numbers(document) if document is not None else ():
            side = Side.CLIENT if message.to_remote else Side.SERVER
            where = 0, message.packets[-1], message.time
            problem = StreamProblem("odd_number", side, *where, odd_words(name, text))
            self._problem(problem)


def _is_broken(message: Message) -> bool:
    document = document_of(message)
    return document is not None and document.form == "broken"
