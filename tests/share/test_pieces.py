"""Messages of a capture that is redacted, in little room."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissector.model import LogLine
from dissector.share import pieces
from dissector.share.pieces import Deflated, MessagePiece, Pieces
from dissector.share.redact import LogShape


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=30), st.randoms())
def test_what_was_packed_is_read_in_any_order(parts: list[bytes], random: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces.Deflated, "_BLOCK", 16)
        packed, begin, places = Deflated(), 0, []
        for part in parts:
            end = packed.add(part)
            assert end == begin + len(part)
            places.append((begin, end, part))
            begin = end
        random.shuffle(places)  # type: ignore[attr-defined]
        assert all(packed.read(begin, end) == part for begin, end, part in places)


def piece(number: int, *, clean: bytes | None = None, bare: bytes | None = None) -> MessagePiece:
    raw = b"log line %09d of a job that says much, and the like of it again and again" % number
    return MessagePiece(number, 2 * number, 4, raw, clean or raw, [(0, 3), (9, 18)], bare)


def test_pieces_come_by_their_numbers_as_they_were() -> None:
    found, known = Pieces(), [piece(2, bare=b"bare"), piece(3, clean=b"clean"), piece(1)]
    for one in known:
        found.add(one)
    assert list(found) == sorted(known)


def test_a_message_needs_less_room_than_its_bytes() -> None:
    found = Pieces()
    tracemalloc.start()
    try:
        for number in range(5_000):
            found.add(piece(number))
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert used < 75 * 5_000
    assert next(iter(found)) == piece(0)


def test_of_a_log_a_sum_is_kept() -> None:
    def shape(*lines: LogLine) -> LogShape:
        log = LogShape()
        for line in lines:
            log.append(line)
        return log

    line = LogLine(1, "info", "text", 7)
    assert str(shape(line)) == str(shape(line._replace(text="bcdf", packet=8)))
    changed = line._replace(time=2), line._replace(level="warn"), line._replace(text="longer")
    others = [shape(), shape(line, line), *map(shape, changed)]
    assert len({str(shape(line)), *map(str, others)}) == 6
    assert (len(shape(line, line)), list(shape(line))) == (2, [])
    assert str(shape(line)).startswith("1 line of sum ")
