"""pcapng capture files: sections of either byte order, each with interfaces of their own.

Source: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html.  Packets come in enhanced, simple and (from
old programs) packet blocks; key logs of TLS are handed on, all other blocks passed over.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from struct import Struct
from typing import NamedTuple

from dissector.limits import MAX_CAPTURED, MAX_INTERFACES, MAX_PCAPNG_BLOCK
from dissector.numbers import count
from dissector.sources.bytestream import DamagedError
from dissector.stream.block import NO_PACKET, Buffer
from dissector.stream.records import RecordLayout, RecordWalk

_INTERFACE, _OLD_PACKET, _SIMPLE, _ENHANCED = 1, 2, 3, 6
#: How a section begins, in any byte order; blocks that are packets.
SECTION, PACKETS = bytes.fromhex("0a0d0d0a"), frozenset({_OLD_PACKET, _SIMPLE, _ENHANCED})
#: Decryption secrets, and the type of those that are a TLS key log.
SECRETS, _TLS_KEY_LOG = 10, 0x544C534B
_KIND_AND_SIZE = 8
#: Blocks that are no packets and that Wireshark numbers all the same: custom ones, and entries of a journal.
_NUMBERED = frozenset({0x0BAD, 0x4000_0BAD, 9})
_ORDER_MAGIC = {bytes.fromhex("1a2b3c4d"): ">", bytes.fromhex("4d3c2b1a"): "<"}
#: A block without a body: type, length, length again.
SHORTEST = 12
_END_OF_OPTIONS, _NAME, _TSRESOL, _TSOFFSET = 0, 2, 9, 14
_SECOND = 1_000_000_000
#: Interfaces whose numbers fit into a byte.
_TOLD_APART = 256


class _Interface(NamedTuple):
    """``time * factor // divisor + shift`` are nanoseconds since the epoch."""

    link_type: int
    factor: int
    divisor: int
    shift: int


class _Structs(NamedTuple):
    """The fixed parts of blocks in the byte order of a section."""

    order: str
    block: Struct
    length: Struct
    interface: Struct
    option: Struct
    enhanced: Struct
    old_packet: Struct
    shift: Struct


_STRUCTS = {
    order: _Structs(order, *(Struct(order + layout) for layout in ("II", "I", "HHI", "HH", "IIIII", "HHIIII", "q")))
    for order in "<>"
}
#: An enhanced packet block: type, length, interface, time, captured and original length.
_ENHANCED_FIELDS, _ENHANCED_SIZE = "IIIIIII", 28


def is_pcapng(start: bytes) -> bool:
    """True when a file that begins so (4 bytes at least) is a pcapng file."""
    return start[:4] == SECTION


def interface_names(start: bytes) -> list[str]:
    """The interfaces that a file describes in its first bytes; empty where one has no name."""
    names: list[str] = []
    at, structs = 0, _STRUCTS[">"]
    while at + SHORTEST <= len(start):
        if is_pcapng(start[at : at + 4]):
            if names or start[at + 8 : at + 12] not in _ORDER_MAGIC:
                break  # another section has others
            structs = _STRUCTS[_ORDER_MAGIC[start[at + 8 : at + 12]]]
        kind, length = structs.block.unpack_from(start, at)
        if length < SHORTEST or at + length > len(start):
            break
        if kind == _INTERFACE and length >= SHORTEST + 8:
            options = _options(structs, start, at + 16, at + length - 4)
            names.append(next((value for code, value in options if code == _NAME), b"").decode("utf-8", "replace"))
        at += length
    return names


def _options(structs: _Structs, data: Buffer, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    while at + 4 <= end:
        code, size = structs.option.unpack_from(data, at)
        if code == _END_OF_OPTIONS or at + 4 + size > end:
            return
        yield code, data[at + 4 : at + 4 + size]
        at += 4 + (size + 3 & ~3)


class PcapngRecords:
    """The blocks of a file."""

    unit = "block"

    def __init__(self, only: Container[int] | None = None, noted: bytearray | None = None) -> None:
        """``only``: packets of interfaces with other numbers than these are numbered, and are none.  ``noted`` gets the
        interface of each packet (0 for what has none or one that fits into no byte), if none of ``only`` is there."""
        self._only, self._noted = only, noted
        self._section = _Section(_STRUCTS[">"], only, noted)

    def fill(self, walk: RecordWalk, buffer: Buffer, at: int, stop: int) -> tuple[int, int]:
        """As ``Records.fill``."""
        need = SHORTEST
        while stop - at >= need:
            layout = self._section.layout_of(buffer, at)
            if layout is not None and (behind := walk.records(at, stop, layout)) > at:
                at = behind
                continue
            try:
                if is_pcapng(buffer[at : at + 4]):
                    self._section = _Section(byte_order(buffer[at + 8 : at + 12]), self._only, self._noted)
                length = self._block(walk, buffer, at, stop)
            except ValueError as error:
                raise DamagedError(str(error), at) from None
            if stop - at < length:
                need = length
            else:
                at += length
        return at, need

    def _block(self, walk: RecordWalk, buffer: Buffer, at: int, stop: int) -> int:
        """Takes one block if it is all there; its length."""
        structs = self._section.structs
        kind, length = structs.block.unpack_from(buffer, at)
        if length < SHORTEST or length % 4 or length > MAX_PCAPNG_BLOCK:
            raise ValueError(f"a block can not be {count(length, 'byte')} long")
        end = at + length
        if end > stop:
            return int(length)
        self._section.block(walk, kind, buffer, at + 8, end - 4)
        if structs.length.unpack_from(buffer, end - 4)[0] != length:
            raise ValueError("a block whose two lengths differ")
        return int(length)


def byte_order(magic: bytes) -> _Structs:
    """What the byte order of a section means for its blocks.

    :raises ValueError: it has none
    """
    order = _ORDER_MAGIC.get(magic)
    if order is None:
        raise ValueError("a section header without byte order")
    return _STRUCTS[order]


def key_log_in(body: bytes, order: str) -> bytes:
    """The lines of a block with decryption secrets; empty where they are others than of TLS.

    :raises ValueError: it is too short
    """
    if len(body) < _KIND_AND_SIZE:
        raise ValueError("a secrets block that is too short")
    kind, size = _STRUCTS[order].block.unpack_from(body)
    return body[_KIND_AND_SIZE : _KIND_AND_SIZE + size] if kind == _TLS_KEY_LOG else b""


_HEADS = {order: Struct(order + "III").unpack_from for order in "<>"}


class _Section:
    """The blocks of one section.  Raises ValueError for a block that contradicts itself."""

    def __init__(self, structs: _Structs, only: Container[int] | None, noted: bytearray | None) -> None:
        self.structs = structs
        self._only, self._noted = only, noted
        #: Interfaces are few, or alike: a million descriptions take some megabytes.
        self._interfaces: list[_Interface] = []
        #: The same, with None for those that are not wanted.
        self._wanted: list[_Interface | None] = []
        self._different: dict[_Interface, _Interface] = {}
        self._layouts: dict[_Interface, RecordLayout | None] = {}
        #: That of the first interface, the only one that is used.
        self._snap_length = 0

    def layout_of(self, data: Buffer, at: int) -> RecordLayout | None:
        """That of the enhanced packet block which begins at ``at``, if it is one."""
        kind, _, index = _HEADS[self.structs.order](data, at)
        if kind != _ENHANCED or index >= len(self._interfaces) or self._wanted[index] is None:
            return None
        interface = self._interfaces[index]
        if interface not in self._layouts:
            self._layouts[interface] = self._layout(interface)
        return self._layouts[interface]

    def _layout(self, interface: _Interface) -> RecordLayout | None:
        """None where a unit of time is no whole number of nanoseconds."""
        link_type, factor, divisor, shift = interface
        if divisor != 1:
            return None
        return RecordLayout(
            self.structs.order + _ENHANCED_FIELDS,
            _ENHANCED_SIZE,
            link_type,
            factor << 32,
            factor,
            shift,
            _ENHANCED,
            self._wanted,
            interface,
        )

    def block(self, walk: RecordWalk, kind: int, data: Buffer, at: int, end: int) -> None:
        """Takes a block whose body is ``data[at:end]``; of one that is only numbered a record without a packet."""
        if kind == _ENHANCED:
            if end - at < 20:
                raise ValueError("a packet block that is too short")
            index, high, low, captured, length = self.structs.enhanced.unpack_from(data, at)
            self._packet(walk, index, high << 32 | low, at + 20, end, captured, length)
        elif kind == _INTERFACE:
            self._describe(self._interface(data, at, end))
        elif kind in _NUMBERED:
            self._take(walk, None, None, at, at, 0)
        elif kind == SECRETS:
            walk.secrets(key_log_in(bytes(data[at:end]), self.structs.order))
        elif kind == _SIMPLE:
            self._simple(walk, data, at, end)
        elif kind == _OLD_PACKET:
            if end - at < 20:
                raise ValueError("a packet block that is too short")
            index, _, high, low, captured, length = self.structs.old_packet.unpack_from(data, at)
            self._packet(walk, index, high << 32 | low, at + 20, end, captured, length)

    def _packet(self, walk: RecordWalk, index: int, ticks: int, at: int, end: int, captured: int, length: int) -> None:
        interface = self._known(index)
        if captured > end - at or captured > MAX_CAPTURED:
            raise ValueError(f"a packet can not be {count(captured, 'byte')} long here")
        time = ticks * interface.factor // interface.divisor + interface.shift
        self._take(walk, time, index, at, at + captured, length)

    def _take(self, walk: RecordWalk, time: int | None, index: int | None, begin: int, end: int, length: int) -> None:
        """A packet of an interface; of one that is not wanted, or of none, a record that is only numbered."""
        if self._noted is not None:
            self._noted.append(index if index is not None and index < _TOLD_APART else 0)
        interface = self._wanted[index] if index is not None else None
        if interface is None:
            walk.packet(time, NO_PACKET, begin, begin, 0)
        else:
            walk.packet(time, interface.link_type, begin, end, length)

    def _simple(self, walk: RecordWalk, data: Buffer, at: int, end: int) -> None:
        """A packet without time: that of the packet before it has to do."""
        self._known(0)
        if end - at < 4:
            raise ValueError("a packet block that is too short")
        (length,) = self.structs.length.unpack_from(data, at)
        captured = min(length, self._snap_length or length, end - at - 4)
        if captured > MAX_CAPTURED:
            raise ValueError(f"a packet can not be {count(captured, 'byte')} long here")
        self._take(walk, None, 0, at + 4, at + 4 + captured, length)

    def _known(self, index: int) -> _Interface:
        """The interface of a packet."""
        if index >= len(self._interfaces):
            raise ValueError(f"a packet of interface {index}, which was not described")
        return self._interfaces[index]

    def _describe(self, interface: _Interface) -> None:
        if interface not in self._different and len(self._different) >= MAX_INTERFACES:
            raise ValueError(f"more than {MAX_INTERFACES} different interfaces")
        known = self._different.setdefault(interface, interface)
        is_wanted = self._only is None or len(self._interfaces) in self._only
        self._interfaces.append(known)
        self._wanted.append(known if is_wanted else None)

    def _interface(self, data: Buffer, at: int, end: int) -> _Interface:
        if end - at < 8:
            raise ValueError("an interface block that is too short")
        link_type, _, snap_length = self.structs.interface.unpack_from(data, at)
        if not self._interfaces:
            self._snap_length = snap_length
        factor, divisor, shift = 1_000, 1, 0
        for code, value in _options(self.structs, data, at + 8, end):
            if code == _TSRESOL and value:
                base, exponent = (2, value[0] & 0x7F) if value[0] & 0x80 else (10, value[0])
                units = base**exponent
                factor, divisor = (_SECOND // units, 1) if _SECOND % units == 0 else (_SECOND, units)
            elif code == _TSOFFSET and len(value) == 8:
                shift = self.structs.shift.unpack(value)[0] * _SECOND
        return _Interface(link_type, factor, divisor, shift)
