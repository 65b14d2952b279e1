"""Requests and answers of a run that ``Skim`` would take, put together to be given to it by the dozen."""

from __future__ import annotations

from struct import Struct

from dissector.limits import MAX_ARGUMENTS
from dissector.session.timeouts import SLOW_CALLBACK
from dissector.stream.block import Buffer, Joined, Line, LookUp, Pairs, Piece

_UINT = Struct(">I").unpack_from
_COUNTS = Struct(">II").unpack_from
#: Length header; class, id and command; what an invoke has before its arguments.
LENGTH = 4
_RELEASE_SIZE, _INVOKE_SIZE = 10, 46
_REQUEST, _ANSWER, _INVOKE, _RELEASE, _LOOK_UP, _COMMAND_AT = ord("O"), ord("A"), ord("I"), ord("R"), ord("G"), 9
#: Of a get_ids_of_names: behind class, id and command; behind interface and locale, where its count of names is.
LOOK_UP_AT, _NAMES_AT = 10, 30
#: Longer ones are rare, and not worth to be remembered.
_LONGEST_LOOK_UP = 512
#: Class and hresult of its answer.
_LOOKED_UP = 5
_FAILED = 0x8000_0000
#: hresults of a member that does not exist (unknown name, member not found): normal where the caller only asks whether
#: it does.
USUAL_FAILURES = frozenset({0x80020006, 0x80020003})
#: The answer of most invokes: hresult 0 and an empty VARIANT.
DONE = b"A" + bytes(8)
_EMPTY, _NULL, _I4, _BSTR, _BOOL = 0, 1, 3, 8, 11
#: VARIANT types that are a number of fixed size, and those that are a text which is one.
_NUMBERS = {
    _I4: Struct(">i"), 22: Struct(">i"), 19: Struct(">I"), 23: Struct(">I"), 10: Struct(">i"), 20: Struct(">q"),
    6: Struct(">q"), 21: Struct(">Q"), 2: Struct(">h"), 18: Struct(">H"), 16: Struct(">b"), 17: Struct(">B"),
}  # fmt: skip
_DOUBLES, _DOUBLE_MARK = frozenset({4, 5, 7}), ord("s")
#: Arguments of a request that logs.
_MOST_LOGGED = 2

#: Where the arguments of an invoke begin and how many there are, by all that is before them; None: no plain invoke.
InvokeShapes = dict[bytes, "tuple[int, int] | None"]


class RunPairs:
    """Takes the messages of a run in order.  ``header``: bytes of the length before each, which count too."""

    def __init__(self, shapes: InvokeShapes, header: int) -> None:
        self._shapes, self._header = shapes, header
        self.heads: dict[bytes, int] = {}
        self.items: list[Pairs | Piece | Joined] = []
        #: The request that waits for its answer, its time and size, and what it may log.
        self._open: Piece | Joined | None = None
        self._asker, self._command, self._asked, self._open_size = -1, 0, 0, 0
        self._line: Line | None = None
        #: A look-up of names as it is, and how many they are.
        self._look_up, self._names = b"", 0
        #: Pairs since the last item.
        self._pairs: list[Piece | Joined] = []
        self._size = self._time = 0
        self._lines: list[Line | LookUp] = []

    def add(self, piece: Piece | Joined, data: Buffer, at: int, end: int, time: int) -> None:
        """A message, which lies in ``data[at:end]``."""
        side, opened = piece[0], self._open
        if opened is not None:
            if side != self._asker and time - self._asked < SLOW_CALLBACK and self._answers(data, at, end):
                self._pairs += opened, piece
                self._size += end - at + self._header + self._open_size
                self._time += time - self._asked
                if self._line is not None:
                    self._lines.append(self._line)
                elif self._command == _LOOK_UP:
                    self._lines.append((self._look_up, data[at:end]))
                self._open = None
                return
            self._settle()
            self.items.append(opened)
            self._open = None
        if not self._asks(piece, data, at, end, time):
            self._settle()
            self.items.append(piece)
            return
        if side != self._asker:
            self._settle()
        self._open, self._asker, self._asked, self._open_size = piece, side, time, end - at + self._header

    def settled(self) -> list[Pairs | Piece | Joined]:
        """All of them, in order."""
        self._settle()
        if self._open is not None:
            self.items.append(self._open)
            self._open = None
        return self.items

    def _settle(self) -> None:
        if self._pairs:
            number = len(self._pairs) // 2
            self.items.append((self._asker, number, self._size, self._lines, self._time, self._pairs))
            self._size = self._time = 0
            self._lines, self._pairs = [], []

    def _asks(self, piece: Piece | Joined, data: Buffer, at: int, end: int, time: int) -> bool:
        """True for a request that ``Skim`` would take if its side may ask."""
        head = data[at : min(at + _INVOKE_SIZE, end)]
        if end - at == _RELEASE_SIZE:
            self._command, self._line = _RELEASE, None
            return head[0] == _REQUEST and head[_COMMAND_AT] == _RELEASE
        if head in self._shapes:
            shape = self._shapes[head]
        elif head[_COMMAND_AT : _COMMAND_AT + 1] == b"G":
            return self._looks_up(data, at, end)
        else:
            shape = self._shapes[head] = _shape(head)
        values = None if shape is None else _values(data, at + shape[0], end, shape[1])
        if values is None:
            return False
        self._command = _INVOKE
        self._line = None
        if values:
            first = piece[2][1][0] if len(piece) == 4 else piece[1]
            self._line = (time, first, self.heads.setdefault(head, len(self.heads)), values)
        return True

    def _looks_up(self, data: Buffer, at: int, end: int) -> bool:
        """True for a get_ids_of_names to its last byte."""
        names = _names(data, at, end)
        if names is None:
            return False
        self._command, self._line = _LOOK_UP, None
        self._look_up, self._names = data[at:end], names
        return True

    def _answers(self, data: Buffer, at: int, end: int) -> bool:
        """True for an answer that ``Skim`` would take as that to the open request."""
        if self._command == _RELEASE:
            return end - at == 1 and data[at] == _ANSWER
        if self._command == _LOOK_UP:
            if end - at < _LOOKED_UP or data[at] != _ANSWER:
                return False
            hresult = _UINT(data, at + 1)[0]
            dispids = 4 * self._names if hresult < _FAILED else 0
            return end - at == _LOOKED_UP + dispids and (hresult < _FAILED or hresult in USUAL_FAILURES)
        if end - at == len(DONE) and data[at:end] == DONE:
            return True
        if end - at < len(DONE) or data[at] != _ANSWER or _UINT(data, at + 1)[0] >= _FAILED:
            return False
        return _values(data, at + 5, end, 1) is not None


def _shape(head: bytes) -> tuple[int, int] | None:
    """Where the arguments of an invoke begin and how many there are, by all that is before them; None for others."""
    if len(head) < _INVOKE_SIZE or head[0] != _REQUEST or head[_COMMAND_AT] != _INVOKE:
        return None
    count, named = _COUNTS(head, _INVOKE_SIZE - 8)
    return (_INVOKE_SIZE + 4 * named, count) if named <= count <= MAX_ARGUMENTS else None


def _names(data: Buffer, at: int, end: int) -> int | None:
    """How many names a get_ids_of_names has; None for anything else."""
    begin = at + _NAMES_AT + 4
    # One without names may be a query_interface, as Java writes it.
    if not begin < end <= at + _LONGEST_LOOK_UP or data[at] != _REQUEST:
        return None
    count: int = _UINT(data, at + _NAMES_AT)[0]
    for _ in range(count):
        if begin + 4 > end:
            return None
        begin += 4 + _UINT(data, begin)[0]
    return count if begin == end else None


def _values(data: Buffer, at: int, end: int, count: int) -> tuple[object, ...] | None:
    """``count`` VARIANTs without references and arrays from ``at`` to ``end``, first argument first; None for anything
    else.  Of more than a log line can have only the form is looked at, and so of doubles."""
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
        elif vt in _NUMBERS:
            number = _NUMBERS[vt]
            at += 4 + number.size
            if at > end:
                return None
            (value,) = number.unpack_from(data, at - number.size)
        elif vt == _BOOL and at + 5 <= end and data[at + 4] <= 1:
            value = data[at + 4] == 1
            at += 5
        elif vt in (_EMPTY, _NULL):
            at += 4
        elif vt in _DOUBLES and at + 6 <= end and data[at + 4] == _DOUBLE_MARK:
            begin = at + 6
            at = begin + data[at + 5]
            if not _is_number(data[begin:at]):
                return None
        else:
            return None
        values.append(value)
    if at != end:
        return None
    return tuple(reversed(values)) if count <= _MOST_LOGGED else ()


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
