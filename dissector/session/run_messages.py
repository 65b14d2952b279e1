"""The messages of a run, out of its segments however they cut them: whole ones where they lie, others put together.

Requests and answers that ``Skim`` would take are found here and given to it by the dozen; every other message is handed
over as it is.
"""

from __future__ import annotations

from struct import Struct

from dissector.limits import MAX_ARGUMENTS, MAX_DECODED_MESSAGE
from dissector.session.timeouts import SLOW_CALLBACK
from dissector.stream.block import Buffer, Joined, Line, LookUp, Pairs, Piece
from dissector.stream.framing import CLASSES

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


class Alignment:
    """Where messages begin in the two directions of a conversation, as far as its bytes tell."""

    def __init__(self, *, from_start: bool) -> None:
        #: By direction: whether a message was seen to begin, and of the one under way how many bytes with the header
        #: there are and will be (0: not known yet), and as much as there is of a header that is not whole.
        self._known = [from_start, from_start]
        self._have, self._wanted, self._head = [0, 0], [0, 0], [b"", b""]

    @property
    def is_between(self) -> bool:
        """True when no message is under way."""
        return not (self._have[0] or self._have[1])

    def is_whole(self, side: int, data: Buffer, begin: int, end: int) -> bool:
        """True for a payload that is one message."""
        if self._have[side] or end - begin <= LENGTH or _UINT(data, begin)[0] != end - begin - LENGTH:
            return False
        self._known[side] = True
        return True

    def split(self, side: int, data: Buffer, begin: int, end: int) -> list[tuple[int, int, bool]] | None:
        """A payload as messages and parts of such: where they begin and end, and whether a message ends there; None
        where something else is: nothing changes then."""
        at, have, wanted, head = begin, self._have[side], self._wanted[side], self._head[side]
        pieces: list[tuple[int, int, bool]] = []
        while at < end:
            if not wanted:
                if not (self._known[side] or _begins_message(data, at, end)):
                    return None
                head += data[at : min(at + LENGTH - have, end)]
                if len(head) == LENGTH:
                    wanted = LENGTH + _UINT(head, 0)[0]
                    if not LENGTH < wanted <= LENGTH + MAX_DECODED_MESSAGE:
                        return None
            stop = min(at + wanted - have, end) if wanted else end
            have += stop - at
            pieces.append((at, stop, have == wanted))
            if have == wanted:
                have, wanted, head = 0, 0, b""
            at = stop
        self._known[side], self._have[side], self._wanted[side], self._head[side] = True, have, wanted, head
        return pieces

    def lose(self, side: int) -> None:
        """Bytes are missing, or make no sense."""
        self._known[side], self._have[side], self._wanted[side], self._head[side] = False, 0, 0, b""


def _begins_message(data: Buffer, at: int, end: int) -> bool:
    """True when a message may begin there: a length that the engine accepts, and a class."""
    return end - at > LENGTH and 0 < _UINT(data, at)[0] <= MAX_DECODED_MESSAGE and data[at + LENGTH] in CLASSES


def may_be_messages(data: Buffer, at: int, end: int) -> bool:
    """False for a payload that has certainly no beginning of a message where it begins."""
    return data[at] == 0 and (end - at <= LENGTH or _begins_message(data, at, end))


class RunMessages:
    """Takes the payloads of a run in order."""

    #: Messages over HTTP: there are none.
    heard: tuple[()] = ()

    def __init__(self, data: Buffer, shapes: InvokeShapes, alignment: Alignment) -> None:
        self._data = data
        self._shapes = shapes
        self._alignment = alignment
        self.heads: dict[bytes, int] = {}
        self.items: list[Pairs | Piece | Joined] = []
        #: Of the messages under way, by direction.
        self._parts: tuple[list[Piece], list[Piece]] = ([], [])
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

    def payload(self, piece: Piece, time: int) -> bool:
        """What a segment carries; False where what should be the beginning of a message is none: nothing was taken."""
        side, index, begin, end, before = piece
        if self._alignment.is_whole(side, self._data, begin, end):
            self._add(piece, self._data, begin + LENGTH, end, time)
            return True
        pieces = self._alignment.split(side, self._data, begin, end)
        if pieces is None:
            return False
        parts = self._parts[side]
        for at, stop, is_last in pieces:
            one: Piece = (side, index, at, stop, before + at - begin)
            if is_last and not parts:
                self._add(one, self._data, at + LENGTH, stop, time)
                continue
            parts.append(one)
            if is_last:
                self._join(side, time)
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
        self._open, self._asker, self._asked, self._open_size = piece, side, time, end - at + LENGTH

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
            first = piece[1] if len(piece) == 5 else piece[2][1][0]
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
