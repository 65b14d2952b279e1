"""Several capture files as one stream in the order of time, numbered in that order.

A block of a file that is alone until the next one begins passes as it is: so it is with the files of a ring.  Of files
that overlap, what is older than anything still to come of the others is sorted into one block.  In a file whose times
step back a packet counts as old as the newest one before it, so that its packets keep their order.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from dissector.sources.blocks import Prepare
from dissector.stream.block import Block, Stretch, conversations_of

#: Opens a file by its place; True when no other file is open, and its blocks come prepared then.
Opener = Callable[[int, bool], Iterator[Block]]
#: In the place of a key, of packets that are in no conversation and of interest.
_OTHER = b""


def merged(first_times: Sequence[tuple[int, int]], opened: Opener, prepare: Prepare) -> Generator[Block, None, None]:
    """All files, each opened when its first packet is due: ``first_times`` are their times with their places."""
    later = sorted(first_times, reverse=True)
    current: list[_File] = []
    number = 0
    while later or current:
        while later and (not current or later[-1][0] <= min(file.newest for file in current)):
            _, place = later.pop()
            file = _File(place, opened(place, not current), is_prepared=not current)
            if file.advance():
                current.append(file)
                current.sort(key=lambda one: one.place)
        if not current:
            continue
        parts = _due(current)
        block = _block(parts, prepare)._replace(number=number)
        number += len(block.times)
        yield block
        current = [file for file in current if file.at < len(file.keys) or file.advance()]


class _Part(NamedTuple):
    """Packets ``begin`` to ``end`` of a file's block."""

    file: _File
    begin: int
    end: int


class _File:
    """A file that is open: its block, how far that was given, and what its packets are sorted by."""

    def __init__(self, place: int, blocks: Iterator[Block], *, is_prepared: bool) -> None:
        self.place = place
        self.is_prepared = is_prepared
        self._blocks = blocks
        self._owners: list[bytes | None] | None = None
        #: Packets of the block with a SYN, in order.
        self.syns: list[int] = []
        self.keys: Sequence[int] = ()
        self.newest = 0
        self.at = 0

    def advance(self) -> bool:
        """Takes the next block; False at the end."""
        block = next(self._blocks, None)
        if block is None:
            return False
        self.block, self.at, self._owners = block, 0, None
        self.keys = block.times if block.ordered else list(accumulate(block.times, max))
        self.newest = self.keys[-1]
        return True

    def owners(self) -> list[bytes | None]:
        """Key of each packet of the block; None for those of no interest."""
        if self._owners is None:
            self._owners = [None] * len(self.keys)
            self.syns = sorted(index for one in self.block.conversations for index in one.syns)
            for index in self.block.others:
                self._owners[index] = _OTHER
            for conversation in self.block.conversations:
                keys = conversation.keys
                for at in conversation.places:
                    self._owners[at >> 1] = keys[at & 1]
        return self._owners


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
    owners: list[bytes | None] = []
    begun: set[int] = set()
    data: list[bytes] = []
    size = 0
    for part in parts:
        block, span = part.file.block, slice(part.begin, part.end)
        shift = size - block.begins[part.begin]
        begins += [at + shift for at in block.begins[span]]
        ends += [at + shift for at in block.ends[span]]
        before = len(times) - part.begin
        times += block.times[span]
        keys += part.file.keys[span]
        owners += part.file.owners()[span]
        syns_of = part.file.syns
        among = slice(bisect_left(syns_of, part.begin), bisect_left(syns_of, part.end))
        begun.update(before + index for index in syns_of[among])
        data.append(block.data[block.begins[part.begin] : block.ends[part.end - 1]])
        size += len(data[-1])
    places = sorted(range(len(keys)), key=keys.__getitem__)
    ordered = all(part.file.block.ordered for part in parts)
    groups: defaultdict[bytes, list[int]] = defaultdict(list)
    others: list[int] = []
    stretches, cut = _facts(parts, places)
    merged_block = Block(
        b"".join(data),
        [begins[at] for at in places],
        [ends[at] for at in places],
        [times[at] for at in places],
        ordered,
        (min(times), max(times)),
        stretches,
        cut,
        0,
        {},
        others,
        [],
    )
    syns: defaultdict[bytes, list[int]] = defaultdict(list)
    for index, at in enumerate(places):
        owner = owners[at]
        if owner:
            groups[owner].append(2 * index)
            if at in begun:
                syns[owner].append(index)
        elif owner is not None:
            others.append(index)
    return merged_block._replace(conversations=conversations_of(groups, syns))


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
