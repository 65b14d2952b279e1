"""Files that are odd themselves."""

from __future__ import annotations

import struct
from collections.abc import Callable


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


_SECTION = _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))


def _described(n: int, link_type: Callable[[int], int]) -> bytes:
    """``n`` interface descriptions and a packet of each of the first 65,536."""
    blocks = [_SECTION, _block(1, struct.pack("<HHI", 1, 0, 0))]
    blocks += [_block(1, struct.pack("<HHI", link_type(number), 0, 0)) for number in range(n)]
    blocks += [_block(6, struct.pack("<IIIII", number, 0, 0, 0, 0)) for number in range(n)]
    return b"".join(blocks)


def known_interfaces(n: int) -> bytes:
    return _described(n, lambda _: 1)


def unknown_interfaces(n: int) -> bytes:
    """Of one unknown link type, among them one that can be read."""
    return _described(n, lambda _: 147)


def many_link_types(n: int) -> bytes:
    return _described(n, lambda number: 300 + number % 60_000)
