"""Bytes that are sent again and again and never acknowledged, as named facts (the rows are in ``silent_ends``)."""

from __future__ import annotations

from dataclasses import dataclass

from dissector.model import Connection, Mark, Message
from dissector.numbers import count
from dissector.session.case import after_silence, end_name, host_of, open_call_text
from dissector.session.subjects import Reported
from dissector.session.task import TaskFacts
from dissector.session.timeouts import SECOND
from dissector.session.verdict import end_mark, stuck_tries
from dissector.traffic import Side


@dataclass(slots=True)
class Unanswered(Reported):
    """Bytes of ``side`` that are sent again and again on ``about``, and never acknowledged."""

    side: Side

    @property
    def tries(self) -> list[Mark]:
        return stuck_tries(self.about, self.side, self.case.now)

    @property
    def number(self) -> int:
        return len(self.tries)

    @property
    def host(self) -> str:
        """Who does not answer."""
        return host_of(self.about, self.side.other)

    @property
    def reports(self) -> str:
        """What the first ICMP error says, and how many there are."""
        return self.report + (f" ({len(self.errors)} times)" if self.errors[1:] else "")

    @property
    def open_call(self) -> str:
        return open_call_text(self.case.facts)

    @property
    def since(self) -> int:
        """When it began (ns)."""
        return self.tries[0].time

    @property
    def idle(self) -> int:
        """Nanoseconds of silence of the other end before."""
        last = self.about.sides[self.side.other].last
        return self.since - (last.time if last else self.about.end)

    @property
    def idle_seconds(self) -> str:
        return f"{self.idle / SECOND:.0f}"

    @property
    def after_silence(self) -> str:
        return after_silence(self.idle)


@dataclass(slots=True)
class Unheard(Unanswered):
    """The client ends the task after a silence, and that command (``asked``) is never acknowledged: nothing comes from
    the remote any more, on either connection; ``about`` is the command connection."""

    callback: Connection
    asked: Message

    @property
    def since(self) -> int:
        return self.asked.time

    @property
    def idle(self) -> int:
        marks = (self.callback.sides[Side.CLIENT].last, self.about.sides[Side.SERVER].last)
        heard = max((mark.time for mark in marks if mark is not None), default=self.about.start)
        return self.since - heard

    @property
    def what(self) -> str:
        return "request to kill the task" if self.case.facts.kill is not None else "close"

    @property
    def state(self) -> str:
        return "is open" if end_mark(self.callback) is None else "was open until then"


@dataclass(slots=True)
class Stuck(Unanswered):
    """Bytes of the callback connection."""

    @property
    def whom(self) -> str:
        return end_name(self.side)

    @property
    def whom_in_text(self) -> str:
        return end_name(self.side).lower()

    @property
    def missing(self) -> str:
        return count(self.about.unacknowledged(self.side), "byte")

    @property
    def smallest(self) -> int:
        """Payload of the smallest segment that was sent again; 0: none was."""
        return self.about.sides[self.side].smallest_retransmitted or 0


def other_connection_lives(facts: TaskFacts, silent: Side, since: int) -> bool:
    """The silent end of the callback connection still talks on the command connection."""
    command = facts.record.command
    if command is None:
        return False
    last = command.sides[silent.other].last  # the two connections run in opposite directions
    return last is not None and last.time >= since
