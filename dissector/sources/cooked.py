"""The interfaces of the kernel in a capture of all of them (``any``), as Linux cooked v2 has them in its headers.

Source: https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html: the index stands in bytes 4 to 8, big-endian.
"""

from __future__ import annotations

from collections.abc import Container

from dissector.sources.leaving import without
from dissector.stream.block import Block
from dissector.stream.link import LINUX_SLL2

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
    return without(block, left_out)


def _interface(block: Block, index: int) -> int | None:
    """That of a packet; None where its header has none, or was not captured."""
    if block.stretch(index).link_type != LINUX_SLL2:
        return None
    number = block.data[block.begins[index] : block.ends[index]][_INDEX]
    return int.from_bytes(number, "big") if len(number) == 4 else None
