"""Several capture files as one stream in the order of time, numbered in that order.

A file that is alone, until the next one begins, goes the way of a single file: packets that change nothing are
skipped, others come in blocks.  So it is with the files of a ring.  While several are open, every packet comes by
itself: what may be skipped depends on all packets before, and any of the files may be ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from heapq import heappop, heappush

from dissector.model import CaptureInfo
from dissector.stream.blocks import Block
from dissector.traffic import NEVER, Packet, Watch

Items = Iterator[Packet | Block]
#: Opens a file by its place: so many packets were given before; True when no other file is open.
Opener = Callable[[int, int, bool], Items]


def merged(
    first_times: Sequence[tuple[int, int]], infos: Sequence[CaptureInfo], opened: Opener, watch: Watch
) -> Generator[Packet | Block, None, None]:
    """All files, each opened when its first packet is due: ``first_times`` are their times with their places."""
    later = sorted(first_times, reverse=True)
    current: list[tuple[int, int, Packet, _File]] = []
    given = 0
    while later or current:
        if later and (not current or later[-1][0] <= current[0][0]):
            _, index = later.pop()
            alone = not current
            file = _File(infos[index], opened(index, given, alone), given)
        else:
            _, index, packet, file = heappop(current)
            alone = not current
            given += 1
            yield packet._replace(number=given)
        limit = later[-1][0] if later else NEVER
        watch.limit = limit if alone else 0
        if alone:
            given = yield from file.until(limit, given)
        following = file.packet()
        if following is not None:
            heappush(current, (following.time, index, following, file))


class _File:
    """A file that is open.  It numbers its packets as if it were alone, from ``before`` + 1 on."""

    def __init__(self, info: CaptureInfo, items: Items, before: int) -> None:
        self._info = info
        self._items = items
        self._before = before
        #: Number of the packet given last.
        self._at = before
        #: Packets of a block that comes in pieces.
        self._pieces: Iterator[Packet] = iter(())
        self._due: Packet | None = None

    def packet(self) -> Packet | None:
        """The next packet, None at the end."""
        packet, self._due = self._due or next(self._pieces, None), None
        while packet is None:
            item = next(self._items, None)
            if item is None:
                return None
            if isinstance(item, Packet):
                packet = item
            else:
                self._pieces = item.packets()
                packet = next(self._pieces, None)
        self._at = packet.number
        return packet

    def until(self, limit: int, given: int) -> Generator[Packet | Block, None, int]:
        """What is older than ``limit``, if it comes before anything else; returns how many packets were given then."""
        shift = given - self._at
        for packet in self._pieces:
            if packet.time >= limit:
                self._due = packet
                return packet.number - 1 + shift
            yield packet._replace(number=packet.number + shift)
        for item in self._items:
            if isinstance(item, Packet):
                if item.time >= limit:
                    self._due = item
                    return item.number - 1 + shift
                yield item._replace(number=item.number + shift) if shift else item
            elif not item.ordered or item.times[-1] >= limit:
                self._pieces = item.packets()
                return item.number + shift
            else:
                yield item.renumbered(shift) if shift else item
        return self._before + self._info.packets + shift
