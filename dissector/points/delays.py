"""How long the network between two places takes: one packet, or every call.  It does no harm by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dissector.model import Connection, Mark, Problem, Severity
from dissector.numbers import count
from dissector.points.between import Way
from dissector.points.proof import Crossing, PathProof, Together, begun, judged, proving
from dissector.session.findings import Finding
from dissector.session.timeouts import SECOND, SLOW_NETWORK

#: So long (ns) on the way is worth a word.
_LONG = SECOND


@dataclass(slots=True)
class Far(Together):
    """The way there and back of every call; ``total`` (ns) is what all of them took."""

    total: int

    @property
    def about(self) -> Connection | None:
        """That of the first of them which tells."""
        return Crossing(self.proof, self.ways[0]).about

    @property
    def marks(self) -> Sequence[Mark]:
        ends = [one for way in self.ways for one in (way.near, way.far) if one is not None]
        return [mark for one in ends for mark in (*one.syns, *one.syn_acks)]

    @property
    def trip(self) -> int:
        return min(way.trip() for way in self.ways)

    @property
    def trips(self) -> int:
        return self.proof.best.record.counts.calls + self.proof.best.record.counts.callbacks

    @property
    def milliseconds(self) -> str:
        return f"{self.trip / 1e6:.0f}"

    @property
    def calls(self) -> str:
        return count(self.trips, "call")

    @property
    def seconds(self) -> str:
        return f"{self.trip * self.trips / SECOND:.1f}"

    @property
    def total_seconds(self) -> str:
        return f"{self.total / SECOND:.1f}"


def took_most(far: Far) -> bool:
    """The way between the places alone took most of the time of a task that took long."""
    return far.trip * far.trips >= max(SLOW_NETWORK, far.total // 2)


FAR: tuple[Finding[Far], ...] = (
    Finding(
        "delayed_between_points",
        (took_most,),
        "{milliseconds} ms there and back {path}: of {calls} the network there took {seconds} s of {total_seconds} s, "
        "and neither end was slow.",
        (proving,),
        severity=Severity.INFO,
    ),
)


def far(proof: PathProof, between: Sequence[Way]) -> Iterator[Problem]:
    callback, shown = proof.best.record.callback, [way for way in between if way.trip()]
    if callback is not None and shown:
        yield from judged(FAR, Far(proof, between[0], shown, max(callback.end - callback.start, 0)))


@dataclass(slots=True)
class Delayed(Crossing):
    """A packet that took the network ``delay`` ns, as it was ``sent`` and as it ``came``; ``bound`` (ns) is how wrong
    that may be, None: nobody knows."""

    delay: int
    sent: Mark
    came: Mark

    @property
    def marks(self) -> Sequence[Mark]:
        return [self.sent, self.came]

    @property
    def bound(self) -> int | None:
        time = self.sent.time
        errors = [leg.place.ahead(time, time)[1] for leg in (self.way.sender, self.way.receiver)]
        return None if None in errors else sum(error or 0 for error in errors)

    @property
    def seconds(self) -> str:
        return f"{self.delay / SECOND:.2f}"

    @property
    def bound_milliseconds(self) -> str:
        return f"{(self.bound or 0) / 1e6:.3f}"


def certainly_long(delayed: Delayed) -> bool:
    bound = delayed.bound
    return bound is not None and delayed.delay - bound >= _LONG


DELAYED: tuple[Finding[Delayed], ...] = (
    Finding(
        "delayed_between_points",
        (certainly_long,),
        "A packet of {end} on the {role} connection took {seconds} s from {sender} to {receiver} "
        "(within {bound_milliseconds} ms).",
        (proving,),
        time=begun,
        severity=Severity.INFO,
    ),
)


def delayed(proof: PathProof, between: Sequence[Way]) -> Iterator[Problem]:
    """The worst of each direction."""
    for way in between:
        if delays := way.delays():
            yield from judged(DELAYED, Delayed(proof, way, *max(delays)))
