"""Which packets are worth an object: the few bytes that tell, each of them wrong once, and the times that matter."""

from __future__ import annotations

import pytest
from builders import A6, ACK, FIN, RST, SYN, UDP, A, B, ethernet, ipv4, ipv6, tcp
from dissector.stream.sift import Sift

from dissector.model import CaptureInfo
from dissector.traffic import NEVER, Packet, Watch

KEY = bytes([10, 1, 0, 1, 10, 1, 0, 2]) + (40_000).to_bytes(2, "big") + (4_444).to_bytes(2, "big")
PLAIN = ethernet(ipv4(tcp(payload=b"hello")))
ETHERNET, RAW_IP = 1, 101


def info() -> CaptureInfo:
    return CaptureInfo("x")


def watch(now: int = 10, wake: int = 100, limit: int = NEVER) -> Watch:
    found = Watch({KEY})
    found.now, found.wake, found.limit = now, wake, limit
    return found


def passed(data: bytes, time: int = 50, watching: Watch | None = None, link_type: int = ETHERNET) -> list[Packet]:
    """What is left of one packet."""
    return list(Sift(info(), watching or watch()).feed([(time, link_type, data, len(data))]))


def test_a_packet_of_a_foreign_connection_is_counted_and_skipped() -> None:
    watching, sift = watch(), Sift(info(), watch(), before=7)
    sift.watch = watching
    assert list(sift.feed([(50, ETHERNET, PLAIN, len(PLAIN))])) == []
    assert (sift.info.packets, sift.info.tcp_segments, watching.now, sift.number) == (1, 1, 50, 8)


@pytest.mark.parametrize(("time", "skipped"), [(9, False), (10, True), (99, True), (100, False)])
def test_a_packet_is_due_that_is_older_than_the_last_or_as_old_as_wake(time: int, skipped: bool) -> None:
    assert (passed(PLAIN, time) == []) is skipped


@pytest.mark.parametrize(("time", "skipped"), [(59, True), (60, False), (61, False)])
def test_nothing_is_skipped_from_the_limit_on(time: int, skipped: bool) -> None:
    assert (passed(PLAIN, time, watch(limit=60)) == []) is skipped


@pytest.mark.parametrize("flags", [SYN, FIN | ACK, RST])
def test_what_begins_or_ends_a_foreign_connection_passes(flags: int) -> None:
    (found,) = passed(ethernet(ipv4(tcp(flags=flags))))
    assert found.key == KEY


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (ethernet(ipv4(tcp(dport=4_455))), KEY[:10] + (4_455).to_bytes(2, "big")),
        (ethernet(ipv4(tcp(), fragment=0)), "skipped"),
        (ethernet(ipv4(tcp(), fragment=0x2000)), None),
        (ethernet(ipv4(tcp(), fragment=0x4001)), None),
        (ethernet(ipv4(tcp(), options=bytes(4))), None),
        (ethernet(ipv4(tcp()), tags=[0x8100]), None),
        (ethernet(ipv6(tcp(), src=A6)), None),
        (ethernet(ipv4(tcp(), total=40)), "skipped"),
        (ethernet(ipv4(tcp(), total=39)), None),
        (ethernet(ipv4(tcp(options=bytes(40)), total=80)), "skipped"),
        (ethernet(ipv4(tcp(options=bytes(40)), total=79)), None),
        (ethernet(ipv4(tcp()[:12] + b"\x4f" + tcp()[13:])), None),
        (ethernet(ipv4(tcp()))[:54], "skipped"),
        (ethernet(ipv4(tcp()))[:53], None),
        (ethernet(ipv4(bytes(40), protocol=UDP)), "skipped"),
        (ethernet(ipv4(bytes(40), protocol=1)), None),
    ],
)
def test_which_packets_are_plain(data: bytes, key: bytes | str | None) -> None:
    found = passed(data)
    assert (found[0].key if found else "skipped") == key


def test_what_is_neither_tcp_nor_icmp_counts_as_no_segment() -> None:
    sift = Sift(info(), watch())
    assert list(sift.feed([(50, ETHERNET, ethernet(ipv4(bytes(40), protocol=UDP)), 74)])) == []
    assert (sift.info.packets, sift.info.tcp_segments) == (1, 0)


def test_without_watch_every_packet_passes_without_a_key() -> None:
    sift = Sift(info(), before=3)
    found = list(sift.feed([(5, ETHERNET, PLAIN, 99), (6, RAW_IP, ipv4(tcp(), A, B), 40)]))
    assert [(one.number, one.time, one.key, one.wire_length) for one in found] == [(4, 5, None, 99), (5, 6, None, 40)]
    assert (sift.info.tcp_segments, sift.info.link_type) == (2, "Ethernet, Raw IP")


def test_only_ethernet_is_looked_at() -> None:
    assert [one.key for one in passed(PLAIN, link_type=113)] == [None]


def test_the_first_and_the_last_time_are_the_earliest_and_the_latest() -> None:
    sift = Sift(info())
    for time in (50, 70, 30, 40, 60):
        list(sift.feed([(time, ETHERNET, PLAIN, len(PLAIN))]))
    assert (sift.info.first, sift.info.last) == (30, 70)
