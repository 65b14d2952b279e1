"""The block: many packets of one source, sorted by conversation before anything is made of them.

It is the only unit that travels from a source to the tracer.  Most packets of a capture change nothing (they are
somebody else's) or little: they continue a dialog as the one before them did.  Whoever has a whole block can tell both
from the bytes alone, and may do so in another process: a ``Conversation`` is all of a connection in the block, and its
``runs`` are the stretches of it that can be taken at once.  Nothing depends on a block's borders: what is no run, or
turns out not to fit, goes packet by packet.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from itertools import repeat
from mmap import mmap
from typing import NamedTuple

from dissector.stream.link import is_supported
from dissector.traffic import Packet

_new = tuple.__new__


Buffer = bytes | mmap
#: A packet: its index in the block, time, TTL and IP id.  In ``recent``: sequence number, length, IP id and time.
Mark = tuple[int, int, int, int]
#: A request that may write to a log: time, index, which of the run's ``heads``, arguments as written.
Line = tuple[int, int, int, tuple[object, ...]]
#: A request for the dispids of names, and its answer, as they are on the wire.
LookUp = tuple[bytes, bytes]
#: A message where it lies: direction, index, where it begins (with its length header) and ends, bytes of the run before
#: it.
Piece = tuple[int, int, int, int, int]
#: One that came in several packets: direction, index of the last, its bytes (without the header) with the indices of
#: all, bytes of the run before it.
Joined = tuple[int, int, tuple[bytes, tuple[int, ...]], int]
#: Requests with their answers, all of them skimmed: who asks, how many, bytes, lines and look-ups in order, nanoseconds
#: from each request to its answer in all, and the messages.
Pairs = tuple[int, int, int, "list[Line | LookUp]", int, "list[Piece | Joined]"]
#: A message over HTTP: a Piece, which of the run's ``heads`` it has, its Request-ID, and where its head ends.
Heard = tuple[int, int, int, int, int, int, "int | None", int]
#: Exchanges of one tunnel, one after the other: where they begin and end among the messages over HTTP, Pairs without
#: their messages by where these begin there, and what the requests that have lines begin with.
Streak = tuple[int, int, "list[tuple[int, Pairs]]", "list[bytes]"]
#: Numbers of the packets of a source's first block.
_COUNTED = range(1, (1 << 63) - 1)
#: In the place of a link type, of records that are numbered like packets and are none.
NO_PACKET = -1


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
    """``places[first:stop]`` of a conversation: segments in order without anything odd.

    ``silence`` is the longest time between two packets, ``behind`` the second of them.  ``items`` are the messages in
    order, ``heads`` what the requests that have lines begin with, ``unfinished`` the parts of messages that go on
    behind the run.  Of a connection with exchanges ``heard`` are the messages, ``heads`` those of ``usual.Usual``, and
    ``streaks`` are parts of ``heard``.  Of a connection with TLS ``records`` are those of the program.
    """

    first: int
    stop: int
    parts: tuple[Part, Part]
    start: Mark
    silence: int
    behind: Mark | None
    heads: list[bytes]
    items: list[Pairs | Piece | Joined]
    unfinished: list[Piece]
    heard: Sequence[Heard] = ()
    streaks: Sequence[Streak] = ()
    records: Sequence[Piece] = ()


class Conversation(NamedTuple):
    """Packets of one connection: ``keys`` of its directions, ``places`` as 2 * index + direction in order, ``syns``
    the indices of those with a SYN.  ``foreign_at``: the place of the segment that tells that the connection, which
    begins here, is foreign unless its port is known for something else; 0: nobody looked, or it does not tell."""

    keys: tuple[bytes, bytes]
    syns: list[int]
    places: list[int]
    runs: list[Run]
    foreign_at: int = 0

    @property
    def begins(self) -> int:
        """Index of the last packet with a SYN, -1 without."""
        return self.syns[-1] if self.syns else -1


class Stretch(NamedTuple):
    """From packet ``first`` on: their link type, where the IP header of those that are in conversations begins, and
    whether that is in a tunnel."""

    first: int
    link_type: int
    ip: int
    tunnelled: bool = False


class Block(NamedTuple):
    """Consecutive packets of one source.

    ``data[begins[i]:ends[i]]`` is packet ``i``; ``times`` are nanoseconds, ``cut`` has the lengths on the wire of those
    that are longer than captured.  ``others`` are packets that are not plain, ICMP among them; what is in no
    conversation and not among them carries neither TCP nor ICMP; ``other_segments`` are those of them that carry a TCP
    segment.  ``span``: times of the first and the latest packet (None: none has a time).
    ``numbers`` are those of its packets in the capture.  ``secrets``: lines of a TLS key log that stand among them.
    """

    data: Buffer
    begins: Sequence[int]
    ends: Sequence[int]
    times: MutableSequence[int]
    ordered: bool
    span: tuple[int, int] | None
    stretches: list[Stretch]
    cut: dict[int, int]
    other_segments: list[int]
    others: list[int]
    conversations: list[Conversation]
    numbers: Sequence[int] = _COUNTED
    secrets: bytes = b""

    @property
    def size(self) -> int:
        """Bytes from the first packet to the last one; ``data`` may have room for more."""
        return self.ends[-1] - self.begins[0] if self.ends else 0

    @property
    def links(self) -> list[tuple[int, int]]:
        """As those of packets that are located."""
        return [(stretch.first, stretch.link_type) for stretch in self.stretches]

    @property
    def segments(self) -> int:
        """How many packets carry a TCP segment."""
        return len(self.other_segments) + sum(len(one.places) for one in self.conversations)

    def packets(self) -> Iterator[Packet]:
        """All of them in order but for those of link types that can not be read."""
        keys: dict[int, bytes] = {}
        for conversation in self.conversations:
            keys.update((place >> 1, conversation.keys[place & 1]) for place in conversation.places)
        for index, _ in self.readable():
            yield self.packet(index, keys.get(index))

    def readable(self) -> Iterator[tuple[int, int]]:
        """Index and link type of all whose link type can be read."""
        stops = [*(stretch.first for stretch in self.stretches[1:]), len(self.times)]
        for (first, link_type, *_), stop in zip(self.stretches, stops, strict=True):
            if is_supported(link_type):
                yield from zip(range(first, stop), repeat(link_type))

    def packet(self, index: int, key: bytes | None) -> Packet:
        """Packet ``index``; ``key`` as ``Packet.key``."""
        data = self.data[self.begins[index] : self.ends[index]]
        length = self.cut.get(index, len(data)) if self.cut else len(data)
        stretches = self.stretches
        _, link_type, ip, tunnelled = stretches[0] if len(stretches) == 1 else self.stretch(index)
        number, time = self.numbers[index], self.times[index]
        packet: Packet = _new(Packet, (number, time, link_type, data, length, key, ip, tunnelled))
        return packet

    def stretch(self, index: int) -> Stretch:
        """That of packet ``index``."""
        stretches = self.stretches
        return stretches[0 if len(stretches) == 1 else bisect_right(stretches, index, key=_first) - 1]

    @property
    def ip_offset(self) -> int | None:
        """Where the IP headers begin in their packets; None where that is not the same for all."""
        return self.stretches[0].ip if len(self.stretches) == 1 else None

    def ip(self, index: int) -> int:
        """Where the IP header of packet ``index`` of a conversation begins in ``data``."""
        return self.begins[index] + self.stretch(index).ip


def _first(stretch: Stretch) -> int:
    return stretch.first


def conversations_of(groups: dict[bytes, list[int]], syns: Mapping[bytes, list[int]]) -> list[Conversation]:
    """Places (2 * index) by key as conversations; ``syns`` are the packets with a SYN by key.  Uses up ``groups``."""
    conversations = []
    while groups:
        key, places = groups.popitem()
        size = len(key) // 2 - 2
        back_key = key[size : 2 * size] + key[:size] + key[-2:] + key[-4:-2]
        if back := groups.pop(back_key, None):
            places += [place | 1 for place in back]
            places.sort()
        begins = sorted([*syns.get(key, ()), *syns.get(back_key, ())]) if syns else []
        conversations.append(Conversation((key, back_key), begins, places, []))
    return conversations
