"""Records of TLS one by one, with an opener made here: what is missing, which packet carried what, what is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from parts import HERE, THERE, connection

from dissector.session.tls import Tls
from dissector.stream.tls_records import FramedRecord, Span
from dissector.traffic import Chunk, Gap, Side
from dissector.wire.tls_keys import Secrets

PROGRAM, ALERT, TLS_1_2 = 23, 21, 0x0303
HEADER, MAC = 5, 24


class Desk:
    """Notes what the program sent, and calls for anything else."""

    def __init__(self) -> None:
        self.found: list[Chunk | Gap] = []

    def plain(self, _: object, event: Chunk | Gap) -> None:
        self.found.append(event)

    def room(self, _: int) -> bool:
        return True

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


def numbered(sequence: int, kind: int, version: int, body: bytes) -> bytes | None:  # noqa: ARG001  openers are told all of it
    """Opens a record that says which number it has."""
    return body[1:-MAC] if body[0] == sequence else None


def made(*, decrypted: bool = True) -> tuple[Tls, Desk]:
    desk: Any = Desk()
    sealed = Tls(connection(), None, desk, Secrets(), is_known=True, from_start=True)
    sealed.facts.decrypted = decrypted
    for half in sealed.halves:
        half.is_protected, half.opener = True, numbered
    return sealed, desk


def record(
    number: int, plain: bytes, offset: int, *, unsure: bool = False, kind: int = PROGRAM, spans: Any = ()
) -> Any:
    body = bytes([number]) + plain + b"m" * MAC
    return FramedRecord(kind, TLS_1_2, body, offset, spans or (Span(HEADER + len(body), 7, 70),), unsure)


SIZE = HEADER + 1 + 10 + MAC


def opened(*records: FramedRecord) -> list[Chunk | Gap]:
    sealed, desk = made()
    for one in records:
        sealed._record(sealed.halves[HERE], one)
    return desk.found


def test_records_in_order() -> None:
    found = opened(record(0, b"0123456789", 0), record(1, b"next", SIZE))
    assert found == [Chunk(HERE, 0, b"0123456789", 7, 70), Chunk(HERE, 10, b"next", 7, 70)]


def test_a_record_whose_number_is_sure_is_not_tried_with_another() -> None:
    assert opened(record(0, b"0123456789", 0), record(2, b"next", SIZE)) == [Chunk(HERE, 0, b"0123456789", 7, 70)]


@pytest.mark.parametrize(("missing", "is_found"), [(2, True), (3, True), (4, True), (5, False)])
def test_how_many_records_a_hole_may_hide(missing: int, is_found: bool) -> None:
    """As many as fit into its bytes, of 22 bytes at least, and one."""
    found = opened(record(0, b"0123456789", 0), record(1 + missing, b"next", SIZE + 3 * 22 + 21, unsure=True))
    assert any(isinstance(one, Chunk) and one.data == b"next" for one in found) is is_found


@pytest.mark.parametrize(("size", "missed"), [(2 * SIZE, 20), (2 * (SIZE - 10), 0), (2 * (SIZE - 10) + 1, 1)])
def test_what_the_program_sent_in_a_hole(size: int, missed: int) -> None:
    """Its bytes without what each of its records adds to them."""
    found = opened(record(0, b"0123456789", 0), record(3, b"next", SIZE + size, unsure=True))
    gaps = [Gap(HERE, 10, missed, 7, 70)] if missed else []
    assert found == [Chunk(HERE, 0, b"0123456789", 7, 70), *gaps, Chunk(HERE, 10 + missed, b"next", 7, 70)]


def test_a_hole_before_the_first_record_of_the_program_is_no_gap() -> None:
    assert opened(record(2, b"next", 2 * SIZE, unsure=True)) == [Chunk(HERE, 0, b"next", 7, 70)]


def test_a_hole_without_a_record_is_no_gap() -> None:
    found = opened(record(0, b"0123456789", 0), record(1, b"next", SIZE, unsure=True))
    assert found[1:] == [Chunk(HERE, 10, b"next", 7, 70)]


# --- packets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ends", "pieces"),
    [
        ((40,), [10]),
        ((20, 40), [6, 4]),
        ((23, 40), [9, 1]),
        ((24, 40), [9, 1]),
        ((39, 40), [9, 1]),
        ((5, 40), [1, 9]),
        ((15, 40), [1, 9]),
        ((16, 40), [2, 8]),
        ((16, 20, 40), [2, 4, 4]),
        ((5, 10, 40), [1, 1, 8]),
        ((38, 39, 40), [8, 1, 1]),
    ],
)
def test_all_packets_of_a_record_are_named(ends: tuple[int, ...], pieces: list[int]) -> None:
    """Each has a piece: what it carried behind the header and what ciphers put before the bytes, one byte at least."""
    spans = tuple(Span(end, number, 10 * number) for number, end in enumerate(ends, 1))
    found = opened(record(0, b"0123456789", 0, spans=spans))
    assert [(len(one.data), one.number, one.time) for one in found if isinstance(one, Chunk)] == [
        (size, number, 10 * len(ends)) for number, size in enumerate(pieces, 1)
    ]
    assert b"".join(one.data for one in found if isinstance(one, Chunk)) == b"0123456789"
    offsets = [one.offset for one in found]
    assert offsets == [sum(pieces[:number]) for number in range(len(pieces))]


def test_a_record_with_less_bytes_than_packets() -> None:
    spans = Span(10, 1, 10), Span(20, 2, 20), Span(31, 3, 30)
    found = opened(record(0, b"0", 0, spans=spans))
    assert [(one.data, one.number) for one in found if isinstance(one, Chunk)] == [(b"0", 3)]
    assert opened(record(0, b"", 0, spans=spans)) == []


# --- what is kept ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "fatal"), [(0, False), (1, False), (2, True), (3, False)])
def test_levels_of_alerts(level: int, fatal: bool) -> None:
    sealed, _ = made()
    sealed._record(sealed.halves[THERE], record(0, bytes([level, 40]), 0, kind=ALERT))
    (found,) = sealed.facts.alerts
    assert (found.side, found.fatal, found.code) == (THERE, fatal, 40)


def test_how_many_alerts_are_kept() -> None:
    sealed, _ = made()
    for number in range(10):
        sealed._record(sealed.halves[THERE], record(number, bytes([1, number]), 31 * number, kind=ALERT))
        assert len(sealed.facts.alerts) == min(number + 1, 8)
    sealed, _ = made()
    sealed._record(sealed.halves[THERE], record(0, b"\2", 0, kind=ALERT))
    assert sealed.facts.alerts == []


@pytest.mark.parametrize("failures", [7, 8])
def test_how_many_records_may_fail(failures: int) -> None:
    sealed, _ = made()
    for number in range(failures):
        sealed._record(sealed.halves[HERE], record(255, b"next", 40 * number))
    assert sealed.is_sealed is (failures == 8)


def test_the_first_record_that_stays_sealed() -> None:
    sealed, _ = made(decrypted=False)
    assert sealed.first_sealed == 0
    for side, plain in ((Side.SERVER, b"x" * 9), (HERE, b"x" * 30), (HERE, b"x" * 40)):
        sealed._record(sealed.halves[side], record(255, plain, 0))
    assert sealed.first_sealed == 1 + 30 + MAC
    assert sealed.is_sealed
