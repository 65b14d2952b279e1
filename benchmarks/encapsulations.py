"""Every encapsulation that a packet may come in: how it is put around an Ethernet frame, for tests and benchmarks
that wrap packets.

``ENCAPSULATIONS`` has for each name the link type, what makes a packet of a plain Ethernet frame, and the names of the
tunnels that are to be told of it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple, TypedDict

from benchmarks.packets import UDP, ethernet, ipv4, ipv6

Wrap = Callable[[bytes], bytes]


class Ends(TypedDict):
    src: str
    dst: str


#: The ends of tunnels.
OUTER: Ends = {"src": "192.0.2.1", "dst": "192.0.2.2"}
OUTER6: Ends = {"src": "2001:db8::1", "dst": "2001:db8::2"}
GRE = 47


class Encapsulation(NamedTuple):
    link_type: int
    wrap: Wrap
    via: tuple[str, ...] = ()


def ip_of(frame: bytes) -> bytes:
    """The IP packet of a plain frame, without padding."""
    ip = frame[14:]
    if ip[0] >> 4 == 4 and (total := int.from_bytes(ip[2:4], "big")):
        return ip[:total]
    return ip


def _type(frame: bytes) -> bytes:
    return frame[12:14]


def _u(number: int, size: int) -> bytes:
    return number.to_bytes(size, "big")


def udp(payload: bytes, port: int) -> bytes:
    return struct.pack(">HHHH", 40_001, port, 8 + len(payload), 0) + payload


def _outer(protocol: int, payload: bytes) -> bytes:
    return ethernet(ipv4(payload, protocol=protocol, **OUTER))


def _outer6(protocol: int, payload: bytes) -> bytes:
    return ethernet(ipv6(payload, following=protocol, **OUTER6), 0x86DD)


def _gre(flags: int, kind: bytes, rest: bytes) -> bytes:
    return _outer(GRE, _u(flags, 2) + kind + rest)


def _tagged(*tags: bytes) -> Wrap:
    return lambda frame: frame[:12] + b"".join(tags) + frame[12:]


def _snap(frame: bytes) -> bytes:
    body = b"\xaa\xaa\x03\0\0\0" + frame[12:]
    return frame[:12] + _u(len(body) if len(body) < 1501 else 1500, 2) + body


def _ppp_kind(frame: bytes) -> bytes:
    return b"\x00\x21" if _type(frame) == b"\x08\0" else b"\x00\x57"


def _family(frame: bytes, order: str) -> bytes:
    return struct.pack(f"{order}I", 2 if _type(frame) == b"\x08\0" else 30)


def vxlan(frame: bytes, port: int = 4789) -> bytes:
    return udp(b"\x08\0\0\0" + _u(42, 3) + b"\0" + frame, port)


def _nflog(frame: bytes) -> bytes:
    ip = ip_of(frame)
    head = struct.pack("<HHI", 8, 5, 2) + struct.pack("<HH", 4 + len(ip), 9)
    return bytes([2 if ip[0] >> 4 == 4 else 10, 0]) + b"\0\x05" + head + ip


def _mpls(*labels: int) -> bytes:
    last = len(labels) - 1
    return b"".join(_u(label << 12 | (index == last) << 8 | 64, 4) for index, label in enumerate(labels))


def _l2tp(frame: bytes) -> bytes:
    """With length and sequence."""
    packet = b"\xff\x03" + _ppp_kind(frame) + ip_of(frame)
    return struct.pack(">HHHHHH", 0x4802, 12 + len(packet), 0, 9, 0, 0) + packet


def _pktap(frame: bytes) -> bytes:
    return struct.pack("<III", 108, 1, 1) + bytes(96) + frame


ENCAPSULATIONS: dict[str, Encapsulation] = {
    "802.1Q": Encapsulation(1, _tagged(b"\x81\0\0\x64")),
    "802.1ad": Encapsulation(1, _tagged(b"\x88\xa8\0\x64", b"\x81\0\0\x65", b"\x91\0\0\x66")),
    "LLC/SNAP": Encapsulation(1, _snap),
    "LLC/SNAP behind a tag": Encapsulation(1, lambda frame: _tagged(b"\x81\0\0\x64")(_snap(frame))),
    "LLC of IP": Encapsulation(1, lambda frame: frame[:12] + _u(1500, 2) + b"\x06\x06\x03" + ip_of(frame)),
    "MPLS": Encapsulation(1, lambda frame: ethernet(_mpls(16, 17) + ip_of(frame), 0x8847), ("mpls 17",)),
    "MPLS pseudowire": Encapsulation(1, lambda frame: ethernet(_mpls(18) + bytes(4) + frame, 0x8847), ("mpls 18",)),
    "PPPoE": Encapsulation(
        1,
        lambda frame: ethernet(b"\x11\0\0\x07" + _u(len(frame) - 12, 2) + _ppp_kind(frame) + ip_of(frame), 0x8864),
        ("pppoe 7",),
    ),
    "802.1ah": Encapsulation(1, lambda frame: ethernet(b"\0\0\0\x05" + frame, 0x88E7)),
    "802.1BR": Encapsulation(1, _tagged(b"\x89\x3f\0\0\0\0\0\0")),
    "VN-tag": Encapsulation(1, _tagged(b"\x89\x26\0\0\0\0")),
    "MPLS pseudowire without control word": Encapsulation(
        1, lambda frame: ethernet(_mpls(18) + b"\0\0\x5e\0\1\7" + frame[6:], 0x8847), ("mpls 18",)
    ),
    "HSR": Encapsulation(1, _tagged(b"\x89\x2f\0\x40\0\x07")),
    "Cisco metadata": Encapsulation(1, _tagged(b"\x89\x09\x01\x01\0\x01\0\x07")),
    "MACsec, signed": Encapsulation(1, lambda frame: _tagged(b"\x88\xe5\x20\0" + bytes(12))(frame) + bytes(16)),
    "TRILL": Encapsulation(1, lambda frame: ethernet(b"\0\x02\0\x01\0\x02" + frame, 0x22F3)),
    "NSH": Encapsulation(1, lambda frame: ethernet(b"\x0f\xc6\x01\x03" + bytes(20) + frame, 0x894F)),
    "jumbo LLC": Encapsulation(1, lambda frame: ethernet(b"\xaa\xaa\x03\0\0\0" + frame[12:], 0x8870)),
    "FabricPath": Encapsulation(1, lambda frame: ethernet(b"\0\x20" + frame, 0x8903)),
    "Linux cooked v1": Encapsulation(113, lambda frame: bytes(6) + frame[6:12] + b"\0\0" + frame[12:]),
    "Linux cooked v2": Encapsulation(276, lambda frame: _type(frame) + bytes(10) + frame[6:12] + b"\0\0" + frame[14:]),
    "raw": Encapsulation(101, ip_of),
    "BSD loopback": Encapsulation(0, lambda frame: _family(frame, "<") + ip_of(frame)),
    "OpenBSD loopback": Encapsulation(108, lambda frame: _family(frame, ">") + ip_of(frame)),
    "OpenBSD pflog": Encapsulation(117, lambda frame: bytes([61, 2]) + bytes(62) + ip_of(frame)),
    "OpenBSD enc": Encapsulation(109, lambda frame: _family(frame, "<") + bytes(8) + ip_of(frame)),
    "PPP": Encapsulation(9, lambda frame: _ppp_kind(frame) + ip_of(frame)),
    "PPP with address": Encapsulation(9, lambda frame: b"\xff\x03" + _ppp_kind(frame) + ip_of(frame)),
    "PPP of one byte": Encapsulation(9, lambda frame: _ppp_kind(frame)[1:] + ip_of(frame)),
    "PPP with HDLC": Encapsulation(50, lambda frame: b"\xff\x03" + _ppp_kind(frame) + ip_of(frame)),
    "PPP of pppd": Encapsulation(166, lambda frame: b"\x01\x03" + _ppp_kind(frame) + ip_of(frame)),
    "PPP with direction": Encapsulation(204, lambda frame: b"\x01\xff\x03" + _ppp_kind(frame) + ip_of(frame)),
    "PPPoE without Ethernet": Encapsulation(
        51, lambda frame: b"\x11\0\0\x07" + _u(len(ip_of(frame)) + 2, 2) + _ppp_kind(frame) + ip_of(frame), ("pppoe 7",)
    ),
    "Cisco HDLC": Encapsulation(104, lambda frame: b"\x0f\0" + frame[12:]),
    "Cisco HDLC as PPP": Encapsulation(50, lambda frame: b"\x8f\0" + frame[12:]),
    "PKTAP": Encapsulation(258, _pktap),
    "PKTAP of macOS": Encapsulation(149, _pktap),
    "PPI": Encapsulation(192, lambda frame: struct.pack("<BBHI", 0, 0, 20, 1) + bytes(12) + frame),
    "Linux cooked v1 with PPP": Encapsulation(
        113, lambda frame: b"\0\0\x02\0" + bytes(10) + b"\0\x07" + _ppp_kind(frame) + ip_of(frame)
    ),
    "BSD loopback with ethertype": Encapsulation(0, lambda frame: b"\0\0" + frame[12:]),
    "NFLOG": Encapsulation(239, _nflog),
    "Solaris ipnet": Encapsulation(226, lambda frame: bytes(24) + ip_of(frame)),
    "ATM with LLC": Encapsulation(100, lambda frame: b"\xaa\xaa\x03\0\0\0" + frame[12:]),
    "FDDI": Encapsulation(10, lambda frame: b"\x50" + frame[:12] + b"\xaa\xaa\x03\0\0\0" + frame[12:]),
    "Token Ring": Encapsulation(6, lambda frame: b"\0\x40" + frame[:12] + b"\xaa\xaa\x03\0\0\0" + frame[12:]),
    "Token Ring with route": Encapsulation(
        6,
        lambda frame: (
            (b"\0\x40" + frame[:6] + bytes([frame[6] | 0x80]) + frame[7:12] + b"\x06\0\0\0\0\0\xaa\xaa\x03\0\0\0")
            + frame[12:]
        ),
    ),
    "IP over Fibre Channel": Encapsulation(122, lambda frame: bytes(16) + b"\xaa\xaa\x03\0\0\0" + frame[12:]),
    "MPLS without Ethernet": Encapsulation(219, lambda frame: _mpls(19) + ip_of(frame), ("mpls 19",)),
    "Ethernet with preamble": Encapsulation(274, lambda frame: b"\x55" * 7 + b"\xd5" + frame),
    "GRE": Encapsulation(1, lambda frame: _gre(0, _type(frame), ip_of(frame)), ("gre",)),
    "GRE with all fields": Encapsulation(
        1, lambda frame: _gre(0xB000, _type(frame), bytes(4) + _u(7, 4) + bytes(4) + ip_of(frame)), ("gre 7",)
    ),
    "GRE with routes": Encapsulation(
        1,
        lambda frame: _gre(0x4000, _type(frame), bytes(4) + b"\x08\0\0\x04\1\2\3\4" + bytes(4) + ip_of(frame)),
        ("gre",),
    ),
    "GRE with Ethernet": Encapsulation(1, lambda frame: _gre(0x2000, b"\x65\x58", _u(8, 4) + frame), ("gre 8",)),
    "GRE of PPTP": Encapsulation(
        1,
        lambda frame: _gre(
            0x3081, b"\x88\x0b", _u(99 << 16 | 9, 4) + bytes(8) + b"\xff\x03" + _ppp_kind(frame) + ip_of(frame)
        ),
        ("pptp 9",),
    ),
    "GRE in IPv6": Encapsulation(1, lambda frame: _outer6(GRE, b"\0\0" + frame[12:14] + ip_of(frame)), ("gre",)),
    "WCCP": Encapsulation(1, lambda frame: _gre(0, b"\x88\x3e", bytes(4) + ip_of(frame)), ("wccp",)),
    "ERSPAN I": Encapsulation(1, lambda frame: _gre(0, b"\x88\xbe", frame), ("erspan",)),
    "ERSPAN II": Encapsulation(
        1, lambda frame: _gre(0x1000, b"\x88\xbe", bytes(4) + b"\x10\x64\x00\x0b" + bytes(4) + frame), ("erspan 11",)
    ),
    "ERSPAN III": Encapsulation(
        1,
        lambda frame: _gre(0x1000, b"\x22\xeb", bytes(4) + b"\x20\x64\x00\x0c" + bytes(8) + frame),
        ("erspan 12",),
    ),
    "ERSPAN III with subheader": Encapsulation(
        1,
        lambda frame: _gre(0x1000, b"\x22\xeb", bytes(4) + b"\x20\x64\x00\x0c" + bytes(7) + b"\x01" + bytes(8) + frame),
        ("erspan 12",),
    ),
    "VXLAN": Encapsulation(1, lambda frame: _outer(UDP, vxlan(frame)), ("vxlan 42",)),
    "VXLAN in IPv6": Encapsulation(1, lambda frame: _outer6(UDP, vxlan(frame)), ("vxlan 42",)),
    "VXLAN-GPE": Encapsulation(
        1, lambda frame: _outer(UDP, udp(b"\x0c\0\0\x03" + _u(43, 3) + b"\0" + frame, 4790)), ("vxlan 43",)
    ),
    "VXLAN-GPE with IP": Encapsulation(
        1,
        lambda frame: _outer(
            UDP,
            udp(b"\x0c\0\0" + (b"\1" if _type(frame) == b"\x08\0" else b"\2") + _u(43, 3) + b"\0" + ip_of(frame), 4790),
        ),
        ("vxlan 43",),
    ),
    "Geneve": Encapsulation(
        1,
        lambda frame: _outer(UDP, udp(b"\x02\0\x65\x58" + _u(5, 3) + b"\0" + bytes(8) + frame, 6081)),
        ("geneve 5",),
    ),
    "Geneve with IP": Encapsulation(
        1, lambda frame: _outer(UDP, udp(b"\0\0" + _type(frame) + _u(6, 3) + b"\0" + ip_of(frame), 6081)), ("geneve 6",)
    ),
    "GTP-U": Encapsulation(
        1,
        lambda frame: _outer(UDP, udp(b"\x30\xff" + _u(len(ip_of(frame)), 2) + _u(4660, 4) + ip_of(frame), 2152)),
        ("gtp 4660",),
    ),
    "GTP-U with extension": Encapsulation(
        1,
        lambda frame: _outer(
            UDP,
            udp(
                b"\x34\xff"
                + _u(len(ip_of(frame)) + 8, 2)
                + _u(4660, 4)
                + b"\0\0\0\x85"
                + b"\x01\x10\x01\0"
                + ip_of(frame),
                2152,
            ),
        ),
        ("gtp 4660",),
    ),
    "GTP-U with Ethernet": Encapsulation(
        1,
        lambda frame: _outer(UDP, udp(b"\x30\xff" + _u(len(frame), 2) + _u(4661, 4) + frame, 2152)),
        ("gtp 4661",),
    ),
    "VXLAN-GPE with NSH": Encapsulation(
        1,
        lambda frame: _outer(
            UDP, udp(b"\x0c\0\0\x04" + _u(43, 3) + b"\0" + b"\x0f\xc2\x02\x03" + bytes(4) + frame, 4790)
        ),
        ("vxlan 43",),
    ),
    "L2TP": Encapsulation(1, lambda frame: _outer(UDP, udp(_l2tp(frame), 1701)), ("l2tp 9",)),
    "LISP": Encapsulation(
        1, lambda frame: _outer(UDP, udp(b"\x88\0\0\0" + _u(3, 3) + b"\0" + ip_of(frame), 4341)), ("lisp 3",)
    ),
    "IP in IP": Encapsulation(
        1,
        lambda frame: _outer(4 if _type(frame) == b"\x08\0" else 41, ip_of(frame)),
        ("ipip",),
    ),
    "IP in IPv6": Encapsulation(1, lambda frame: _outer6(4, ip_of(frame)), ("ipip",)),
    "EtherIP": Encapsulation(1, lambda frame: _outer(97, b"\x30\0" + frame), ("etherip",)),
    "MPLS in IP": Encapsulation(1, lambda frame: _outer(137, _mpls(20) + ip_of(frame)), ("mpls 20",)),
    "MPLS in UDP": Encapsulation(1, lambda frame: _outer(UDP, udp(_mpls(21) + ip_of(frame), 6635)), ("mpls 21",)),
    "IPv4 AH": Encapsulation(
        1, lambda frame: _outer(51, struct.pack(">BBHII", 4, 4, 0, 1, 1) + bytes(12) + ip_of(frame)), ("ipip",)
    ),
    "VXLAN in GRE in MPLS behind a tag": Encapsulation(
        1,
        lambda frame: _tagged(b"\x81\0\0\x64")(
            ethernet(
                _mpls(22) + ipv4(b"\0\0\x08\0" + ipv4(vxlan(frame), protocol=UDP, **OUTER), protocol=GRE, **OUTER),
                0x8847,
            )
        ),
        ("mpls 22", "gre", "vxlan 42"),
    ),
}
