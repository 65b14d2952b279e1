"""pcapng capture files: sections of either byte order, each with interfaces of their own.

Source: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html.  Packets come in enhanced, simple and (from
old programs) packet blocks; all other blocks are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from dissector.limits import MAX_CAPTURED, MAX_INTERFACES, MAX_PCAPNG_BLOCK
from dissector.sources.bytestream import ByteStream, DamagedError
from dissector.stream.sift import NO_PACKET, Record, Sift
from dissector.traffic import Packet

_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
#: Blocks that are no packets and that Wireshark numbers all the same: custom ones, and entries of a journal.
_NUMBERED = frozenset({0x0BAD, 0x4000_0BAD, 9})
_ORDER_MAGIC = {bytes.fromhex("1a2b3c4d"): ">", bytes.fromhex("4d3c2b1a"): "<"}
#: A block without a body: type, length, length again.
_SHORTEST = 12
_END_OF_OPTIONS, _TSRESOL, _TSOFFSET = 0, 9, 14
_SECOND = 1_000_000_000


class _Interface(NamedTuple):
    """``time * factor // divisor + shift`` are nanoseconds since the epoch."""

    link_type: int
    snap_length: int
    factor: int
    divisor: int
    shift: int


class _Structs(NamedTuple):
    """The fixed parts of blocks in the byte order of a section."""

    block: Struct
    length: Struct
    interface: Struct
    option: Struct
    enhanced: Struct
    old_packet: Struct
    shift: Struct


_STRUCTS = {
    order: _Structs(*(Struct(order + layout) for layout in ("II", "I", "HHI", "HH", "IIIII", "HHIIII", "q")))
    for order in "<>"
}


def is_pcapng(start: bytes) -> bool:
    """True when a file that begins so (4 bytes at least) is a pcapng file."""
    return start[:4] == bytes.fromhex("0a0d0d0a")


def read_pcapng(stream: ByteStream, buffer: bytes, sift: Sift) -> Iterator[Packet]:
    """The packets of a capture file that pass ``sift``; ``buffer`` is its beginning, ``stream`` has the rest.

    Raises DamagedError where it can not be read on; all packets before that place were given.
    """
    at, section = 0, _Section(_STRUCTS[">"])
    while True:
        records: list[Record] = []
        need = _SHORTEST
        try:
            while len(buffer) - at >= need:
                if is_pcapng(buffer[at : at + 4]):
                    section = _Section(_byte_order(buffer[at + 8 : at + 12]), section.last_time)
                kind, length = section.structs.block.unpack_from(buffer, at)
                if length < _SHORTEST or length % 4 or length > MAX_PCAPNG_BLOCK:
                    raise ValueError(f"a block can not be {length} bytes long")
                if len(buffer) - at < length:
                    need = length
                    break
                end = at + length
                record = section.block(kind, buffer, at + 8, end - 4)
                if record is not None:
                    records.append(record)
                if section.structs.length.unpack_from(buffer, end - 4)[0] != length:
                    raise ValueError("a block whose two lengths differ")
                at = end
        except ValueError as error:
            yield from sift.feed(records)
            raise DamagedError(str(error), stream.total - len(buffer) + at) from None
        yield from sift.feed(records)
        buffer, at = stream.more(buffer[at:], need), 0
        if not buffer and not stream.broken:
            return
        if len(buffer) < need:
            raise DamagedError(stream.broken or "it ends inside a block", stream.total, cut=True)


def _byte_order(magic: bytes) -> _Structs:
    """What the byte order of a section means for its blocks.  Raises ValueError when it has none."""
    order = _ORDER_MAGIC.get(magic)
    if order is None:
        raise ValueError("a section header without byte order")
    return _STRUCTS[order]


class _Section:
    """The blocks of one section.  Raises ValueError for a block that contradicts itself."""

    def __init__(self, structs: _Structs, last_time: int | None = None) -> None:
        self.structs = structs
        #: Time of the last packet that had one, in the section before too.
        self.last_time = last_time
        #: Interfaces are few, or alike: a million descriptions take some megabytes.
        self._interfaces: list[_Interface] = []
        self._different: dict[_Interface, _Interface] = {}

    def block(self, kind: int, data: bytes, at: int, end: int) -> Record | None:
        """The packet of a block whose body is ``data[at:end]``, None for a block of another kind; of one that is only
        numbered a record without a packet."""
        if kind == _ENHANCED:
            if end - at < 20:
                raise ValueError("a packet block that is too short")
            index, high, low, captured, length = self.structs.enhanced.unpack_from(data, at)
            return self._packet(index, high << 32 | low, data, at + 20, end, captured, length)
        if kind == _INTERFACE:
            self._describe(self._interface(data, at, end))
        elif kind in _NUMBERED:
            return None, NO_PACKET, b"", 0
        elif kind == _SIMPLE:
            return self._simple(data, at, end)
        elif kind == _OLD_PACKET:
            if end - at < 20:
                raise ValueError("a packet block that is too short")
            index, _, high, low, captured, length = self.structs.old_packet.unpack_from(data, at)
            return self._packet(index, high << 32 | low, data, at + 20, end, captured, length)
        return None

    def _packet(self, index: int, ticks: int, data: bytes, at: int, end: int, captured: int, length: int) -> Record:
        interface = self._known(index)
        if captured > end - at or captured > MAX_CAPTURED:
            raise ValueError(f"a packet can not be {captured} bytes long here")
        time = self.last_time = ticks * interface.factor // interface.divisor + interface.shift
        return time, interface.link_type, data[at : at + captured], length

    def _simple(self, data: bytes, at: int, end: int) -> Record:
        """A packet without time: that of the packet before it has to do."""
        interface = self._known(0)
        if end - at < 4:
            raise ValueError("a packet block that is too short")
        (length,) = self.structs.length.unpack_from(data, at)
        captured = min(length, interface.snap_length or length, end - at - 4)
        if captured > MAX_CAPTURED:
            raise ValueError(f"a packet can not be {captured} bytes long here")
        return self.last_time, interface.link_type, data[at + 4 : at + 4 + captured], length

    def _known(self, index: int) -> _Interface:
        """The interface of a packet."""
        if index >= len(self._interfaces):
            raise ValueError(f"a packet of interface {index}, which was not described")
        return self._interfaces[index]

    def _describe(self, interface: _Interface) -> None:
        if self._interfaces:  # the snap length of the first one alone is used
            interface = interface._replace(snap_length=0)
        if interface not in self._different and len(self._different) >= MAX_INTERFACES:
            raise ValueError(f"more than {MAX_INTERFACES} different interfaces")
        self._interfaces.append(self._different.setdefault(interface, interface))

    def _interface(self, data: bytes, at: int, end: int) -> _Interface:
        if end - at < 8:
            raise ValueError("an interface block that is too short")
        link_type, _, snap_length = self.structs.interface.unpack_from(data, at)
        factor, divisor, shift = 1_000, 1, 0
        for code, value in self._options(data, at + 8, end):
            if code == _TSRESOL and value:
                base, exponent = (2, value[0] & 0x7F) if value[0] & 0x80 else (10, value[0])
                units = base**exponent
                factor, divisor = (_SECOND // units, 1) if _SECOND % units == 0 else (_SECOND, units)
            elif code == _TSOFFSET and len(value) == 8:
                shift = self.structs.shift.unpack(value)[0] * _SECOND
        return _Interface(link_type, snap_length, factor, divisor, shift)

    def _options(self, data: bytes, at: int, end: int) -> Iterator[tuple[int, bytes]]:
        while at + 4 <= end:
            code, size = self.structs.option.unpack_from(data, at)
            if code == _END_OF_OPTIONS or at + 4 + size > end:
                return
            yield code, data[at + 4 : at + 4 + size]
            at += 4 + (size + 3 & ~3)
