"""What is said of a task that hangs, while it hangs: no callback so far, or a call without an answer."""

from __future__ import annotations

from dataclasses import dataclass

from dissector.model import Connection, Message, Problem, Severity
from dissector.session.case import Case, call_name
from dissector.session.findings import Finding, first
from dissector.session.subjects import Tried, answer_lost, refusal_packets, refused, syn_ack_packets, syn_packets
from dissector.session.timeouts import CALLBACK_AFTER, SECOND

_, _GIVEN_UP = CALLBACK_AFTER


@dataclass(slots=True)
class Awaited(Tried):
    """The callback that a task waits for, called in vain so far; ``limit`` (ns) is how long it has waited at least."""

    limit: int = 0

    @property
    def seconds(self) -> int:
        return self.limit // SECOND


@dataclass(slots=True)
class NotCalled:
    """A task that nobody has called yet."""

    case: Case
    about: Connection | None
    limit: int

    @property
    def seconds(self) -> int:
        return self.limit // SECOND


@dataclass(slots=True)
class Open:
    """A call without an answer so far."""

    case: Case
    about: Connection | None
    message: Message

    @property
    def name(self) -> str:
        return call_name(self.message)

    @property
    def seconds(self) -> int:
        return (self.case.now - self.message.time) // SECOND


Waiting = Awaited | NotCalled | Open


def now(subject: Waiting) -> int:
    return subject.case.now


def start_packets(waiting: NotCalled) -> tuple[int, ...]:
    start = waiting.case.facts.start
    return start.packets if start is not None else ()


def call_packets(open_call: Open) -> tuple[int, ...]:
    return open_call.message.packets


UNHEARD: tuple[Finding[NotCalled], ...] = (
    Finding("callback_missing", (), "No callback for {seconds} s: nobody has called yet.", (start_packets,), time=now),
)
AWAITED: tuple[Finding[Awaited], ...] = (
    Finding(
        "syn_ack_lost",
        (answer_lost,),
        "No callback for {seconds} s: the SYN+ACK of {about.server} never arrives at {about.client.ip}.",
        (syn_packets, syn_ack_packets, refusal_packets),
        time=now,
    ),
    Finding(
        "callback_refused",
        (refused,),
        "No callback for {seconds} s: {about.server} refuses it.",
        (syn_packets, refusal_packets),
        time=now,
    ),
    Finding(
        "callback_dropped",
        (),
        "No callback for {seconds} s: {syns} to {about.server} in {syns_span}, no answer.",
        (syn_packets, refusal_packets),
        time=now,
    ),
)
OPEN: tuple[Finding[Open], ...] = (
    Finding("slow_call", (), "{name} has been without an answer for {seconds} s.", (call_packets,), time=now),
)


def callback(case: Case, limit: int) -> Problem:
    """The callback has not come for ``limit`` ns: a warning first, and an error when the client has given up."""
    attempts = case.facts.attempts
    if attempts:
        found = next(first(AWAITED, Awaited(case, attempts[0], limit)))
    else:
        found = next(first(UNHEARD, NotCalled(case, case.facts.record.command, limit)))
    found.severity = Severity.WARNING if limit < _GIVEN_UP else Severity.ERROR
    return found


def call(case: Case, message: Message) -> Problem:
    """The newest open call of a task."""
    return next(first(OPEN, Open(case, case.facts.record.callback, message)))
