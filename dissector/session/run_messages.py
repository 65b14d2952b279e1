"""The messages of a run, out of its segments however they cut them: whole ones where they lie, others put together.

Requests and answers that ``Skim`` would take are found here and given to it by the dozen; every other message is handed
over as it is.
"""

from __future__ import annotations

from struct import Struct

from dissector.limits import MAX_ARGUMENTS, MAX_DECODED_MESSAGE
from dissector.session.pace import SLOW_CALLBACK
from dissector.stream.block import Buffer, Joined, Line, Pairs, Piece

_UINT, _INT = Struct(">I").unpack_from, Struct(">i").unpack_from
_COUNTS = Struct(">II").unpack_from
#: Length header; class, id and command; what an invoke has before its arguments.
LENGTH = 4
_RELEASE_SIZE, _INVOKE_SIZE = 10, 46
_REQUEST, _ANSWER, _INVOKE, _RELEASE, _COMMAND_AT = ord("O"), ord("A"), ord("I"), ord("R"), 9
#: Of messages.
_CLASSES = b"SOAEK"
_FAILED = 0x8000_0000
#: The answer of most invokes: hresult 0 and an empty VARIANT.
DONE = b"A" + bytes(8)
_EMPTY, _NULL, _I4, _BSTR, _BOOL = 0, 1, 3, 8, 11
#: Arguments of a request that logs.
_MOST_LOGGED = 2

#: Where the arguments of an invoke begin and how many there are, by all that is before them; None: no plain invoke.
InvokeShapes = dict[bytes, "tuple[int, int] | None"]


def begins_message(data: Buffer, at: int, end: int) -> bool:
    """True when a message may begin there: a length that the engine accepts, and a class."""
    return end - at > LENGTH and 0 < _UINT(data, at)[0] <= MAX_DECODED_MESSAGE and data[at + LENGTH] in _CLASSES


class RunMessages:
    """Takes the payloads of a run in order."""

    def __init__(self, data: Buffer, shapes: InvokeShapes) -> None:
        self._data = data
        self._shapes = shapes
        self.heads: dict[bytes, int] = {}
        self.items: list[Pairs | Piece | Joined] = []
        #: By direction: whether a message was seen to begin, and of the one under way its parts (as ``Piece``) and how
        #: many bytes are still to come.
        self._aligned = [False, False]
        self._parts: tuple[list[Piece], list[Piece]] = ([], [])
        self._missing = [0, 0]
        #: The request that waits for its answer, its time and size, and what it may log.
        self._open: Piece | Joined | None = None
        self._asker, self._command, self._asked, self._open_size = -1, 0, 0, 0
        self._line: Line | None = None
        #: Pairs since the last item.
        self._pairs: list[Piece | Joined] = []
        self._size = self._time = 0
        self._lines: list[Line] = []

    def payload(self, piece: Piece, time: int) -> bool:
        """What a segment carries; False where what should be the beginning of a message is none: nothing was taken."""
        side, _, begin, end, _ = piece
        if not self._missing[side] and end - begin > LENGTH and _UINT(self._data, begin)[0] == end - begin - LENGTH:
            self._aligned[side] = True
            self._add(piece, self._data, begin + LENGTH, end, time)
            return True
        return self._cut(piece, time)

    def _cut(self, piece: Piece, time: int) -> bool:
        """A segment that is not just one message."""
        side, index, begin, end, before = piece
        data, missing, parts = self._data, self._missing[side], self._parts[side]
        at, begins = begin + missing, []
        while at < end:
            if not begins_message(data, at, end) if not self._aligned[side] else not _has_length(data, at, end):
                return False
            begins.append(at)
            at += LENGTH + _UINT(data, at)[0]
        self._aligned[side] = True
        if missing:
            stop = min(begin + missing, end)
            parts.append((side, index, begin, stop, before))
            self._missing[side] -= stop - begin
            if not self._missing[side]:
                self._join(side, time)
        for begin_of, stop in zip(begins, [*begins[1:], at], strict=False):
            one: Piece = (side, index, begin_of, min(stop, end), before + begin_of - begin)
            if stop <= end:
                self._add(one, data, begin_of + LENGTH, stop, time)
            else:
                parts.append(one)
                self._missing[side] = stop - end
        return True

    def _join(self, side: int, time: int) -> None:
        """All parts of a message are there."""
        parts = self._parts[side]
        message = b"".join([self._data[begin:end] for _, _, begin, end, _ in parts])[LENGTH:]
        indices = tuple(dict.fromkeys(index for _, index, *_ in parts))
        piece: Joined = (side, indices[-1], (message, indices), parts[0][4])
        parts.clear()
        self._add(piece, message, 0, len(message), time)

    def finish(self) -> tuple[list[Pairs | Piece | Joined], list[Piece]]:
        """All messages in order, and the parts of those that did not end."""
        self._settle()
        if self._open is not None:
            self.items.append(self._open)
        return self.items, sorted([*self._parts[0], *self._parts[1]], key=lambda part: part[1])

    # --- requests with their answers ---------------------------------------------------------------------------------

    def _add(self, piece: Piece | Joined, data: Buffer, at: int, end: int, time: int) -> None:
        """A message, which lies in ``data[at:end]``."""
        side, opened = piece[0], self._open
        if opened is not None:
            if side != self._asker and time - self._asked < SLOW_CALLBACK and self._answers(data, at, end):
                self._pairs += opened, piece
                self._size += end - at + LENGTH + self._open_size
                self._time += time - self._asked
                if self._line is not None:
                    self._lines.append(self._line)
                self._open = None
                return
            self._settle()
            self.items.append(opened)
            self._open = None
        if self._asks(piece, data, at, end, time):
            self._open, self._asker, self._asked, self._open_size = piece, side, time, end - at + LENGTH
        else:
            self._settle()
            self.items.append(piece)

    def _settle(self) -> None:
        if self._pairs:
            number = len(self._pairs) // 2
            self.items.append((self._asker, number, self._size, self._lines, self._time, self._pairs))
            self._size = self._time = 0
            self._lines, self._pairs = [], []

    def _asks(self, piece: Piece | Joined, data: Buffer, at: int, end: int, time: int) -> bool:
        """True for a request that ``Skim`` would take if its side may ask."""
        if self._asker not in (piece[0], -1):
            return False
        head = data[at : at + _INVOKE_SIZE]
        if end - at == _RELEASE_SIZE:
            self._command, self._line = _RELEASE, None
            return head[0] == _REQUEST and head[_COMMAND_AT] == _RELEASE
        if head in self._shapes:
            shape = self._shapes[head]
        else:
            shape = self._shapes[head] = _shape(head)
        values = None if shape is None else _values(data, at + shape[0], end, shape[1])
        if values is None:
            return False
        self._command = _INVOKE
        self._line = None
        if values:
            first = piece[1] if len(piece) == 5 else piece[2][1][0]
            self._line = (time, first, self.heads.setdefault(head, len(self.heads)), values)
        return True

    def _answers(self, data: Buffer, at: int, end: int) -> bool:
        """True for an answer that ``Skim`` would take as that to the open request."""
        if self._command == _RELEASE:
            return end - at == 1 and data[at] == _ANSWER
        if end - at == len(DONE) and data[at:end] == DONE:
            return True
        if end - at < len(DONE) or data[at] != _ANSWER or _UINT(data, at + 1)[0] >= _FAILED:
            return False
        return _values(data, at + 5, end, 1) is not None


def _has_length(data: Buffer, at: int, end: int) -> bool:
    return end - at > LENGTH and 0 < _UINT(data, at)[0] <= MAX_DECODED_MESSAGE


def _shape(head: bytes) -> tuple[int, int] | None:
    """Where the arguments of an invoke begin and how many there are, by all that is before them; None for others."""
    if len(head) < _INVOKE_SIZE or head[0] != _REQUEST or head[_COMMAND_AT] != _INVOKE:
        return None
    count, named = _COUNTS(head, _INVOKE_SIZE - 8)
    return (_INVOKE_SIZE + 4 * named, count) if named <= count <= MAX_ARGUMENTS else None


def _values(data: Buffer, at: int, end: int, count: int) -> tuple[object, ...] | None:
    """``count`` VARIANTs of the plainest types from ``at`` to ``end``, first argument first; None for anything else.
    Of more than a log line can have only the form is looked at."""
    values: list[object] = []
    for _ in range(count):
        if at + 4 > end:
            return None
        vt = _UINT(data, at)[0]
        value: object = None
        if vt == _BSTR and at + 8 <= end:
            begin = at + 8
            at = begin + _UINT(data, at + 4)[0]
            if count <= _MOST_LOGGED:
                value = data[begin:at].decode("latin-1")
        elif vt == _I4 and at + 8 <= end:
            value = _INT(data, at + 4)[0]
            at += 8
        elif vt == _BOOL and at + 5 <= end and data[at + 4] <= 1:
            value = data[at + 4] == 1
            at += 5
        elif vt in (_EMPTY, _NULL):
            at += 4
        else:
            return None
        values.append(value)
    if at != end:
        return None
    return tuple(reversed(values)) if count <= _MOST_LOGGED else ()
