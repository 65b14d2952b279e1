"""Files of object stores and other remote file systems by their URLs, such as ``s3://bucket/host7/x.pcap``.

fsspec opens them (https://filesystem-spec.readthedocs.io), with what is installed for their kind and what is set for it
in its own files and environment.  Whatever goes wrong is an OSError with one line, as of a file of this machine.
"""

from __future__ import annotations

import errno
import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

_URL = re.compile(r"(?P<caches>(?:[A-Za-z][A-Za-z0-9+.-]*::)*)[A-Za-z][A-Za-z0-9+.-]*://")
#: Bytes that are asked for at once.
_BLOCK = 1 << 20
#: Characters of what a library says.
_MOST = 300
_T = TypeVar("_T")


def is_remote(path: str) -> bool:
    """A URL and no name of a file here."""
    return _URL.match(path) is not None


def within(place: str, path: str) -> str:
    """A file in a folder, of this machine or by its URL."""
    own, mark, around = place.partition("::") if is_remote(place) else (place, "", "")
    return f"{own}{'' if own.endswith('/') else '/'}{path}{mark}{around}"


def alone(url: str) -> str:
    """A file as its file system calls it, which is known: without what that lies in."""
    return url.partition("::")[0] if is_remote(url) else url


def tells_times(system: Any) -> bool:
    """It says when a file was written."""
    return type(system).modified is not _fsspec().AbstractFileSystem.modified


class RemoteFile(NamedTuple):
    """A file or folder: the file system, how it calls it, and what it lies in (``::file:///x.zip``)."""

    system: Any
    path: str
    around: str = ""

    @classmethod
    def at(cls, url: str) -> RemoteFile:
        """:raises OSError: no file system of this kind, or a cache in front of one"""
        if (found := _URL.match(url)) is not None and found["caches"]:
            raise OSError(0, f"a cache in front of a URL is of no use: name {url[found.end('caches') :]}")
        _, mark, around = url.partition("::")
        system, path = _plainly(lambda: _fsspec().core.url_to_fs(url))
        return cls(system, path, mark + around)

    @property
    def url(self) -> str:
        """The same for all names of it."""
        return f"{self.system.unstrip_protocol(self.path)}{self.around}"

    @property
    def is_here(self) -> bool:
        """It is a file or folder of this machine after all."""
        kinds = self.system.protocol
        return "file" in ((kinds,) if isinstance(kinds, str) else kinds)

    def within(self, path: str) -> RemoteFile:
        """A file in this folder."""
        return self._replace(path=f"{self.path.rstrip('/')}/{path}")

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
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return [self._replace(path=path).url for path in found]

    def tree(self) -> Iterator[tuple[str, float | None]]:
        """All files in a folder by their paths from it on, and when they were written (None: nobody knows); nothing
        where it is not there.

        :raises OSError: that can not be read
        """
        self.system.invalidate_cache()
        start = len(self.path.rstrip("/")) + 1
        for path in sorted(_plainly(lambda: self.system.find(self.path))):
            yield path[start:], self._written(path)

    def _written(self, path: str) -> float | None:
        try:
            return float(self.system.modified(path).timestamp())
        except Exception:  # as below: they raise what they like, and many do not know
            return None

    def put(self, source: str) -> None:
        """A file of this machine goes there.

        :raises OSError: it can not
        """
        self._make_folder()
        _plainly(lambda: self.system.put_file(source, self.path))

    def replace(self, data: bytes, name: str) -> None:
        """Another content: under ``name`` beside it first, so that it is there whole or not at all where the file
        system renames (or an object store copies) in one step.

        :raises OSError: it can not be written
        """
        self._make_folder()
        beside = f"{self.path.rpartition('/')[0]}/{name}"
        try:
            _plainly(lambda: self.system.pipe_file(beside, data))
            _plainly(lambda: self.system.mv(beside, self.path))
        except BaseException:
            with suppress(Exception):
                self.system.rm_file(beside)
            raise

    def _make_folder(self) -> None:
        _plainly(lambda: self.system.makedirs(self.path.rpartition("/")[0], exist_ok=True))

    def remove(self) -> None:
        """:raises OSError: it can not be removed"""
        _plainly(lambda: self.system.rm_file(self.path))

    def open(self) -> io.BufferedReader:
        """:raises OSError: it can not be opened"""
        return io.BufferedReader(_RawFile(self), _BLOCK)


class _RawFile(io.RawIOBase):
    def __init__(self, remote: RemoteFile) -> None:
        self._file: Any = _plainly(lambda: remote.system.open(remote.path, "rb"))
        self._system = remote.system  # that of a zip file closes it where nobody holds it any more

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
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None
    except OSError as error:
        raise OSError(error.errno or 0, error.strerror or _line(error)) from None
    except Exception as error:
        raise OSError(0, _line(error)) from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:_MOST] or type(error).__name__
