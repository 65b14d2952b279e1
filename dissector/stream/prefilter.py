"""The prefilter: records of a capture become blocks, in one pass over the bytes and without an object a packet.

Most packets of a capture belong to somebody else, and nearly all are plain: an IP header without options or extensions
behind layers of a known shape, TCP with a whole header, no fragment.  A few bytes tell a plain packet and its
conversation.  Whatever is not plain goes on as it is, and ``packets`` tells what it means.  This module and ``shapes``
are the only places that know by offsets what a plain packet is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple

from dissector.limits import MAX_CAPTURED
from dissector.stream import ip, tunnels
from dissector.stream.block import NO_PACKET, Block, Buffer, Stretch, conversations_of
from dissector.stream.link import ETHERNET, is_supported
from dissector.stream.packets import carries_segment
from dissector.stream.shapes import PLAIN, Shape, shape_of
from dissector.traffic import SYN, Packet

#: Zeros that have to stand behind what is read of a buffer: a look at its last packet goes on into them.
PADDING = bytes(1024)
_SECOND = 1_000_000_000
#: Fragment fields of a packet that is no fragment; the last one is that of IPv6, which has none.
_WHOLE = frozenset({b"\0\0", b"\x40\0", b""})
_TCP, _UDP = ip.TCP, ip.UDP
#: Protocols of packets that may be of interest without a look at their ports.
_OF_INTEREST = frozenset({ip.TCP, ip.ICMP, ip.ICMP6, *ip.EXTENSIONS, *tunnels.BY_PROTOCOL})
_TUNNEL_PORTS = tunnels.TUNNEL_PORTS
#: Shapes that are kept of each link type, and how many may have been met: farther in, a walk costs less.
_KEPT, _MOST_MET = 8, 256
#: Link types that can not be read and are counted.
_COUNTED = 16
#: No packet has it.
_NONE = [PLAIN._replace(heads=frozenset())]


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


@lru_cache(maxsize=64)
def _struct(record: str, shape: str) -> Struct:
    return Struct(record + shape)


class Prefilter:
    """Makes blocks: ``begin``, then ``records`` and ``packet`` as often as wanted, then ``finish``."""

    def __init__(self) -> None:
        self._shapes: dict[int, list[Shape]] = {ETHERNET: [PLAIN]}
        self._met = 0
        #: Time of the last packet so far, None before the first one that has one.
        self.latest: int | None = None
        self.begin(b"")

    def begin(self, buffer: Buffer) -> None:
        """A new block, of packets in ``buffer``, which ends with ``PADDING``."""
        self._buffer = buffer
        self._begins: list[int] = []
        self._ends: list[int] = []
        self._times: list[int] = []
        self._stretches: list[Stretch] = []
        self._cut: dict[int, int] = {}
        self._groups: defaultdict[bytes, list[int]] = defaultdict(list)
        self._syns: defaultdict[bytes, list[int]] = defaultdict(list)
        self._others: list[int] = []
        self._unread: dict[int, int] = {}
        #: Packets at the beginning of the source before the first one that has a time.
        self._untimed = 0
        self._segments = 0
        self._secrets: list[bytes] = []

    def secrets(self, log: bytes) -> None:
        """Takes lines of a TLS key log that stand among the packets."""
        self._secrets.append(log)

    def records(self, at: int, stop: int, layout: RecordLayout) -> int:  # noqa: C901  a call a packet costs too much
        """Takes the records from ``at`` on that are whole before ``stop`` and of this layout; returns where they end.

        Half of the time of reading goes here."""
        _, size, link_type, upper, lower, shift, block_type, interfaces, alike = layout
        buffer, groups, syns, cut = self._buffer, self._groups, self._syns, self._cut
        begin, end_at, add_time = self._begins.append, self._ends.append, self._times.append
        shape, heads, shortest, least, look = self._enter(layout, len(self._begins))
        last, place, second, base, known = stop - size, 2 * len(self._begins), -1, 0, -1
        while at <= last:
            kind, block, interface, high, low, captured, length, head, total, fragment, protocol, key, offset, flags = (
                look(buffer, at)
            )
            start = at + size
            end = behind = start + captured
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
            begin(start)
            end_at(end)
            if high != second:
                second, base = high, high * upper + shift
            add_time(base + low * lower)
            if length != captured:
                cut[place >> 1] = length
            if (
                protocol == _TCP
                and head in heads
                and captured >= shortest
                and fragment in _WHOLE
                and total >= least[offset]
            ):
                groups[key].append(place)
                if flags & SYN:
                    syns[key].append(place >> 1)
            elif head not in heads or captured < shortest or may_carry(protocol, fragment, key):
                found = self._odd(place >> 1, start, end, length, link_type)
                if found is not None and found is not shape:
                    shape, heads, shortest, least, look = self._enter(layout, place >> 1)
            at = behind
            place += 2
        return at

    def packet(self, time: int | None, link_type: int, begin: int, end: int, length: int) -> None:
        """Takes ``buffer[begin:end]``, a packet of ``length`` bytes on the wire; None: it has no time of its own."""
        index = len(self._begins)
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
        self._odd(index, begin, end, length, link_type)
        shapes = self._shapes.get(link_type)
        self._stretch(index, link_type, shapes[0] if shapes else _NONE[0])

    def finish(self) -> Block:
        """The block; it is empty when there was nothing to take."""
        times = self._times
        timed = times[self._untimed :]
        ordered = times == sorted(times)
        span = None
        if timed:
            self.latest = timed[-1]
            span = (timed[0], timed[-1]) if ordered else (min(timed), max(timed))
        while self._stretches and self._stretches[-1].first == len(times):  # no packet came
            self._stretches.pop()
        segments = self._segments + sum(map(len, self._groups.values()))
        conversations = conversations_of(self._groups, self._syns)
        return Block(
            self._buffer,
            self._begins,
            self._ends,
            times,
            ordered,
            span,
            self._stretches,
            self._cut,
            segments,
            self._unread,
            self._others,
            conversations,
            secrets=b"\n".join(self._secrets),
        )

    def _enter(
        self, layout: RecordLayout, index: int
    ) -> tuple[Shape, Container[bytes], int, list[bytes], Callable[..., Any]]:
        """What tells packets of the newest shape from packet ``index`` on."""
        shape = self._shapes.get(layout.link_type, _NONE)[0]
        self._stretch(index, layout.link_type, shape)
        look = _struct(layout.fields, shape.fields).unpack_from
        return shape, shape.heads, shape.shortest, shape.least, look

    def _stretch(self, index: int, link_type: int, shape: Shape) -> None:
        kind = link_type, shape.ip, shape.tunnelled
        if self._stretches and self._stretches[-1].first == index:  # no packet came
            self._stretches.pop()
        if not self._stretches or self._stretches[-1][1:] != kind:
            self._stretches.append(Stretch(index, *kind))

    def _odd(self, index: int, begin: int, end: int, length: int, link_type: int) -> Shape | None:
        """Takes a packet that does not have the newest shape; returns the shape that it has if it is plain."""
        shapes = self._shapes.get(link_type)
        if shapes is None:
            if not is_supported(link_type):
                if link_type != NO_PACKET and (link_type in self._unread or len(self._unread) < _COUNTED):
                    self._unread[link_type] = self._unread.get(link_type, 0) + 1
                return None
            shapes = []
        for shape in shapes:
            head, total, fragment, protocol, key, offset, flags = shape.look(self._buffer, begin)
            if head not in shape.heads or end - begin < shape.shortest:
                continue
            if protocol == _TCP and fragment in _WHOLE and total >= shape.least[offset]:
                self._groups[key].append(2 * index)
                if flags & SYN:
                    self._syns[key].append(index)
                if shape is not shapes[0]:
                    shapes.remove(shape)
                    shapes.insert(0, shape)
                return shape
            if not may_carry(protocol, fragment, key):
                return None
        packet = Packet(0, 0, link_type, self._buffer[begin:end], length)
        if self._met < _MOST_MET and (met := shape_of(packet)) is not None and met not in shapes:
            self._met += 1
            self._shapes[link_type] = [*shapes[: _KEPT - 1], met]
            return self._odd(index, begin, end, length, link_type)
        self._others.append(index)
        self._segments += carries_segment(packet)
        return None


def may_carry(protocol: int, fragment: bytes, key: bytes) -> bool:
    """False for an IP packet that is of no interest, neither as TCP or ICMP nor as a tunnel, told from its protocol,
    its fragment field, and its addresses and ports (those of a header without options)."""
    if protocol != _UDP:
        return protocol in _OF_INTEREST
    return fragment not in _WHOLE or key[-2:] in _TUNNEL_PORTS or key[-4:-2] in _TUNNEL_PORTS
