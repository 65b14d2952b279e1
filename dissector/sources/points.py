"""Captures of several places read side by side: the blocks of each by themselves, packets numbered as one stream.

Packets are numbered in the order of their times over all files, as if they had been merged (``merge`` has the rules,
and this is the same order), but are not brought into it: whoever follows one place needs no other's packets between.
A block is given when the times of all others are known up to its end.  Of what was given no more times are kept than
the next numbers need.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import overload

from dissector.stream.block import Block


def side_by_side(places: Sequence[Iterator[Block]], sources: Sequence[int]) -> Iterator[tuple[int, Block]]:
    """The blocks of all places with the numbers of these.  ``sources``: for each place what it is read from; of places
    with the same source (interfaces of one file) each has the packets of all, numbered already."""
    readers = [_Reader(place, blocks) for place, blocks in enumerate(places)]
    for reader in readers:
        reader.advance()
    while open_readers := [reader for reader in readers if reader.block is not None]:
        reader = min(open_readers, key=lambda one: (one.newest, one.place))
        first: dict[int, _Reader] = {}
        for other in readers:
            if sources[other.place] != sources[reader.place]:
                first.setdefault(sources[other.place], other)
        block = reader.block
        assert block is not None
        yield reader.place, block._replace(numbers=_Numbers(reader, list(first.values())))
        reader.advance()
        oldest = min((one.keys[0] for one in readers if one.block is not None), default=0)
        for one in readers:
            one.forget(oldest)


class _Reader:
    """One place: its block, and the times of its packets from the oldest that may still be asked for."""

    def __init__(self, place: int, blocks: Iterator[Block]) -> None:
        self.place = place
        self._blocks = blocks
        self.block: Block | None = None
        self.keys: Sequence[int] = ()
        self.newest = 0
        #: What was given, with how many packets there were before each.
        self._past: deque[tuple[Sequence[int], int]] = deque()
        self._count = 0

    def advance(self) -> None:
        """Takes the next block; ``block`` is None at the end."""
        self.block = next((block for block in self._blocks if block.times), None)
        if self.block is None:
            return
        times = self.block.times
        keys = times if self.block.ordered else list(accumulate(times, max))
        if keys[0] < self.newest:
            keys = [max(key, self.newest) for key in keys]
        self.keys, self.newest = keys, keys[-1]
        self._past.append((keys, self._count))
        self._count += len(keys)

    def before(self, key: int, *, inclusive: bool) -> int:
        """How many packets are older than ``key``, or as old."""
        find = bisect_right if inclusive else bisect_left
        for keys, count in reversed(self._past):
            if keys[0] < key or (inclusive and keys[0] == key):
                return count + find(keys, key)
        return self._past[0][1] if self._past else self._count

    def forget(self, oldest: int) -> None:
        """Nobody asks for packets before ``oldest`` any more."""
        while len(self._past) > 1 and self._past[1][0][0] < oldest:
            self._past.popleft()


class _Numbers(Sequence[int]):
    """The numbers of a block's packets, worked out for those that are asked for."""

    def __init__(self, reader: _Reader, others: list[_Reader]) -> None:
        block = reader.block
        assert block is not None
        self._own, self._keys, self._place, self._others = block.numbers, reader.keys, reader.place, others

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> list[int]: ...
    def __getitem__(self, index: int | slice) -> int | list[int]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        key = self._keys[index]
        return self._own[index] + sum(other.before(key, inclusive=other.place < self._place) for other in self._others)
