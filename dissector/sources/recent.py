"""The newest packets of a live capture, for who wants to keep some of them after all."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address
from typing import NamedTuple

from dissector.limits import MAX_EVIDENCE
from dissector.model import Connection
from dissector.sources.live import Recorder
from dissector.sources.ring import CaptureWriter
from dissector.stream.block import Block
from dissector.stream.fragments import Datagrams
from dissector.traffic import NEVER, IcmpError, Packet, Segment, key_of

#: Bytes that a block keeps of a packet besides its data.
_OVERHEAD = 150

#: A packet and the name of its interface.
HeldPacket = tuple[Packet, str]
#: What a packet is found by: the key of a segment, of an ICMP error the key that it quotes behind this byte.
_QUOTE = b"\0"


class _HeldBlock(NamedTuple):
    """``names`` are the interfaces of the block's packets, ``keys`` all that they are found by, some of them twice."""

    block: Block
    names: Sequence[str]
    keys: list[bytes]

    def packet(self, index: int, key: bytes | None = None) -> HeldPacket:
        return self.block.packet(index, key), self.names[index]

    @property
    def size(self) -> int:
        return self.block.size + _OVERHEAD * len(self.block.times)


class _Alike(NamedTuple):
    """Packets of a block with one key: those of its places (2 * index + direction) of this direction."""

    held: _HeldBlock
    places: Sequence[int]
    side: int


class Recent:
    """A recorder that holds ``size`` bytes at most, and passes on to ``following`` what it gets; ``overwrite``: what is
    saved may take the place of a file that exists.

    What a packet is shows when it comes: its block knows the plain ones, all others are parsed, datagrams in fragments
    as soon as they are whole.  So the packets of a connection are found without a look at all of them."""

    def __init__(self, size: int, *, overwrite: bool = True) -> None:
        self._overwrite = overwrite
        self.following: Recorder | None = None
        self._room = size
        self._blocks: deque[_HeldBlock] = deque()
        self._by_key: dict[bytes, deque[_Alike]] = {}
        self._datagrams = Datagrams()
        #: Packets that are not plain by their numbers, and of those that completed a datagram the numbers of its
        #: fragments.
        self._odd: dict[int, HeldPacket] = {}
        self._fragments: dict[int, tuple[int, ...]] = {}

    def record(self, block: Block, names: Sequence[str]) -> None:
        if self.following is not None:
            self.following.record(block, names)
        if not isinstance(block.data, bytes):  # a reader's memory, which it uses again
            block = block._replace(data=bytes(block.data))
        # Without the runs, which are larger than the packets.
        held = _HeldBlock(block._replace(conversations=[]), names, [])
        for conversation in block.conversations:
            for side, key in enumerate(conversation.keys):
                self._find_by(key, _Alike(held, conversation.places, side))
        for index in block.others:
            if (quoted := self._key_of_odd(held.packet(index))) is not None:
                self._find_by(quoted, _Alike(held, (2 * index,), 0))
        self._blocks.append(held)
        self._room -= held.size
        while self._room < 0:
            self._forget()

    def _find_by(self, key: bytes, some: _Alike) -> None:
        self._by_key.setdefault(key, deque()).append(some)
        some.held.keys.append(key)

    def _key_of_odd(self, held: HeldPacket) -> bytes | None:
        packet = held[0]
        self._odd[packet.number] = held
        whole, record = self._datagrams.whole(packet)
        if whole is not None and whole is not packet:
            self._fragments[packet.number] = tuple(self._datagrams.numbers)
        if isinstance(record, Segment):
            return record.key
        if isinstance(record, IcmpError):
            return _QUOTE + key_of(record.src, record.sport, record.dst, record.dport)
        return None

    def _forget(self) -> None:
        """What is of the oldest block of all is the oldest of its key, too."""
        held = self._blocks.popleft()
        self._room += held.size
        for index in held.block.others:
            number = held.block.numbers[index]
            del self._odd[number]
            self._fragments.pop(number, None)
        for key in held.keys:
            alike = self._by_key[key]
            alike.popleft()
            if not alike:
                del self._by_key[key]

    def save(self, path: str, connections: Iterable[Connection]) -> tuple[int, bool]:
        """Writes the packets of ``connections``, and the ICMP errors about them, to a new file: how many, and whether
        the first packet of all of them is still there.

        :raises CaptureError: the file can not be written
        :raises UsageError: there is one of this name already, which was not to be overwritten
        """
        wanted = list(connections)
        found = self.find(wanted)
        write_packets(path, found, overwrite=self._overwrite)
        return len(found), self.has_begin_of(wanted)

    def has_begin_of(self, connections: Iterable[Connection]) -> bool:
        first = self._blocks[0].block.numbers[0] if self._blocks else 0
        return all(first <= one.first_packet for one in connections)

    def find(self, connections: Sequence[Connection]) -> list[HeldPacket]:
        """The packets of connections, datagrams with all their fragments, and the ICMP errors about them."""
        found = {held[0].number: held for one in connections for held in self._of(one)}
        return [found[number] for number in sorted(found)]

    def _of(self, connection: Connection) -> Iterator[HeldPacket]:
        first, last = connection.first_packet, connection.last_packet
        # Of many errors not all are kept.
        many = len(connection.icmp) >= MAX_EVIDENCE
        latest = NEVER if many else max(last, *(error.number for error in connection.icmp), 0)
        for key in _keys(connection):
            for name, end in ((key, last), (_QUOTE + key, latest)):
                for held, places, side in self._by_key.get(name, ()):
                    numbers = held.block.numbers
                    for index in (place >> 1 for place in places if place & 1 == side):
                        if first <= numbers[index] <= end:
                            yield from self._whole(held.packet(index))

    def _whole(self, held: HeldPacket) -> Iterator[HeldPacket]:
        """A packet with the fragments that came before it; of these the first ones may be forgotten."""
        for number in self._fragments.get(held[0].number, ()):
            if number in self._odd:
                yield self._odd[number]
        yield held


def _keys(connection: Connection) -> tuple[bytes, bytes]:
    """Of both its directions."""
    (client, port), (server, own) = (
        (ip_address(end.ip).packed, end.port or 0) for end in (connection.client, connection.server)
    )
    return key_of(client, port, server, own), key_of(server, own, client, port)


def write_packets(path: str, packets: Iterable[HeldPacket], *, overwrite: bool) -> None:
    """Errors as ``Recent.save``."""
    writer = CaptureWriter(path, overwrite=overwrite)
    for packet, interface in packets:
        writer.write(packet, interface)
    writer.close(check=True)
