"""What a segment leaves behind in the record of its connection."""

from __future__ import annotations

from dissector.limits import CLOCK_JITTER
from dissector.model import Connection, Mark, SideFacts
from dissector.stream.direction import Direction
from dissector.traffic import ACK, FIN, RST, Segment

#: Farther from the stream than this (bytes), a reset or a late segment belongs to something else.
NEAR = 1 << 24
#: The same SYN captured twice; a real second try takes a second, or at least has another IP id.
_TWICE = 50_000_000


def note(connection: Connection, facts: SideFacts, segment: Segment) -> Mark:
    """Counts a packet."""
    time, ttl = segment.time, segment.ttl
    mark = Mark(segment.number, time, ttl, segment.ip_id)
    silence = time - connection.end
    if silence >= 0:
        connection.end, connection.last_packet = time, mark.number
        if silence > connection.silence:
            connection.silence, connection.silence_end = silence, mark
    connection.packets += 1
    facts.packets += 1
    facts.last = mark
    if facts.first_seq is None:
        facts.first_seq, facts.ttl = segment.seq, ttl
    return mark


def note_end(connection: Connection, mark: Mark, before: int) -> None:
    """The first FIN or reset of both sides, and how long nothing had come before it."""
    if connection.first_end is None:
        connection.first_end, connection.idle_before_end = mark, mark.time - before
        for side in connection.sides:
            side.sent_before_end = side.sent


def is_outside(sender: Direction, segment: Segment) -> bool:
    """True for a segment that is nowhere near to what its sender has sent."""
    return sender.anchored and abs(sender.distance(segment.seq)) > NEAR


def is_disowned(sender: Direction, reset: Segment) -> bool:
    """True when the sender's data go on behind its reset: they came later, or with it though it stands before them.
    (One that acknowledges nothing answers a packet of the other side, and stands where that says.)"""
    last = sender.facts.last_data
    if last is None or sender.distance(reset.seq) >= 0:
        return False
    is_own = not reset.flags & ACK or abs(reset.time - last.time) > CLOCK_JITTER
    return last.number > reset.number or not is_own


def note_reset(facts: SideFacts, mark: Mark, segment: Segment, last: Mark | None, *, outside: bool) -> None:
    facts.rst, facts.rst_outside, facts.rst_unknown = mark, outside, not segment.flags & ACK
    facts.before_rst = last


def note_late(sender: Direction, segment: Segment) -> None:
    """A segment behind the end is just counted."""
    facts = sender.facts
    last = facts.last
    mark = note(sender.connection, facts, segment)
    if segment.flags & RST:
        if facts.rst is None:
            note_reset(facts, mark, segment, last, outside=is_outside(sender, segment))
        elif mark.ttl != facts.rst.ttl and mark.ip_id == facts.rst.ip_id:
            facts.rst_again = True
    elif segment.flags & FIN and facts.fin is None:
        facts.fin = mark
    elif segment.length and facts.late_data is None and sender.distance(segment.seq) >= 0:
        facts.late_data = mark


def note_places(facts: SideFacts, ttl: int, again: int) -> None:
    """A packet was captured twice, with these TTLs."""
    if ttl != again:
        facts.places = max(ttl, again), min(ttl, again)


def captured_twice(marks: list[Mark], mark: Mark) -> bool:
    last = marks[-1] if marks else None
    return last is not None and mark.time - last.time <= _TWICE and mark.ip_id == last.ip_id
