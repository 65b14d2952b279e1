"""Packets from literals: every link layer, IP header and TCP header that has a trap in it."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from builders import (
    A6,
    ACK,
    B6,
    ICMP,
    ICMP6,
    PSH,
    TCP,
    UDP,
    A,
    B,
    ethernet,
    extension,
    fragment_header,
    ipv4,
    ipv6,
    packet,
    tcp,
)
from hypothesis import given
from hypothesis import strategies as st

from dissector.stream.icmp import reason
from dissector.stream.link import is_supported, link_type_name
from dissector.stream.packets import carries_segment, parse
from dissector.traffic import Fragment, IcmpError, Packet, Segment

SEGMENT = ipv4(tcp(seq=7, ack=9, flags=PSH | ACK, window=513, payload=b"hello"))
SEGMENT6 = ipv6(tcp(payload=b"hello"))


def segment(data: bytes, link_type: int = 1, wire_length: int | None = None) -> Segment:
    found = parse(packet(data, link_type, wire_length=wire_length))
    assert isinstance(found, Segment)
    return found


def test_every_field_of_a_segment() -> None:
    frame = packet(ethernet(SEGMENT), number=3, time=12_345)
    src, dst = bytes([10, 1, 0, 1]), bytes([10, 1, 0, 2])
    expected = Segment(3, 12_345, src, 40_000, dst, 4_444, 7, 9, PSH | ACK, 513, b"hello", 5, 64, 1)
    assert parse(frame) == expected


@pytest.mark.parametrize(
    ("link_type", "data"),
    [
        (1, ethernet(SEGMENT)),
        (1, ethernet(SEGMENT, tags=[0x8100])),
        (1, ethernet(SEGMENT, tags=[0x88A8, 0x8100])),
        (113, bytes.fromhex("0000 0001 0006 020000000001 0000 0800") + SEGMENT),
        (113, bytes.fromhex("0000 0001 0006 020000000001 0000 8100 0064 0800") + SEGMENT),
        (276, bytes.fromhex("0800 0000 00000002 0001 00 06 0200000000010000") + SEGMENT),
        (276, bytes.fromhex("8100 0000 00000002 0001 00 06 0200000000010000 0064 0800") + SEGMENT),
        (12, SEGMENT),
        (14, SEGMENT),
        (101, SEGMENT),
        (228, SEGMENT),
        (0, bytes.fromhex("02000000") + SEGMENT),
        (0, bytes.fromhex("00000002") + SEGMENT),
        (108, bytes.fromhex("00000002") + SEGMENT),
    ],
)
def test_link_types(link_type: int, data: bytes) -> None:
    found = segment(data, link_type)
    assert (found.sport, found.dport, found.payload, found.length) == (40_000, 4_444, b"hello", 5)


@pytest.mark.parametrize(
    ("link_type", "data"),
    [
        (1, ethernet(SEGMENT6, 0x86DD)),
        (113, bytes.fromhex("0000 0001 0006 020000000001 0000 86dd") + SEGMENT6),
        (276, bytes.fromhex("86dd 0000 00000002 0001 00 06 0200000000010000") + SEGMENT6),
        (101, SEGMENT6),
        (229, SEGMENT6),
        *((0, family.to_bytes(4, order) + SEGMENT6) for family in (10, 24, 28, 30) for order in ("big", "little")),
    ],
)
def test_link_types_with_ipv6(link_type: int, data: bytes) -> None:
    found = segment(data, link_type)
    assert (found.src, found.dst, found.payload) == (ip_address(A6).packed, ip_address(B6).packed, b"hello")
    assert (found.ttl, found.ip_id) == (61, 0)


@pytest.mark.parametrize(
    ("link_type", "name", "supported"),
    [
        (1, "Ethernet", True),
        (113, "Linux cooked v1", True),
        (276, "Linux cooked v2", True),
        (101, "Raw IP", True),
        (105, "IEEE 802.11", False),
        (4711, "link type 4711", False),
    ],
)
def test_link_type_names(link_type: int, name: str, supported: bool) -> None:
    assert (link_type_name(link_type), is_supported(link_type)) == (name, supported)
    if not supported:
        assert parse(packet(SEGMENT, link_type)) is None


def test_ip_options_and_tcp_options_are_no_payload() -> None:
    found = segment(ethernet(ipv4(tcp(payload=b"x", options=bytes(12)), options=bytes(8))))
    assert (found.payload, found.length) == (b"x", 1)


def test_padding_of_a_short_ethernet_frame_is_cut() -> None:
    found = segment(ethernet(ipv4(tcp())) + bytes(6))
    assert (found.payload, found.length) == (b"", 0)


def test_total_length_0_means_up_to_the_end() -> None:
    found = segment(ethernet(ipv4(tcp(payload=b"x" * 70_000), total=0)))
    assert (len(found.payload), found.length) == (70_000, 70_000)
    assert segment(ethernet(ipv6(tcp(payload=b"x" * 70_000), length=0), 0x86DD)).length == 70_000


@pytest.mark.parametrize(("cut", "payload"), [(54, b""), (56, b"he"), (100, b"hello")])
def test_a_packet_cut_by_the_snap_length_keeps_its_length(cut: int, payload: bytes) -> None:
    whole = ethernet(SEGMENT)
    found = segment(whole[:cut], wire_length=len(whole))
    assert (found.payload, found.length) == (payload, 5)


def test_tcp_options_cut_by_the_snap_length() -> None:
    """68 bytes, an old default, end inside the options of a segment with time stamps and SACK."""
    whole = ethernet(ipv4(tcp(seq=5, options=bytes(24), payload=b"hello")))
    found = segment(whole[:68], wire_length=len(whole))
    assert (found.seq, found.payload, found.length) == (5, b"", 5)


@pytest.mark.parametrize("fragment", [0x2000, 0x2001, 0x0001, 0x1FFF])
def test_ipv4_fragments_are_told(fragment: int) -> None:
    inside = tcp(payload=b"hello")
    found = parse(packet(ethernet(ipv4(inside, fragment=fragment)), number=4, time=5))
    ends = ip_address(A).packed, ip_address(B).packed
    offset, more = (fragment & 0x1FFF) * 8, bool(fragment & 0x2000)
    assert found == Fragment(4, 5, *ends, TCP, 1, offset, more, 64, inside)
    assert isinstance(parse(packet(ethernet(ipv4(bytes(30), protocol=UDP, fragment=fragment)))), Fragment)
    assert parse(packet(ethernet(ipv4(bytes(30), protocol=ICMP, fragment=fragment)))) is None


@pytest.mark.parametrize(
    ("following", "payload"),
    [
        (0, extension(TCP, tcp(payload=b"x"))),
        (43, extension(60, extension(TCP, tcp(payload=b"x"), 24))),
        (44, fragment_header(TCP, tcp(payload=b"x"))),
        (51, struct.pack(">BBHII", TCP, 1, 0, 1, 1) + tcp(payload=b"x")),
        (0, extension(43, extension(44, fragment_header(60, extension(TCP, tcp(payload=b"x")))))),
    ],
)
def test_ipv6_extension_headers(following: int, payload: bytes) -> None:
    found = segment(ethernet(ipv6(payload, following=following), 0x86DD))
    assert (found.payload, found.length) == (b"x", 1)


@pytest.mark.parametrize(("offset", "more"), [(0, True), (185, True), (185, False)])
def test_ipv6_fragments_are_told(offset: int, more: bool) -> None:
    data = ethernet(ipv6(fragment_header(TCP, bytes(40), offset, more), following=44), 0x86DD)
    found = parse(packet(data))
    assert isinstance(found, Fragment)
    assert (found.offset, found.more, found.ident, found.payload) == (offset * 8, more, 7, bytes(40))
    other = ethernet(ipv6(fragment_header(ICMP6, bytes(40), offset, more), following=44), 0x86DD)
    assert parse(packet(other)) is None


# --- ICMP ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        (3, 0, "network unreachable"),
        (3, 1, "host unreachable"),
        (3, 2, "protocol unreachable"),
        (3, 3, "port unreachable"),
        (3, 4, "fragmentation needed"),
        (3, 10, "host administratively prohibited"),
        (3, 13, "administratively prohibited"),
        (3, 200, "destination unreachable (code 200)"),
        (11, 0, "time to live exceeded"),
    ],
)
def test_icmp_errors_name_their_reason_and_the_endpoints(kind: int, code: int, words: str) -> None:
    quote = ipv4(tcp(40_000, 59_999, seq=77)[:8], total=60, options=bytes(4))
    message = bytes([kind, code]) + bytes(6) + quote
    data = ethernet(ipv4(message, src="10.9.9.9", dst=A, protocol=ICMP))
    sender, src, dst = (ip_address(text).packed for text in ("10.9.9.9", A, B))
    assert parse(packet(data, number=2, time=8)) == IcmpError(2, 8, sender, words, src, 40_000, dst, 59_999, 77)


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        (1, 0, "no route to destination"),
        (1, 1, "administratively prohibited"),
        (1, 3, "host unreachable"),
        (1, 4, "port unreachable"),
        (2, 0, "fragmentation needed"),
        (3, 0, "time to live exceeded"),
    ],
)
def test_icmp6_errors(kind: int, code: int, words: str) -> None:
    quote = ipv6(extension(TCP, tcp(40_000, 59_999, seq=77)), following=0)
    data = ethernet(ipv6(bytes([kind, code]) + bytes(6) + quote, src=B6, dst=A6, following=ICMP6), 0x86DD)
    found = parse(packet(data))
    assert isinstance(found, IcmpError)
    assert (found.reason, found.sport, found.dport, found.seq) == (words, 40_000, 59_999, 77)
    assert (found.src, found.dst) == (ip_address(A6).packed, ip_address(B6).packed)


@pytest.mark.parametrize(
    "message",
    [
        b"\x08\x00" + bytes(6) + ipv4(tcp()),  # an echo request
        b"\x03\x03" + bytes(6) + ipv4(bytes(8), protocol=UDP),
        b"\x03\x03" + bytes(6) + ipv4(tcp(), fragment=100),  # ports are in the first fragment only
        b"\x03\x03" + bytes(6) + ipv4(tcp())[:24],
    ],
)
def test_other_icmp_messages_are_none(message: bytes) -> None:
    """The fragment is one that is not the first: its bytes only look like the start of a message."""
    error = b"\x03\x03" + bytes(6) + ipv4(tcp())
    assert parse(packet(ethernet(ipv4(error, protocol=ICMP, fragment=100)))) is None
    assert parse(packet(ethernet(ipv4(message, protocol=ICMP)))) is None


def test_reasons_are_of_their_version() -> None:
    assert reason(4, 3, 3) == reason(6, 1, 4) == "port unreachable"
    assert reason(4, 1, 4) is None
    assert reason(6, 11, 0) is None


# --- what is none of it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        ethernet(bytes(46), 0x0806),
        ethernet(ipv4(bytes(30), protocol=UDP)),
        ethernet(ipv6(bytes(30), following=UDP), 0x86DD),
        ethernet(ipv6(extension(59, b""), following=0), 0x86DD),
    ],
)
def test_foreign_packets_are_none_and_not_damaged(data: bytes) -> None:
    damaged: list[Packet] = []
    assert parse(packet(data), damaged.append) is None
    assert damaged == []


@pytest.mark.parametrize(
    "data",
    [
        ethernet(SEGMENT)[:13],
        ethernet(SEGMENT)[:30],
        ethernet(SEGMENT)[:45],
        ethernet(b"\x44" + SEGMENT[1:]),  # a header of 16 bytes
        ethernet(ipv4(tcp(), total=39)),
        ethernet(ipv4(tcp()[:12] + b"\x40" + tcp()[13:])),  # a TCP header of 16 bytes
        ethernet(ipv6(b"\x06", following=0), 0x86DD),
    ],
)
def test_damaged_headers_are_none_and_counted(data: bytes) -> None:
    damaged: list[Packet] = []
    assert parse(packet(data), damaged.append) is None
    assert damaged == [packet(data)]


LINK_TYPES = st.sampled_from([0, 1, 12, 14, 101, 108, 113, 228, 229, 276, 147])
WHOLE = st.sampled_from(
    [
        ethernet(SEGMENT),
        ethernet(SEGMENT6, 0x86DD),
        ethernet(ipv6(extension(44, fragment_header(60, extension(TCP, tcp())))), 0x86DD, [0x8100]),
        ethernet(ipv4(b"\x03\x03" + bytes(6) + SEGMENT, protocol=ICMP)),
        bytes.fromhex("0800 0000 00000002 0001 00 06 0200000000010000") + SEGMENT,
    ]
)


@given(LINK_TYPES, st.binary(max_size=200), st.integers(0, 70_000))
def test_any_bytes_are_survived(link_type: int, data: bytes, wire_length: int) -> None:
    found = packet(data, link_type, wire_length=wire_length)
    assert carries_segment(found) is isinstance(parse(found), Segment)


@given(LINK_TYPES, WHOLE, st.data())
def test_damaged_packets_are_survived(link_type: int, whole: bytes, draw: st.DataObject) -> None:
    data = bytearray(whole)
    for _ in range(draw.draw(st.integers(0, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    found = packet(bytes(data[: draw.draw(st.integers(0, len(data)))]), link_type)
    parsed = parse(found)
    assert carries_segment(found) is isinstance(parsed, Segment)
    if isinstance(parsed, Segment):
        assert len(parsed.payload) <= parsed.length
