"""The newest packets of a live capture, for who wants to keep some of them after all."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from struct import pack

from dissector.model import Connection, address_text
from dissector.sources.live import Recorder
from dissector.sources.ring import CaptureWriter
from dissector.stream.packets import parse
from dissector.traffic import IcmpError, Packet, Segment

#: Bytes of a packet's record besides its data.
_OVERHEAD = 200

#: A packet and the name of its interface.
HeldPacket = tuple[Packet, str]
_Ends = frozenset[tuple[str, "int | None"]]


class Recent:
    """A recorder that holds ``size`` bytes at most, and passes on to ``following`` what it gets; ``overwrite``: what is
    saved may take the place of a file that exists."""

    def __init__(self, size: int, *, overwrite: bool = True) -> None:
        self._overwrite = overwrite
        self.following: Recorder | None = None
        self._room = size
        self._packets: deque[HeldPacket] = deque()

    def write(self, packet: Packet, interface: str) -> None:
        if self.following is not None:
            self.following.write(packet, interface)
        self._packets.append((packet, interface))
        self._room -= len(packet.data) + _OVERHEAD
        while self._room < 0:
            self._room += len(self._packets.popleft()[0].data) + _OVERHEAD

    def save(self, path: str, connections: Iterable[Connection]) -> tuple[int, bool]:
        """Writes the packets of ``connections``, and the ICMP errors about them, to a new file: how many, and whether
        the first packet of all of them is still there.

        :raises CaptureError: the file can not be written
        :raises UsageError: there is one of this name already, which was not to be overwritten
        """
        wanted = list(connections)
        (found,) = self.find([wanted])
        write_packets(path, found, overwrite=self._overwrite)
        return len(found), self.has_begin_of(wanted)

    def has_begin_of(self, connections: Iterable[Connection]) -> bool:
        first = self._packets[0][0].number if self._packets else 0
        return all(first <= one.first_packet for one in connections)

    def find(self, groups: Sequence[Sequence[Connection]]) -> list[list[HeldPacket]]:
        """For each group of connections its packets and the ICMP errors about them, in one pass over all of them."""
        found: list[list[HeldPacket]] = [[] for _ in groups]
        wanted: dict[_Ends, list[tuple[Connection, list[HeldPacket]]]] = {}
        for connections, packets in zip(groups, found, strict=True):
            for one in connections:
                wanted.setdefault(_ends(*one.client, *one.server), []).append((one, packets))
        if not wanted:
            return found
        everyone = [one for connections in groups for one in connections]
        first, last = min(one.first_packet for one in everyone), max(map(_last, everyone))
        mentions = _ports(everyone).search
        # What is wanted is mostly among the newest ones.
        for held in reversed(self._packets):
            packet = held[0]
            if packet.number < first:
                break
            if packet.number > last or mentions(packet.data) is None:
                continue
            for connection, packets in wanted.get(_ends_of(packet) or frozenset(), ()):
                belongs = connection.first_packet <= packet.number <= _last(connection)
                if belongs and not (packets and packets[-1] is held):
                    packets.append(held)
        for packets in found:
            packets.reverse()
        return found


def write_packets(path: str, packets: Iterable[HeldPacket], *, overwrite: bool) -> None:
    """Errors as ``Recent.save``."""
    writer = CaptureWriter(path, overwrite=overwrite)
    for packet, interface in packets:
        writer.write(packet, interface)
    writer.close(check=True)


def _ports(connections: Iterable[Connection]) -> re.Pattern[bytes]:
    """Both ports of a connection stand side by side in each of its packets, and in what an ICMP error quotes: most
    others need not be parsed."""
    pairs = {(one.client.port or 0, one.server.port or 0) for one in connections}
    both_ways = pairs | {(server, client) for client, server in pairs}
    return re.compile(b"|".join(re.escape(pack(">HH", *pair)) for pair in sorted(both_ways)), re.DOTALL)


def _ends_of(packet: Packet) -> _Ends | None:
    record = parse(packet)
    if not isinstance(record, (Segment, IcmpError)):
        return None
    return _ends(address_text(record.src), record.sport, address_text(record.dst), record.dport)


def _ends(ip: str, port: int | None, other: str, other_port: int | None) -> _Ends:
    return frozenset(((ip, port), (other, other_port)))


def _last(connection: Connection) -> int:
    marks = (icmp.number for icmp in connection.icmp)
    return max(connection.last_packet, *marks, 0)
