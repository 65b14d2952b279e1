"""Records of a capture to packets, and the short cut for those that would change nothing.

Most packets of a capture belong to somebody else, and nearly all are plain: Ethernet, IPv4 without options, TCP with a
whole header and no fragment.  One ``unpack`` tells a plain packet and its key; foreign ones end here, before an object
is made for them.  Whatever is not plain goes on as it is, and ``packets`` tells what it means.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from dissector.model import CaptureInfo
from dissector.stream.link import ETHERNET
from dissector.stream.packets import carries_segment
from dissector.traffic import SYN, Block, Packet, Watch

#: Ethertype with version and header length, total length, fragment field, protocol, key, TCP's offset and flags.
_LOOK = Struct(">12x3sx2s2x2sxB2x12s8xBB").unpack_from
_IPV4, _SIZE = b"\x08\x00\x45", 54
_WHOLE = frozenset({b"\0\0", b"\x40\0"})
_ICMP, _TCP = 1, 6
#: TCP's offset byte -> the least total length, as the packet has it, that holds headers so long.
_LEAST = [(20 + (byte >> 4 << 2)).to_bytes(2, "big") if byte >= 0x50 else b"\xff\xff\xff" for byte in range(256)]

_new = tuple.__new__  # three times as fast as Packet(...)


class Sift:
    """Numbers the packets of one file from 1 on and counts them and their segments in ``info``.

    Without ``watch`` every packet passes, and none gets a key.
    """

    def __init__(self, info: CaptureInfo, watch: Watch | None = None) -> None:
        self._info = info
        self._watch = watch

    def feed(self, block: Block) -> Iterator[Packet]:
        """The packets of a block that its reader has to see."""
        if self._watch is None:
            return self._all(block)
        return self._relevant(block, self._watch)

    def _all(self, block: Block) -> Iterator[Packet]:
        info = self._info
        data, records = block
        for time, link_type, start, end, length in records:
            info.packets += 1
            packet = Packet(info.packets, time, link_type, data[start:end], length)
            info.tcp_segments += carries_segment(packet)
            yield packet

    def _relevant(self, block: Block, watch: Watch) -> Iterator[Packet]:
        info, look, foreign = self._info, _LOOK, watch.foreign
        data, records = block
        number, segments, now, wake = info.packets, info.tcp_segments, watch.now, watch.wake
        for time, link_type, start, end, length in records:
            number += 1
            plain = None
            if link_type == ETHERNET and end - start >= _SIZE:
                kind, total, fragment, protocol, key, offset, flags = look(data, start)
                if kind == _IPV4:
                    if protocol == _TCP:
                        if fragment in _WHOLE and total >= _LEAST[offset]:
                            segments += 1
                            if key in foreign and not flags & SYN and now <= time < wake:
                                now = time
                                continue
                            plain = key
                    elif protocol != _ICMP and now <= time < wake:
                        now = time
                        continue
            packet = _new(Packet, (number, time, link_type, data[start:end], length, plain))
            if plain is None and carries_segment(packet):
                segments += 1
            info.packets, info.tcp_segments, watch.now = number, segments, now
            yield packet
            now, wake = watch.now, watch.wake
        info.packets, info.tcp_segments, watch.now = number, segments, now
