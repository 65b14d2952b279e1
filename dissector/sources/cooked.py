"""The interfaces of the kernel in a capture of all of them (``any``), as Linux cooked v2 has them in its headers.

Source: https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html: the index stands in bytes 4 to 8, big-endian.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from itertools import pairwise

from dissector.stream.block import NO_PACKET, Block, Conversation, Stretch
from dissector.stream.link import LINUX_SLL2
from dissector.stream.packets import carries_segment

_INDEX = slice(4, 8)


def kernel_interfaces(block: Block) -> set[int]:
    """The interfaces of the packets that are in conversations, or may be of interest."""
    if not any(stretch.link_type == LINUX_SLL2 for stretch in block.stretches):
        return set()
    indices = {place >> 1 for one in block.conversations for place in one.places}
    return {found for index in indices if (found := _interface(block, index)) is not None}


def of_interfaces(block: Block, wanted: Container[int]) -> Block:
    """The block with packets of these interfaces only: others are numbered, and are none."""
    left_out = {
        index
        for index in range(len(block.times))
        if (found := _interface(block, index)) is not None and found not in wanted
    }
    if not left_out:
        return block
    conversations = [made for one in block.conversations if (made := _without(one, left_out)).places]
    gone = sum(len(one.places) for one in block.conversations) - sum(len(one.places) for one in conversations)
    gone += sum(carries_segment(block.packet(index, None)) for index in block.others if index in left_out)
    return block._replace(
        conversations=conversations,
        others=[index for index in block.others if index not in left_out],
        stretches=list(_stretches(block, left_out)),
        segments=block.segments - gone,
    )


def _interface(block: Block, index: int) -> int | None:
    """That of a packet; None where its header has none, or was not captured."""
    if block.stretch(index).link_type != LINUX_SLL2:
        return None
    number = block.data[block.begins[index] : block.ends[index]][_INDEX]
    return int.from_bytes(number, "big") if len(number) == 4 else None


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
