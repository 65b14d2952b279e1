"""Where packets lie: whole records of a layout, one packet after the other, and their times."""

from __future__ import annotations

import pytest
from builders import B, enhanced, ethernet, ipv4, tcp
from prefilter_kit import layout

from dissector.limits import MAX_CAPTURED
from dissector.stream.link import ETHERNET
from dissector.stream.prefilter import PADDING
from dissector.stream.records import RecordLayout, RecordWalk

PLAIN = ethernet(ipv4(tcp(payload=b"hello")))


def test_a_packet_without_a_time_has_that_of_the_one_before() -> None:
    """Before the first time there is none that a source could tell."""
    walk = RecordWalk()

    def times(*given: int | None) -> tuple[list[int], tuple[int, int] | None]:
        walk.begin(PLAIN + PADDING)
        for time in given:
            walk.packet(time, ETHERNET, 0, len(PLAIN), len(PLAIN))
        located = walk.located()
        return list(located.times), located.span

    assert times() == ([], None)
    assert times(None, None) == ([0, 0], None)
    assert times(None, 7, None, 5, None) == ([0, 7, 7, 5, 5], (5, 7))
    assert times(None, 6) == ([5, 6], (5, 6))
    assert walk.latest == 6


def test_a_packet_without_a_time_has_that_of_the_one_before_it_in_the_block_before() -> None:
    walk = RecordWalk()
    for before in (0, 7):
        walk.begin(PLAIN + PADDING)
        walk.packet(before, ETHERNET, 0, len(PLAIN), len(PLAIN))
        walk.located()
        walk.begin(PLAIN + PADDING)
        walk.packet(None, ETHERNET, 0, len(PLAIN), len(PLAIN))
        assert list(walk.located().times) == [before]


def taken(data: bytes, one: RecordLayout, stop: int | None = None) -> tuple[int, list[int], list[int]]:
    """Where the records end that were taken; times and sizes of the packets."""
    walk = RecordWalk()
    walk.begin(data + PADDING)
    at = walk.records(0, len(data) if stop is None else stop, one)
    located = walk.located()
    sizes = [end - begin for begin, end in zip(located.begins, located.ends, strict=True)]
    assert located.links[1:] == []
    return at, list(located.times), sizes


def record(size: int = 60, time: int = 5, captured: int | None = None) -> bytes:
    words = (0, time, size if captured is None else captured, size)
    return b"".join(word.to_bytes(4, "big") for word in words) + bytes(size)


def test_whole_records_are_taken() -> None:
    data = record(60) + record(0, 6) + record(70, 7)
    for stop, count in ((len(data), 3), (len(data) - 1, 2), (92, 2), (91, 1), (76, 1), (75, 0), (0, 0)):
        assert taken(data, layout(), stop)[1:] == ([5, 6, 7][:count], [60, 0, 70][:count])
        assert taken(data, layout(), stop)[0] == [0, 76, 92, len(data)][count]


def test_a_record_may_be_so_long() -> None:
    assert taken(record() + record(MAX_CAPTURED), layout())[2] == [60, MAX_CAPTURED]
    assert taken(record() + record(MAX_CAPTURED + 1), layout())[0] == 76
    assert taken(record() + record(60, captured=0xFFFF_FFFF), layout())[0] == 76


ONE, TWO = object(), object()
PCAPNG = RecordLayout("<IIIIIII", 28, ETHERNET, 3 << 32, 3, 1_000, 6, [ONE, TWO, ONE], ONE)
BLOCK = enhanced(PLAIN, 2)
ODD = bytes([BLOCK[4] + 1, 0, 0, 0])


@pytest.mark.parametrize(
    ("block", "is_taken"),
    [
        (BLOCK, True),
        (enhanced(PLAIN, 2, 2), True),
        (enhanced(PLAIN, 2, 1), False),
        (enhanced(PLAIN, 2, 3), False),
        (b"\x02" + BLOCK[1:], False),
        (b"\x0a" + BLOCK[1:], False),
        (BLOCK[:4] + bytes(4) + BLOCK[8:], False),
        (BLOCK[:4] + bytes([BLOCK[4] - 4]) + BLOCK[5:], False),
        (BLOCK[:4] + ODD + BLOCK[8:-4] + b"\0" + ODD, False),
        (BLOCK[:-4] + bytes(4), False),
        (BLOCK[:20] + (len(PLAIN) + 4).to_bytes(4, "little") + BLOCK[24:], False),
        (BLOCK[:-1], False),
    ],
)
def test_which_blocks_of_pcapng_are_taken(block: bytes, is_taken: bool) -> None:
    """What is of another interface, of another kind, too short, cut, or contradicts itself is left to the reader."""
    first = enhanced(B.encode(), (1 << 32) + 1)
    at, times, _ = taken(first + block, PCAPNG)
    assert times == [1_000 + 3 * ((1 << 32) + 1), 1_006][: 1 + is_taken]
    assert at == len(first) + len(block) * is_taken
