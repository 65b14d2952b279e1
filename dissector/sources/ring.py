"""Writes what is captured as pcapng: into one file, or into a ring of files of which the newest are kept.

Source: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html.  A file is readable up to its last flush
whatever happens: blocks reach it whole, and what a full disk took only a part of is cut off again.
"""

from __future__ import annotations

import os
import re
import time
from collections import deque
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from dissector import __version__
from dissector.errors import CaptureError, UsageError
from dissector.traffic import Packet

_SECTION, _INTERFACE, _STATISTICS, _PACKET = 0x0A0D0D0A, 1, 5, 6
_ORDER_MAGIC = 0x1A2B3C4D
_APPLICATION, _NAME, _RESOLUTION, _DROPPED = 4, 2, 9, 5
_NANOSECONDS = b"\x09"
_SNAP_LENGTH = 262_144
_EDGE = Struct("<II")
_LENGTH = Struct("<I")
_SECTION_BODY = Struct("<IHHq")
_INTERFACE_BODY = Struct("<HHI")
_PACKET_BODY = Struct("<IIIII")
_STATISTICS_BODY = Struct("<III")
_OPTION = Struct("<HH")

#: Bytes that wait for the next flush at most, and seconds.
_FLUSH_BYTES, _FLUSH_SECONDS = 1 << 16, 0.25
_RING = re.compile(r"(\d{1,4})x(\d{1,6})([kMG])B?")
_UNITS = {"k": 1_000, "M": 1_000_000, "G": 1_000_000_000}


class Ring(NamedTuple):
    """``files`` are kept, each of about ``size`` bytes."""

    files: int
    size: int


def parse_ring(text: str) -> Ring:
    """``10x100MB``

    :raises UsageError: it is none
    """
    match = _RING.fullmatch(text)
    if match is None or int(match[1]) < 2 or int(match[2]) < 1:
        raise UsageError(f"{text!r} is no ring such as 10x100MB: 2 files or more, of so many kB, MB or GB each")
    return Ring(int(match[1]), int(match[2]) * _UNITS[match[3]])


class CaptureWriter:
    """``path`` is the file, or with a ring the pattern of the files: ``x.pcapng`` gives ``x_00001_….pcapng``.

    A file that can not be written any more does not stop the capture: ``failure`` tells why, nothing more is written.

    :raises CaptureError: the file can not be created
    """

    def __init__(self, path: str, ring: Ring | None = None) -> None:
        self.failure: str | None = None
        self.packets = 0
        self.files: deque[Path] = deque()
        self._path = Path(path)
        self._ring = ring
        self._number = 0
        self._interfaces: dict[tuple[str, int], int] = {}
        self._waiting = bytearray()
        self._size = 0
        self._flushed = time.monotonic()
        try:
            self._file = self._open()
        except OSError as error:
            raise CaptureError(path, error.strerror or str(error)) from None

    def give_to(self, user: int, group: int) -> None:
        """The (new) file belongs to this user from now on."""
        if os.fstat(self._file).st_size == 0 and self.files[-1].is_file():
            os.fchown(self._file, user, group)

    def write(self, packet: Packet, interface: str) -> None:
        if self.failure is not None:
            return
        if self._ring is not None and self._size + len(self._waiting) >= self._ring.size:
            self._next_file()
        number = self._interfaces.get((interface, packet.link_type))
        if number is None:
            number = self._add_interface(interface, packet.link_type)
        data = packet.data
        stamp = packet.time
        body = _PACKET_BODY.pack(number, stamp >> 32, stamp & 0xFFFFFFFF, len(data), packet.wire_length)
        self._waiting += _block(_PACKET, body + data + bytes(-len(data) % 4))
        self.packets += 1
        if len(self._waiting) >= _FLUSH_BYTES or time.monotonic() - self._flushed >= _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """What was written is in the file now."""
        self._flushed = time.monotonic()
        if self.failure is not None or not self._waiting:
            return
        rest = memoryview(bytes(self._waiting))
        self._waiting.clear()
        size = len(rest)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            self._fail(error)
            return
        self._size += size

    def close(self, dropped: int = 0, *, check: bool = False) -> None:
        """``dropped``: what the kernel had no room for, for the file's statistics.

        :raises CaptureError: with ``check``, when not everything was written
        """
        if dropped and self._interfaces and self._file >= 0:
            now = time.time_ns()
            body = _STATISTICS_BODY.pack(0, now >> 32, now & 0xFFFFFFFF)
            body += _options((_DROPPED, dropped.to_bytes(8, "little")))
            self._waiting += _block(_STATISTICS, body)
        self.flush()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if check and self.failure is not None:
            raise CaptureError(str(self.files[-1]), self.failure)

    def _fail(self, error: OSError) -> None:
        self.failure = f"{error.strerror or error}; nothing more is written, what was is readable"
        try:
            os.ftruncate(self._file, self._size)
        except OSError:  # a pipe or a device
            return

    def _open(self) -> int:
        path = self._path
        if self._ring is not None:
            self._number += 1
            stamp = time.strftime("%Y%m%d%H%M%S")
            path = path.with_name(f"{path.stem}_{self._number:05d}_{stamp}{path.suffix or '.pcapng'}")
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        self.files.append(path)
        self._size = 0
        self._interfaces.clear()
        options = _options((_APPLICATION, f"jstrace {__version__}".encode()))
        self._waiting += _block(_SECTION, _SECTION_BODY.pack(_ORDER_MAGIC, 1, 0, -1) + options)
        return number

    def _next_file(self) -> None:
        self.flush()
        if self.failure is not None or self._ring is None:
            return
        previous = self._file
        try:
            self._file = self._open()
            os.close(previous)
            while len(self.files) > self._ring.files:
                self.files.popleft().unlink(missing_ok=True)
        except OSError as error:
            self._fail(error)

    def _add_interface(self, name: str, link_type: int) -> int:
        number = self._interfaces[name, link_type] = len(self._interfaces)
        options = _options((_NAME, name.encode()), (_RESOLUTION, _NANOSECONDS))
        self._waiting += _block(_INTERFACE, _INTERFACE_BODY.pack(link_type, 0, _SNAP_LENGTH) + options)
        return number


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return _EDGE.pack(kind, length) + body + _LENGTH.pack(length)


def _options(*options: tuple[int, bytes]) -> bytes:
    parts = [_OPTION.pack(code, len(value)) + value + bytes(-len(value) % 4) for code, value in options]
    return b"".join(parts) + _OPTION.pack(0, 0)
