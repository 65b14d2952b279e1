"""Records of a capture to packets, and the short cut for those that would change nothing.

Most packets of a capture belong to somebody else, and nearly all are plain: Ethernet, IPv4 without options, TCP with a
whole header and no fragment.  A few bytes tell a plain packet and its key; foreign ones end here, before an object is
made for them.  Whatever is not plain goes on as it is, and ``packets`` tells what it means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from struct import Struct

from dissector.model import CaptureInfo
from dissector.stream.blocks import Block
from dissector.stream.link import ETHERNET, is_supported, link_type_name
from dissector.stream.packets import WHOLE, carries_segment, may_carry
from dissector.traffic import ENDS, Packet, Watch

#: A record of a capture: time (None: it has none), link type, captured bytes, length on the wire.
Record = tuple[int | None, int, bytes, int]
#: In the place of a link type, of records that are numbered like packets and are none.
NO_PACKET = -1

#: How to unpack what tells a plain packet, for ``struct`` in any byte order: ethertype with version and header length,
#: total length, fragment field, protocol, key, TCP's offset and flags.
LOOK = "12x3sx2s2x2sxB2x12s8xBB"
#: A plain packet has the first of these, is not shorter, and has one of these as fragment field.
IPV4, SHORTEST = b"\x08\x00\x45", 54
TCP = 6
#: TCP's offset byte -> the least total length, as the packet has it, that holds headers so long.
LEAST = [(20 + (byte >> 4 << 2)).to_bytes(2, "big") if byte >= 0x50 else b"\xff\xff\xff" for byte in range(256)]

#: Link types of a file that are named.
_NAMED = 16

_look = Struct(">" + LOOK).unpack_from


class Sift:
    """Numbers the packets of one file and tells ``info`` about them.

    Without ``watch`` every packet passes, and none gets a key.  ``prepare``: blocks are wanted where they can be had,
    and this is done with each of them first (``ahead``: in another process if that is worth it).  ``before`` packets of
    other files have numbers already.
    """

    def __init__(
        self,
        info: CaptureInfo,
        watch: Watch | None = None,
        prepare: Callable[[Block], object] | None = None,
        *,
        ahead: bool = False,
        before: int = 0,
    ) -> None:
        self.info = info
        self.watch = watch
        self.prepare = prepare
        self.ahead = ahead
        self.before = before
        #: Whether packets of a link type can be read, and how many of which can not.
        self._link_types: dict[int, bool] = {}
        self.unread: dict[int, int] = {}
        self._time = 0

    @property
    def number(self) -> int:
        """Of the last packet so far."""
        return self.before + self.info.packets

    def feed(self, records: Iterable[Record]) -> Iterator[Packet]:
        """The packets that the reader has to see."""
        watch = self.watch
        for time, link_type, data, length in records:
            if not self._link_types.get(link_type) and not self._is_readable(link_type):
                self.count(time, is_segment=False)
                continue
            key, counts = None, False
            if watch is not None and link_type == ETHERNET and len(data) >= SHORTEST:
                kind, total, fragment, protocol, name, offset, flags = _look(data)
                if kind == IPV4:
                    if protocol == TCP and fragment in WHOLE and total >= LEAST[offset]:
                        key, counts = name, True
                    foreign = key in watch.foreign and not flags & ENDS
                    nothing = foreign if key else not may_carry(protocol, fragment, name)
                    if nothing and time is not None and watch.now <= time < min(watch.wake, watch.limit):
                        self.count(time, counts)
                        watch.now = time
                        continue
            self._time = self._time if time is None else time
            packet = Packet(self.number + 1, self._time, link_type, data, length, key)
            self.count(time, counts or carries_segment(packet))
            yield packet

    def _is_readable(self, link_type: int) -> bool:
        """Asked of link types that are new or can not be read: those are counted."""
        if link_type == NO_PACKET:
            return False
        if link_type not in self._link_types:
            self._met(link_type)
        readable = self._link_types[link_type]
        if not readable and (link_type in self.unread or len(self.unread) < _NAMED):
            self.unread[link_type] = self.unread.get(link_type, 0) + 1
        return readable

    def _met(self, link_type: int) -> None:
        """Names a link type in ``info``, but not thousands."""
        self._link_types[link_type] = is_supported(link_type)
        if len(self._link_types) <= _NAMED + 1:
            names = [link_type_name(one) for one in self._link_types]
            self.info.link_type = ", ".join(names if len(names) <= _NAMED else [*names[:_NAMED], "..."])

    def count(self, time: int | None, is_segment: bool) -> None:
        """Counts one packet, which may have no time of its own."""
        info = self.info
        info.packets += 1
        info.tcp_segments += is_segment
        if time is None:
            return
        if info.first is None or info.last is None:
            info.first = info.last = time
        elif time > info.last:
            info.last = time
        elif time < info.first:
            info.first = time
