"""What problems are told of: connections that did not come about, and ends of connections, as named facts.

Rows ask the questions below and name the attributes (see ``findings``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from dissector.model import Connection, Mark, Role, address_text
from dissector.numbers import count
from dissector.session.case import Case, between, by_device_text, end_name, host_of, span
from dissector.session.reset_origin import forgery
from dissector.session.timeouts import LATELY, SECOND
from dissector.session.verdict import is_refused, unreachables
from dissector.traffic import IcmpError, Side

S = TypeVar("S")

#: What ICMP says when somebody does not want the connection; everything else says that there is no path.
_BANS = ("prohibited", "port unreachable", "protocol unreachable", "rejected", "policy", "precedence")


def no(question: Callable[[S], bool]) -> Callable[[S], bool]:
    return lambda subject: not question(subject)


@dataclass(slots=True)
class Reported:
    """A connection of which a router or a host may have said that its packets do not arrive."""

    case: Case
    about: Connection

    @property
    def errors(self) -> list[IcmpError]:
        return unreachables(self.about)

    @property
    def reporter(self) -> str:
        """Who sent the first ICMP error."""
        return address_text(self.errors[0].sender)

    @property
    def report(self) -> str:
        return self.errors[0].reason


@dataclass(slots=True)
class Tried(Reported):
    """A connection that did not come about: the command connection, or a callback."""

    @property
    def syns(self) -> str:
        return count(len(self.about.syns), "SYN")

    @property
    def syn_acks(self) -> str:
        return count(len(self.about.syn_acks), "SYN+ACK")

    @property
    def syns_span(self) -> str:
        return span(self.about.syns)

    @property
    def handshake_span(self) -> str:
        return span(sorted([*self.about.syns, *self.about.syn_acks]))

    @property
    def earlier_syns(self) -> int:
        return len(self.about.syns) - 1

    @property
    def what(self) -> str:
        return "callback" if self.about.role is Role.CALLBACK else "command connection"

    @property
    def ports(self) -> str:
        """What a firewall has to let through: callbacks come to lower ports as well."""
        return f"port {self.about.server.port}" + (" and lower" if self.about.role is Role.CALLBACK else "")


def answer_lost(tried: Tried) -> bool:
    """The SYN is answered, but whoever sent it never hears of it."""
    return tried.about.syn_ack_lost


def refused(tried: Tried) -> bool:
    return is_refused(tried.about)


def reported(subject: Reported) -> bool:
    """A router or a host says that packets do not arrive."""
    return bool(subject.errors)


def error_packets(subject: Reported) -> list[int]:
    return [error.number for error in subject.errors]


def banned(tried: Tried) -> bool:
    """The ICMP error says that somebody does not want the connection."""
    return any(ban in tried.report for ban in _BANS)


def reported_by_host(tried: Tried) -> bool:
    """The host that was called says so itself."""
    return tried.reporter == tried.about.server.ip


def answers_others(tried: Tried) -> bool:
    """The port that does not answer this connection answered others just before, or answers them meanwhile."""
    return bool(tried.case.hosts.answers(tried.about, tried.about.start - LATELY))


def tried_once(tried: Tried) -> bool:
    return len(tried.about.syns) == 1


def heard(tried: Tried) -> bool:
    """The host that does not answer a callback sends something else meanwhile."""
    command, since = tried.case.facts.record.command, tried.about.start
    last = command.sides[Side.CLIENT].last if command is not None else None
    return (last is not None and last.time >= since) or tried.case.hosts.heard(
        tried.about.server.ip, since, *tried.about.sides
    )


def syn_packets(tried: Tried) -> list[int]:
    return [mark.number for mark in tried.about.syns]


def syn_ack_packets(tried: Tried) -> list[int]:
    return [mark.number for mark in tried.about.syn_acks]


def refusal_packets(tried: Tried) -> list[int]:
    reset = tried.about.sides[Side.SERVER].rst
    return ([reset.number] if reset else []) + error_packets(tried)


# --- ends ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Ending:
    """The end of a connection, by ``side``."""

    case: Case
    about: Connection
    end: Mark
    side: Side

    @property
    def whom(self) -> str:
        return end_name(self.side, self.about).lower()

    @property
    def host(self) -> str:
        return host_of(self.about, self.side)

    @property
    def how(self) -> str:
        return "reset" if was_reset(self) else "closed"

    @property
    def proof(self) -> str:
        """What proves that somebody else sent a reset; empty when nothing does."""
        return forgery(self.about, self.side, self.end)

    @property
    def by_device(self) -> str:
        return by_device_text(self.proof)

    @property
    def between(self) -> str:
        return between(self.about)

    @property
    def since_opened(self) -> int:
        """Nanoseconds from the SYN+ACK on."""
        opened = self.about.syn_acks[0].time if self.about.syn_acks else self.about.start
        return self.end.time - opened

    @property
    def after(self) -> str:
        time = self.since_opened
        return f"{time / SECOND:.1f} s" if time >= SECOND else f"{time / 1e6:.0f} ms"


def was_reset(ending: Ending) -> bool:
    return ending.about.sides[ending.side].rst is ending.end


def forged(ending: Ending) -> bool:
    """A device in between sent the reset."""
    return bool(ending.proof)


def end_packet(ending: Ending) -> list[int]:
    return [ending.end.number]


def end_time(ending: Ending) -> int:
    return ending.end.time
