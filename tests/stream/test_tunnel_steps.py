"""Where the packet in a tunnel begins, and of what kind it is, at the edges of what a header may say."""

from __future__ import annotations

import struct

import pytest

from dissector.stream.layers import FRAME, IP, IPV4, IPV6, NOTHING, PPP, Layer
from dissector.stream.tunnels import (
    BY_PORT,
    BY_PROTOCOL,
    SEALED_PORTS,
    _erspan_3,
    geneve,
    gre,
    gtp,
    l2tp,
    lisp,
    teredo,
    vxlan,
    vxlan_gpe,
)

ORIGIN, ADDRESS = b"\0\0" + bytes(6), b"\x60" + bytes(39)


@pytest.mark.parametrize(
    ("data", "kind", "at"),
    [
        (ADDRESS, IPV6, 0),
        (ORIGIN + ADDRESS, IPV6, 8),
        (b"\0\x01\0\0" + bytes(9) + ADDRESS, IPV6, 13),
        (b"\0\x01\x03\x04" + bytes(16) + ORIGIN + ADDRESS, IPV6, 28),
        (b"\x70" + bytes(39), NOTHING, 0),
        (b"\x45" + bytes(39), NOTHING, 0),
    ],
)
def test_teredo_with_each_of_its_headers(data: bytes, kind: object, at: int) -> None:
    step = teredo(data, 0)
    assert (step[0], step[1], str(step[2])) == (kind, at, "teredo")


@pytest.mark.parametrize(
    ("of_what", "last", "kind", "at"),
    [(0, 0, FRAME, 12), (0, 1, FRAME, 20), (1, 0, NOTHING, 12), (2, 0, IP, 12), (2, 1, IP, 20), (3, 0, NOTHING, 12)],
)
def test_erspan_of_type_three_says_what_it_carries(of_what: int, last: int, kind: object, at: int) -> None:
    header = struct.pack(">HHIHH", 0x2000, 0x0405, 0, 0, of_what << 10 | last)
    step = _erspan_3(header + bytes(8), 0)
    assert (step[0], step[1], str(step[2])) == (kind, at, "erspan 5")


#: Beginnings that an addition and an "or" tell apart.
PLACES = (0, 1, 6, 13, 255)
NUMBER = 0xA1B2C3
VNI = struct.pack(">I", NUMBER << 8 | 0x99)


def step_of(layer: Layer, data: bytes) -> tuple[object, int, str, int | None]:
    """What a layer says, wherever its header begins: the kind, how far it goes (0 to nothing), and the tunnel."""
    found = set()
    for at in PLACES:
        step = layer(b"\xa5" * at + data, at)
        via = step[2]
        found.add(
            (step[0], step[1] - at if step[0] != NOTHING else 0, via.kind if via else "", via.number if via else None)
        )
    (only,) = found
    return only


@pytest.mark.parametrize(
    ("flags", "fields", "number"),
    [
        (0x0000, b"", None),
        (0x8000, b"CCCC", None),
        (0x2000, b"\1\2\3\4", 0x01020304),
        (0x1000, b"SSSS", None),
        (0xB000, b"CCCC\1\2\3\4SSSS", 0x01020304),
        (0x3000, b"\1\2\3\4SSSS", 0x01020304),
        (0x4000, b"CCCC" + b"\0\0\0\0", None),
        (0x4000, b"CCCC" + b"\0\0\0\3RRR" + b"\0\0\0\0", None),
        (0xE000, b"CCCC\1\2\3\4" + b"\0\0\0\1R\0\0\0\2RR\0\0\0\0", 0x01020304),
    ],
)
@pytest.mark.parametrize(("kind", "expected"), [(0x0800, 0x0800), (0x86DD, 0x86DD), (0x6558, FRAME)])
def test_fields_of_gre(flags: int, fields: bytes, number: int | None, kind: int, expected: object) -> None:
    head = struct.pack(">HH", flags, kind) + fields
    assert step_of(gre, head + b"\x45" + bytes(20)) == (expected, len(head), "gre", number)


@pytest.mark.parametrize("flags", [0x3081, 0x2081, 0x3001, 0x2001, 0x0001, 0x1081])
def test_gre_of_pptp(flags: int) -> None:
    fields = (b"\1\2\3\4" if flags & 0x2000 else b"") + (b"SSSS" if flags & 0x1000 else b"")
    fields += b"AAAA" if flags & 0x80 else b""
    expected = (PPP, 4 + len(fields), "pptp", 0x0304 if flags & 0x2000 else None)
    assert step_of(gre, struct.pack(">HH", flags, 0x880B) + fields + bytes(8)) == expected
    for other in (flags & ~7, flags & ~7 | 2, flags & ~7 | 3):
        kind = step_of(gre, struct.pack(">HH", other, 0x880B) + fields + bytes(8))[0]
        assert kind == (NOTHING if other & 7 else 0x880B)


@pytest.mark.parametrize("version", [1, 2, 4, 7])
def test_gre_of_another_version(version: int) -> None:
    assert step_of(gre, struct.pack(">HH", version, 0x0800) + bytes(8))[:3] == (NOTHING, 0, "")


def test_erspan_by_its_types() -> None:
    second, third = struct.pack(">HHI", 0x1123, 0xFC05 | 0x300, 0), struct.pack(">HHIHH", 0x2123, 0xFC05, 0, 0, 0xFE)
    with_sequence, without = struct.pack(">HHI", 0x1000, 0x88BE, 7), struct.pack(">HH", 0, 0x88BE)
    assert step_of(gre, without + second) == (FRAME, 4, "erspan", None)
    assert step_of(gre, with_sequence + second) == (FRAME, 16, "erspan", 0x305)
    assert step_of(gre, with_sequence + third + bytes(20)) == (FRAME, 20, "erspan", 5)
    assert step_of(gre, struct.pack(">HH", 0, 0x22EB) + third[:10] + b"\0\1" + bytes(20)) == (FRAME, 24, "erspan", 5)
    assert step_of(gre, struct.pack(">HH", 0, 0x22EB) + third[:10] + b"\x08\0" + bytes(20)) == (IP, 16, "erspan", 5)
    assert step_of(gre, struct.pack(">HH", 0, 0x22EB) + third[:10] + b"\x88\0" + bytes(20)) == (IP, 16, "erspan", 5)
    assert step_of(gre, struct.pack(">HH", 0, 0x22EB) + second + bytes(20)) == (FRAME, 12, "erspan", 0x305)


@pytest.mark.parametrize(("first", "at"), [(0x45, 4), (0x4F, 4), (0x35, 8), (0x55, 8), (0x60, 8), (0x00, 8)])
def test_wccp_with_and_without_its_header(first: int, at: int) -> None:
    assert step_of(gre, struct.pack(">HH", 0, 0x883E) + bytes([first]) + bytes(20)) == (IP, at, "wccp", None)


def test_vxlan_names_its_network() -> None:
    for flags in (b"\x08\0\0\0", b"\0\0\0\0"):
        assert step_of(vxlan, flags + VNI + bytes(14)) == (FRAME, 8, "vxlan", NUMBER)


@pytest.mark.parametrize(
    ("flags", "kind", "expected"),
    [
        (0x0C, 1, 0x0800),
        (0x0C, 2, 0x86DD),
        (0x0C, 3, FRAME),
        (0x0C, 4, 0x894F),
        (0x0C, 5, 0x8847),
        (0x0C, 0, NOTHING),
        (0x0C, 6, NOTHING),
        (0xFC, 1, 0x0800),
        (0x08, 1, FRAME),
        (0xFB, 1, FRAME),
    ],
)
def test_vxlan_that_names_what_it_carries(flags: int, kind: int, expected: object) -> None:
    assert step_of(vxlan_gpe, bytes([flags, 0, 0, kind]) + VNI + bytes(14)) == (
        expected,
        8 if expected != NOTHING else 0,
        "vxlan",
        NUMBER,
    )
    assert step_of(vxlan_gpe, bytes([flags & ~8, 0, 0, kind]) + VNI + bytes(14)) == (NOTHING, 0, "", None)


@pytest.mark.parametrize(("options", "at"), [(0, 8), (1, 12), (0x3F, 260), (0x20, 136)])
@pytest.mark.parametrize(("kind", "expected"), [(0x6558, FRAME), (0x0800, 0x0800)])
def test_options_of_geneve(options: int, at: int, kind: int, expected: object) -> None:
    data = struct.pack(">BBH", options, 0, kind) + VNI + bytes(280)
    assert step_of(geneve, data) == (expected, at, "geneve", NUMBER)
    for version in (0x40, 0x80, 0xC0):
        assert step_of(geneve, bytes([options | version]) + data[1:]) == (NOTHING, 0, "", None)


def gtp_of(flags: int, more: bytes, inside: bytes, *, kind: int = 255, length: int | None = None) -> bytes:
    size = len(more) + len(inside) if length is None else length
    return struct.pack(">BBHI", flags, kind, size, 0x01020304) + more + inside


V4 = b"\x45\0" + struct.pack(">H", 30) + bytes(26)
V6 = b"\x60\0\0\0" + struct.pack(">H", 2) + bytes(36)


@pytest.mark.parametrize("inside", [V4, V6, b"\x45" + bytes(40)])
@pytest.mark.parametrize(
    ("flags", "more"),
    [
        (0x30, b""),
        (0x31, b"ssnx"),
        (0x32, b"ssnx"),
        (0x33, b"ssn\x85"),
        (0x34, b"ssn\0"),
        (0x34, b"ssn\x85" + b"\1xx\0"),
        (0x37, b"ssn\x85" + b"\1xx\x20" + b"\2xxxxxx\0"),
    ],
)
def test_options_of_gtp(flags: int, more: bytes, inside: bytes) -> None:
    assert step_of(gtp, gtp_of(flags, more, inside)) == (IP, 8 + len(more), "gtp", 0x01020304)


@pytest.mark.parametrize(
    ("flags", "kind"), [(0x10, 255), (0x20, 255), (0x50, 255), (0x30, 254), (0x30, 1), (0x70, 255)]
)
def test_gtp_that_carries_nothing(flags: int, kind: int) -> None:
    assert step_of(gtp, gtp_of(flags, b"", V4, kind=kind)) == (NOTHING, 0, "", None)


def test_an_extension_without_a_size_ends_gtp() -> None:
    assert step_of(gtp, gtp_of(0x34, b"ssn\x85\0xx\0", V4)) == (NOTHING, 0, "", None)


@pytest.mark.parametrize("usual", [0x0800, 0x86DD, 0x8100])
@pytest.mark.parametrize(("first", "size"), [(4, (2, 0)), (6, (4, 40))])
@pytest.mark.parametrize(("off", "expected"), [(0, IP), (1, FRAME), (-1, FRAME)])
def test_gtp_tells_a_frame_from_ip(usual: int, first: int, size: tuple[int, int], off: int, expected: object) -> None:
    """A frame has its type where IP has addresses; the length says what it is."""
    inside = bytearray(60)
    inside[0] = first << 4
    inside[12:14] = struct.pack(">H", usual)
    inside[size[0] : size[0] + 2] = struct.pack(">H", 60 - size[1] + off)
    assert step_of(gtp, gtp_of(0x30, b"", bytes(inside)))[0] == expected
    inside[12:14] = struct.pack(">H", 0x1234)
    assert step_of(gtp, gtp_of(0x30, b"", bytes(inside)))[0] == IP
    for other in (3, 5, 7):
        inside[0] = other << 4
        assert step_of(gtp, gtp_of(0x30, b"", bytes(inside)))[0] == FRAME


def test_lisp_names_its_instance() -> None:
    assert step_of(lisp, b"\x08\0\0\0" + VNI + V4) == (IP, 8, "lisp", NUMBER)
    assert step_of(lisp, b"\xf7\0\0\0" + VNI + V4) == (IP, 8, "lisp", None)


@pytest.mark.parametrize("length", [0, 0x4000])
@pytest.mark.parametrize("sequence", [0, 0x0800])
@pytest.mark.parametrize("offset", [None, 0, 3])
def test_fields_of_l2tp(length: int, sequence: int, offset: int | None) -> None:
    data = struct.pack(">H", 2 | length | sequence | (0 if offset is None else 0x0200))
    data += b"LL" if length else b""
    data += struct.pack(">HH", 0x0102, 0x0304)
    data += b"SSRR" if sequence else b""
    data += struct.pack(">H", offset) + bytes(offset) if offset is not None else b""
    assert step_of(l2tp, data + b"\xff\x03") == (PPP, len(data), "l2tp", 0x0304)


def test_l2tp_of_other_versions() -> None:
    assert step_of(l2tp, struct.pack(">H", 3) + bytes(12)) == (NOTHING, 0, "L2TP", None)
    for flags in (0, 1, 4, 0x0F, 0x8002, 0x8003, 0xC802):
        assert step_of(l2tp, struct.pack(">H", flags) + bytes(12)) == (NOTHING, 0, "", None)


@pytest.mark.parametrize("behind", [0, 1, 9])
def test_teredo_wherever_it_stands(behind: int) -> None:
    data = b"\0\x01" + bytes([behind, 2 * behind]) + bytes(3 * behind + 9) + ORIGIN + ADDRESS
    assert step_of(teredo, data) == (IPV6, 13 + 3 * behind + 8, "teredo", None)
    assert step_of(teredo, b"\x50" + bytes(39))[0] == NOTHING


@pytest.mark.parametrize(
    ("port", "name", "data", "is_one"),
    [
        (4500, "ESP (IPsec)", b"\0\0\0\1" + bytes(4), True),
        (4500, "ESP (IPsec)", b"\1\0\0\0" + bytes(4), True),
        (4500, "ESP (IPsec)", b"\1\0\0\0" + bytes(3), False),
        (4500, "ESP (IPsec)", bytes(4) + b"\1\1\1\1", False),
        (51820, "WireGuard", b"\1\0\0\0" + bytes(12), True),
        (51820, "WireGuard", b"\4\0\0\0" + bytes(12), True),
        (51820, "WireGuard", b"\4\0\0\0" + bytes(11), False),
        (51820, "WireGuard", b"\5\0\0\0" + bytes(12), False),
        (51820, "WireGuard", b"\0\0\0\0" + bytes(12), False),
        (51820, "WireGuard", b"\1\1\0\0" + bytes(12), False),
        (51820, "WireGuard", b"\1\0\0\1" + bytes(12), False),
        (1194, "OpenVPN", b"\x08" + bytes(9), True),
        (1194, "OpenVPN", b"\x5f" + bytes(9), True),
        (1194, "OpenVPN", b"\x5f" + bytes(8), False),
        (1194, "OpenVPN", b"\x07" + bytes(9), False),
        (1194, "OpenVPN", b"\x60" + bytes(9), False),
    ],
)
def test_what_can_not_be_read_is_told_by_its_head(port: int, name: str, data: bytes, is_one: bool) -> None:
    kind, _, via, number = step_of(BY_PORT[port], data)
    assert (kind, via, number) == (NOTHING, name if is_one else "", None)


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        (4, (IPV4, 0, "ipip", None)),
        (41, (IPV6, 0, "6in4", None)),
        (97, (FRAME, 2, "etherip", None)),
        (50, (NOTHING, 0, "ESP (IPsec)", None)),
        (108, (NOTHING, 0, "IPComp", None)),
        (115, (NOTHING, 0, "L2TP", None)),
    ],
)
def test_tunnels_by_protocol(protocol: int, expected: object) -> None:
    assert step_of(BY_PROTOCOL[protocol], bytes(40)) == expected


def test_the_numbers_of_tunnels() -> None:
    """As IANA lists them."""
    assert set(BY_PROTOCOL) == {4, 41, 47, 50, 97, 108, 115, 137}
    assert {port: getattr(layer, "__name__", "") for port, layer in BY_PORT.items() if port not in SEALED_PORTS} == {
        4789: "vxlan",
        8472: "vxlan",
        4790: "vxlan_gpe",
        6081: "geneve",
        1701: "l2tp",
        2152: "gtp",
        3544: "teredo",
        4341: "lisp",
        6635: "mpls",
    }
    assert set(SEALED_PORTS) == {1194, 4500, 51820}
