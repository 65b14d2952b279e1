"""One packet written anew: other addresses, other payload, and checksums that fit; every length stays.

What may tell addresses besides the header fields is overwritten: IP options, IPv6 extension headers, multipath TCP
options, bytes behind the packet's end.  Sources: RFC 791, 792, 4443, 8200, 9293; ``stream.link`` for the link layers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from struct import Struct

from dissector.share.addresses import AddressMap
from dissector.share.streams import Key
from dissector.stream.ip import (
    AUTHENTICATION,
    DESTINATION,
    EXTENSIONS,
    FRAGMENT,
    HOP_BY_HOP,
    ICMP,
    ROUTING,
    TCP,
    UDP,
    header,
)
from dissector.stream.layers import FRAME, Step
from dissector.stream.link import ETHERNET, IPV4, IPV6, LINUX_SLL, LINUX_SLL2, LOOP, NULL, RAW
from dissector.stream.packets import IP_KINDS, unwrap
from dissector.traffic import Packet

_SHORT = Struct("!H")
_PORTS_AND_SEQ = Struct("!HHI")
_NOP, _PAD = 1, 1
_MULTIPATH = 30

#: Link types whose headers tell nothing but addresses that are rewritten here.
_NAMELESS = frozenset({NULL, ETHERNET, RAW, 12, 14, LOOP, LINUX_SLL, IPV4, IPV6, LINUX_SLL2})

#: (key, sequence number, flags, size) of a segment -> the payload that it is to have.
Payload = Callable[[Key, int, int, int], bytes]


def without_names(packet: Packet) -> Packet:
    """The packet as raw IP where its link layer header may tell names of interfaces, programs or hosts."""
    if packet.link_type in _NAMELESS:
        return packet
    front = next(step for step in _path(packet) if step.kind in IP_KINDS).at
    return packet._replace(link_type=RAW, data=packet.data[front:], wire_length=packet.wire_length - front)


def addresses_of(packet: Packet) -> set[bytes]:
    """The addresses in all IP headers of a packet that ``stream.packets.parse`` reads."""
    found: set[bytes] = set()
    for step in _path(packet):
        head = header(packet.data, step.at, len(packet.data)) if step.kind in IP_KINDS else None
        if head is not None:
            found.update((head.src, head.dst))
    return found


def _path(packet: Packet) -> list[Step]:
    path: list[Step] = []
    unwrap(packet, path)
    return path


def rewritten(packet: Packet, addresses: AddressMap, payload: Payload) -> bytes:
    """The packet's bytes with everything changed that is to be.

    The packet is one that ``stream.packets.parse`` reads, ``without_names``.  Raises struct.error or IndexError where
    it is not.
    """
    data = bytearray(packet.data)
    _link(data, packet.link_type, addresses)
    writer = _Writer(data, addresses, payload)
    # From the inside out: checksums are those of what was changed.
    inner, *outer = reversed(_path(packet))
    writer.ip(inner.at, quoted=False)
    for step in outer:
        if step.kind == FRAME:
            _macs(data, step.at, addresses)
        elif step.kind in IP_KINDS:
            writer.outer(step.at)
    return bytes(data)


def _link(data: bytearray, link_type: int, addresses: AddressMap) -> None:
    if link_type == ETHERNET:
        _macs(data, 0, addresses)
    elif link_type in (LINUX_SLL, LINUX_SLL2):
        start = 6 if link_type == LINUX_SLL else 12
        size = data[5] if link_type == LINUX_SLL else data[11]
        address = bytes(data[start : start + size]) if size <= 8 else b""
        data[start : start + 8] = addresses.mac(address).ljust(8, b"\0") if address else bytes(8)


def _macs(data: bytearray, at: int, addresses: AddressMap) -> None:
    for start in (at, at + 6):
        data[start : start + 6] = addresses.mac(bytes(data[start : start + 6]))


class _Writer:
    """Changes ``data`` in place.  What a quoting ICMP error cut off is missing at its end."""

    def __init__(self, data: bytearray, addresses: AddressMap, payload: Payload) -> None:
        self._data = data
        self._addresses = addresses
        self._payload = payload
        #: Where the outermost packet ends.
        self._limit = len(data)

    def ip(self, at: int, quoted: bool) -> None:
        if self._data[at] >> 4 == 4:
            self._ipv4(at, quoted)
        else:
            self._ipv6(at, quoted)

    def outer(self, at: int) -> None:
        """The IP header of a tunnel, and the checksum of a UDP header behind it; what is inside is written already."""
        data = self._data
        head = header(bytes(data), at, len(data))
        if head is None:
            return
        start = at + 12 if head.version == 4 else at + 8
        data[start : start + 2 * len(head.src)] = self._addresses.ip(head.src) + self._addresses.ip(head.dst)
        if head.version == 4:
            self._header_checksum(at, at + ((data[at] & 15) << 2))
        place = head.payload + 6
        if head.protocol == UDP and data[place : place + 2] != b"\0\0":
            end = min(head.end, len(data))
            self._checksum(place, UDP, head.payload, end, start, len(head.src))

    def _header_checksum(self, at: int, end: int) -> None:
        data = self._data
        data[at + 20 : end] = bytes([_NOP]) * (min(end, len(data)) - at - 20)
        data[at + 10 : at + 12] = b"\0\0"
        _SHORT.pack_into(data, at + 10, checksum(data[at:end]))

    def _checksum(self, place: int, protocol: int, at: int, end: int, ends_at: int, width: int) -> None:
        """Writes the checksum at ``place`` of ``data[at:end]`` and, but for ICMP, the addresses at ``ends_at``."""
        data = self._data
        data[place : place + 2] = b"\0\0"
        pseudo = b""
        if protocol != ICMP:
            pseudo = bytes(data[ends_at : ends_at + 2 * width]) + struct.pack("!II", end - at, protocol)
        _SHORT.pack_into(data, place, checksum(pseudo + data[at:end]))

    def _ipv4(self, at: int, quoted: bool) -> None:
        data = self._data
        size = (data[at] & 15) << 2
        total = _SHORT.unpack_from(data, at + 2)[0]
        end = self._end(at + total if total else 0, quoted)
        old = bytes(data[at + 12 : at + 16]), bytes(data[at + 16 : at + 20])
        data[at + 12 : at + 20] = b"".join(map(self._addresses.ip, old))
        self._header_checksum(at, at + size)
        protocol, inner = data[at + 9], at + size
        if protocol == AUTHENTICATION:
            protocol, inner = self._extensions(protocol, inner)
        self._inner(protocol, inner, end, at + 12, old)

    def _ipv6(self, at: int, quoted: bool) -> None:
        data = self._data
        length = _SHORT.unpack_from(data, at + 4)[0]
        end = self._end(at + 40 + length if length else 0, quoted)
        old = bytes(data[at + 8 : at + 24]), bytes(data[at + 24 : at + 40])
        data[at + 8 : at + 40] = b"".join(map(self._addresses.ip, old))
        following, inner = self._extensions(data[at + 6], at + 40)
        self._inner(following, inner, end, at + 8, old)

    def _end(self, end: int, quoted: bool) -> int:
        """Where the packet ends as far as it is there; what stands behind it (padding, extensions) is wiped out."""
        end = min(end or self._limit, self._limit)
        self._data[end : self._limit] = bytes(self._limit - end)
        if not quoted:
            self._limit = end
        return end

    def _extensions(self, following: int, at: int) -> tuple[int, int]:
        data = self._data
        while following in EXTENSIONS:
            kind, following, units = following, data[at], data[at + 1]
            size = 8 if kind == FRAGMENT else (units + 2) << 2 if kind == AUTHENTICATION else (units + 1) << 3
            if kind in (HOP_BY_HOP, DESTINATION):
                data[at + 2 : at + size] = bytes([_PAD, size - 4 & 0xFF]) + bytes(size - 4)
            elif kind == ROUTING:
                data[at + 3 : at + size] = bytes(size - 3)
            elif kind != FRAGMENT:
                data[at + 4 : at + size] = bytes(size - 4)
            at += size
        return following, at

    def _inner(self, protocol: int, at: int, end: int, ends_at: int, old: tuple[bytes, bytes]) -> None:
        if protocol == TCP:
            self._tcp(at, end, old)
            place = at + 16
        else:
            self.ip(at + 8, quoted=True)
            place = at + 2
        if place + 2 > end:
            return
        self._checksum(place, protocol, at, end, ends_at, len(old[0]))

    def _tcp(self, at: int, end: int, old: tuple[bytes, bytes]) -> None:
        """Of a quoted segment maybe no more is there than ports and sequence number."""
        data = self._data
        sport, dport, seq = _PORTS_AND_SEQ.unpack_from(data, at)
        if end < at + 14:
            return
        start = at + (data[at + 12] >> 4 << 2)
        self._options(at + 20, min(start, end))
        if start < end:
            data[start:end] = self._payload((old[0], sport, old[1], dport), seq, data[at + 13], end - start)

    def _options(self, at: int, end: int) -> None:
        data = self._data
        while at < end and data[at]:
            size = 1 if data[at] == _NOP else data[at + 1] if at + 1 < end else 0
            if not size or (size == 1 and data[at] != _NOP):
                return
            if data[at] == _MULTIPATH:
                data[at : min(at + size, end)] = bytes([_NOP]) * (min(at + size, end) - at)
            at += size


def checksum(data: bytes | bytearray) -> int:
    """The Internet checksum (RFC 1071) of bytes in which its own field is zero."""
    total = int.from_bytes(data + b"\0" * (len(data) % 2), "big") % 0xFFFF
    return 0xFFFF - total if total else 0
