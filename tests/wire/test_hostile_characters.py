"""Which characters another program would obey, and how they are shown."""

from __future__ import annotations

import unicodedata

import pytest

from dissector.wire.harmless import escape


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain \\ text äöü 漢字 🚀", "plain \\ text äöü 漢字 🚀"),
        ("a\n\r\tb", "a\\n\\r\\tb"),
        ("\x1b[2J\x00\x07\x7f\x9b", "\\x1b[2J\\x00\\x07\\x7f\\x9b"),
        ("\xad\xff", "\\xadÿ"),
        ("\u0100\u202e\uffff", "Ā\\u202e\uffff"),
        ("\U0001d173\U0001d17b", "\\U0001d173\U0001d17b"),
    ],
)
def test_what_is_shown_instead(text: str, shown: str) -> None:
    assert escape(text) == shown


#: Each range with its neighbours that are harmless.
EDGES = [
    (-1, 0x00, 0x1F, 0x20),
    (0x7E, 0x7F, 0x9F, 0xA0),
    (0xAC, 0xAD, 0xAD, 0xAE),
    (0x34E, 0x34F, 0x34F, 0x350),
    (0x61B, 0x61C, 0x61C, 0x61D),
    (0x115E, 0x115F, 0x1160, 0x1161),
    (0x17B3, 0x17B4, 0x17B5, 0x17B6),
    (0x180A, 0x180B, 0x180F, 0x1810),
    (0x200A, 0x200B, 0x200F, 0x2010),
    (0x2027, 0x2028, 0x202E, 0x202F),
    (0x205F, 0x2060, 0x206F, 0x2070),
    (0x3163, 0x3164, 0x3164, 0x3165),
    (0xD7FF, 0xD800, 0xDFFF, 0xE000),
    (0xFDFF, 0xFE00, 0xFE0F, 0xFE10),
    (0xFEFE, 0xFEFF, 0xFEFF, 0xFF00),
    (0xFF9F, 0xFFA0, 0xFFA0, 0xFFA1),
    (0xFFEF, 0xFFF0, 0xFFFB, 0xFFFC),
    (0x1D172, 0x1D173, 0x1D17A, 0x1D17B),
    (0xDFFFF, 0xE0000, 0xE0FFF, 0xE1000),
]


@pytest.mark.parametrize(("before", "low", "high", "behind"), EDGES)
def test_where_each_range_begins_and_ends(before: int, low: int, high: int, behind: int) -> None:
    for code in (before, behind):
        assert code < 0 or escape(chr(code)) == chr(code)
    for code in (low, high):
        assert escape(chr(code)) != chr(code)


def test_controls_formats_and_separators_of_lines_are_hostile() -> None:
    """But for those that are seen: the marks of Arabic numbers and the like, and notation."""
    codes = (*range(0x3000), *range(0xFE00, 0x10000), *range(0x1D100, 0x1D200), *range(0xE0000, 0xE0200))
    text = "".join(map(chr, codes))
    unseen = {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp")}
    told = {char for char in unseen if escape(char) == char}
    assert {ord(char) for char in told} <= {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2}
