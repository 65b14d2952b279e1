"""Records of TLS from any pieces of a stream: whole ones, those with holes, and what is none."""

from __future__ import annotations

import pytest

from dissector.stream.tls_records import FramedRecord, RecordFramer, Span
from dissector.traffic import Chunk, Gap, Side

LONGEST = (1 << 14) + 2_048


def record(body: bytes, kind: int = 23, version: int = 0x0303) -> bytes:
    return bytes([kind]) + version.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body


ONE, TWO, THREE = record(b"one"), record(b"second", 22, 0x0301), record(b"", 20)
ALL = ONE + TWO + THREE


def fed(framer: RecordFramer, *pieces: bytes, offset: int = 0, number: int = 1) -> list[FramedRecord]:
    found = []
    for piece in pieces:
        found += framer.feed(Chunk(Side.CLIENT, offset, piece, number, 100 * number))
        offset, number = offset + len(piece), number + 1
    return found


def hole(framer: RecordFramer, size: int) -> None:
    framer.gap(Gap(Side.CLIENT, 0, size, 9, 900))


def bodies(found: list[FramedRecord]) -> list[bytes]:
    return [one.body for one in found]


def test_what_a_record_says() -> None:
    first, second, third = fed(RecordFramer(), ALL, offset=1_000, number=7)
    assert first == FramedRecord(23, 0x0303, b"one", 1_000, (Span(8, 7, 700),), False)
    assert second == FramedRecord(22, 0x0301, b"second", 1_008, (Span(11, 7, 700),), False)
    assert third == FramedRecord(20, 0x0303, b"", 1_019, (Span(5, 7, 700),), False)
    assert third.last == Span(5, 7, 700)


@pytest.mark.parametrize("size", range(1, len(ALL)))
def test_any_pieces_give_the_same_records_and_the_packets_that_carried_them(size: int) -> None:
    pieces = [ALL[at : at + size] for at in range(0, len(ALL), size)]
    found = fed(RecordFramer(), *pieces)
    assert [one[:4] for one in found] == [one[:4] for one in fed(RecordFramer(), ALL)]
    for one in found:
        begin, end = one.offset, one.offset + 5 + len(one.body)
        numbers = range(begin // size, (end - 1) // size + 1)
        expected = tuple(Span(min((n + 1) * size, end) - begin, n + 1, 100 * (n + 1)) for n in numbers)
        assert one.spans == expected
        assert one.last.number == (end - 1) // size + 1


@pytest.mark.parametrize(
    ("header", "is_record"),
    [
        (b"\x14\3\0", True),
        (b"\x17\3\4", True),
        (b"\x18\3\3", True),
        (b"\x13\3\3", False),
        (b"\x19\3\3", False),
        (b"\x17\2\3", False),
        (b"\x17\4\3", False),
        (b"\x17\3\5", False),
    ],
)
def test_what_is_no_record_breaks_the_stream(header: bytes, is_record: bool) -> None:
    framer = RecordFramer()
    assert bodies(fed(framer, header + b"\0\1x")) == ([b"x"] if is_record else [])
    assert framer.broken is not is_record
    assert bodies(fed(framer, ONE, offset=6)) == ([b"one"] if is_record else [])


@pytest.mark.parametrize(("size", "is_record"), [(LONGEST, True), (LONGEST + 1, False), (0, True), (256, True)])
def test_the_longest_record(size: int, is_record: bool) -> None:
    framer, data = RecordFramer(), record(bytes(size))
    assert framer.is_whole(Chunk(Side.CLIENT, 0, data, 1, 0)) is is_record
    assert bodies(fed(framer, data)) == ([bytes(size)] if is_record else [])


@pytest.mark.parametrize("data", [ONE[:-1], ONE + b"x", ONE[:4], b"", record(b"one", 22), record(b"", 23, 0x0203)])
def test_what_is_not_just_one_record_of_the_program(data: bytes) -> None:
    assert not RecordFramer().is_whole(Chunk(Side.CLIENT, 0, data, 1, 0))
    assert RecordFramer().is_whole(Chunk(Side.CLIENT, 0, ONE, 1, 0))
    assert RecordFramer().is_whole(Chunk(Side.CLIENT, 0, record(b""), 1, 0))


def test_a_whole_record_is_only_told_where_nothing_waits() -> None:
    chunk = Chunk(Side.CLIENT, 0, ONE, 1, 0)
    waiting, skipping, lost, unsure, broken = (RecordFramer() for _ in range(5))
    fed(waiting, ONE[:1])
    fed(skipping, ONE[:6])
    hole(skipping, 1)
    lost.lose()
    fed(unsure, ONE[:6])
    hole(unsure, 2)
    fed(broken, bytes(5))
    assert broken.broken
    for framer in (waiting, skipping, lost, unsure, broken, RecordFramer(lost=True)):
        assert not framer.is_whole(chunk)
    assert bodies(fed(unsure, ONE)) == [b"one"]
    assert unsure.is_whole(chunk)


@pytest.mark.parametrize("cut", range(5, 13))
@pytest.mark.parametrize("size", range(1, 8))
def test_a_hole_in_a_record_costs_that_record(cut: int, size: int) -> None:
    framer, data = RecordFramer(), record(b"12345678")
    assert fed(framer, ONE + data[:cut]) == fed(RecordFramer(), ONE + data[:cut])
    missing = min(size, len(data) - cut)
    hole(framer, missing)
    found = fed(framer, data[cut + missing :] + ONE + TWO, offset=100)
    assert bodies(found) == [b"one", b"second"]
    assert [one.unsure for one in found] == [True, False]
    assert [one.offset for one in found] == [100 + len(data) - cut - missing, 108 + len(data) - cut - missing]
    assert found[0].spans == (Span(8, 1, 100),)


@pytest.mark.parametrize("pieces", [(0, 2), (1, 2), (2, 3)])
def test_the_rest_of_a_record_with_a_hole_comes_in_pieces_and_has_another(pieces: tuple[int, int]) -> None:
    framer, data = RecordFramer(), record(b"12345678")
    fed(framer, data[:6])
    hole(framer, 1)
    first, second = pieces
    assert fed(framer, data[7 : 7 + first]) == []
    hole(framer, second - first)
    assert bodies(fed(framer, data[7 + second :] + ONE)) == [b"one"]


@pytest.mark.parametrize("cut", range(5))
def test_behind_a_hole_in_a_header_a_record_is_looked_for(cut: int) -> None:
    framer = RecordFramer()
    fed(framer, ONE + TWO[:cut])
    hole(framer, 1)
    found = fed(framer, TWO[cut + 1 :] + ONE + THREE, offset=50)
    assert bodies(found) == [b"one", b""]
    assert [one.unsure for one in found] == [True, False]
    assert found[0].offset == 50 + len(TWO) - cut - 1


def test_behind_a_hole_that_goes_beyond_a_record_the_next_one_is_looked_for() -> None:
    framer, data = RecordFramer(), record(b"12345678")
    fed(framer, data[:10])
    hole(framer, 4)
    assert not framer.is_whole(Chunk(Side.CLIENT, 0, ONE, 1, 0))
    assert bodies(fed(framer, b"xyz" + ONE + TWO)) == [b"one", b"second"]
    hole(framer, 1)
    assert bodies(fed(framer, b"xyz" + ONE)) == [b"one"]


@pytest.mark.parametrize("before", [b"", b"x", b"\x17\3\3\xff\xff", b"\x17\3\3\0\2", b"\x14\3\1\0\1zzz", b"\x17"])
def test_a_record_is_looked_for_in_the_middle_of_another(before: bytes) -> None:
    """Its length leads to another record."""
    framer = RecordFramer(lost=True)
    found = fed(framer, before + ONE + TWO)
    assert bodies(found) == [b"one", b"second"]
    assert [one.unsure for one in found] == [True, False]
    assert found[0].offset == len(before)


@pytest.mark.parametrize("more", [b"", b"x", b"xy"])
def test_a_record_that_leads_beyond_what_there_is_may_be_one(more: bytes) -> None:
    framer = RecordFramer(lost=True)
    assert bodies(fed(framer, b"zz" + ONE[: len(ONE) - len(more)], ONE[len(ONE) - len(more) :])) == [b"one"]


@pytest.mark.parametrize("piece", [b"\x17\3\3\0", b"\x17\3\3", b"\x17", b"abcd"])
def test_the_end_of_too_short_a_piece_is_kept(piece: bytes) -> None:
    framer = RecordFramer(lost=True)
    found = fed(framer, piece)
    rest = record(b"one")[len(piece) :] if piece[0] == 0x17 else ONE
    assert found == []
    assert bodies(fed(framer, rest, offset=len(piece))) == [b"one"]


def test_behind_a_hole_what_begins_with_no_header_is_looked_through() -> None:
    framer, data = RecordFramer(), record(b"12345678")
    fed(framer, data[:6])
    hole(framer, 7)
    assert fed(framer, b"not a record") == []
    assert not framer.broken
    assert bodies(fed(framer, ONE)) == [b"one"]


def test_nothing_comes_of_a_broken_stream() -> None:
    framer = RecordFramer()
    fed(framer, b"nonsense")
    hole(framer, 1)
    assert framer.broken
    assert fed(framer, ONE) == []
