"""The folder of the flight recorder: names of its files, how many of them there may be, whose it is."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from pathlib import Path
from typing import NamedTuple

from dissector.errors import CaptureError, UsageError
from dissector.model import Task
from dissector.outfile import OutFile
from dissector.sources.privileges import UserAccount
from dissector.sources.recent import HeldPacket, write_packets
from dissector.sources.ring import parse_size
from dissector.wire.masking import Mask

#: Characters of a job's name in the name of a file.
_MAX_NAME = 60
_HARMFUL = re.compile(r"[^A-Za-z0-9_-]+")
_KEPT = re.compile(r"\d{8}T\d{6}Z_[A-Za-z0-9_-]*_\d+(?:-\d+)?\.pcapng")
#: Names that are tried when there is such a file already.
_MOST_ALIKE = 100


class KeptBound(NamedTuple):
    """How much the folder may hold: so many files, or so many bytes."""

    files: int | None
    size: int | None


def parse_bound(text: str) -> KeptBound:
    """``500`` files, ``2GB``

    :raises UsageError: it is none
    """
    size = parse_size(text)
    if size is None and not re.fullmatch(r"0*[1-9]\d{0,5}", text, re.ASCII):
        raise UsageError(f"{text!r} is neither a size such as 2GB nor a number of files")
    return KeptBound(None if size is not None else int(text), size)


class KeptFolder:
    """The files of tasks that failed, the oldest first; those of earlier runs count, other files in it are left alone.

    :raises CaptureError: it can not be read
    """

    def __init__(self, folder: Path, bound: KeptBound) -> None:
        self._folder, self._bound = folder, bound
        self._files: deque[tuple[Path, int]] = deque()
        self._size = 0
        try:
            found = sorted(one.name for one in os.scandir(folder) if _KEPT.fullmatch(one.name) and one.is_file())
        except OSError as error:
            raise CaptureError(str(folder), error.strerror or str(error)) from None
        for name in found:
            self._count(folder / name)

    def write(self, task: Task, mask: Mask, packets: list[HeldPacket]) -> Path:
        """:raises JstraceError: it can not be written"""
        stem = file_stem(task, mask)
        for number in range(1, _MOST_ALIKE + 1):
            path = self._folder / f"{stem}{f'-{number}' if number > 1 else ''}.pcapng"
            if not os.path.lexists(path):
                break
        write_packets(str(path), packets, overwrite=False)
        self._count(path)
        self._bound_it()
        return path

    def _count(self, path: Path) -> None:
        try:
            size = path.lstat().st_size
        except OSError:  # somebody took it away
            return
        self._files.append((path, size))
        self._size += size

    def _bound_it(self) -> None:
        """The newest one always stays."""
        files, size = self._bound
        while len(self._files) > 1 and ((files and len(self._files) > files) or (size and self._size > size)):
            path, length = self._files.popleft()
            self._size -= length
            path.unlink(missing_ok=True)


def file_stem(task: Task, mask: Mask) -> str:
    """``20261126T213701Z_nightly_17``: a name without anything that a shell or a file system would obey."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(task.start // 1_000_000_000))
    return f"{stamp}_{_HARMFUL.sub('_', mask.text(task.job or ''))[:_MAX_NAME]}_{task.n}"


def make_folder(folder: str, who: UserAccount | None) -> None:
    """Makes the folder, for ``who`` alone, if there is none.

    :raises CaptureError: it can not be made
    """
    try:
        Path(folder).mkdir(mode=0o700)
        if who is not None:
            _give(folder, who)
    except FileExistsError:
        return
    except OSError as error:
        raise CaptureError(folder, error.strerror or str(error)) from None


def _give(folder: str, who: UserAccount) -> None:
    """A folder and nothing else, whatever somebody put in its place meanwhile."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchown(opened, who.user, who.group)
    finally:
        os.close(opened)


def try_folder(folder: str) -> None:
    """Whether files can be made there shows now rather than at the first failure.

    :raises CaptureError: they can not
    """
    with OutFile(str(Path(folder) / "try")):
        return
