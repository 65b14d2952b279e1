"""Which packets are plain: the few bytes that tell, each of them wrong once; and what a block counts."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from builders import A6, ACK, B6, FIN, ICMP6, RST, SYN, UDP, ethernet, extension, ipv4, ipv6, packet, tcp
from prefilter_kit import check, filtered, layout, plain

from benchmarks.encapsulations import ENCAPSULATIONS, OUTER, udp, vxlan
from dissector.model import CaptureInfo
from dissector.sources.tally import Tally
from dissector.stream.block import NO_PACKET, Stretch
from dissector.stream.prefilter import PADDING, Prefilter
from dissector.stream.records import RecordWalk
from dissector.traffic import Packet

PORTS = (40_000).to_bytes(2, "big") + (4_444).to_bytes(2, "big")
KEY = bytes([10, 1, 0, 1, 10, 1, 0, 2]) + PORTS
KEY6 = ip_address(A6).packed + ip_address(B6).packed + PORTS
PLAIN, PLAIN6 = ethernet(ipv4(tcp(payload=b"hello"))), ethernet(ipv6(tcp(payload=b"hello")), 0x86DD)
ETHERNET, RAW, RADIO = 1, 101, 105
#: What became of a packet: its key, or whether it has to be looked at.
OTHER, PASSED_OVER = "other", "passed over"


def verdict(data: bytes, before: bytes = PLAIN) -> bytes | str:
    """Of a packet behind one that is plain."""
    block = check([packet(before), packet(data)])
    return plain(block).get(1, OTHER if 1 in block.others else PASSED_OVER)


def four(body: bytes | None = None, **fields: object) -> bytes:
    return ethernet(ipv4(tcp() if body is None else body, **fields))  # type: ignore[arg-type]


def six(body: bytes | None = None, **fields: object) -> bytes:
    return ethernet(ipv6(tcp() if body is None else body, **fields), 0x86DD)  # type: ignore[arg-type]


NO_ROOM = tcp()[:12] + b"\x4f" + tcp()[13:]
VERDICTS: dict[str, tuple[bytes, bytes | str]] = {
    "another port": (four(tcp(dport=4_455)), KEY[:10] + (4_455).to_bytes(2, "big")),
    "no flag of fragments": (four(fragment=0), KEY),
    "first fragment": (four(fragment=0x2000), OTHER),
    "another fragment": (four(fragment=0x4001), OTHER),
    "the reserved flag": (four(fragment=0x8000), OTHER),
    "IP options": (four(options=bytes(4)), OTHER),
    "another version": (PLAIN[:14] + b"\x55" + PLAIN[15:], OTHER),
    "another type": (PLAIN[:12] + b"\x08\x06" + PLAIN[14:], OTHER),
    "no data": (four(total=40), KEY),
    "no room for TCP": (four(total=39), OTHER),
    "no length": (four(total=0), OTHER),
    "longest header": (four(tcp(options=bytes(40)), total=80), KEY),
    "no room for its options": (four(tcp(options=bytes(40)), total=79), OTHER),
    "TCP header too short": (four(NO_ROOM), OTHER),
    "cut behind TCP's header": (PLAIN[:54], KEY),
    "cut in TCP's header": (PLAIN[:53], OTHER),
    "UDP": (four(bytes(40), protocol=UDP), PASSED_OVER),
    "UDP with a port of tunnels": (four(udp(bytes(40), 4789), protocol=UDP), OTHER),
    "a fragment of UDP": (four(bytes(40), protocol=UDP, fragment=0x2000), OTHER),
    "ICMP": (four(bytes(40), protocol=1), OTHER),
    "OSPF": (four(bytes(40), protocol=89), PASSED_OVER),
    "IPv6: another port": (six(tcp(dport=4_455)), KEY6[:34] + (4_455).to_bytes(2, "big")),
    "IPv6: any traffic class": (PLAIN6[:14] + b"\x6f\xff\xff\xff" + PLAIN6[18:], KEY6),
    "IPv6: another version": (PLAIN6[:14] + b"\x70" + PLAIN6[15:], OTHER),
    "IPv6: extension": (six(extension(6, tcp()), following=60), OTHER),
    "IPv6: no data": (six(length=20), KEY6),
    "IPv6: no room for TCP": (six(length=19), OTHER),
    "IPv6: no length": (six(length=0), OTHER),
    "IPv6: longest header": (six(tcp(options=bytes(40)), length=60), KEY6),
    "IPv6: no room for its options": (six(tcp(options=bytes(40)), length=59), OTHER),
    "IPv6: TCP header too short": (six(NO_ROOM), OTHER),
    "IPv6: cut behind TCP's header": (PLAIN6[:74], KEY6),
    "IPv6: cut in TCP's header": (PLAIN6[:73], OTHER),
    "IPv6: UDP": (six(bytes(40), following=UDP), PASSED_OVER),
    "IPv6: UDP with a port of tunnels": (six(udp(bytes(40), 8472), following=UDP), OTHER),
    "IPv6: ICMP": (six(bytes(40), following=ICMP6), OTHER),
    "IPv4 with the type of IPv6": (PLAIN[:12] + b"\x86\xdd" + PLAIN[14:], KEY),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_which_packets_are_plain(name: str) -> None:
    data, expected = VERDICTS[name]
    assert verdict(data, PLAIN6 if name.startswith("IPv6:") else PLAIN) == expected


@pytest.mark.parametrize("one_by_one", [False, True])
def test_syns_are_noted(one_by_one: bool) -> None:
    flags = [SYN, ACK, SYN | ACK, FIN | ACK, RST]
    block = check([packet(four(tcp(flags=one))) for one in flags], one_by_one=one_by_one)
    (conversation,) = block.conversations
    assert (conversation.syns, conversation.places) == ([0, 2], [0, 2, 4, 6, 8])


def tagged(*tags: int, frame: bytes = PLAIN) -> Packet:
    """Tags with these priorities and networks."""
    return packet(frame[:12] + b"".join(b"\x81\0" + one.to_bytes(2, "big") for one in tags) + frame[12:])


def nested(*names: str, frame: bytes = PLAIN) -> Packet:
    for name in names:
        link_type, wrap, _ = ENCAPSULATIONS[name]
        frame = wrap(frame)
    return packet(frame, link_type)


def in_vxlan(network: int, frame: bytes = PLAIN) -> Packet:
    body = bytearray(vxlan(frame))
    body[12:15] = network.to_bytes(3, "big")
    return packet(ethernet(ipv4(bytes(body), protocol=UDP, **OUTER)))


ALIKE: dict[str, list[Packet]] = {
    "many networks": [tagged(1 << 13 | network) for network in range(1, 4_095, 13)],
    "every priority": [tagged(priority << 12 | 7) for priority in range(16)],
    "stacked": [tagged(one, one + 9) for one in range(60)],
    "VXLAN networks": [in_vxlan(network) for network in range(1, 9_000_000, 99_999)],
    "VXLAN in VXLAN": [nested("VXLAN", "VXLAN")] * 5,
    "both versions": [packet(PLAIN), packet(PLAIN6)] * 20,
    "eight shapes": [packet(PLAIN), packet(PLAIN6), tagged(1), tagged(1, 2), in_vxlan(1), nested("MPLS")] * 9,
    "cooked": [nested("Linux cooked v1"), nested("Linux cooked v2"), nested("Linux cooked v1", frame=PLAIN6)] * 5,
    "link types": [nested("raw"), packet(PLAIN), nested("BSD loopback"), nested("GRE"), nested("802.1Q", "GRE")] * 5,
    "tunnels": [nested(name) for name in ("PPPoE", "MPLS", "GRE", "VXLAN", "Geneve", "IP in IP", "VXLAN-GPE")] * 5,
    "tunnels behind tags": [nested(name, "802.1Q") for name in ("PPPoE", "MPLS", "GRE", "VXLAN", "Geneve")] * 5,
}


@pytest.mark.parametrize("name", ALIKE)
@pytest.mark.parametrize("one_by_one", [False, True])
def test_packets_of_several_shapes_by_turns(name: str, one_by_one: bool) -> None:
    packets = ALIKE[name]
    assert len(plain(check(packets, one_by_one=one_by_one))) == len(packets)


def test_one_shape_is_one_stretch() -> None:
    assert check(ALIKE["many networks"]).ip_offset == 18
    assert check([packet(PLAIN), *ALIKE["stacked"]]).stretches == [Stretch(0, ETHERNET, 14), Stretch(1, ETHERNET, 22)]


def test_shapes_are_known_in_the_next_block() -> None:
    """Also of packets of which the first one is met between others."""
    prefilter = Prefilter()
    filtered([packet(PLAIN), tagged(5), packet(PLAIN)], prefilter)
    for packets in ([tagged(6)] * 3, [packet(PLAIN), tagged(7)]):
        assert len(plain(filtered(packets, prefilter))) == len(packets)


def test_of_many_shapes_eight_are_kept_and_few_are_met() -> None:
    """Then packets that are none of them are looked at one by one."""
    deep = [packet(PLAIN)]
    for _ in range(9):
        deep.append(packet(deep[-1].data[:12] + b"\x81\0\0\1" + deep[-1].data[12:]))
    prefilter = Prefilter()
    for count in range(1, 600 // len(deep)):
        block = filtered(deep[1:] + deep[:1], prefilter)
        assert len(plain(block)) + len(block.others) == len(deep)
        if count == 20:
            assert not block.others
    assert len(block.others) > 0
    assert len(plain(block)) > 0


def test_a_packet_at_the_end_of_all_is_looked_at_beyond_its_end() -> None:
    deep = nested(*["VXLAN"] * 9)
    for size in range(len(deep.data), 0, -7):
        check([deep, deep._replace(data=deep.data[:size])])


# --- what a block counts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one_by_one", [False, True])
def test_times_and_lengths(one_by_one: bool) -> None:
    times = [50, 70, 30, 4_000_000_001, 60]
    packets = [packet(PLAIN, time=time, wire_length=len(PLAIN) + (time == 30) * 9) for time in times]
    block = filtered(packets, one_by_one=one_by_one)
    assert (list(block.times), block.ordered, block.span) == (times, False, (30, 4_000_000_001))
    assert (block.cut, block.segments) == ({2: len(PLAIN) + 9}, 5)
    block = filtered(sorted(packets, key=lambda one: one.time), one_by_one=one_by_one)
    assert (block.ordered, block.span) == (True, (30, 4_000_000_001))


@pytest.mark.parametrize("one_by_one", [False, True])
def test_packets_of_link_types_that_can_not_be_read_are_counted(one_by_one: bool) -> None:
    packets = [packet(PLAIN), packet(PLAIN, RADIO), packet(PLAIN, RADIO), packet(PLAIN, 4_711), nested("raw")]
    block = check(packets, one_by_one=one_by_one)
    assert (block.segments, plain(block)) == (2, {0: KEY, 4: KEY})
    tally = Tally(CaptureInfo("x"))
    tally.add(block)
    assert tally.unread == {RADIO: 2, 4_711: 1}
    many = [packet(b"x", 5_000 + at) for at in (*range(20), 0)]
    tally = Tally(CaptureInfo("x"))
    tally.add(check(many, one_by_one=one_by_one))
    assert tally.unread == {5_000 + at: 1 + (at == 0) for at in range(16)}


def test_records_that_are_no_packets_have_a_number_only() -> None:
    walk = RecordWalk()
    walk.begin(PLAIN + PADDING)
    walk.packet(5, ETHERNET, 0, len(PLAIN), len(PLAIN))
    walk.packet(None, NO_PACKET, 9, 9, 0)
    walk.packet(6, ETHERNET, 0, len(PLAIN), len(PLAIN))
    block = Prefilter().sort(walk.located())
    assert (block.segments, plain(block)) == (2, {0: KEY, 2: KEY})
    assert [one.number for one in block.packets()] == [1, 3]


def test_a_shape_without_packets_is_no_stretch_wherever_it_stands() -> None:
    walk = RecordWalk()
    walk.begin(PLAIN + PADDING)
    walk.packet(5, ETHERNET, 0, len(PLAIN), len(PLAIN))
    walk.records(0, 0, layout(RAW))
    walk.packet(6, RADIO, 0, 0, 0)
    block = Prefilter().sort(walk.located())
    assert [(one.first, one.link_type) for one in block.stretches] == [(0, ETHERNET), (1, RADIO)]
