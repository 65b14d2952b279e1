"""Where what a layer carries begins, and of what kind it is, wherever the layer stands in a packet."""

from __future__ import annotations

import struct

import pytest
from test_tunnel_steps import step_of

from dissector.stream import layers
from dissector.stream.layers import FRAME, IP, IPV4, IPV6, LLC, NOTHING, PPP, Layer

MACS = bytes(range(1, 13))
SNAP = b"\xaa\xaa\x03"
#: Type fields, and what they are: below 0x0600 a length, behind which LLC stands.
TYPES = [(0x0800, IPV4), (0x86DD, IPV6), (0x0600, 0x0600), (0x05FF, LLC), (0x0040, LLC), (0xFFFF, 0xFFFF)]


def short(value: int) -> bytes:
    return struct.pack(">H", value)


@pytest.mark.parametrize(("value", "kind"), TYPES)
@pytest.mark.parametrize(
    ("layer", "before"),
    [
        (layers.frame, MACS),
        (layers.tag, b"\x20\x07"),
        (layers.vn_tag, bytes(4)),
        (layers.e_tag, bytes(6)),
        (layers.hsr, bytes(4)),
        (layers.cisco_metadata, b"\1\0"),
        (layers.cisco_metadata, b"\1\1" + bytes(4)),
        (layers.cisco_metadata, b"\1\3" + bytes(12)),
        (layers.macsec, b"\0" + bytes(5)),
        (layers.macsec, b"\xd3" + bytes(5)),
        (layers.macsec, b"\x20" + bytes(13)),
        (layers.macsec, b"\xf3" + bytes(13)),
    ],
)
def test_what_has_a_type_behind_it(layer: Layer, before: bytes, value: int, kind: int) -> None:
    assert step_of(layer, before + short(value) + bytes(8)) == (kind, len(before) + 2, "", None)


@pytest.mark.parametrize("flags", [0x04, 0x08, 0x0C, 0x2C, 0xFF])
def test_macsec_that_hides_what_it_carries(flags: int) -> None:
    assert step_of(layers.macsec, bytes([flags]) + bytes(20)) == (NOTHING, 0, "MACsec", None)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x06\x06\x03", (IP, 3)),
        (b"\x06\x06\x04", (NOTHING, 0)),
        (b"\x42\x42\x03", (NOTHING, 0)),
        (SNAP + b"\0\0\0\x08\0", (IPV4, 8)),
        (SNAP + b"\0\0\xf8\x86\xdd", (IPV6, 8)),
        (SNAP + b"\0\0\x0c\x08\0", (NOTHING, 0)),
        (SNAP + b"\0\x80\xc2\0\1", (FRAME, 10)),
        (SNAP + b"\0\x80\xc2\0\7", (FRAME, 10)),
        (SNAP + b"\0\x80\xc2\0\0", (NOTHING, 0)),
        (SNAP + b"\0\x80\xc2\0\2", (NOTHING, 0)),
        (SNAP + b"\0\x80\xc2\0\6", (NOTHING, 0)),
        (SNAP + b"\0\x80\xc2\0\x08", (NOTHING, 0)),
        (SNAP + b"\0\0\0\0\1", (1, 8)),
    ],
)
def test_what_llc_carries(data: bytes, expected: tuple[int, int]) -> None:
    assert step_of(layers.llc, data + bytes(12))[:2] == expected


@pytest.mark.parametrize(("head", "at"), [(0x0000, 6), (0x0040, 10), (0x07C0, 130), (0xF83F, 6), (0x0080, 14)])
def test_options_of_trill(head: int, at: int) -> None:
    assert step_of(layers.trill, short(head) + bytes(140)) == (FRAME, at, "", None)


@pytest.mark.parametrize(
    ("following", "kind"), [(1, IPV4), (2, IPV6), (3, FRAME), (5, 0x8847), (0, NOTHING), (4, NOTHING), (6, NOTHING)]
)
@pytest.mark.parametrize(("words", "at"), [(2, 8), (6, 24), (0xC6, 24), (0x3F, 252), (0x20, 128)])
def test_the_header_of_service_chains(following: int, kind: int, words: int, at: int) -> None:
    data = bytes([0, words, 1, following]) + bytes(260)
    assert step_of(layers.nsh, data)[:2] == (kind, at if kind != NOTHING else 0)


# --- labels -----------------------------------------------------------------------------------------------------------

LABEL = 0xABCDE


def labels(count: int) -> bytes:
    """A stack; the bottom's label is ``LABEL``."""
    return b"\xff\xff\xfe\xff" * (count - 1) + struct.pack(">I", LABEL << 12 | 0xF40)


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize(
    ("inside", "kind", "more"),
    [
        (b"\x45", IP, 0),
        (b"\x4f", IP, 0),
        (b"\x60", IP, 0),
        (b"\x10\0\0\x21", IPV4, 4),
        (b"\x1f\0\0\x57", IPV6, 4),
        (b"\x10\0\0\x22", NOTHING, 0),
        (b"\x10\0\1\x21", NOTHING, 0),
        (b"\0\0\1\2" + MACS + b"\x08\0", FRAME, 4),
        (b"\0\1" + MACS[2:] + b"\x12\x34", FRAME, 0),
        (b"\1\0" + MACS[2:] + b"\x12\x34", FRAME, 0),
        (b"\0\0" + MACS[2:] + b"\x08\0", FRAME, 0),
        (b"\0\0" + MACS[2:] + b"\x81\0", FRAME, 0),
        (b"\0\0" + MACS[2:] + b"\x08\1", FRAME, 4),
        (b"\x20" + bytes(3) + b"\x45", FRAME, 0),
        (b"\x50" + bytes(3) + b"\x45", FRAME, 0),
        (b"\x70" + bytes(3) + b"\x45", FRAME, 0),
    ],
)
def test_what_stands_behind_labels(count: int, inside: bytes, kind: int, more: int) -> None:
    data = labels(count) + inside + bytes(40)
    assert step_of(layers.mpls, data) == (kind, 4 * count + more if kind != NOTHING else 0, "mpls", LABEL)


# --- PPP and HDLC -----------------------------------------------------------------------------------------------------

PROTOCOLS = [(0x0021, IPV4), (0x0057, IPV6), (0x0281, 0x8847), (0x0283, 0x8848), (0xC021, NOTHING), (0x0022, NOTHING)]


@pytest.mark.parametrize(("protocol", "kind"), PROTOCOLS)
@pytest.mark.parametrize("before", [b"", b"\xff\x03"])
@pytest.mark.parametrize("layer", [layers.ppp, layers.hdlc])
def test_ppp_with_and_without_address(layer: Layer, protocol: int, kind: int, before: bytes) -> None:
    """And with a protocol of one byte, which is odd, or two."""
    for field in (short(protocol), bytes([protocol & 0xFF]) if protocol & 1 and protocol < 256 else short(protocol)):
        found = step_of(layer, before + field + b"\x45" + bytes(20))
        assert found[:2] == (kind, len(before) + len(field) if kind != NOTHING else 0)


@pytest.mark.parametrize("head", [b"\xff\x04", b"\xfe\x03", b"\xff\x02"])
def test_what_is_no_address_of_ppp(head: bytes) -> None:
    assert step_of(layers.ppp, head + b"\0\x21" + bytes(20))[0] == NOTHING


def test_what_ppp_hides() -> None:
    kind, at, _, _ = step_of(layers.ppp, b"\0\xfd" + bytes(8))
    assert at == 2
    assert step_of(layers.LAYERS[int(str(kind))], bytes(8))[2] == "PPP with MPPE"


@pytest.mark.parametrize("session", [0, 1, 0x1234])
def test_sessions_of_pppoe(session: int) -> None:
    rest = short(session) + short(30) + b"\0\x21" + bytes(30)
    assert step_of(layers.pppoe, b"\x11\0" + rest) == (PPP, 6, "pppoe", session)
    for other in (b"\x11\1", b"\x12\0", b"\x01\0"):
        assert step_of(layers.pppoe, other + rest)[0] == NOTHING


@pytest.mark.parametrize(("address", "is_cisco"), [(0x0F, True), (0x8F, True), (0x0D, False), (0x10, False)])
def test_hdlc_of_cisco(address: int, is_cisco: bool) -> None:
    data = bytes([address, 0]) + short(0x0800) + bytes(20)
    assert (step_of(layers.hdlc, data)[:2] == (IPV4, 4)) is is_cisco
    assert step_of(layers.cisco_hdlc, data)[:2] == (IPV4, 4)


# --- what stands for what ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "size"), [(0x88E7, 4), (0x8903, 2)])
def test_headers_of_a_fixed_size(kind: int, size: int) -> None:
    assert step_of(layers.LAYERS[kind], bytes(30)) == (FRAME, size, "", None)
    assert layers.LAYERS[kind] in layers.FIXED


def test_the_numbers_of_layers() -> None:
    """As IEEE and IANA list them."""
    named = {kind: getattr(layer, "__name__", "") for kind, layer in layers.LAYERS.items() if kind > 0}
    assert {kind: name for kind, name in named.items() if name not in ("layer", "<lambda>")} == {
        0x8100: "tag",
        0x88A8: "tag",
        0x9100: "tag",
        0x9200: "tag",
        0x8926: "vn_tag",
        0x893F: "e_tag",
        0x8847: "mpls",
        0x8848: "mpls",
        0x8864: "pppoe",
        0x88E5: "macsec",
        0x8870: "llc",
        0x8909: "cisco_metadata",
        0x892F: "hsr",
        0x22F3: "trill",
        0x894F: "nsh",
        0x880B: "ppp",
        0x6558: "frame",
    }
    assert {IPV4, IPV6, 0x0806, 0x8100, 0x88A8} == layers.USUAL_TYPES
    assert len({FRAME, LLC, PPP, IP, NOTHING, layers._ENCRYPTED_PPP}) == 6
