"""Segments that were captured before those that they follow: they wait for these a moment.

Several queues of a network card, or several interfaces in one file, put packets some milliseconds out of order.  What a
segment says tells where it belongs: behind all bytes of its sender up to its sequence number, and behind those of the
other side that it acknowledges.  One that is early by that is held, with all that comes behind it, until what is
missing has come or ``CLOCK_JITTER`` is over; then all go on in the order of both numbers.  Segments in order never
come here.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterator
from itertools import pairwise

from dissector.limits import CLOCK_JITTER, MAX_EARLY_BYTES, MAX_EVIDENCE
from dissector.stream.direction import Direction
from dissector.stream.flows import Flow, Held
from dissector.traffic import ACK, NEVER, RST, SYN, IcmpError, Segment

#: Farther ahead than this (bytes) nothing is awaited: it belongs to something else.
_NEAR = 1 << 24
_MASK, _HALF = 0xFFFF_FFFF, 0x8000_0000
#: What one held segment costs besides its bytes.
_OVERHEAD = 512
#: So many segments in order, without a SYN, begin a connection.
_ENOUGH = 8
#: The place of resets: behind all that is held.
_LAST = 1 << 40


class Reorder:
    """What is held of all connections.  ``patience``: nanoseconds that a segment waits, 0 for none."""

    def __init__(self, patience: int = CLOCK_JITTER) -> None:
        self.patience = patience
        #: Connections with held segments, oldest first, with the numbers that their places count from.
        self._holding: dict[Flow, tuple[int, int]] = {}
        #: When to look at them; ``deadline`` is the first of these times.
        self._due: deque[tuple[int, Flow]] = deque()
        self.deadline = NEVER
        self._bytes = self._count = 0
        #: ICMP errors about connections that are not known so far, by the keys of the packets that they quote.
        self.errors: dict[bytes, IcmpError] = {}

    def is_early(self, flow: Flow, index: int, segment: Segment) -> bool:
        """True when something that the segment follows was not captured so far."""
        if not self.patience or flow.over:
            return False
        if not flow.connection.packets:
            return segment.flags & (SYN | ACK) != SYN  # the SYN may be on its way
        flags = segment.flags
        if flags & SYN:
            return False
        sender, other = flow.directions[index], flow.directions[1 - index]
        if flags & (RST | ACK) == RST and flow.connection.established:
            return True  # it answers a packet of the other side, which may be on its way
        # Without a SYN, a direction is known from what the other one says of it.
        unknown = not flow.connection.mid_stream and not flags & RST
        if _is_ahead(sender, segment.seq) if sender.known else unknown:
            return True
        if not flags & ACK:
            return False
        return (other.facts.packets > 0 and _is_ahead(other, segment.ack)) if other.known else unknown

    def awaits_syn(self, flow: Flow, segment: Segment) -> bool:
        """True for a segment that waits with others for the SYN of its connection."""
        held = flow.held
        if held is None or flow.connection.packets or segment.flags & SYN or self._bytes > MAX_EARLY_BYTES // 2:
            return False
        return held[0].segment.time + self.patience > segment.time and not self.has_begun(flow)

    @staticmethod
    def has_begun(flow: Flow) -> bool:
        """True when so many segments came in order that a SYN can not be among those to come."""
        held = flow.held
        if held is None or len(held) != _ENOUGH or flow.connection.packets:
            return False
        return all(one.arrival < other.arrival for one, other in pairwise(held))

    def hold(self, flow: Flow, index: int, segment: Segment) -> None:
        self._count += 1
        self._bytes += _size(segment)
        is_first = flow.held is None
        if flow.held is None:
            flow.held = []
            flow.connection.awaits = True
            self._holding[flow] = _base(flow, index, segment)
            self._look(flow, segment.time)
        place = _place(self._holding[flow], index, segment)
        last = flow.held[-1] if flow.held else None
        if last is not None and last.place >= _LAST and (_goes_on(last, index, segment) or place == _LAST):
            place = last.place
        insort(flow.held, Held(place, self._count, index, segment))
        if is_first:
            flow.settle()

    def next(self, flow: Flow, now: int | None) -> Held | None:
        """Takes the first held segment of ``flow`` out if it may go on at ``now`` (None: whatever it waits for)."""
        held = flow.held
        if not held:
            return None
        first = held[0]
        is_due = now is None or first.segment.time + self.patience <= now
        if not is_due and self.is_early(flow, first.sender, first.segment):
            return None
        del held[0]
        self._bytes -= _size(first.segment)
        if not held:
            self.drop(flow)
        return first

    def hold_error(self, key: bytes, error: IcmpError) -> None:
        """An ICMP error about a connection that is not known so far, by the key of the packet that it quotes."""
        self.errors.pop(key, None)
        self.errors[key] = error
        if len(self.errors) > MAX_EVIDENCE:
            del self.errors[next(iter(self.errors))]

    def errors_about(self, segment: Segment) -> list[IcmpError]:
        """Those about the connection that begins with ``segment``."""
        error = self.errors.pop(segment.key, None)
        return [] if error is None or segment.time - error.time > self.patience else [error]

    def drop(self, flow: Flow) -> None:
        """Forgets what is held of ``flow``."""
        if flow.held is not None:
            self._bytes -= sum(_size(one.segment) for one in flow.held)
            flow.held, flow.connection.awaits = None, False
            del self._holding[flow]
            flow.settle()

    def waiting(self) -> list[Flow]:
        """All connections with held segments, oldest first."""
        return list(self._holding)

    def overdue(self, now: int) -> Iterator[Flow]:
        """Connections with segments that have waited for long enough; what they still wait for then is asked later."""
        for _ in range(len(self._due)):
            if self.deadline > now:
                return
            _, flow = self._due.popleft()
            self.deadline = self._due[0][0] if self._due else NEVER
            if flow.held is not None:
                yield flow
                if flow.held is not None:
                    self._look(flow, flow.held[0].segment.time)

    def _look(self, flow: Flow, since: int) -> None:
        self._due.append((since + self.patience, flow))
        self.deadline = self._due[0][0]

    def too_many(self) -> Iterator[Flow]:
        """Connections whose segments have waited longest, as long as there are too many."""
        while self._bytes > MAX_EARLY_BYTES:
            yield next(iter(self._holding))


def _is_ahead(direction: Direction, number: int) -> bool:
    """True for a sequence number behind all that is known of the direction."""
    ahead = direction.distance(number)
    return 0 < ahead <= _NEAR and direction.next + ahead > direction.front


def _size(segment: Segment) -> int:
    return len(segment.payload) + _OVERHEAD


def _base(flow: Flow, index: int, segment: Segment) -> tuple[int, int]:
    """Numbers of both directions near to those of the segment."""
    sender, other = flow.directions[index], flow.directions[1 - index]
    mine = sender.expect if sender.known else segment.seq
    theirs = other.expect if other.known else segment.ack
    return (theirs, mine) if index else (mine, theirs)


def _place(base: tuple[int, int], index: int, segment: Segment) -> int:
    """How far both directions have come with a segment: neither number ever goes back.  A reset without an
    acknowledgement answers a packet that the other side sent after a reset, or instead of one."""
    if segment.flags & RST:
        return _LAST if segment.flags & ACK else _LAST + 1
    sent = (segment.seq - base[index] + _HALF & _MASK) - _HALF
    acked = (segment.ack - base[1 - index] + _HALF & _MASK) - _HALF if segment.flags & ACK else 0
    return sent + acked


def _goes_on(reset: Held, index: int, segment: Segment) -> bool:
    """True for data that their sender sends behind its own reset, which is therefore not its own."""
    ahead = (segment.seq - reset.segment.seq) & _MASK < _HALF
    return reset.sender == index and segment.length > 0 and ahead


def is_overtaking(flow: Flow, segment: Segment) -> bool:
    """True for a SYN+ACK to a SYN that is awaited."""
    return flow.held is not None and not flow.connection.packets and bool(segment.flags & ACK)


def is_behind(held: Held, index: int, syn: Segment) -> bool:
    """True for a segment of the connection that a SYN begins which direction ``index`` sends."""
    segment = held.segment
    number = segment.seq if held.sender == index else segment.ack
    return not (held.sender == index or segment.flags & ACK) or (number - syn.seq) & 0xFFFF_FFFF <= _NEAR
