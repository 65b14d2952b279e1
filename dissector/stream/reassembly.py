"""TCP connections: which segment belongs to which, when one begins and ends, and its bytes in order.

A connection is the ordered pair of its endpoints plus its SYN instance: a SYN with another initial sequence number
begins a new one on the same ports.  Everything that TCP does to bytes on their way (loss, repetition, reordering,
overlap, probes) is settled here or in ``direction``; above, a connection is

    Opened  (Chunk | Gap)*  Closed

where Closed comes once: after both FINs were reached, a reset, a newer connection on the same ports, idleness, or the
end of the capture.  Packets that come later count in ``Connection`` but change no stream.  Sources: RFC 9293, 7323.
Why no library does it: docs/decisions/0002-own-reassembly.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from dissector.limits import CLOCK_JITTER, MAX_EVIDENCE
from dissector.model import Connection, Mark, SideFacts
from dissector.stream.direction import Direction
from dissector.stream.flows import Entry, Flow, FlowTable
from dissector.stream.fragments import Datagrams, OnUnread, ignore
from dissector.stream.reorder import Reorder, is_http
from dissector.stream.sequence import MASK, NEAR, TWICE
from dissector.traffic import (
    ACK,
    FIN,
    RST,
    SYN,
    Chunk,
    Closed,
    Fragment,
    Gap,
    IcmpError,
    Opened,
    Packet,
    Segment,
    Side,
    StreamEvent,
    key_of,
)

#: A SYN captured behind the first segments of its connection comes within this time (ns).
_SHUFFLED = 1_000_000_000

Report = tuple[Flow, StreamEvent]


class Connections:
    """All TCP connections of a capture: segments in, events of their flows out."""

    def __init__(
        self,
        on_lost: Callable[[Fragment], object] = ignore,
        listens: Callable[[int, int], bool] = int.__ge__,
        on_unread: OnUnread | None = None,
        patience: int = CLOCK_JITTER,
        on_waiting: Callable[[Connection], object] = id,
    ) -> None:
        """``on_lost`` gets a fragment of each IP datagram with TCP that was never whole.  ``listens`` tells whether the
        second of two ports is the one that listens, for connections without a SYN.

        ``on_unread`` gets what could not be read (see ``Datagrams``); ``patience`` as that of ``Reorder``;
        ``on_waiting`` gets a connection whose first segment waits for its SYN: it is Opened later."""
        table = self._table = FlowTable()
        self._datagrams = Datagrams(on_lost, on_unread)
        self._listens, self._on_waiting = listens, on_waiting
        self.reorder = Reorder(patience)
        #: What is known of the sender of a packet, by its key.
        self.find = self._table.find
        #: Keys of packets that need no parsing but for SYN, FIN and RST: they continue connections that are ignored.
        self.foreign = self._table.foreign
        #: As those of the table.
        self.has_room, self.is_full, self.next_due = table.has_room, table.is_full, table.next_due
        self.passed, self.of = table.passed, table.of

    def __len__(self) -> int:
        return len(self._table)

    def feed(self, segment: Segment) -> Iterable[Report]:
        """Takes one segment; the events that it caused, of its own flow or of one that it displaced."""
        entry = self.find(segment.key)
        return self._begin(segment) if entry is None else self.go_on(entry, segment)

    def go_on(self, entry: Entry, segment: Segment) -> Iterable[Report]:
        """As ``feed``, for a segment of a connection that is in the table: ``entry`` is the one of its key."""
        flow, index, _, _ = entry
        if segment.flags & SYN:
            return self._synchronise(flow, index, segment)
        if flow.over:
            return self._late(flow, index, segment)
        is_in_turn = is_http(segment)
        waits_no_more = flow.held and (is_in_turn or self.reorder.is_under_way(flow, segment))
        events = self._go_on(flow, None if waits_no_more else segment.time) if flow.held else []
        if not is_in_turn and self.reorder.is_early(flow, index, segment, segment.time):
            return chain(_reports(flow, events), self._hold(flow, index, segment))
        events += self._established(flow, index, segment)
        if flow.held:
            events += self._go_on(flow, segment.time)
        if len(events) == 1:
            return ((flow, events[0]),)
        return _reports(flow, events) if events else ()

    def feed_icmp(self, error: IcmpError) -> Flow | None:
        """Attaches an ICMP error to the connection whose packet it quotes; None when there is none."""
        entry = self.find(key_of(error.src, error.sport, error.dst, error.dport))
        if entry is None:
            return None
        connection = entry.flow.connection
        if len(connection.icmp) < MAX_EVIDENCE:
            connection.icmp = (*connection.icmp, error)
        return entry.flow

    def parse(self, packet: Packet) -> Segment | IcmpError | None:
        """What a packet means for TCP."""
        return self._datagrams.parse(packet)

    def ignore(self, flow: Flow) -> None:
        """A connection is foreign: nothing more is reported about it, and its packets cost next to nothing."""
        self.reorder.all(flow)
        self._table.ignore(flow)

    def ended(self, key: bytes, back: bytes) -> None:
        """A connection that the session ignores is over; its packets have these keys."""
        self._table.ended(key, back)

    def age(self, now: int) -> Iterable[Report]:
        """Nothing came until ``now``: connections idle for too long are Closed as they are (a few at a time)."""
        return chain.from_iterable([_reports(old, self._end(old)) for old in self._table.stale(now) if not old.over])

    def finish(self) -> Iterable[Report]:
        """The capture is over: what waits is delivered, and every connection that is open is Closed as it is."""
        self._datagrams.finish()
        ended = [(flow, self._end(flow)) for flow in self._table.unfinished()]
        for flow, _ in ended:
            self._table.remove(flow)
        return chain.from_iterable(_reports(flow, events) for flow, events in ended)

    # --- beginnings --------------------------------------------------------------------------------------------------

    def _begin(self, segment: Segment) -> Iterable[Report]:
        """First segment of a connection that is not in the table."""
        flags = segment.flags
        is_syn, is_ack = bool(flags & SYN), bool(flags & ACK)
        if self._table.ignores(segment):
            return ()
        stale = [_reports(old, self._end(old)) for old in self._table.stale(segment.time) if not old.over]
        from_client = not is_ack if is_syn else self._listens(segment.sport, segment.dport)
        flow, index = self._table.add(segment, from_client=from_client, mid_stream=not is_syn)
        if is_syn:
            return chain(*stale, self._synchronise(flow, index, segment))
        if not is_http(segment) and self.reorder.is_early(flow, index, segment, segment.time):
            self._on_waiting(flow.connection)
            return chain(*stale, self._hold(flow, index, segment))
        return chain(*stale, _reports(flow, _opened(flow) + self._established(flow, index, segment)))

    def _synchronise(self, flow: Flow, index: int, segment: Segment) -> Iterable[Report]:
        """A SYN or SYN+ACK: of this connection, again or for the first time, or of the next one."""
        sender, connection = flow.directions[index], flow.connection
        is_answer = bool(segment.flags & ACK)
        repeated = sender.syn == segment.seq
        if not repeated and not self._belongs(flow, index, segment):
            out = [] if flow.over else self._end(flow)
            self._table.remove(flow)
            return chain(_reports(flow, out), self._begin(segment))
        events = _opened(flow)
        mark = _note(connection, sender.facts, segment)
        marks = connection.syn_acks if is_answer else connection.syns
        if _captured_twice(marks, mark):
            _note_places(sender.facts, marks[-1].ttl, mark.ttl)
        elif len(marks) < MAX_EVIDENCE and is_answer:
            connection.syn_acks = (*marks, mark)
        elif len(marks) < MAX_EVIDENCE:
            connection.syns = (*marks, mark)
        sender.facts.mss = sender.facts.mss or segment.mss
        if repeated or flow.over:
            return ()
        sender.syn = segment.seq
        if sender.next == 0:
            sender.begin(segment.seq + 1, anchored=True)
        if connection.mid_stream:
            wrong_way = (sender.side is Side.SERVER) != is_answer
            if wrong_way and not connection.bytes:
                flow.swap()
            # With bytes delivered already the sides stay a guess: whoever has the bytes may still call swap.
            connection.mid_stream = wrong_way and connection.bytes > 0
        if is_answer:
            self._acknowledge(flow, index, segment, events)
        if segment.length:
            self._table.talks(flow)
            behind = segment._replace(seq=(segment.seq + 1) & MASK)
            sender.receive(behind, mark, flow.directions[1 - index], events)
        return _reports(flow, events + self._go_on(flow, segment.time) if flow.held else events)

    @staticmethod
    def _belongs(flow: Flow, index: int, segment: Segment) -> bool:
        """True when a SYN or SYN+ACK that was not seen before is part of this connection."""
        sender, other = flow.directions[index], flow.directions[1 - index]
        if segment.flags & ACK and other.syn is not None and (segment.ack - other.syn) & MASK == 1:
            return sender.syn is None or sender.next == 0
        if sender.syn is not None:
            return False
        if not flow.connection.packets:
            return True
        # Captured in the wrong order: its connection is just a moment old and begins where the SYN says.
        begins_here = (sender.expect - sender.next - segment.seq) & MASK == 1 if sender.known else not flow.over
        return begins_here and segment.time - flow.connection.start < _SHUFFLED

    # --- the way of a segment ----------------------------------------------------------------------------------------

    def _hold(self, flow: Flow, index: int, segment: Segment) -> Iterable[Report]:
        """A segment that waits for others."""
        has_room = self.reorder.hold(flow, index, segment)
        return () if has_room else chain(*[_reports(old, self._go_on(old, None)) for old in self.reorder.too_many()])

    def _go_on(self, flow: Flow, now: int | None) -> list[StreamEvent]:
        """The segments of a connection that wait no more at ``now`` (None: all of them)."""
        held, connection, out = self.reorder.next(flow, now), flow.connection, list[StreamEvent]()
        if held is None:
            return out
        last = connection.last_packet, connection.end
        while held is not None:
            out += _opened(flow)
            if flow.over:
                self._late(flow, *held)
            else:
                out += self._established(flow, *held)
            held = self.reorder.next(flow, now)
        if last[0] > connection.last_packet:
            connection.last_packet, connection.end = last
        flow.settle()
        return out

    def overdue(self, now: int) -> Iterable[Report]:
        """Segments go on that have waited for others until ``now``."""
        return chain.from_iterable([_reports(flow, self._go_on(flow, now)) for flow in self.reorder.overdue(now)])

    def _established(self, flow: Flow, index: int, segment: Segment) -> list[StreamEvent]:
        """A segment without SYN of an open connection."""
        connection = flow.connection
        sender, other = flow.directions[index], flow.directions[1 - index]
        flags, window, before, last = segment.flags, segment.window, connection.end, sender.facts.last
        mark = _note(connection, sender.facts, segment)
        out: list[StreamEvent] = []
        if flags & RST:
            return self._reset(flow, index, segment, mark, before, last)
        if flags & ACK:
            self._acknowledge(flow, index, segment, out)
        sender.window = window
        if not window and len(sender.facts.zero_windows) < MAX_EVIDENCE:
            sender.facts.zero_windows = (*sender.facts.zero_windows, mark)
        if segment.length:
            if not connection.bytes:
                self._table.talks(flow)
            sender.receive(segment, mark, other, out)
        if flags & FIN:
            _note_idle(connection, mark, before)
            sender.facts.fin = sender.facts.fin or mark
            sender.finish_at(segment.seq + segment.length)
            flow.ending = True
        if flow.ending and sender.ended and other.ended:
            out += self._close(flow, "fin")
        flow.settle()
        return out

    def _acknowledge(self, flow: Flow, index: int, segment: Segment, out: list[StreamEvent]) -> None:
        """The sender's acknowledgement number, as an offset of the other direction."""
        sender, other = flow.directions[index], flow.directions[1 - index]
        ack = segment.ack
        if not other.known:
            other.begin(ack, anchored=bool(segment.flags & SYN))
        if ack == other.expect:
            acked = other.next
        else:
            ahead = other.distance(ack)
            acked = other.next + ahead
            if ahead > 0:
                other.acknowledged(ahead, segment, out)
                acked = min(acked, max(other.next, other.proven) if other.fin_at is None else other.fin_at)
        facts = sender.facts
        if facts.acked is None or acked > facts.acked:
            facts.acked = max(0, acked)

    def _reset(
        self, flow: Flow, index: int, segment: Segment, mark: Mark, before: int, last: Mark | None
    ) -> list[StreamEvent]:
        sender, other = flow.directions[index], flow.directions[1 - index]
        facts = sender.facts
        outside = _is_outside(sender, segment)
        if facts.rst is None or (facts.rst_outside and not outside):
            _note_reset(facts, mark, segment, last, outside=outside)
            facts.rst_answers = other.facts.last
        if outside:
            return []
        _note_idle(flow.connection, mark, before)
        return sender.reset(segment, other) + self._close(flow, "rst")

    def _late(self, flow: Flow, index: int, segment: Segment) -> Iterable[Report]:
        """A segment behind the end: counted, unless it is too far away to be of this connection at all."""
        sender, connection = flow.directions[index], flow.connection
        if segment.length and _is_outside(sender, segment):
            self._table.remove(flow)
            return self._begin(segment)
        facts = sender.facts
        last = facts.last
        mark = _note(connection, facts, segment)
        if segment.flags & RST:
            if facts.rst is None:
                _note_reset(facts, mark, segment, last, outside=_is_outside(sender, segment))
            elif mark.ttl != facts.rst.ttl and mark.ip_id == facts.rst.ip_id:
                facts.rst_again = True
        elif segment.flags & FIN and facts.fin is None:
            facts.fin = mark
        elif segment.length and facts.late_data is None and sender.distance(segment.seq) >= 0:
            facts.late_data = mark
        return ()

    def _close(self, flow: Flow, how: str) -> list[StreamEvent]:
        flow.connection.closed = how
        self._table.close(flow)
        return self._finish(flow)

    def _end(self, flow: Flow) -> list[StreamEvent]:
        """What is still to be delivered of a flow that ends now, and Closed."""
        waited = self._go_on(flow, None)
        return waited if flow.over else waited + self._finish(flow)

    @staticmethod
    def _finish(flow: Flow) -> list[StreamEvent]:
        """The same for a flow of which nothing is held."""
        flow.over = True
        flow.settle()
        connection = flow.connection
        number, time = connection.last_packet, connection.end
        out: list[StreamEvent] = []
        for direction in flow.directions:
            direction.flush(number, time, out)
        out.append(Closed(connection.closed, number, time))
        return out


def _opened(flow: Flow) -> list[StreamEvent]:
    """What is told before the first segment of a connection that counts."""
    connection = flow.connection
    return [] if connection.packets else [Opened(connection.first_packet, connection.start)]


def _note(connection: Connection, facts: SideFacts, segment: Segment) -> Mark:
    """Counts a packet."""
    time, ttl = segment.time, segment.ttl
    mark = Mark(segment.number, time, ttl, segment.ip_id)
    silence = time - connection.end
    if silence > connection.silence:
        connection.silence, connection.silence_end = silence, mark
    connection.packets += 1
    connection.end, connection.last_packet = time, mark.number
    facts.packets += 1
    facts.last = mark
    if facts.first_seq is None:
        facts.first_seq, facts.ttl = segment.seq, ttl
    return mark


def _note_idle(connection: Connection, mark: Mark, before: int) -> None:
    """How long nothing had come before the first FIN or reset of both sides."""
    if connection.idle_before_end is None:
        connection.idle_before_end = mark.time - before


def _is_outside(sender: Direction, segment: Segment) -> bool:
    """True for a segment that is nowhere near to what its sender has sent."""
    return sender.anchored and abs(sender.distance(segment.seq)) > NEAR


def _note_reset(facts: SideFacts, mark: Mark, segment: Segment, last: Mark | None, *, outside: bool) -> None:
    facts.rst, facts.rst_outside, facts.rst_unknown = mark, outside, not segment.flags & ACK
    facts.before_rst = last


def _note_places(facts: SideFacts, ttl: int, again: int) -> None:
    """A packet was captured twice, with these TTLs."""
    if ttl != again:
        facts.places = max(ttl, again), min(ttl, again)


def _captured_twice(marks: Sequence[Mark], mark: Mark) -> bool:
    return bool(marks) and mark.time - marks[-1].time <= TWICE and mark.ip_id == marks[-1].ip_id


def _reports(flow: Flow, events: Iterable[StreamEvent]) -> Iterator[Report]:
    """Events with their flow, lazily: whoever handles one of them may swap the flow's sides for the others."""
    swaps = flow.swaps
    for event in events:
        if flow.swaps != swaps and isinstance(event, (Chunk, Gap)):
            event = event._replace(side=event.side.other)
        yield flow, event


__all__ = ["Closed", "Connections", "Flow", "Opened", "Report", "StreamEvent"]
