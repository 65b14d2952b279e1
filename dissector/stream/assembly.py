"""The document under way in one direction: its bytes, how far they were looked at, and the packets they came in."""

from __future__ import annotations

from dissector.limits import MAX_DOCUMENT, MAX_PACKETS_LISTED
from dissector.stream import wrong_bytes
from dissector.traffic import Chunk, Gap, RawDocument, Side, StreamProblem


class Assembly:
    """Bytes of one direction from the first one of the document under way.

    ``at`` is where the search for its end goes on, so no byte is searched twice.  A document that outgrows
    ``MAX_DOCUMENT`` is reported once; its end is still looked for, but its bytes are dropped (``skipping``).
    """

    __slots__ = ("_last", "_packets", "_side", "at", "buffer", "offset", "skipping", "time")

    def __init__(self, side: Side) -> None:
        self._side = side
        self._packets: list[int] = []
        self._last = 0
        self.buffer = bytearray()
        self.at = 0
        #: Stream offset of the first byte in ``buffer``.
        self.offset = 0
        self.skipping = False
        #: Of the newest bytes.
        self.time = 0

    @property
    def under_way(self) -> bool:
        return self.skipping or bool(self.buffer)

    def add(self, chunk: Chunk, start: int = 0) -> None:
        """Appends the chunk's bytes from ``start`` on."""
        if not self.under_way:
            self.offset = chunk.offset + start
            self._packets.clear()
        self._last, self.time = chunk.number, chunk.time
        self.buffer += chunk.data[start:] if start else chunk.data
        if self._packets[-1:] != [chunk.number] and len(self._packets) < MAX_PACKETS_LISTED - 1:
            self._packets.append(chunk.number)

    def drop(self, count: int) -> None:
        """Forgets ``count`` bytes in front of a document; what is left came with the newest packet."""
        del self.buffer[:count]
        self.offset += count
        self.at = 0
        self._packets = [self._last]

    def take(self, end: int, time: int, kind: str, complete: bool = True) -> list[RawDocument]:
        """The document that ends before ``end``: a list of one, or an empty one when it was too long to keep."""
        found: list[RawDocument] = []
        if not self.skipping:
            packets = self._packets if self._packets[-1:] == [self._last] else [*self._packets, self._last]
            data = bytes(memoryview(self.buffer)[:end])
            found.append(RawDocument(self._side, self.offset, data, tuple(packets), time, complete, kind))
        self.skipping = False
        self.drop(end)
        return found

    def limit(self, chunk: Chunk) -> list[StreamProblem]:
        """Lets go of the bytes of a document that is too long: the report on it, the first time."""
        if self.skipping:
            # One byte stays: whether a tag is an empty element is told by the byte before its end.
            done = max(self.at - 1, 0)
            del self.buffer[:done]
            self.offset += done
            self.at -= done
            return []
        if len(self.buffer) <= MAX_DOCUMENT:
            return []
        text = wrong_bytes.document_too_long()
        report = self.problem("undecoded_frame", chunk.number, chunk.time, text)._replace(is_cap=True)
        self.skipping = True
        return [report, *self.limit(chunk)]

    def clear(self) -> None:
        self.buffer.clear()
        self._packets.clear()
        self.at = 0
        self.skipping = False

    def between(self, gap: Gap) -> StreamProblem:
        """A report on bytes that are missing where no document is under way: one or more of them, or the rest of it."""
        text = wrong_bytes.missing(gap.size, gap.snapped, gap.acknowledged)
        return StreamProblem("gap", self._side, gap.offset, gap.number, gap.time, text)

    def problem(self, code: str, number: int, time: int, text: str) -> StreamProblem:
        """A report on the document under way."""
        return StreamProblem(code, self._side, self.offset, number, time, text)
