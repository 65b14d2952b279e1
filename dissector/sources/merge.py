"""Several capture files as one stream in the order of time, numbered in that order.

A block of a file that is alone until the next one begins passes as it is: so it is with the files of a ring.  Of files
that overlap, what is older than anything still to come of the others is sorted into one block.  In a file whose times
step back a packet counts as old as the newest one before it, so that its packets keep their order.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import accumulate
from mmap import mmap
from operator import itemgetter
from typing import NamedTuple

from dissector.sources.blocks import ROOM, Make
from dissector.stream.block import Block
from dissector.stream.prefilter import PADDING
from dissector.stream.records import Located, each_link

#: Opens a file by its place; True when its blocks may come prepared from another process.
Opener = Callable[[int, bool], Iterator[Located | Block]]
#: Gets the place of a file and how many segments more it has.
Count = Callable[[int, int], object]


def merged(
    first_times: Sequence[tuple[int, int]], opened: Opener, make: Make, count: Count, *, prefetch: bool
) -> Generator[Block, None, None]:
    """All files, each opened when its first packet is due: ``first_times`` are their times with their places.

    With ``prefetch`` the blocks of one that begins alone come prepared, in vain where others begin before it ends."""
    later = sorted(first_times, reverse=True)
    current: list[_File] = []
    memory = _Memory()
    number = 0
    while later or current:
        while later and (not current or later[-1][0] <= min(file.newest for file in current)):
            _, place = later.pop()
            file = _File(place, opened(place, prefetch and not current))
            if file.advance():
                current.append(file)
                current.sort(key=lambda one: one.place)
        if not current:
            continue
        block = _block(_due(current), memory, make, count)
        block = block._replace(numbers=range(number + 1, number + 1 + len(block.times)))
        number += len(block.times)
        yield block
        current = [file for file in current if file.at < len(file.keys) or file.advance()]


class _Part(NamedTuple):
    """Packets ``begin`` to ``end`` of those that a file has at hand."""

    file: _File
    begin: int
    end: int


class _File:
    """A file that is open: the packets at hand, how many of them were given, and what they are sorted by (``keys``)."""

    def __init__(self, place: int, contents: Iterator[Located | Block]) -> None:
        self.place = place
        self._contents = contents

    def advance(self) -> bool:
        """Takes the next packets; False at the end."""
        some = next(self._contents, None)
        if some is None:
            return False
        self.some, self.at = some, 0
        self.keys: Sequence[int] = some.times if some.ordered else list(accumulate(some.times, max))
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


class _Memory:
    """Bytes of several files side by side; those of the next ones take their place."""

    def __init__(self) -> None:
        self._memory = mmap(-1, ROOM)

    def filled(self, data: list[memoryview]) -> mmap:
        size = sum(map(len, data)) + len(PADDING)
        if size > len(self._memory):
            self._memory = mmap(-1, 2 * size)
        at = 0
        for part in [*data, memoryview(PADDING)]:
            self._memory[at : at + len(part)] = part
            at += len(part)
        return self._memory


def _block(parts: list[_Part], memory: _Memory, make: Make, count: Count) -> Block:
    """One block of all parts."""
    one = parts[0]
    if len(parts) == 1 and one.begin == 0 and one.end == len(one.file.keys):
        some = one.file.some
        block = make(some) if isinstance(some, Located) else some
        count(one.file.place, block.segments)
        return block
    located, places = _sorted(parts, memory)
    block = make(located)
    for place, segments in _segments(block, places).items():
        count(place, segments)
    return block


def _sorted(parts: list[_Part], memory: _Memory) -> tuple[Located, Sequence[int]]:
    """The packets of all parts in order, and the places of their files."""
    times: list[int] = []
    begins: list[int] = []
    ends: list[int] = []
    keys: list[int] = []
    files: list[int] = []
    data: list[memoryview] = []
    size = 0
    for part in parts:
        some, span = part.file.some, slice(part.begin, part.end)
        begin, end = some.begins[part.begin], some.ends[part.end - 1]
        shift = size - begin
        begins += [at + shift for at in some.begins[span]]
        ends += [at + shift for at in some.ends[span]]
        times += some.times[span]
        keys += part.file.keys[span]
        files += [part.file.place] * (part.end - part.begin)
        data.append(memoryview(some.data)[begin:end])
        size += end - begin
    order = sorted(range(len(keys)), key=keys.__getitem__)
    # Twice as fast as a list that asks for each of them; of a single place it would give no tuple.
    arrange = itemgetter(*order, order[0])
    links, cut = _facts(parts, order)
    located = Located(
        memory.filled(data),
        arrange(begins)[:-1],
        arrange(ends)[:-1],
        list(arrange(times)[:-1]),
        all(part.file.some.ordered for part in parts),
        (min(times), max(times)),
        links,
        cut,
        b"",
    )
    return located, arrange(files)


def _facts(parts: list[_Part], order: list[int]) -> tuple[list[tuple[int, int]], dict[int, int]]:
    """Link types of the packets of these parts in this order, and the lengths of those that were cut."""
    kinds = {link_type for part in parts for _, link_type in part.file.some.links}
    if len(kinds) == 1 and not any(part.file.some.cut for part in parts):
        return [(0, kinds.pop())], {}
    found = [fact for part in parts for fact in _facts_of(part)]
    links: list[tuple[int, int]] = []
    cut: dict[int, int] = {}
    for new, at in enumerate(order):
        link_type, length = found[at]
        if not links or links[-1][1] != link_type:
            links.append((new, link_type))
        if length is not None:
            cut[new] = length
    return links, cut


def _facts_of(part: _Part) -> Iterator[tuple[int, int | None]]:
    some = part.file.some
    for (first, link_type), stop in each_link(some):
        for index in range(max(first, part.begin), min(stop, part.end)):
            yield link_type, some.cut.get(index)


def _segments(block: Block, places: Sequence[int]) -> Counter[int]:
    """TCP segments of a block by the places of the files of its packets."""
    found = Counter(map(places.__getitem__, block.other_segments))
    for conversation in block.conversations:
        found.update([places[place >> 1] for place in conversation.places])
    return found
