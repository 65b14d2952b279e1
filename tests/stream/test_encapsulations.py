"""Packets in every encapsulation mean what they mean without it."""

from __future__ import annotations

import pytest
from builders import ICMP, SYN, A, B, ethernet, ipv4, ipv6, packet, tcp
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.encapsulations import ENCAPSULATIONS, OUTER, udp
from benchmarks.packets import UDP
from dissector.limits import MAX_LAYERS
from dissector.stream import packets
from dissector.stream.link import is_supported
from dissector.stream.packets import carries_segment, parse
from dissector.traffic import IcmpError, Segment

PLAIN = ethernet(ipv4(tcp(seq=5, payload=b"hello")))
PLAIN6 = ethernet(ipv6(tcp(seq=5, payload=b"hello")), 0x86DD)
#: What has no place for IPv6, or says otherwise which version it carries.
ONLY_IPV4 = {"IP in IPv6", "IPv4 AH", "IP in IP"}

each = pytest.mark.parametrize("name", ENCAPSULATIONS)


def parsed(data: bytes, link_type: int = 1) -> Segment:
    found = parse(packet(data, link_type))
    assert isinstance(found, Segment)
    return found


@each
def test_a_segment(name: str) -> None:
    link_type, wrap, via = ENCAPSULATIONS[name]
    found = parsed(wrap(PLAIN), link_type)
    assert found._replace(via=()) == parsed(PLAIN)
    assert tuple(map(str, found.via)) == via
    assert carries_segment(packet(wrap(PLAIN), link_type))


@pytest.mark.parametrize("name", [name for name in ENCAPSULATIONS if name not in ONLY_IPV4])
def test_a_segment_of_ipv6(name: str) -> None:
    link_type, wrap, via = ENCAPSULATIONS[name]
    found = parsed(wrap(PLAIN6), link_type)
    assert found._replace(via=()) == parsed(PLAIN6)
    assert tuple(map(str, found.via)) == via


@each
def test_an_icmp_error(name: str) -> None:
    link_type, wrap, _ = ENCAPSULATIONS[name]
    error = ethernet(ipv4(b"\x03\x01" + bytes(6) + ipv4(tcp(flags=SYN)), protocol=ICMP, src=B, dst=A))
    found = parse(packet(wrap(error), link_type))
    assert isinstance(found, IcmpError)
    assert found == parse(packet(error))


@each
def test_any_cut_gives_a_segment_or_nothing(name: str) -> None:
    link_type, wrap, _ = ENCAPSULATIONS[name]
    whole = wrap(PLAIN)
    damaged: list[object] = []
    for cut in range(len(whole)):
        found = parse(packet(whole[:cut], link_type, wire_length=len(whole)), damaged.append)
        assert found is None or (isinstance(found, Segment) and found.length == 5)
    assert damaged, "a cut header is told"


@pytest.mark.one_in(5)
@each
@settings(max_examples=20, deadline=None)
@given(st.data())
def test_any_bytes_give_a_segment_or_nothing(name: str, data: st.DataObject) -> None:
    link_type, wrap, _ = ENCAPSULATIONS[name]
    whole = bytearray(wrap(PLAIN))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    one = packet(bytes(whole), link_type)
    parse(one)
    assert carries_segment(one) is isinstance(parse(one), Segment)


def test_tunnels_in_tunnels_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def nested(count: int) -> bytes:
        inner = ipv4(tcp(payload=b"x"))
        for _ in range(count):
            inner = ipv4(inner, protocol=4, **OUTER)
        return ethernet(inner)

    assert len(parsed(nested(MAX_LAYERS - 1)).via) == MAX_LAYERS - 1
    assert parse(packet(nested(MAX_LAYERS))) is None
    assert parse(packet(nested(2_000))) is None
    monkeypatch.setattr(packets, "MAX_LAYERS", 3)
    assert parse(packet(nested(3))) is None


@pytest.mark.parametrize(
    "data",
    [
        ethernet(ipv4(udp(b"\0" * 60, 4789), protocol=UDP)),  # no VXLAN: the flag is not set
        ethernet(ipv4(udp(PLAIN, 53), protocol=UDP)),
        ethernet(ipv4(udp(b"\x50\xff" + bytes(6) + PLAIN[14:], 2152), protocol=UDP)),  # another version of GTP
        ethernet(ipv4(udp(b"\x30\x01" + bytes(6) + PLAIN[14:], 2152), protocol=UDP)),  # an echo request
        ethernet(ipv4(udp(b"\x40\0\x08\0" + bytes(4) + PLAIN[14:], 6081), protocol=UDP)),
        ethernet(ipv4(b"\0\x02\x08\0" + PLAIN[14:], protocol=47)),  # another version of GRE
        ethernet(b"\x12\0\0\x07\0\0\x00\x21" + PLAIN[14:], 0x8864),
        ethernet(b"\0\x01\x21\x40\x10\0\0\0" + PLAIN[14:], 0x8847),  # a channel of the pseudowire
    ],
)
def test_what_is_no_tunnel(data: bytes) -> None:
    assert parse(packet(data)) is None
    assert not carries_segment(packet(data))


def test_link_types_of_encapsulations_are_supported() -> None:
    assert all(is_supported(one.link_type) for one in ENCAPSULATIONS.values())
