"""Capture files of an archive: which there are, at which place each was taken, and how a file is known again.

A file is known by its size and what stands at its beginning and its end, whatever its name: a capture only grows at its
end, and both have times of packets to the microsecond, so two captures that agree in that are one.  To read an archive
of terabytes only to see that it was read would take hours.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from dissector.errors import UsageError
from dissector.sources.bytestream import open_file, size_of
from dissector.sources.capture import first_time
from dissector.sources.remote import RemoteFile, is_remote

#: What captures in folders are called: also tcpdump's pieces (x.pcap1), also compressed.
_NAME = re.compile(r".+\.(pcap|pcapng|cap|snoop)\d*(\.(gz|zst|xz|bz2|lz4))?", re.IGNORECASE)
#: Bytes at a file's beginning and at its end that are looked at.
_ENDS = 16 * 1024


class FileAtPoint(NamedTuple):
    """A file of an archive, and the name of the place where it was captured."""

    path: str
    point: str


class KnownCapture(NamedTuple):
    """A capture as a dataset knows it.  ``first``: time of its first packet (None: it has none); ``last`` and
    ``packets`` are there when it was read; ``error``: why it can not be."""

    point: str
    path: str
    size: int
    digest: str
    first: int | None
    last: int | None = None
    packets: int = 0
    error: str | None = None

    @property
    def is_there(self) -> bool:
        """The file is what it was."""
        try:
            return _size(self.path) == self.size and digest_of(self.path) == self.digest
        except OSError:
            return False

    def begins(self, path: str) -> bool:
        """The file ``path`` goes on where this one ended."""
        try:
            return _size(path) >= self.size and digest_of(path, self.size) == self.digest
        except OSError:
            return False


def digest_of(path: str, size: int | None = None) -> str:
    """Of a file, or of its first ``size`` bytes.

    :raises OSError: it can not be read
    """
    with open_file(path) as file:
        if size is None:
            size = size_of(file)
        digest = blake2b(size.to_bytes(8, "big") + file.read(min(size, _ENDS)), digest_size=12)
        file.seek(max(size - _ENDS, 0))
        digest.update(file.read(min(size, _ENDS)))
    return digest.hexdigest()


def _size(path: str) -> int:
    return RemoteFile.at(path).size() if is_remote(path) else Path(path).stat().st_size


def places_of(paths: Iterable[str], names: Mapping[str, str]) -> list[FileAtPoint]:
    """All captures in files and folders, each once.  ``names`` are those of places by file or folder; else a place is
    called as the folder that the file is in.

    :raises UsageError: there is no such file
    """
    named = {absolute(path): name for path, name in names.items()}
    found: dict[str, FileAtPoint] = {}
    for path in (*paths, *(path for path in names if path not in paths)):
        for whole in _remote_captures(path) if is_remote(path) else map(absolute, _captures(Path(path))):
            known = whole if is_remote(whole) else os.path.realpath(whole)
            found.setdefault(known, FileAtPoint(whole, _point(whole, named)))
    return list(found.values())


def _remote_captures(url: str) -> list[str]:
    try:
        files = RemoteFile.at(url).files()
    except OSError as error:
        raise UsageError(f"{url}: {error.strerror}") from None
    if len(files) == 1 and files[0] == absolute(url):
        return files
    names = ((file, file.rpartition("/")[2]) for file in files)
    return [file for file, name in names if _NAME.fullmatch(name) and not name.startswith(".")]


def _captures(path: Path) -> list[Path]:
    if not path.exists():
        raise UsageError(f"{path}: No such file or directory")
    if not path.is_dir():
        return [path]
    files = [Path(folder) / name for folder, _, names in os.walk(path) for name in names if _NAME.fullmatch(name)]
    return sorted(file for file in files if file.is_file() and not file.name.startswith("."))


def _point(path: str, named: Mapping[str, str]) -> str:
    """The name given to the file or to the innermost folder around it."""
    around = _around(path)
    return next((named[one] for one in around if one in named), around[1].rpartition("/")[2])


def _around(path: str) -> list[str]:
    """A file and the folders around it, innermost first."""
    if not is_remote(path):
        return [path, *map(str, Path(path).parents)]
    kind, mark, names = path.partition("://")
    parts = names.split("/")
    return [kind + mark + "/".join(parts[:end]) for end in range(len(parts), -1, -1)]


def absolute(path: str | Path) -> str:
    """The whole path, or URL; links stay what they are, as they may be the names that people know.

    :raises UsageError: a URL of no file system
    """
    if isinstance(path, str) and is_remote(path):
        try:
            return RemoteFile.at(path).url
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None
    return os.path.abspath(path)  # noqa: PTH100  resolve() follows links


def looked_at(place: FileAtPoint, known: Container[str]) -> KnownCapture:
    """A first look at a file; ``known``: digests of files that need no more.

    :raises OSError: it can not be read
    :raises CaptureError: it is no capture
    """
    size, digest = _size(place.path), digest_of(place.path)
    first = None if digest in known else first_time(place.path)
    return KnownCapture(place.point, place.path, size, digest, first)
