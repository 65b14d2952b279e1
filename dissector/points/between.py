"""What became of one connection between two places: what of each end's packets came to the other place.

``near`` is the place on the sender's side.  A packet that was captured there and not at the other one was lost between
them, unless the other capture missed it: then it was acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dissector.model import Connection, Mark, Role, address_text
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
        if not self._is_heard():
            return [], 0
        sent = self._opening(self.near)
        if self.far is not None and self.far.mid_stream:
            return [], len(sent)
        came = [] if self.far is None else self._opening(self.far)
        if not came and self._opening_answered():
            return [], 0
        lost = [mark for mark in sent if mark not in _arrived(sent, came)]
        return [mark for mark in lost if self.receiver.place.covers(mark.time)], len(came)

    def lost_data(self) -> tuple[int, list[Mark]]:
        """Bytes that never came to the other place and that nobody acknowledged, and the tries."""
        if self.near is None or self.far is None or not self.is_whole or not self._is_heard():
            return 0, []
        here, there = self.near.sides[self.side], self.far.sides[self.side]
        # What comes behind the end of a connection is no part of its bytes, but is counted.
        missing = here.bytes - there.bytes if here.packets > there.packets else 0
        acked = max(one.sides[self.side.other].acked or 0 for one in (self.near, self.far))
        by_capture = max(there.sent, acked) - there.never_acknowledged - there.bytes
        missing = min(missing - max(0, by_capture), here.sent - acked)
        if missing <= 0:
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
        if self.near is None or self.far is None or not self._is_heard():
            return None
        here, there = self.near.sides[self.side], self.far.sides[self.side]
        mark = here.rst or here.fin
        came = there.rst or there.fin or there.end_acked or self.near.closed == self.far.closed == "fin"
        return mark if mark is not None and not came and self.receiver.place.covers(mark.time) else None

    def forged_reset(self) -> Mark | None:
        """A reset at the other place in the name of this end, which never sent one."""
        if self.far is None or not self._is_heard():
            return None
        reset = self.far.sides[self.side].rst
        if reset is None or not self.sender.place.covers(reset.time):
            return None
        if self.near is None:
            return None if self.far.established else reset  # the capture there lacks all of it
        return reset if self.near.sides[self.side].rst is None else None

    def _opening_answered(self) -> bool:
        """True where SYNs (SYN+ACKs) were answered, so that a capture without them lacks them."""
        ends = [one for one in (self.near, self.far) if one is not None]
        if self.side is Side.SERVER:
            answers = [one.sides[Side.CLIENT] for one in ends]
            return any(answer.acked is not None or answer.rst is not None for answer in answers)
        if any(one.syn_acks for one in ends) or (self.far is not None and self.far.sides[Side.SERVER].packets):
            return True
        refused = self.near.sides[Side.SERVER].rst if self.near is not None else None
        return refused is not None and refused.ttl == _ttl(self.sender, client=not self.is_clients, but=self.near)

    @property
    def is_clients(self) -> bool:
        """The client scheduler's host sends this."""
        return (self.side is Side.CLIENT) is (self.role is Role.COMMAND)

    def other_ttl(self) -> int:
        """The TTL that other packets of this host have at the other place; 0 without any."""
        return _ttl(self.receiver, client=self.is_clients, but=self.far)

    def _is_heard(self) -> bool:
        """Each place has something of this host: a capture of one direction proves nothing of the other one."""
        said = (leg.said_by(client=self.is_clients) for leg in (self.sender, self.receiver))
        return all(any(facts.packets for _, facts in of_leg) for of_leg in said)

    def foreign_icmp(self) -> list[IcmpError]:
        """ICMP errors at the other place that answer what goes to this end and that never came from there."""
        if self.far is None:
            return []
        known = {error.sender for error in (self.near.icmp if self.near is not None else ())}
        return [
            error
            for error in unreachables(self.far)
            if error.sender not in known
            and address_text(error.sender) != self.far.server.ip  # its own, which the capture there lacks
            and self.sender.place.covers(error.time)
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

    def overtaken(self) -> Sequence[Mark]:
        """Packets that came to the other place behind later ones, though they were sent before them and once only."""
        if self.near is None or self.far is None or not self.is_whole:
            return []
        here, there = self.near.sides[self.side], self.far.sides[self.side]
        if here.retransmissions > len(here.retransmitted) or not here.packets:
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

    def fewer(self) -> tuple[int, int]:
        """How many packets of this end were lost on the way and sent again, and of how many: what nobody sends again
        may have been lost by a capture."""
        if self.near is None or self.far is None or not self.far.sides[self.side].packets:
            return 0, 0
        here, there = self.near.sides[self.side], self.far.sides[self.side]
        again = self._again(self.near, self.receiver) + max(0, len(self._opening(self.near)) - 1)
        return max(0, min(here.packets - there.packets, again)), here.packets

    def more(self) -> int:
        """How many packets of this end came more often than they were sent."""
        if self.near is None or self.far is None or not self.near.sides[self.side].packets:
            return 0
        here, there = self.near.sides[self.side], self.far.sides[self.side]
        again = self._again(self.far, self.sender) + there.duplicates - here.retransmissions
        again += len(self._opening(self.far)) - max(1, len(self._opening(self.near)))
        return max(0, min(there.packets - here.packets, again))

    def _again(self, connection: Connection, other: Leg) -> int:
        """How often this end sent something again while the other place was captured as well."""
        facts = connection.sides[self.side]
        return facts.retransmissions - sum(not other.place.covers(mark.time) for mark in facts.retransmitted)

    def _opening(self, connection: Connection) -> Sequence[Mark]:
        return connection.syns if self.side is Side.CLIENT else connection.syn_acks


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


def _ttl(leg: Leg, *, client: bool, but: Connection | None) -> int:
    """That of a host's packets on the other connections of a task; 0 without any."""
    return next((facts.ttl for one, facts in leg.said_by(client=client) if one is not but and facts.ttl), 0)


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
        return _is_proxied(first, second) and _are_the_callbacks(one, two, first, second)
    is_alike = _is_proxied(first, second) or first.place.ends_of(one) == second.place.ends_of(two)
    return is_alike and _are_the_callbacks(one, two, first, second)


def _is_proxied(first: Leg, second: Leg) -> bool:
    return first.place.by_content or second.place.by_content


def _are_the_callbacks(one: Connection, two: Connection, first: Leg, second: Leg) -> bool:
    return one is first.record.callback and two is second.record.callback
