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

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from dissector.limits import CLOCK_JITTER, MAX_EVIDENCE
from dissector.model import Mark
from dissector.stream.flows import Entry, Flow, FlowTable
from dissector.stream.fragments import Datagrams, OnUnread, ignore
from dissector.stream.noting import (
    NEAR,
    captured_twice,
    is_disowned,
    is_outside,
    note,
    note_end,
    note_late,
    note_places,
    note_reset,
)
from dissector.stream.reorder import Reorder, is_behind, is_overtaking
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
        awaits_syn: Callable[[int, int], bool] = lambda _one, _other: True,
        patience: int = CLOCK_JITTER,
    ) -> None:
        """``on_lost`` gets a fragment of each IP datagram with TCP that was never whole.  ``listens`` tells whether the
        second of two ports is the one that listens, for connections without a SYN.

        ``on_unread`` gets what could not be read (see ``Datagrams``).  ``awaits_syn`` tells from two ports whether to
        wait for the SYN of a connection that begins without; ``patience``: see ``Reorder``."""
        table = self._table = FlowTable()
        #: What waits for other segments, and until when.
        self.reorder = Reorder(patience)
        self._datagrams = Datagrams(on_lost, on_unread)
        self._listens, self._awaits_syn = listens, awaits_syn
        #: What is known of the sender of a packet, by its key.
        self.find = self._table.find
        #: Keys of packets that need no parsing but for SYN, FIN and RST: they continue connections that are ignored.
        self.foreign = self._table.foreign
        #: As those of the table.
        self.has_room, self.is_full, self.next_due, self.passed = (
            table.has_room,
            table.is_full,
            table.next_due,
            table.passed,
        )

    def __len__(self) -> int:
        return len(self._table)

    def feed(self, segment: Segment) -> Iterable[Report]:
        """Takes one segment; the events that it caused, of its own flow or of one that it displaced."""
        entry = self.find(segment.key)
        return self._begin(segment) if entry is None else self.go_on(entry, segment)

    def go_on(self, entry: Entry, segment: Segment) -> Iterable[Report]:
        """As ``feed``, for a segment of a connection that is in the table: ``entry`` is the one of its key."""
        flow, index, sender, other = entry
        if flow.held is not None:
            return self._join(flow, index, segment)
        if segment.flags & SYN:
            return self._synchronise(flow, index, segment, [])
        if flow.over:
            return self._behind(flow, index, segment, [])
        in_order = segment.seq == sender.expect and segment.ack == other.expect
        if not in_order and self.reorder.is_early(flow, index, segment):
            return self._hold(flow, index, segment, [])
        out = self._established(flow, index, segment)
        return _reports(flow, out) if len(out) > 1 else ((flow, out[0]),) if out else ()

    def _join(self, flow: Flow, index: int, segment: Segment) -> Iterable[Report]:
        """A segment of a connection of which others are held."""
        if self.reorder.awaits_syn(flow, segment):
            self.reorder.hold(flow, index, segment)
            return ()
        begins = self.reorder.has_begun(flow)
        before = self._go_on(flow, None if begins else segment.time)
        if segment.flags & SYN and not is_overtaking(flow, segment):
            return self._synchronise(flow, index, segment, before)
        if flow.over and flow.held is None:
            return self._behind(flow, index, segment, before)
        if flow.held is not None or self.reorder.is_early(flow, index, segment):
            return self._hold(flow, index, segment, before)
        return _reports(flow, before + self._established(flow, index, segment))

    def feed_icmp(self, error: IcmpError) -> Flow | None:
        """Attaches an ICMP error to the connection whose packet it quotes; None when there is none."""
        key = key_of(error.src, error.sport, error.dst, error.dport)
        entry = self.find(key)
        if entry is None and key not in self.foreign:
            self.reorder.hold_error(key, error)
        if entry is None:
            return None
        connection = entry.flow.connection
        if len(connection.icmp) < MAX_EVIDENCE:
            connection.icmp.append(error)
        return entry.flow

    def parse(self, packet: Packet) -> Segment | IcmpError | None:
        """What a packet means for TCP."""
        return self._datagrams.parse(packet)

    def ignore(self, flow: Flow) -> None:
        """A connection is foreign: nothing more is reported about it, and its packets cost next to nothing."""
        self.reorder.drop(flow)
        self._table.ignore(flow)

    def ended(self, key: bytes, back: bytes) -> None:
        """A connection that the session ignores is over; its packets have these keys."""
        self._table.ended(key, back)

    def age(self, now: int) -> Iterable[Report]:
        """Nothing came until ``now``: connections idle for too long are Closed as they are (a few at a time)."""
        return chain.from_iterable([_reports(old, self._end(old)) for old in self._table.stale(now) if not old.over])

    def release(self, now: int) -> Iterable[Report]:
        """Nothing that segments wait for came until ``now``: they go on without it."""
        return chain.from_iterable([_reports(flow, self._go_on(flow, now)) for flow in self.reorder.overdue(now)])

    def finish(self) -> Iterable[Report]:
        """The capture is over: what waits is delivered, and every connection that is open is Closed as it is."""
        self._datagrams.finish()
        ended = [(flow, self._go_on(flow, None)) for flow in self.reorder.waiting()]
        ended += [(flow, self._end(flow)) for flow in self._table.unfinished()]
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
        if self.reorder.errors:
            flow.connection.icmp += self.reorder.errors_about(segment)
        opened = (flow, Opened(segment.number, segment.time))
        if (is_ack or not is_syn) and self.reorder.patience and self._awaits_syn(segment.sport, segment.dport):
            return chain(*stale, (opened,), self._hold(flow, index, segment, []))
        events = self._open(flow, index, segment) if is_syn else self._established(flow, index, segment)
        return chain(*stale, (opened,), _reports(flow, events) if events else ())

    def _synchronise(self, flow: Flow, index: int, segment: Segment, out: list[StreamEvent]) -> Iterable[Report]:
        """A SYN or SYN+ACK: of this connection, again or for the first time, or of the next one."""
        if not self._belongs(flow, index, segment):
            return self._displace(flow, segment, out if flow.over else out + self._end(flow))
        out += self._open(flow, index, segment)
        if flow.held is not None:
            out += self._go_on(flow, segment.time)
        return _reports(flow, out) if out else ()

    def _behind(self, flow: Flow, index: int, segment: Segment, out: list[StreamEvent]) -> Iterable[Report]:
        """A segment behind the end: counted, unless it is too far away to be of this connection at all."""
        sender = flow.directions[index]
        if segment.length and sender.anchored and abs(sender.distance(segment.seq)) > NEAR:
            return self._displace(flow, segment, out)
        note_late(sender, segment)
        return _reports(flow, out) if out else ()

    def _displace(self, flow: Flow, segment: Segment, out: list[StreamEvent]) -> Iterable[Report]:
        """The first segment of the next connection with the same ports."""
        self.reorder.drop(flow)
        self._table.remove(flow)
        return chain(_reports(flow, out), self._begin(segment))

    def _open(self, flow: Flow, index: int, segment: Segment) -> list[StreamEvent]:
        """A SYN or SYN+ACK of this connection."""
        sender, connection = flow.directions[index], flow.connection
        is_answer = bool(segment.flags & ACK)
        # Of what overtook it nothing was told but that the connection is there, and as one begun before the capture.
        is_overtaken = connection.mid_stream and not connection.packets
        events: list[StreamEvent] = [Opened(segment.number, segment.time)] if is_overtaken else []
        mark = note(connection, sender.facts, segment)
        marks = connection.syn_acks if is_answer else connection.syns
        if captured_twice(marks, mark):
            note_places(sender.facts, marks[-1].ttl, mark.ttl)
        elif len(marks) < MAX_EVIDENCE:
            marks.append(mark)
        if sender.syn == segment.seq or flow.over:
            return events
        sender.syn = segment.seq
        if sender.next == 0:
            sender.begin(segment.seq + 1, anchored=True)
        if connection.mid_stream:
            wrong_way = (sender.side is Side.SERVER) != is_answer
            if wrong_way and not connection.bytes:
                flow.swap()
                wrong_way = False
            # With bytes delivered already the sides stay a guess: whoever has the bytes may still call swap.
            connection.mid_stream = wrong_way
        if is_answer:
            self._acknowledge(flow, index, segment, events)
        if segment.length:
            self._table.talks(flow)
            behind = segment._replace(seq=(segment.seq + 1) & 0xFFFF_FFFF)
            sender.receive(behind, mark, flow.directions[1 - index], events)
        return events

    @staticmethod
    def _belongs(flow: Flow, index: int, segment: Segment) -> bool:
        """True when a SYN or SYN+ACK is part of this connection."""
        sender, other = flow.directions[index], flow.directions[1 - index]
        if sender.syn == segment.seq:
            return True
        if segment.flags & ACK and other.syn is not None and (segment.ack - other.syn) & 0xFFFF_FFFF == 1:
            return sender.syn is None or sender.next == 0
        if flow.over or sender.syn is not None:
            return False
        if not flow.connection.packets:
            return all(is_behind(held, index, segment) for held in flow.held or ())
        # Captured in the wrong order: its connection is just a moment old and begins where the SYN says.
        begins_here = not sender.known or (sender.expect - sender.next - segment.seq) & 0xFFFF_FFFF == 1
        return begins_here and segment.time - flow.connection.start < _SHUFFLED

    # --- the way of a segment ----------------------------------------------------------------------------------------

    def _hold(self, flow: Flow, index: int, segment: Segment, before: list[StreamEvent]) -> Iterable[Report]:
        """A segment that waits for others, or that others wait for."""
        self.reorder.hold(flow, index, segment)
        longest = [_reports(old, self._go_on(old, None)) for old in self.reorder.too_many()]
        return chain(_reports(flow, before + self._go_on(flow, segment.time)), *longest)

    def _go_on(self, flow: Flow, now: int | None) -> list[StreamEvent]:
        """The segments of a connection that wait no more at ``now`` (None: all of them)."""
        out: list[StreamEvent] = []
        while (held := self.reorder.next(flow, now)) is not None:
            out += self._continue(flow, held.sender, held.segment)
        return out

    def _continue(self, flow: Flow, index: int, segment: Segment) -> list[StreamEvent]:
        """A segment of a connection, when its turn has come."""
        if segment.flags & SYN:
            return self._open(flow, index, segment) if self._belongs(flow, index, segment) else []
        if not flow.over:
            return self._established(flow, index, segment)
        note_late(flow.directions[index], segment)
        return []

    def _established(self, flow: Flow, index: int, segment: Segment) -> list[StreamEvent]:
        """A segment without SYN of an open connection."""
        connection = flow.connection
        sender, other = flow.directions[index], flow.directions[1 - index]
        flags, window, before, last = segment.flags, segment.window, connection.end, sender.facts.last
        mark = note(connection, sender.facts, segment)
        out: list[StreamEvent] = []
        if flags & RST:
            return self._reset(flow, index, segment, mark, before, last)
        if flags & ACK:
            self._acknowledge(flow, index, segment, out)
        sender.window = window
        if not window and len(sender.facts.zero_windows) < MAX_EVIDENCE:
            sender.facts.zero_windows.append(mark)
        if segment.length:
            if not connection.bytes:
                self._table.talks(flow)
            sender.receive(segment, mark, other, out)
        if flags & FIN:
            note_end(connection, mark, before)
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
        outside = is_outside(sender, segment)
        if facts.rst is None or (facts.rst_outside and not outside):
            note_reset(facts, mark, segment, last, outside=outside)
            facts.rst_answers = other.facts.last
        if outside:
            return []
        if facts.late_data is None and is_disowned(sender, segment):
            facts.late_data = facts.last_data
        note_end(flow.connection, mark, before)
        return self._close(flow, "rst")

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
        """What is still to be delivered of a flow whose segments all came, and Closed."""
        flow.over = True
        flow.settle()
        connection = flow.connection
        number, time = connection.last_packet, connection.end
        out: list[StreamEvent] = []
        for direction in flow.directions:
            direction.flush(number, time, out)
        out.append(Closed(connection.closed, number, time))
        return out


def _reports(flow: Flow, events: Iterable[StreamEvent]) -> Iterator[Report]:
    """Events with their flow, lazily: whoever handles one of them may swap the flow's sides for the others."""
    return _told(flow, flow.swaps, events)


def _told(flow: Flow, swaps: int, events: Iterable[StreamEvent]) -> Iterator[Report]:
    for event in events:
        if flow.swaps != swaps and isinstance(event, (Chunk, Gap)):
            event = event._replace(side=event.side.other)
        yield flow, event


__all__ = ["Closed", "Connections", "Flow", "Opened", "Report", "StreamEvent"]
