"""Bytes of a capture file in blocks: plain or compressed (told by content, not by name), or standard input."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from mmap import mmap
from pathlib import Path
from types import TracebackType
from typing import Any

from dissector.errors import CaptureError
from dissector.limits import MAX_RATIO, MAX_UNPACKED
from dissector.sources.remote import RemoteFile, is_remote
from dissector.sources.unpack import TELLING, Packed, unpacked

#: How a path names standard input.
STANDARD_INPUT = "-"
_BLOCK = 256 * 1024
_DAMAGE = "its compressed data is damaged or cut off"


class DamagedError(Exception):
    """The file can not be read on: ``cut`` when it just ends too early, else something in it is impossible.

    For this room only; what leaves it is a CaptureError or a warning.
    """

    def __init__(self, reason: str, offset: int, *, cut: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset
        self.cut = cut


def open_file(path: str) -> io.BufferedReader:
    """A file of this machine, or one by its URL.

    :raises OSError: it can not be opened
    """
    return RemoteFile.at(path).open() if is_remote(path) else Path(path).open("rb")


def size_of(file: io.BufferedReader) -> int:
    """Bytes of a file as it is now; where it was read to stays."""
    try:
        return os.fstat(file.fileno()).st_size
    except io.UnsupportedOperation:  # a file of a remote system does not grow
        at = file.tell()
        size = file.seek(0, io.SEEK_END)
        file.seek(at)
        return size


class ByteStream:
    """Reads ``path`` once, front to back.  ``on_read`` is told how many bytes of the file (compressed ones, if it is
    compressed) were used since the last time.  Raises CaptureError when the file can not be opened or read."""

    def __init__(self, path: str, on_read: Callable[[int], object] | None = None) -> None:
        self.name = "standard input" if path == STANDARD_INPUT else path
        #: Uncompressed bytes read so far.
        self.total = 0
        #: What is wrong with the compressed data, None when nothing is.
        self.broken: str | None = None
        self.on_read = on_read
        self._position = 0
        #: Where compressed data comes from; None of a plain file.
        self._packed: Packed | None = None
        self._damage: tuple[type[Exception], ...] = ()
        try:
            # A stream that lives as long as this object: __exit__ closes it.
            self._file: Any = sys.stdin.buffer if path == STANDARD_INPUT else open_file(path)
            self._reader: Any = self._unpacked()
            self._seekable = self._file.seekable()
        except OSError as error:
            raise CaptureError(self.name, error.strerror or str(error)) from None

    def __enter__(self) -> ByteStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_file:
            self._file.close()

    def _unpacked(self) -> Any:
        packed = Packed(self._file)
        reader = unpacked(self.name, self._file.peek(TELLING)[:TELLING], packed)
        if reader is None:
            return self._file
        self._packed, self._damage = packed, reader.damage
        return reader.stream

    def more(self, rest: bytes, need: int, behind: bytes = b"") -> bytes:
        """``rest`` with the bytes that follow it: at least ``need`` altogether, unless the file ends before; and then
        ``behind``."""
        parts, size = [rest], len(rest)
        while size < need:
            block = self._block()
            if not block:
                break
            parts.append(block)
            size += len(block)
        parts.append(behind)
        return b"".join(parts)

    def fill(self, buffer: mmap, at: int, stop: int) -> int:
        """Reads into ``buffer[at:stop]``; returns where it ended, which is before ``stop`` at the end of the file."""
        with memoryview(buffer) as view:
            while at < stop:
                try:
                    if self._reader is self._file:
                        size = self._reader.readinto(view[at:stop])
                    else:  # read1 gives what could be unpacked before a damaged place
                        block = self._within(self._reader.read1(min(_BLOCK, stop - at)))
                        size = len(block)
                        view[at : at + size] = block
                except self._damage:
                    self.broken = _DAMAGE
                    break
                except OSError as error:
                    raise CaptureError(self.name, error.strerror or str(error), offset=self.total) from None
                if not size:
                    break
                at += size
                self._count(size)
        return at

    @property
    def is_file(self) -> bool:
        return self._file is not sys.stdin.buffer

    @property
    def size(self) -> int:
        """Bytes of the file as it is now, 0 when nobody knows."""
        return size_of(self._file) if self._seekable else 0

    def _block(self) -> bytes:
        """The next bytes as soon as there are some (a pipe is not waited for longer than needed); empty at the end."""
        try:
            block = self._within(self._reader.read1(_BLOCK))
        except self._damage:
            self.broken = _DAMAGE
            return b""
        except OSError as error:
            raise CaptureError(self.name, error.strerror or str(error), offset=self.total) from None
        self._count(len(block))
        return block

    def _within(self, block: bytes) -> bytes:
        """The block, unless so few bytes of the file can not honestly hold so many."""
        packed = self._packed
        if packed is None or self.total + len(block) <= max(MAX_UNPACKED, MAX_RATIO * packed.used):
            return block
        self.broken = f"its compressed data unpacks to more than {MAX_RATIO:,} times as much"
        return b""

    def _count(self, size: int) -> None:
        self.total += size
        if self.on_read is not None:
            position = self._file.tell() if self._seekable else self.total
            self.on_read(position - self._position)
            self._position = position
