"""Captured bytes to TCP segments: link layers and tunnels, IPv4 and IPv6, TCP, and the ICMP errors that answer TCP.

A packet is a walk over its layers down to the innermost IP header.  Sources: RFC 768, 9293; ``link``, ``layers`` and
``ip`` for what is in front of TCP.  Plain packets do not come here (see ``prefilter`` and ``fast_path``).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from struct import Struct

from dissector.limits import MAX_LAYERS
from dissector.stream import icmp, ip, layers, tunnels
from dissector.stream.layers import Step
from dissector.stream.link import first_step
from dissector.stream.options import segment_size
from dissector.traffic import SYN, Fragment, IcmpError, Packet, Segment, Via

_TCP_HEADER = Struct("!HHIIBBH").unpack_from
_PORTS = Struct("!HH").unpack_from
#: What a walk over layers ends at.
IP_KINDS = frozenset({layers.IP, layers.IPV4, layers.IPV6})
#: Protocols whose fragments are of interest: TCP, tunnels, and headers that may be in front of them.
CARRIERS = frozenset({ip.TCP, ip.UDP, *ip.EXTENSIONS, *tunnels.BY_PROTOCOL}) - tunnels.SEALED_PROTOCOLS.keys()

_new = tuple.__new__  # three times as fast as Segment(...)

Parsed = Segment | IcmpError | Fragment | None
#: Called with a packet whose headers are damaged, or with one and the name of the tunnel that it can not be read in.
OnDamaged = Callable[[Packet], object]
OnSealed = Callable[[Packet, str], object]


def parse(packet: Packet, on_damaged: OnDamaged | None = None, on_sealed: OnSealed | None = None) -> Parsed:
    """What a packet means for TCP; None when it is none of it.  Never raises, whatever the bytes.

    A packet whose headers are incomplete or contradict themselves gives None too and is handed to ``on_damaged``; so is
    one in a tunnel that can not be read to ``on_sealed``.
    """
    try:
        head, via = unwrap(packet)
        if head is None:
            if via and on_sealed is not None and via[-1].kind in layers.SEALED:
                on_sealed(packet, via[-1].kind)
            return None
        if head.part is not None:
            return _fragment(packet, head, via)
        if head.protocol == ip.TCP:
            return _tcp(packet, head, via)
        if head.protocol == (ip.ICMP if head.version == 4 else ip.ICMP6):
            return _icmp(packet, head)
    except (IndexError, ValueError, struct.error):
        if on_damaged is not None:
            on_damaged(packet)
    return None


def unwrap(packet: Packet, path: list[Step] | None = None) -> tuple[ip.Header | None, tuple[Via, ...]]:
    """The innermost IP header of a packet (None: there is none), and the tunnels around it; ``path`` gets all layers
    behind the link layer header with their places.

    :raises ValueError, IndexError, struct.error: a header contradicts itself, or was not captured whole
    """
    data = packet[3]
    step = first_step(packet[2], data)
    head: ip.Header | None = None
    via: tuple[Via, ...] = ()
    for _ in range(MAX_LAYERS):
        kind, at, tunnel = step
        if path is not None:
            path.append(step)
        if tunnel is not None:
            via = (*via, tunnel)
        if kind in IP_KINDS:
            head = ip.header(data, at, max(packet[4], len(data)))
            if head is None or head.protocol == ip.TCP or head.part is not None:
                break
            layer, at = _tunnel(data, head), head.payload
        else:
            head, layer = None, layers.LAYERS.get(kind)
        if layer is None:
            break
        step = layer(data, at)
    return head, via


def _tunnel(data: bytes, head: ip.Header) -> layers.Layer | None:
    """What the payload of an IP header is, if it is a tunnel."""
    if head.protocol != ip.UDP:
        return tunnels.BY_PROTOCOL.get(head.protocol)
    source, target = _PORTS(data, head.payload)
    layer = tunnels.BY_PORT.get(target) or tunnels.BY_PORT.get(source)
    return None if layer is None else lambda data, at: layer(data, at + 8)


def carries_segment(packet: Packet) -> bool:
    """True when ``parse`` gives a Segment, or TCP's header was cut off."""
    return isinstance(parse(packet), Segment) or (len(packet[3]) < packet[4] and _is_cut_in_tcp(packet))


def _is_cut_in_tcp(packet: Packet) -> bool:
    """True when the snap length cut the packet off inside of its TCP header."""
    try:
        head, _ = unwrap(packet)
    except (IndexError, ValueError, struct.error):
        return False
    return head is not None and head.protocol == ip.TCP and head.part is None and len(packet[3]) < head.payload + 20


def _tcp(packet: Packet, head: ip.Header, via: tuple[Via, ...]) -> Segment:
    number, time, _, data = packet[:4]
    _, _, at, end, src, dst, ttl, ip_id, _ = head
    sport, dport, seq, ack, offset, flags, window = _TCP_HEADER(data, at)
    start = at + (offset >> 4 << 2)
    if offset < 0x50 or start > end:
        raise ValueError("TCP header length")
    payload = data[start:end]
    length = end - start
    mss = segment_size(data, at + 20, start) if flags & SYN else None
    fields = (number, time, src, sport, dst, dport, seq, ack, flags, window, payload, length, ttl, ip_id, via, mss)
    segment: Segment = _new(Segment, fields)
    return segment


def _fragment(packet: Packet, head: ip.Header, via: tuple[Via, ...]) -> Fragment | None:
    part = head.part
    if part is None or head.protocol not in CARRIERS:
        return None
    payload = packet.data[head.payload : head.end]
    is_cut = len(payload) < head.end - head.payload
    return Fragment(
        packet.number,
        packet.time,
        head.src,
        head.dst,
        head.protocol,
        part.ident,
        part.offset,
        part.more,
        head.ttl,
        payload,
        is_cut,
        via,
    )


def _icmp(packet: Packet, head: ip.Header) -> IcmpError | None:
    data, at = packet.data, head.payload
    reason = icmp.reason(head.version, data[at], data[at + 1])
    if reason is None:
        return None
    quoted = ip.header(data, at + 8, len(data))
    if quoted is None or quoted.version != head.version or quoted.protocol != ip.TCP:
        return None
    if quoted.part is not None and quoted.part.offset:
        return None
    sport, dport, seq = icmp.TCP_QUOTE.unpack_from(data, quoted.payload)
    return IcmpError(packet.number, packet.time, head.src, reason, quoted.src, sport, quoted.dst, dport, seq)
