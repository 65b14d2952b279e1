"""What there is more or less of at one of two places, or in another order.  It does no harm: TCP puts it right, or a
capture alone lacks something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dissector.limits import MAX_EVIDENCE
from dissector.model import Connection, Mark, Problem, Severity
from dissector.numbers import count
from dissector.points.between import Way
from dissector.points.pairing import Leg
from dissector.points.proof import Crossing, PathProof, Together, end_of, first_of, judged, proving
from dissector.session.findings import Finding, every


@dataclass(slots=True)
class Repeated(Together):
    """Packets that were lost and sent again, and those that were there twice."""

    @property
    def marks(self) -> Sequence[Mark]:
        marks = list[Mark]()
        for way in self.ways:
            again = way.near.sides[way.side].retransmitted if way.near is not None else []
            ends = (None if again else way.near, way.far)
            marks += [*again, *(first_of(one) for one in ends if one is not None)]
        return marks

    @property
    def fewer(self) -> str:
        counts = [(way, *way.fewer()) for way in self.ways]
        return ", ".join(f"{lost} of {count(sent, 'packet')} {_whose(way)}" for way, lost, sent in counts if lost)

    @property
    def more(self) -> str:
        counts = [(way, way.more()) for way in self.ways]
        return ", ".join(f"{count(more, 'packet')} {_whose(way)}" for way, more in counts if more)


def _whose(way: Way) -> str:
    return f"of {end_of(way)} on the {way.role.value} connection"


def some_lost(repeated: Repeated) -> bool:
    return bool(repeated.fewer)


def some_twice(repeated: Repeated) -> bool:
    return bool(repeated.more)


REPEATED: tuple[Finding[Repeated], ...] = (
    Finding("lost_between_points", (some_lost,), "Lost {path}: {fewer}.", (proving,), severity=Severity.INFO),
    Finding("repeated_between_points", (some_twice,), "Repeated {path}: {more}.", (proving,), severity=Severity.INFO),
)


def repeated(proof: PathProof, between: Sequence[Way]) -> Iterator[Problem]:
    """Of all connections together."""
    found = [way for way in between if (way.fewer()[0] or way.more()) and _counts(way)]
    if found:
        yield from every(REPEATED, Repeated(proof, between[0], found))


def _counts(way: Way) -> bool:
    """True where numbers of packets tell what the network did, and nothing else tells more."""
    if way.near is None or way.far is None or not way.is_whole or way.missed() is not None:
        return False
    if (way.near.closed is None) != (way.far.closed is None):  # one of the captures ended before
        return False
    return not (way.is_doubled or way.has_one_sided_reset or way.lost_data()[0] or way.lost_end())


# --- order -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Reordered(Together):
    """Packets that others overtook."""

    @property
    def marks(self) -> Sequence[Mark]:
        ends = [(way.near, way.overtaken()) for way in self.ways]
        return [mark for near, late in ends if near is not None for mark in (first_of(near), *late)]

    @property
    def overtaken(self) -> str:
        return ", ".join(f"{_number(way.overtaken())} {_whose(way)}" for way in self.ways)


def _number(late: Sequence[Mark]) -> str:
    return ("at least " if len(late) == MAX_EVIDENCE else "") + count(len(late), "packet")


REORDERED: tuple[Finding[Reordered], ...] = (
    Finding(
        "reordered_between_points",
        (),
        "Overtaken by later packets {path}: {overtaken}.",
        (proving,),
        severity=Severity.INFO,
    ),
)


def reordered(proof: PathProof, between: Sequence[Way]) -> Iterator[Problem]:
    """Of all connections together."""
    found = [way for way in between if _counts(way) and way.overtaken()]
    if found:
        yield from judged(REORDERED, Reordered(proof, between[0], found))


# --- captures --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Missed(Crossing):
    """``missing`` bytes that passed a place whose capture (``leg``) lacks them, of a connection as it is there."""

    leg: Leg
    connection: Connection
    missing: int

    @property
    def marks(self) -> Sequence[Mark]:
        whole = self.way.far if self.connection is self.way.near else self.way.near
        marks = self.connection.gap_marks or [first_of(self.connection)]
        return [*marks, *([first_of(whole)] if whole is not None else [])]

    @property
    def other(self) -> Leg:
        return self.way.receiver if self.leg is self.way.sender else self.way.sender

    @property
    def bytes(self) -> str:
        return count(self.missing, "byte")


def connection_begun(missed: Missed) -> int:
    return missed.connection.start


MISSED: tuple[Finding[Missed], ...] = (
    Finding(
        "lost_by_capture",
        (),
        "{leg.place.name} lacks {bytes} of {end} on the {role} connection; {other.place.name} has them, and they "
        "arrived.",
        (proving,),
        time=connection_begun,
        severity=Severity.INFO,
    ),
)


def missed(proof: PathProof, between: Sequence[Way]) -> Iterator[Problem]:
    for way in between:
        if (found := way.missed()) is not None:
            yield from judged(MISSED, Missed(proof, way, *found))
