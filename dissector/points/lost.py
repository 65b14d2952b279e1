"""What left one place and never came to the other: SYNs, data, the end of a connection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dissector.model import Connection, Mark, Problem
from dissector.numbers import count
from dissector.points.between import Way
from dissector.points.proof import Crossing, PathProof, begun, judged, proving
from dissector.session.case import span
from dissector.session.findings import Finding, Phrase, Reason
from dissector.session.subjects import no
from dissector.session.timeouts import IDLE, LARGE, SECOND
from dissector.traffic import Side


@dataclass(slots=True)
class LostSyns(Crossing):
    """SYNs (of the end that opens the connection), or SYN+ACKs, that did not come; ``came``: how many did."""

    near: Connection
    missing: list[Mark]
    came: int

    @property
    def marks(self) -> Sequence[Mark]:
        return self.missing

    @property
    def what(self) -> str:
        return f"{self.flags} to {self.target}"

    @property
    def flags(self) -> str:
        return "SYN" if self.way.side is Side.CLIENT else "SYN+ACK"

    @property
    def target(self) -> object:
        return self.near.server if self.way.side is Side.CLIENT else self.near.client

    @property
    def number(self) -> str:
        missing = len(self.missing)
        return f"{missing} of {count(missing + self.came, self.flags)}" if self.came else count(missing, self.flags)

    @property
    def seconds(self) -> str:
        return span(self.missing)


def lost_for_good(syns: LostSyns) -> bool:
    """None came, or those that were lost were not a few in a moment."""
    missing = syns.missing
    return bool(missing) and (not syns.came or missing[-1].time - missing[0].time >= IDLE)


SYNS: tuple[Finding[LostSyns], ...] = (
    Finding(
        "lost_between_points",
        (lost_for_good,),
        "{number} to {target} in {seconds} passed {sender} and never came to {receiver}.",
        (proving,),
        (
            Reason(
                "a device or link {path} drops what {end} sends to open the {role} connection",
                "let TCP connections from {near.client.ip} to {near.server} through {path}; see the routes too",
            ),
        ),
        time=begun,
    ),
)


def syns(proof: PathProof, way: Way) -> Iterator[Problem]:
    if way.near is not None:
        yield from judged(SYNS, LostSyns(proof, way, way.near, *way.lost_syns()))


# --- data ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class LostData(Crossing):
    """``missing`` bytes that never came, from ``first`` on, and the ``tries`` to send them again."""

    near: Connection
    far: Connection
    missing: int
    tries: list[Mark]
    first: Mark

    @property
    def marks(self) -> Sequence[Mark]:
        arrived = self.far.sides[self.way.side].last
        return [self.first, *self.tries, *([arrived] if arrived is not None else [])]

    @property
    def strays(self) -> Sequence[Mark]:
        return self.tries or [self.first]

    @property
    def what(self) -> str:
        return count(self.missing, "byte")

    @property
    def again(self) -> str:
        return f" (retransmitted {count(len(self.tries), 'time')} in {span(self.tries)})" if self.tries else ""

    @property
    def size(self) -> int | None:
        """Bytes of the smallest segment that was sent again."""
        return self.near.sides[self.way.side].smallest_retransmitted

    @property
    def idle(self) -> int:
        """Nanoseconds without a packet at the other place before ``first`` was sent."""
        since = self.first.time
        heard = [side.last.time for side in self.far.sides if side.last is not None and side.last.time < since]
        return since - max(heard, default=since)

    @property
    def idle_seconds(self) -> str:
        return f"{self.idle / SECOND:.0f}"


def too_large(data: LostData) -> bool:
    """Large segments alone: something smaller of this end comes to the other place meanwhile, or came just before."""
    last = data.far.sides[data.way.side].last
    is_large = data.size is not None and data.size >= LARGE
    return is_large and last is not None and last.time >= data.first.time - IDLE


def behind_silence(data: LostData) -> bool:
    return data.idle - max(place.grain for place in (data.way.sender.place, data.way.receiver.place)) >= IDLE


def cut_alone(data: LostData) -> bool:
    """The task's other connection goes on at both places, or the best place saw that a silence was to blame."""
    way = data.way
    return data.proof.is_cut_idle() or all(
        any(one.end >= data.first.time for one in leg.facts.connections() if one not in (way.near, way.far))
        for leg in (way.sender, way.receiver)
    )


def captured(data: LostData) -> bool:
    """The capture at the other place goes on."""
    return data.way.receiver.place.covers(data.first.time)


_UNSEEN: tuple[Phrase[LostData], ...] = (
    Phrase(" (less certain: {receiver} has no packet at all since)", (no(captured),)),
)
DATA: tuple[Finding[LostData], ...] = (
    Finding(
        "lost_between_points",
        (too_large,),
        "{what} of {end} passed {sender} and never came to {receiver}{again}, segments of {size} bytes and more while "
        "smaller ones pass.",
        (proving,),
        (
            Reason(
                "a link {path} has a smaller MTU, and the ICMP message that would say so is filtered",
                "let ICMP 'fragmentation needed' through {path}, or clamp the MSS there",
            ),
        ),
        _UNSEEN,
        time=begun,
    ),
    Finding(
        "state_lost_in_device",
        (behind_silence, cut_alone),
        "{what} of {end} passed {sender} and never came to {receiver}{again}.",
        (proving,),
        (Reason("a device {path} forgot the connection in {idle_seconds} s of silence: it drops what comes"),),
        _UNSEEN,
        time=begun,
    ),
    Finding(
        "lost_between_points",
        (),
        "{what} of {end} passed {sender} and never came to {receiver}{again}.",
        (proving,),
        more=_UNSEEN,
        time=begun,
    ),
)


def data(proof: PathProof, way: Way) -> Iterator[Problem]:
    missing, tries = way.lost_data()
    if missing and way.near is not None and way.far is not None:
        first = tries[0] if tries else way.near.sides[way.side].last_data
        if first is not None:
            yield from judged(DATA, LostData(proof, way, way.near, way.far, missing, tries, first))


# --- ends ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class LostEnd(Crossing):
    """A FIN or reset of ``near`` that never came to ``far``."""

    near: Connection
    far: Connection
    mark: Mark

    @property
    def marks(self) -> Sequence[Mark]:
        return [self.mark]

    @property
    def what(self) -> str:
        return "reset" if self.mark is self.near.sides[self.way.side].rst else "FIN"


def goes_on(end: LostEnd) -> bool:
    """Who should have got it says more, or the same again."""
    receiver = end.far.sides[end.way.side.other]
    said = [*receiver.retransmitted, *([receiver.last_data] if receiver.last_data is not None else [])]
    return any(mark.time > end.mark.time for mark in said)


def behind_lost_data(end: LostEnd) -> bool:
    return bool(end.way.lost_data()[0])


ENDS: tuple[Finding[LostEnd], ...] = (
    Finding(
        "lost_between_points",
        (no(behind_lost_data),),
        "The {what} of {end} on the {role} connection passed {sender} and never came to {receiver}.",
        (proving,),
        more=(Phrase(" (less certain: {receiver} may have missed it)", (no(goes_on),)),),
        time=begun,
    ),
)


def end(proof: PathProof, way: Way) -> Iterator[Problem]:
    mark = way.lost_end()
    if mark is not None and way.near is not None and way.far is not None:
        yield from judged(ENDS, LostEnd(proof, way, way.near, way.far, mark))
