"""Writes what is captured as it comes: into one file, or into a ring of files of which the newest are kept.

A file is readable up to its last flush whatever happens: blocks reach it whole, and what a full disk took only a part
of is cut off again.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dissector.errors import CaptureError, UsageError
from dissector.outfile import Packing, capture_format, check_output, is_stdout, open_new, split_ending
from dissector.sources.formats import Format, Pcap, Pcapng
from dissector.stream.block import Block
from dissector.traffic import Packet

#: Bytes that wait for the next flush at most, and seconds.
_FLUSH_BYTES, _FLUSH_SECONDS = 1 << 16, 0.25
_RING = re.compile(r"(\d{1,4})x([^/]+)(?:/(.+))?", re.ASCII)
_SIZE = re.compile(r"(\d{1,6})([kMG])B?", re.ASCII)
_UNITS = {"k": 1_000, "M": 1_000_000, "G": 1_000_000_000}
_AGE = re.compile(r"(\d{1,6})(s|min|h|d)", re.ASCII)
_SECONDS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}


class Ring(NamedTuple):
    """``files`` are kept, each of about ``size`` bytes and of ``age`` seconds at most."""

    files: int
    size: int | None
    age: int | None = None


def parse_ring(text: str) -> Ring:
    """``10x100MB``, ``48x1h``, ``10x100MB/1h``

    :raises UsageError: it is none
    """
    match = _RING.fullmatch(text)
    if match is not None and int(match[1]) >= 2:
        size, age = parse_size(match[2]), _age(match[3] or match[2])
        if (size and age) if match[3] else (size or age):
            return Ring(int(match[1]), size, age)
    raise UsageError(
        f"{text!r} is no ring such as 10x100MB, 48x1h or 10x100MB/1h: 2 files or more, each of so many kB, MB or GB, "
        "of so many s, min, h or d, or of both"
    )


def parse_size(text: str) -> int | None:
    """Bytes of ``100MB``; None for anything else, and for nothing."""
    match = _SIZE.fullmatch(text)
    return int(match[1]) * _UNITS[match[2]] or None if match is not None else None


def _age(text: str) -> int | None:
    match = _AGE.fullmatch(text)
    return int(match[1]) * _SECONDS[match[2]] or None if match is not None else None


class CaptureWriter:
    """``path`` is the file, or with a ring the pattern of the files: ``x.pcapng`` gives ``x_00001_….pcapng``.  Its
    ending says what it is: pcapng (the default) or pcap, and compressed or not.

    A file that can not be written any more does not stop the capture: ``failure`` tells why, nothing more is written.

    :raises CaptureError: the file can not be created
    :raises UsageError: it exists already and ``overwrite`` is not wanted, or it is nothing to write a capture to
    """

    def __init__(self, path: str, ring: Ring | None = None, *, overwrite: bool = True) -> None:
        self.failure: str | None = None
        #: Who reads the stream that is written to has enough.
        self.reader_gone = False
        self.packets = 0
        self.files: deque[Path] = deque()
        #: Bytes of all of them but the last one.
        self._sizes: deque[int] = deque()
        self._path = path
        self._ring = ring
        self._overwrite = overwrite
        self._number = 0
        self._format: Format
        self._packing: Packing
        self._is_new = False
        self._waiting = bytearray()
        self._size = 0
        self._flushed = self._begun = time.monotonic()
        check_output(path)
        try:
            self._file = self._open()
        except OSError as error:
            raise CaptureError(path, error.strerror or str(error)) from None

    def size(self) -> int:
        """Bytes of all its files; of a stream, those of it so far."""
        return self._size + sum(self._sizes)

    def give_to(self, user: int, group: int) -> None:
        """The file belongs to this user from now on, if it was made here."""
        if self._is_new:
            os.fchown(self._file, user, group)

    def record(self, block: Block, names: Sequence[str]) -> None:
        """Writes all packets of a block; ``names`` are their interfaces."""
        data, begins, ends, times, cut = block.data, block.begins, block.ends, block.times, block.cut
        for index, link_type in block.readable():
            captured = data[begins[index] : ends[index]]
            self._write(times[index], link_type, captured, cut.get(index, len(captured)), names[index])
        self._flush_in_time()

    def write(self, packet: Packet, interface: str) -> None:
        self._write(packet.time, packet.link_type, packet.data, packet.wire_length, interface)
        self._flush_in_time()

    def _write(self, at: int, link_type: int, data: bytes, wire_length: int, interface: str) -> None:
        if self.failure is not None:
            return
        if self._ring is not None and self._is_full(self._ring):
            self._next_file()
        try:
            self._waiting += self._format.packet(at, link_type, data, wire_length, (), interface)
        except ValueError as error:
            self.flush()
            self._fail(str(error))
            return
        self.packets += 1
        if len(self._waiting) >= _FLUSH_BYTES:
            self.flush()

    def _flush_in_time(self) -> None:
        if time.monotonic() - self._flushed >= _FLUSH_SECONDS:
            self.flush()

    def _is_full(self, ring: Ring) -> bool:
        if ring.size is not None and self._size + len(self._waiting) >= ring.size:
            return True
        return ring.age is not None and time.monotonic() - self._begun >= ring.age

    def flush(self) -> None:
        """What was written is in the file now."""
        self._flushed = time.monotonic()
        if self._waiting:
            self._put(self._packing.pack(bytes(self._waiting)) + self._packing.sync())
            self._waiting.clear()

    def _put(self, data: bytes) -> None:
        if self.failure is not None:
            return
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            self.reader_gone = error.errno == errno.EPIPE
            self._fail(error.strerror or str(error))
            return
        self._size += len(data)

    def close(self, dropped: int = 0, *, check: bool = False) -> None:
        """``dropped``: what the kernel had no room for, for the file's statistics.

        :raises CaptureError: with ``check``, when not everything was written
        """
        if self._file >= 0:
            self._end_file(dropped)
            os.close(self._file)
            self._file = -1
        if check and self.failure is not None:
            raise CaptureError(str(self.files[-1]), self.failure)

    def _end_file(self, dropped: int = 0) -> None:
        if self.failure is None:
            self._waiting += self._format.end(dropped)
            self._put(self._packing.pack(bytes(self._waiting)) + self._packing.end())
        self._waiting.clear()

    def _fail(self, reason: str) -> None:
        self.failure = f"{reason}; nothing more is written, what was is readable"
        try:
            os.ftruncate(self._file, self._size)
        except OSError:  # a pipe or a device
            return

    def _open(self) -> int:
        path = self._path
        if self._ring is not None:
            self._number += 1
            stamp = time.strftime("%Y%m%d%H%M%S")
            stem, ending = split_ending(Path(path).name)
            path = str(Path(path).with_name(f"{stem}_{self._number:05d}_{stamp}{ending or '.pcapng'}"))
        number, self._is_new = open_new(path, overwrite=self._overwrite and self._ring is None)
        self.files.append(Path("standard output" if is_stdout(path) else path))
        self._size, self._begun = 0, time.monotonic()
        self._format = Pcap() if capture_format(path, "pcapng") == "pcap" else Pcapng()
        self._packing = Packing(path)
        self._waiting += self._format.begin()
        return number

    def _next_file(self) -> None:
        if self._ring is None:
            return
        self._end_file()
        if self.failure is not None:
            return
        previous, size = self._file, self._size
        try:
            self._file = self._open()
            os.close(previous)
            self._sizes.append(size)
            while len(self.files) > self._ring.files:
                self._sizes.popleft()
                self.files.popleft().unlink(missing_ok=True)
        except (OSError, UsageError) as error:
            self._fail(getattr(error, "strerror", None) or str(error))
