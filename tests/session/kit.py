"""Short words for tests of the session floor: frames for a dialog, and stories that are played packet by packet.

``Talk`` feeds a Dialog, one call a message.  ``Story`` is one task on its two connections, to be told in any order and
with anything left out; ``trace`` gives what a Tracer makes of it.  Whole tasks and packets come from ``conversation``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from itertools import count
from pathlib import Path
from typing import Any

from conversation import (
    ACK,
    ANSWER_TIME,
    EPOCH,
    FIN,
    MICROSECOND,
    PROLOG,
    PSH,
    RST,
    SECOND,
    SYN,
    Address,
    Line,
    Network,
    Record,
    TaskScript,
    dialog,
    start_command,
    started_answer,
)

from dissector.model import Connection, Endpoint, Event, Message, Outcome, Problem, Severity, Task
from dissector.session.dialog import Dialog
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.traffic import Frame, Packet, Side
from dissector.wire import messages as wire
from dissector.wire.decode import encode, encode_frame
from dissector.wire.tls_keys import Secrets

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
ETHERNET = 1
CLIENT, REMOTE = "10.1.0.10", "10.2.0.10"
#: What the task process (0) and the client (1) say in a healthy shell job with one line of output.
HEALTHY = tuple(dialog(TaskScript()))
#: How many of these messages there are up to and including ...
CREATED, BEGUN, STEP_ASKED, LOGGED, STEPPED, RELEASE_ASKED, RELEASED = 2, 6, 7, 9, 10, 11, 16


# --- captures ------------------------------------------------------------------------------------------------------


def traced(records: Iterable[Record], secrets: bytes = b"", *, overview: bool = False) -> list[Event]:
    """All that is told of a capture; ``secrets``: a TLS key log, ``overview``: what is said of it as a whole too."""
    known = Secrets()
    known.add_log(secrets)
    tracer, events = Tracer(secrets=known), list[Event]()
    for packet in packets_of(records):
        events += tracer.feed(packet)
    events += tracer.finish()
    return [*events, *tracer.overview.problems()] if overview else events


# --- frames --------------------------------------------------------------------------------------------------------


def framed(message: bytes) -> bytes:
    """A message with its length header."""
    return struct.pack(">i", len(message)) + message


class Talk:
    """A dialog under test: messages are bytes as they are on the wire (without length header) or records."""

    def __init__(self) -> None:
        connection = Connection(Endpoint(REMOTE, 50_000), Endpoint(CLIENT, 59_999), 0, 1)
        self.dialog = Dialog(connection, Side.SERVER, count(1).__next__)
        self._numbers = count(1)

    def client(self, message: bytes | wire.Body) -> Message:
        return self._feed(Side.SERVER, message)

    def task(self, message: bytes | wire.Body) -> Message:
        return self._feed(Side.CLIENT, message)

    def _feed(self, side: Side, message: bytes | wire.Body) -> Message:
        number = next(self._numbers)
        data = message if isinstance(message, bytes) else encode(message)
        return self.dialog.feed(Frame(side, 0, data, (number,), number * 1_000))


def xml_answer(content: str) -> bytes:
    """What the remote answers on the command connection, with its NUL."""
    return f'{PROLOG}<spooler><answer time="{ANSWER_TIME}">{content}</answer></spooler>\0'.encode("latin-1")


# --- packets -------------------------------------------------------------------------------------------------------


def packets_of(records: Iterable[Record]) -> list[Packet]:
    """Records in the order of their times as a capture would number them."""
    ordered = sorted(records, key=lambda record: record.time)
    return [
        Packet(number, EPOCH * SECOND + record.time, ETHERNET, record.data, len(record.data))
        for number, record in enumerate(ordered, 1)
    ]


def nanoseconds(seconds: float) -> int:
    return round(seconds * SECOND)


def with_ttl(record: Record, ttl: int) -> Record:
    """The same packet as if it came from another host: ``ttl`` hops are left."""
    return Record(record.time, record.data[:22] + bytes([ttl]) + record.data[23:])


def icmp_error(time: int, answered: Record, sender: str, code: int) -> Record:
    """An ICMP "unreachable" (type 3) from ``sender`` in answer to a packet."""
    quoted = answered.data[14:42]
    body = struct.pack(">BBHI", 3, code, 0, 0) + quoted
    head = struct.pack(">BBHHHBBH4s", 0x45, 0, 20 + len(body), 0, 0, 64, 1, 0, IPv4Address(sender).packed)
    return Record(time, answered.data[:14] + head + answered.data[26:30] + body)


# --- what comes out ------------------------------------------------------------------------------------------------


@dataclass
class Found:
    """All events of a run, in their order."""

    events: list[Event] = field(default_factory=list)

    @property
    def tasks(self) -> list[Task]:
        """Tasks by their numbers."""
        return sorted((event for event in self.events if isinstance(event, Task)), key=lambda task: task.n)

    @property
    def connections(self) -> list[Connection]:
        return [event for event in self.events if isinstance(event, Connection)]

    @property
    def messages(self) -> list[Message]:
        return [event for event in self.events if isinstance(event, Message)]

    @property
    def problems(self) -> list[Problem]:
        return [event for event in self.events if isinstance(event, Problem)]

    @property
    def task(self) -> Task:
        (task,) = self.tasks
        return task

    @property
    def outcome(self) -> Outcome:
        return self.task.outcome

    @property
    def codes(self) -> list[str]:
        return [problem.code for problem in self.problems]

    @property
    def alarms(self) -> list[str]:
        """Codes of problems that are more than a remark."""
        return [problem.code for problem in self.problems if problem.severity is not Severity.INFO]

    def problem(self, code: str) -> Problem:
        """The one problem of this code."""
        (problem,) = [problem for problem in self.problems if problem.code == code]
        return problem


def trace(source: Network | Story | Iterable[Packet] | str, **options: Any) -> Found:
    """What a Tracer makes of packets, of what was played, or of a recording (its name without ``.pcap``)."""
    tracer = Tracer(**options)
    found = Found()
    for packet in _packets(source):
        found.events += tracer.feed(packet)
    found.events += tracer.finish()
    return found


def _packets(source: Network | Story | Iterable[Packet] | str) -> Iterable[Packet]:
    if isinstance(source, str):
        return CaptureReader([CAPTURES / f"{source}.pcap"])
    if isinstance(source, Story):
        source = source.network
    return packets_of(source.records) if isinstance(source, Network) else source


# --- stories -------------------------------------------------------------------------------------------------------


class Story:
    """One task told step by step; every step takes its time in seconds.  Steps that are left out did not happen, or
    were not captured."""

    def __init__(self, network: Network | None = None, **script: Any) -> None:
        self.network = network or Network()
        self.script = TaskScript(**script)
        here, there = self.script, self.script
        self.command = self.network.line(Address(here.client, here.command_port), Address(there.remote, 4_455))
        self.callback = self.network.line(here.peer_address, Address(here.client, here.callback_port))

    @property
    def records(self) -> list[Record]:
        return self.network.records

    def start(self, at: float = 0.0, answer: bytes | None = None) -> Story:
        """The command connection, the start command and its answer (``b""``: none)."""
        time = nanoseconds(at)
        self.command.open(time)
        self.command.send(time + 100 * MICROSECOND, 0, start_command(self.script))
        reply = started_answer(self.script) if answer is None else answer
        if reply:
            self.command.send(time + 300 * MICROSECOND, 1, reply)
        return self

    def call_back(self, at: float = 0.01) -> Story:
        self.callback.open(nanoseconds(at))
        return self

    def say(self, at: float, first: int = 0, last: int | None = None, pace: float = 0.001) -> Story:
        """Messages of the script's dialog (numbers as in ``HEALTHY``), from ``first`` up to ``last``."""
        return self.talk(at, *tuple(dialog(self.script))[first:last], pace=pace)

    def talk(self, at: float, *messages: tuple[int, wire.Body | bytes], pace: float = 0.001) -> Story:
        """Any messages: (1 from the client or 0 from the task process, record or message bytes)."""
        for index, (side, message) in enumerate(messages):
            data = framed(message) if isinstance(message, bytes) else encode_frame(message)
            self.callback.send(nanoseconds(at + index * pace), side, data)
        return self

    def leave(self, at: float, side: int = 1, flags: int = FIN | ACK) -> Story:
        """The end of the callback connection: the client (1) with FIN and at once RST as the engine does, or a
        reset of either side alone (``flags=RST | ACK``)."""
        self.callback.packet(nanoseconds(at), side, flags)
        if flags & FIN:
            self.callback.reset(nanoseconds(at) + 5 * MICROSECOND, side)
        return self

    def close(self, at: float, *, kill: bool = False, answer: bool = True) -> Story:
        """The close command, its answer, and the end of the command connection."""
        time = nanoseconds(at)
        how = " kill='yes'" if kill else ""
        text = f"<remote_scheduler.remote_task.close process_id='{self.script.process_id}'{how}/>"
        self.command.send(time, 0, text.encode("latin-1"))
        if answer:
            self.command.send(time + 300 * MICROSECOND, 1, xml_answer("<ok/>"))
            self.command.finish(time + 400 * MICROSECOND, 0)
        return self

    def later(self, at: float) -> Story:
        """The capture goes on with something else up to this time."""
        self.network.say(Address("10.8.0.1", 33_333), Address("10.8.0.2", 80), (0, b"GET / HTTP/1.1\r\n\r\n"), start=at)
        return self

    def healthy(self, at: float = 0.0) -> Story:
        return self.start(at).call_back(at + 0.01).say(at + 0.02).leave(at + 0.04).close(at + 0.05)

    def found(self, **options: Any) -> Found:
        return trace(self, **options)


def number_of(story: Story, wanted: Callable[[Record], bool]) -> list[int]:
    """Packet numbers of the records that fit."""
    ordered = sorted(story.records, key=lambda record: record.time)
    return [number for number, record in enumerate(ordered, 1) if wanted(record)]


def is_reset(record: Record) -> bool:
    return bool(record.data[47] & RST)


def is_syn(record: Record) -> bool:
    """A SYN that opens."""
    return record.data[47] & (SYN | ACK) == SYN


def until(last: int, **script: Any) -> Story:
    return Story(**script).start().call_back().say(0.02, last=last)


def syns_of(story: Story, line_port: int) -> list[int]:
    port = struct.pack(">H", line_port)
    return number_of(story, lambda record: is_syn(record) and record.data[36:38] == port)


def the(code: str, severity: Severity, found: Found) -> Problem:
    """The one alarm of a run, which belongs to its task and its words are complete."""
    problem = found.problem(code)
    assert problem.severity is severity
    assert problem.task is found.task
    assert code in [told.code for told in found.task.problems]
    assert problem.summary
    assert problem.cause
    assert problem.remedy
    assert "{" not in problem.summary + problem.cause + problem.remedy
    assert list(problem.packets) == sorted(set(problem.packets))
    return problem


__all__ = [
    "ACK",
    "BEGUN",
    "CAPTURES",
    "CLIENT",
    "CREATED",
    "ETHERNET",
    "FIN",
    "HEALTHY",
    "LOGGED",
    "MICROSECOND",
    "PSH",
    "RELEASED",
    "RELEASE_ASKED",
    "REMOTE",
    "RST",
    "SECOND",
    "STEPPED",
    "STEP_ASKED",
    "SYN",
    "Address",
    "Found",
    "Line",
    "Network",
    "Record",
    "Story",
    "Talk",
    "TaskScript",
    "framed",
    "icmp_error",
    "is_reset",
    "is_syn",
    "nanoseconds",
    "number_of",
    "packets_of",
    "start_command",
    "started_answer",
    "syns_of",
    "the",
    "trace",
    "until",
    "with_ttl",
    "xml_answer",
]
