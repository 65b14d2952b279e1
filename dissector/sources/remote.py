"""Files of object stores and other remote file systems by their URLs, such as ``s3://bucket/host7/x.pcap``.

fsspec opens them (https://filesystem-spec.readthedocs.io), with what is installed for their kind and what is set for it
in its own files and environment.  Whatever goes wrong is an OSError with one line, as of a file of this machine.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
#: Bytes that are asked for at once.
_BLOCK = 1 << 20
#: Characters of what a library says.
_MOST = 300
_T = TypeVar("_T")


def is_remote(path: str) -> bool:
    """A URL and no name of a file here."""
    return _URL.match(path) is not None


class RemoteFile(NamedTuple):
    """A file or folder: the file system, and how it calls it."""

    system: Any
    path: str

    @classmethod
    def at(cls, url: str) -> RemoteFile:
        """:raises OSError: no file system of this kind"""
        return cls(*_plainly(lambda: _fsspec().core.url_to_fs(url)))

    @property
    def url(self) -> str:
        """The same for all names of it."""
        return str(self.system.unstrip_protocol(self.path))

    def size(self) -> int:
        """:raises OSError: it is not there, or does not tell"""
        size = _plainly(lambda: self.system.info(self.path))["size"]
        if size is None:
            raise OSError(0, "its server does not say how long it is")
        return int(size)

    def files(self) -> list[str]:
        """The URLs of all files in a folder, or of the file itself.

        :raises OSError: it is not there
        """
        if _plainly(lambda: self.system.isfile(self.path)):
            return [self.url]
        found = sorted(_plainly(lambda: self.system.find(self.path)))
        if not found:
            raise OSError(0, "No such file or directory")
        return [str(self.system.unstrip_protocol(path)) for path in found]

    def open(self) -> io.BufferedReader:
        """:raises OSError: it can not be opened"""
        return io.BufferedReader(_RawFile(self), _BLOCK)


class _RawFile(io.RawIOBase):
    def __init__(self, remote: RemoteFile) -> None:
        self._file: Any = _plainly(lambda: remote.system.open(remote.path, "rb"))
        self._name = remote.url

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(_plainly(lambda: self._file.seek(offset, whence)))

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        data = _plainly(lambda: self._file.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            with suppress(Exception):
                self._file.close()
        super().close()


def _fsspec() -> Any:
    try:
        import fsspec
    except ImportError:
        raise OSError(0, "URLs need fsspec: pip install 'jstrace[fleet]'") from None
    return fsspec


def _plainly(act: Callable[[], _T]) -> _T:
    """Libraries of file systems raise what they like.

    :raises OSError: instead of anything else
    """
    try:
        return act()
    except OSError as error:
        raise OSError(error.errno or 0, error.strerror or _line(error)) from None
    except Exception as error:
        raise OSError(0, _line(error)) from None


def _line(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "No such file or directory"
    return " ".join(str(error).split())[:_MOST] or type(error).__name__
