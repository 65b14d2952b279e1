"""Shapes: what the bytes in front of TCP look like, so that a packet of a known shape needs no walk over its layers.

Nearly all packets of a capture have the same layers in front of their IP header: Ethernet, a tag, a tunnel.  The few
bytes of those layers that decide what comes next are compared, all others may be anything; what they are is told by
the first packet of each shape, over whose layers ``unwrap`` walks.  Only layers with an entry in ``_DECIDING`` (or
``layers.fixed`` ones) have shapes; packets with others go the long way, one by one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import cache
from struct import Struct
from typing import NamedTuple

from dissector.stream import ip, layers, link, tunnels
from dissector.stream.block import Buffer
from dissector.stream.layers import Layer, Step
from dissector.stream.packets import IP_KINDS, unwrap
from dissector.traffic import Packet

#: What a look at a packet gives: the bytes that decide, the length and the fragment field of its IP header, protocol,
#: addresses and ports, and TCP's offset and flags.
Look = tuple[bytes, bytes, bytes, int, bytes, int, int]

#: ``struct`` fields behind the first byte of an IP header without options or extensions.
_FIELDS = {4: "x2s2x2sxB2x12s8xBB", 6: "3x2s0sBx36s8xBB"}
_IP_SIZE = {4: 20, 6: 40}
_TCP_SIZE = 20


def _least(before: int) -> list[bytes]:
    """TCP's offset byte -> the least length, as the IP header has it, that has room for so long a header; ``before``
    bytes of it are the IP header's own."""
    return [(before + (byte >> 4 << 2)).to_bytes(2, "big") if byte >= 0x50 else b"\xff" * 3 for byte in range(256)]


_LEAST = {4: _least(20), 6: _least(0)}


class Shape(NamedTuple):
    """``ip``: where the IP header begins, in a tunnel if ``tunnelled``.  ``fields`` for ``struct`` give a ``Look``: a
    packet of the shape has its first item in ``heads`` and is at least ``shortest`` bytes long."""

    ip: int
    version: int
    fields: str
    heads: Container[bytes]
    tunnelled: bool = False

    @property
    def shortest(self) -> int:
        return self.ip + _IP_SIZE[self.version] + _TCP_SIZE

    @property
    def least(self) -> list[bytes]:
        return _LEAST[self.version]

    @property
    def look(self) -> Callable[[Buffer, int], Look]:
        return _look(self.fields)


@dataclass(frozen=True, slots=True)
class _Masked(Container[bytes]):
    """All bytes that agree with ``value`` where ``mask`` has bits."""

    mask: int
    value: int

    def __contains__(self, head: object) -> bool:
        return isinstance(head, bytes) and int.from_bytes(head, "big") & self.mask == self.value


def _fields(begin: int, size: int, version: int) -> str:
    """Those of a shape whose deciding bytes are ``size`` from ``begin`` on, the last one its IP header's first."""
    return f"{begin}x{size}s{_FIELDS[version]}"


#: Ethernet with IPv4, before anything is known.
PLAIN = Shape(14, 4, _fields(12, 3, 4), frozenset({b"\x08\x00\x45"}))


def shape_of(packet: Packet) -> Shape | None:
    """The shape of a packet; None where a layer has none, or the headers say nothing."""
    path: list[Step] = []
    try:
        head, via = unwrap(packet, path)
        if head is None or path[-1].kind not in IP_KINDS:
            return None
        mask = _mask(packet, path)
    except (IndexError, ValueError, struct.error):
        return None
    at = path[-1].at
    first = packet.data[at]
    if mask is None or (first != 0x45 and first >> 4 != 6):
        return None
    version = first >> 4
    mask += b"\xff" if version == 4 else b"\xf0"
    begin = next(place for place, bits in enumerate(mask) if bits)
    window = packet.data[begin : at + 1]
    return Shape(at, version, _fields(begin, len(window), version), _heads(window, mask[begin:]), bool(via))


def _heads(window: bytes, mask: bytes) -> Container[bytes]:
    """All windows that are like this one where the mask has bits."""
    if set(mask[:-1]) <= {0xFF}:
        free = 0xFF & ~mask[-1]
        return frozenset(window[:-1] + bytes((window[-1] & mask[-1] | bits,)) for bits in range(free + 1))
    bits = int.from_bytes(mask, "big")
    return _Masked(bits, int.from_bytes(window, "big") & bits)


@cache
def _look(fields: str) -> Callable[[Buffer, int], Look]:
    return Struct(">" + fields).unpack_from


# --- which bytes decide --------------------------------------------------------------------------------------------


def _type_behind(size: int) -> Callable[[bytes, int], bytes | None]:
    """A type behind so many bytes; where it is a length, every packet has its own."""
    mask = bytes(size) + b"\xff\xff"
    return lambda data, at: mask if data[at + size] >= 6 else None


def _llc(data: bytes, at: int) -> bytes:
    return b"\xff" * (8 if data[at] == 0xAA else 3)


def _ppp(data: bytes, at: int) -> bytes:
    size = 2 if data[at] == 0xFF else 0
    return b"\xff" * (size + (1 if data[at + size] & 1 else 2))


def _pppoe(_data: bytes, _at: int) -> bytes:
    return b"\xff\xff" + bytes(4)


def _mpls(data: bytes, at: int) -> bytes | None:
    """The bottom of the stack, and the first half byte behind it; of a frame what tells of a control word."""
    labels = 1
    while not data[at + 4 * labels - 2] & 1:
        labels += 1
    behind = at + 4 * labels
    if data[behind] >> 4 == 1:
        return None
    is_frame, is_zero = data[behind] >> 4 not in (4, 6), data[behind : behind + 2] == b"\0\0"
    return b"\0\0\1\0" * labels + (b"\xff\xff" if is_frame else b"\xf0") + (bytes(10) + b"\xff\xff" if is_zero else b"")


def _gre(data: bytes, at: int) -> bytes | None:
    """Flags and kind, and the version of ERSPAN; some kinds look further."""
    flags, kind = data[at], data[at + 2 : at + 4]
    if kind in _LOOK_FURTHER or flags & 0x40:
        return None
    if kind != b"\x88\xbe" or not flags & 0x10:
        return b"\xff" * 4
    options = 4 * sum(flags & bit != 0 for bit in (0x80, 0x20, 0x10))
    return None if data[at + 4 + options] >> 4 == 2 else b"\xff" * 4 + bytes(options) + b"\xf0"


_LOOK_FURTHER = (b"\x88\x3e", b"\x22\xeb")

#: Of a layer that begins at a place, the bits that decide what comes next and where.
_DECIDING: dict[Layer, Callable[[bytes, int], bytes | None]] = {
    layers.frame: _type_behind(12),
    layers.tag: _type_behind(2),
    layers.vn_tag: _type_behind(4),
    layers.e_tag: _type_behind(6),
    layers.llc: _llc,
    layers.ppp: _ppp,
    layers.pppoe: _pppoe,
    layers.cisco_hdlc: lambda _data, _at: b"\xff" * 4,
    layers.mpls: _mpls,
    tunnels.gre: _gre,
    tunnels.vxlan: lambda _data, _at: b"",
    tunnels.vxlan_gpe: lambda _data, _at: b"\x0c\0\0\xff",
    tunnels.geneve: lambda _data, _at: b"\xff\0\xff\xff",
    link.family: lambda _data, _at: b"\xff" * 4,
    link.cooked: lambda _data, _at: bytes(14) + b"\xff\xff",
    link.cooked2: lambda _data, _at: b"\xff\xff",
}
#: IPv4: version and header length, the fragment field but for "don't fragment", protocol.
_IPV4 = b"\xff" + bytes(5) + b"\x3f\xff\0\xff"
_IPV6 = b"\xf0" + bytes(5) + b"\xff"


def _mask(packet: Packet, path: list[Step]) -> bytes | None:
    """The bits in front of the innermost IP header that decide where it is; None where a layer has no entry."""
    data, mask = packet.data, bytearray(path[-1].at)
    places = [0, *(step.at for step in path)]
    found = [link.layer_of(packet.link_type), *(layers.LAYERS.get(step.kind) for step in path[:-1])]
    for at, layer, kind in zip(places, found, [0, *(step.kind for step in path)], strict=False):
        bits = _ip(data, at) if kind in IP_KINDS else _bits(layer, data, at)
        if bits is None:
            return None
        for place, bit in enumerate(bits, at):
            if place < len(mask):
                mask[place] |= bit
    return bytes(mask)


def _bits(layer: Layer | None, data: bytes, at: int) -> bytes | None:
    deciding = _DECIDING.get(layer) if layer is not None else None
    if deciding is not None:
        return deciding(data, at)
    return b"" if layer in layers.FIXED else None


def _ip(data: bytes, at: int) -> bytes | None:
    """Of an IP header in front of a tunnel, and the tunnel itself."""
    version, protocol = data[at] >> 4, data[at + 9] if data[at] >> 4 == 4 else data[at + 6]
    size = (data[at] & 15) << 2 if version == 4 else 40
    mask = (_IPV4 if version == 4 else _IPV6).ljust(size, b"\0")
    if (version == 6 and protocol in ip.EXTENSIONS) or protocol == ip.AUTHENTICATION:
        return None
    payload = at + size
    if protocol == ip.UDP:
        target = int.from_bytes(data[payload + 2 : payload + 4], "big")
        layer = tunnels.BY_PORT.get(target)
        if layer is None:  # the source port decides: that is seldom
            return None
        tunnel = _bits(layer, data, payload + 8)
        return None if tunnel is None else mask + b"\0\0\xff\xff\0\0\0\0" + tunnel
    tunnel = _bits(tunnels.BY_PROTOCOL.get(protocol), data, payload)
    return None if tunnel is None else mask + tunnel
