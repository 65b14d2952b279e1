"""Counts what a source brings: the ``captures`` record of the output contract."""

from __future__ import annotations

from dissector.model import CaptureInfo
from dissector.stream.block import NO_PACKET, Block
from dissector.stream.link import is_supported, link_type_name
from dissector.stream.records import Located, each_link

#: Link types of a source that are named.
_NAMED = 16


class Tally:
    """Adds up in ``info`` what a source brings; ``unread`` counts packets by link types that can not be read."""

    def __init__(self, info: CaptureInfo) -> None:
        self.info = info
        self.unread: dict[int, int] = {}
        self._link_types: dict[int, None] = {}

    def add(self, some: Located | Block) -> None:
        """Counts packets; their segments are counted when they are sorted."""
        info = self.info
        info.packets += len(some.times)
        if some.span is not None:
            first, last = some.span
            info.first = first if info.first is None else min(info.first, first)
            info.last = last if info.last is None else max(info.last, last)
        for (first, link_type), stop in each_link(some):
            if link_type != NO_PACKET and not is_supported(link_type):
                self._pass(link_type, stop - first)
        self._name([link_type for _, link_type in some.links])

    def numbered(self, block: Block) -> Block:
        """The block with its place behind those before, once it is counted."""
        before = self.info.packets
        self.add(block)
        self.info.tcp_segments += block.segments
        return block._replace(numbers=range(before + 1, before + 1 + len(block.times)))

    def _pass(self, link_type: int, count: int) -> None:
        if link_type in self.unread or len(self.unread) < _NAMED:
            self.unread[link_type] = self.unread.get(link_type, 0) + count

    def _name(self, link_types: list[int]) -> None:
        """Names the link types, but not thousands."""
        known = self._link_types
        before = len(known)
        if before <= _NAMED:
            known.update((link_type, None) for link_type in link_types if link_type != NO_PACKET)
        if len(known) > before:
            names = [link_type_name(one) for one in known]
            self.info.link_type = ", ".join(names if len(names) <= _NAMED else [*names[:_NAMED], "..."])
