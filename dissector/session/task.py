"""What the messages of one task say about it: the facts that the outcome and the diagnosis rest on.

Facts come from the messages alone (docs/protocol.md#life-of-a-task); nothing here judges them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from dissector.limits import MAX_EVIDENCE, MAX_LOG_BYTES, MAX_LOG_LINES
from dissector.model import Connection, Endpoint, LogLine, Message, Task
from dissector.numbers import TASK_ID, is_odd, number, odd_words
from dissector.session.agent_facts import AgentFacts
from dissector.session.bodies import asks_whether_it_exists, document_of, error_text
from dissector.session.dialog import Dialog
from dissector.session.life import CommandState, JoinState, Life, LifeEvent
from dissector.session.proof import Proof
from dissector.session.run_pairs import USUAL_FAILURES
from dissector.session.slow import SlowCallbacks, add_slow
from dissector.session.tallies import FailedCalls, add_failure
from dissector.session.timeouts import SLOW_CALLBACK
from dissector.wire import control, details
from dissector.wire import messages as wire
from dissector.wire.agent import failure_of
from dissector.wire.http_message import HttpMessage
from dissector.wire.names import log_line

_HTTP_ERROR = 400
#: Beginning of what step answers for a shell job.
_RESULT = b"<process.result"


@dataclass(slots=True, eq=False)
class TaskFacts:
    """One task under way.  Times are those of messages; None means: not seen."""

    record: Task
    rank: int = 0
    #: Where it is, by what was said and seen so far.
    life: Life = field(default_factory=Life)
    start: Message | None = None
    start_document: control.StartTask | None = None
    start_answer: Message | None = None
    start_error: control.XmlError | None = None
    close: Message | None = None
    close_answer: Message | None = None
    kill: Message | None = None
    #: When the client said something behind the start that the snap length cut off, or that the capture lost: the
    #: first time.
    cut_command: int | None = None
    #: A connection that may be the task's command connection, but whose start command could not be read.
    unread_command: Connection | None = None
    #: Connections from the remote that were meant as the callback and never got through.
    attempts: list[Connection] = field(default_factory=list)
    #: What there was beyond what is kept, by its noun.
    more: Counter[str] = field(default_factory=Counter)
    log_size: int = 0
    #: Someone else's connection that took the announced port, and the packet of its first strange bytes.
    intruder: Connection | None = None
    foreign_packet: int | None = None
    #: Its callback may be that of several starts, so it got none.
    pair_unclear: bool = False
    instance: int | None = None
    begin_refused: Message | None = None
    result: Message | None = None
    #: How much the capture lacks of what decides: see ``proof``.
    proof: Proof = field(default_factory=Proof)
    client_error: Message | None = None
    release: Message | None = None
    released: Message | None = None
    failed_calls: dict[tuple[str, str], FailedCalls] = field(default_factory=dict)
    #: Nanoseconds that the client's outermost calls took, and in them those in which the client had to answer.
    call_time: int = 0
    callback_time: int = 0
    longest_call: Message | None = None
    slow_callbacks: dict[str, SlowCallbacks] = field(default_factory=dict)
    undecoded: list[Message] = field(default_factory=list)
    trailing: list[Message] = field(default_factory=list)
    #: What should be a number and is none, by name: the message that has it, and what to say.
    odd_numbers: dict[str, tuple[Message, str]] = field(default_factory=dict)
    #: One of those would tell how the job went.
    result_odd: bool = False
    #: Who answers whom on the callback connection; None before it says something.
    dialog: Dialog | None = None
    #: Requests still unanswered when the callback connection ended, outermost first.
    open_requests: list[Message] = field(default_factory=list)
    #: Of a task on a Universal Agent, which has no connections of its own.
    agent: AgentFacts | None = None
    #: The secret of a Universal Agent's tunnel that its process began with.
    token: str | None = None

    @classmethod
    def of_command(cls, connection: Connection, first: Message | None = None) -> TaskFacts:
        """A task known by its command connection; ``first``: the start command where it is not the connection's first
        one, so that the task begins there and not with the SYN."""
        record = Task(
            start=first.time if first else connection.start,
            first_packet=first.packets[0] if first else connection.first_packet,
            client=connection.client,
            remote=connection.server,
            command=connection,
        )
        if connection.task is None:
            connection.task = record
        return cls(record)

    @classmethod
    def of_answer(cls, connection: Connection, answer: Message) -> TaskFacts | None:
        """A task whose start command was not captured, or could not be read, but its answer; None for other answers."""
        document = document_of(answer)
        started = control.process_started(document) if document is not None else None
        if started is None:
            return None
        facts = cls.of_command(connection)
        facts.start_answer, answer.task = answer, facts.record
        facts._commanded(LifeEvent.ANSWER, answer)
        facts.record.process_id, facts.record.pid = started.process_id, started.pid
        return facts

    @classmethod
    def of_callback(cls, connection: Connection) -> TaskFacts:
        """A task whose command connection was not captured: the listener is its client."""
        record = Task(
            start=connection.start,
            first_packet=connection.first_packet,
            client=Endpoint(connection.server.ip, None),
            callback_port=connection.server.port,
        )
        return cls(record)

    def adopt(self, command: Connection) -> None:
        """The task's command connection, of which the start was not captured."""
        record = self.record
        record.command, record.client, record.remote = command, command.client, command.server
        command.task = record

    @property
    def confirmed(self) -> bool:
        """A frame of the task process was seen: the callback connection is the right one for certain."""
        return self.life.join is JoinState.CONFIRMED

    # --- command connection ----------------------------------------------------------------------------------------

    def command(self, message: Message) -> None:
        """A document from the client."""
        document = document_of(message)
        if document is None:
            return
        if (start := control.start_command(document)) is not None:
            self.start, self.start_document = message, start
            self._commanded(LifeEvent.START, message)
            over_http = "http" if message.connection.tls is None else "https"
            self.record.via = over_http if isinstance(message.body, HttpMessage) else "tcp"
            self.record.kind = "process" if start.kind == "process" else "api"
            self.record.callback_port = start.tcp_port
        elif (close := control.close_task(document)) is not None:
            self.close = message
            self._commanded(LifeEvent.CLOSE, message)
            if close.kill:
                self.kill = self.kill or message
        elif control.kill_task(document) is not None:
            self.kill = self.kill or message
            self._commanded(LifeEvent.KILL, message)

    def command_answer(self, message: Message) -> None:
        """A document from the remote; ``message.request`` is what it answers."""
        document = document_of(message)
        if document is None:
            self._http_error(message)
        elif message.request is self.start and self.start is not None and self.start_answer is None:
            self.start_answer = message
            self.start_error = document.error
            self._commanded(LifeEvent.ANSWER if document.error is None else LifeEvent.ERROR, message)
            if (started := control.process_started(document)) is not None:
                self.record.process_id, self.record.pid = started.process_id, started.pid
        elif message.request is self.close and self.close is not None:
            self.close_answer = message
            self._commanded(LifeEvent.CLOSE_ANSWER, message)

    def _commanded(self, event: LifeEvent, message: Message) -> None:
        self.life.commanded(event, message.packets[-1], message.time)

    def _http_error(self, answer: Message) -> None:
        """An answer over HTTP that is no XML: something else than a classic agent, or a proxy, refused the start."""
        body = answer.body
        if answer.request is not self.start or self.start is None or not isinstance(body, HttpMessage):
            return
        if body.status is not None and body.status >= _HTTP_ERROR:
            self.start_answer = answer
            self._commanded(LifeEvent.ERROR, answer)
            self.start_error = control.XmlError(f"HTTP-{body.status}", failure_of(body) or "")

    # --- callback connection ---------------------------------------------------------------------------------------

    def frame(self, message: Message) -> None:
        """A frame of the callback connection, in order."""
        counts, kind = self.record.counts, message.kind
        counts.messages += 1
        counts.bytes += message.size
        if message.note is not None:
            if kind == "undecoded" and not message.to_remote:
                self.unread(message)
            odd = self.undecoded if kind == "undecoded" else self.trailing
            if len(odd) < MAX_EVIDENCE:
                odd.append(message)
        if message.latency is not None:
            self._took(message, message.latency)
        if kind == "request":
            if message.to_remote:
                counts.calls += 1
            else:
                counts.callbacks += 1
            self._request(message)
        elif kind == "answer":
            self._answer(message)
        elif kind == "error":
            counts.errors += 1
            self._error(message)
        elif kind == "keep_alive":
            counts.keep_alives += 1
        elif not message.to_remote and _RESULT in message.raw:
            # Its request came before the capture, but this text is that of no other answer.
            self._process_result(message, message.raw[message.raw.index(_RESULT) :].decode("iso-8859-1"))

    def _request(self, message: Message) -> None:
        body = message.body
        if message.to_remote and message.depth == 0:
            self.proof.asked(message, message.operation)
        if isinstance(body, wire.Invoke):
            if not message.to_remote and message.object_name == "spooler_log":
                self.log(message.time, message.packets[0], message.member, body)
        elif isinstance(body, wire.Call):
            if body.name.lower() == "construct":
                self._construct(message, body)
        elif isinstance(body, wire.Release) and message.to_remote and self.instance in (None, body.object_id):
            self.release = message

    def log(self, time: int, packet: int, member: str | None, body: wire.Invoke) -> None:
        """A call of a log object's ``member``."""
        self.logged(time, packet, (member or "").lower(), [argument.value for argument in body.params.natural])

    def logged(self, time: int, packet: int, member: str, values: Sequence[object]) -> None:
        """The same by the member's name in small letters and the arguments as written."""
        line = log_line(member, values)
        if line is None:
            return
        level, text = line
        self.record.counts.log_lines += 1
        size, log = self.log_size + len(str(text)), self.record.log
        if not isinstance(text, str) or len(log) >= MAX_LOG_LINES or size > MAX_LOG_BYTES:
            self.more["log line"] += isinstance(text, str)
            return
        self.log_size = size
        log.append(LogLine(time, level, text, packet))

    def _construct(self, message: Message, body: wire.Call) -> None:
        parameters = details.construct_values(body.params.natural)
        record = self.record
        record.job = record.job or parameters.get("job") or None
        task_id = parameters.get("task_id")
        if record.task_id is None:
            record.task_id = number(task_id, TASK_ID)
        if task_id is not None and is_odd(task_id, TASK_ID):
            self._odd_number(message, "task_id", task_id)
        if record.kind is None:
            # The start command that would tell was not captured; a shell job is what runs as kind="process".
            record.kind = "process" if (parameters.get("language") or "").lower() == "shell" else "api"

    def _answer(self, message: Message) -> None:
        body = message.body
        certain = self._answered(message)
        if isinstance(body, wire.CreateInstanceAnswer):
            if body.results and self.instance is None:
                self.instance = body.results[0].object.object_id or None
        elif isinstance(body, wire.CallAnswer):
            self._call_answer(message, body, certain=certain)
        elif message.request is not None and message.request is self.release:
            self.released = message
        hresult = getattr(body, "hresult", None)
        if hresult is not None and wire.is_failed(hresult):
            self.record.counts.errors += 1
            self._failed(message, hresult)

    def _answered(self, message: Message) -> bool:
        """False for the answer to the client's call under way that may be that to another call."""
        is_step = message.kind == "answer" and (message.member or "").lower() == "step"
        return self.proof.answered(message.request, is_step=is_step)

    def unread(self, message: Message) -> None:
        """A message of the task process that could not be decoded."""
        request = message.request
        if message.raw[:1] in (b"A", b"E"):
            self.proof.unread(request, to_remote=request is not None and request.to_remote)

    def _call_answer(self, message: Message, body: wire.CallAnswer, *, certain: bool) -> None:
        member = (message.member or "").lower()
        value = body.result.value
        if member == "begin" and value is False and certain:
            self.begin_refused = message
        elif member == "step" and isinstance(value, str):
            self._process_result(message, value)

    def _process_result(self, message: Message, text: str) -> None:
        result = details.process_result(text)
        if result is not None:
            self.result = message
            record = self.record
            record.exit_code, record.state_text = result.exit_code, result.state_text
            record.signal = result.signal_number
            for name, text in result.odd:
                self.result_odd = True
                self._odd_number(message, name, text)

    def _odd_number(self, message: Message, name: str, text: str) -> None:
        """A text that should be a number and is none: it counts as unknown."""
        self.odd_numbers.setdefault(name, (message, odd_words(name, text)))

    def _error(self, message: Message) -> None:
        """An E answer: one to the client's own call fails the task, unless it only asked whether a method exists."""
        request = message.request
        if not message.to_remote:
            certain = self._answered(message)
            if request is None or not (asks_whether_it_exists(request) and certain):
                self.client_error = self.client_error or message
            return
        add_failure(self.failed_calls, message, error_text(message))

    def _failed(self, message: Message, hresult: int) -> None:
        if message.operation == "get_ids_of_names" and hresult in USUAL_FAILURES:
            return
        if message.operation == "query_interface":
            return  # the usual way to ask for an optional interface
        add_failure(self.failed_calls, message, error_text(message) or f"hresult {hresult:08X}")

    def _took(self, answer: Message, latency: int) -> None:
        """The time of an answer; that of a call inside of a callback is not the callback's."""
        if answer.to_remote:
            self.callback_time += latency
            if latency >= SLOW_CALLBACK:
                add_slow(self.slow_callbacks, answer, latency)
        elif answer.depth:
            self.callback_time -= latency
        else:
            self.call_time += latency
            if self.longest_call is None or latency > (self.longest_call.latency or 0):
                self.longest_call = answer

    # --- where it stands -------------------------------------------------------------------------------------------

    def connections(self) -> list[Connection]:
        """Every connection of the task: command, callback attempts, the intruder's."""
        return [c for c in (self.record.command, *self.attempts, self.intruder) if c is not None]

    def last_seen(self) -> int:
        """Time of the last packet of any of its connections."""
        if self.agent is not None:
            return self.agent.heard
        return max((c.end for c in self.connections()), default=self.record.start)

    def open_calls(self) -> list[Message]:
        """The requests whose answers the task waits for at the moment, outermost first."""
        callback = self.record.callback
        if self.dialog is not None and (self.agent is not None or (callback is not None and not callback.over)):
            return self.dialog.open_requests()
        return [self.start] if self.start is not None and self.start_answer is None else []

    def is_over(self) -> bool:
        """True when none of the connections seen so far can bring anything more."""
        return self.agent is None and all(connection.over for connection in self.connections())

    def end_missed(self) -> None:
        """It is over, but how was not captured.  A callback that was accepted got through, if without a word."""
        for connection in self.connections():
            connection.over = True
            if self.record.callback is None and connection in self.attempts and connection.established:
                self.record.callback, self.record.callback_peer = connection, connection.client
                self.life.joined(LifeEvent.OPENED, connection.first_packet, connection.start)

    def is_through(self) -> bool:
        """True when nothing more can come: all is over, and no callback is to be waited for."""
        record = self.record
        if record.callback is None and self.close_answer is not None and record.command is not None:
            # A close is answered when the process, and with it its connect(), is gone; what was accepted before got
            # through, though it never said a word.
            answered = self.close_answer.time
            waits = (one.established or one.start >= answered for one in self.attempts if not one.over)
            return record.command.over and not any(waits)
        if not self.is_over():
            return False
        is_answered = self.start_answer is not None or (record.command is not None and record.command.sides[1].bytes)
        never_started = self.start is None or self.life.command is CommandState.REFUSED or not is_answered
        return record.callback is not None or never_started
