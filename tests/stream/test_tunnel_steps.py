"""Where the packet in a tunnel begins, and of what kind it is, at the edges of what a header may say."""

from __future__ import annotations

import struct

import pytest

from dissector.stream.layers import FRAME, IP, IPV6, NOTHING
from dissector.stream.tunnels import _erspan_3, teredo

ORIGIN, ADDRESS = b"\0\0" + bytes(6), b"\x60" + bytes(39)


@pytest.mark.parametrize(
    ("data", "kind", "at"),
    [
        (ADDRESS, IPV6, 0),
        (ORIGIN + ADDRESS, IPV6, 8),
        (b"\0\x01\0\0" + bytes(9) + ADDRESS, IPV6, 13),
        (b"\0\x01\x03\x04" + bytes(16) + ORIGIN + ADDRESS, IPV6, 28),
        (b"\x70" + bytes(39), NOTHING, 0),
        (b"\x45" + bytes(39), NOTHING, 0),
    ],
)
def test_teredo_with_each_of_its_headers(data: bytes, kind: object, at: int) -> None:
    step = teredo(data, 0)
    assert (step[0], step[1], str(step[2])) == (kind, at, "teredo")


@pytest.mark.parametrize(
    ("of_what", "last", "kind", "at"),
    [(0, 0, FRAME, 12), (0, 1, FRAME, 20), (1, 0, NOTHING, 12), (2, 0, IP, 12), (2, 1, IP, 20), (3, 0, NOTHING, 12)],
)
def test_erspan_of_type_three_says_what_it_carries(of_what: int, last: int, kind: object, at: int) -> None:
    header = struct.pack(">HHIHH", 0x2000, 0x0405, 0, 0, of_what << 10 | last)
    step = _erspan_3(header + bytes(8), 0)
    assert (step[0], step[1], str(step[2])) == (kind, at, "erspan 5")
