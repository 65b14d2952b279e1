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
_OVERHEAD = 450

#: A packet and the name of its interface.
HeldPacket = tuple[Packet, str]
_Ends = frozenset[tuple[str, "int | None"]]
#: Connections by their ends, each with where its packets go.
_Wanted = dict[_Ends, list[tuple[Connection, dict[int, HeldPacket]]]]

#: Link type -> where the EtherType and the IP header stand: Ethernet, Linux cooked captures of both kinds.
_LINKS = {1: (12, 14), 113: (14, 16), 276: (0, 20)}
_IPV4, _IPV6, _TCP = b"\x08\x00", b"\x86\xdd", b"\x06"
#: No fragment, with and without the flag not to make some.
_WHOLE = (b"\0\0", b"\x40\0")
_NOT_PLAIN = b""


class Recent:
    """A recorder that holds ``size`` bytes at most, and passes on to ``following`` what it gets; ``overwrite``: what is
    saved may take the place of a file that exists."""

    def __init__(self, size: int, *, overwrite: bool = True) -> None:
        self._overwrite = overwrite
        self.following: Recorder | None = None
        self._room = size
        self._packets: deque[tuple[HeldPacket, bytes]] = deque()
        #: The same by their ports: what is wanted of them is found without a look at all of them.
        self._by_ports: dict[bytes, deque[HeldPacket]] = {}

    def write(self, packet: Packet, interface: str) -> None:
        if self.following is not None:
            self.following.write(packet, interface)
        held, key = (packet, interface), _key_of(packet)
        self._packets.append((held, key))
        self._by_ports.setdefault(key, deque()).append(held)
        self._room -= len(packet.data) + _OVERHEAD
        while self._room < 0:
            self._forget()

    def _forget(self) -> None:
        """The oldest packet of all is the oldest of its ports, too."""
        held, key = self._packets.popleft()
        self._room += len(held[0].data) + _OVERHEAD
        alike = self._by_ports[key]
        alike.popleft()
        if not alike:
            del self._by_ports[key]

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
        first = self._packets[0][0][0].number if self._packets else 0
        return all(first <= one.first_packet for one in connections)

    def find(self, groups: Sequence[Sequence[Connection]]) -> list[list[HeldPacket]]:
        """For each group of connections its packets and the ICMP errors about them."""
        found: list[dict[int, HeldPacket]] = [{} for _ in groups]
        wanted: _Wanted = {}
        for connections, packets in zip(groups, found, strict=True):
            for one in connections:
                wanted.setdefault(_ends(*one.client, *one.server), []).append((one, packets))
        everyone = [one for connections in groups for one in connections]
        for ports in {_ports_key(one.client.port or 0, one.server.port or 0) for one in everyone}:
            _take(self._by_ports.get(ports, ()), wanted)
        if everyone and (others := self._by_ports.get(_NOT_PLAIN)):
            mentions = _ports(everyone).search
            _take((held for held in others if mentions(held[0].data)), wanted)
        return [[packets[number] for number in sorted(packets)] for packets in found]


def _take(candidates: Iterable[HeldPacket], wanted: _Wanted) -> None:
    for held in candidates:
        packet = held[0]
        for connection, packets in wanted.get(_ends_of(packet) or frozenset(), ()):
            if connection.first_packet <= packet.number <= _last(connection):
                packets[packet.number] = held


def _key_of(packet: Packet) -> bytes:
    """Both ports of a plain segment (TCP right behind an IP header without options, right behind the link's own), the
    lesser one first; ``_NOT_PLAIN`` for all others."""
    data, place = packet.data, _LINKS.get(packet.link_type)
    if place is None:
        return _NOT_PLAIN
    kind, ip = data[place[0] : place[0] + 2], place[1]
    if kind == _IPV4 and data[ip : ip + 1] == b"\x45" and data[ip + 9 : ip + 10] == _TCP:
        # A fragment that is not the first one has no ports.
        at = ip + 20 if data[ip + 6 : ip + 8] in _WHOLE else None
    elif kind == _IPV6 and data[ip + 6 : ip + 7] == _TCP:
        at = ip + 40
    else:
        at = None
    if at is None or len(data) < at + 4:
        return _NOT_PLAIN
    ports = bytes(data[at : at + 4])
    one, other = ports[:2], ports[2:]
    return ports if one <= other else other + one


def _ports_key(one: int, other: int) -> bytes:
    return pack(">HH", min(one, other), max(one, other))


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
