"""Where the packets of a capture lie: a walk from record to record, one pass over the bytes of their headers.

It knows no packet from another: what they are is told by ``prefilter``, which may do so in another process.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableSequence, Sequence
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from dissector.limits import MAX_CAPTURED
from dissector.stream.block import Block, Buffer


class RecordLayout(NamedTuple):
    """How the records of a file stand.  ``fields`` for ``struct``, byte order first, give a record's block type, block
    length and interface (empty where there are none), its time's upper and lower half, captured and original length;
    ``size`` bytes are before its packet.  ``upper`` and ``lower`` are nanoseconds of a unit, ``shift`` is added."""

    fields: str
    size: int
    link_type: int
    upper: int
    lower: int
    shift: int = 0
    block_type: int = 0
    #: What is known of each interface by its number, and of those whose packets have this layout: more may come.
    interfaces: Sequence[object] = ()
    alike: object = None


class Located(NamedTuple):
    """Consecutive packets of one source where they lie: the attributes are those of ``Block``.  ``links``: link types,
    each with the index of the first packet that has it."""

    data: Buffer
    begins: Sequence[int]
    ends: Sequence[int]
    times: MutableSequence[int]
    ordered: bool
    span: tuple[int, int] | None
    links: list[tuple[int, int]]
    cut: dict[int, int]
    secrets: bytes


def each_link(some: Located | Block) -> Iterator[tuple[tuple[int, int], int]]:
    """The first packet of each link type with that, and the one behind the last."""
    stops = [*(first for first, _ in some.links[1:]), len(some.times)]
    return zip(some.links, stops, strict=True)


#: Of a file whose interfaces take turns a layout comes again and again.
_struct = lru_cache(maxsize=64)(Struct)


class RecordWalk:
    """Locates packets: ``begin``, then ``records`` and ``packet`` as often as wanted, then ``located``."""

    def __init__(self) -> None:
        #: Time of the last packet so far, None before the first one that has one.
        self.latest: int | None = None
        self.begin(b"")

    def begin(self, buffer: Buffer) -> None:
        """Packets in ``buffer`` from here on."""
        self._buffer = buffer
        self._begins: list[int] = []
        self._ends: list[int] = []
        self._times: list[int] = []
        self._links: list[tuple[int, int]] = []
        self._cut: dict[int, int] = {}
        #: Packets at the beginning of the source before the first one that has a time.
        self._untimed = 0
        self._secrets: list[bytes] = []

    def secrets(self, log: bytes) -> None:
        """Takes lines of a TLS key log that stand among the packets."""
        self._secrets.append(log)

    def records(self, at: int, stop: int, layout: RecordLayout) -> int:
        """Takes the records from ``at`` on that are whole before ``stop`` and of this layout; returns where they end.

        A quarter of the time of reading goes here."""
        fields, size, link_type, upper, lower, shift, block_type, interfaces, alike = layout
        buffer, begins, cut, look = self._buffer, self._begins, self._cut, _struct(fields).unpack_from
        add_begin, add_end, add_time = begins.append, self._ends.append, self._times.append
        self._link(link_type)
        last, second, base, known = stop - size, -1, 0, -1
        while at <= last:
            kind, block, interface, high, low, captured, length = look(buffer, at)
            begin = at + size
            end = behind = begin + captured
            if block_type:
                behind = at + block
                if kind != block_type or end + 4 > behind or block & 3:
                    break
                if interface != known:
                    if interface >= len(interfaces) or interfaces[interface] is not alike:
                        break
                    known = interface
                if behind <= stop and buffer[behind - 4 : behind] != buffer[at + 4 : at + 8]:
                    break
            if behind > stop or captured > MAX_CAPTURED:
                break
            if length != captured:
                cut[len(begins)] = length
            add_begin(begin)
            add_end(end)
            if high != second:
                second, base = high, high * upper + shift
            add_time(base + low * lower)
            at = behind
        return at

    def packet(self, time: int | None, link_type: int, begin: int, end: int, length: int) -> None:
        """Takes ``buffer[begin:end]``, a packet of ``length`` bytes on the wire; None: it has no time of its own."""
        index = len(self._begins)
        self._link(link_type)
        self._begins.append(begin)
        self._ends.append(end)
        if time is None:
            if self.latest is None and self._untimed == index:
                self._untimed, time = index + 1, 0
            else:
                time = self._times[-1] if self._times else self.latest or 0
        self._times.append(time)
        if length != end - begin:
            self._cut[index] = length

    def located(self) -> Located:
        """All of them since ``begin``; there may be none."""
        times = self._times
        timed = times[self._untimed :]
        ordered = times == sorted(times)
        span = None
        if timed:
            self.latest = timed[-1]
            span = (timed[0], timed[-1]) if ordered else (min(timed), max(timed))
        if self._links and self._links[-1][0] == len(times):  # no packet came
            self._links.pop()
        secrets = b"\n".join(self._secrets)
        return Located(self._buffer, self._begins, self._ends, times, ordered, span, self._links, self._cut, secrets)

    def _link(self, link_type: int) -> None:
        """The link type of the packets to come."""
        links, index = self._links, len(self._begins)
        if links and links[-1][0] == index:  # no packet came
            links.pop()
        if not links or links[-1][1] != link_type:
            links.append((index, link_type))
