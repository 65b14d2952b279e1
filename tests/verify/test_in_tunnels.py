"""The plugin under tshark sees in encapsulations and fragments what Python sees there."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import pytest
from builders import SECOND, pcap
from rewrapping import CASES, OF_TSHARK, UNKNOWN_TO_TSHARK, Case, fragmented, plain
from verify_kit import ROOT, SOME_WAYS, Way, disagreements, messages, told_by_python

from dissector.limits import FRAGMENT_SECONDS, MAX_FRAGMENTED

_KNOWN = [case for case in CASES if case.encapsulation not in UNKNOWN_TO_TSHARK]
#: Every encapsulation, by turns with IPv4 and IPv6, each in another way of asking tshark than the one before.
_CHOSEN = [case for number, case in enumerate(_KNOWN) if number % 4 in (0, 3)]
WAYS = list(zip(_CHOSEN, cycle(SOME_WAYS), strict=False))


@pytest.mark.one_in(5)
@pytest.mark.parametrize(("case", "way"), WAYS, ids=str)
def test_equal(case: Case, way: Way, tmp_path: Path) -> None:
    case = case._replace(files=1, compression=case.compression if case.compression in OF_TSHARK else "")
    (path,) = case.write(case.records(ROOT / "captures"), tmp_path)
    assert list(disagreements(path, [way])) == []


def pieces() -> list[tuple[int, bytes]]:
    frames = plain(ROOT / "captures" / "engine_shell_fail.pcap")
    return [(time, one) for number, (time, frame) in enumerate(frames) for one in fragmented(frame, 128, number)]


def is_last(piece: bytes) -> bool:
    return not piece[20] & 0x20 and int.from_bytes(piece[20:22], "big") & 0x1FFF > 0


def agreed(records: list[tuple[int, bytes]], path: Path) -> int:
    """The messages that both sides tell."""
    path.write_bytes(pcap(records))
    assert list(disagreements(path, [SOME_WAYS[0], SOME_WAYS[-1]])) == []
    return messages(told_by_python(path))


def late_in(records: list[tuple[int, bytes]]) -> int:
    """A last fragment."""
    return next(place for place in range(len(records) // 2, len(records)) if is_last(records[place][1]))


def beginning(number: int) -> bytes:
    """The first fragment of somebody else's datagram."""
    head = b"\x45\0\0\x1c" + number.to_bytes(2, "big") + b"\x20\0\x40\x06\0\0\x0a\7\7\7\x0a\7\7\x08"
    return bytes(12) + b"\x08\0" + head + bytes(8)


@pytest.mark.parametrize("wait", [FRAGMENT_SECONDS * SECOND - 1_000, FRAGMENT_SECONDS * SECOND])
def test_how_long_a_fragment_is_waited_for(wait: int, tmp_path: Path) -> None:
    """Others are given up with the next fragment."""
    records = pieces()
    whole, late = agreed(records, tmp_path / "whole.pcap"), late_in(records)
    ident = records[late][1][18:20]
    first = next(time for time, piece in records if piece[18:20] == ident)
    moved = first + wait - records[late][0]
    rest = [(first + wait, beginning(1)), *((time + moved, piece) for time, piece in records[late:])]
    lost = whole - agreed(records[:late] + rest, tmp_path / "late.pcap")
    assert (lost > 0) is (wait >= FRAGMENT_SECONDS * SECOND)


@pytest.mark.parametrize("others", [MAX_FRAGMENTED - 1, MAX_FRAGMENTED])
def test_how_many_datagrams_are_waited_for(others: int, tmp_path: Path) -> None:
    """Beginnings of so many others come in front of the last fragment of one."""
    records = pieces()
    whole, late = agreed(records, tmp_path / "whole.pcap"), late_in(records)
    flood = [(records[late][0], beginning(number)) for number in range(others)]
    lost = whole - agreed(records[:late] + flood + records[late:], tmp_path / "flood.pcap")
    assert (lost > 0) is (others >= MAX_FRAGMENTED)


@pytest.mark.parametrize("later", [50_000_000, 51_000_000])
def test_fragments_that_are_captured_twice(later: int, tmp_path: Path) -> None:
    """Both of a datagram's again, as soon as at another interface or later; both sides take the same for new."""
    again = [(time + later, one) for time, one in pieces()]
    records = sorted(pieces() + again, key=lambda record: record[0])
    assert agreed(records, tmp_path / "twice.pcap") > 0


def test_quoted_headers_are_no_fragments(tmp_path: Path) -> None:
    """ICMP errors about fragments, between those of the connection itself."""
    records = []
    for time, piece in pieces():
        records.append((time, piece))
        quote = b"\x0b\1" + bytes(6) + piece[14:]
        head = b"\x45\0" + (20 + len(quote)).to_bytes(2, "big") + bytes(4) + b"\x40\1\0\0" + piece[30:34] + piece[26:30]
        records.append((time, piece[:14] + head + quote))
    assert agreed(records, tmp_path / "quoted.pcap") == agreed(pieces(), tmp_path / "whole.pcap")
