"""The messages of a run, out of its segments however they cut them: whole ones where they lie, others put together.

Requests and answers that ``Skim`` would take are given to it by the dozen (see ``run_pairs``); every other message is
handed over as it is.
"""

from __future__ import annotations

from struct import Struct

from dissector.limits import MAX_DECODED_MESSAGE
from dissector.session.run_pairs import LENGTH, InvokeShapes, RunPairs
from dissector.stream.block import Buffer, Joined, Pairs, Piece
from dissector.stream.framing import CLASSES

_UINT = Struct(">I").unpack_from


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


class RunMessages(RunPairs):
    """Takes the payloads of a run in order."""

    #: Messages over HTTP, and in TLS: there are none.
    heard: tuple[()] = ()
    streaks: tuple[()] = ()
    records: tuple[()] = ()

    def __init__(self, data: Buffer, shapes: InvokeShapes, alignment: Alignment) -> None:
        super().__init__(shapes, LENGTH)
        self._data = data
        self._alignment = alignment
        #: Of the messages under way, by direction.
        self._parts: tuple[list[Piece], list[Piece]] = ([], [])

    def payload(self, piece: Piece, time: int) -> bool:
        """What a segment carries; False where what should be the beginning of a message is none: nothing was taken."""
        side, index, begin, end, before = piece
        if self._alignment.is_whole(side, self._data, begin, end):
            self.add(piece, self._data, begin + LENGTH, end, time)
            return True
        pieces = self._alignment.split(side, self._data, begin, end)
        if pieces is None:
            return False
        parts = self._parts[side]
        for at, stop, is_last in pieces:
            one: Piece = (side, index, at, stop, before + at - begin)
            if is_last and not parts:
                self.add(one, self._data, at + LENGTH, stop, time)
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
        self.add(piece, message, 0, len(message), time)

    def finish(self) -> tuple[list[Pairs | Piece | Joined], list[Piece]]:
        """All messages in order, and the parts of those that did not end."""
        return self.settled(), sorted([*self._parts[0], *self._parts[1]], key=lambda part: part[1])
