"""The interfaces of the kernel in a capture of all of them (``any``), as Linux cooked v2 has them in its headers.

Source: https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html: the index stands in bytes 4 to 8, big-endian.
"""

from __future__ import annotations

from collections.abc import Container

from dissector.stream.block import NO_PACKET, Block
from dissector.stream.link import LINUX_SLL2
from dissector.stream.records import Located, each_link

_INDEX = slice(4, 8)


def kernel_interfaces(block: Block) -> set[int]:
    """The interfaces of the packets that are in conversations, or may be of interest."""
    if not any(stretch.link_type == LINUX_SLL2 for stretch in block.stretches):
        return set()
    indices = {place >> 1 for one in block.conversations for place in one.places}
    cooked = (index for index in indices if block.stretch(index).link_type == LINUX_SLL2)
    return {found for index in cooked if (found := _interface(block, index)) is not None}


def of_interfaces(located: Located, wanted: Container[int]) -> Located:
    """Packets of these interfaces only: others are numbered, and are none."""
    links: list[tuple[int, int]] = []
    for (first, link_type), stop in each_link(located):
        for index in range(first, stop):
            found = _interface(located, index) if link_type == LINUX_SLL2 else None
            kind = link_type if found is None or found in wanted else NO_PACKET
            if not links or links[-1][1] != kind:
                links.append((index, kind))
    return located._replace(links=links)


def _interface(some: Located | Block, index: int) -> int | None:
    """That of a packet of Linux cooked v2; None where it was not captured."""
    number = some.data[some.begins[index] : some.ends[index]][_INDEX]
    return int.from_bytes(number, "big") if len(number) == 4 else None
