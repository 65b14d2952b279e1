"""The way back: a callback that never got through, was refused, came late, or was somebody else's connection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dissector.model import Connection, Mark, Message, Outcome, Problem
from dissector.session.case import Case, span
from dissector.session.failed_callbacks import IN_VAIN, Called
from dissector.session.findings import Finding, Reason, first
from dissector.session.life import LifeEvent
from dissector.session.task import TaskFacts
from dissector.session.timeouts import GIVE_UP_FROM, SECOND, SLOW_START
from dissector.session.uncalled import left, missing
from dissector.session.verdict import (
    closed_by,
    got_through,
    is_answer_missing,
    is_refused,
    may_have_ended,
    one_sided,
    waited,
)
from dissector.traffic import Side


def unmask_intruder(facts: TaskFacts) -> None:
    """A connection from a foreign address that took the announced port was never the task process when it left without
    a word, or when another one then found the port closed.  One that is just silent may be the process, on a remote
    with several addresses."""
    record = facts.record
    callback, remote = record.callback, record.remote
    if callback is None or remote is None or facts.confirmed or facts.intruder is not None or one_sided(callback):
        return
    if callback.client.ip == remote.ip or callback.sides[Side.CLIENT].bytes or callback.mid_stream:
        return
    has_left = closed_by(callback) is Side.CLIENT
    if has_left or any(is_refused(other) for other in facts.attempts if other is not callback):
        facts.intruder = callback
        facts.attempts.remove(callback)
        facts.life.joined(LifeEvent.STRANGER, callback.first_packet, callback.start)
        record.callback = record.callback_peer = None


# --- somebody else -------------------------------------------------------------------------------------------------


def silent(called: Called) -> bool:
    return called.case.facts.foreign_packet is None


def first_packet(called: Called) -> list[int]:
    return [called.about.first_packet]


def foreign_packet(called: Called) -> list[int]:
    return [called.case.facts.foreign_packet or called.about.first_packet]


FOREIGN: tuple[Finding[Called], ...] = (
    Finding(
        "callback_foreign_bytes",
        (silent,),
        "{about.client} took the announced port {announced} and never sent a byte.",
        (first_packet,),
    ),
    Finding(
        "callback_foreign_bytes",
        (),
        "{about.client} took the announced port {announced} and sent bytes that are no answer.",
        (foreign_packet,),
    ),
)


# --- it got through, and took its time -----------------------------------------------------------------------------


@dataclass(slots=True)
class CameLate:
    """A callback that got through; lost SYNs count."""

    case: Case
    about: Connection
    start: Message

    @property
    def took(self) -> int:
        """Nanoseconds from the start command on."""
        return got_through(self.about).time - self.start.time

    @property
    def seconds(self) -> str:
        return f"{self.took / SECOND:.1f}"

    @property
    def answered(self) -> int:
        """Nanoseconds until the start was answered; 0 where that was not captured."""
        answer = self.case.facts.start_answer
        return (answer.latency or 0) if answer is not None else 0

    @property
    def answered_seconds(self) -> str:
        return f"{self.answered / SECOND:.1f}"

    @property
    def first(self) -> Mark:
        return self.about.syns[0] if self.about.syns else Mark(self.about.first_packet, self.about.start)

    @property
    def syns(self) -> int:
        return len(self.about.syns)

    @property
    def syns_span(self) -> str:
        return span(self.about.syns)


def took_long(came: CameLate) -> bool:
    return came.took >= SLOW_START + came.case.grain


def answered_late(came: CameLate) -> bool:
    """Most of the time the remote scheduler took to answer the start."""
    return came.answered * 2 > came.took


def syns_lost(came: CameLate) -> bool:
    return came.syns > 1


def opening_packets(came: CameLate) -> list[int]:
    return [came.first.number, got_through(came.about).number]


def opening_time(came: CameLate) -> int:
    return came.first.time


SLOW: tuple[Finding[CameLate], ...] = (
    Finding(
        "slow_start",
        (took_long,),
        "The callback came {seconds} s after the start.",
        (opening_packets,),
        (
            Reason(
                "the remote scheduler answered the start only after {answered_seconds} s: it was busy or stopped",
                when=(answered_late,),
            ),
            Reason("{syns} SYNs in {syns_span}: the first ones were lost or dropped", when=(syns_lost,)),
            Reason("the task process took that long to start (Java start, load of the remote host)"),
        ),
        time=opening_time,
    ),
)


def callback(case: Case) -> Iterator[Problem]:
    """The callback that never came, never got through, or took its time."""
    facts = case.facts
    record = facts.record
    if facts.intruder is not None:
        yield from first(FOREIGN, Called(case, facts.intruder))
    elif record.outcome is Outcome.NO_CALLBACK:
        yield from left(case)
        yield from first(IN_VAIN, Called(case, facts.attempts[0])) if facts.attempts else missing(case)
    elif record.outcome is Outcome.UNKNOWN and record.callback is None and facts.attempts:
        yield from first(IN_VAIN, Called(case, facts.attempts[0]))
    elif record.outcome is Outcome.UNKNOWN and record.callback is None and _may_be_refused(case):
        yield from missing(case)
    elif record.callback is not None and facts.start is not None:
        yield from first(SLOW, CameLate(case, record.callback, facts.start))


def _may_be_refused(case: Case) -> bool:
    """The client waited in vain, and what the remote answered is not in the capture."""
    facts = case.facts
    command = facts.record.command
    ended = command is not None and may_have_ended(command, Side.SERVER)
    is_due = ended or waited(facts, case.now) >= GIVE_UP_FROM
    return is_due and facts.close is None and is_answer_missing(facts)
