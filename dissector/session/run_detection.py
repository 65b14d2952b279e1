"""Finds the runs of a block: stretches of callback connections whose segments the fast path would take one by one, each
with nothing or one whole message, told from the bytes alone.

A run begins anywhere and claims only what its own packets show; whether its connection is a callback that stands where
the run begins is asked when it is taken.  Requests and answers that ``Skim`` would take are given to it by the dozen;
every other message of a run is handed over as it is.
"""

from __future__ import annotations

from struct import Struct

from dissector.limits import MAX_ARGUMENTS
from dissector.session.pace import SLOW_CALLBACK
from dissector.stream.block import Block, Buffer, Conversation, Line, Mark, Pairs, Part, Piece, Run
from dissector.stream.fast_path import HALF, MASK, TELLING, ip_size, payload_of, reader
from dissector.traffic import ACK

_UINT, _INT = Struct(">I").unpack_from, Struct(">i").unpack_from
_COUNTS = Struct(">II").unpack_from
#: Length header; class, id and command; what an invoke has before its arguments.
_LENGTH, _RELEASE_SIZE, _INVOKE_SIZE = 4, 10, 46
_REQUEST, _ANSWER, _INVOKE, _RELEASE, _COMMAND_AT = ord("O"), ord("A"), ord("I"), ord("R"), 9
#: The answer of most invokes: hresult 0 and an empty VARIANT.
DONE = b"A" + bytes(8)
_EMPTY, _NULL, _I4, _BSTR, _BOOL = 0, 1, 3, 8, 11
#: Arguments of a request that logs.
_MOST_LOGGED = 2
#: Segments that ``Direction.recent`` keeps.
_KEPT = 16
#: A shorter run is not worth the trouble; of a connection without a message in its first data nothing is.
_SHORTEST, _LOOKS = 6, 8
_NO_MARK = (0, 0, 0, 0)
#: A longer silence (ns) ends a run: the tracer gives nothing up sooner, so it need not know how far a run has come.
_PAUSE = 60_000_000_000

#: Where the arguments of an invoke begin and how many there are, by all that is before them; None: no plain invoke.
_Shapes = dict[bytes, tuple[int, int] | None]


def find_runs(block: Block) -> None:
    """Fills in the runs of all talks that have some."""
    shapes: _Shapes = {}
    for conversation in block.conversations:
        if len(conversation.places) >= _SHORTEST and _speaks(block, conversation):
            at = _under_way(block, conversation)
            while at + _SHORTEST <= len(conversation.places):
                at = _run(block, conversation, at, shapes)


def _speaks(block: Block, conversation: Conversation) -> bool:
    """True when the first data there begins like a message."""
    for place in conversation.places[:_LOOKS]:
        begin, end = payload_of(block, conversation, place >> 1)
        if end - begin > _LENGTH:
            return end <= block.ends[place >> 1] and bool(_UINT(block.data, begin)[0] == end - begin - _LENGTH)
    return True


def _under_way(block: Block, conversation: Conversation) -> int:
    """The place from which on both sides have spoken: before, nobody knows yet what the connection is."""
    if conversation.begins < 0:
        return 0
    silent = {0, 1}
    for at, place in enumerate(conversation.places):
        begin, end = payload_of(block, conversation, place >> 1)
        if place >> 1 > conversation.begins and end > begin:
            silent.discard(place & 1)
            if not silent:
                return at + 1
    return len(conversation.places)


def _run(block: Block, conversation: Conversation, first: int, shapes: _Shapes) -> int:  # noqa: C901  a question for each way to be odd
    """Looks for a run from place ``first`` on and adds it; returns where to look next."""
    data, begins, ends, times = block.data, block.begins, block.ends, block.times
    size, ip_at = ip_size(conversation.keys[0]), block.ip_offset
    headers = reader(size)
    places = conversation.places
    base: list[int | None] = [None, None]
    expect: list[int | None] = [None, None]
    packets, sent, acked, windows = [0, 0], [0, 0], [-HALF, -HALF], [0, 0]
    last: list[Mark] = [_NO_MARK] * 2
    last_data: list[Mark | None] = [None, None]
    recent: tuple[list[Mark], list[Mark]] = ([], [])
    lone: list[int] = []  # acknowledgements before the other side said anything
    messages = _Messages(block, shapes)
    silence = before = 0
    start: Mark | None = None
    behind_mark: Mark | None = None
    stop = first
    for stop in range(first, len(places)):
        index, side = places[stop] >> 1, places[stop] & 1
        other = 1 - side
        at = block.ip(index) if ip_at is None else begins[index] + ip_at
        total, ip_id, ttl, seq, ack, offset, flags, window = headers(data, at)
        begin, end = at + size + (offset >> 2 & 0x3C), at + total
        length = end - begin
        mine, theirs = expect[side], expect[other]
        if flags & TELLING != ACK or not window or end > ends[index]:
            break
        if seq != mine and (mine is not None or any((seq - one) & MASK >= HALF for one in lone)):
            break
        ahead = -HALF
        if theirs is not None:
            behind = (theirs - ack) & MASK
            if behind >= HALF:
                break
            ahead = sent[other] - behind
        if length and (length <= _LENGTH or _UINT(data, begin)[0] != length - _LENGTH):
            break
        time = times[index]
        if start is not None and time - before > _PAUSE:
            break
        mark = (index, time, ttl, ip_id)
        if start is None:
            start = mark
        elif time - before > silence:
            silence, behind_mark = time - before, mark
        before = time
        if mine is None:
            base[side] = seq
            for one in lone:
                acked[other] = max(acked[other], -((seq - one) & MASK))
        if theirs is None:
            lone.append(ack)
        elif ahead > acked[side]:
            acked[side] = ahead
        packets[side] += 1
        windows[side] = window
        last[side] = mark
        if length:
            last_data[side] = mark
            recent[side].append((seq, length, ip_id, time))
            messages.add((side, index, begin, end, sent[side]), time)
            sent[side] += length
        expect[side] = (seq + length) & MASK
    else:
        stop = len(places)
    if stop - first >= _SHORTEST and start and base[0] is not None and base[1] is not None:
        one, two = base[0], base[1]
        parts = (
            Part(packets[0], one, sent[0], acked[0], windows[0], last[0], last_data[0], recent[0][-_KEPT:]),
            Part(packets[1], two, sent[1], acked[1], windows[1], last[1], last_data[1], recent[1][-_KEPT:]),
        )
        items, heads = messages.finish(), list(messages.heads)
        conversation.runs.append(Run(first, stop, parts, start, silence, behind_mark, heads, items))
    return max(stop, first + 1)


class _Messages:
    """The messages of a run: what ``Skim`` would take of one side, and its answers, in pairs."""

    def __init__(self, block: Block, shapes: _Shapes) -> None:
        self._data = block.data
        self._shapes = shapes
        self.heads: dict[bytes, int] = {}
        self.items: list[Pairs | Piece] = []
        #: The request that waits for its answer: where it lies, its time, and what it may log.
        self._open: Piece | None = None
        self._asker, self._command, self._asked = -1, 0, 0
        self._line: Line | None = None
        #: Pairs since the last item.
        self._pairs: list[Piece] = []
        self._size = self._time = 0
        self._lines: list[Line] = []

    def add(self, piece: Piece, time: int) -> None:
        """One message with its length header."""
        side, _, begin, end, _ = piece
        opened = self._open
        if opened is not None:
            if side != self._asker and time - self._asked < SLOW_CALLBACK and self._answers(begin, end):
                self._pairs += opened, piece
                self._size += end - begin + opened[3] - opened[2]
                self._time += time - self._asked
                if self._line is not None:
                    self._lines.append(self._line)
                self._open = None
                return
            self._settle()
            self.items.append(opened)
            self._open = None
        if self._asks(piece, time):
            self._open, self._asker, self._asked = piece, side, time
        else:
            self._settle()
            self.items.append(piece)

    def finish(self) -> list[Pairs | Piece]:
        """All messages in order."""
        self._settle()
        if self._open is not None:
            self.items.append(self._open)
        return self.items

    def _settle(self) -> None:
        if self._pairs:
            number = len(self._pairs) // 2
            self.items.append((self._asker, number, self._size, self._lines, self._time, self._pairs))
            self._size = self._time = 0
            self._lines, self._pairs = [], []

    def _asks(self, piece: Piece, time: int) -> bool:
        """True for a request that ``Skim`` would take if its side may ask."""
        side, index, begin, end, _ = piece
        if self._asker not in (side, -1):
            return False
        data, at = self._data, begin + _LENGTH
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
            self._line = (time, index, self.heads.setdefault(head, len(self.heads)), values)
        return True

    def _answers(self, begin: int, end: int) -> bool:
        """True for an answer that ``Skim`` would take as that to the open request."""
        data, at = self._data, begin + _LENGTH
        if self._command == _RELEASE:
            return end - at == 1 and data[at] == _ANSWER
        if end - at == len(DONE) and data[at:end] == DONE:
            return True
        if end - at < len(DONE) or data[at] != _ANSWER or _UINT(data, at + 1)[0] >= HALF:
            return False
        return _values(data, at + 5, end, 1) is not None


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
