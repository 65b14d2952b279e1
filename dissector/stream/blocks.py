"""Blocks: what one read of a capture file holds, sorted by connection before anything is made of it.

Most packets of a capture change nothing (they are somebody else's) or little: they continue a dialog as the one before
them did.  Whoever has a whole block before him can tell both from the bytes alone, and may do so in another process:
a ``Talk`` is all of a connection in the block, and ``runs`` are the stretches of it that can be taken at once.  Nothing
depends on a block's borders: what is no run, or turns out not to fit, goes packet by packet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from mmap import mmap
from typing import NamedTuple

from dissector.stream.link import ETHERNET
from dissector.traffic import Packet

_new = tuple.__new__


Buffer = bytes | mmap
#: A packet: number, time, TTL and IP id.  In ``recent``: sequence number, length, IP id and time.
Mark = tuple[int, int, int, int]
#: A request that may write to a log: time, packet, which of the run's ``heads``, arguments as written.
Line = tuple[int, int, int, tuple[object, ...]]
#: A message as it is, with its length header: direction, index, where it begins and ends, bytes of the run before it.
Piece = tuple[int, int, int, int, int]
#: Requests with their answers, all of them taken at a glance: who asks, how many, bytes, lines, nanoseconds from each
#: request to its answer in all, and the messages.
Pairs = tuple[int, int, int, list[Line], int, list[Piece]]


class Part(NamedTuple):
    """What one direction of a run sent.  ``base``: its first sequence number; ``acked``: the highest acknowledgement,
    in bytes from the other's ``base``; ``recent`` as ``Direction.recent``."""

    packets: int
    base: int
    sent: int
    acked: int
    window: int
    last: Mark
    last_data: Mark | None
    recent: list[Mark]


class Run(NamedTuple):
    """``places[first:stop]`` of a talk: segments in order without anything odd, each with nothing or one message.

    ``silence`` is the longest time between two packets, ``behind`` the second of them.  ``items`` are the messages in
    order, ``heads`` what the requests that have lines begin with.
    """

    first: int
    stop: int
    parts: tuple[Part, Part]
    start: Mark
    silence: int
    behind: Mark | None
    heads: list[bytes]
    items: list[Pairs | Piece]


class Talk(NamedTuple):
    """Packets of one connection: ``keys`` of its directions, ``places`` as 2 * index + direction in order; ``begins``
    is the index of the last one with a SYN, -1 without."""

    keys: tuple[bytes, bytes]
    begins: int
    places: list[int]
    runs: list[Run]


class Block(NamedTuple):
    """Consecutive Ethernet packets of one file.

    ``data[begins[i]:begins[i + 1] - between]`` is packet ``i``; ``times`` are nanoseconds, ``cut`` has the lengths on
    the wire of those that are longer than captured.  ``segments`` are in talks, ``others`` are packets that are not
    plain, ICMP among them; what is in no talk and not among them carries neither TCP nor ICMP.  ``number`` counts the
    packets before.
    """

    data: Buffer
    begins: Sequence[int]
    between: int
    times: Sequence[int]
    ordered: bool
    cut: dict[int, int]
    segments: int
    others: list[int]
    talks: list[Talk]
    number: int = 0

    def renumbered(self, shift: int) -> Block:
        """The same block behind so many packets more; its runs name packets, so they have to go."""
        talks = [talk._replace(runs=[]) for talk in self.talks]
        return self._replace(number=self.number + shift, talks=talks)

    def packets(self) -> Iterator[Packet]:
        """All of them in order."""
        keys: dict[int, bytes] = {}
        for talk in self.talks:
            keys.update((place >> 1, talk.keys[place & 1]) for place in talk.places)
        for index in range(len(self.times)):
            yield self.packet(index, keys.get(index))

    def packet(self, index: int, key: bytes | None) -> Packet:
        """Packet ``index``; ``key`` as ``Packet.key``."""
        data = self.data[self.begins[index] : self.begins[index + 1] - self.between]
        length = self.cut.get(index, len(data)) if self.cut else len(data)
        packet: Packet = _new(Packet, (self.number + index + 1, self.times[index], ETHERNET, data, length, key))
        return packet


def talks_of(groups: dict[bytes, list[int]], syns: dict[bytes, int]) -> list[Talk]:
    """Places (2 * index) by key as talks; ``syns`` are the last packets with a SYN.  Uses up ``groups``."""
    talks = []
    while groups:
        key, places = groups.popitem()
        back_key = key[4:8] + key[:4] + key[10:12] + key[8:10]
        if back := groups.pop(back_key, None):
            places += [place | 1 for place in back]
            places.sort()
        begins = max(syns.get(key, -1), syns.get(back_key, -1)) if syns else -1
        talks.append(Talk((key, back_key), begins, places, []))
    return talks
