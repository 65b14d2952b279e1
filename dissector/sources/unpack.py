"""What unpacks compressed captures, told by their first bytes: gzip, zstandard, lz4, xz and bzip2, several members too.

The libraries are loaded when a file needs them: most files need none.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from dissector.errors import CaptureError

#: Bytes that tell a format.
TELLING = 6
#: Compressed bytes that are unpacked together, and what tells zlib that they are gzip's.
_PIECE = 1 << 16
_GZIP = 16


class Packed:
    """Compressed bytes, counted as they are used."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.used = 0

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._file.read(size)
        self.used += len(data)
        return data

    def read1(self, size: int) -> bytes:
        """As soon as there are some."""
        data: bytes = self._file.read1(size)
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


class _Gunzip:
    """The members of a gzip file, one behind the other.  Python's own reader needs nearly twice the time, most of it
    from one layer to the next."""

    def __init__(self, packed: Packed) -> None:
        from zlib import MAX_WBITS, decompressobj

        self._packed = packed
        self._new_member = partial(decompressobj, _GZIP | MAX_WBITS)
        self._member: Any = None
        self._rest = packed.read1(_PIECE)
        self._damage: Exception | None = None

    def read1(self, size: int) -> bytes:
        """The next bytes, ``size`` at the most; none at the end.  All before a damaged place are given first.

        :raises EOFError: the file ends inside a member
        :raises zlib.error: it is damaged
        """
        data = b""
        while not data and (self._rest or self._member):
            if self._damage is not None:
                raise self._damage
            self._member = self._member or self._new_member()
            piece = self._rest or self._packed.read1(_PIECE)
            data = self._unpacked(piece, size)
            if not piece and not data:
                self._damage = EOFError()
        return data

    def _unpacked(self, piece: bytes, size: int) -> bytes:
        from zlib import error

        before = self._member.copy()
        try:
            data: bytes = self._member.decompress(piece, size)
        except error as damage:
            self._damage = damage
            return _until_damage(before, piece, size)
        self._rest = self._member.unconsumed_tail
        if self._member.eof:
            self._rest, self._member = self._without_padding(self._member.unused_data), None
        return data

    def _without_padding(self, rest: bytes) -> bytes:
        """The bytes without the zeros that a tape or a disk was filled up with."""
        while not (stripped := rest.lstrip(b"\0")):
            rest = self._packed.read1(_PIECE)
            if not rest:
                break
        return stripped


def _until_damage(member: Any, piece: bytes, size: int) -> bytes:
    from zlib import error

    found = bytearray()
    with suppress(error):
        for at in range(len(piece)):
            found += member.decompress(piece[at : at + 1])
            if len(found) >= size:
                break
    return bytes(found[:size])


def _gzip(packed: Packed) -> PackedStream:
    import zlib

    return PackedStream(_Gunzip(packed), (EOFError, zlib.error))


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
