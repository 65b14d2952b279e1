"""Connections whose bytes nobody acknowledges any more: a host that is gone, a device that forgot them, an MTU."""

from __future__ import annotations

from dataclasses import dataclass

from dissector.model import Connection, Mark, Message
from dissector.numbers import count
from dissector.session.case import after_silence, end_name, host_of, open_call_text
from dissector.session.findings import Finding, Phrase, Reason
from dissector.session.subjects import Reported, error_packets, no, reported
from dissector.session.task import TaskFacts
from dissector.session.timeouts import IDLE, LARGE, LONG_IDLE, SECOND
from dissector.session.verdict import end_mark, has_hole, stuck_tries
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


def host_talks(one: Unanswered) -> bool:
    """The host that does not answer sends something on connections of other tasks."""
    own = [side for connection in one.case.facts.connections() for side in connection.sides]
    return one.case.hosts.heard(one.host, one.since, *own)


def idle(one: Unanswered) -> bool:
    return one.idle >= IDLE


def long_idle(one: Unanswered) -> bool:
    return one.idle >= LONG_IDLE


def hole(stuck: Stuck) -> bool:
    """What never arrives was captured nowhere: the segments behind it were."""
    return has_hole(stuck.about, stuck.side, stuck.case.now)


def alive(stuck: Stuck) -> bool:
    """The other end talks elsewhere meanwhile."""
    is_heard = stuck.case.hosts.heard(stuck.host, stuck.since, *stuck.about.sides)
    return other_connection_lives(stuck.case.facts, stuck.side.other, stuck.since) or is_heard


def small_ones_pass(stuck: Stuck) -> bool:
    """Something came just before or since, on this connection or another."""
    return alive(stuck) or stuck.idle < IDLE


def large(stuck: Stuck) -> bool:
    return stuck.smallest >= LARGE


def was_heard(stuck: Stuck) -> bool:
    """The other end acknowledged something before."""
    return bool(stuck.about.sides[stuck.side.other].acked)


def forgotten(stuck: Stuck) -> bool:
    """A device forgot the connection in the silence before, as far as that can be known."""
    return not reported(stuck) and ((alive(stuck) and idle(stuck)) or long_idle(stuck))


def try_packets(one: Unanswered) -> list[int]:
    return [mark.number for mark in one.tries]


def asked_packets(unheard: Unheard) -> tuple[int, ...]:
    return unheard.asked.packets


def last_packets(stuck: Stuck) -> list[int]:
    """What came last of those behind a hole."""
    last = stuck.about.sides[stuck.side].last_data
    return [last.number] if last is not None else []


def since(one: Unanswered) -> int:
    return one.since


_SILENT = "the other host or the network between them is gone: nothing came from {host} any more"
_LOOK = "look at {host} and at the network path to it at that time: down, restarted, or cut off?"
#: Nothing comes from a host any more.
GONE: tuple[Reason[Unanswered], ...] = (
    Reason(f"{_SILENT}; {{reporter}} says: {{reports}}", _LOOK, (reported,)),
    Reason(
        "packets of this task to and from {host} are lost, though that host talks on other connections",
        "look at the firewalls and the network on the path to {host}",
        (host_talks,),
    ),
    Reason(_SILENT, _LOOK),
)
#: The other cause that a silence of both connections can have.
_FORGOTTEN = "; or a firewall forgot both connections in these {idle_seconds} s of silence"
_UNHEARD = (
    "The {what} was retransmitted {number} times without an answer{after_silence}; the callback connection "
    "{state}{open_call}."
)
UNHEARD: tuple[Finding[Unheard], ...] = (
    Finding(
        "idle_connection_cut",
        (no(reported), long_idle),
        _UNHEARD,
        (asked_packets, try_packets),
        GONE,
        (Phrase(_FORGOTTEN),),
        since,
    ),
    Finding(
        "connection_lost",
        (),
        _UNHEARD,
        (asked_packets, try_packets, error_packets),
        GONE,
        (Phrase(_FORGOTTEN, (no(reported),)),),
        since,
    ),
)
_STUCK = "{whom}'s data was retransmitted {number} times without an answer{open_call}{after_silence}."
#: Every row that fits tells one.
STUCK: tuple[Finding[Stuck], ...] = (
    Finding(
        "path_mtu",
        (hole,),
        "{missing} of {whom_in_text} never arrived, later small ones did.",
        (last_packets, try_packets),
    ),
    Finding(
        "path_mtu",
        (no(hole), large, small_ones_pass, was_heard, no(reported)),
        "{whom}'s segments of {smallest} bytes never get through, while small ones do.",
        (try_packets,),
        time=since,
    ),
    Finding("idle_connection_cut", (no(hole), forgotten), _STUCK, (try_packets,), time=since),
    Finding(
        "connection_lost",
        (no(hole), no(forgotten)),
        _STUCK,
        (try_packets, error_packets),
        GONE,
        (
            Phrase(_FORGOTTEN, (idle, no(reported))),
            Phrase("; or packets of this size do not pass (see path_mtu)", (large, no(reported))),
        ),
        since,
    ),
)
