"""Link types: their names, and what their packets begin with.

Numbers are those of https://www.tcpdump.org/linktypes.html.  A link layer is a layer like any other (see ``layers``),
at the beginning of a packet.
"""

from __future__ import annotations

from struct import Struct

from dissector.stream import layers
from dissector.stream.layers import IP, Layer, Step, fixed

NULL, ETHERNET, RAW, LOOP, LINUX_SLL, IPV4, IPV6, LINUX_SLL2 = 0, 1, 101, 108, 113, 228, 229, 276
#: macOS has written the second one, a user's number, for PKTAP.
_PKTAP, _OLD_PKTAP, _PPI = 258, 149, 192

_NAMES = {
    NULL: "BSD loopback",
    ETHERNET: "Ethernet",
    6: "Token Ring",
    9: "PPP",
    10: "FDDI",
    12: "Raw IP",
    14: "Raw IP",
    50: "PPP with HDLC",
    51: "PPPoE",
    100: "ATM with LLC",
    RAW: "Raw IP",
    104: "Cisco HDLC",
    105: "IEEE 802.11",
    LOOP: "OpenBSD loopback",
    109: "OpenBSD enc",
    LINUX_SLL: "Linux cooked v1",
    117: "OpenBSD pflog",
    119: "IEEE 802.11 with Prism header",
    122: "IP over Fibre Channel",
    127: "IEEE 802.11 with radiotap",
    147: "user-defined (DLT_USER0)",
    _OLD_PKTAP: "user-defined (DLT_USER2), PKTAP",
    163: "IEEE 802.11 with AVS header",
    166: "PPP of pppd",
    187: "Bluetooth",
    189: "USB of Linux",
    _PPI: "per-packet information (PPI)",
    195: "IEEE 802.15.4",
    201: "Bluetooth with direction",
    204: "PPP with direction",
    219: "MPLS",
    220: "USB of Linux, padded",
    226: "Solaris ipnet",
    227: "CAN of Linux",
    IPV4: "Raw IPv4",
    IPV6: "Raw IPv6",
    239: "NFLOG",
    249: "USBPcap",
    252: "Wireshark upper PDU",
    253: "Netlink",
    254: "Bluetooth monitor of Linux",
    _PKTAP: "PKTAP",
    274: "Ethernet with preamble",
    LINUX_SLL2: "Linux cooked v2",
    277: "ZigBee",
}

_SHORT = Struct("!H").unpack_from
_LITTLE, _BIG, _LITTLE_SHORT = Struct("<I").unpack_from, Struct(">I").unpack_from, Struct("<H").unpack_from
#: AF_INET and the values of AF_INET6 (Linux, NetBSD, FreeBSD, Darwin, Solaris), as a number and as four bytes.
_FAMILY_NUMBERS = frozenset((2, 10, 24, 26, 28, 30))
_FAMILIES = frozenset(af.to_bytes(4, order) for af in _FAMILY_NUMBERS for order in ("big", "little"))
_NOTHING = Step(layers.NOTHING, 0)
_MOST_TYPE = 0xFFFF
#: In the place of an ethertype in cooked packets: 802.2, and PPP.
_COOKED = {0x0004: layers.LLC, 0x0007: layers.PPP}
#: Attributes have small numbers; in the other byte order these are large.
_NFLOG_PAYLOAD, _NFLOG_KIND, _MOST_NFLOG = 9, 0x7FFF, 0xFF
_SOURCE_ROUTED = 0x80


def family(data: bytes, at: int) -> Step:
    """The family in either byte order; some write the ethertype there."""
    if data[at : at + 4] in _FAMILIES:
        return Step(IP, at + 4)
    (kind,) = _BIG(data, at)
    return Step(kind, at + 4) if layers.LEAST_TYPE <= kind <= _MOST_TYPE else _NOTHING


def cooked(data: bytes, at: int) -> Step:
    (kind,) = _SHORT(data, at + 14)
    return Step(_COOKED.get(kind, kind), at + 16)


def cooked2(data: bytes, at: int) -> Step:
    (kind,) = _SHORT(data, at)
    return Step(_COOKED.get(kind, kind), at + 20)


def _token_ring(data: bytes, at: int) -> Step:
    """The first bit of the source address says that a route follows, with its length in the lower five bits."""
    return Step(layers.LLC, at + 14 + (data[at + 14] & 0x1F if data[at + 8] & _SOURCE_ROUTED else 0))


def _pppd(data: bytes, at: int) -> Step:
    """The address says the direction: 0 in, 1 out."""
    return layers.ppp(data, at + 2 if data[at + 1] == 3 else at)


def _pflog(data: bytes, at: int) -> Step:
    """The first byte is the header's length without its padding, the second one the address family."""
    return Step(IP, at + (data[at] + 3 & ~3)) if data[at + 1] in _FAMILY_NUMBERS else _NOTHING


def _pktap(data: bytes, at: int) -> Step:
    """Apple's header names the link type of what follows it."""
    (size,), (link_type,) = _LITTLE(data, at), _LITTLE(data, at + 8)
    layer = _LAYERS.get(link_type) if link_type not in (_PKTAP, _OLD_PKTAP) else None
    return layer(data, at + size) if layer is not None and size >= 12 else _NOTHING


def _ppi(data: bytes, at: int) -> Step:
    """Its length, and the link type of what follows it."""
    (size,), (link_type,) = _LITTLE_SHORT(data, at + 2), _LITTLE(data, at + 4)
    layer = _LAYERS.get(link_type) if link_type != _PPI else None
    return layer(data, at + size) if layer is not None and size >= 8 else _NOTHING


def _nflog(data: bytes, at: int) -> Step:
    """Attributes in the byte order of the host that captured, up to the one with the packet."""
    if data[at] not in _FAMILY_NUMBERS:
        return _NOTHING
    at += 4
    while True:
        size, kind = Struct("<HH").unpack_from(data, at)
        if kind & _NFLOG_KIND > _MOST_NFLOG:
            size, kind = Struct(">HH").unpack_from(data, at)
        if kind & _NFLOG_KIND == _NFLOG_PAYLOAD:
            return Step(IP, at + 4)
        if size < 4:
            return _NOTHING
        at += size + 3 & ~3


_LAYERS: dict[int, Layer] = {
    NULL: family,
    ETHERNET: layers.frame,
    6: _token_ring,
    9: layers.ppp,
    10: fixed(layers.LLC, 13),
    12: fixed(IP, 0),
    14: fixed(IP, 0),
    50: layers.hdlc,
    51: layers.pppoe,
    100: fixed(layers.LLC, 0),
    RAW: fixed(IP, 0),
    104: layers.cisco_hdlc,
    LOOP: family,
    109: fixed(IP, 12),
    LINUX_SLL: cooked,
    117: _pflog,
    122: fixed(layers.LLC, 16),
    _OLD_PKTAP: _pktap,
    166: _pppd,
    _PPI: _ppi,
    204: fixed(layers.PPP, 1),
    219: layers.mpls,
    226: fixed(IP, 24),
    IPV4: fixed(IP, 0),
    IPV6: fixed(IP, 0),
    239: _nflog,
    _PKTAP: _pktap,
    274: fixed(layers.FRAME, 8),
    LINUX_SLL2: cooked2,
}


def link_type_name(link_type: int) -> str:
    """Printed name of a link type, ``link type 4711`` for one without a name here."""
    return _NAMES.get(link_type, f"link type {link_type}")


def numbered_link_type(link_type: int) -> str:
    """``link type 147 (user-defined (DLT_USER0))``, ``link type 4711``: with the number that others know it by."""
    name = _NAMES.get(link_type)
    return f"link type {link_type}" + (f" ({name})" if name else "")


def is_supported(link_type: int) -> bool:
    """True when packets of this link type can be parsed."""
    return link_type in _LAYERS


def layer_of(link_type: int) -> Layer | None:
    """How the link layer header of a packet is read; None for a link type that can not be read."""
    return _LAYERS.get(link_type)


def first_step(link_type: int, data: bytes) -> Step:
    """What stands behind the link layer header of a packet.

    :raises IndexError, struct.error: the packet is shorter than its header
    """
    layer = _LAYERS.get(link_type)
    return layer(data, 0) if layer is not None else _NOTHING
