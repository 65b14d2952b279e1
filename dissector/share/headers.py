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
from dissector.stream.link import ETHERNET, LINUX_SLL, LINUX_SLL2, ip_offset
from dissector.traffic import Packet

_ICMP, _TCP, _ICMP6 = 1, 6, 58
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AH, _DESTINATION, _MOBILITY = 0, 43, 44, 51, 60, 135
_EXTENSIONS = frozenset({_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AH, _DESTINATION, _MOBILITY})
_SHORT = Struct("!H")
_PORTS_AND_SEQ = Struct("!HHI")
_NOP, _PAD = 1, 1
_MULTIPATH = 30

#: (key, sequence number, flags, size) of a segment -> the payload that it is to have.
Payload = Callable[[Key, int, int, int], bytes]


def rewritten(packet: Packet, addresses: AddressMap, payload: Payload) -> bytes:
    """The packet's bytes with everything changed that is to be.

    The packet is one that ``stream.packets.parse`` reads.  Raises struct.error or IndexError where it is not.
    """
    data = bytearray(packet.data)
    at = ip_offset(packet.link_type, packet.data)
    _link(data, packet.link_type, addresses)
    _Writer(data, addresses, payload).ip(at, quoted=False)
    return bytes(data)


def _link(data: bytearray, link_type: int, addresses: AddressMap) -> None:
    if link_type == ETHERNET:
        data[0:6], data[6:12] = addresses.mac(bytes(data[0:6])), addresses.mac(bytes(data[6:12]))
    elif link_type in (LINUX_SLL, LINUX_SLL2):
        start = 6 if link_type == LINUX_SLL else 12
        size = data[5] if link_type == LINUX_SLL else data[11]
        address = bytes(data[start : start + size]) if size <= 8 else b""
        data[start : start + 8] = addresses.mac(address).ljust(8, b"\0") if address else bytes(8)


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

    def _ipv4(self, at: int, quoted: bool) -> None:
        data = self._data
        header = (data[at] & 15) << 2
        total = _SHORT.unpack_from(data, at + 2)[0]
        end = self._end(at + total if total else 0, quoted)
        old = bytes(data[at + 12 : at + 16]), bytes(data[at + 16 : at + 20])
        data[at + 12 : at + 20] = b"".join(map(self._addresses.ip, old))
        data[at + 20 : at + header] = bytes([_NOP]) * (min(at + header, len(data)) - at - 20)
        data[at + 10 : at + 12] = b"\0\0"
        _SHORT.pack_into(data, at + 10, checksum(data[at : at + header]))
        self._inner(data[at + 9], at + header, end, at + 12, old)

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
        while following in _EXTENSIONS:
            kind, following, units = following, data[at], data[at + 1]
            size = 8 if kind == _FRAGMENT else (units + 2) << 2 if kind == _AH else (units + 1) << 3
            if kind in (_HOP_BY_HOP, _DESTINATION):
                data[at + 2 : at + size] = bytes([_PAD, size - 4 & 0xFF]) + bytes(size - 4)
            elif kind == _ROUTING:
                data[at + 3 : at + size] = bytes(size - 3)
            elif kind != _FRAGMENT:
                data[at + 4 : at + size] = bytes(size - 4)
            at += size
        return following, at

    def _inner(self, protocol: int, at: int, end: int, ends_at: int, old: tuple[bytes, bytes]) -> None:
        if protocol == _TCP:
            self._tcp(at, end, old)
            place = at + 16
        else:
            self.ip(at + 8, quoted=True)
            place = at + 2
        if place + 2 > end:
            return
        data = self._data
        data[place : place + 2] = b"\0\0"
        pseudo = b""
        if protocol != _ICMP:
            pseudo = bytes(data[ends_at : ends_at + 2 * len(old[0])]) + struct.pack("!II", end - at, protocol)
        _SHORT.pack_into(data, place, checksum(pseudo + data[at:end]))

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
