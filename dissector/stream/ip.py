"""IP headers of both versions, and what tells how a fragment fits its datagram.  Sources: RFC 791, 4302, 8200."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION, SHIM6 = 0, 43, 44, 51, 60, 140
EXTENSIONS = frozenset({HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION, SHIM6})

_IPV4 = Struct("!BxHHHBB2x4s4s").unpack_from
_IPV6 = Struct("!4xHBB16s16s").unpack_from
_FRAGMENT6 = Struct("!HI").unpack_from
_MORE, _OFFSET = 0x2000, 0x1FFF
_new = tuple.__new__  # three times as fast as Header(...)


class Part(NamedTuple):
    """Where a fragment belongs in its datagram, in bytes, and whether others follow; ``ident`` is the datagram's."""

    offset: int
    more: bool
    ident: int


class Header(NamedTuple):
    """An IP header with its options or extensions: ``payload`` is where what ``protocol`` names begins, ``end`` where
    the datagram ends on the wire.  ``ip_id`` is 0 for IPv6.  ``part`` is None unless the packet is a fragment."""

    version: int
    protocol: int
    payload: int
    end: int
    src: bytes
    dst: bytes
    ttl: int
    ip_id: int
    part: Part | None


def header(data: bytes, at: int, wire_end: int) -> Header | None:
    """The IP header at ``at`` of a packet that is ``wire_end`` bytes long on the wire; None for another version.

    :raises ValueError: it contradicts itself
    :raises IndexError, struct.error: it was not captured whole
    """
    version = data[at] >> 4
    if version == 4:
        return _header4(data, at, wire_end)
    return _header6(data, at, wire_end) if version == 6 else None


def _header4(data: bytes, at: int, wire_end: int) -> Header:
    version_ihl, total, ip_id, fragment, ttl, protocol, src, dst = _IPV4(data, at)
    size = (version_ihl & 15) << 2
    if size < 20:
        raise ValueError("IPv4 header length")
    # Total length 0: the sender left segmentation to the network card, the packet says how long it is.
    end = at + total if total else wire_end
    part = None
    if fragment & (_MORE | _OFFSET):
        part = Part((fragment & _OFFSET) << 3, bool(fragment & _MORE), ip_id)
    payload = at + size
    while protocol == AUTHENTICATION and part is None:
        protocol, payload = data[payload], payload + ((data[payload + 1] + 2) << 2)
    found: Header = _new(Header, (4, protocol, payload, end, src, dst, ttl, ip_id, part))
    return found


def _header6(data: bytes, at: int, wire_end: int) -> Header:
    length, following, hop_limit, src, dst = _IPV6(data, at)
    payload, part = at + 40, None
    if following in EXTENSIONS:
        following, payload, part = skip_extensions(data, payload, following)
    end = at + 40 + length if length else wire_end
    found: Header = _new(Header, (6, following, payload, end, src, dst, hop_limit, 0, part))
    return found


def skip_extensions(data: bytes, at: int, following: int) -> tuple[int, int, Part | None]:
    """(protocol, its offset, the part of a fragment) behind the IPv6 extension headers."""
    while following in EXTENSIONS:
        kind, following, size = following, data[at], data[at + 1]
        if kind == FRAGMENT:
            place, ident = _FRAGMENT6(data, at + 2)
            at += 8
            if place & 0xFFF9:
                return following, at, Part(place & 0xFFF8, bool(place & 1), ident)
        else:
            at += (size + 2) << 2 if kind == AUTHENTICATION else (size + 1) << 3
    return following, at, None
