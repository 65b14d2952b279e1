"""Counts what a source brings: the ``captures`` record of the output contract."""

from __future__ import annotations

from dissector.model import CaptureInfo
from dissector.stream.block import NO_PACKET, Block
from dissector.stream.link import link_type_name

#: Link types of a source that are named.
_NAMED = 16


class Tally:
    """Adds up the blocks of a source in ``info``; ``unread`` counts packets by link types that can not be read."""

    def __init__(self, info: CaptureInfo) -> None:
        self.info = info
        self.unread: dict[int, int] = {}
        self._link_types: dict[int, None] = {}

    def numbered(self, block: Block) -> Block:
        """The block with its place behind those before, once it is counted."""
        info = self.info
        block = block._replace(numbers=range(info.packets + 1, info.packets + 1 + len(block.times)))
        info.packets += len(block.times)
        info.tcp_segments += block.segments
        if block.span is not None:
            first, last = block.span
            info.first = first if info.first is None else min(info.first, first)
            info.last = last if info.last is None else max(info.last, last)
        for link_type, count in block.unread.items():
            if link_type in self.unread or len(self.unread) < _NAMED:
                self.unread[link_type] = self.unread.get(link_type, 0) + count
        self._name(block)
        return block

    def _name(self, block: Block) -> None:
        """Names the link types, but not thousands."""
        known = self._link_types
        before = len(known)
        if before <= _NAMED:
            known.update((link_type, None) for _, link_type, *_ in block.stretches if link_type != NO_PACKET)
        if len(known) > before:
            names = [link_type_name(one) for one in known]
            self.info.link_type = ", ".join(names if len(names) <= _NAMED else [*names[:_NAMED], "..."])
