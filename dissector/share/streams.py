"""The bytes of a direction, to be changed in place: where each packet's bytes lie in the stream, and which came first.

``stream.direction`` tells what a receiver gets; here every captured packet counts, repeated and late ones too, since
all of them are written again.  Offsets count from the first segment seen and may be negative.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from itertools import takewhile
from typing import NamedTuple

from dissector.limits import MAX_EVIDENCE
from dissector.model import Connection, Endpoint
from dissector.stream.block import Block
from dissector.stream.sequence import HALF, LARGEST_WINDOW, MASK
from dissector.traffic import NEVER, SYN, Packet, Segment, Side, key_of

#: In the place of bytes that belong to no stream.
_FILLER = b"x"

#: Sender's address and port, receiver's address and port.
Key = tuple[bytes, int, bytes, int]


class ByteRun(NamedTuple):
    """Bytes without a hole between them, from offset ``start`` on."""

    start: int
    data: bytearray

    @property
    def end(self) -> int:
        return self.start + len(self.data)


class Stream:
    """One direction of a connection: ``add`` every segment, then ask for ``joined``."""

    def __init__(self) -> None:
        self.runs: list[ByteRun] = []
        #: True when the first segment was the SYN: nothing is missing before the first byte.
        self.from_start = False
        self._first_seq: int | None = None
        self._last = 0
        self._pieces: list[tuple[int, bytearray]] = []
        #: Packets with payload, in their order, and the offsets of it.
        self._numbers, self._places = array("Q"), array("q")

    def add(self, segment: Segment) -> None:
        """The next segment in the order of capture; of bytes captured twice the first ones count."""
        if self._first_seq is None:
            self._first_seq = segment.seq
            self.from_start = bool(segment.flags & SYN)
        start = self.place(segment.seq, segment.flags)
        if start is None:
            return
        self._last = start
        if segment.payload:
            if not self._numbers or self._numbers[-1] != segment.number:
                self._numbers.append(segment.number)
                self._places.append(start)
            self._insert(start, segment.payload)

    def place(self, seq: int, flags: int) -> int | None:
        """Offset of the first payload byte of a segment; None when it is too far away to be of this stream."""
        if self._first_seq is None:
            return None
        ahead = ((seq - self._first_seq - self._last + HALF) & MASK) - HALF
        if abs(ahead) > LARGEST_WINDOW:
            return None
        return self._last + ahead + (1 if flags & SYN else 0)

    def place_of(self, number: int) -> int | None:
        """Offset of the first payload byte of packet ``number``."""
        at = bisect_left(self._numbers, number)
        return self._places[at] if at < len(self._numbers) and self._numbers[at] == number else None

    def joined(self) -> list[ByteRun]:
        """The bytes, when all segments are there; they may be changed in place."""
        runs: list[tuple[int, list[bytearray], int]] = []
        for start, data in self._pieces:
            if runs and runs[-1][2] == start:
                begin, parts, _ = runs.pop()
                parts.append(data)
                runs.append((begin, parts, start + len(data)))
            else:
                runs.append((start, [data], start + len(data)))
        if runs:
            self._pieces.clear()
            self.runs = [
                ByteRun(start, parts[0] if len(parts) == 1 else bytearray().join(parts)) for start, parts, _ in runs
            ]
        return self.runs

    def find(self, data: bytes, start: int) -> int | None:
        """Offset of the first place at or behind ``start`` where ``data`` lies whole."""
        for run in self._from(start):
            at = run.data.find(data, max(start - run.start, 0))
            if at >= 0:
                return run.start + at
        return None

    def write(self, offset: int, data: bytes) -> None:
        """Other bytes in the place of those at ``offset``, all of which lie in one run."""
        for run in self._from(offset):
            if run.start <= offset:
                run.data[offset - run.start : offset - run.start + len(data)] = data
            return

    def read(self, offset: int | None, size: int) -> bytes:
        """``size`` bytes from ``offset`` on as they are now; filler where there are none."""
        found = bytearray(_FILLER * size)
        if offset is not None:
            for run in self._from(offset):
                if run.start >= offset + size:
                    break
                low, high = max(run.start, offset), min(run.end, offset + size)
                found[low - offset : high - offset] = run.data[low - run.start : high - run.start]
        return bytes(found)

    def available(self, offset: int, most: int) -> int:
        """How many bytes there are from ``offset`` on without a hole, ``most`` at the most."""
        for run in self._from(offset):
            return min(run.end - offset, most) if run.start <= offset else 0
        return 0

    def _from(self, offset: int) -> Iterator[ByteRun]:
        """The runs from the one on that has ``offset``, or the first one behind it."""
        at = bisect_right(self.runs, offset, key=lambda run: run.start)
        if at and self.runs[at - 1].end > offset:
            at -= 1
        for index in range(at, len(self.runs)):
            yield self.runs[index]

    def _insert(self, start: int, data: bytes) -> None:
        pieces = self._pieces
        end = pieces[-1][0] + len(pieces[-1][1]) if pieces else None
        if end == start:
            pieces[-1][1].extend(data)
            return
        if end is None or end < start:
            pieces.append((start, bytearray(data)))
            return
        at = bisect_right(pieces, start, key=lambda piece: piece[0])
        if at and (before := pieces[at - 1][0] + len(pieces[at - 1][1])) > start:
            start, data = before, data[before - start :]
        while data:
            room = pieces[at][0] - start if at < len(pieces) else len(data)
            if room > 0:
                pieces.insert(at, (start, bytearray(data[:room])))
                at += 1
            if room >= len(data) or at >= len(pieces):
                return
            behind = pieces[at][0] + len(pieces[at][1])
            start, data = behind, data[behind - start :]
            at += 1


class ConnectionSide(NamedTuple):
    connection: Connection
    side: Side


class Conversations:
    """Which of the given connections, and which direction of it, a packet belongs to."""

    def __init__(self, connections: Iterable[Connection]) -> None:
        self._known: dict[Key, list[tuple[int, int, ConnectionSide]]] = {}
        #: Behind this packet none belongs to them.
        self._last = 0
        for connection in connections:
            self._last = max(self._last, _last_of(connection))
            ends = _packed(connection.client), _packed(connection.server)
            for side in Side:
                key = (*ends[side], *ends[side.other])
                entry = connection.first_packet, connection.last_packet, ConnectionSide(connection, side)
                self._known.setdefault(key, []).append(entry)
        self._names = {key_of(*key) for key in self._known}
        for entries in self._known.values():
            entries.sort(key=lambda entry: entry[0])

    def candidates(self, blocks: Iterable[Block]) -> Iterator[Packet]:
        """Packets that may belong to the connections: theirs by addresses and ports, and all that are not plain, up to
        the last one that is of interest."""
        for block in takewhile(lambda block: block.numbers[0] <= self._last, blocks):
            indices: dict[int, bytes | None] = dict.fromkeys(block.others)
            for conversation in block.conversations:
                if conversation.keys[0] in self._names:
                    indices.update((at >> 1, conversation.keys[at & 1]) for at in conversation.places)
            for index in sorted(indices):
                yield block.packet(index, indices[index])

    def of_segment(self, segment: Segment) -> ConnectionSide | None:
        """The direction that a segment belongs to."""
        return self._find(segment[2:6], segment.number, late=False)

    def of_quote(self, key: Key, number: int) -> ConnectionSide | None:
        """The direction of the packet that packet ``number``, an ICMP error, quotes."""
        return self._find(key, number, late=True)

    def _find(self, key: Key, number: int, late: bool) -> ConnectionSide | None:
        for first, last, direction in reversed(self._known.get(key, ())):
            # At two interfaces of a router the same connection begins and ends with other packets.
            if first <= number and (late or number <= last):
                return direction
        return None


def _last_of(connection: Connection) -> int:
    """The last packet of a connection, or ICMP error about it; of these not all are kept where they are many."""
    if len(connection.icmp) >= MAX_EVIDENCE:
        return NEVER
    return max(connection.last_packet, *(error.number for error in connection.icmp), 0)


def _packed(end: Endpoint) -> tuple[bytes, int]:
    return ip_address(end.ip).packed, end.port or 0
