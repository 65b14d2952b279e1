"""Files that jstrace writes: whole or not at all, for their owner alone, never in the place of what they are made of.

A named file comes about under a name of its own in the folder where it belongs (random, and created by this process:
nothing that lies there before is opened or followed) and gets its name at the end.  A stream (``-``, a descriptor, a
pipe, a device) gets all of it at the end.  A name says what is in the file: ``.gz`` and ``.zst`` are compressed.
Reasons: docs/decisions/0008-files-are-written-whole-and-private.md.
"""

from __future__ import annotations

import atexit
import errno
import io
import os
import re
import shutil
import stat
import sys
import tempfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from dissector.errors import CaptureError, UsageError

STANDARD_OUTPUT = "-"
#: What a file is called until it is whole begins with this.
TEMPORARY = ".jstrace-"
_STDOUT = 1
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,5})", re.ASCII)
_STREAMS = {STANDARD_OUTPUT: _STDOUT, "/dev/stdout": _STDOUT, "/dev/stderr": 2}
_STANDARD_INPUTS = ("-", "/dev/stdin")

_GZIP, _ZSTANDARD = ".gz", ".zst"
_PACKED = (_GZIP, _ZSTANDARD)
_UNKNOWN = (".lz4", ".xz", ".bz2", ".zip", ".lzma", ".br", ".z")
_FORMATS = {".pcap": "pcap", ".pcapng": "pcapng"}
_GZIP_WINDOW = 16 + zlib.MAX_WBITS

#: Windows has neither links to be followed here nor texts and bytes that are the same.
_NEW = os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_PRIVATE, _PUBLIC = 0o600, 0o666
_BLOCK = 1 << 20


# --- names ---------------------------------------------------------------------------------------------------------


def descriptor(target: str) -> int | None:
    """The open file that a name stands for (``-``, ``/dev/stdout``, ``/dev/fd/5``); None for all other names."""
    match = _DESCRIPTOR.fullmatch(target)
    return int(match[1]) if match else _STREAMS.get(target)


def is_stdout(target: str) -> bool:
    return descriptor(target) == _STDOUT


def capture_format(target: str, default: str) -> str:
    """``pcap`` or ``pcapng``, as the name says (``x.pcap.gz`` too), else ``default``."""
    name = target.lower()
    for ending in _PACKED:
        name = name.removesuffix(ending)
    return _FORMATS.get(Path(name).suffix, default)


def split_ending(name: str) -> tuple[str, str]:
    """``("x", ".pcapng.gz")``: a file's name and what tells its kind."""
    stem, ending = name, ""
    for _ in range(2):
        suffix = Path(stem).suffix
        if suffix and (not ending or ending.lower() in _PACKED):
            stem, ending = stem[: -len(suffix)], suffix + ending
    return stem, ending


def written_name(name: str) -> str:
    """The name of a copy of the file ``name``: ``x.pcap`` for ``x.pcap.xz``, which is not written here."""
    return name[: -len(Path(name).suffix)] if Path(name).suffix.lower() in _UNKNOWN else name


class Packing:
    """Compresses what a file gets, or does not, as the file's name says.

    :raises UsageError: a name that says something that is not written here
    """

    def __init__(self, target: str) -> None:
        suffix = Path(target).suffix.lower()
        if suffix in _UNKNOWN:
            raise UsageError(f"{target}: jstrace does not write {suffix} files, only .gz and .zst are compressed")
        self._packer: Any = None
        self._sync = self._end = 0
        if suffix == _GZIP:
            self._packer = zlib.compressobj(wbits=_GZIP_WINDOW)
            self._sync, self._end = zlib.Z_SYNC_FLUSH, zlib.Z_FINISH
        elif suffix == _ZSTANDARD:
            import zstandard

            self._packer = zstandard.ZstdCompressor().compressobj()
            self._sync, self._end = zstandard.COMPRESSOBJ_FLUSH_BLOCK, zstandard.COMPRESSOBJ_FLUSH_FINISH

    def pack(self, data: bytes) -> bytes:
        packed: bytes = data if self._packer is None else self._packer.compress(data)
        return packed

    def sync(self) -> bytes:
        """With these bytes all that was packed so far can be unpacked."""
        packed: bytes = b"" if self._packer is None else self._packer.flush(self._sync)
        return packed

    def end(self) -> bytes:
        packed: bytes = b"" if self._packer is None else self._packer.flush(self._end)
        return packed


# --- what may not be written ---------------------------------------------------------------------------------------


def refuse_existing(target: str) -> None:
    """:raises UsageError: there is a file of this name already"""
    if descriptor(target) is None and Path(target).is_file():
        raise UsageError(f"{target} exists already")


def check_output(target: str, sources: Iterable[str] = ()) -> None:
    """Looks before anything is read or written.

    :raises UsageError: ``target`` is one of ``sources`` by whatever name, a terminal, a folder, a disk, or a name of
        a kind that is not written
    """
    Packing(target)
    try:
        number = descriptor(target)
        if number is not None and os.isatty(_opened(number)):
            raise UsageError(f"{shown(target)} is a terminal: give a file, or send it to a file or a program")
        found = Path(target).stat() if number is None else os.fstat(_opened(number))
    except io.UnsupportedOperation:
        return  # something in memory in the place of standard output
    except OSError as error:
        if number is not None:
            raise UsageError(f"{shown(target)}: {error.strerror}") from None
        return  # not there yet, or a link to nowhere
    if stat.S_ISDIR(found.st_mode):
        raise UsageError(f"{target}: it is a folder")
    if stat.S_ISBLK(found.st_mode):
        raise UsageError(f"{target}: it is a disk")
    if stat.S_ISREG(found.st_mode) and any(_is_same(source, found) for source in sources):
        raise UsageError(f"{shown(target)}: the capture itself is not overwritten")


def _is_same(source: str, found: os.stat_result) -> bool:
    try:
        one = os.fstat(0) if source in _STANDARD_INPUTS else Path(source).stat()
    except OSError:
        return False
    return os.path.samestat(one, found)


def shown(target: str) -> str:
    """The name that a person calls it by."""
    return "standard output" if is_stdout(target) else target


def _opened(number: int) -> int:
    """The descriptor of an open file; whoever took the place of ``sys.stdout`` stands for the first one.

    :raises OSError: it is not open
    """
    if number != _STDOUT:
        return number
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return sys.stdout.fileno()


def _is_stream(target: str) -> bool:
    """True for a name of what takes bytes in order and keeps none: it is written to as it is."""
    if descriptor(target) is not None:
        return True
    try:
        mode = Path(target).lstat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode))


def _open_stream(target: str) -> int:
    number = descriptor(target)
    if number is not None:
        return os.dup(_opened(number))
    opened = os.open(target, os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0))
    if os.isatty(opened):
        os.close(opened)
        raise UsageError(f"{target} is a terminal: give a file, or send it to a file or a program")
    return opened


# --- writing -------------------------------------------------------------------------------------------------------


class OutFile:
    """One file under way, at ``path`` until ``commit``; as a context it leaves nothing behind without that, nor when
    Python ends on the way into it or out of it.

    ``check_output`` comes first.  ``private``: a capture, which only its owner may read.

    :raises CaptureError: it can not be written
    """

    def __init__(self, target: str, *, private: bool = True) -> None:
        self.target = target
        self._packing = Packing(target)
        self._to_stream = _is_stream(target)
        folder = Path(tempfile.gettempdir()) if self._to_stream else Path(target).parent
        self.path = folder / f"{TEMPORARY}{os.urandom(8).hex()}"
        self._process = os.getpid()
        atexit.register(self._discard)
        try:
            number = os.open(self.path, os.O_WRONLY | _NEW, _PRIVATE if private else _PUBLIC)
        except OSError as error:
            atexit.unregister(self._discard)
            raise self._error(error) from None
        self._file: BinaryIO = os.fdopen(number, "wb")

    def __enter__(self) -> OutFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._file.close()
        self._discard()
        atexit.unregister(self._discard)

    def _discard(self) -> None:
        if os.getpid() == self._process:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        try:
            self._file.write(self._packing.pack(data))
        except OSError as error:
            raise self._error(error) from None

    def close(self, *, for_certain: bool = False) -> None:
        """All is written: it can be read at ``path``; ``for_certain``: the disk has it."""
        try:
            if not self._file.closed:
                self._file.write(self._packing.end())
                if for_certain:
                    self._file.flush()
                    os.fsync(self._file.fileno())
                self._file.close()
        except OSError as error:
            raise self._error(error) from None

    def commit(self, *, for_certain: bool = False) -> None:
        """Gives it its name, or to the stream.  What standard output refuses is OSError."""
        self.close(for_certain=for_certain)
        try:
            if self._to_stream:
                self._send()
            elif Path(self.target).is_dir():
                raise UsageError(f"{self.target}: it is a folder")
            else:
                self.path.replace(self.target)
        except OSError as error:
            if is_stdout(self.target):
                raise
            raise self._error(error) from None

    def _send(self) -> None:
        with self.path.open("rb") as source:
            if is_stdout(self.target):
                shutil.copyfileobj(source, sys.stdout.buffer, _BLOCK)
                sys.stdout.buffer.flush()
                return
            with os.fdopen(_open_stream(self.target), "wb") as out:
                shutil.copyfileobj(source, out, _BLOCK)

    def _error(self, error: OSError) -> CaptureError:
        return CaptureError(shown(self.target), error.strerror or str(error))


def write_text(target: str, text: str) -> None:
    """A text for everybody (as far as the umask lets them).

    :raises CaptureError: it can not be written
    """
    with OutFile(target, private=False) as out:
        out.write(text.encode())
        out.commit()


def open_new(target: str, *, overwrite: bool) -> tuple[int, bool]:
    """Opens what grows while others read it: the descriptor, and whether the file is new and this process's own.

    What exists under this name (but an empty file) is not touched without ``overwrite``, and with it only its name is
    taken away: no link is followed, whoever put it there.

    :raises OSError: it can not be written
    :raises UsageError: there is such a file already, or it is a terminal
    """
    if _is_stream(target):
        return _open_stream(target), False
    path = Path(target)
    try:
        return os.open(path, os.O_WRONLY | _NEW, _PRIVATE), True
    except FileExistsError:
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(21, "Is a directory", target) from None
        is_empty = stat.S_ISREG(found.st_mode) and not found.st_size
        if not (overwrite or is_empty):
            raise UsageError(f"{target} exists already; --overwrite replaces such files") from None
    own = path.with_name(f"{TEMPORARY}{os.urandom(8).hex()}")
    number = -1
    try:
        number = os.open(own, os.O_WRONLY | _NEW, _PRIVATE)
        own.replace(path)
    except BaseException:  # a signal, too
        if number >= 0:
            os.close(number)
        own.unlink(missing_ok=True)
        raise
    return number, True
