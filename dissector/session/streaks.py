"""A run of exchanges with a Universal Agent, each handled when its packet is due, and streaks of them together.

A streak is exchanges of one tunnel, one after the other (see ``run_exchanges``).  While nobody else looks at its task,
nothing depends on when they are handled: so that is done at once, where the streak ends.  Who does look at the task
(another connection with its exchanges, a kill, an agent that is not reached) calls ``look`` first: then all is handled
that came before, and the rest of the streak one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heapify

from dissector.session.exchanges import Exchanges
from dissector.session.packet_time import PacketTime
from dissector.session.run_exchanges import HEAD_END, NO_HEAD, SHORTEST_STREAK
from dissector.session.tunnel import Tunnel
from dissector.session.usual import known_request, known_response
from dissector.stream.block import Block, Buffer, Pairs, Run
from dissector.stream.flows import Entry
from dissector.traffic import Chunk, RawDocument, Side

_new = tuple.__new__


class Schedule:
    """Who is due when in a block: ``due`` has the index of the next packet of each conversation with that one's number,
    as a heap.  ``at``: the packet that is looked at."""

    __slots__ = ("at", "due")

    def __init__(self, due: list[tuple[int, int]]) -> None:
        self.due = due
        self.at = 0

    def move(self, number: int, late: int, early: int) -> None:
        """A conversation goes on at an ``early`` packet, not first at a ``late`` one."""
        self.due.remove((late, number))
        self.due.append((early, number))
        heapify(self.due)


class RunOfExchanges:
    """A run that fits, of conversation ``number`` of its block; ``bases`` are the offsets of its directions,
    ``data`` is where its messages are."""

    def __init__(
        self,
        entry: Entry,
        bases: tuple[int, int],
        handler: Exchanges,
        run: Run,
        data: Buffer,
        block: Block,
        clock: PacketTime,
        schedule: Schedule,
        number: int,
    ) -> None:
        self._handler, self._run, self._clock, self._schedule, self._number = handler, run, clock, schedule, number
        self._senders, self._bases = (entry.sender, entry.other), bases
        self._data, self._times, self._numbers = data, block.times, block.numbers
        is_answer = [head.startswith(b"HTTP/") for head in run.heads]
        self._requests = [
            None if answers else known_request(head) for answers, head in zip(is_answer, run.heads, strict=True)
        ]
        self._responses = [
            known_response(head) if answers else None for answers, head in zip(is_answer, run.heads, strict=True)
        ]
        #: Each message is one that is usual.
        self._is_usual = data is block.data
        #: Of the streak that waits: its task, what is handled next, where it ends, and requests with their answers.
        self._tunnel: Tunnel | None = None
        self._at = self._stop = 0
        self._many: Sequence[tuple[int, Pairs]] = ()
        self._heads: list[bytes] = []

    def turns(self) -> Iterator[int]:
        """The index of each packet at which something is to be done, which is done when the next one is asked for."""
        heard, streaks = self._run.heard, iter(self._run.streaks)
        first, stop, many, heads = next(streaks, (0, 0, [], []))
        at, number = 0, len(heard)
        while at < number:
            yield heard[at][1]
            if at >= stop:
                first, stop, many, heads = next(streaks, (number, number, [], []))
            if at >= first and not (at - first) & 1 and stop - at >= SHORTEST_STREAK and self._waits(at, stop):
                self._many, self._heads = many, heads
                yield heard[stop - 1][1]
                if self._tunnel is not None:
                    self._together(stop)
                    self._clock.now = self._times[heard[stop - 1][1]]
                    at = stop
                    continue
                at = self._at
            self._one(at)
            at += 1

    def _waits(self, at: int, stop: int) -> bool:
        """True when what comes up to ``stop`` may be handled there."""
        heard, times = self._run.heard, self._times
        side, index, _, _, _, head, number, _ = heard[at]
        request = self._requests[head]
        if request is None or number is None or self._senders[side].side is not Side.CLIENT:
            return False
        if not self._handler.in_step:
            return False
        self._tunnel = self._handler.streak(request, number, times[index], times[heard[stop - 1][1]], self)
        self._at, self._stop = at, stop
        return self._tunnel is not None

    def look(self) -> None:
        """Somebody looks at the task whose streak waits."""
        heard, at, stop, now = self._run.heard, self._at, self._stop, self._clock.now
        here = next(position for position in range(at, stop) if heard[position][1] >= self._schedule.at)
        self._together(here)
        self._at = here
        self._clock.now = now
        self._schedule.move(self._number, heard[stop - 1][1], heard[here][1])

    def _together(self, stop: int) -> None:
        """All before ``stop``; a request at its end waits for its response."""
        tunnel, end = self._tunnel, stop - (stop - self._at & 1)
        assert tunnel is not None
        self._tunnel = None
        self._feed_all(tunnel, end)
        self._handler.streak_over(tunnel, self._last(end) if end > self._at else None)
        if end < stop:
            self._one(end)

    def _feed_all(self, tunnel: Tunnel, end: int) -> None:
        """Messages of the streak up to ``end``."""
        at = self._at
        for position, pairs in self._many:
            if at < position and position + 2 * pairs[1] <= end:
                self._feed(tunnel, at, position)
                at = position
                if tunnel.skims(pairs, self._senders[pairs[0]].side.other, self._heads, self._numbers):
                    at += 2 * pairs[1]
        self._feed(tunnel, at, end)

    def _last(self, end: int) -> tuple[int, int, int]:
        """Number and time of the last request before ``end``, and when it was answered."""
        times, (asked, answered) = self._times, self._run.heard[end - 2 : end]
        return asked[6] or 0, times[asked[1]], times[answered[1]]

    def _feed(self, tunnel: Tunnel, at: int, stop: int) -> None:
        """Messages of the streak one by one."""
        data, times, numbers, connection = self._data, self._times, self._numbers, self._handler.connection
        for side, index, begin, end, _, _, _, head in self._run.heard[at:stop]:
            # The master, which sends the requests, is the server of a callback connection.
            sender, body = self._senders[side].side.other, data[begin + head + HEAD_END : end]
            tunnel.feed(connection, 0, sender, body, (numbers[index],), times[index])

    def _one(self, at: int) -> None:
        side, index, begin, stop, before, head, number, end = self._run.heard[at]
        self._clock.now = time = self._times[index]
        sender, offset, part = self._senders[side].side, self._bases[side] + before, self._data[begin:stop]
        document = _new(RawDocument, (sender, offset, part, (self._numbers[index],), time, True, "http"))
        is_usual = head != NO_HEAD and (self._is_usual or self._handler.in_step)
        if is_usual and sender is Side.CLIENT and (request := self._requests[head]) is not None:
            self._handler.request(document, number, end, request)
        elif is_usual and sender is Side.SERVER and (response := self._responses[head]) is not None:
            self._handler.response(document, end, response)
        else:
            self._handler.chunk(_new(Chunk, (sender, offset, part, self._numbers[index], time)))
