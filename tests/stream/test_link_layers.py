"""Each layer from its bytes: what comes next, where, and which tunnel it is; and the same with one bit that matters
less or more."""

from __future__ import annotations

import struct

import pytest
from builders import ethernet, ipv4, packet, tcp

from dissector.stream import layers, tunnels
from dissector.stream.layers import FRAME, IP, LLC, NOTHING, PPP, Step
from dissector.stream.link import is_supported, link_type_name
from dissector.stream.packets import carries_segment, parse
from dissector.stream.prefilter import may_carry
from dissector.traffic import Segment, Via

MACS = bytes(12)
AT = 3  # of every layer under test: something else is in front of it
NET = 0x012345


def h(*values: int) -> bytes:
    """Half words."""
    return struct.pack(f">{len(values)}H", *values)


def w(*values: int) -> bytes:
    """Words."""
    return struct.pack(f">{len(values)}I", *values)


@pytest.mark.parametrize(
    ("layer", "data", "kind", "size", "via"),
    [
        ("frame", MACS + h(0x0800), 0x0800, 14, None),
        ("frame", MACS + h(0x0600), 0x0600, 14, None),
        ("frame", MACS + h(0x05FF), LLC, 14, None),
        ("tag", h(5, 0x86DD), 0x86DD, 4, None),
        ("tag", h(5, 0x0600), 0x0600, 4, None),
        ("tag", h(5, 0x05FF), LLC, 4, None),
        ("vn_tag", h(1, 2, 0x0800), 0x0800, 6, None),
        ("vn_tag", h(1, 2, 0x0600), 0x0600, 6, None),
        ("vn_tag", h(1, 2, 0x05FF), LLC, 6, None),
        ("e_tag", h(1, 2, 3, 0x0800), 0x0800, 8, None),
        ("llc", b"\x06\x06\x03", IP, 3, None),
        ("llc", b"\x06\x06\x13", NOTHING, 0, None),
        ("llc", b"\xaa\xaa\x03\0\0\0" + h(0x0800), 0x0800, 8, None),
        ("llc", b"\xaa\xaa\x03\0\0\xf8" + h(0x0800), 0x0800, 8, None),
        ("llc", b"\xaa\xaa\x03\0\0\xf9" + h(0x0800), NOTHING, 8, None),
        ("llc", b"\xaa\xaa\x03\0\x80\xc2" + h(1), FRAME, 10, None),
        ("llc", b"\xaa\xaa\x03\0\x80\xc2" + h(7), FRAME, 10, None),
        ("llc", b"\xaa\xaa\x03\0\x80\xc2" + h(2), NOTHING, 8, None),
        ("llc", b"\xaa\xaa\x03\0\0\0" + h(1), 1, 8, None),
        ("mpls", w(77 << 12 | 0x1FF) + b"\x45", IP, 4, Via("mpls", 77)),
        ("mpls", w(9 << 12, 8 << 12 | 0xEFF, 77 << 12 | 0x100) + b"\x60", IP, 12, Via("mpls", 77)),
        ("mpls", w(77 << 12 | 0x100, 1) + bytes(10), FRAME, 8, Via("mpls", 77)),
        ("mpls", w(77 << 12 | 0x100, 0x10000) + bytes(10), FRAME, 4, Via("mpls", 77)),
        ("mpls", w(77 << 12 | 0x100, 0) + bytes(8) + h(0x0800), FRAME, 4, Via("mpls", 77)),
        ("mpls", w(77 << 12 | 0x100, 0) + bytes(8) + h(0x0801), FRAME, 8, Via("mpls", 77)),
        ("mpls", w(77 << 12 | 0x100) + b"\x10\0\0\0", NOTHING, 8, Via("mpls", 77)),
        ("mpls", w(77 << 12 | 0x100) + b"\x10\0\0\x21", 0x0800, 8, Via("mpls", 77)),
        ("mpls", w(77 << 12 | 0x100) + b"\x1f\0\0\x57", 0x86DD, 8, Via("mpls", 77)),
        ("mpls", w(77 << 12 | 0x100) + b"\x50", FRAME, 4, Via("mpls", 77)),
        ("ppp", b"\xff\x03\x00\x21", layers.IPV4, 4, None),
        ("ppp", b"\x00\x21", layers.IPV4, 2, None),
        ("ppp", b"\x21\x00", layers.IPV4, 1, None),
        ("ppp", b"\xff\x03\x57", layers.IPV6, 3, None),
        ("ppp", b"\x02\x81", 0x8847, 2, None),
        ("ppp", b"\x02\x83", 0x8848, 2, None),
        ("ppp", b"\xc0\x21", NOTHING, 2, None),
        ("ppp", b"\x05\x21", NOTHING, 1, None),
        ("ppp", b"\xff\x04\x00\x21", NOTHING, 1, None),
        ("pppoe", b"\x11\x00" + h(9, 4), PPP, 6, Via("pppoe", 9)),
        ("pppoe", b"\x11\x09" + h(9, 4), NOTHING, 0, None),
        ("pppoe", b"\x21\x00" + h(9, 4), NOTHING, 0, None),
        ("hdlc", b"\x0f\x00\x08\x00", 0x0800, 4, None),
        ("hdlc", b"\x8f\x00\x86\xdd", 0x86DD, 4, None),
        ("hdlc", b"\xff\x03\x00\x21", layers.IPV4, 4, None),
        ("gre", h(0, 0x0800), 0x0800, 4, Via("gre", None)),
        ("gre", h(0x8000, 0x0800, 1, 2), 0x0800, 8, Via("gre", None)),
        ("gre", h(0x2000, 0x0800) + w(7), 0x0800, 8, Via("gre", 7)),
        ("gre", h(0x1000, 0x0800) + w(7), 0x0800, 8, Via("gre", None)),
        ("gre", h(0xB000, 0x86DD) + w(1, 7, 9), 0x86DD, 16, Via("gre", 7)),
        ("gre", h(0x0800, 0x0800), 0x0800, 4, Via("gre", None)),
        ("gre", h(0, 0x6558), FRAME, 4, Via("gre", None)),
        ("gre", h(0x4000, 0x0800) + w(1, 0x0800_0004, 9, 0), 0x0800, 20, Via("gre", None)),
        ("gre", h(0x6000, 0x0800) + w(1, 7, 0), 0x0800, 16, Via("gre", 7)),
        ("gre", h(0x0002, 0x0800), NOTHING, 4, None),
        ("gre", h(0x0001, 0x0800), NOTHING, 4, None),
        ("gre", h(0x3081, 0x880B) + w(0x0010_0007, 1, 2), PPP, 16, Via("pptp", 7)),
        ("gre", h(0x3001, 0x880B) + w(0x0010_0007, 1), PPP, 12, Via("pptp", 7)),
        ("gre", h(0x0001, 0x880B), PPP, 4, Via("pptp", None)),
        ("gre", h(0, 0x880B), 0x880B, 4, Via("gre", None)),
        ("gre", h(0, 0x883E) + b"\x45", IP, 4, Via("wccp", None)),
        ("gre", h(0, 0x883E) + b"\x00", IP, 8, Via("wccp", None)),
        ("gre", h(0, 0x88BE), FRAME, 4, Via("erspan", None)),
        ("gre", h(0x1000, 0x88BE) + w(1) + h(0x1005, 0xFC07) + w(0), FRAME, 16, Via("erspan", 7)),
        ("gre", h(0x1000, 0x88BE) + w(1) + h(0x2005, 0xFC07, 0, 0, 0, 0x8000), FRAME, 20, Via("erspan", 7)),
        ("gre", h(0, 0x22EB) + h(0x1005, 0xFC07, 0, 0), FRAME, 12, Via("erspan", 7)),
        ("gre", h(0, 0x22EB) + h(0x2005, 0xFC07, 0, 0, 0, 0x8000), FRAME, 16, Via("erspan", 7)),
        ("gre", h(0, 0x22EB) + h(0x2005, 0xFC07, 0, 0, 0, 0x8001), FRAME, 24, Via("erspan", 7)),
        ("gre", h(0, 0x22EB) + h(0x2005, 0xFC07, 0, 0, 0, 2 << 10), IP, 16, Via("erspan", 7)),
        ("gre", h(0, 0x22EB) + h(0x2005, 0xFC07, 0, 0, 0, 1 << 10), NOTHING, 16, Via("erspan", 7)),
        ("gre", h(0, 0x22EB) + h(0x2005, 0xFC07, 0, 0, 0, 16 << 10), NOTHING, 16, Via("erspan", 7)),
        ("hsr", h(0x0034, 1, 0x0800), 0x0800, 6, None),
        ("cisco_metadata", h(0x0101, 1, 7, 0x0800), 0x0800, 8, None),
        ("cisco_metadata", h(0x0102, 1, 7, 1, 8, 0x86DD), 0x86DD, 12, None),
        ("trill", h(0x0002, 1, 2), FRAME, 6, None),
        ("trill", h(0x0042, 1, 2), FRAME, 10, None),
        ("trill", h(0x07FF, 1, 2), FRAME, 6 + 31 * 4, None),
        ("macsec", h(0x0000, 0, 1, 0x0800), 0x0800, 8, None),
        ("macsec", h(0x2000, 0, 1, 0, 0, 0, 0, 0x0800), 0x0800, 16, None),
        ("macsec", h(0x0800, 0, 1, 0x0800), NOTHING, 0, Via("MACsec", None)),
        ("macsec", h(0x0400, 0, 1, 0x0800), NOTHING, 0, Via("MACsec", None)),
        ("nsh", h(0x0FC6, 0x0101, 0, 1), 0x0800, 24, None),
        ("nsh", h(0x0FC2, 0x0203, 0, 1), FRAME, 8, None),
        ("nsh", h(0x0FC2, 0x0202, 0, 1), 0x86DD, 8, None),
        ("nsh", h(0x0FC2, 0x0205, 0, 1), 0x8847, 8, None),
        ("nsh", h(0x0FC2, 0x0204, 0, 1), NOTHING, 8, None),
        ("vxlan", b"\x08\0\0\0" + w(NET << 8 | 0xFF), FRAME, 8, Via("vxlan", NET)),
        ("vxlan", b"\x88\0\0\0" + w(NET << 8), FRAME, 8, Via("vxlan", NET)),
        ("vxlan", b"\x00\0\0\0" + w(NET << 8), FRAME, 8, Via("vxlan", NET)),
        ("vxlan_gpe", b"\x0c\0\0\1" + w(NET << 8), layers.IPV4, 8, Via("vxlan", NET)),
        ("vxlan_gpe", b"\x0c\0\0\2" + w(NET << 8), layers.IPV6, 8, Via("vxlan", NET)),
        ("vxlan_gpe", b"\x0c\0\0\3" + w(NET << 8), FRAME, 8, Via("vxlan", NET)),
        ("vxlan_gpe", b"\x0c\0\0\5" + w(NET << 8), 0x8847, 8, Via("vxlan", NET)),
        ("vxlan_gpe", b"\x0c\0\0\4" + w(NET << 8), 0x894F, 8, Via("vxlan", NET)),
        ("vxlan_gpe", b"\x0c\0\0\6" + w(NET << 8), NOTHING, 8, Via("vxlan", NET)),
        ("vxlan_gpe", b"\x08\0\0\1" + w(NET << 8), FRAME, 8, Via("vxlan", NET)),
        ("vxlan_gpe", b"\xf7\0\0\1" + w(NET << 8), NOTHING, 0, None),
        ("geneve", b"\x00\x00\x65\x58" + w(NET << 8 | 0xFF), FRAME, 8, Via("geneve", NET)),
        ("geneve", b"\x3f\x00\x08\x00" + w(NET << 8), 0x0800, 8 + 63 * 4, Via("geneve", NET)),
        ("geneve", b"\x40\x00\x08\x00" + w(NET << 8), NOTHING, 0, None),
        ("geneve", b"\x80\x00\x08\x00" + w(NET << 8), NOTHING, 0, None),
        ("gtp", b"\x30\xff\0\0" + w(7) + b"\x45" + bytes(13), IP, 8, Via("gtp", 7)),
        ("gtp", b"\x31\xff\0\0" + w(7, 1) + b"\x45" + bytes(13), IP, 12, Via("gtp", 7)),
        ("gtp", b"\x32\xff\0\0" + w(7, 1) + b"\x45" + bytes(13), IP, 12, Via("gtp", 7)),
        ("gtp", b"\x38\xff\0\0" + w(7) + b"\x45" + bytes(13), IP, 8, Via("gtp", 7)),
        ("gtp", b"\x34\xff\0\0" + w(7, 0x85) + b"\x01\0\0\0" + b"\x45" + bytes(13), IP, 16, Via("gtp", 7)),
        (
            "gtp",
            b"\x34\xff\0\0" + w(7, 0x85) + b"\x02\0\0\0\0\0\0\x20\x01\0\0\0" + b"\x45" + bytes(13),
            IP,
            24,
            Via("gtp", 7),
        ),
        ("gtp", b"\x34\xff\0\0" + w(7, 0x85) + b"\x00\0\0\0", NOTHING, 0, None),
        ("gtp", b"\x20\xff\0\0" + w(7), NOTHING, 0, None),
        ("gtp", b"\x30\x01\0\0" + w(7), NOTHING, 0, None),
        ("gtp", b"\x30\xff\0\0" + w(7) + b"\x60" + bytes(13), IP, 8, Via("gtp", 7)),
        ("gtp", b"\x30\xff\0\x14" + w(7) + b"\x46\0\0\x14" + bytes(8) + h(0x0800), IP, 8, Via("gtp", 7)),
        ("gtp", b"\x30\xff\0\x14" + w(7) + b"\x46\0\0\x15" + bytes(8) + h(0x0800), FRAME, 8, Via("gtp", 7)),
        ("gtp", b"\x30\xff\0\x2a" + w(7) + b"\x6a\0\0\0\0\2" + bytes(6) + h(0x86DD), IP, 8, Via("gtp", 7)),
        ("gtp", b"\x30\xff\0\x2a" + w(7) + b"\x6a\0\0\0\0\1" + bytes(6) + h(0x86DD), FRAME, 8, Via("gtp", 7)),
        ("gtp", b"\x30\xff\0\0" + w(7) + b"\x50", FRAME, 8, Via("gtp", 7)),
        ("lisp", b"\x80\0\0\1" + w(7 << 8), IP, 8, Via("lisp", None)),
        ("lisp", b"\x88\0\0\1" + w(7 << 8), IP, 8, Via("lisp", 7)),
        ("l2tp", h(0x0002, 1, 7), PPP, 6, Via("l2tp", 7)),
        ("l2tp", h(0x4002, 60, 1, 7), PPP, 8, Via("l2tp", 7)),
        ("l2tp", h(0x4802, 60, 1, 7, 3, 4), PPP, 12, Via("l2tp", 7)),
        ("l2tp", h(0x0202, 1, 7, 2, 0), PPP, 10, Via("l2tp", 7)),
        ("l2tp", h(0xC802, 60, 1, 7, 3, 4), NOTHING, 0, None),
        ("l2tp", h(0x0003, 0), NOTHING, 0, Via("L2TP", None)),
        ("l2tp", h(0x0001, 1, 7), NOTHING, 0, None),
        ("teredo", b"\0\1\2\3" + bytes(14) + b"\x60", layers.IPV6, 18, Via("teredo", None)),
        ("teredo", bytes(8) + b"\x60", layers.IPV6, 8, Via("teredo", None)),
        ("teredo", b"\0\1\0\0" + bytes(9) + bytes(8) + b"\x60", layers.IPV6, 21, Via("teredo", None)),
        ("teredo", b"\x60", layers.IPV6, 0, Via("teredo", None)),
        ("teredo", b"\x40", NOTHING, 0, Via("teredo", None)),
    ],
)
def test_what_a_layer_says(layer: str, data: bytes, kind: int, size: int, via: Via | None) -> None:
    read = getattr(layers if hasattr(layers, layer) else tunnels, layer)
    assert read(b"\xff" * AT + data, AT) == Step(kind, AT + size, via)


# --- which layer it is ------------------------------------------------------------------------------------------------

INNER = ipv4(tcp(payload=b"hello"))
INNER_FRAME = ethernet(INNER)
BOTTOM = w(0x100)
VXLAN = b"\x08\0\0\0" + w(5 << 8)


@pytest.mark.parametrize(
    ("ethertype", "data"),
    [
        *((kind, h(5, 0x0800) + INNER) for kind in (0x8100, 0x88A8, 0x9100, 0x9200)),
        (0x8926, h(1, 2, 0x0800) + INNER),
        (0x893F, h(1, 2, 3, 0x0800) + INNER),
        (0x88E7, bytes(4) + INNER_FRAME),
        (0x8903, bytes(2) + INNER_FRAME),
        (0x8847, BOTTOM + INNER),
        (0x8848, BOTTOM + INNER),
        (0x8864, b"\x11\x00" + h(9, len(INNER) + 2, 0x0021) + INNER),
        (0x0800, INNER),
    ],
)
def test_ethertypes(ethertype: int, data: bytes) -> None:
    assert isinstance(parse(packet(ethernet(data, ethertype))), Segment)
    for near in (ethertype - 1, ethertype + 1):
        if near not in layers.LAYERS:
            assert parse(packet(ethernet(data, near))) is None


@pytest.mark.parametrize(
    ("protocol", "data"),
    [(4, INNER), (47, h(0, 0x0800) + INNER), (97, h(0x3000) + INNER_FRAME), (137, BOTTOM + INNER), (6, INNER[20:])],
)
def test_protocols(protocol: int, data: bytes) -> None:
    assert isinstance(parse(packet(ethernet(ipv4(data, protocol=protocol)))), Segment)
    assert not isinstance(parse(packet(ethernet(ipv4(data, protocol=protocol + 1)))), Segment)


@pytest.mark.parametrize(
    ("port", "data"),
    [
        (4789, VXLAN + INNER_FRAME),
        (8472, VXLAN + INNER_FRAME),
        (4790, b"\x0c\0\0\1" + w(5 << 8) + INNER),
        (6081, h(0, 0x0800) + w(5 << 8) + INNER),
        (2152, b"\x30\xff" + h(0) + w(7) + INNER),
        (6635, BOTTOM + INNER),
    ],
)
def test_ports_of_tunnels(port: int, data: bytes) -> None:
    """From or to this port; the quick look passes just these."""
    for ports in ((port, 999), (999, port), (port - 3, 999), (999, port + 3)):
        one = packet(ethernet(ipv4(h(*ports, 8 + len(data), 0) + data, protocol=17)))
        assert isinstance(parse(one), Segment) is (port in ports)
        assert carries_segment(one) is (port in ports)
        assert may_carry(17, b"\0\0", one.data[26:38]) is (port in ports)
        assert may_carry(17, b"\x20\0", one.data[26:38])


@pytest.mark.parametrize(
    ("protocol", "interest"), [(1, True), (2, False), (4, True), (6, True), (47, True), (89, False)]
)
def test_protocols_of_interest(protocol: int, interest: bool) -> None:
    assert may_carry(protocol, b"\0\0", bytes(12)) is interest


# --- link types -------------------------------------------------------------------------------------------------------

LLC_SNAP = b"\xaa\xaa\x03\0\0\0" + h(0x0800)


@pytest.mark.parametrize(
    ("link_type", "data", "name"),
    [
        (0, b"\2\0\0\0", "BSD loopback"),
        (0, b"\0\0\0\x02", "BSD loopback"),
        (108, b"\0\0\0\x02", "OpenBSD loopback"),
        (1, MACS + h(0x0800), "Ethernet"),
        (1, MACS + h(len(INNER) + 8) + LLC_SNAP, "Ethernet"),
        (6, bytes(14) + LLC_SNAP, "Token Ring"),
        (6, bytes(8) + b"\x80" + bytes(5) + b"\xe6" + bytes(5) + LLC_SNAP, "Token Ring"),
        (6, bytes(8) + b"\x7f" + bytes(5) + LLC_SNAP, "Token Ring"),
        (9, b"\xff\x03\x00\x21", "PPP"),
        (10, bytes(13) + LLC_SNAP, "FDDI"),
        (12, b"", "Raw IP"),
        (14, b"", "Raw IP"),
        (101, b"", "Raw IP"),
        (50, b"\xff\x03\x00\x21", "PPP with HDLC"),
        (50, b"\x0f\x00\x08\x00", "PPP with HDLC"),
        (51, b"\x11\x00" + h(9, 4, 0x0021), "PPPoE"),
        (100, LLC_SNAP, "ATM with LLC"),
        (104, b"\x0f\x00\x08\x00", "Cisco HDLC"),
        (113, bytes(14) + h(0x0800), "Linux cooked v1"),
        (113, bytes(14) + h(4) + LLC_SNAP, "Linux cooked v1"),
        (276, h(0x0800) + bytes(18), "Linux cooked v2"),
        (276, h(4) + bytes(18) + LLC_SNAP, "Linux cooked v2"),
        (117, b"\x3d\x02" + bytes(62), "OpenBSD pflog"),
        (117, b"\x40\x18" + bytes(62), "OpenBSD pflog"),
        (109, bytes(12), "OpenBSD enc"),
        (122, bytes(16) + LLC_SNAP, "IP over Fibre Channel"),
        (166, b"\0\x03\x00\x21", "PPP of pppd"),
        (166, b"\x01\x03\x00\x21", "PPP of pppd"),
        (166, b"\xff\x03\x00\x21", "PPP of pppd"),
        (166, b"\x00\x21", "PPP of pppd"),
        (204, b"\x01\xff\x03\x00\x21", "PPP with direction"),
        (219, BOTTOM, "MPLS"),
        (226, bytes(24), "Solaris ipnet"),
        (274, bytes(8) + MACS + h(0x0800), "Ethernet with preamble"),
        (228, b"", "Raw IPv4"),
        (239, b"\x02\0\0\0" + b"\x08\0\x01\0abcd" + b"\x07\0\x02\0abc\0" + b"\x2c\0\x09\0", "NFLOG"),
        (239, b"\x02\0\0\0" + b"\0\x08\0\x01abcd" + b"\0\x2c\0\x09", "NFLOG"),
        (258, struct.pack("<III", 12, 1, 1) + MACS + h(0x0800), "PKTAP"),
    ],
)
def test_link_types(link_type: int, data: bytes, name: str) -> None:
    assert link_type_name(link_type) == name
    found = parse(packet(data + INNER, link_type))
    assert isinstance(found, Segment)
    assert found.payload == b"hello"


@pytest.mark.parametrize(
    ("link_type", "data"),
    [
        (0, b"\3\0\0\0"),
        (113, bytes(14) + h(5)),
        (276, h(5) + bytes(18)),
        (117, b"\x3d\x03" + bytes(62)),
        (239, b"\x03\0\0\0" + b"\x2c\0\x09\0"),
        (258, struct.pack("<III", 11, 1, 1) + MACS + h(0x0800)),
        (258, struct.pack("<III", 12, 1, 258) + MACS + h(0x0800)),
        (2, b""),
        (13, b""),
        (102, b""),
        (230, b""),
    ],
)
def test_what_no_link_type_has(link_type: int, data: bytes) -> None:
    assert parse(packet(data + INNER, link_type)) is None


def test_a_link_type_without_a_name_has_its_number() -> None:
    assert link_type_name(4_711) == "link type 4711"
    assert not is_supported(4_711)
    named = [number for number in range(300) if not link_type_name(number).startswith("link type")]
    assert [number for number in range(300) if is_supported(number) and number not in named] == []


@pytest.mark.parametrize(
    ("link_type", "name"),
    [
        (105, "IEEE 802.11"),
        (119, "IEEE 802.11 with Prism header"),
        (127, "IEEE 802.11 with radiotap"),
        (147, "user-defined (DLT_USER0)"),
        (163, "IEEE 802.11 with AVS header"),
        (187, "Bluetooth"),
        (189, "USB of Linux"),
        (195, "IEEE 802.15.4"),
        (201, "Bluetooth with direction"),
        (220, "USB of Linux, padded"),
        (227, "CAN of Linux"),
        (249, "USBPcap"),
        (252, "Wireshark upper PDU"),
        (253, "Netlink"),
        (254, "Bluetooth monitor of Linux"),
        (277, "ZigBee"),
    ],
)
def test_names_of_what_is_not_read(link_type: int, name: str) -> None:
    assert link_type_name(link_type) == name
    assert not is_supported(link_type)
