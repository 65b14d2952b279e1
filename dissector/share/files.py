"""Capture files written: pcap, and pcapng with comments.

Own code, though scapy has some: scapy's writer of pcapng has no comments on the section and a time in microseconds.
Source: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html and draft-ietf-opsawg-pcap-04.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Protocol

from dissector.errors import UsageError
from dissector.sources.bytestream import STANDARD_INPUT

_SNAP_LENGTH = 262_144
_SECTION, _INTERFACE, _ENHANCED = 0x0A0D0D0A, 1, 6
_COMMENT, _USER_APPLICATION, _TIME_RESOLUTION = 1, 4, 9
_NANOSECONDS = b"\x09"
#: An option's length has 16 bits.
_LONGEST = 65_000


def check_target(source: str, target: str) -> None:
    """Raises UsageError where ``source`` can be read only once, or would be overwritten."""
    if source == STANDARD_INPUT:
        raise UsageError("the capture is read several times: it has to be a file")
    if Path(source).exists() and Path(target).exists() and Path(target).samefile(source):
        raise UsageError(f"{target}: the capture itself is not overwritten")


class CaptureWriter(Protocol):
    """Takes the packets of a capture in their order."""

    def packet(
        self, time: int, link_type: int, data: bytes, wire_length: int, comments: Iterable[str] = ()
    ) -> None: ...


class PcapWriter:
    """A classic capture file of one link type; ``nano``: times in nanoseconds, else in microseconds."""

    def __init__(self, out: BinaryIO, link_type: int, nano: bool) -> None:
        self._out = out
        self._unit = 1 if nano else 1_000
        magic = 0xA1B23C4D if nano else 0xA1B2C3D4
        out.write(struct.pack("<IHHiIII", magic, 2, 4, 0, 0, _SNAP_LENGTH, link_type))

    def packet(
        self,
        time: int,
        link_type: int,  # noqa: ARG002  a file has one
        data: bytes,
        wire_length: int,
        comments: Iterable[str] = (),  # noqa: ARG002  there is no place for them
    ) -> None:
        seconds, rest = divmod(time, 1_000_000_000)
        self._out.write(struct.pack("<IIII", seconds, rest // self._unit, len(data), wire_length) + data)


class PcapngWriter:
    """A pcapng file of one section, with an interface for each link type and times in nanoseconds."""

    def __init__(self, out: BinaryIO, application: str, comments: Iterable[str] = ()) -> None:
        self._out = out
        self._interfaces: dict[int, int] = {}
        body = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
        self._block(_SECTION, body + _options((_COMMENT, comments), (_USER_APPLICATION, [application])))

    def packet(self, time: int, link_type: int, data: bytes, wire_length: int, comments: Iterable[str] = ()) -> None:
        index = self._interfaces.get(link_type)
        if index is None:
            index = self._interfaces[link_type] = len(self._interfaces)
            resolution = _option(_TIME_RESOLUTION, _NANOSECONDS) + _option(0, b"")
            self._block(_INTERFACE, struct.pack("<HHI", link_type, 0, _SNAP_LENGTH) + resolution)
        head = struct.pack("<IIIII", index, time >> 32, time & 0xFFFF_FFFF, len(data), wire_length)
        self._block(_ENHANCED, head + _padded(data) + _options((_COMMENT, comments)))

    def _block(self, kind: int, body: bytes) -> None:
        length = struct.pack("<I", len(body) + 12)
        self._out.write(struct.pack("<I", kind) + length + body + length)


def _options(*groups: tuple[int, Iterable[str]]) -> bytes:
    found = b"".join(
        _option(code, text.encode()[:_LONGEST].decode(errors="ignore").encode())
        for code, texts in groups
        for text in texts
    )
    return found + _option(0, b"") if found else b""


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
