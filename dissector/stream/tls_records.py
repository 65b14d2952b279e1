"""The records of TLS in one direction: bytes in, whole records out, each with the packets that carried it.

Nothing is deciphered here.  Behind a hole in a record only that record is lost; behind any other the next bytes that
can be the beginning of a record are looked for, and whoever deciphers them knows whether they were one.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from dissector.stream.block import Buffer
from dissector.traffic import Chunk, Gap

HEADER = 5
#: 2^14 bytes and what ciphers may add (RFC 5246 section 6.2.3).
_LONGEST = (1 << 14) + 2_048
_KINDS = range(20, 25)
#: Type and major version of a record that carries what the program says.
_PROGRAM = b"\x17\x03"
_MAJOR, _LATEST = 3, 4
#: A record's type and version, as records have them behind the first ones of a connection.
_BEGINNING = re.compile(rb"[\x14-\x17]\x03[\x01-\x03]")


def is_record(data: Buffer, at: int, end: int) -> bool:
    """True where a record begins."""
    return end - at >= HEADER and _size_at(data, at) is not None


def is_program(data: Buffer, at: int, end: int) -> bool:
    """True for bytes that are one record of the program."""
    size = end - at - HEADER
    return size >= 0 and data[at : at + 2] == _PROGRAM and size == data[at + 3] << 8 | data[at + 4] and size <= _LONGEST


class Span(NamedTuple):
    """A packet, and where in a record (from its header on) its bytes end."""

    end: int
    number: int
    time: int


class FramedRecord(NamedTuple):
    """``body`` is what stands behind the header, ``offset`` the header's place in its direction's stream.  ``unsure``:
    bytes are missing before it."""

    kind: int
    version: int
    body: bytes
    offset: int
    spans: tuple[Span, ...]
    unsure: bool

    @property
    def last(self) -> Span:
        """The packet that completed it."""
        return self.spans[-1]


class RecordFramer:
    """``lost``: the first bytes may be in the middle of a record."""

    __slots__ = ("_buffer", "_lost", "_offset", "_skip", "_spans", "_unsure", "broken")

    def __init__(self, *, lost: bool = False) -> None:
        self._buffer = b""
        #: Stream offset of the first byte in ``_buffer``, and the packets that it came in: (end in it, number, time).
        self._offset = 0
        self._spans: list[Span] = []
        self._lost = lost
        #: Bytes of a record with a hole that are still to come.
        self._skip = 0
        self._unsure = lost
        #: These are no records.
        self.broken = False

    def is_whole(self, chunk: Chunk) -> bool:
        """True for a chunk that is just one record of the program and goes on where the last one ended: nearly all are.
        It need not be fed then."""
        data = chunk[2]
        return self.is_between and is_program(data, 0, len(data))

    @property
    def is_between(self) -> bool:
        """True where a record begins next, for certain."""
        return not (self._buffer or self._skip or self._lost or self._unsure or self.broken)

    def feed(self, chunk: Chunk) -> list[FramedRecord]:
        if self.broken:
            return []
        data, offset = chunk.data, chunk.offset
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data, offset = data[skipped:], offset + skipped
        if self._buffer:
            data, offset = self._buffer + data, self._offset
        self._spans.append(Span(len(data), chunk.number, chunk.time))
        at = self._search(data) if self._lost else 0
        found: list[FramedRecord] = []
        while len(data) - at >= HEADER:
            size = _size_at(data, at)
            if size is None:
                self._bad(len(data) - at)
                at = len(data)
                break
            end = at + HEADER + size
            if end > len(data):
                break
            version = data[at + 1] << 8 | data[at + 2]
            body, spans = data[at + HEADER : end], self._carried(at, end)
            found.append(FramedRecord(data[at], version, body, offset + at, spans, self._unsure))
            self._unsure = False
            at = end
        self._keep(data, at, offset)
        return found

    def gap(self, gap: Gap) -> None:
        """Bytes are missing."""
        if self.broken:
            return
        needed = self._skip
        if len(self._buffer) >= HEADER:
            size = _size_at(self._buffer, 0)
            needed = HEADER + size - len(self._buffer) if size is not None else 0
        if gap.size <= needed:
            self._skip = needed - gap.size
        else:
            self.lose()
        self._buffer, self._spans, self._unsure = b"", [], True

    def lose(self) -> None:
        """What was given last was no record: the next one has to be looked for."""
        self._buffer, self._spans = b"", []
        self._skip, self._lost, self._unsure = 0, True, True

    def _bad(self, left: int) -> None:
        """``left`` bytes begin with no header of a record."""
        if self._unsure or self._lost:
            self.lose()
        else:
            self.broken = left > 0

    def _search(self, data: bytes) -> int:
        """Where a record may begin of which the place is not known: its length has to lead to another one, or beyond
        what there is."""
        for match in _BEGINNING.finditer(data):
            at = match.start()
            size = _size_at(data, at) if len(data) - at >= HEADER else 0
            if size is None:
                continue
            end = at + HEADER + size
            if end >= len(data) or _BEGINNING.match(data, end) is not None:
                self._lost = False
                return at
        return max(0, len(data) - HEADER + 1) if len(data) < HEADER else len(data)

    def _carried(self, at: int, end: int) -> tuple[Span, ...]:
        """The packets that carried the bytes from ``at`` to ``end``."""
        spans = self._spans
        if len(spans) == 1:
            return (Span(end - at, spans[0].number, spans[0].time),)
        return tuple(
            Span(min(one.end, end) - at, one.number, one.time)
            for place, one in enumerate(spans)
            if one.end > at and (place == 0 or spans[place - 1].end < end)
        )

    def _keep(self, data: bytes, at: int, offset: int) -> None:
        self._buffer, self._offset = data[at:], offset + at
        if not self._buffer:
            self._spans = []
        elif at:
            self._spans = [Span(one.end - at, one.number, one.time) for one in self._spans if one.end > at]


def _size_at(data: Buffer, at: int) -> int | None:
    """Bytes of the record behind the header at ``at``; None where that is no header."""
    size = data[at + 3] << 8 | data[at + 4]
    is_header = data[at] in _KINDS and data[at + 1] == _MAJOR and data[at + 2] <= _LATEST
    return size if is_header and size <= _LONGEST else None
