"""What differs between two places and does no harm by itself, as remarks on a task.

changed   other addresses or ports behind a device
clamped   another MSS behind a device
repeated  lost and sent again, or there twice
reordered came behind what was sent later
delayed   took the network long, one packet or every call
missed    passed a place whose capture lacks it
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from dissector.limits import MAX_EVIDENCE
from dissector.model import Problem, Rewritten, Severity
from dissector.numbers import count
from dissector.points.between import Way
from dissector.points.proof import LOST, PathProof, end_of, path_of
from dissector.session.timeouts import SECOND, SLOW_NETWORK
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


def _clamped(proof: PathProof, between: Sequence[Way]) -> Iterator[Problem]:
    """Of all connections together."""
    words, packets = list[str](), list[int]()
    for way in between:
        sizes = way.segment_sizes()
        if sizes is None or way.near is None or way.far is None:
            continue
        how = f"{sizes[0]} of {end_of(way)} is {sizes[1]} behind the device"
        marks = [(one.syns if way.side is Side.CLIENT else one.syn_acks or one.syns)[0] for one in (way.near, way.far)]
        first, second = sorted((way.sender.place, way.receiver.place), key=lambda place: place.rank)
        proof.best.record.rewritten.append(
            Rewritten(marks[0].number, marks[0].time, way.role, first.name, second.name, f"MSS {how}")
        )
        words.append(f"{how} ({way.role.value} connection)")
        packets += [mark.number for mark in marks]
    if words:
        path = path_of(between[0])
        summary = f"The MSS is changed {path}: {', '.join(words)}."
        cause = f"a device {path} clamps it: the way behind has a smaller MTU, such as a tunnel"
        yield proof.problem(
            "rewritten_by_device",
            between[0],
            summary,
            packets,
            time=proof.best.record.start,
            cause=cause,
            remedy="nothing to do: it keeps segments small enough for the way behind",
            severity=Severity.INFO,
        )


def _repeated(proof: PathProof, between: Sequence[Way]) -> Iterator[Problem]:
    """Of all connections together: packets that were lost and sent again, and those that were there twice."""
    lost, more = list[str](), list[str]()
    packets = list[int]()
    for way in between:
        here, there = way.counts()
        if way.near is None or here == there or not _counts(way):
            continue
        packets += [mark.number for mark in way.near.sides[way.side].retransmitted] or [way.near.first_packet]
        packets += [way.far.first_packet] if way.far is not None else []
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
    return not (way.is_doubled or way.has_one_sided_reset or way.lost_data()[0] or way.lost_end())


def _reordered(proof: PathProof, between: Sequence[Way]) -> Iterator[Problem]:
    """Of all connections together."""
    parts, packets = list[str](), list[int]()
    for way in between:
        late = way.overtaken() if _counts(way) else []
        if not late or way.near is None:
            continue
        at_least = "at least " if len(late) == MAX_EVIDENCE else ""
        parts.append(f"{at_least}{count(len(late), 'packet')} of {end_of(way)} on the {way.role.value} connection")
        packets += [way.near.first_packet, *(mark.number for mark in late)]
    if parts:
        summary = f"Overtaken by later packets {path_of(between[0])}: {', '.join(parts)}."
        time = proof.best.record.start
        yield proof.problem("reordered_between_points", between[0], summary, packets, time=time, severity=Severity.INFO)


def _far(proof: PathProof, between: Sequence[Way]) -> Iterator[Problem]:
    """The way between the places alone took most of the time of a task that took long."""
    record = proof.best.record
    trips = record.counts.calls + record.counts.callbacks
    shown = [way for way in between if way.trip()]
    if record.callback is None or not shown:
        return
    trip, total = min(way.trip() for way in shown), max(record.callback.end - record.callback.start, 0)
    if trip * trips < max(SLOW_NETWORK, total // 2):
        return
    summary = (
        f"{trip / 1e6:.0f} ms there and back {path_of(between[0])}: of {count(trips, 'call')} the network there took "
        f"{trip * trips / SECOND:.1f} s of {total / SECOND:.1f} s, and neither end was slow."
    )
    packets = [
        mark.number for way in shown for one in (way.near, way.far) if one for mark in (*one.syns, *one.syn_acks)
    ]
    yield proof.problem("delayed_between_points", shown[0], summary, packets, time=record.start, severity=Severity.INFO)


def _delayed(proof: PathProof, between: Sequence[Way]) -> Iterator[Problem]:
    """What took the network longer than a second, the worst of each direction."""
    for way in between:
        delays = way.delays()
        if not delays:
            continue
        delay, mark, arrived = max(delays)
        errors = [leg.place.ahead(mark.time, mark.time)[1] for leg in (way.sender, way.receiver)]
        if None in errors or delay - sum(error or 0 for error in errors) < _LONG:
            continue
        bound = sum(error or 0 for error in errors)
        summary = (
            f"A packet of {end_of(way)} on the {way.role.value} connection took {delay / SECOND:.2f} s from "
            f"{way.sender.place.name} to {way.receiver.place.name} (within {bound / 1e6:.3f} ms)."
        )
        yield proof.problem(
            "delayed_between_points",
            way,
            summary,
            [mark.number, arrived.number],
            time=mark.time,
            severity=Severity.INFO,
        )


def _missed(proof: PathProof, between: Sequence[Way]) -> Iterator[Problem]:
    for way in between:
        found = way.missed()
        if found is None:
            continue
        leg, connection, missing = found
        other = way.receiver if leg is way.sender else way.sender
        summary = (
            f"{leg.place.name} lacks {count(missing, 'byte')} of {end_of(way)} on the {way.role.value} connection; "
            f"{other.place.name} has them, and they arrived."
        )
        whole = way.far if connection is way.near else way.near
        packets = [mark.number for mark in connection.gap_marks] or [connection.first_packet]
        packets += [whole.first_packet] if whole is not None else []
        yield proof.problem("lost_by_capture", way, summary, packets, time=connection.start, severity=Severity.INFO)


ALL: tuple[Callable[[PathProof, Sequence[Way]], Iterator[Problem]], ...] = (
    _changed,
    _clamped,
    _repeated,
    _reordered,
    _delayed,
    _far,
    _missed,
)
