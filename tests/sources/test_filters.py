"""What the kernel lets through to a live capture: the filter runs on packets that go through a pair of sockets."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from builders import ethernet, ipv4, ipv6, tcp

from benchmarks.encapsulations import ENCAPSULATIONS, OUTER, OUTER6, udp, vxlan
from benchmarks.packets import UDP
from dissector.errors import UsageError
from dissector.sources.filters import _ETHERTYPES, attach, carrier_filter, port_filter
from dissector.stream import layers, tunnels
from dissector.stream.link import ETHERNET

Passes = Callable[..., bool]
TASK = ethernet(ipv4(tcp(dport=4444)))
TASK6 = ethernet(ipv6(tcp(dport=4444)), 0x86DD)
ICMP = 1


@pytest.fixture
def passes() -> Passes:
    def run(frame: bytes, narrow: str | None = None) -> bool:
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with near, far:
            text = f"{port_filter((4444, 4445), (50_000, 59_999))} or {carrier_filter()}"
            attach(far, text, narrow, ETHERNET)
            near.send(frame)
            far.setblocking(False)
            try:
                return far.recv(65_536) == frame
            except BlockingIOError:
                return False

    return run


def test_the_filter_s_words() -> None:
    text = port_filter((4444, 4445), (50_000, 59_999))
    assert text.startswith("(tcp and (port 4444 or port 4445 or portrange 50000-59999)) or (icmp and ")


@pytest.mark.parametrize("name", [name for name, one in ENCAPSULATIONS.items() if one.link_type == ETHERNET])
@pytest.mark.parametrize("plain", [TASK, TASK6])
def test_encapsulations_pass(name: str, plain: bytes, passes: Passes) -> None:
    assert passes(ENCAPSULATIONS[name].wrap(plain))


@pytest.mark.parametrize("tags", [(), (0x8100,), (0x88A8, 0x8100), (0x88A8, 0x8100, 0x9100)])
@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (ipv4(tcp(dport=4444)), True),
        (ipv4(tcp(sport=4445)), True),
        (ipv4(tcp(dport=50_000)), True),
        (ipv4(tcp(dport=59_999)), True),
        (ipv4(tcp(sport=40_000, dport=4443)), False),
        (ipv4(tcp(sport=40_000, dport=49_999)), False),
        (ipv4(tcp(sport=40_000, dport=60_000)), False),
        (ipv4(b"\x03\x01" + bytes(30), protocol=ICMP), True),
        (ipv4(b"\x0b\x00" + bytes(30), protocol=ICMP), True),
        (ipv4(b"\x08\x00" + bytes(30), protocol=ICMP), False),
        (ipv4(udp(bytes(40), 53), protocol=UDP), False),
        (ipv4(udp(bytes(40), 4444), protocol=UDP), False),
        (ipv4(vxlan(TASK), protocol=UDP, **OUTER), True),
        (ipv4(vxlan(TASK, 8472), protocol=UDP, **OUTER), True),
        (ipv4(vxlan(TASK, 8473), protocol=UDP, **OUTER), False),
        (ipv4(bytes(40), protocol=89), False),
    ],
)
def test_what_passes_with_and_without_tags(
    tags: tuple[int, ...], payload: bytes, expected: bool, passes: Passes
) -> None:
    assert passes(ethernet(payload, tags=tags)) is expected


@pytest.mark.parametrize(
    ("fragment", "expected"), [(0x2000, True), (0x0001, True), (0x3FFF, True), (0x4000, False), (0, False)]
)
def test_fragments_pass(fragment: int, expected: bool, passes: Passes) -> None:
    assert passes(ethernet(ipv4(bytes(40), protocol=UDP, fragment=fragment))) is expected


@pytest.mark.parametrize(("following", "expected"), [(0, True), (43, True), (44, True), (60, True), (89, False)])
def test_extension_headers_of_ipv6_pass(following: int, expected: bool, passes: Passes) -> None:
    assert passes(ethernet(ipv6(bytes(40), following=following), 0x86DD)) is expected


@pytest.mark.parametrize(("kind", "expected"), [(0, False), (1, True), (3, True), (4, False), (128, False)])
def test_errors_of_icmpv6_pass(kind: int, expected: bool, passes: Passes) -> None:
    assert passes(ethernet(ipv6(bytes([kind]) + bytes(60), following=58), 0x86DD)) is expected


@pytest.mark.parametrize(
    "frame",
    [
        ethernet(ipv4(bytes(40), protocol=50)),
        ethernet(ipv4(bytes(40), protocol=115)),
        *(ethernet(ipv4(udp(bytes(40), port), protocol=UDP)) for port in tunnels.SEALED_PORTS),
        ethernet(b"\x0c" + bytes(40), 0x88E5),
        ethernet(bytes(46), 0x0806),
        ethernet(b"\x42\x42\x03" + bytes(40), 0x0026),
    ],
)
def test_what_can_not_be_read_stays_out(frame: bytes, passes: Passes) -> None:
    assert not passes(frame)


def test_every_tunnel_that_is_read_is_let_through(passes: Passes) -> None:
    """Ethernet types, protocols and ports that ``layers`` comes to know."""
    ends_of_tags = {0x8100, 0x88A8, 0x9100}
    inside_of_gre, macsec = {0x880B, 0x6558}, {0x88E5}
    known = {kind for kind in layers.LAYERS if kind > 0x600}
    assert known == {*_ETHERTYPES, *ends_of_tags, *inside_of_gre, *macsec}
    for protocol in tunnels.BY_PROTOCOL:
        is_read = protocol not in tunnels.SEALED_PROTOCOLS
        assert passes(ethernet(ipv4(bytes(40), protocol=protocol))) is is_read
        assert passes(ethernet(ipv6(bytes(40), following=protocol), 0x86DD)) is is_read
    for port in tunnels.BY_PORT:
        is_read = port not in tunnels.SEALED_PORTS
        assert passes(ethernet(ipv4(udp(bytes(40), port), protocol=UDP))) is is_read
        assert passes(ethernet(ipv6(udp(bytes(40), port), following=UDP), 0x86DD)) is is_read


def test_vxlan_on_other_ports(passes: Passes) -> None:
    frames = [ethernet(ipv4(udp(bytes(40), port), protocol=UDP)) for port in (9999, 1194)]
    assert [passes(frame) for frame in frames] == [False, False]
    tunnels.expect_vxlan([9999, 1194])
    try:
        assert [passes(frame) for frame in frames] == [True, True]
    finally:
        tunnels.expect_vxlan([])


@pytest.mark.parametrize("tags", [(), (0x8100,), (0x88A8, 0x8100)])
def test_a_narrow_filter_sees_the_outermost_ip_header(tags: tuple[int, ...], passes: Passes) -> None:
    task = ethernet(ipv4(tcp(dport=4444), src="10.0.0.7"), tags=tags)
    assert passes(task, "host 10.0.0.7")
    assert not passes(task, "host 10.0.0.8")
    tunnel = ethernet(ipv4(vxlan(task), protocol=UDP, **OUTER), tags=tags)
    assert not passes(tunnel, "host 10.0.0.7")
    assert passes(tunnel, f"host 10.0.0.7 or host {OUTER['src']}")
    assert passes(ethernet(ipv6(vxlan(task), following=UDP, **OUTER6), 0x86DD, tags), f"host {OUTER6['dst']}")


@pytest.mark.parametrize(
    ("tags", "narrow", "expected"),
    [
        ((0x8100,), "vlan", True),
        ((0x8100,), "vlan 100", True),
        ((0x8100,), "vlan 101", False),
        ((0x8100,), "vlan 100 and host 10.1.0.1", True),
        ((0x8100,), "vlan 100 and host 10.1.0.3", False),
        ((0x8100,), "not vlan", False),
        ((0x88A8, 0x8100), "vlan 100 and vlan 100 and tcp port 4444", True),
        ((), "vlan", False),
        ((), "not vlan", True),
        ((), "host 10.1.0.1 or vlan 100", True),
    ],
)
def test_a_narrow_filter_about_tags(tags: tuple[int, ...], narrow: str, expected: bool, passes: Passes) -> None:
    """Here the tags are in the bytes, as in packets that this host sends."""
    assert passes(ethernet(ipv4(tcp(dport=4444)), tags=tags), narrow) is expected
    assert not passes(ethernet(ipv4(tcp(dport=80, sport=40_000)), tags=tags), narrow), "what is none of ours stays out"


@pytest.mark.parametrize("place", [14, 15])
def test_bytes_of_a_tag_can_not_be_asked_for(place: int, passes: Passes) -> None:
    """The number can: it is where the kernel has put the tag."""
    if place == 14:
        assert passes(ethernet(ipv4(tcp(dport=4444)), tags=(0x8100,)), "vlan and ether[14:2] & 0xfff == 100")
        return
    with pytest.raises(UsageError, match="by vlan and its number only"):
        passes(TASK, f"vlan and ether[{place}] == 100")


def test_long_packets_are_whole(passes: Passes) -> None:
    assert passes(ethernet(ipv4(tcp(dport=4444, payload=bytes(60_000)))))
