"""Link types: their names, and where the IP header begins behind each link layer header.

Numbers are those of https://www.tcpdump.org/linktypes.html.
"""

from __future__ import annotations

from struct import Struct

NULL, ETHERNET, LOOP, LINUX_SLL, IPV4, IPV6, LINUX_SLL2 = 0, 1, 108, 113, 228, 229, 276
#: Raw IP has three numbers: LINKTYPE_RAW and what BSD systems write for it.
RAW_IP = frozenset({12, 14, 101})

_NAMES = {
    NULL: "BSD loopback",
    ETHERNET: "Ethernet",
    9: "PPP",
    12: "Raw IP",
    14: "Raw IP",
    50: "PPP with HDLC",
    101: "Raw IP",
    105: "IEEE 802.11",
    LOOP: "OpenBSD loopback",
    LINUX_SLL: "Linux cooked v1",
    127: "IEEE 802.11 with radiotap",
    147: "user-defined (DLT_USER0)",
    187: "Bluetooth",
    220: "USB",
    IPV4: "Raw IPv4",
    IPV6: "Raw IPv6",
    239: "NFLOG",
    252: "Wireshark upper PDU",
    253: "Netlink",
    LINUX_SLL2: "Linux cooked v2",
}
_SUPPORTED = frozenset({NULL, ETHERNET, LOOP, LINUX_SLL, IPV4, IPV6, LINUX_SLL2}) | RAW_IP

_SHORT = Struct("!H")
_ETHERTYPES = frozenset({0x0800, 0x86DD})
#: 802.1Q, 802.1ad, and the number in use before 802.1ad.
_TAGS = frozenset({0x8100, 0x88A8, 0x9100})
#: AF_INET and the values of AF_INET6 (Linux, NetBSD, FreeBSD, Darwin) as either byte order writes them.
_FAMILIES = frozenset(af.to_bytes(4, order) for af in (2, 10, 24, 28, 30) for order in ("big", "little"))


def link_type_name(link_type: int) -> str:
    """Printed name of a link type, ``link type 4711`` for one without a name here."""
    return _NAMES.get(link_type, f"link type {link_type}")


def is_supported(link_type: int) -> bool:
    """True when packets of this link type can be parsed."""
    return link_type in _SUPPORTED


def ip_offset(link_type: int, data: bytes) -> int:
    """Where the IP header begins, or -1 when the packet is no IP.

    Raises struct.error when the packet is shorter than its link layer header.
    """
    if link_type == ETHERNET:
        kind, at = _SHORT.unpack_from(data, 12)[0], 14
    elif link_type == LINUX_SLL:
        kind, at = _SHORT.unpack_from(data, 14)[0], 16
    elif link_type == LINUX_SLL2:
        kind, at = _SHORT.unpack_from(data, 0)[0], 20
    elif link_type in (NULL, LOOP):
        return 4 if data[:4] in _FAMILIES else -1
    else:
        return 0 if link_type in _SUPPORTED else -1
    while kind in _TAGS:
        kind, at = _SHORT.unpack_from(data, at + 2)[0], at + 4
    return at if kind in _ETHERTYPES else -1
