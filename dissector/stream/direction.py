"""One direction of a TCP connection: segments in any order become bytes in stream order.

Sequence numbers live modulo 2^32, stream offsets do not: ``expect`` is the sequence number of offset ``next``, and all
arithmetic is on the signed distance of a sequence number from ``expect``.  Bytes that came too early wait; where two
segments differ about the same byte, the one captured first wins.  A hole is given up (a Gap, never filler bytes) when
it is proven that the bytes will not come: see ``acknowledged`` and ``give_up``.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from dissector.limits import CLOCK_JITTER, MAX_EVIDENCE, MAX_REORDER_BYTES, MAX_WALKED
from dissector.model import Connection, Mark, SideFacts
from dissector.stream.sequence import HALF, LARGEST_WINDOW, MASK, NEAR, TWICE
from dissector.traffic import ACK, Chunk, Gap, Segment, Side, StreamEvent

#: What one waiting segment costs besides its bytes, so that empty-looking floods are bounded too.
_OVERHEAD = 256
#: Without IP ids (IPv6, some stacks) only the time tells that a packet was captured twice, so it has to be shorter.
_TWICE_WITHOUT_ID = 1_000_000


#: Segments that ``Direction.recent`` has at most.  A list: a deque takes 600 bytes for the few that most have.
KEPT = 16


def keep(recent: list[tuple[int, int, int, int]], segment: tuple[int, int, int, int]) -> None:
    """The newest of the ``recent`` segments."""
    recent.append(segment)
    if len(recent) > KEPT:
        del recent[0]


class Waiting(NamedTuple):
    """Bytes from ``start`` to ``end`` that arrived early; ``payload`` is shorter when the snap length cut it."""

    start: int
    end: int
    payload: bytes
    number: int
    time: int


class Direction:
    """What ``side`` sends.  Methods append Chunk and Gap to the list ``out`` that they are given."""

    __slots__ = (
        "_held",
        "_probed",
        "_waiting",
        "_walked",
        "anchored",
        "connection",
        "counted",
        "doubtful_at",
        "expect",
        "facts",
        "fin_at",
        "known",
        "next",
        "proof",
        "recent",
        "side",
        "steady",
        "syn",
        "window",
    )

    def __init__(self, side: Side, connection: Connection) -> None:
        self.side = side
        self.connection = connection
        self.facts: SideFacts = connection.sides[side]
        #: True once ``expect`` means something; ``anchored`` once it is beyond doubt (a SYN, or bytes delivered).
        self.known = self.anchored = False
        self.expect = self.next = 0
        #: Sequence number of the SYN.
        self.syn: int | None = None
        self.fin_at: int | None = None
        #: Offset up to which the other side acknowledged what was not captured, with the packet that said so.
        self.proof: tuple[int, int, int] | None = None
        #: When the first such packet came.
        self.doubtful_at = 0
        #: Offset up to which its own reset counts what it sent, with the packet.
        self.counted: tuple[int, int, int] | None = None
        self.window = 1
        #: None while nothing has waited.
        self._waiting: list[Waiting] | None = None
        self._held = 0
        #: Waiting pieces that repeated segments went over.
        self._walked = 0
        self._probed = -1
        #: The latest segments with data: sequence number, length, IP id, time.  None before the first.
        self.recent: list[tuple[int, int, int, int]] | None = None
        #: The next segment may take the short cut (see ``fast_path``).
        self.steady = False

    @property
    def regular(self) -> bool:
        """True when the next segment in order is just delivered: nothing waits, and the end is not in sight."""
        return self.anchored and self.facts.first_data is not None and not self._waiting and self.fin_at is None

    @property
    def ended(self) -> bool:
        """True when everything up to the FIN was delivered."""
        return self.fin_at is not None and self.next >= self.fin_at

    def begin(self, seq: int, *, anchored: bool = False) -> None:
        """Offset 0 is at ``seq``."""
        self.known, self.anchored = True, anchored
        self.expect, self.next = seq & MASK, 0

    def distance(self, seq: int) -> int:
        """Bytes from the next expected byte to ``seq``, negative for what is behind."""
        return ((seq - self.expect + HALF) & MASK) - HALF

    # --- segments with data ------------------------------------------------------------------------------------------

    def receive(self, segment: Segment, mark: Mark, other: Direction, out: list[StreamEvent]) -> None:
        """Takes a segment with payload; ``other`` is the opposite direction (its window and acknowledgements)."""
        number, time, _, _, _, _, seq, _, _, _, payload, length, _, ip_id, _, _ = segment
        recent = self.recent
        if recent is None:
            recent = self.recent = []
        if self.anchored and seq == self.expect and not self._waiting and self.fin_at is None:
            # In order: nearly every segment.
            if other.window == 0:
                self._probed = self.next + 1
            self._new_data(mark, self.next + length)
            keep(recent, (seq, length, ip_id, time))
            self._deliver(length, payload, number, time, out)
            return
        if self.anchored or self._anchor(seq, length):
            self._irregular(seq, payload, length, mark, other, out)
            keep(recent, (seq, length, ip_id, time))

    def _irregular(
        self, seq: int, payload: bytes, length: int, mark: Mark, other: Direction, out: list[StreamEvent]
    ) -> None:
        """A segment that is not the next one: repeated, too early, or both."""
        ahead = self.distance(seq)
        if abs(ahead) > LARGEST_WINDOW:
            return
        start, end = self.next + ahead, self.next + ahead + length
        if self.fin_at is not None and end > self.fin_at:
            end = self.fin_at
            payload = payload[: end - start]
        if end <= self.next:
            if start < end and not self._is_probe(ahead, length, other):
                self._again(seq, length, mark)
            return
        if start < self.next:
            if self._probed != self.next or start != self.next - 1:
                self._again(seq, length, mark)
            payload = payload[self.next - start :]
            start = self.next
        if not self._waiting and start == self.next:
            self._new_data(mark, end)
            self._deliver(end - start, payload, mark.number, mark.time, out)
            return
        before = self._held
        if self._hold(start, end, payload, mark):
            self._again(seq, length, mark)
        if self._held > before:
            self._new_data(mark, end)
        self._drain(out)
        self._bound(mark, out)

    def _anchor(self, seq: int, length: int) -> bool:
        """First data of a direction without a SYN: False for the garbage byte of a TCP keep-alive."""
        ahead = self.distance(seq) if self.known else 0
        if ahead == -1 and length == 1:
            return False
        if not self.known or ahead < 0 or self.connection.mid_stream:
            self.begin(seq)
        self.anchored = True
        return True

    def _is_probe(self, ahead: int, length: int, other: Direction) -> bool:
        """A keep-alive repeats the last byte though it was acknowledged; a zero-window probe repeats its own byte."""
        if length != 1 or ahead != -1:
            return False
        acked = other.facts.acked
        return other.window == 0 or (acked is not None and acked >= self.next)

    def _again(self, seq: int, length: int, mark: Mark) -> None:
        """Counts a retransmission, unless it is the same packet captured a second time."""
        limit = TWICE if mark.ip_id else _TWICE_WITHOUT_ID
        before = mark.time
        for old_seq, old_length, old_id, old_time in self.recent or ():
            if old_seq == seq and old_length == length and old_id == mark.ip_id and mark.time - old_time <= limit:
                self.facts.duplicates += 1
                return
            if old_seq == seq:
                before = min(old_time, mark.time)
        self.facts.retransmissions += 1
        self.facts.repeat_wait += mark.time - before
        smallest = self.facts.smallest_retransmitted
        self.facts.smallest_retransmitted = length if smallest is None else min(smallest, length)
        marks = self.facts.retransmitted
        if len(marks) == MAX_EVIDENCE:
            marks = (*marks[: MAX_EVIDENCE // 2], *marks[MAX_EVIDENCE // 2 + 1 :])
        self.facts.retransmitted = (*marks, mark)

    def _new_data(self, mark: Mark, end: int) -> None:
        facts = self.facts
        if facts.first_data is None:
            facts.first_data = mark
        facts.last_data = mark
        if end > facts.sent:
            facts.sent = end
        elif len(facts.overtaken) < MAX_EVIDENCE:
            facts.overtaken = (*facts.overtaken, mark)

    # --- acknowledgements, FIN and the end ---------------------------------------------------------------------------

    def acknowledged(self, ahead: int, segment: Segment, out: list[StreamEvent]) -> None:
        """The other side has ``ahead`` more bytes than were delivered: those not captured are lost to the capture.

        A network card with several queues may capture an acknowledgement before its data, so one without data of its
        own is only noted for a moment (one with data has waited, see ``reorder``).  One byte more than the tail is most
        likely a FIN that was not captured.
        """
        if not self.facts.packets or ahead > LARGEST_WINDOW:
            return
        upto = self.next + ahead
        if self.fin_at is not None:
            upto = min(upto, self.fin_at)
        if upto <= self.next:
            return
        if upto == self.next + 1 and not self._waiting:
            if upto > self.facts.end_acked:
                self.facts.end_acked, self.facts.lost_by = upto, segment.number
            return
        seen_before = self.proof is not None and self.proof[0] > self.next
        if not seen_before:
            self.doubtful_at = segment.time
        if not seen_before or upto > self.proven:
            self.proof = upto, segment.number, segment.time
        if segment.length or (seen_before and segment.time - self.doubtful_at >= CLOCK_JITTER):
            self.give_up(upto, segment.number, segment.time, out)

    def reset(self, segment: Segment, other: Direction) -> list[StreamEvent]:
        """Its sender resets the connection: that counts what was sent before it, captured or not, and acknowledges.
        One byte more than the tail is its own FIN."""
        out: list[StreamEvent] = []
        ahead = self.distance(segment.seq)
        if 1 < ahead <= NEAR and self.anchored and self.fin_at is None:
            self.counted = self.next + ahead, segment.number, segment.time
        self.facts.fin_counted = ahead == 1 and self.anchored and self.fin_at is None
        if segment.flags & ACK and 0 < (ahead := other.distance(segment.ack)) <= NEAR:
            other.acknowledged(ahead, segment, out)
        return out

    @property
    def proven(self) -> int:
        """Offset up to which bytes are known to exist without having been captured."""
        return self.proof[0] if self.proof is not None else 0

    def finish_at(self, seq: int) -> None:
        """A FIN stands at ``seq``: nothing behind it counts."""
        if not self.known or (not self.anchored and self.connection.mid_stream):
            self.begin(seq)
        if self.fin_at is None:
            fin_at = self.fin_at = max(self.next, self.next + self.distance(seq))
            self.facts.sent = max(self.facts.sent, fin_at)
            if self._waiting:
                waiting = [self._cut(held, held.start, fin_at) for held in self._waiting if held.start < fin_at]
                self._waiting, self._held = waiting, sum(len(held.payload) + _OVERHEAD for held in waiting)

    def flush(self, number: int, time: int, out: list[StreamEvent]) -> None:
        """No more segments will come: what waits is delivered behind its gaps, then what is proven but missing."""
        if self._waiting:
            self.give_up(self._waiting[-1].end, number, time, out)
        if self.proof is not None:
            # An acknowledgement may have been captured before the FIN that it includes.
            upto = self.proven if self.fin_at is None else min(self.proven, self.fin_at)
            self.give_up(upto, *self.proof[1:], out)
        if self.counted is not None and self.counted[0] > self.next and self.fin_at is None:
            self.proof, self.facts.only_counted = self.counted, True
            self.give_up(*self.counted, out)
        if self.fin_at is not None and self.next < self.fin_at:
            self.facts.lost_to = self.fin_at
        self.proof = self.counted = self.recent = None

    def give_up(self, upto: int, number: int, time: int, out: list[StreamEvent]) -> None:
        """Declares every hole below offset ``upto`` a gap and delivers what waits behind it."""
        while self.next < upto:
            end = min(upto, self._waiting[0].start) if self._waiting else upto
            size = end - self.next
            connection = self.connection
            connection.gaps += 1
            if len(connection.gap_marks) < MAX_EVIDENCE:
                connection.gap_marks = (*connection.gap_marks, Mark(number, time))
            acknowledged = end <= self.proven
            if self.proof is not None and acknowledged:
                self.facts.lost_to, self.facts.lost_by = end, self.proof[1]
            else:
                self.facts.never_acknowledged += size
            out.append(Gap(self.side, self.next, size, number, time, acknowledged=acknowledged))
            self._advance(size)
            if end > self.facts.sent:
                self.facts.sent = end
            self._drain(out)

    # --- delivering and holding --------------------------------------------------------------------------------------

    def _advance(self, size: int) -> None:
        self.anchored = True
        self.next += size
        self.expect = (self.expect + size) & MASK

    def _deliver(self, length: int, payload: bytes, number: int, time: int, out: list[StreamEvent]) -> None:
        offset = self.next
        self.next = offset + length
        self.expect = (self.expect + length) & MASK
        self.facts.bytes += length
        self.connection.bytes += length
        if payload:
            out.append(Chunk(self.side, offset, payload, number, time))
        cut = length - len(payload)
        if cut:
            self.connection.snapped += cut
            out.append(Gap(self.side, offset + len(payload), cut, number, time, True))

    def _drain(self, out: list[StreamEvent]) -> None:
        waiting = self._waiting
        if not waiting or waiting[0].start > self.next:
            return
        self._walked = done = 0
        while done < len(waiting) and waiting[done].start <= self.next:
            held = waiting[done]
            done += 1
            self._held -= len(held.payload) + _OVERHEAD
            if held.end > self.next:
                held = self._cut(held, self.next, held.end)
                self._deliver(held.end - held.start, held.payload, held.number, held.time, out)
        del waiting[:done]

    def _hold(self, start: int, end: int, payload: bytes, mark: Mark) -> bool:
        """Keeps what is new of these bytes; True when some of them were there already."""
        if self._waiting is None:
            self._waiting = []
        waiting, new = self._waiting, Waiting(start, end, payload, mark.number, mark.time)
        overlap = False
        first = at = bisect_left(waiting, (start,))
        if at and waiting[at - 1].end > start:
            overlap, start = True, waiting[at - 1].end
        while start < end:
            stop = min(end, waiting[at].start) if at < len(waiting) else end
            if stop > start:
                piece = self._cut(new, start, stop)
                waiting.insert(at, piece)
                self._held += len(piece.payload) + _OVERHEAD
                at += 1
            if stop == end:
                break
            overlap, start = True, waiting[at].end
            at += 1
        self._walked += at - first
        return overlap

    @staticmethod
    def _cut(held: Waiting, start: int, end: int) -> Waiting:
        """The part of ``held`` from ``start`` on and up to ``end``."""
        if start <= held.start and end >= held.end:
            return held
        start, end = max(start, held.start), min(end, held.end)
        return held._replace(start=start, end=end, payload=held.payload[start - held.start : end - held.start])

    def _bound(self, mark: Mark, out: list[StreamEvent]) -> None:
        """Gives up holes that are acknowledged already, and the oldest ones when too much waits behind them."""
        if self._waiting and self.proven > self.next and mark.time - self.doubtful_at >= CLOCK_JITTER:
            self.give_up(self.proven, mark.number, mark.time, out)
        while self._waiting and (self._held > MAX_REORDER_BYTES or self._walked > MAX_WALKED):
            self._walked = 0
            self.give_up(self._waiting[0].start, mark.number, mark.time, out)
