"""IP datagrams put together from their fragments.

Bounded: a datagram takes at most 65,535 bytes (RFC 791, 8200), and of unfinished ones there are at most
``MAX_FRAGMENTED`` for ``FRAGMENT_SECONDS``, and ``MAX_FRAGMENT_BYTES`` of them.  A datagram whose fragments overlap is
dropped, as RFC 5722 wants it of IPv6; a fragment that comes again changes nothing.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from dissector.limits import FRAGMENT_SECONDS, MAX_FRAGMENT_BYTES, MAX_FRAGMENTED
from dissector.stream.ip import UDP
from dissector.stream.layers import Step
from dissector.stream.packets import IP_KINDS, parse, unwrap
from dissector.stream.sequence import TWICE
from dissector.traffic import Fragment, IcmpError, Packet, Segment

_SECOND = 1_000_000_000
_LONGEST = 65_535


class OnUnread(Protocol):
    """Called with a packet that could not be read: in a tunnel of this name, or because its headers are damaged."""

    def __call__(self, packet: Packet, tunnel: str | None = None, /) -> object: ...


_Key = tuple[bytes, bytes, int, int]


@dataclass(slots=True)
class _Datagram:
    """``pieces`` by offset, without overlaps; ``size`` is known from the last fragment."""

    first: Fragment
    pieces: dict[int, bytes] = field(default_factory=dict)
    #: The packets that they came in.
    numbers: list[int] = field(default_factory=list)
    have: int = 0
    size: int | None = None
    damaged: bool = False

    @property
    def is_whole(self) -> bool:
        return self.size is not None and self.have >= self.size

    def joined(self) -> bytes | None:
        """The pieces in order; None, and damaged, where they overlap."""
        end, parts = 0, sorted(self.pieces.items())
        for offset, piece in parts:
            if offset != end:
                self.damaged = True
                return None
            end += len(piece)
        return b"".join(piece for _, piece in parts)


def ignore(_fragment: Fragment) -> None:
    """For who does not ask for datagrams that were never whole."""


class Datagrams:
    """Packets to what they mean for TCP, fragmented ones too.  ``on_lost`` gets the first fragment of each datagram
    that is given up, unless it is one of UDP, which is seldom a tunnel.  ``on_unread`` gets what
    ``packets.parse`` could not read."""

    def __init__(self, on_lost: Callable[[Fragment], object] = ignore, on_unread: OnUnread | None = None) -> None:
        self._on_lost = on_lost
        self._on_unread = on_unread
        #: Unfinished datagrams, the oldest first.
        self._open: OrderedDict[_Key, _Datagram] = OrderedDict()
        self._bytes = 0
        #: Whole ones, and when they were: a fragment may be captured twice.
        self._done: OrderedDict[_Key, int] = OrderedDict()
        #: Packets of the datagram that ``whole`` gave last.
        self.numbers: list[int] = []

    def parse(self, packet: Packet) -> Segment | IcmpError | None:
        """As ``packets.parse``; a datagram is the packet that completed it."""
        return self.whole(packet)[1]

    def whole(self, packet: Packet) -> tuple[Packet | None, Segment | IcmpError | None]:
        """A packet and what it means for TCP; in place of the fragment that completes a datagram a packet with all of
        it, in place of the others nothing."""
        record = parse(packet, self._on_unread, self._on_unread)
        while isinstance(record, Fragment):
            datagram = self._add(packet, record)
            if datagram is None:
                return None, None
            packet, record = datagram, parse(datagram, self._on_unread, self._on_unread)
        return packet, record

    def finish(self) -> None:
        """The capture is over: what is not whole is lost."""
        for key in list(self._open):
            self._lose(key)

    def _add(self, packet: Packet, fragment: Fragment) -> Packet | None:
        """Takes one fragment; a packet with the whole datagram when it was the last one that was missing."""
        key = (fragment.src, fragment.dst, fragment.protocol, fragment.ident)
        datagram = self._open.get(key)
        if datagram is None and fragment.time - self._done.get(key, -TWICE - 1) <= TWICE:
            return None
        if datagram is None:
            datagram = self._open[key] = _Datagram(fragment)
        self._place(datagram, fragment)
        payload = datagram.joined() if datagram.is_whole and not datagram.damaged else None
        if payload is not None:
            self._drop(key)
            self.numbers = datagram.numbers
            self._done[key] = fragment.time
            if len(self._done) > MAX_FRAGMENTED:
                self._done.popitem(last=False)
        self._age(fragment.time)
        return None if payload is None else _packet(packet, datagram.first, payload)

    def _age(self, now: int) -> None:
        while self._open:
            key, datagram = next(iter(self._open.items()))
            is_full = len(self._open) > MAX_FRAGMENTED or self._bytes > MAX_FRAGMENT_BYTES
            if not is_full and now - datagram.first.time < FRAGMENT_SECONDS * _SECOND:
                return
            self._lose(key)

    def _lose(self, key: _Key) -> None:
        first = self._open[key].first
        self._drop(key)
        if first.protocol != UDP:
            self._on_lost(first)

    def _place(self, datagram: _Datagram, fragment: Fragment) -> None:
        offset, payload = fragment.offset, fragment.payload
        end = offset + len(payload)
        known = datagram.pieces.get(offset)
        if known is not None and len(known) == len(payload):
            return
        if not fragment.more:
            datagram.size = end
        if known is not None or end > _LONGEST or fragment.is_cut or (fragment.more and len(payload) % 8):
            datagram.damaged = True
            return
        datagram.pieces[offset] = payload
        datagram.numbers.append(fragment.number)
        datagram.have += len(payload)
        self._bytes += len(payload)

    def _drop(self, key: _Key) -> None:
        self._bytes -= self._open.pop(key).have


def _packet(last: Packet, first: Fragment, payload: bytes) -> Packet | None:
    """The datagram with a plain header behind the link layer header of its last fragment, without tunnels around it."""
    if len(first.src) == 4:
        size = 20 + len(payload)
        if size > _LONGEST:
            return None
        fields = (0x45, 0, size, first.ident & 0xFFFF, 0, first.ttl, first.protocol, 0)
        head = struct.pack("!BBHHHBBH", *fields) + first.src + first.dst
    else:
        head = struct.pack("!IHBB", 6 << 28, len(payload), first.protocol, first.ttl) + first.src + first.dst
    path: list[Step] = []
    unwrap(last, path)
    front = next(step for step in path if step.kind in IP_KINDS).at
    data = last.data[:front] + head + payload
    return last._replace(data=data, wire_length=len(data), key=None)
