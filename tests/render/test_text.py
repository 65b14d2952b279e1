"""Text for screens."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissector.render.text import duration, escape, fold, size

MS = 1_000_000
SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("äöü ß €\xa0", "äöü ß €\xa0"),
        ("\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"),
        ("a\r\n\tb\0", "a\\r\\n\\tb\\x00"),
        ("\x7f\x80\x9b\x9f", "\\x7f\\x80\\x9b\\x9f"),
        ("\u202egnp.exe\u2066\u200f", "\\u202egnp.exe\\u2066\\u200f"),
        ("\u2028\u2029\ufeff\ud800\U000e0041", "\\u2028\\u2029\\ufeff\\ud800\\U000e0041"),
        ("back\\slash", "back\\slash"),
    ],
)
def test_escape(text: str, shown: str) -> None:
    assert escape(text) == shown


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    shown = escape(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    assert not [c for c in shown if unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI")]
    assert escape(shown) == shown


def test_fold() -> None:
    assert fold("short", 5) == "short"
    assert fold("one line\n", 20) == "one line"
    assert fold("echo 1\n" * 13 + "x" * 999_909, 40) == "echo 1 … (14 lines, 1.0 MB)"
    assert fold("x" * 2000, 30) == "x" * 19 + " … (2.0 kB)"
    assert fold("x" * 2000, 12) == "x" * 11 + "…"
    assert fold("abc", 0) == ""


@given(st.text(), st.integers(0, 80))
def test_folded_text_fits(text: str, width: int) -> None:
    folded = fold(text, width)
    assert len(folded) <= width
    assert "\n" not in folded
    assert folded in (text, text.removesuffix("\n")) or "…" in folded or width == 0


@pytest.mark.parametrize(
    ("nanoseconds", "shown"),
    [
        (0, "0 µs"),
        (750, "0.75 µs"),
        (49_000, "49 µs"),
        (600_000, "0.6 ms"),
        (15 * MS, "15 ms"),
        (15_450_000, "15.4 ms"),
        (999 * MS, "999 ms"),
        (999_600_000, "1 s"),
        (1_250 * MS, "1.25 s"),
        (59_940 * MS, "59.9 s"),
        (59_960 * MS, "1 m 00 s"),
        (135 * SECOND, "2 m 15 s"),
        (3_600 * SECOND, "1 h 00 m"),
        (187_200 * SECOND, "2 d 04 h"),
        (-15 * MS, "-15 ms"),
    ],
)
def test_duration(nanoseconds: int, shown: str) -> None:
    assert duration(nanoseconds) in (shown, shown.replace("15.4", "15.5"))


@given(st.integers(-(2**80), 2**80))
def test_no_duration_is_too_long(nanoseconds: int) -> None:
    assert duration(nanoseconds)


SIZES = [
    *((0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1_000, "1.0 kB"), (9_949, "9.9 kB"), (12_345, "12 kB")),
    *((999_600, "1.0 MB"), (1_048_576, "1.0 MB"), (67_108_864, "67 MB"), (10**15, "1000 TB")),
]


@pytest.mark.parametrize(("count", "shown"), SIZES)
def test_size(count: int, shown: str) -> None:
    assert size(count) == shown
