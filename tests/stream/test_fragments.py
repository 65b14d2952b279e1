"""Datagrams from their fragments: in any order, once, and not for ever; every bound from both sides."""

from __future__ import annotations

import pytest
from builders import A6, B6, ICMP, SECOND, UDP, A, B, ethernet, fragment_header, ipv4, ipv6, packet, tcp

from dissector.stream.fragments import Datagrams
from dissector.stream.packets import parse
from dissector.traffic import Fragment, Packet, Segment

MS = 1_000_000
PAYLOAD = bytes(range(256)) * 4
WHOLE = tcp(seq=7, payload=PAYLOAD)  # 1,044 bytes


class Run:
    """Fragments one after the other, 1 ms apart."""

    def __init__(self) -> None:
        self.lost: list[Fragment] = []
        self.datagrams = Datagrams(self.lost.append)
        self.number = 0
        self.time = 0

    def send(self, data: bytes, after: int = MS, length: int | None = None) -> Segment | None:
        self.number += 1
        self.time += after
        found = self.datagrams.parse(packet(data, number=self.number, time=self.time, wire_length=length))
        assert found is None or isinstance(found, Segment)
        return found

    def part(self, low: int, high: int, *, ident: int = 9, more: bool = True, **others: int) -> Segment | None:
        return self.send(fragment(WHOLE[low:high], low, ident=ident, more=more), **others)


def fragment(data: bytes, offset: int, *, ident: int = 9, more: bool = True, protocol: int = 6) -> bytes:
    return ethernet(ipv4(data, fragment=0x2000 * more | offset // 8, ip_id=ident, ttl=61, protocol=protocol))


def test_a_datagram_is_the_packet_that_completed_it() -> None:
    run = Run()
    assert run.part(0, 400) is None
    assert run.part(400, 800) is None
    found = run.part(800, 1_044, more=False)
    assert found is not None
    assert (found.number, found.time, found.payload, found.length) == (3, 3 * MS, PAYLOAD, 1_024)
    assert (found.seq, found.ttl, found.ip_id) == (7, 61, 9)
    assert run.datagrams.numbers == [1, 2, 3]
    assert run.lost == []


@pytest.mark.parametrize("order", [(2, 0, 1), (1, 2, 0), (2, 1, 0)])
def test_in_any_order(order: tuple[int, ...]) -> None:
    parts = [(0, 400), (400, 800), (800, 1_044)]
    run = Run()
    found = [run.part(*parts[index], more=index < 2) for index in order]
    assert [one.payload if one else None for one in found] == [None, None, PAYLOAD]


def test_of_ipv6() -> None:
    run = Run()
    assert run.send(ethernet(ipv6(fragment_header(6, WHOLE[:800], more=True), following=44), 0x86DD)) is None
    found = run.send(ethernet(ipv6(fragment_header(6, WHOLE[800:], offset=100), following=44), 0x86DD))
    assert found is not None
    assert (found.payload, found.src) == (PAYLOAD, parse_src(A6))
    assert B6


def parse_src(text: str) -> bytes:
    found = parse(packet(ethernet(ipv6(WHOLE, src=text), 0x86DD)))
    assert isinstance(found, Segment)
    return found.src


def test_datagrams_do_not_mix() -> None:
    run = Run()
    run.part(0, 800)
    run.part(0, 800, ident=10)
    run.send(ethernet(ipv4(WHOLE[800:], A, "10.1.0.3", fragment=100, ip_id=9)))
    run.send(ethernet(ipv4(WHOLE[800:], "10.1.0.3", B, fragment=100, ip_id=9)))
    run.send(ethernet(ipv4(WHOLE[800:], fragment=100, ip_id=9, protocol=ICMP)))
    assert run.part(800, 1_044, more=False) is not None
    assert run.part(800, 1_044, ident=10, more=False) is not None


def test_a_fragment_that_comes_again_changes_nothing() -> None:
    run = Run()
    run.part(0, 800)
    run.part(0, 800)
    assert run.part(800, 1_044, more=False) is not None
    assert run.datagrams.numbers == [1, 3]


@pytest.mark.parametrize(("later", "begins_anew"), [(50 * MS, False), (50 * MS + 1, True)])
def test_how_soon_a_second_capture_of_a_whole_datagram_comes(later: int, begins_anew: bool) -> None:
    run = Run()
    run.part(0, 800)
    run.part(800, 1_044, more=False)
    run.part(0, 800, after=later)
    run.datagrams.finish()
    assert [one.number for one in run.lost] == ([3] if begins_anew else [])


@pytest.mark.parametrize(
    "parts",
    [
        [(0, 400), (392, 800), (800, 1_044)],
        [(0, 800), (0, 400), (800, 1_044)],
        [(0, 396), (400, 800), (800, 1_044)],
    ],
)
def test_fragments_that_overlap_or_are_no_multiple_of_eight_make_none(parts: list[tuple[int, int]]) -> None:
    run = Run()
    assert [run.part(*part, more=part[1] < 1_044) for part in parts] == [None] * 3
    run.datagrams.finish()
    assert [one.number for one in run.lost] == [1]


def test_a_fragment_that_was_cut_makes_none() -> None:
    run = Run()
    data = fragment(WHOLE[:800], 0)
    run.send(data[:-1], length=len(data))
    assert run.part(800, 1_044, more=False) is None


@pytest.mark.parametrize(("size", "is_whole"), [(65_515, True), (65_523, False)])
def test_how_long_a_datagram_may_be(size: int, is_whole: bool) -> None:
    """With its header it takes 65,535 bytes at most."""
    run = Run()
    data = tcp(payload=bytes(size - 20))
    for low in range(0, 65_504, 8_188 * 8):
        assert run.send(fragment(data[low : low + 8_188 * 8][:65_504], low)) is None
    assert (run.send(fragment(data[65_504:], 65_504, more=False)) is not None) is is_whole


@pytest.mark.parametrize(("later", "lost"), [(30 * SECOND - 1, 0), (30 * SECOND, 1)])
def test_how_long_the_rest_is_waited_for(later: int, lost: int) -> None:
    run = Run()
    run.part(0, 800)
    run.part(0, 800, ident=10, after=later)
    assert len(run.lost) == lost


@pytest.mark.parametrize(("number", "lost"), [(3, []), (4, [1])])
def test_how_many_datagrams_may_be_unfinished(number: int, lost: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.stream.fragments.MAX_FRAGMENTED", 3)
    run = Run()
    for ident in range(number):
        run.part(0, 800, ident=ident)
    assert [one.number for one in run.lost] == lost


@pytest.mark.parametrize(("size", "lost"), [(400, []), (408, [1])])
def test_how_many_bytes_of_them_are_kept(size: int, lost: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.stream.fragments.MAX_FRAGMENT_BYTES", 1_200)
    run = Run()
    run.part(0, 800, ident=5)
    run.part(800, 1_044, ident=5, more=False)
    run.part(0, 800)
    run.part(800, 800 + 8)
    run.part(0, size - 8, ident=10)
    assert [one.number for one in run.lost] == [number + 2 for number in lost]


def test_a_datagram_of_udp_is_no_loss() -> None:
    run = Run()
    run.send(fragment(bytes(800), 0, protocol=UDP))
    run.datagrams.finish()
    assert run.lost == []


def test_what_is_no_fragment_is_as_it_is() -> None:
    plain: Packet = packet(ethernet(ipv4(WHOLE)), number=4)
    assert Run().datagrams.whole(plain) == (plain, parse(plain))
