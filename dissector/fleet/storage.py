"""Where a dataset lies: in a folder of this machine, or on another file system by its URL.

Either takes a file whole or not at all.  In a folder that is for certain, and one run at a time writes.  Elsewhere it
is as far as the file system renames or replaces a file in one step (object stores and local disks do); nothing there
keeps a second run out, so what it may still need stays for a day, and whoever commits behind it finds that out.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Protocol

from dissector.errors import CaptureError, UsageError
from dissector.outfile import TEMPORARY, OutFile
from dissector.sources.bytestream import open_file
from dissector.sources.remote import RemoteFile, is_remote

_LOCK, _WORK = ".lock", ".work"
#: Seconds after which nobody needs any more what a run elsewhere left.
_OLD = 86_400


class Storage(Protocol):
    """``name`` is a path or a URL, and all paths go on from there; ``system`` is what opens files elsewhere."""

    name: str
    system: Any

    def work_folder(self) -> Path:
        """A new folder of this machine for one unit of work."""

    def writing(self) -> Any:
        """A context in which this run writes; alone, where it can know."""

    def begun(self) -> Iterator[str]:
        """What lies there, by the first part of its path; nothing where there is nothing yet."""

    def remains(self, known: Container[str]) -> Iterator[str]:
        """Paths of files that are not known, and that no other run can need."""

    def put(self, source: str, path: str) -> None:
        """A whole file of this machine to where it belongs."""

    def replace(self, path: str, data: bytes) -> None:
        """A file with this content in the place of another one."""

    def remove(self, path: str) -> None:
        """A file, and the folders that have nothing else; whatever goes wrong."""


def storage_of(name: str) -> Storage:
    """:raises UsageError: a URL of no file system"""
    if not is_remote(name):
        return FolderStorage(Path(os.path.abspath(name)))  # noqa: PTH100  resolve() follows links
    try:
        remote = RemoteFile.at(name)
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from None
    return FolderStorage(Path(remote.path)) if remote.is_here else RemoteStorage(remote)


def read(name: str) -> bytes:
    """:raises OSError: it can not be read; FileNotFoundError: it is not there"""
    with open_file(name) as file:
        return file.read()


class FolderStorage:
    system = None

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._folder = folder

    @contextmanager
    def writing(self) -> Iterator[None]:
        """:raises UsageError: another run writes"""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._folder / _LOCK).open("ab") as lock:
            _lock(lock, self.name)
            try:
                yield
            finally:
                shutil.rmtree(self._folder / _WORK, ignore_errors=True)

    def begun(self) -> Iterator[str]:
        if self._folder.exists() and not self._folder.is_dir():
            yield self._folder.name
        elif self._folder.exists():
            ours = (_LOCK, _WORK)
            names = (path.name for path in self._folder.iterdir())
            yield from (name for name in names if name not in ours and not name.startswith(TEMPORARY))

    def remains(self, known: Container[str]) -> Iterator[str]:
        shutil.rmtree(self._folder / _WORK, ignore_errors=True)
        for path in (*self._folder.rglob("*.parquet"), *self._folder.glob(f"{TEMPORARY}*")):
            if (name := path.relative_to(self._folder).as_posix()) not in known:
                yield name

    def work_folder(self) -> Path:
        path = self._folder / _WORK / os.urandom(8).hex()
        path.mkdir(parents=True, mode=0o700)
        return path

    def put(self, source: str, path: str) -> None:
        target = self._folder / path
        for folder in reversed(target.relative_to(self._folder).parents[:-1]):
            (self._folder / folder).mkdir(exist_ok=True, mode=0o700)
        Path(source).replace(target)
        _sync(target.parent)

    def replace(self, path: str, data: bytes) -> None:
        with OutFile(str(self._folder / path)) as out:
            out.write(data)
            out.commit(for_certain=True)
        _sync(self._folder)

    def remove(self, path: str) -> None:
        file = self._folder / path
        with suppress(OSError):
            file.unlink()
            file.parent.rmdir()
            file.parent.parent.rmdir()


class RemoteStorage:
    def __init__(self, remote: RemoteFile) -> None:
        self.name = remote.url
        self.system = remote.system
        self._root = remote
        self._folders: list[str] = []

    @contextmanager
    def writing(self) -> Iterator[None]:
        try:
            yield
        finally:
            for folder in self._folders:
                shutil.rmtree(folder, ignore_errors=True)

    def begun(self) -> Iterator[str]:
        for path, _ in self._root.tree():
            first = path.partition("/")[0]
            if not first.startswith(TEMPORARY):
                yield first

    def remains(self, known: Container[str]) -> Iterator[str]:
        old = time.time() - _OLD
        for path, modified in list(self._root.tree()):
            is_ours = path.endswith(".parquet") or path.startswith(TEMPORARY)
            if is_ours and path not in known and modified is not None and modified < old:
                yield path

    def work_folder(self) -> Path:
        self._folders.append(tempfile.mkdtemp(prefix="jstrace-"))
        return Path(self._folders[-1])

    def put(self, source: str, path: str) -> None:
        if not is_remote(source):  # else whoever made it put it there
            with self._explained():
                self._root.within(path).put(source)

    def replace(self, path: str, data: bytes) -> None:
        """:raises CaptureError: it can not be written"""
        with self._explained():
            self._root.within(path).replace(data, f"{TEMPORARY}{os.urandom(8).hex()}")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CaptureError(self.name, error.strerror or str(error)) from None

    def remove(self, path: str) -> None:
        with suppress(OSError):
            self._root.within(path).remove()


def _sync(folder: Path) -> None:
    """That names are on the disk, where a system lets one ask for it."""
    if os.name != "posix":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _lock(lock: IO[bytes], name: str) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: whoever writes twice at a time is on their own
        return
    try:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise UsageError(f"{name}: another jstrace index writes to it") from None
