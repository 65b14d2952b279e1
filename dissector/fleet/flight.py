"""The flight recorder: of each task that fails, its packets are kept in a file of its own, out of the newest ones in
memory.  What is written waits until the tracer has told all that belongs to the task."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dissector.errors import CaptureError, JstraceError, UsageError
from dissector.fleet.company import Companion
from dissector.model import CaptureInfo, Connection, Event, Look, Problem, Running, Task
from dissector.numbers import count
from dissector.outfile import OutFile
from dissector.render.filter import Filter
from dissector.render.views import Sieve
from dissector.reports.summary import has_failed
from dissector.sources.privileges import UserAccount, explained
from dissector.sources.recent import HeldPacket, Recent, write_packets
from dissector.sources.ring import parse_size
from dissector.wire.masking import Mask

#: Characters of a job's name in the name of a file.
_MAX_NAME = 60
_HARMFUL = re.compile(r"[^A-Za-z0-9_-]+")
_KEPT = re.compile(r"\d{8}T\d{6}Z_[A-Za-z0-9_-]*_\d+(?:-\d+)?\.pcapng")
#: Tasks that are looked for in memory at a time.
_MOST_AT_ONCE = 64
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


class FlightRecorder(Companion):
    """Keeps the packets of tasks that fail in ``folder``, out of ``recent``.

    :raises CaptureError: nothing can be written there
    """

    def __init__(self, folder: str, bound: KeptBound, recent: Recent, mask: Mask, who: UserAccount | None) -> None:
        super().__init__()
        with explained(who):
            self._folder = KeptFolder(Path(folder), bound)
            _try(folder)
        self._place, self._recent, self._mask = folder, recent, mask
        self._sieve = Sieve((), Filter(task=has_failed, on_tasks=True), wants_messages=False)
        #: Connections of tasks that failed; those that ended since the last look but one wait for more of them.
        self._connections: dict[Task, dict[Connection, None]] = {}
        self._ended: list[Task] = []
        self._due: list[Task] = []
        self._broken = False

    def add(self, event: Event) -> None:
        for passed in self._sieve.feed(event):
            task = passed if isinstance(passed, Task) else passed.task
            if task is not None:
                self._belongs(task, passed)

    def running(self, changed: Sequence[Running], now: int, look: Look) -> None:  # noqa: ARG002  a listener's shape
        self._keep_some()
        self._due += self._ended
        self._ended = []
        wanted = set(self._due)
        self._connections = {task: found for task, found in self._connections.items() if task in wanted}

    def close(self, captures: Sequence[CaptureInfo]) -> None:  # noqa: ARG002  a listener's shape
        waiting = self._due + self._ended
        for at in range(0, len(waiting), _MOST_AT_ONCE):
            self._keep(waiting[at : at + _MOST_AT_ONCE])
        self._due, self._ended = [], []

    def _belongs(self, task: Task, event: Event) -> None:
        """As for ``slice``: also tries that never got through, and whoever came instead."""
        connections = self._connections.setdefault(task, {})
        if isinstance(event, Connection):
            connections[event] = None
        elif isinstance(event, Task):
            own = (event.command, event.callback, *event.carriers)
            connections.update(dict.fromkeys(one for one in own if one is not None))
            self._ended.append(event)
            if len(self._due) >= 2 * _MOST_AT_ONCE:  # a storm: looks become rare where much is under way
                self._keep_some()
        elif isinstance(event, Problem) and event.connection is not None:
            connections[event.connection] = None

    def _keep_some(self) -> None:
        self._keep(self._due[:_MOST_AT_ONCE])
        del self._due[:_MOST_AT_ONCE]

    def _keep(self, tasks: Sequence[Task]) -> None:
        partial = 0
        for task in tasks:
            connections = list(self._connections.pop(task, ()))
            packets = self._recent.find(connections)
            partial += not self._recent.has_begin_of(connections)
            if packets:
                self._write(task, packets)
        if partial:
            self.remark(f"--keep-failed: of {count(partial, 'task')} the first packets are no longer in memory")

    def _write(self, task: Task, packets: list[HeldPacket]) -> None:
        try:
            self._folder.write(task, self._mask, packets)
        except (JstraceError, OSError) as error:
            if not self._broken:  # once: a full disk is full for every task
                self.remark(f"--keep-failed {self._place}: task {task.n} is not kept: {error}")
            self._broken = True
            return
        self._broken = False


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


def _try(folder: str) -> None:
    """Whether files can be made there shows now rather than at the first failure.

    :raises CaptureError: they can not
    """
    with OutFile(str(Path(folder) / "try")):
        return
