"""The bytes that decide, of every encapsulation: what has the shape of a plain packet is one."""

from __future__ import annotations

import struct

import pytest
from builders import SYN, UDP, ethernet, extension, ipv4, ipv6, packet, tcp
from hypothesis import given, settings
from hypothesis import strategies as st
from prefilter_kit import check, flipped, innermost, plain

from benchmarks.encapsulations import ENCAPSULATIONS, OUTER, udp, vxlan
from dissector.stream.shapes import shape_of
from dissector.traffic import Packet

PLAIN, PLAIN6 = ethernet(ipv4(tcp(seq=5, payload=b"hello"))), ethernet(ipv6(tcp(seq=5, payload=b"hello")), 0x86DD)
#: Their layers look too far, or into too many places, to tell a packet by a few bytes.
WITHOUT = {
    *("LLC/SNAP", "LLC/SNAP behind a tag", "LLC of IP", "OpenBSD pflog", "PKTAP", "NFLOG", "Token Ring", "IPv4 AH"),
    *("Token Ring with route", "WCCP", "ERSPAN III", "ERSPAN III with subheader", "GTP-U", "GTP-U with extension"),
    *("PPP with HDLC", "PPP of pppd", "Cisco HDLC as PPP", "PKTAP of macOS", "PPI", "HSR", "Cisco metadata"),
    *("MACsec, signed", "TRILL", "NSH", "VXLAN-GPE with NSH", "GRE with routes", "GTP-U with Ethernet"),
    *("L2TP", "LISP"),
}
ONLY_IPV4 = {"IP in IPv6", "IPv4 AH", "IP in IP"}
each = pytest.mark.parametrize("name", ENCAPSULATIONS)


def wrapped(name: str, frame: bytes = PLAIN) -> Packet:
    link_type, wrap, _ = ENCAPSULATIONS[name]
    return packet(wrap(frame), link_type, time=5)


@each
@pytest.mark.parametrize("frame", [PLAIN, PLAIN6], ids=["IPv4", "IPv6"])
def test_which_encapsulations_have_a_shape(name: str, frame: bytes) -> None:
    one = wrapped(name, frame)
    shape = shape_of(one)
    assert (shape is None) is (name in WITHOUT)
    if shape is not None and not (frame is PLAIN6 and name in ONLY_IPV4):
        assert (shape.ip, shape.version) == (innermost(one), 4 if frame is PLAIN else 6)
        assert len(plain(check([one, one]))) == 2


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", sorted(ENCAPSULATIONS.keys() - WITHOUT))
def test_any_bit_may_differ(name: str) -> None:
    """From the first packet of a shape, or in it; of IPv6 only those of its own header and what follows."""
    for frame in (PLAIN, PLAIN6):
        one = wrapped(name, frame)
        for data in flipped(one.data, 0 if frame is PLAIN else innermost(one), len(one.data) - 5):
            other = one._replace(data=data)
            check([one, other])
            check([other, one], one_by_one=True)


@each
def test_any_cut(name: str) -> None:
    one = wrapped(name)
    cuts = [one._replace(data=one.data[:size]) for size in range(len(one.data))]
    check([one, *cuts, one])
    check([*cuts, one])


def spoilt(draw: st.DrawFn, one: Packet) -> Packet:
    data = bytearray(one.data)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(data) - 1))
        data[place] = draw(st.integers(0, 255) | st.sampled_from([0, 6, 17, 47, 0x45, 0x60, 0x81, 0x88, 0xAA]))
    return one._replace(data=bytes(data[: draw(st.just(len(data)) | st.integers(0, len(data)))]))


@st.composite
def mixed(draw: st.DrawFn) -> list[Packet]:
    """Packets of a few shapes by turns, some of them with an encapsulation in another one, some with other bytes."""
    frames = [PLAIN, PLAIN6, ethernet(ipv4(tcp(flags=SYN))), ethernet(ipv4(udp(b"query", 53), protocol=UDP))]
    kinds = []
    for _ in range(draw(st.integers(1, 4))):
        frame = draw(st.sampled_from(frames))
        inner = draw(st.sampled_from(sorted(ENCAPSULATIONS)))
        if draw(st.booleans()) and ENCAPSULATIONS[inner].link_type == 1:
            frame = ENCAPSULATIONS[inner].wrap(frame)
        kinds.append(wrapped(draw(st.sampled_from(sorted(ENCAPSULATIONS))), frame))
    return [
        spoilt(draw, one) if draw(st.booleans()) else one
        for one in draw(st.lists(st.sampled_from(kinds), min_size=2, max_size=8))
    ]


@settings(max_examples=400, deadline=None)
@given(packets=mixed(), one_by_one=st.booleans())
def test_any_packets_by_turns(packets: list[Packet], one_by_one: bool) -> None:
    check(packets, one_by_one=one_by_one)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PLAIN[:13],
        ethernet(b"", 0x86DD),
        ethernet(b"arp", 0x0806),
        ethernet(ipv4(tcp(), options=bytes(4))),
        ethernet(ipv6(extension(4, ipv4(tcp())), following=60), 0x86DD),
        ethernet(ipv4(struct.pack(">HH", 4789, 9) + vxlan(PLAIN)[4:], protocol=UDP)),
        ethernet(ipv4(ipv4(tcp(), options=bytes(4)), protocol=4, **OUTER)),
    ],
)
def test_what_has_no_shape(data: bytes) -> None:
    """Among it a tunnel that is told by its source port, and one behind an extension header of IPv6."""
    assert shape_of(packet(data)) is None
    check([packet(data)] * 2)
