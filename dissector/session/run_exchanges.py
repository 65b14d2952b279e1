"""The messages over HTTP of a run: segments that are one usual message each (see ``usual``).

What is the same in many heads is found here, in the process that reads ahead; the tracer reads each such head once.
So are streaks: whole exchanges of one tunnel, one after the other.
"""

from __future__ import annotations

from dissector.session.run_pairs import InvokeShapes, RunPairs
from dissector.session.timeouts import HEARTBEAT_GRACE
from dissector.stream.block import Buffer, Heard, Joined, Pairs, Piece, Streak
from dissector.stream.framing import CLASSES

_API, _POST, _HTTP = b"/jobscheduler/agent/api/", b"POST ", b"HTTP/"
#: Bytes of a request in which its path begins; of what ends a head.
_LINE, HEAD_END = 256, 4
#: Messages of a streak; a shorter one is not worth the trouble.
SHORTEST_STREAK = 4
#: What a head is in a streak: a message to a tunnel, and the response that brings one.
_ASKS, _ANSWERS = 1, 2
_OK = 200
#: In the place of a head, of what has none that is usual.
NO_HEAD = -1


def asks_agent(data: Buffer, begin: int, end: int) -> bool:
    """True for a payload that begins with a command to an agent, or with a message to one."""
    return data[begin : begin + 5] == _POST and data[begin : min(begin + _LINE, end)].find(_API) >= 0


def is_http(data: Buffer, begin: int, end: int) -> bool:
    """True for a payload that may begin a request to an agent, or a response."""
    return data[begin : begin + 5] == _HTTP or asks_agent(data, begin, end)


class RunExchanges:
    """Takes the payloads of a run in order."""

    #: Messages in TLS: there are none.
    records: tuple[()] = ()

    def __init__(self, data: Buffer, shapes: InvokeShapes) -> None:
        # Whoever reads ahead begins sooner without it, and most captures have no agent.
        from dissector.session.usual import usual_request, usual_response

        self._data, self._shapes, self._usual = data, shapes, (usual_request, usual_response)
        self.heads: dict[bytes, int] = {}
        self.heard: list[Heard] = []
        self.streaks: list[Streak] = []
        #: What each of the heads is in a streak.
        self._parts: list[int] = []
        #: The streak under way (-1: none): where it begins, who asks, which of the heads its requests have, and number
        #: and time of the last of these.
        self._first = self._asker = self._head = -1
        self._number = self._time = 0
        #: That request while it waits, and where its message begins; not that of the streak's first one.
        self._asked, self._asked_at, self._is_open = (0, 0, 0, 0, 0), 0, False
        self._pairs = RunPairs(shapes, 0)

    def payload(self, piece: Piece, time: int) -> bool:
        """What a segment carries; False for anything but a usual message: nothing was taken."""
        _, _, begin, stop, _ = piece
        data = self._data[begin:stop]
        is_answer = data[:5] == _HTTP
        usual = self._usual[is_answer](data)
        if usual is None:
            return False
        text, number, end = usual
        head = self.heads.setdefault(text, len(self.heads))
        if head == len(self._parts):
            self._parts.append(_part(text, is_answer=is_answer))
        part, at = self._parts[head], begin + end + HEAD_END
        if not part or at == stop or self._data[at] not in CLASSES:
            self._end()
        elif part == _ANSWERS:
            self._answer(piece, at, time)
        elif number is not None:
            self._ask(piece, at, time, head, number)
        else:
            self._end()
        self.heard.append((*piece, head, number, end))
        return True

    def _ask(self, piece: Piece, at: int, time: int, head: int, number: int) -> None:
        follows = self._first >= 0 and not self._is_open and number == self._number + 1
        is_same = head == self._head and piece[0] == self._asker
        if not (follows and is_same and time - self._time <= HEARTBEAT_GRACE):
            self._end()
            self._first, self._asker, self._head = len(self.heard), piece[0], head
            self._pairs = RunPairs(self._shapes, 0)
        self._number, self._time = number, time
        self._asked, self._asked_at, self._is_open = piece, at, True

    def _answer(self, piece: Piece, at: int, time: int) -> None:
        if not self._is_open or piece[0] == self._asker:
            self._end()
            return
        self._is_open, asked = False, self._asked
        if len(self.heard) > self._first + 1:
            self._pairs.add(asked, self._data, self._asked_at, asked[3], self._time)
        self._pairs.add(piece, self._data, at, piece[3], time)

    def _end(self) -> None:
        """The message that comes is not of the streak."""
        first, stop = self._first, len(self.heard) - self._is_open
        self._first, self._is_open = -1, False
        if first < 0 or stop - first < SHORTEST_STREAK:
            return
        many: list[tuple[int, Pairs]] = []
        at = first + 1
        for item in self._pairs.settled():
            if len(item) == 6:
                many.append((at, (*item[:5], [])))
                at += 2 * item[1]
            else:
                at += 1
        self.streaks.append((first, stop, many, list(self._pairs.heads)))

    def other(self, piece: Piece) -> None:
        """What is no usual message, or only a part of one."""
        self._end()
        self.heard.append((*piece, NO_HEAD, None, 0))

    def finish(self) -> tuple[list[Pairs | Piece | Joined], list[Piece]]:
        """As ``RunMessages``: there are no frames."""
        self._end()
        return [], []


def _part(head: bytes, *, is_answer: bool) -> int:
    from dissector.session.usual import known_request, known_response

    if is_answer:
        response = known_response(head)
        return _ANSWERS if response is not None and response.is_plain and response.status == _OK else 0
    request = known_request(head)
    is_message = request is not None and request.is_plain and request.head.kind == "tunnel"
    return _ASKS if is_message else 0
