"""Packets written anew: every place of an address, right checksums, the same lengths."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from builders import A6, ACK, B6, ICMP, ICMP6, A, B, ethernet, extension, ipv4, ipv6, packet, tcp

from benchmarks.encapsulations import ENCAPSULATIONS, OUTER, OUTER6
from dissector.share.addresses import AddressMap
from dissector.share.headers import addresses_of, checksum, rewritten, without_names
from dissector.stream.packets import parse
from dissector.traffic import Segment

ENDS = [ip_address(text).packed for text in (A, B, A6, B6, "10.1.0.254", "10.66.66.66")]
TABLE = AddressMap(b"key", ENDS)
PAYLOAD = b"hello, world"


def written(data: bytes, link_type: int = 1) -> bytes:
    new = rewritten(packet(data, link_type), TABLE, lambda _key, _seq, _flags, size: b"x" * size)
    assert len(new) == len(data)
    assert all(address not in new for address in ENDS)
    return new


def pseudo(ip: bytes, protocol: int) -> bytes:
    size = 4 if ip[0] >> 4 == 4 else 16
    ends, at = (ip[12:20], 20) if size == 4 else (ip[8:40], 40)
    return ends + struct.pack(">II", len(ip) - at, protocol)


def test_ipv4() -> None:
    new = written(ethernet(ipv4(tcp(payload=PAYLOAD))))[14:]
    assert checksum(new[:20]) == 0
    assert checksum(pseudo(new, 6) + new[20:]) == 0
    record = parse(packet(ethernet(new)))
    assert isinstance(record, Segment)
    assert (record.src, record.dst) == (TABLE.ip(ENDS[0]), TABLE.ip(ENDS[1]))
    assert record.payload == b"x" * len(PAYLOAD)


@pytest.mark.parametrize("tags", [(), (0x8100,), (0x88A8, 0x8100)])
def test_vlans(tags: tuple[int, ...]) -> None:
    old = ethernet(ipv4(tcp()), tags=tags)
    new = written(old)
    assert new[12 : 14 + 4 * len(tags)] == old[12 : 14 + 4 * len(tags)]


def test_ipv6_with_extension_headers() -> None:
    hops = extension(43, extension(6, tcp(payload=PAYLOAD), 24))
    new = written(ethernet(ipv6(hops, following=0), 0x86DD))[14:]
    inner = new[40 + 8 + 24 :]
    assert checksum(new[8:40] + struct.pack(">II", len(inner), 6) + inner) == 0
    assert parse(packet(ethernet(new, 0x86DD))) is not None


def test_a_record_of_the_route_goes() -> None:
    route = b"\x07\x0b\x08" + ip_address("10.66.66.66").packed + ip_address("10.66.66.66").packed + b"\0"
    new = written(ethernet(ipv4(tcp(), options=route)))
    assert new[34:46] == b"\x01" * 12
    assert checksum(new[14:46]) == 0


def test_multipath_options_go_and_others_stay() -> None:
    options = b"\x1e\x08\x30\x01" + ip_address("10.66.66.66").packed + b"\x02\x04\x05\xb4"
    new = written(ethernet(ipv4(tcp(options=options))))
    assert new[54:66] == b"\x01" * 8 + b"\x02\x04\x05\xb4"


def test_padding_goes() -> None:
    new = written(ethernet(ipv4(tcp())) + ip_address("10.66.66.66").packed + b"!!")
    assert new[-6:] == bytes(6)


@pytest.mark.parametrize("size", [8, 20, 40])
def test_what_an_error_quotes(size: int) -> None:
    quoted = ipv4(tcp(payload=PAYLOAD, flags=ACK))[: 20 + size]
    new = written(ethernet(ipv4(struct.pack(">BBHI", 3, 1, 0, 0) + quoted, "10.1.0.254", A, ICMP)))[14:]
    assert checksum(new[:20]) == checksum(new[20:]) == checksum(new[28:48]) == 0
    assert parse(packet(ethernet(new))) is not None
    assert PAYLOAD[:4] not in new


def test_what_an_icmpv6_error_quotes() -> None:
    quoted = ipv6(tcp(payload=PAYLOAD))
    new = written(ethernet(ipv6(struct.pack(">BBHI", 1, 1, 0, 0) + quoted, B6, A6, ICMP6), 0x86DD))[14:]
    assert checksum(pseudo(new, ICMP6) + new[40:]) == 0
    assert PAYLOAD not in new


def test_cooked_captures() -> None:
    mac = bytes.fromhex("02420a320101")
    for link_type, head in (
        (113, b"\0\0\0\x01\0\x06" + mac + b"\0\0\x08\0"),
        (276, b"\x08\0\0\0\0\0\0\x02\0\x01\0\x06" + mac + b"\0\0"),
    ):
        new = written(head + ipv4(tcp()), link_type)
        assert mac not in new
        assert parse(packet(new, link_type)) is not None


def test_raw_ip() -> None:
    assert checksum(written(ipv4(tcp()), 101)[:20]) == 0


@pytest.mark.parametrize("name", ENCAPSULATIONS)
def test_every_layer_of_a_tunnel(name: str) -> None:
    """Addresses of all IP headers and of all frames; checksums that were there are right again."""
    link_type, wrap, _ = ENCAPSULATIONS[name]
    outer = [ip_address(str(text)).packed for ends in (OUTER, OUTER6) for text in ends.values()]
    plain = without_names(packet(wrap(ethernet(ipv4(tcp(payload=PAYLOAD)))), link_type))
    assert addresses_of(plain) <= {*ENDS, *outer}
    table = AddressMap(b"key", [*ENDS, *outer])
    new = rewritten(plain, table, lambda _key, _seq, _flags, size: b"x" * size)
    assert len(new) == len(plain.data) == plain.wire_length
    frames = [b"\x02\0\0\0\0\x02", b"\x02\0\0\0\0\x01"]
    assert not [address for address in (*ENDS, *outer, *frames) if address in new]
    record = parse(plain._replace(data=new))
    assert isinstance(record, Segment)
    assert (record.src, record.dst, record.payload) == (table.ip(ENDS[0]), table.ip(ENDS[1]), b"x" * len(PAYLOAD))


def test_the_checksum_of_an_outer_udp_header() -> None:
    inner = b"\x08\0\0\0\0\0\x2a\0" + ethernet(ipv4(tcp(payload=PAYLOAD)))
    for unused in (True, False):
        head = struct.pack(">HHHH", 40_001, 4_789, 8 + len(inner), 0 if unused else 0xBEEF)
        new = written(ethernet(ipv4(head + inner, protocol=17)))[14:]
        assert checksum(new[:20]) == 0
        if unused:
            assert new[26:28] == b"\0\0"
        else:
            assert checksum(pseudo(new, 17) + new[20:]) == 0
