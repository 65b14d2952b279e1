"""Blocks without some of their packets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from dissector.stream.block import NO_PACKET, Block, Conversation, Stretch


def without(block: Block, left_out: set[int]) -> Block:
    """The block without the packets of these indices, which are numbered all the same; it is not prepared yet."""
    if not left_out:
        return block
    conversations = [made for one in block.conversations if (made := _without(one, left_out)).places]
    return block._replace(
        conversations=conversations,
        others=[index for index in block.others if index not in left_out],
        stretches=list(_stretches(block, left_out)),
        other_segments=[index for index in block.other_segments if index not in left_out],
    )


def _without(one: Conversation, left_out: set[int]) -> Conversation:
    places = [place for place in one.places if place >> 1 not in left_out]
    return one._replace(places=places, syns=[index for index in one.syns if index not in left_out])


def _stretches(block: Block, left_out: set[int]) -> Iterator[Stretch]:
    """Those of the block with one of no packets wherever some are left out."""
    ends = [*(stretch.first for stretch in block.stretches), len(block.times)]
    for stretch, (first, end) in zip(block.stretches, pairwise(ends), strict=True):
        before: bool | None = None
        for index in range(first, end):
            is_out = index in left_out
            if is_out is not before:
                yield Stretch(index, NO_PACKET, 0) if is_out else stretch._replace(first=index)
                before = is_out
