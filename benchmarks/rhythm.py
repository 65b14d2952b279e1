"""Conversations become packets: where messages are cut into segments, and how the receiver acknowledges them.

Recordings and dense inputs have one rhythm, a message a segment.  Other TCP stacks and programs have others: they write
header and body apart, the path has small segments, acknowledgements come at once, every second time, with the next data
only, or lag behind it.
"""

from __future__ import annotations

from enum import Enum
from itertools import pairwise
from random import Random
from typing import NamedTuple

from benchmarks.conversations import Conversation, Turn
from benchmarks.patterns import Pattern, Step
from benchmarks.segments import ACK, FIN, PSH, RST, SYN, Segments, size_of

_MICRO = 1_000
_ETHERNET_MSS, _LOOPBACK_MSS = 1_448, 65_483
_HEADER = 4


class Acks(Enum):
    """How data is acknowledged."""

    AT_ONCE = "each segment by one of its own"
    DELAYED = "every second segment, the last one of a message with the answer"
    CARRIED = "with the next data of the other side"
    LAGGING = "never alone, and data acknowledges what was there some messages before"


class Rhythm(NamedTuple):
    """``pieces``: into how many a message is cut at most, anywhere; 0: its header goes apart.  ``gap``: the longest
    time between two packets (µs)."""

    pieces: int
    acks: Acks
    mss: int = _ETHERNET_MSS
    stamps: bool = True
    gap: int = 400


LOOPBACK = Rhythm(1, Acks.CARRIED, _LOOPBACK_MSS, gap=60)


def any_rhythm(random: Random) -> Rhythm:
    pieces = random.choice((0, 1, 1, 2, 3, 5))
    acks = random.choice(list(Acks))
    return Rhythm(
        pieces, acks, random.choice((536, 1_380, _ETHERNET_MSS)), random.random() < 0.7, random.choice((90, 900))
    )


def paced(conversation: Conversation, rhythm: Rhythm, random: Random) -> Pattern:
    """The packets of a conversation; the engine ends a callback connection by FIN and reset, a command connection in
    order."""
    player = _Player(
        rhythm, random, [Segments(random, line, stamps=rhythm.stamps) for line in range(len(conversation.lines))]
    )
    last = {turn.line: index for index, turn in enumerate(conversation.turns)}
    opened: set[int] = set()
    for index, turn in enumerate(conversation.turns):
        if turn.line not in opened:
            opened.add(turn.line)
            player.open(turn.line)
        player.say(turn)
        if last[turn.line] == index:
            player.end(turn.line, is_callback=conversation.lines[turn.line].callback)
    size = sum(map(size_of, player.steps))
    lines = list(conversation.lines)
    return Pattern(conversation.name, player.steps, lines, size, conversation.frames, conversation.tasks)


class _Player:
    def __init__(self, rhythm: Rhythm, random: Random, lines: list[Segments]) -> None:
        self.steps: list[Step] = []
        self._rhythm = rhythm
        self._random = random
        self._lines = lines
        self._now = 0
        #: Up to where either side of each connection has acknowledged.
        self._acked = [[0, 0] for _ in lines]

    def open(self, line: int) -> None:
        for side, flags in ((0, SYN), (1, SYN | ACK), (0, ACK)):
            self._packet(line, side, flags)

    def say(self, turn: Turn) -> None:
        """One write; the start of a task names ports, so it stays whole."""
        line, side, data = turn
        named = b"tcp_port=" in data or b"task_id=" in data
        parts = [data] if named and len(data) <= self._rhythm.mss else self._cut(data)
        for number, part in enumerate(parts, 1):
            lags = self._rhythm.acks is Acks.LAGGING and self._random.random() < 0.8
            self._packet(line, side, ACK | PSH * (number == len(parts)), part, lags=lags, named=named)
            alone = number % 2 == 0 and number < len(parts)
            if self._rhythm.acks is Acks.AT_ONCE or (self._rhythm.acks is Acks.DELAYED and alone):
                self._packet(line, 1 - side, ACK)

    def end(self, line: int, *, is_callback: bool) -> None:
        if is_callback:
            self._packet(line, 1, FIN | ACK)
            self._packet(line, 1, RST | ACK)
        else:
            for side, flags in ((0, FIN | ACK), (1, FIN | ACK), (0, ACK)):
                self._packet(line, side, flags)

    def _cut(self, data: bytes) -> list[bytes]:
        places = {0, len(data), *range(0, len(data), self._rhythm.mss)}
        if self._rhythm.pieces == 0:
            places.add(min(_HEADER, len(data)))
        elif self._rhythm.pieces > 1:
            places.update(self._random.randrange(len(data)) for _ in range(self._random.randrange(self._rhythm.pieces)))
        ends = sorted(places)
        return [data[start:end] for start, end in pairwise(ends)]

    def _packet(
        self, line: int, side: int, flags: int, data: bytes = b"", *, lags: bool = False, named: bool = False
    ) -> None:
        segments, acked = self._lines[line], self._acked[line]
        if not lags and flags != SYN:
            acked[side] = segments.sent[1 - side]
        self.steps.append(
            segments.step(self._now, side, flags, data, ack=acked[side] if flags != SYN else 0, named=named)
        )
        self._now += self._random.randrange(5, self._rhythm.gap) * _MICRO
