"""Records of a classic capture file as blocks (see ``stream.blocks``): one pass over the bytes, no object a packet.

Files are read, not mapped into memory.  Whoever touches a mapped page that another program has cut off meanwhile (the
file of a ring that is written anew, a file on a network drive) is ended by SIGBUS, which no Python code can catch; a
read just comes back short.  And there is nothing to win: a pass over 1,000,000 packets in 740 MB takes 0.79 s mapped
and 0.82 s read by the megabyte (processor time, medians of four by turns), since faults cost what copies do.
"""

from __future__ import annotations

from collections import defaultdict
from struct import Struct
from typing import NamedTuple

from dissector.limits import MAX_CAPTURED
from dissector.model import CaptureInfo
from dissector.stream.blocks import Block, Buffer, talks_of
from dissector.stream.link import ETHERNET, link_type_name
from dissector.stream.packets import WHOLE, carries_segment, may_carry
from dissector.stream.sift import IPV4, LEAST, LOOK, SHORTEST, TCP
from dissector.traffic import SYN

#: Bytes of a file that are looked at together.
BLOCK = 1 << 20
_SECOND = 1_000_000_000
_RECORD = 16


class Layout(NamedTuple):
    """How a file has its records: ``unit`` of the time's fraction in nanoseconds, ``size`` of a record's header."""

    link_type: int
    order: str
    unit: int
    size: int
    #: The lengths stand the other way round; None: where that makes sense.
    swapped: bool | None = False


def gather(buffer: Buffer, at: int, stop: int, layout: Layout) -> tuple[Block, int]:
    """The whole records from ``at`` to ``stop`` but for some near the end, and where they end."""
    _, order, unit, size, _ = layout
    unpack = Struct(f"{order}IIII{size - _RECORD}x{LOOK}")
    look, last = unpack.unpack_from, stop - unpack.size
    begins: list[int] = []
    times: list[int] = []
    groups: defaultdict[bytes, list[int]] = defaultdict(list)
    others: list[int] = []
    syns: dict[bytes, int] = {}
    cut: dict[int, int] = {}
    place = base = 0
    second = -1
    begin, add_time = begins.append, times.append
    while at <= last:
        seconds, fraction, captured, length, kind, total, fragment, protocol, key, offset, flags = look(buffer, at)
        end = at + size + captured
        if end > stop or captured > MAX_CAPTURED:
            break
        begin(at + size)
        if seconds != second:
            second, base = seconds, seconds * _SECOND
        add_time(base + fraction * unit)
        if length != captured:
            cut[place >> 1] = length
        if kind != IPV4 or captured < SHORTEST:
            others.append(place >> 1)
        elif protocol == TCP:
            if fragment in WHOLE and total >= LEAST[offset]:
                groups[key].append(place)
                if flags & SYN:
                    syns[key] = place >> 1
            else:
                others.append(place >> 1)
        elif may_carry(protocol, fragment, key):
            others.append(place >> 1)
        at = end
        place += 2
    begin(at + size)
    ordered = times == sorted(times)
    segments = sum(map(len, groups.values()))
    return Block(buffer, begins, size, times, ordered, cut, segments, others, talks_of(groups, syns)), at


def count(info: CaptureInfo, block: Block) -> None:
    """Tells ``info`` of a block."""
    times = block.times
    if times:
        first, latest = (times[0], times[-1]) if block.ordered else (min(times), max(times))
        others = sum(carries_segment(block.packet(index, None)) for index in block.others)
        info.packets += len(times)
        info.tcp_segments += block.segments + others
        info.first = first if info.first is None else min(info.first, first)
        info.last = latest if info.last is None else max(info.last, latest)
        info.link_type = link_type_name(ETHERNET)
