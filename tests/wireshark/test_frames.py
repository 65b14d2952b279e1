"""Where the plugin takes a frame to begin is where Python does."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import plugin_kit as kit

from dissector.stream.framing import CLASSES, plausible_frame

_SCRIPT = """
for text in ("%s"):gmatch("%%x+") do
  local data = text:gsub("%%x%%x", function(pair) return string.char(tonumber(pair, 16)) end)
  print(text, js.plausible_frame(data, 2))
end
"""


def beginnings() -> Iterator[bytes]:
    """Of frames and of what only looks like one: each class with lengths and bodies at the edges, whole and cut."""
    bodies = [
        bytes(9),
        b"\x80" + bytes(8),
        b"\x7f" * 9,
        b"pple, red",
        bytes(8) + b"I",
        b"\0\0\0\1" + bytes(5),
        b"\xff" * 9,
    ]
    for kind, length, body in product((*CLASSES, ord("x")), (-1, 0, 1, 4, 5, 6, 9, 10, 200), bodies):
        whole = length.to_bytes(4, "big", signed=True) + bytes([kind]) + body
        yield from (whole[:size] for size in (4, 5, 6, 8, 9, 13, 14))


def test_both_find_the_same_beginnings(tmp_path: Path) -> None:
    made = list(dict.fromkeys(beginnings()))
    expected = [plausible_frame(b"xx" + one, 2) for one in made]
    assert 50 < sum(expected) < len(made) - 50
    texts = [(b"xx" + one).hex() for one in made]
    found = kit.behind(_SCRIPT % " ".join(texts), tmp_path)
    wanted = [[text, str(one).lower()] for text, one in zip(texts, expected, strict=True)]
    assert [pair for pair in zip(found, wanted, strict=True) if pair[0] != pair[1]] == []
