"""The prefilter: located packets become blocks, in one pass over their headers and without an object a packet.

Most packets of a capture belong to somebody else, and nearly all are plain: an IP header without options or extensions
behind layers of a known shape, TCP with a whole header, no fragment.  A few bytes tell a plain packet and its
conversation.  Whatever is not plain goes on as it is, and ``packets`` tells what it means.  This module and ``shapes``
are the only places that know by offsets what a plain packet is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container

from dissector.stream import ip, tunnels
from dissector.stream.block import Block, Buffer, Stretch, conversations_of
from dissector.stream.link import ETHERNET, is_supported
from dissector.stream.packets import carries_segment
from dissector.stream.records import Located, each_link
from dissector.stream.shapes import PLAIN, Look, Shape, shape_of
from dissector.traffic import SYN, Packet

#: Zeros that have to stand behind what is read of a buffer: a look at its last packet goes on into them.
PADDING = bytes(1024)
#: Fragment fields of a packet that is no fragment; the last one is that of IPv6, which has none.
_WHOLE = frozenset({b"\0\0", b"\x40\0", b""})
_TCP, _UDP = ip.TCP, ip.UDP
#: Protocols of packets that may be of interest without a look at their ports.
_OF_INTEREST = frozenset({ip.TCP, ip.ICMP, ip.ICMP6, *ip.EXTENSIONS, *tunnels.BY_PROTOCOL})
_TUNNEL_PORTS = tunnels.TUNNEL_PORTS
#: Shapes that are kept of each link type, and how many may have been met: farther in, a walk costs less.
_KEPT, _MOST_MET = 8, 256
#: No packet has it.
_NONE = PLAIN._replace(heads=frozenset())


class Prefilter:
    """Makes blocks of packets that are located; it learns their shapes."""

    def __init__(self) -> None:
        self._shapes: dict[int, list[Shape]] = {ETHERNET: [PLAIN]}
        self._met = 0

    def sort(self, located: Located) -> Block:
        """The block; ``PADDING`` stands behind the packets."""
        data, begins, ends, times, ordered, span, _, cut, secrets = located
        self._data, self._begins, self._ends, self._cut = data, begins, ends, cut
        self._stretches: list[Stretch] = []
        self._groups: defaultdict[bytes, list[int]] = defaultdict(list)
        self._syns: defaultdict[bytes, list[int]] = defaultdict(list)
        self._others: list[int] = []
        self._other_segments: list[int] = []
        for (first, link_type), stop in each_link(located):
            if is_supported(link_type):
                self._sort(first, stop, link_type)
            else:
                self._stretch(first, link_type, _NONE)
        conversations = conversations_of(self._groups, self._syns)
        return Block(
            data,
            begins,
            ends,
            times,
            ordered,
            span,
            self._stretches,
            cut,
            self._other_segments,
            self._others,
            conversations,
            secrets=secrets,
        )

    def _sort(self, first: int, stop: int, link_type: int) -> None:
        """Packets of one link type.  A quarter of the time of reading goes here."""
        data, groups, syns = self._data, self._groups, self._syns
        shape, heads, shortest, least, look = self._enter(link_type, first)
        place = 2 * first
        for begin, end in zip(self._begins[first:stop], self._ends[first:stop], strict=True):
            head, total, fragment, protocol, key, offset, flags = look(data, begin)
            if (
                protocol == _TCP
                and head in heads
                and end - begin >= shortest
                and fragment in _WHOLE
                and total >= least[offset]
            ):
                groups[key].append(place)
                if flags & SYN:
                    syns[key].append(place >> 1)
            elif head not in heads or end - begin < shortest or may_carry(protocol, fragment, key):
                found = self._odd(place >> 1, link_type)
                if found is not None and found is not shape:
                    shape, heads, shortest, least, look = self._enter(link_type, place >> 1)
            place += 2

    def _enter(
        self, link_type: int, index: int
    ) -> tuple[Shape, Container[bytes], int, list[bytes], Callable[[Buffer, int], Look]]:
        """What tells packets of the newest shape from packet ``index`` on."""
        shapes = self._shapes.get(link_type)
        shape = shapes[0] if shapes else _NONE
        self._stretch(index, link_type, shape)
        return shape, shape.heads, shape.shortest, shape.least, shape.look

    def _stretch(self, index: int, link_type: int, shape: Shape) -> None:
        kind = link_type, shape.ip, shape.tunnelled
        if self._stretches and self._stretches[-1].first == index:  # no packet came
            self._stretches.pop()
        if not self._stretches or self._stretches[-1][1:] != kind:
            self._stretches.append(Stretch(index, *kind))

    def _odd(self, index: int, link_type: int) -> Shape | None:
        """Takes a packet that does not have the newest shape; returns the shape that it has if it is plain."""
        data, begin, end = self._data, self._begins[index], self._ends[index]
        shapes = self._shapes.get(link_type, [])
        for shape in shapes:
            head, total, fragment, protocol, key, offset, flags = shape.look(data, begin)
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
        packet = Packet(0, 0, link_type, data[begin:end], self._cut.get(index, end - begin))
        if self._met < _MOST_MET and (met := shape_of(packet)) is not None and met not in shapes:
            self._met += 1
            self._shapes[link_type] = [*shapes[: _KEPT - 1], met]
            return self._odd(index, link_type)
        self._others.append(index)
        if carries_segment(packet):
            self._other_segments.append(index)
        return None


def may_carry(protocol: int, fragment: bytes, key: bytes) -> bool:
    """False for an IP packet that is of no interest, neither as TCP or ICMP nor as a tunnel, told from its protocol,
    its fragment field, and its addresses and ports (those of a header without options)."""
    if protocol != _UDP:
        return protocol in _OF_INTEREST
    return fragment not in _WHOLE or key[-2:] in _TUNNEL_PORTS or key[-4:-2] in _TUNNEL_PORTS
