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
from dissector.sources.capture import first_time

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
            return Path(self.path).stat().st_size == self.size and digest_of(self.path) == self.digest
        except OSError:
            return False

    def begins(self, path: str) -> bool:
        """The file ``path`` goes on where this one ended."""
        try:
            return Path(path).stat().st_size >= self.size and digest_of(path, self.size) == self.digest
        except OSError:
            return False


def digest_of(path: str, size: int | None = None) -> str:
    """Of a file, or of its first ``size`` bytes.

    :raises OSError: it can not be read
    """
    with Path(path).open("rb") as file:
        if size is None:
            size = os.fstat(file.fileno()).st_size
        digest = blake2b(size.to_bytes(8, "big") + file.read(min(size, _ENDS)), digest_size=12)
        file.seek(max(size - _ENDS, 0))
        digest.update(file.read(min(size, _ENDS)))
    return digest.hexdigest()


def places_of(paths: Iterable[str], names: Mapping[str, str]) -> list[FileAtPoint]:
    """All captures in files and folders, each once.  ``names`` are those of places by file or folder; else a place is
    called as the folder that the file is in.

    :raises UsageError: there is no such file
    """
    named = {absolute(path): name for path, name in names.items()}
    found: dict[str, FileAtPoint] = {}
    for path in (*paths, *(path for path in names if path not in paths)):
        if not Path(path).exists():
            raise UsageError(f"{path}: No such file or directory")
        for file in _captures(Path(path)):
            whole = absolute(file)
            found.setdefault(os.path.realpath(whole), FileAtPoint(whole, _point(whole, named)))
    return list(found.values())


def _captures(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = [Path(folder) / name for folder, _, names in os.walk(path) for name in names if _NAME.fullmatch(name)]
    return sorted(file for file in files if file.is_file() and not file.name.startswith("."))


def _point(path: str, named: Mapping[str, str]) -> str:
    """The name given to the file or to the innermost folder around it."""
    return next(
        (named[str(one)] for one in (Path(path), *Path(path).parents) if str(one) in named), Path(path).parent.name
    )


def absolute(path: str | Path) -> str:
    """The whole path; links stay what they are, as they may be the names that people know."""
    return os.path.abspath(path)  # noqa: PTH100  resolve() follows links


def looked_at(place: FileAtPoint, known: Container[str]) -> KnownCapture:
    """A first look at a file; ``known``: digests of files that need no more.

    :raises OSError: it can not be read
    :raises CaptureError: it is no capture
    """
    size, digest = Path(place.path).stat().st_size, digest_of(place.path)
    first = None if digest in known else first_time(place.path)
    return KnownCapture(place.point, place.path, size, digest, first)
