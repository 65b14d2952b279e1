"""Which packets a place of capture has seen: enough of each to find it again in the capture of another place.

A packet is known by what routers leave as it is: sequence and acknowledgement number, IP id, and whether it opens or
resets its connection.  Not by its addresses and ports, which a translation changes, nor by its length, which
segmentation offload does.  A proxy changes all of these, but hands on what was said: ``said`` has the packets by
their payload.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple
from zlib import crc32

from dissector.limits import MAX_SIGHTINGS
from dissector.stream.block import Block, Conversation
from dissector.traffic import ACK, ENDS, RST, SYN

#: Sequence number, acknowledgement number, IP id, flags that no device changes.  Without an IP id the payload's length,
#: as -1 and less: so two tries of the same segment look alike.
Print = tuple[int, int, int, int]
#: IPv4: length, IP id, TTL, ports, sequence and acknowledgement number, data offset, flags; the same of IPv6.
_IPV4, _IPV6 = Struct("!2xHH2xB11xHHIIBB").unpack_from, Struct("!7xB32xHHIIBB").unpack_from
_TELLING = SYN | RST | ACK
#: Payloads (bytes) that may be told from others.
_LEAST_SAID = 48
#: Senders that tell one place from another.
_MOST_SENDERS = 256
_SEQUENCE_LOW = 7
_ALL_BITS = 8
_new = tuple.__new__
#: Numbers that programs use where systems draw by chance.
_SIMPLE = 1 << 20


class Sighting(NamedTuple):
    """A packet at a place: time (ns), TTL, addresses and ports as a packet has them, what is in front of its IP header,
    its payload's length, and its flags."""

    time: int
    ttl: int
    key: bytes
    link: bytes
    length: int
    flags: int


class Sender(NamedTuple):
    """A host as seen at a place."""

    address: bytes
    ttl: int
    link: bytes


class Sightings:
    """The packets of one source; of very many those with the same bits of their sequence numbers, wherever seen."""

    def __init__(self) -> None:
        self.seen: dict[Print, Sighting] = {}
        #: Seen more than once: good for telling that they came by, not when.
        self.twice: set[Print] = set()
        self.said: dict[tuple[int, int], Sighting | None] = {}
        self.senders: set[Sender] = set()
        self.packets = 0
        #: Of the source, as far as it was looked at.
        self.bytes = 0
        self.first: int | None = None
        self.last: int | None = None
        self._bits = 0
        self._last_sender: tuple[bytes, int, bytes] | None = None

    @property
    def is_whole(self) -> bool:
        """True when nothing was left out."""
        return not self._bits

    def add(self, block: Block) -> None:
        """Takes the plain TCP packets of a block."""
        self.packets += len(block.times)
        self.bytes += block.size
        if block.span is not None:
            first, last = block.span
            self.first = first if self.first is None else min(self.first, first)
            self.last = last if self.last is None else max(self.last, last)
        for conversation in block.conversations:
            self._conversation(block, conversation)
            if len(self.seen) > MAX_SIGHTINGS and self._bits < _ALL_BITS:
                self._thin()

    def _conversation(self, block: Block, conversation: Conversation) -> None:
        """This and ``_packet`` are most of what a first look costs."""
        keys, data, syns = conversation.keys, block.data, set(conversation.syns)
        begins, known_ip = block.begins, block.ip_offset
        size, mask = 20 if len(keys[0]) == 12 else 40, self._mask
        low = size + _SEQUENCE_LOW
        for place in conversation.places:
            index = place >> 1
            at = block.ip(index) if known_ip is None else begins[index] + known_ip
            if index not in syns and (data[at + low] & mask or self._is_full):
                continue
            self._packet(block, index, at, keys[place & 1], size)

    def _packet(self, block: Block, index: int, at: int, key: bytes, size: int) -> None:
        data, ip_id = block.data, 0
        begin, end = block.begins[index], block.ends[index]
        if size == 20:
            length, ip_id, ttl, _, _, seq, ack, offset, flags = _IPV4(data, at)
            end = min(end, at + length)
        else:
            ttl, _, _, seq, ack, offset, flags = _IPV6(data, at)
        link = data[begin:at]
        begin = at + size + (offset >> 4 << 2)
        length = end - begin if end > begin else 0
        if not ip_id:
            if not length and not flags & ENDS:
                return  # an acknowledgement, of which there may be many alike
            ip_id = -1 - length
        known: Print = (seq, ack if flags & ACK else 0, ip_id, flags & _TELLING)
        sighting: Sighting = _new(Sighting, (block.times[index], ttl, key, link, length, flags))
        if known in self.seen:
            self.twice.add(known)
        else:
            self.seen[known] = sighting
        self._sender(key, ttl, link)
        if length >= _LEAST_SAID:
            said = crc32(data[begin:end]), length
            self.said[said] = None if said in self.said else sighting

    def _sender(self, key: bytes, ttl: int, link: bytes) -> None:
        sender = key, ttl, link
        if sender == self._last_sender:
            return
        self._last_sender = sender
        if len(self.senders) < _MOST_SENDERS:
            self.senders.add(Sender(key[: address_size(key)], ttl, link))

    @property
    def _mask(self) -> int:
        return (1 << self._bits) - 1

    @property
    def _is_full(self) -> bool:
        return self._bits == _ALL_BITS and len(self.seen) > 4 * MAX_SIGHTINGS

    def _thin(self) -> None:
        """Keeps half of what opens no connection."""
        self._bits += 1
        self.seen = {known: one for known, one in self.seen.items() if known[3] & SYN or not known[0] & self._mask}
        self.twice &= self.seen.keys()
        if len(self.said) > MAX_SIGHTINGS:
            self.said.clear()


def address_size(key: bytes) -> int:
    """Bytes of each of the two addresses in front of the ports in a packet's key."""
    return (len(key) - 4) // 2


def ends_of(key: bytes) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
    """Address and port of the sender and of the receiver of packets with this key."""
    size = address_size(key)
    return (key[:size], key[-4:-2]), (key[size : 2 * size], key[-2:])


def is_weak(known: Print) -> bool:
    """True for a packet without an IP id."""
    return known[2] < 0


def is_drawn(known: Print) -> bool:
    """True for a packet whose numbers nobody else has by chance: systems draw them, programs count from 0."""
    seq, ack, _, flags = known
    return seq >= _SIMPLE and (not flags & ACK or ack >= _SIMPLE) and not (flags & RST and not ack)
