"""Captured bytes to TCP segments: link layer, IPv4 and IPv6, TCP, and the ICMP errors that answer TCP.

Sources: RFC 791, 8200, 9293; ``link`` for the link layers.  Everything here is on the hot path: most packets of a
capture belong to somebody else, so the decision that a packet is foreign comes before any object is made.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from struct import Struct

from dissector.stream import icmp
from dissector.stream.link import ETHERNET, ip_offset
from dissector.traffic import ENDS, Fragment, IcmpError, Packet, Segment

_ICMP, _TCP, _ICMP6 = 1, 6, 58
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AH, _DESTINATION, _MOBILITY = 0, 43, 44, 51, 60, 135
_EXTENSIONS = frozenset({_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AH, _DESTINATION, _MOBILITY})

_IPV4 = Struct("!BxHHHBB2x4s4s")
_IPV6 = Struct("!4xHBB16s16s")
_TCP_HEADER = Struct("!HHIIBBH")
_MF_OR_OFFSET = 0x3FFF
_OFFSET = 0x1FFF

Parsed = Segment | IcmpError | Fragment | None


def parse(packet: Packet, on_damaged: Callable[[Packet], object] | None = None) -> Parsed:
    """What a packet means for TCP; None when it is none of it.  Never raises, whatever the bytes.

    A packet whose headers are incomplete or contradict themselves gives None too and is handed to ``on_damaged``.
    """
    link_type, data = packet[2], packet[3]
    try:
        # Plain Ethernet with IPv4 goes straight through: that is nearly every packet.
        at = 14 if link_type == ETHERNET and data[12] == 8 and data[13] == 0 else ip_offset(link_type, data)
        if at < 0:
            return None
        version = data[at] >> 4
        if version == 4:
            return _ipv4(packet, at)
        if version == 6:
            return _ipv6(packet, at)
    except (IndexError, ValueError, struct.error):
        if on_damaged is not None:
            on_damaged(packet)
    return None


def flow_key(packet: Packet) -> bytes | None:
    """Source address, destination address, source port and destination port as the packet has them (12 or 36 bytes).

    This is the cheap look at a packet: None for what begins or ends a connection (SYN, FIN, RST) and for all that is
    not plain TCP without IP options or extension headers, for which ``parse`` has to be asked.
    """
    link_type, data = packet[2], packet[3]
    try:
        at = 14 if link_type == ETHERNET and data[12] == 8 and data[13] == 0 else ip_offset(link_type, data)
        if at < 0:
            return None
        first = data[at]
        if first == 0x45:
            if data[at + 9] == _TCP and not data[at + 33] & ENDS and not data[at + 6] & 0x3F and not data[at + 7]:
                return data[at + 12 : at + 24]
        elif first >> 4 == 6 and data[at + 6] == _TCP and not data[at + 53] & ENDS:
            return data[at + 8 : at + 44]
    except (IndexError, struct.error):
        pass
    return None


def carries_segment(packet: Packet) -> bool:
    """True when ``parse`` gives a Segment; plain packets are told by a few bytes."""
    data = packet[3]
    if packet[2] == ETHERNET and len(data) >= 54 and data[12] == 8 and data[13] == 0 and data[14] == 0x45:
        if data[23] != _TCP:
            return False
        header = data[46] >> 4 << 2
        if not data[20] & 0x3F and not data[21] and 20 <= header <= (data[16] << 8 | data[17]) - 20:
            return True
    return isinstance(parse(packet), Segment)


def _ipv4(packet: Packet, at: int) -> Parsed:
    data = packet[3]
    protocol = data[at + 9]
    if protocol not in (_TCP, _ICMP):
        return None
    version_ihl, total, ip_id, fragment, ttl, _, src, dst = _IPV4.unpack_from(data, at)
    header = (version_ihl & 15) << 2
    if header < 20:
        raise ValueError("IPv4 header length")
    if protocol == _TCP:
        if fragment & _MF_OR_OFFSET:
            return Fragment(packet[0], packet[1], src, dst)
        # Total length 0: the sender left segmentation to the network card, the packet says how long it is.
        end = at + total if total else _wire_end(packet)
        return _tcp(packet, at + header, end, src, dst, ttl, ip_id)
    if fragment & _OFFSET:
        return None
    return _icmp(packet, at + header, 4, src)


def _ipv6(packet: Packet, at: int) -> Parsed:
    data = packet[3]
    length, following, hop_limit, src, dst = _IPV6.unpack_from(data, at)
    end = at + 40 + length if length else _wire_end(packet)
    following, header, fragmented = _skip_extensions(data, at + 40, following)
    if following == _TCP:
        if fragmented:
            return Fragment(packet[0], packet[1], src, dst)
        return _tcp(packet, header, end, src, dst, hop_limit, 0)
    if following == _ICMP6 and not fragmented:
        return _icmp(packet, header, 6, src)
    return None


def _skip_extensions(data: bytes, at: int, following: int) -> tuple[int, int, bool]:
    """(protocol, its offset, True when the packet is a fragment) behind the IPv6 extension headers."""
    while following in _EXTENSIONS:
        kind, following, size = following, data[at], data[at + 1]
        if kind == _FRAGMENT:
            if data[at + 2] or data[at + 3] & 0xF9:
                return following, at + 8, True
            at += 8
        else:
            at += (size + 2) << 2 if kind == _AH else (size + 1) << 3
    return following, at, False


def _wire_end(packet: Packet) -> int:
    return max(packet.wire_length, len(packet.data))


def _tcp(packet: Packet, at: int, end: int, src: bytes, dst: bytes, ttl: int, ip_id: int) -> Segment:
    number, time, _, data, _, _ = packet
    sport, dport, seq, ack, offset, flags, window = _TCP_HEADER.unpack_from(data, at)
    start = at + (offset >> 4 << 2)
    if offset < 0x50 or start > end:
        raise ValueError("TCP header length")
    payload = data[start:end]
    return Segment(number, time, src, sport, dst, dport, seq, ack, flags, window, payload, end - start, ttl, ip_id)


def _icmp(packet: Packet, at: int, version: int, sender: bytes) -> IcmpError | None:
    data = packet.data
    reason = icmp.reason(version, data[at], data[at + 1])
    if reason is None:
        return None
    quote = at + 8
    if version == 4:
        _, _, _, fragment, _, protocol, src, dst = _IPV4.unpack_from(data, quote)
        header, unusable = quote + ((data[quote] & 15) << 2), bool(fragment & _OFFSET)
    else:
        _, protocol, _, src, dst = _IPV6.unpack_from(data, quote)
        protocol, header, unusable = _skip_extensions(data, quote + 40, protocol)
    if protocol != _TCP or unusable or data[quote] >> 4 != version:
        return None
    sport, dport, seq = icmp.TCP_QUOTE.unpack_from(data, header)
    return IcmpError(packet.number, packet.time, sender, reason, src, sport, dst, dport, seq)
