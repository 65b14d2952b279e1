"""What differs between two places and does no harm by itself, as remarks on a task.

changed   other addresses or ports behind a device
repeated  lost and sent again, or there twice
delayed   took the network long
missed    passed a place whose capture lacks it
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from dissector.model import Problem, Rewritten, Severity
from dissector.points.between import Way
from dissector.points.proof import LOST, PathProof, end_of, path_of
from dissector.session.case import count
from dissector.session.timeouts import SECOND
from dissector.traffic import Side

#: So long (ns) on the way is worth a word.
_LONG = SECOND


def _changed(proof: PathProof, between: Sequence[Way]) -> Iterator[Problem]:
    """Once a connection: with the packets of the end that opened it."""
    for way in between:
        if way.side is not Side.CLIENT or way.near is None or way.far is None:
            continue
        # As the client scheduler's side has it, and as it is behind the device.
        legs = [(way.sender.place, way.near), (way.receiver.place, way.far)]
        (first, here), (second, there) = sorted(legs, key=lambda leg: leg[0].rank)
        ends = ((here.client, there.client), (here.server, there.server))
        words = [f"{one} is {two} behind the device" for one, two in ends if one != two]
        if not words:
            continue
        kind = "a proxy" if first.by_content and second.by_content else "an address translation"
        summary = f"The {way.role.value} connection is rewritten {_path(first.name, second.name)}: {', '.join(words)}."
        cause = f"{kind} {_path(first.name, second.name)}"
        packets = [here.first_packet, there.first_packet]
        how = Rewritten(here.first_packet, here.start, way.role, first.name, second.name, ", ".join(words))
        proof.best.record.rewritten.append(how)
        yield proof.problem(
            "rewritten_by_device", way, summary, packets, time=here.start, cause=cause, severity=Severity.INFO
        )


def _path(one: str, two: str) -> str:
    return f"between {one} and {two}"


def _repeated(proof: PathProof, between: Sequence[Way]) -> Iterator[Problem]:
    """Of all connections together: packets that were lost and sent again, and those that were there twice."""
    lost, more = list[str](), list[str]()
    packets = list[int]()
    for way in between:
        here, there = way.counts()
        if way.near is None or here == there or not _counts(way):
            continue
        packets += [mark.number for mark in way.near.sides[way.side].retransmitted] or [way.near.first_packet]
        what = f"of {end_of(way)} on the {way.role.value} connection"
        if here > there:
            lost.append(f"{here - there} of {count(here, 'packet')} {what}")
        else:
            more.append(f"{count(there - here, 'packet')} {what}")
    for code, parts, verb in ((LOST, lost, "Lost"), ("repeated_between_points", more, "Repeated")):
        if parts:
            summary = f"{verb} {path_of(between[0])}: {', '.join(parts)}."
            time = proof.best.record.start
            yield proof.problem(code, between[0], summary, packets, time=time, severity=Severity.INFO)


def _counts(way: Way) -> bool:
    """True where numbers of packets tell what the network did, and nothing else tells more."""
    if way.far is None or not way.is_whole or way.missed() is not None:
        return False
    return not (way.lost_data()[0] or way.forged_reset() or way.lost_end())


def _delayed(proof: PathProof, between: Sequence[Way]) -> Iterator[Problem]:
    """What took the network longer than a second, the worst of each direction."""
    for way in between:
        delays = way.delays()
        if not delays:
            continue
        delay, mark = max(delays)
        errors = [leg.place.ahead(mark.time, mark.time)[1] for leg in (way.sender, way.receiver)]
        if None in errors or delay - sum(error or 0 for error in errors) < _LONG:
            continue
        bound = sum(error or 0 for error in errors)
        summary = (
            f"A packet of {end_of(way)} on the {way.role.value} connection took {delay / SECOND:.2f} s from "
            f"{way.sender.place.name} to {way.receiver.place.name} (within {bound / 1e6:.3f} ms)."
        )
        yield proof.problem(
            "delayed_between_points", way, summary, [mark.number], time=mark.time, severity=Severity.INFO
        )


def _missed(proof: PathProof, between: Sequence[Way]) -> Iterator[Problem]:
    for way in between:
        found = way.missed()
        if found is None:
            continue
        leg, connection, missing = found
        other = way.receiver if leg is way.sender else way.sender
        summary = (
            f"{leg.place.name} lacks {missing} bytes of {end_of(way)} on the {way.role.value} connection; "
            f"{other.place.name} has them, and they arrived."
        )
        packets = [mark.number for mark in connection.gap_marks] or [connection.first_packet]
        yield proof.problem("lost_by_capture", way, summary, packets, time=connection.start, severity=Severity.INFO)


ALL: tuple[Callable[[PathProof, Sequence[Way]], Iterator[Problem]], ...] = (_changed, _repeated, _delayed, _missed)
