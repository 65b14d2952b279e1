"""Python and every tshark agree on every message of every capture."""

from __future__ import annotations

from pathlib import Path

import pytest
from mixing import mixed, pcap
from verify_kit import CAPTURES, ROOT, TSHARKS, WAYS, Way, disagreements

from dissector.verify.run import verify
from dissector.verify.tshark import Tshark

_MIXES = 8


def in_turn(number: int) -> list[Path]:
    """Every eighth capture by size, so that each mix has long and short ones."""
    return sorted(CAPTURES, key=lambda path: path.stat().st_size)[number::_MIXES]


#: What jstrace itself recorded in its laboratory comes in the mixes.
GENUINE = [path for path in CAPTURES if path.parent.name != "corpus"]


@pytest.mark.parametrize("capture", GENUINE, ids=lambda path: path.relative_to(ROOT / "captures").as_posix())
def test_alone(capture: Path) -> None:
    """As a user would ask."""
    report = verify(str(capture), Tshark(), (4444, 4455), (50_000, 59_999), most=10)
    assert report.differences == []


@pytest.mark.parametrize("number", range(_MIXES))
def test_together(number: int, tmp_path: Path) -> None:
    """Whatever the tshark, in one pass or two, with segments out of order put together by TCP or not."""
    path = tmp_path / "mixed.pcap"
    path.write_bytes(pcap(mixed(in_turn(number))))
    assert list(disagreements(path, WAYS, least=1_000)) == []


def test_every_capture_is_in_a_mix() -> None:
    assert sorted(path for number in range(_MIXES) for path in in_turn(number)) == CAPTURES
    assert len(CAPTURES) > len(GENUINE) > 90
    assert len({way.program for way in WAYS}) == len(TSHARKS) == 3
    assert isinstance(WAYS[0], Way)
