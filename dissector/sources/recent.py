"""The newest packets of a live capture, for who wants to keep some of them after all."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from dissector.model import Connection, address_text
from dissector.sources.live import Recorder
from dissector.sources.ring import CaptureWriter
from dissector.stream.packets import parse
from dissector.traffic import IcmpError, Packet, Segment

#: Bytes of a packet's record besides its data.
_OVERHEAD = 200


class Recent:
    """A recorder that holds ``size`` bytes at most, and passes on to ``following`` what it gets; ``overwrite``: what is
    saved may take the place of a file that exists."""

    def __init__(self, size: int, *, overwrite: bool = True) -> None:
        self._overwrite = overwrite
        self.following: Recorder | None = None
        self._room = size
        self._packets: deque[tuple[Packet, str]] = deque()

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
        ends = {_ends(*c.client, *c.server): c for c in wanted}
        first = self._packets[0][0].number if self._packets else 0
        writer = CaptureWriter(path, overwrite=self._overwrite)
        for packet, interface in self._packets:
            record = parse(packet)
            if not isinstance(record, (Segment, IcmpError)):
                continue
            names = address_text(record.src), record.sport, address_text(record.dst), record.dport
            connection = ends.get(_ends(*names))
            if connection is not None and connection.first_packet <= packet.number <= _last(connection):
                writer.write(packet, interface)
        writer.close(check=True)
        return writer.packets, all(first <= c.first_packet for c in wanted)


def _ends(ip: str, port: int | None, other: str, other_port: int | None) -> frozenset[tuple[str, int | None]]:
    return frozenset(((ip, port), (other, other_port)))


def _last(connection: Connection) -> int:
    marks = (icmp.number for icmp in connection.icmp)
    return max(connection.last_packet, *marks, 0)
