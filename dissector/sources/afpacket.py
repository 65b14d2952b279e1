"""One packet socket with its ring: packets of an interface, or of all, with the times at which the kernel got them.

The kernel writes packets into blocks of memory that it shares with this process (TPACKET_V3), so that no system call
and no copy through a socket buffer is needed for each of them, and a burst of some 100,000 packets is kept while this
process is busy.  Layouts: linux/if_packet.h.
"""

from __future__ import annotations

import errno
import mmap
import socket
from struct import Struct
from typing import NamedTuple

from dissector.errors import CaptureError, UsageError
from dissector.sources.filters import attach
from dissector.sources.interfaces import ANY
from dissector.stream.link import ETHERNET, LINUX_SLL2

_SOL_PACKET = 263
_ADD_MEMBERSHIP, _RX_RING, _STATISTICS, _VERSION, _IGNORE_OUTGOING = 1, 5, 6, 10, 23
_V3 = 2
_PROMISCUOUS = 1
_SO_TIMESTAMPNS = 35
_ALL_PROTOCOLS = 3
_OUTGOING = 4
_USER, _KERNEL = 1, 0
_VLAN_VALID, _VLAN_TPID_VALID = 0x10, 0x40
#: ARPHRD_ETHER and ARPHRD_LOOPBACK have Ethernet headers; others are captured without theirs ("cooked").
_WITH_ETHERNET = frozenset({1, 772})
_LOOPBACK = 772

#: A block takes the largest packet of loopback, and is small because it counts as full after ``_RETIRE`` whatever is in
#: it: so many of them are ten seconds in which this process may be busy.
_BLOCK = 1 << 17
#: 32 MB of ring; less where the kernel has no room.
_BLOCKS = (256, 64, 16)
_FRAME = 2048
#: Milliseconds after which the kernel hands over a block that is not full.
_RETIRE = 40

_REQUEST = Struct("7I")
_MEMBERSHIP = Struct("iHH8s")
_STATUS, _STATUS_AT = Struct("III"), 8
#: tp_next_offset, tp_sec, tp_nsec, tp_snaplen, tp_len, tp_status, tp_mac, tp_net, tp_rxhash, tp_vlan_tci, tp_vlan_tpid
_HEADER = Struct("IIIIIIHHIIHxx")
_ADDRESS = 48
#: Behind the family: sll_protocol (network order), sll_ifindex, sll_hatype, sll_pkttype, sll_halen, sll_addr
_LINK = Struct("2x2siHBB8s")
#: Protocol, reserved, interface index, ARPHRD type, packet type, address length, address: the header of LINUX_SLL2.
_SLL2 = Struct("!2s2xIHBB8s")
_TAG = Struct("!HH")
_TAG_TYPE = b"\x81\0"
_TAG_TYPES = frozenset({_TAG_TYPE, b"\x88\xa8", b"\x91\0", b"\x92\0"})
#: What IP begins with, by its ethertype; IPv4 has its length where the ethertype is behind a tag: 0x0800.
_VERSIONS = {b"\x08\0": 4, b"\x86\xdd": 6}
_IP4_LENGTH = 0x0800

#: Time (ns), link type, captured bytes, length on the wire, interface index.
Captured = tuple[int, int, bytes, int, int]


class Counters(NamedTuple):
    """Packets that passed the filter, and those of them that the kernel had no room for."""

    seen: int
    dropped: int


class RingBlocks:
    """The blocks of a ring in turn, as the kernel hands them over."""

    def __init__(self, ring: mmap.mmap) -> None:
        self._ring = ring
        self._words = memoryview(ring).cast("I")
        self._start = 0

    def filled(self) -> tuple[int, int] | None:
        """Where the first packet of the next one is, and how many there are; None as long as it is the kernel's."""
        status, number, at = _STATUS.unpack_from(self._ring, self._start + _STATUS_AT)
        return (self._start + at, number) if status & _USER else None

    def give_back(self) -> None:
        """By one store of one word: where the ring is full the kernel waits for this block, fills it at once, and may
        have handed it over again before this process runs on.  A second store, or one to the words beside it, would
        spoil what it wrote meanwhile."""
        self._words[(self._start + _STATUS_AT) // self._words.itemsize] = _KERNEL
        self._start = (self._start + _BLOCK) % len(self._ring)

    def close(self) -> None:
        self._words.release()
        self._ring.close()


class PacketSocket:
    """Captures on ``name`` (``any``: all interfaces) what passes ``filter_text`` and ``narrow``.

    :raises UsageError: libpcap does not understand the filter
    :raises CaptureError: no such interface, or no right to capture
    """

    def __init__(self, name: str, kind: int | None, filter_text: str, narrow: str | None) -> None:
        """``kind`` is the interface's ARPHRD number."""
        self.name = name
        self.index = 0 if name == ANY else _index(name)
        self.link_type = ETHERNET if kind in _WITH_ETHERNET else LINUX_SLL2
        self._loopbacks = frozenset({_loopback_index()})
        self._counters = Counters(0, 0)
        try:
            # Without a protocol it gets nothing before it is bound; one that is never bound has what it got before its
            # ring was there taken away again.
            self._socket = socket.socket(
                socket.AF_PACKET,
                socket.SOCK_RAW if self.link_type == ETHERNET else socket.SOCK_DGRAM,
                0 if self.index else socket.htons(_ALL_PROTOCOLS),
            )
        except PermissionError:
            raise CaptureError(name, NO_RIGHT) from None
        try:
            attach(self._socket, filter_text, narrow, self.link_type)
            self._ring = self._map(kind == _LOOPBACK)
            self._blocks = RingBlocks(self._ring)
            if self.index:
                self._socket.bind((name, _ALL_PROTOCOLS))
            self._socket.getsockopt(_SOL_PACKET, _STATISTICS, _STATUS.size)
        except OSError as error:
            self._socket.close()
            raise CaptureError(name, error.strerror or str(error)) from None
        except UsageError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._blocks.close()
        self._socket.close()

    def _map(self, is_loopback: bool) -> mmap.mmap:
        """The ring; only after it and the filter are there may packets come."""
        own = self._socket
        own.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        own.setsockopt(_SOL_PACKET, _VERSION, _V3)
        if self.index:
            own.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, _MEMBERSHIP.pack(self.index, _PROMISCUOUS, 0, b""))
        if is_loopback:
            own.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
        for blocks in _BLOCKS:
            request = _REQUEST.pack(_BLOCK, blocks, _FRAME, _BLOCK // _FRAME * blocks, _RETIRE, 0, 0)
            try:
                own.setsockopt(_SOL_PACKET, _RX_RING, request)
            except OSError as error:
                if error.errno == errno.ENOMEM and blocks != _BLOCKS[-1]:
                    continue
                raise
            break
        return mmap.mmap(own.fileno(), _BLOCK * blocks)

    def read(self) -> list[Captured]:
        """The packets of the oldest block that the kernel has handed over; empty when there is none."""
        filled = self._blocks.filled()
        if filled is None:
            return []
        ring, packets = self._ring, []
        at, count = filled
        for _ in range(count):
            header = _HEADER.unpack_from(ring, at)
            protocol, index, hardware, kind, length, address = _LINK.unpack_from(ring, at + _ADDRESS)
            # What a loopback interface sends, it also receives: each packet once.
            if kind != _OUTGOING or index not in self._loopbacks:
                if self.link_type == ETHERNET:
                    data, wire_length = self._ethernet(at, header)
                else:
                    begin = at + header[7]
                    rest = ring[begin : begin + header[3]]
                    if header[5] & _VLAN_VALID and begins_with_tag(protocol, rest):
                        protocol = _TAG_TYPE
                    data = _SLL2.pack(protocol, index, hardware, kind, length, address) + rest
                    wire_length = header[4] + _SLL2.size
                packets.append((header[1] * 1_000_000_000 + header[2], self.link_type, data, wire_length, index))
            at += header[0]
        self._blocks.give_back()
        return packets

    def _ethernet(self, at: int, header: tuple[int, ...]) -> tuple[bytes, int]:
        """The packet as it was on the wire: the kernel takes VLAN tags off and hands them over beside the bytes."""
        begin = at + header[6]
        data = self._ring[begin : begin + header[3]]
        if not header[5] & _VLAN_VALID and not header[9]:
            return data, header[4]
        kind = header[10] if header[5] & _VLAN_TPID_VALID else 0x8100
        return data[:12] + _TAG.pack(kind, header[9]) + data[12:], header[4] + _TAG.size

    def counters(self) -> Counters:
        """Totals since the start."""
        seen, dropped, _ = _STATUS.unpack(self._socket.getsockopt(_SOL_PACKET, _STATISTICS, _STATUS.size))
        before = self._counters
        self._counters = Counters(before.seen + seen, before.dropped + dropped)
        return self._counters

    def error(self) -> int:
        """The error that poll announced, 0 for none; ENETDOWN when the interface goes down or away."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def exists(self) -> bool:
        if not self.index:
            return True
        try:
            return socket.if_nametoindex(self.name) == self.index
        except OSError:
            return False


def begins_with_tag(protocol: bytes, data: bytes) -> bool:
    """True for a packet of a cooked socket that had several tags: the kernel took the outermost one off and names what
    is behind all of them, but its bytes begin behind the type of the second one."""
    at = 0
    while data[at + 2 : at + 4] in _TAG_TYPES:
        at += 4
    version = _VERSIONS.get(protocol)
    is_behind = data[at + 2 : at + 4] == protocol and at + 4 < len(data) and data[at + 4] >> 4 == version
    return is_behind and (data[0] >> 4 != version or version == 6 or len(data) < _IP4_LENGTH)


NO_RIGHT = (
    "capturing needs the right CAP_NET_RAW: run it with sudo, or give Python the right once "
    "(setcap cap_net_raw+ep on the python binary), or without root, as a member of the group wireshark: "
    "dumpcap -i eth0 -P -w - | jstrace live -"
)


def _index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError:
        raise CaptureError(name, "there is no such interface; jstrace live alone lists them") from None


def _loopback_index() -> int:
    try:
        return socket.if_nametoindex("lo")
    except OSError:
        return -1
