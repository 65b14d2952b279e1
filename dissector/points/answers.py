"""Answers that their sender never sent, and what came to a host and was not answered at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dissector.model import Connection, Mark, Problem, address_text
from dissector.numbers import count
from dissector.points.between import Way
from dissector.points.proof import Crossing, PathProof, begun, end_of, judged, proving
from dissector.session.case import host_of, span
from dissector.session.findings import Finding, Phrase, Reason
from dissector.session.subjects import no
from dissector.session.timeouts import IDLE, LAST_TRY, SECOND, STUCK_RETRANSMISSIONS
from dissector.session.verdict import unreachables
from dissector.traffic import IcmpError, Side


@dataclass(slots=True)
class Answer(Crossing):
    """What came to the other place (``far``) in the name of this end, which did not send it."""

    far: Connection


def was_open(answer: Answer) -> bool:
    return answer.far.established


def _by(cause: str) -> tuple[Reason[Answer], ...]:
    """A device that answers, and where to look for it."""
    look = "look at the firewalls and address translations {path}"
    let = f"{look}: let TCP connections from {{far.client.ip}} to {{far.server}} through"
    return Reason(cause, look, when=(was_open,)), Reason(cause, let)


# --- resets --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Forged(Answer):
    """A reset that this end never sent."""

    reset: Mark

    @property
    def marks(self) -> Sequence[Mark]:
        return [self.reset]

    @property
    def what(self) -> str:
        return "RST"

    @property
    def is_forged(self) -> bool:
        return True

    @property
    def ttl(self) -> int:
        """Of this end's other packets; 0 without any."""
        facts = self.far.sides[self.way.side]
        return facts.ttl if facts.packets > 1 else self.way.other_ttl()

    @property
    def idle(self) -> int:
        """Nanoseconds of silence before the reset and what it answers."""
        broken = self.far.silence_end
        if broken is not None and self.reset.time - broken.time < LAST_TRY:
            return self.far.silence
        return self.far.idle_before_end or 0

    @property
    def idle_seconds(self) -> str:
        return f"{self.idle / SECOND:.0f}"


def carried(forged: Forged) -> bool:
    return bool(forged.far.bytes)


def behind_silence(forged: Forged) -> bool:
    return forged.idle - forged.way.receiver.place.grain >= IDLE


def has_other_ttl(forged: Forged) -> bool:
    return forged.ttl not in (0, forged.reset.ttl)


def sent_by_nobody_else(forged: Forged) -> bool:
    """This end goes on, as nobody does who has reset a connection, or the other end has a reset of a device as well."""
    near, far, side = forged.way.near, forged.far, forged.way.side
    if near is None:
        return False
    last, back = near.sides[side].last, near.sides[side.other].rst
    goes_on = last is not None and last.time > forged.reset.time
    return goes_on or (back is not None and far.sides[side.other].rst is None)


_RESET = "The reset in the name of {end} that came to {receiver} never passed {sender}: {end} did not send it."
_TTL: Phrase[Forged] = Phrase(" (its TTL is {reset.ttl}, that of the others {ttl})", (has_other_ttl,))
_ALONE: Phrase[Forged] = Phrase(
    " (less certain: {sender} may have missed it)", (no(has_other_ttl), no(sent_by_nobody_else))
)
RESETS: tuple[Finding[Forged], ...] = (
    Finding(
        "state_lost_in_device",
        (was_open, carried, behind_silence),
        _RESET,
        (proving,),
        (Reason("a device {path} sent it"),),
        (_TTL, Phrase(": it forgot the connection in {idle_seconds} s of silence"), _ALONE),
        time=begun,
    ),
    Finding("answered_by_device", (), _RESET, (proving,), _by("a device {path} sent it"), (_TTL, _ALONE), time=begun),
)


def resets(proof: PathProof, way: Way) -> Iterator[Problem]:
    reset = way.forged_reset()
    if reset is not None and way.far is not None:
        yield from judged(RESETS, Forged(proof, way, way.far, reset))


# --- ICMP ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Reports(Answer):
    """ICMP errors that answer what goes to the server and that never came from there."""

    errors: list[IcmpError]

    @property
    def marks(self) -> Sequence[Mark]:
        return [Mark(error.number, error.time) for error in self.errors]

    @property
    def reporter(self) -> str:
        return address_text(self.errors[0].sender)

    @property
    def report(self) -> str:
        return self.errors[0].reason


REPORTS: tuple[Finding[Reports], ...] = (
    Finding(
        "answered_by_device",
        (),
        "{reporter} answered with ICMP ({report}) at {receiver}; nothing of it passed {sender}.",
        (proving,),
        _by("{reporter}, a device {path}, answers in place of {end}"),
        time=begun,
    ),
)


def reports(proof: PathProof, way: Way) -> Iterator[Problem]:
    errors = way.foreign_icmp() if way.side is Side.SERVER else []
    if errors and way.far is not None:
        yield from judged(REPORTS, Reports(proof, way, way.far, errors))


# --- none ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Arrived(Crossing):
    """What came to the place nearest to the host that it is for (``far``)."""

    far: Connection

    @property
    def marks(self) -> Sequence[Mark]:
        return self.far.syns if unanswered(self) else self.tries

    @property
    def tries(self) -> list[Mark]:
        """The retransmissions of what came last, of which the receiver acknowledges nothing at its own place."""
        sender, heard = self.far.sides[self.way.side], self.far.sides[self.way.side.other].last
        known = sender.last_data.number if sender.last_data is not None else 0
        tries = [mark for mark in sender.retransmitted if mark.number > known]
        if len(tries) < STUCK_RETRANSMISSIONS or not self.far.unacknowledged(self.way.side):
            return []
        return tries if heard is None or heard.time <= tries[0].time else []

    @property
    def syns(self) -> str:
        return count(len(self.far.syns), "SYN")

    @property
    def times(self) -> int:
        return len(self.tries)

    @property
    def seconds(self) -> str:
        return span(self.tries)

    @property
    def host(self) -> str:
        return host_of(self.far, self.way.side.other)

    @property
    def other_end(self) -> str:
        return end_of(self.way, self.way.side.other)


def unanswered(arrived: Arrived) -> bool:
    """SYNs, of the end that opens the connection."""
    far, near = arrived.far, arrived.way.near
    is_silent = not any(one.sides[Side.SERVER].packets for one in (far, near) if one is not None)
    is_silent = is_silent and not unreachables(far)
    return arrived.way.side is Side.CLIENT and is_silent and len(far.syns) > 1


def sent_in_vain(arrived: Arrived) -> bool:
    return bool(arrived.tries)


UNHEARD: tuple[Finding[Arrived], ...] = (
    Finding(
        "dropped_at_host",
        (unanswered,),
        "{syns} to {far.server} came to {receiver}, and nobody answered.",
        (proving,),
        (
            Reason(
                "behind {receiver}: the packet filter of {host} drops them, or that host is down",
                "look at {host}: its packet filter, and whether it runs",
            ),
        ),
        time=begun,
    ),
    Finding(
        "dropped_at_host",
        (sent_in_vain,),
        "Data of {end} came to {receiver} {times} times more in {seconds}, and {other_end} never acknowledged it.",
        (proving,),
        (
            Reason(
                "behind {receiver}: {host} is down or gone, or its packet filter drops them",
                "look at {host}: whether it runs, its network, its packet filter",
            ),
        ),
        time=begun,
    ),
)


def unheard(proof: PathProof, way: Way) -> Iterator[Problem]:
    if way.near is not None and way.far is not None:
        yield from judged(UNHEARD, Arrived(proof, way, way.far))
