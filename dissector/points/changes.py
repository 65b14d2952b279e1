"""What devices between two places change of a connection: addresses and ports, the MSS.  It does no harm by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dissector.model import Connection, Mark, Problem, Rewritten, Severity
from dissector.points.between import Way
from dissector.points.place import CapturePoint
from dissector.points.proof import Crossing, PathProof, Together, begun, end_of, first_of, judged, proving
from dissector.session.findings import Finding, Reason
from dissector.traffic import Side


@dataclass(slots=True)
class Changed(Crossing):
    """A connection as the place on the client scheduler's side has it (``here``), and as it is behind the device."""

    first: CapturePoint
    here: Connection
    second: CapturePoint
    there: Connection

    @property
    def marks(self) -> Sequence[Mark]:
        return [first_of(self.here), first_of(self.there)]

    @property
    def path(self) -> str:
        return f"between {self.first.name} and {self.second.name}"

    @property
    def changes(self) -> str:
        ends = ((self.here.client, self.there.client), (self.here.server, self.there.server))
        return ", ".join(f"{one} is {two} behind the device" for one, two in ends if one != two)


def differs(changed: Changed) -> bool:
    return bool(changed.changes)


def by_proxy(changed: Changed) -> bool:
    return changed.first.by_content and changed.second.by_content


CHANGED: tuple[Finding[Changed], ...] = (
    Finding(
        "rewritten_by_device",
        (differs,),
        "The {role} connection is rewritten {path}: {changes}.",
        (proving,),
        (Reason("a proxy {path}", when=(by_proxy,)), Reason("an address translation {path}")),
        time=begun,
        severity=Severity.INFO,
    ),
)


def changed(proof: PathProof, between: Sequence[Way]) -> Iterator[Problem]:
    """Once a connection: with the packets of the end that opened it."""
    for way in between:
        if way.side is not Side.CLIENT or way.near is None or way.far is None:
            continue
        legs = [(way.sender.place, way.near), (way.receiver.place, way.far)]
        (first, here), (second, there) = sorted(legs, key=lambda leg: leg[0].rank)
        subject = Changed(proof, way, first, here, second, there)
        for problem in judged(CHANGED, subject):
            _note(proof, way, subject.marks[0], subject.changes)
            yield problem


def _note(proof: PathProof, way: Way, mark: Mark, how: str) -> None:
    """For the ladder."""
    first, second = sorted((way.sender.place, way.receiver.place), key=lambda place: place.rank)
    proof.best.record.rewritten.append(Rewritten(mark.number, mark.time, way.role, first.name, second.name, how))


# --- MSS -------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Clamped(Together):
    """Connections with another MSS behind a device."""

    @property
    def marks(self) -> Sequence[Mark]:
        return [mark for way in self.ways for mark in _opening(way)]

    @property
    def changes(self) -> str:
        return ", ".join(f"{_clamp(way)} ({way.role.value} connection)" for way in self.ways)


def _opening(way: Way) -> list[Mark]:
    """The packets that offer an MSS, at both places."""
    ends = [one for one in (way.near, way.far) if one is not None]
    return [(one.syns if way.side is Side.CLIENT else one.syn_acks or one.syns)[0] for one in ends]


def _clamp(way: Way) -> str:
    here, there = way.segment_sizes() or (0, 0)
    return f"{here} of {end_of(way)} is {there} behind the device"


CLAMPED: tuple[Finding[Clamped], ...] = (
    Finding(
        "rewritten_by_device",
        (),
        "The MSS is changed {path}: {changes}.",
        (proving,),
        (
            Reason(
                "a device {path} clamps it: the path behind it has a smaller MTU, such as a tunnel",
                "nothing to do: it keeps segments small enough for the path behind it",
            ),
        ),
        severity=Severity.INFO,
    ),
)


def clamped(proof: PathProof, between: Sequence[Way]) -> Iterator[Problem]:
    """Of all connections together."""
    found = [way for way in between if way.segment_sizes() is not None]
    for way in found:
        _note(proof, way, _opening(way)[0], f"MSS {_clamp(way)}")
    if found:
        yield from judged(CLAMPED, Clamped(proof, between[0], found))
