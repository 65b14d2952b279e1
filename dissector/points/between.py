"""What became of one connection between two places: what of each end's packets came to the other place.

``near`` is the place on the sender's side.  A packet that was captured there and not at the other one was lost between
them, unless the other capture missed it: then it was acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dissector.model import Connection, Mark, Role
from dissector.points.pairing import Leg, initial
from dissector.session.verdict import unreachables
from dissector.traffic import IcmpError, Side


@dataclass(frozen=True, slots=True)
class Way:
    """What ``side`` of a connection sends, from the place on its side to the other one; None: nothing of the connection
    was captured there."""

    role: Role
    side: Side
    sender: Leg
    receiver: Leg
    near: Connection | None
    far: Connection | None

    @property
    def is_whole(self) -> bool:
        """Both places have the connection from its beginning."""
        return all(one is not None and not one.mid_stream for one in (self.near, self.far))

    def lost_syns(self) -> tuple[list[Mark], int]:
        """SYNs (of the end that opens the connection), or SYN+ACKs, that did not come, and how many came."""
        if self.near is None or self.near.mid_stream or (self.far is None and self.side is Side.SERVER):
            return [], 0
        opens = self.side is Side.CLIENT
        sent = self.near.syns if opens else self.near.syn_acks
        if self.far is not None and self.far.mid_stream:
            return [], len(sent)
        came = [] if self.far is None else self.far.syns if opens else self.far.syn_acks
        lost = [mark for mark in sent if mark not in _arrived(sent, came)]
        return [mark for mark in lost if self.receiver.place.covers(mark.time)], len(came)

    def lost_data(self) -> tuple[int, list[Mark]]:
        """Bytes that never came to the other place and that nobody acknowledged, and the tries."""
        if self.near is None or self.far is None or not self.is_whole:
            return 0, []
        here, there = self.near.sides[self.side], self.far.sides[self.side]
        # What comes behind the end of a connection is no part of its bytes, but is counted.
        missing = here.bytes - there.bytes if here.packets > there.packets else 0
        if missing <= 0 or not self.near.unacknowledged(self.side):
            return 0, []
        tries = [mark for mark in here.retransmitted if self.receiver.place.covers(mark.time)]
        return missing, tries

    def missed(self) -> tuple[Leg, Connection, int] | None:
        """The place whose capture lacks bytes that passed it, with what it has of the connection and how many."""
        if self.near is None or self.far is None or not self.is_whole:
            return None
        here, there = self.near.sides[self.side], self.far.sides[self.side]
        if here.bytes < there.bytes and self.near.gaps:
            return self.sender, self.near, there.bytes - here.bytes
        acked = max(one.sides[self.side.other].acked or 0 for one in (self.near, self.far))
        if here.bytes > there.bytes and self.far.gaps and acked >= here.sent:
            return self.receiver, self.far, here.bytes - there.bytes
        return None

    def lost_end(self) -> Mark | None:
        """A FIN or reset that never came."""
        if self.near is None or self.far is None:
            return None
        here, there = self.near.sides[self.side], self.far.sides[self.side]
        mark = here.rst or here.fin
        came = there.rst or there.fin
        return mark if mark is not None and came is None and self.receiver.place.covers(mark.time) else None

    def forged_reset(self) -> Mark | None:
        """A reset at the other place in the name of this end, which never sent one."""
        if self.far is None:
            return None
        reset = self.far.sides[self.side].rst
        if reset is None or not self.sender.place.covers(reset.time):
            return None
        own = self.near.sides[self.side].rst if self.near is not None else None
        return reset if own is None else None

    def foreign_icmp(self) -> list[IcmpError]:
        """ICMP errors at the other place that answer what goes to this end and that never came from there."""
        if self.far is None:
            return []
        known = {error.sender for error in (self.near.icmp if self.near is not None else ())}
        return [
            error
            for error in unreachables(self.far)
            if error.sender not in known and self.sender.place.covers(error.time)
        ]

    def delays(self) -> list[tuple[int, Mark, Mark]]:
        """How long (ns) packets took that are remembered at both places, each as sent and as it came."""
        if self.near is None or self.far is None:
            return []
        arrived = {mark.ip_id: mark for mark in _marks(self.far, self.side)}
        return [
            (arrived[mark.ip_id].time - mark.time, mark, arrived[mark.ip_id])
            for mark in _marks(self.near, self.side)
            if mark.ip_id and mark.ip_id in arrived
        ]

    def overtaken(self) -> list[Mark]:
        """Packets that came to the other place behind later ones, though they were sent before them and once only."""
        if self.near is None or self.far is None or not self.is_whole:
            return []
        here, there = self.near.sides[self.side], self.far.sides[self.side]
        if here.retransmissions > len(here.retransmitted):
            return []  # not all of them are known
        known = [*here.retransmitted, *here.overtaken]
        if not any(mark.ip_id for mark in there.overtaken):  # nothing tells one from another
            return there.overtaken[len(known) :]
        ids = {mark.ip_id for mark in known}
        return [mark for mark in there.overtaken if mark.ip_id not in ids]

    def segment_sizes(self) -> tuple[int, int] | None:
        """The MSS (bytes) that this end's SYN offers at its own place and at the other one, where they differ."""
        if self.near is None or self.far is None or initial(self.near) is None:
            return None
        if initial(self.near) != initial(self.far):  # a proxy opens one of its own
            return None
        here, there = self.near.sides[self.side].mss, self.far.sides[self.side].mss
        return (here, there) if here and there and here != there else None

    def trip(self) -> int:
        """Nanoseconds from this place to the other one and back, by the handshake and whatever the clocks say; 0 where
        it does not tell."""
        if self.near is None or self.far is None or self.side is not Side.CLIENT:
            return 0
        times = [(one.syns, one.syn_acks) for one in (self.near, self.far)]
        if any(len(marks) != 1 for pair in times for marks in pair):
            return 0
        here, there = (answers[0].time - syns[0].time for syns, answers in times)
        return max(0, here - there)

    @property
    def is_doubled(self) -> bool:
        """A capture has packets twice that had no way to go yet: how many there are tells nothing of the way."""
        pairs = ((self.near, self.side), (self.far, self.side.other))
        return any(one is not None and one.sides[side].duplicates for one, side in pairs)

    @property
    def has_one_sided_reset(self) -> bool:
        """One of the two places alone has a reset, of either end."""
        ends = [[one.sides[side].rst is not None for side in Side] for one in (self.near, self.far) if one is not None]
        return len(ends) == 2 and ends[0] != ends[1]

    def counts(self) -> tuple[int, int]:
        """How many packets of this end were captured at its own place and at the other one."""
        pair = (one.sides[self.side].packets if one is not None else 0 for one in (self.near, self.far))
        here, there = pair
        return here, there


def _arrived(sent: Sequence[Mark], came: Sequence[Mark]) -> list[Mark]:
    """Those of ``sent`` that came: told by their IP ids; without (IPv6, and what Linux answers to a SYN) the nearest in
    time."""
    ids = {mark.ip_id for mark in came if mark.ip_id}
    found = [mark for mark in sent if mark.ip_id in ids]
    for mark in came:
        left = [one for one in sent if not one.ip_id and one not in found]
        if not mark.ip_id and left:
            found.append(min(left, key=lambda one: abs(one.time - mark.time)))
    return found


def _marks(connection: Connection, side: Side) -> list[Mark]:
    """Packets of an end that are remembered, each once."""
    facts = connection.sides[side]
    marks = [facts.first_data, facts.last_data, facts.fin, facts.rst, facts.last]
    marks += connection.syns if side is Side.CLIENT else connection.syn_acks
    return [*(mark for mark in marks if mark is not None), *facts.retransmitted, *facts.overtaken]


def ways(one: Leg, two: Leg) -> Iterator[Way]:
    """Everything that goes between two places, the first of them nearer to the client scheduler."""
    for role, near, far in _connections(one, two):
        for side in Side:
            is_clients = (side is Side.CLIENT) is (role is Role.COMMAND)
            if is_clients:
                yield Way(role, side, one, two, near, far)
            else:
                yield Way(role, side, two, one, far, near)


def _connections(one: Leg, two: Leg) -> Iterator[tuple[Role, Connection | None, Connection | None]]:
    """The connections of a task at two places, each with its role."""
    a, b = one.record.command, two.record.command
    if a is not None or b is not None:
        yield Role.COMMAND, a, b
    left = list(two.facts.attempts)
    for attempt in one.facts.attempts:
        other = next((candidate for candidate in left if _is_same(attempt, candidate, one, two)), None)
        if other is not None:
            left.remove(other)
        yield Role.CALLBACK, attempt, other
    for attempt in left:
        yield Role.CALLBACK, None, attempt


def _is_same(one: Connection, two: Connection, first: Leg, second: Leg) -> bool:
    numbers = initial(one), initial(two)
    if None not in numbers:
        if numbers[0] == numbers[1]:
            return True
        # A proxy opens one of its own.
        is_proxied = first.place.by_content or second.place.by_content
        return is_proxied and one is first.record.callback and two is second.record.callback
    return one is first.record.callback and two is second.record.callback
