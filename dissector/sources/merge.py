"""Several capture files as one stream in the order of time, numbered in that order.

A block of a file that is alone until the next one begins passes as it is: so it is with the files of a ring.  Of files
that overlap, what is older than anything still to come of the others is sorted into one block.  In a file whose times
step back a packet counts as old as the newest one before it, so that its packets keep their order.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from dissector.sources.blocks import Prepare
from dissector.stream.block import Block, Conversation, Stretch

#: Opens a file by its place; True when its blocks shall come prepared.
Opener = Callable[[int, bool], Iterator[Block]]


def merged(
    first_times: Sequence[tuple[int, int]], opened: Opener, prepare: Prepare, *, prefetch: bool
) -> Generator[Block, None, None]:
    """All files, each opened when its first packet is due: ``first_times`` are their times with their places.

    With ``prefetch`` the blocks of one that begins alone come prepared, in vain where others begin before it ends."""
    later = sorted(first_times, reverse=True)
    current: list[_File] = []
    number = 0
    while later or current:
        while later and (not current or later[-1][0] <= min(file.newest for file in current)):
            _, place = later.pop()
            is_prepared = prefetch and not current
            file = _File(place, opened(place, is_prepared), is_prepared=is_prepared)
            if file.advance():
                current.append(file)
                current.sort(key=lambda one: one.place)
        if not current:
            continue
        parts = _due(current)
        block = _block(parts, prepare)
        block = block._replace(numbers=range(number + 1, number + 1 + len(block.times)))
        number += len(block.times)
        yield block
        current = [file for file in current if file.at < len(file.keys) or file.advance()]


class _Part(NamedTuple):
    """Packets ``begin`` to ``end`` of a file's block."""

    file: _File
    begin: int
    end: int


class _File:
    """A file that is open: its block, how far that was given, and what its packets are sorted by (``keys``)."""

    def __init__(self, place: int, blocks: Iterator[Block], *, is_prepared: bool) -> None:
        self.place = place
        self.is_prepared = is_prepared
        self._blocks = blocks

    def advance(self) -> bool:
        """Takes the next block; False at the end."""
        block = next(self._blocks, None)
        if block is None:
            return False
        self.block, self.at = block, 0
        self.keys: Sequence[int] = block.times if block.ordered else list(accumulate(block.times, max))
        self.newest = self.keys[-1]
        return True


def _due(files: list[_File]) -> list[_Part]:
    """What no packet to come can be older than: all of one file's block, and what of the others is before its end."""
    limit = min(file.newest for file in files)
    parts, is_before = [], True
    for file in files:
        if is_before and file.newest == limit:
            end, is_before = len(file.keys), False
        else:
            end = (bisect_right if is_before else bisect_left)(file.keys, limit, file.at)
        if end > file.at:
            parts.append(_Part(file, file.at, end))
            file.at = end
    return parts


def _block(parts: list[_Part], prepare: Prepare) -> Block:
    """One block of all parts."""
    one = parts[0]
    if len(parts) == 1 and one.begin == 0 and one.end == len(one.file.keys):
        if not one.file.is_prepared:
            prepare(one.file.block)
        return one.file.block
    block = _sorted(parts)
    prepare(block)
    return block


def _sorted(parts: list[_Part]) -> Block:
    times: list[int] = []
    begins: list[int] = []
    ends: list[int] = []
    keys: list[int] = []
    data: list[memoryview] = []
    size = 0
    for part in parts:
        block, span = part.file.block, slice(part.begin, part.end)
        shift = size - block.begins[part.begin]
        begins += [at + shift for at in block.begins[span]]
        ends += [at + shift for at in block.ends[span]]
        times += block.times[span]
        keys += part.file.keys[span]
        data.append(memoryview(block.data)[block.begins[part.begin] : block.ends[part.end - 1]])
        size += len(data[-1])
    places = sorted(range(len(keys)), key=keys.__getitem__)
    ordered = all(part.file.block.ordered for part in parts)
    stretches, cut = _facts(parts, places)
    others, conversations = _conversations(parts, places)
    return Block(
        b"".join(data),
        list(map(begins.__getitem__, places)),
        list(map(ends.__getitem__, places)),
        list(map(times.__getitem__, places)),
        ordered,
        (min(times), max(times)),
        stretches,
        cut,
        0,
        {},
        others,
        conversations,
    )


def _conversations(parts: list[_Part], places: list[int]) -> tuple[list[int], list[Conversation]]:
    """Packets of all parts in this order that are not plain, and the conversations of the others."""
    ranks = [0] * len(places)
    for rank, at in enumerate(places):
        ranks[at] = rank
    others: list[int] = []
    found: dict[bytes, Conversation] = {}
    first = 0
    for part in parts:
        begin, end = part.begin, part.end
        mine = ranks[first : first + end - begin]
        first += end - begin
        others += [mine[index - begin] for index in part.file.block.others if begin <= index < end]
        for (key, back), all_syns, all_places, *_ in part.file.block.conversations:
            low, high = bisect_left(all_places, 2 * begin), bisect_left(all_places, 2 * end)
            if low == high:
                continue
            syns = [mine[index - begin] for index in all_syns if begin <= index < end]
            moved = [mine[(place >> 1) - begin] << 1 | place & 1 for place in all_places[low:high]]
            known = found.get(key)
            if known is None and (known := found.get(back)) is not None:
                moved = [place ^ 1 for place in moved]
            if known is None:
                found[key] = Conversation((key, back), syns, moved, [])
            else:
                for one, more in ((known.syns, syns), (known.places, moved)):
                    one += more
                    one.sort()
    return sorted(others), list(found.values())


def _facts(parts: list[_Part], places: list[int]) -> tuple[list[Stretch], dict[int, int]]:
    """Stretches of a block of these parts in this order, and the lengths of packets that were cut."""
    cut: dict[int, int] = {}
    kinds = {stretch[1:] for part in parts for stretch in part.file.block.stretches}
    if len(kinds) == 1 and not any(part.file.block.cut for part in parts):
        return [Stretch(0, *next(iter(kinds)))], cut
    where = [(part.file.block, index) for part in parts for index in range(part.begin, part.end)]
    stretches: list[Stretch] = []
    for new, at in enumerate(places):
        block, index = where[at]
        kind = block.stretch(index)[1:]
        if not stretches or stretches[-1][1:] != kind:
            stretches.append(Stretch(new, *kind))
        if index in block.cut:
            cut[new] = block.cut[index]
    return stretches, cut
