"""The messages of a capture as a copy of it needs them, in little room: there may be a million of them."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple
from zlib import compress, decompress


class MessagePiece(NamedTuple):
    """A message: its bytes in the stream as captured, the same without secrets, the packet in which it begins, and the
    places in it of all that is the user's own.  ``header`` bytes of its length stand before it."""

    number: int
    packet: int
    header: int
    raw: bytes
    clean: bytes
    spans: list[tuple[int, int]]
    #: Where a part of it has no places that can be changed: the same without any text.
    bare: bytes | None = None


class Pieces:
    """The messages of one direction, in little room: there may be a million of them."""

    def __init__(self) -> None:
        self._numbers, self._packets = array("Q"), array("Q")
        #: Where the bytes and the places of each end.
        self._ends, self._span_ends = array("Q"), array("Q")
        self._headers, self._raw, self._spans = bytearray(), Deflated(), array("I")
        #: Of the messages with secrets, and of those with compressed bodies.
        self._clean: dict[int, bytes] = {}
        self._bare: dict[int, bytes] = {}

    def add(self, piece: MessagePiece) -> None:
        if piece.clean != piece.raw:
            self._clean[len(self._numbers)] = piece.clean
        if piece.bare is not None:
            self._bare[len(self._numbers)] = piece.bare
        self._numbers.append(piece.number)
        self._packets.append(piece.packet)
        self._headers.append(piece.header)
        self._ends.append(self._raw.add(piece.raw))
        for span in piece.spans:
            self._spans.extend(span)
        self._span_ends.append(len(self._spans))

    def __iter__(self) -> Iterator[MessagePiece]:
        """By their numbers."""
        for at in sorted(range(len(self._numbers)), key=self._numbers.__getitem__):
            begin, spans_begin = (self._ends[at - 1], self._span_ends[at - 1]) if at else (0, 0)
            raw = self._raw.read(begin, self._ends[at])
            places = self._spans[spans_begin : self._span_ends[at]]
            spans = list(zip(places[::2], places[1::2], strict=True))
            clean, bare = self._clean.get(at, raw), self._bare.get(at)
            yield MessagePiece(self._numbers[at], self._packets[at], self._headers[at], raw, clean, spans, bare)


class Deflated:
    """Many short bytes, compressed: messages are much alike.  Those that are read in their order, or nearly so, are
    unpacked once."""

    _BLOCK = 1 << 16

    def __init__(self) -> None:
        self._size = 0
        self._last = bytearray()
        #: The blocks before the last one, and where each begins.
        self._blocks, self._begins = list[bytes](), array("Q", (0,))
        self._unpacked = -1, b""

    def add(self, data: bytes) -> int:
        """Returns where it ends."""
        if len(self._last) >= self._BLOCK:
            self._blocks.append(compress(self._last, 1))
            self._begins.append(self._size)
            self._last = bytearray()
        self._last += data
        self._size += len(data)
        return self._size

    def read(self, begin: int, end: int) -> bytes:
        """What one ``add`` was given."""
        at = bisect_right(self._begins, begin) - 1
        low = begin - self._begins[at]
        if at == len(self._blocks):
            return bytes(self._last[low : low + end - begin])
        if self._unpacked[0] != at:
            self._unpacked = at, decompress(self._blocks[at])
        return self._unpacked[1][low : low + end - begin]
