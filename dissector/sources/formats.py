"""Bytes of capture files to be written: pcapng with interfaces, comments and nanoseconds, and classic pcap.

Own code, though scapy has some: scapy's writer of pcapng has no comments on the section and a time in microseconds.
Source: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html and draft-ietf-opsawg-pcap-04.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from struct import Struct
from typing import NamedTuple, Protocol

from dissector import __version__

_SNAP_LENGTH = 262_144
_SECOND = 1_000_000_000
_ETHERNET = 1
_SECTION, _INTERFACE, _STATISTICS, _PACKET, _SECRETS = 0x0A0D0D0A, 1, 5, 6, 10
_TLS_KEY_LOG = 0x544C534B
_ORDER_MAGIC = 0x1A2B3C4D
_COMMENT, _APPLICATION, _NAME, _DROPPED, _RESOLUTION, _OFFSET = 1, 4, 2, 5, 9, 14
_EDGE = Struct("<II")
_LENGTH = Struct("<I")
_SECTION_BODY = Struct("<IHHq")
_INTERFACE_BODY = Struct("<HHI")
#: Of an enhanced packet block up to its data: type, length, interface, time, captured and original length.
_PACKET_HEAD = Struct("<IIIIIII")
_PACKET_ROOM = _PACKET_HEAD.size + _LENGTH.size
_STATISTICS_BODY = Struct("<III")
_OPTION = Struct("<HH")
_OFFSET_BODY = Struct("<q")
_PCAP_HEADER = Struct("<IHHiIII")
_PCAP_RECORD = Struct("<IIII")
_MICRO_MAGIC, _NANO_MAGIC = 0xA1B2C3D4, 0xA1B23C4D

#: An option's length has 16 bits.
_LONGEST = 65_000
#: Nanoseconds that a time has room for; others are told from another second on.
_TIMES = 1 << 64
#: Seconds between two of those.
_STRIDE = 1 << 33
_LEAST_OFFSET, _GREATEST_OFFSET = -(1 << 63), (1 << 63) - 1
#: Seconds that a pcap file has room for.
_PCAP_SECONDS = 1 << 32


class Format(Protocol):
    """Gives the bytes of a file piece by piece, ``begin`` first and ``end`` last."""

    def begin(self, comments: Iterable[str] = ()) -> bytes: ...

    def packet(
        self,
        time: int,
        link_type: int,
        data: bytes,
        wire_length: int,
        comments: Iterable[str] = (),
        interface: str = "",
    ) -> bytes:
        """:raises ValueError: the format has no place for such a packet; the reason as text"""
        ...

    def secrets(self, log: bytes) -> bytes:
        """A TLS key log, for the packets behind it."""
        ...

    def end(self, dropped: int = 0) -> bytes: ...


class _Clock(NamedTuple):
    """``offset``: seconds since 1970 that times count from; ``digits`` behind a second's point."""

    offset: int
    digits: int

    @property
    def tick(self) -> int:
        """Nanoseconds."""
        return int(10 ** (9 - self.digits))


_UNIX = _Clock(0, 9)


class Pcapng:
    """One section.  Each interface has one link type, and the clock that its times are told by: nanoseconds since 1970
    but for times before that and far ahead."""

    def __init__(self) -> None:
        self._interfaces: dict[tuple[str, int, _Clock], int] = {}

    def begin(self, comments: Iterable[str] = ()) -> bytes:
        options = [*_texts(comments), (_APPLICATION, f"jstrace {__version__}".encode())]
        return _block(_SECTION, _SECTION_BODY.pack(_ORDER_MAGIC, 1, 0, -1) + _options(options))

    def packet(
        self,
        time: int,
        link_type: int,
        data: bytes,
        wire_length: int,
        comments: Iterable[str] = (),
        interface: str = "",
    ) -> bytes:
        clock = _UNIX if 0 <= time < _TIMES else _clock(time)
        key = interface, link_type, clock
        number = self._interfaces.get(key)
        described = b""
        if number is None:
            number = self._interfaces[key] = len(self._interfaces)
            described = _interface(*key)
        ticks = time if clock is _UNIX else (time - clock.offset * _SECOND) // clock.tick
        rest = bytes(-len(data) % 4) + (_options(_texts(comments)) if comments else b"")
        length = _PACKET_ROOM + len(data) + len(rest)
        head = _PACKET_HEAD.pack(_PACKET, length, number, ticks >> 32, ticks & 0xFFFF_FFFF, len(data), wire_length)
        return described + head + data + rest + _LENGTH.pack(length)

    def secrets(self, log: bytes) -> bytes:
        return _block(_SECRETS, _EDGE.pack(_TLS_KEY_LOG, len(log)) + log + bytes(-len(log) % 4)) if log else b""

    def end(self, dropped: int = 0) -> bytes:
        """``dropped``: packets that the kernel had no room for."""
        if not dropped or not self._interfaces:
            return b""
        now = time.time_ns()
        body = _STATISTICS_BODY.pack(0, now >> 32, now & 0xFFFF_FFFF)
        return _block(_STATISTICS, body + _options([(_DROPPED, dropped.to_bytes(8, "little"))]))


class Pcap:
    """One link type, no comments; ``nano``: times in nanoseconds, else in microseconds."""

    def __init__(self, *, nano: bool = True) -> None:
        self._magic, self._unit = (_NANO_MAGIC, 1) if nano else (_MICRO_MAGIC, 1_000)
        self._link_type: int | None = None

    def begin(self, comments: Iterable[str] = ()) -> bytes:  # noqa: ARG002  there is no place for them
        return b""  # the header needs the link type of the first packet

    def packet(
        self,
        time: int,
        link_type: int,
        data: bytes,
        wire_length: int,
        comments: Iterable[str] = (),  # noqa: ARG002  there is no place for them
        interface: str = "",  # noqa: ARG002  there is no place for them
    ) -> bytes:
        header = self._header(link_type) if self._link_type is None else b""
        if link_type != self._link_type:
            raise ValueError("a pcap file has packets of one link type only: name it .pcapng")
        seconds, rest = divmod(time, _SECOND)
        if not 0 <= seconds < _PCAP_SECONDS:
            raise ValueError("a pcap file has no place for times before 1970 or behind 2106: name it .pcapng")
        return header + _PCAP_RECORD.pack(seconds, rest // self._unit, len(data), wire_length) + data

    def secrets(self, log: bytes) -> bytes:  # noqa: ARG002  there is no place for them
        return b""

    def end(self, dropped: int = 0) -> bytes:  # noqa: ARG002  there is no place for them
        return self._header(_ETHERNET) if self._link_type is None else b""

    def _header(self, link_type: int) -> bytes:
        self._link_type = link_type
        return _PCAP_HEADER.pack(self._magic, 2, 4, 0, 0, _SNAP_LENGTH, link_type)


def fits_pcap(time: int) -> bool:
    """True for a time (nanoseconds) that a pcap file can tell."""
    return 0 <= time < _PCAP_SECONDS * _SECOND


def _clock(time: int) -> _Clock:
    """One for a time that nanoseconds since 1970 can not tell.

    Times come from pcapng files: where the greatest offset and nanoseconds are not enough, theirs were longer ticks.
    """
    offset = min(max(time // _SECOND // _STRIDE * _STRIDE, _LEAST_OFFSET), _GREATEST_OFFSET)
    rest = time - offset * _SECOND
    digits = next((one for one in (9, 6, 3) if rest < _TIMES * 10 ** (9 - one)), 0)
    return _Clock(offset, digits)


def _interface(name: str, link_type: int, clock: _Clock) -> bytes:
    options = [(_NAME, name.encode("utf-8", "replace")[:_LONGEST])] if name else []
    options.append((_RESOLUTION, bytes([clock.digits])))
    if clock.offset:
        options.append((_OFFSET, _OFFSET_BODY.pack(clock.offset)))
    return _block(_INTERFACE, _INTERFACE_BODY.pack(link_type, 0, _SNAP_LENGTH) + _options(options))


def _texts(comments: Iterable[str]) -> list[tuple[int, bytes]]:
    return [
        (_COMMENT, text.encode("utf-8", "replace")[:_LONGEST].decode(errors="ignore").encode()) for text in comments
    ]


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return _EDGE.pack(kind, length) + body + _LENGTH.pack(length)


def _options(options: Iterable[tuple[int, bytes]]) -> bytes:
    parts = [_OPTION.pack(code, len(value)) + value + bytes(-len(value) % 4) for code, value in options]
    return b"".join(parts) + _OPTION.pack(0, 0) if parts else b""
