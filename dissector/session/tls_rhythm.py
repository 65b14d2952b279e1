"""Whether encrypted traffic looks like a task on a Universal Agent: told from sizes and times alone, so it is a guess.

A master has one request under way on a connection.  Its requests and the agent's responses are short but for scripts,
and a request that is not answered after 10 s gets a word that it is still under way (docs/agent.md).
"""

from __future__ import annotations

from dataclasses import dataclass

from dissector.session.timeouts import SECOND
from dissector.sides import Mark
from dissector.traffic import Side

#: Requests in turn with responses that a task has at least (start, five messages, close).
LEAST_TURNS = 7
#: Sizes (bytes with what the cipher adds) of nearly all requests and responses of the genuine sides.
_REQUESTS, _RESPONSES = range(180, 2_500), range(80, 2_500)
#: Of four turns three have such sizes.
_SHARE = 0.75
#: A heartbeat's period, and how exactly it is kept.
_PERIOD, _JITTER = 10 * SECOND, SECOND // 2


@dataclass(slots=True, eq=False)
class Rhythm:
    """The turns of one connection; ``first`` and ``last`` are packets of the first request and the last response."""

    turns: int = 0
    likely: int = 0
    beats: int = 0
    longest: int = 0
    first: Mark | None = None
    last: Mark | None = None
    _side: Side | None = None
    _size: int = 0
    _asked: Mark | None = None
    _is_likely: bool = False
    _finished: bool = False

    def heard(self, side: Side, size: int, mark: Mark, *, is_1_3: bool) -> None:
        """A record with so many encrypted bytes."""
        if is_1_3 and not self._finished:
            # The client's first one ends the handshake; those of the server before it are of the handshake too.
            self._finished = side is Side.CLIENT
            return
        if self._side is None and side is Side.SERVER:
            return
        if side is self._side:
            self._size += size
            self.last = mark
            return
        self._turn()
        self._side, self._size = side, size
        if side is Side.CLIENT:
            self._asked = mark
            self.first = self.first or mark
        else:
            self.turns += 1
            self.last = mark
            wait = mark.time - self._asked.time if self._asked is not None else 0
            self.longest = max(self.longest, wait)
            self.beats += abs(wait - _PERIOD) < _JITTER

    def _turn(self) -> None:
        """One side has ended."""
        if self._side is Side.CLIENT:
            self._is_likely = self._size in _REQUESTS
        elif self._side is Side.SERVER:
            self.likely += self._is_likely and self._size in _RESPONSES

    @property
    def is_task(self) -> bool:
        """True when the turns look like those of a task."""
        # The last response has not been counted.
        likely = self.likely + (self._side is Side.SERVER and self._is_likely and self._size in _RESPONSES)
        return self.turns >= LEAST_TURNS and likely >= _SHARE * self.turns
