"""Each layer from its bytes: what comes next, where, and which tunnel it is; and the same with one bit that matters
less or more."""

from __future__ import annotations

import struct

import pytest

from dissector.stream import layers
from dissector.stream.layers import FRAME, IP, LLC, NOTHING, PPP, Step
from dissector.traffic import Via

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
        ("mpls", w(77 << 12 | 0x100) + b"\x00", FRAME, 8, Via("mpls", 77)),
        ("mpls", w(77 << 12 | 0x100) + b"\x10", NOTHING, 4, Via("mpls", 77)),
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
        ("gre", h(0x4000, 0x0800) + w(1), NOTHING, 8, None),
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
        ("gre", h(0, 0x22EB) + h(0x2005, 0xFC07, 0, 0, 0, 0x8000), FRAME, 16, Via("erspan", 7)),
        ("gre", h(0, 0x22EB) + h(0x2005, 0xFC07, 0, 0, 0, 0x8001), FRAME, 24, Via("erspan", 7)),
        ("gre", h(0, 0x22EB) + h(0x2005, 0xFC07, 0, 0, 0, 2 << 10), IP, 16, Via("erspan", 7)),
        ("gre", h(0, 0x22EB) + h(0x2005, 0xFC07, 0, 0, 0, 1 << 10), NOTHING, 16, Via("erspan", 7)),
        ("gre", h(0, 0x22EB) + h(0x2005, 0xFC07, 0, 0, 0, 16 << 10), NOTHING, 16, Via("erspan", 7)),
        ("vxlan", b"\x08\0\0\0" + w(NET << 8 | 0xFF), FRAME, 8, Via("vxlan", NET)),
        ("vxlan", b"\x88\0\0\0" + w(NET << 8), FRAME, 8, Via("vxlan", NET)),
        ("vxlan", b"\xf7\0\0\0" + w(NET << 8), NOTHING, 0, None),
        ("vxlan_gpe", b"\x0c\0\0\1" + w(NET << 8), layers.IPV4, 8, Via("vxlan", NET)),
        ("vxlan_gpe", b"\x0c\0\0\2" + w(NET << 8), layers.IPV6, 8, Via("vxlan", NET)),
        ("vxlan_gpe", b"\x0c\0\0\3" + w(NET << 8), FRAME, 8, Via("vxlan", NET)),
        ("vxlan_gpe", b"\x0c\0\0\5" + w(NET << 8), 0x8847, 8, Via("vxlan", NET)),
        ("vxlan_gpe", b"\x0c\0\0\4" + w(NET << 8), NOTHING, 8, Via("vxlan", NET)),
        ("vxlan_gpe", b"\x08\0\0\1" + w(NET << 8), FRAME, 8, Via("vxlan", NET)),
        ("vxlan_gpe", b"\xf7\0\0\1" + w(NET << 8), NOTHING, 0, None),
        ("geneve", b"\x00\x00\x65\x58" + w(NET << 8 | 0xFF), FRAME, 8, Via("geneve", NET)),
        ("geneve", b"\x3f\x00\x08\x00" + w(NET << 8), 0x0800, 8 + 63 * 4, Via("geneve", NET)),
        ("geneve", b"\x40\x00\x08\x00" + w(NET << 8), NOTHING, 0, None),
        ("geneve", b"\x80\x00\x08\x00" + w(NET << 8), NOTHING, 0, None),
        ("gtp", b"\x30\xff\0\0" + w(7), IP, 8, Via("gtp", 7)),
        ("gtp", b"\x31\xff\0\0" + w(7, 1), IP, 12, Via("gtp", 7)),
        ("gtp", b"\x32\xff\0\0" + w(7, 1), IP, 12, Via("gtp", 7)),
        ("gtp", b"\x38\xff\0\0" + w(7), IP, 8, Via("gtp", 7)),
        ("gtp", b"\x34\xff\0\0" + w(7, 0x85) + b"\x01\0\0\0", IP, 16, Via("gtp", 7)),
        ("gtp", b"\x34\xff\0\0" + w(7, 0x85) + b"\x02\0\0\0\0\0\0\x20\x01\0\0\0", IP, 24, Via("gtp", 7)),
        ("gtp", b"\x34\xff\0\0" + w(7, 0x85) + b"\x00\0\0\0", NOTHING, 0, None),
        ("gtp", b"\x20\xff\0\0" + w(7), NOTHING, 0, None),
        ("gtp", b"\x30\x01\0\0" + w(7), NOTHING, 0, None),
        ("teredo", b"\x60", layers.IPV6, 0, Via("teredo", None)),
        ("teredo", b"\x00", NOTHING, 0, Via("teredo", None)),
    ],
)
def test_what_a_layer_says(layer: str, data: bytes, kind: int, size: int, via: Via | None) -> None:
    assert getattr(layers, layer)(b"\xff" * AT + data, AT) == Step(kind, AT + size, via)
