"""Segments that were captured before those that they follow: they wait for these a moment.

Several queues of a network card, or several interfaces in one file, hand packets over some milliseconds out of order.
Where a segment belongs it tells itself: behind all that it acknowledges, and a reset behind all that its sender sent
before.  One that is early by that is held until what it follows has come, or for ``CLOCK_JITTER``.  The bytes of one
direction are put in order by ``direction``, and an acknowledgement alone waits only where others do.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count

from dissector.limits import CLOCK_JITTER, MAX_REORDER_BYTES
from dissector.stream.direction import Direction
from dissector.stream.flows import Flow
from dissector.stream.sequence import HALF, MASK, NEAR
from dissector.traffic import ACK, FIN, NEVER, RST, Segment

#: What one held segment costs besides its bytes.
_OVERHEAD = 512
#: What HTTP begins with, and each record of TLS.
_HTTP = (b"POST /", b"GET /", b"HTTP/1.", b"\x14\x03", b"\x15\x03", b"\x16\x03", b"\x17\x03")
#: A connection that said so much (bytes) without a SYN was there before.
_BEGINNING = 1 << 13
#: The place of what says of the other side nothing.
_LAST = 1 << 40


class Reorder:
    """What is held of all connections, each for ``patience`` (ns, 0 for none); ``deadline`` is when the first of them
    has waited for long enough."""

    def __init__(self, patience: int = CLOCK_JITTER) -> None:
        self.deadline = NEVER
        self.patience = patience
        #: Something was held.
        self.has_held = False
        #: A flow that waits on, after its first segments went on, is due before those that began to wait meanwhile.
        self._due: list[tuple[int, int, Flow]] = []
        self._turns = count()
        self._bytes = 0

    def is_early(self, flow: Flow, index: int, segment: Segment, now: int) -> bool:
        """True when something that the segment follows was not captured by ``now``, but may come."""
        sender, other, flags = flow.directions[index], flow.directions[1 - index], segment.flags
        if not self.patience or flow.over:
            return False
        if not other.known and (flags & ACK or not sender.known):
            return True  # the other side has spoken before
        if not (segment.length or flags & (FIN | RST) or flow.held):
            return False
        if flags & RST and sender.known and _missing(sender, segment.seq) > 0:
            return True
        if not flags & ACK or segment.ack == other.expect:
            return False
        if not other.facts.packets and now - flow.connection.start >= self.patience:
            return False  # nothing of the other side is captured
        if other.proven > other.next and now - other.doubtful_at >= self.patience:
            return False  # what is missing was known to be so before
        # One byte more than there is, is a FIN: only another one tells which of them was the first.
        return _missing(other, segment.ack) > (0 if flags & FIN else 1)

    def is_under_way(self, flow: Flow, segment: Segment) -> bool:
        """True for a segment of a connection of which some are held, if it waits for its SYN and has come too far by
        now for one."""
        return not flow.connection.packets and abs(_place(flow.place, segment) - flow.held[0][0]) > _BEGINNING

    def hold(self, flow: Flow, index: int, segment: Segment) -> bool:
        """True while there is room for more."""
        self.has_held = True
        self._bytes += _size(segment)
        is_first = not flow.held
        if is_first:
            flow.place = segment.seq + segment.ack
        insort(flow.held, (_place(flow.place, segment), segment.number, index, segment))
        if is_first:
            flow.settle()
            self._await(flow)
        return self._bytes <= MAX_REORDER_BYTES

    def next(self, flow: Flow, now: int | None) -> tuple[int, Segment] | None:
        """Takes the first held segment out if it may go on at ``now`` (None: whatever it waits for)."""
        if not flow.held:
            return None
        _, _, index, segment = flow.held[0]
        # A clock that goes back by more is none to wait by.
        if now is not None and abs(now - segment.time) < self.patience and self.is_early(flow, index, segment, now):
            return None
        del flow.held[0]
        self._bytes -= _size(segment)
        return index, segment

    def all(self, flow: Flow) -> list[Segment]:
        """Takes out all that is held of a flow."""
        found = [segment for *_, segment in flow.held]
        self._bytes -= sum(map(_size, found))
        flow.held.clear()
        return found

    def overdue(self, now: int) -> Iterator[Flow]:
        """Flows with segments that have waited for long enough."""
        while self.deadline <= now:
            flow = self._first()
            if flow.held:
                yield flow
            if flow.held:
                self._await(flow)

    def too_many(self) -> Iterator[Flow]:
        """Flows whose segments have waited longest, as long as there are too many."""
        while self._bytes > MAX_REORDER_BYTES and self._due:
            yield self._first()

    def _first(self) -> Flow:
        _, _, flow = heappop(self._due)
        self.deadline = self._due[0][0] if self._due else NEVER
        return flow

    def _await(self, flow: Flow) -> None:
        heappush(self._due, (flow.held[0][-1].time + self.patience, next(self._turns), flow))
        self.deadline = self._due[0][0]


def is_http(segment: Segment) -> bool:
    """True for a request or an answer of HTTP, or what may be one in TLS.  A task on an agent is many connections,
    whose order only the capture tells."""
    return segment.payload.startswith(_HTTP)


def _missing(direction: Direction, number: int) -> int:
    """How many bytes of the direction are not there that come before a sequence number."""
    ahead = direction.distance(number)
    if direction.fin_at is not None:
        ahead = min(ahead, direction.fin_at - direction.next)
    return ahead if ahead <= NEAR else 0


def _place(base: int, segment: Segment) -> int:
    """How far both directions together have come with a segment, in bytes from ``base``: neither ever goes back."""
    if not segment.flags & ACK:
        return _LAST
    return (segment.seq + segment.ack - base + HALF & MASK) - HALF


def _size(segment: Segment) -> int:
    return len(segment.payload) + _OVERHEAD
