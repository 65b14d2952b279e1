"""One direction of a callback connection: bytes in stream order become frames (docs/protocol.md#framing).

    frame := length:int32be message[length]        message := class:byte body

A reader is in step (it knows where the next frame begins) or it searches.  It loses step at a length that can not be,
or when a gap swallowed the end of the message under way; a gap inside a message of known length costs that message
only.  The search is conservative: the engine writes one frame per segment, so the start of a chunk is tried first,
and a frame there counts only when it ends with the data seen so far or another frame follows.  A frame that seems to
lie inside a chunk may be a string that looks like one: it is never reported, but a frame is expected behind it.
"""

from __future__ import annotations

import re
from struct import Struct

from dissector.limits import MAX_DECODED_MESSAGE, MAX_MESSAGE, MAX_PACKETS_LISTED
from dissector.stream import wrong_bytes
from dissector.traffic import Chunk, Frame, Gap, Side, Skipped, StreamProblem

Item = Frame | Skipped | StreamProblem

_LENGTH = Struct("!i")
_HEADER = _LENGTH.size
#: What a message may begin with.
CLASSES = b"SOAEK"
_COMMANDS = {ord("S"): b"C", ord("O"): b"RQGIA"}
#: A request is class, id (8 bytes) and command at least; its command stands behind header, class and id.
_SHORTEST_REQUEST = 10
_COMMAND_AT = _HEADER + 9
#: An answer that is not empty is class and hresult at least, or class and a string's length.
_SHORTEST_ANSWER = 5
#: So much is kept of a message that is too long to be decoded: what it asks for stands there.
_HEAD = 256
#: Where a frame short enough to be decoded may begin: found at every byte, overlapping ones too.
_CANDIDATE = re.compile(rb"(?=[\x00-\x04].{3}[SOAEK])", re.DOTALL)


def plausible_frame(data: bytes, start: int = 0) -> bool:
    """True when a frame may begin at ``start``: a possible length, a known class, and a body that can begin so.

    Length and class have to be there (5 bytes); of the body what is there is checked: the command of a request, the
    hresult of an answer (0, small, or failed), the first string of an error answer.  So a string whose text begins
    with a class letter ("Apple", "Error") is no frame, though it has the same form.
    """
    if len(data) - start <= _HEADER:
        return False
    length: int = _LENGTH.unpack_from(data, start)[0]
    kind, body = data[start + _HEADER], data[start + _HEADER + 1 : start + _COMMAND_AT + 1]
    if not 0 < length <= MAX_MESSAGE or kind not in CLASSES:
        return False
    commands = _COMMANDS.get(kind)
    if commands is not None:
        return length >= _SHORTEST_REQUEST and (len(body) < _SHORTEST_REQUEST - 1 or body[-1] in commands)
    if length == 1 or kind == ord("K"):
        return length == 1
    if length < _SHORTEST_ANSWER:
        return False
    if kind == ord("A"):
        return not body or body[0] == 0 or body[0] >= 0x80
    first: int = _LENGTH.unpack_from(body)[0] if len(body) >= _LENGTH.size else 0
    return 0 <= first <= length - _SHORTEST_ANSWER


class FrameReader:
    """Frames of one direction.  ``synced`` False: the first byte may lie anywhere in a message (the connection was
    under way when the capture began).  A loss is reported once, not once for every byte that does not fit."""

    def __init__(self, side: Side, synced: bool = True) -> None:
        self._side = side
        #: ``_firm`` False: a frame is expected here, but its header has to look like one.
        self._synced = self._firm = synced
        #: The message under way with its header (``_size`` bytes, 0: not known yet), or the end of what was searched.
        self._held = bytearray()
        self._size = 0
        self._start = 0
        #: Bytes still to come of a message that is not kept, and those that came.
        self._to_skip = 0
        self._skipped = 0
        #: Of a message that is too long to be decoded the size (0: none is under way) and the first bytes.
        self._long = 0
        self._head = bytearray()
        #: Nothing of it was lost so far.
        self._whole_head = True
        self._packets: list[int] = []
        self._time = 0
        #: Where a mid-stream search began, until it is reported.
        self._mid_stream_at: int | None = None if synced else -1
        self._seen = 0

    @property
    def left_over(self) -> int:
        """Bytes of a message that has not ended (its header included)."""
        return (len(self._held) if self._synced else 0) + self._skipped

    @property
    def in_step(self) -> bool:
        """True when the next byte is the first one of a frame, for certain."""
        return self._synced and self._firm and not self._held and not self._to_skip

    def feed(self, chunk: Chunk) -> list[Item]:
        """Takes the next bytes; frames and problems that they complete, in stream order."""
        frame = self.whole(chunk)
        return [frame] if frame is not None else self.pieces(chunk)

    def pieces(self, chunk: Chunk) -> list[Item]:
        """What ``feed`` does with a chunk that is not ``whole``: it begins, continues or ends frames."""
        out: list[Item] = []
        data, at = chunk.data, 0
        self._seen = chunk.offset + len(data)
        while at < len(data):
            if self._to_skip:
                size = min(self._to_skip, len(data) - at)
                if self._long:
                    self._pass(chunk, at, size)
                self._skip(size, out)
                at += size
            elif self._synced:
                at = self._read(chunk, at, out)
            else:
                at = self._search(chunk, at, out)
        return out

    def whole(self, chunk: Chunk) -> Frame | None:
        """A chunk that is just one whole frame, as nearly all are; None for others: feed them."""
        side, offset, data, number, time = chunk
        if self.in_step and len(data) > _HEADER:
            length: int = _LENGTH.unpack_from(data)[0]
            if length == len(data) - _HEADER <= MAX_DECODED_MESSAGE:
                return Frame(side, offset, data[_HEADER:], (number,), time)
        return None

    def gap(self, gap: Gap) -> list[Item]:
        """Takes a hole in the stream."""
        self._seen = gap.offset + gap.size
        if self._to_skip >= gap.size:
            out: list[Item] = []
            self._whole_head = False
            self._skip(gap.size, out)
            return out
        if not self._synced:
            self._drop()
            return []
        rest = self._size - len(self._held) if self._size else 0
        text = wrong_bytes.missing(gap.size, gap.snapped, gap.acknowledged)
        if rest >= gap.size:
            text += wrong_bytes.message_lost(self._size - _HEADER, self._start)
            self._drop()
            self._to_skip = rest - gap.size
        else:
            self._lose_step()
        return [self._problem("gap", gap.offset, gap.number, gap.time, text)]

    def finish(self, number: int, time: int) -> list[Item]:
        """The stream is over; ``left_over`` tells what is unfinished."""
        out: list[Item] = []
        if not self._synced:
            self._report_mid_stream(self._seen, number, time, out)
        return out

    # --- in step -----------------------------------------------------------------------------------------------------

    def _read(self, chunk: Chunk, at: int, out: list[Item]) -> int:
        """Reads one frame, or the part of it that is there; returns where it ended in the chunk."""
        data = chunk.data
        if not self._held:
            self._start, self._time = chunk.offset + at, chunk.time
            self._packets = []
            if len(data) - at > _HEADER:
                if not self._firm and not plausible_frame(data, at):
                    self._synced = False
                    return at
                self._firm = True
                length: int = _LENGTH.unpack_from(data, at)[0]
                end = at + _HEADER + length
                if 0 < length <= MAX_DECODED_MESSAGE:
                    if end <= len(data):
                        message = data[at + _HEADER : end]
                        out.append(Frame(self._side, self._start, message, (chunk.number,), chunk.time))
                        return end
                    # The beginning of a frame.
                    self._held += data[at:]
                    self._size = _HEADER + length
                    self._packets.append(chunk.number)
                    return len(data)
        wanted = self._size or (_HEADER if self._firm else _HEADER + 1)
        end = min(len(data), at + wanted - len(self._held))
        self._hold(chunk, at, end)
        if len(self._held) == wanted:
            if self._size:
                self._complete(out)
            else:
                self._header(chunk, out)
        return end

    def _hold(self, chunk: Chunk, at: int, end: int) -> None:
        self._held += chunk.data[at:end]
        self._time = max(self._time, chunk.time)
        if self._packets[-1:] != [chunk.number]:
            if len(self._packets) >= MAX_PACKETS_LISTED:
                self._packets.pop()
            self._packets.append(chunk.number)

    def _header(self, chunk: Chunk, out: list[Item]) -> None:
        """The length is complete: what it says about the message."""
        if not self._firm and not plausible_frame(bytes(self._held)):
            self._synced = False
            return
        self._firm = True
        (length,) = _LENGTH.unpack_from(self._held)
        where = self._start, chunk.number, chunk.time
        if not 0 < length <= MAX_MESSAGE:
            out.append(self._problem("impossible_length", *where, wrong_bytes.impossible_length(length)))
            if length == 0:
                self._drop()
            else:
                self._lose_step()
        elif length > MAX_DECODED_MESSAGE:
            out.append(self._problem("undecoded_frame", *where, wrong_bytes.too_long(length))._replace(is_cap=True))
            self._to_skip, self._skipped = _HEADER + length - len(self._held), len(self._held)
            self._long, self._head, self._whole_head = length, self._held[_HEADER:], True
            self._drop()
        else:
            self._size = _HEADER + length
            if self._size == len(self._held):
                self._complete(out)

    def _complete(self, out: list[Item]) -> None:
        message = bytes(memoryview(self._held)[_HEADER:])
        out.append(Frame(self._side, self._start, message, tuple(sorted(set(self._packets))), self._time))
        self._drop()

    def _drop(self) -> None:
        """Forgets the message under way."""
        self._held = bytearray()
        self._size = 0

    def _pass(self, chunk: Chunk, at: int, size: int) -> None:
        """Keeps what is wanted of a message that is too long."""
        self._hold(chunk, at, at)
        if self._whole_head and len(self._head) < _HEAD:
            self._head += chunk.data[at : at + min(size, _HEAD - len(self._head))]

    def _skip(self, size: int, out: list[Item]) -> None:
        self._to_skip -= size
        if self._long and not self._to_skip:
            length, self._long = self._long, 0
            if self._head:
                packets = tuple(sorted(set(self._packets)))
                where = self._side, self._start
                reason = wrong_bytes.too_long(length)
                out.append(Skipped(*where, bytes(self._head), length, packets, self._time, reason))
        if self._skipped:
            self._skipped = self._skipped + size if self._to_skip else 0

    def _lose_step(self) -> None:
        self._drop()
        self._synced = self._firm = False
        self._to_skip = self._skipped = self._long = 0

    # --- searching ---------------------------------------------------------------------------------------------------

    def _search(self, chunk: Chunk, at: int, out: list[Item]) -> int:
        """Looks for the next frame from ``at`` on; returns up to where the chunk is done with."""
        if self._mid_stream_at == -1:
            self._mid_stream_at = chunk.offset
        data = chunk.data
        end = _end_of_frame(data, 0) if at == 0 else None
        if self._size and end != len(data):
            return self._continue_candidate(chunk, out)
        if end is not None and end <= len(data) and _is_boundary(data, end):
            return self._found(chunk, 0, out)
        if end is not None and end > len(data):
            self._drop()
            self._start, self._time, self._packets = chunk.offset, chunk.time, []
            self._hold(chunk, 0, len(data))
            self._size = end
            return len(data)
        # A header may have begun in the chunk before.
        before = len(self._held)
        joined = bytes(self._held) + data[at:]
        boundary = _boundary(joined)
        if boundary is None:
            self._held = bytearray(joined[-_HEADER:])
            return len(data)
        return self._found(chunk, at + boundary - before, out)

    def _continue_candidate(self, chunk: Chunk, out: list[Item]) -> int:
        """More bytes of the message that is believed to have begun with a chunk."""
        data = chunk.data
        end = min(len(data), self._size - len(self._held))
        self._hold(chunk, 0, end)
        if len(self._held) < self._size:
            return end
        if not _is_boundary(data, end):
            self._drop()
            return end
        self._report_mid_stream(self._start, chunk.number, chunk.time, out)
        self._complete(out)
        return self._found(chunk, end, out)

    def _found(self, chunk: Chunk, at: int, out: list[Item]) -> int:
        """In step again at ``at``: the search is over unless no frame follows there."""
        self._drop()
        self._report_mid_stream(chunk.offset + at, chunk.number, chunk.time, out)
        self._synced, self._firm = True, False
        return at

    def _report_mid_stream(self, offset: int, number: int, time: int, out: list[Item]) -> None:
        """The first bytes of a connection that was under way: reported once, unless nothing was skipped."""
        began, self._mid_stream_at = self._mid_stream_at, None
        if began is not None and 0 <= began < offset:
            out.append(self._problem("mid_stream", began, number, time, wrong_bytes.begun_before(offset - began)))

    def _problem(self, code: str, offset: int, number: int, time: int, text: str) -> StreamProblem:
        return StreamProblem(code, self._side, offset, number, time, text)


def _end_of_frame(data: bytes, start: int) -> int | None:
    """Where the frame that may begin at ``start`` ends (``data`` need not reach so far), None when none may begin."""
    if not plausible_frame(data, start):
        return None
    length: int = _LENGTH.unpack_from(data, start)[0]
    return start + _HEADER + length if length <= MAX_DECODED_MESSAGE else None


def _is_boundary(data: bytes, at: int) -> bool:
    """True when a frame may end at ``at``: nothing follows yet, or another frame does."""
    return at == len(data) or plausible_frame(data, at)


def _boundary(data: bytes) -> int | None:
    """Where a frame that begins anywhere in ``data`` ends, with the data or before another frame."""
    for match in _CANDIDATE.finditer(data):
        end = _end_of_frame(data, match.start())
        if end is not None and end <= len(data) and _is_boundary(data, end):
            return end
    return None
