"""What unpacks compressed captures, told by their first bytes: gzip, zstandard, lz4, xz and bzip2, several members too.

The libraries are loaded when a file needs them: most files need none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from dissector.errors import CaptureError

#: Bytes that tell a format.
TELLING = 6


class Packed:
    """Compressed bytes, counted as they are used."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.used = 0

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._file.read(size)
        self.used += len(data)
        return data

    def readable(self) -> bool:
        """For libraries that ask."""
        return True

    def seekable(self) -> bool:
        """For libraries that ask: files are read once."""
        return False


class PackedStream(NamedTuple):
    """``stream`` has ``read1``; ``damage`` is what it raises for data that is damaged or cut off."""

    stream: Any
    damage: tuple[type[Exception], ...]


def _gzip(packed: Packed) -> PackedStream:
    import gzip
    import zlib

    file: Any = packed
    return PackedStream(gzip.GzipFile(fileobj=file), (EOFError, gzip.BadGzipFile, zlib.error))


def _zstandard(packed: Packed) -> PackedStream:
    import zstandard

    file: Any = packed
    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    return PackedStream(reader, (EOFError, zstandard.ZstdError))


def _lz4(packed: Packed) -> PackedStream:
    import lz4.frame

    return PackedStream(lz4.frame.LZ4FrameFile(packed), (EOFError, RuntimeError))


def _xz(packed: Packed) -> PackedStream:
    import lzma

    file: Any = packed
    return PackedStream(lzma.LZMAFile(file), (EOFError, lzma.LZMAError))


def _bzip2(packed: Packed) -> PackedStream:
    import bz2

    file: Any = packed
    return PackedStream(bz2.BZ2File(file), (EOFError, OSError))


_FORMATS: tuple[tuple[bytes, str, Callable[[Packed], PackedStream]], ...] = (
    (b"\x1f\x8b", "gzip", _gzip),
    (b"\x28\xb5\x2f\xfd", "zstandard", _zstandard),
    (b"\x04\x22\x4d\x18", "lz4", _lz4),
    (b"\xfd7zXZ\0", "xz", _xz),
    (b"BZh", "bzip2", _bzip2),
)


def unpacked(name: str, start: bytes, packed: Packed) -> PackedStream | None:
    """What reads a file that begins with ``start``; None when it is not compressed.

    :raises CaptureError: the library that could is not there
    """
    for magic, kind, opener in _FORMATS:
        if start.startswith(magic):
            try:
                return opener(packed)
            except ImportError:
                raise CaptureError(name, f"Python's {kind} library is missing; unpack the file first") from None
    return None
