"""Capture files opened on the screen: read in a thread of their own, and looked into again for a task whose messages
are no longer in memory, or whose packets are wanted.

Whoever looks at what was found from another thread holds ``lock``.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from dissector.errors import JstraceError, UsageError
from dissector.model import CaptureInfo, Connection, Event, Exchange, Message, Running, Task
from dissector.outfile import refuse_existing
from dissector.reading import Reading
from dissector.session.tracer import Tracer
from dissector.share.capture_index import CaptureIndex
from dissector.share.files import check_files
from dissector.share.slice import cut, packets_of
from dissector.survey import Wanted
from dissector.wire.tls_keys import Secrets

#: Seconds between two looks at how far it is.
_PERIOD = 0.25
#: Events for which the lock is held at once: as many as take about a millisecond.
_BATCH = 50
#: Messages of one task that are read once more.
MAX_RECALLED = 10_000


class Shelf(Protocol):
    """Gets what is found (``view.store.Store``)."""

    def add(self, event: Event) -> None: ...
    def note(self, text: str) -> None: ...
    def running(self, changed: Sequence[Running], now: int) -> None: ...


@dataclass(frozen=True)
class Asked:
    """Which files, and how they are to be read (see ``Reading``); ``secrets`` gives those that the user has."""

    files: tuple[str, ...]
    command_ports: tuple[int, ...]
    callback_ports: tuple[int, int]
    wanted: Wanted = field(default_factory=Wanted)
    one_stream: bool = False
    secrets: Callable[[], Secrets] = Secrets


class OpenedFiles:
    """``run`` is for the thread; the rest is for the screen's."""

    def __init__(self, asked: Asked, shelf: Shelf) -> None:
        self.lock = threading.Lock()
        #: What ended the reading before its time.
        self.error: JstraceError | None = None
        #: Nothing more will come.
        self.is_read = False
        #: Bytes read so far, and bytes there are (None: not known).
        self.done: int = 0
        self.total: int | None = None
        self._asked, self._shelf = asked, shelf
        self._reading = self._begin(asked.secrets(), self._progress)
        #: Somebody ended it.
        self.over = False

    @property
    def infos(self) -> list[CaptureInfo]:
        return self._reading.infos

    def stop(self) -> None:
        self.over = True

    def _progress(self, done: int, total: int | None) -> None:
        self.done, self.total = done, total

    def _begin(self, secrets: Secrets, progress: Callable[[int, int | None], object] | None = None) -> Reading:
        asked = self._asked
        return Reading(
            asked.files,
            asked.command_ports,
            asked.callback_ports,
            secrets=secrets,
            wanted=asked.wanted,
            one_stream=asked.one_stream,
            progress=progress,
        )

    # --- reading ---------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Reads everything; what goes wrong is a remark, and in ``error`` where it ends the reading."""
        try:
            with closing(self._reading.events()) as events:
                self._pass(events)
        except JstraceError as error:
            self.error = error
            with self.lock:
                self._shelf.note(str(error))
        finally:
            with self.lock:
                for warning in self._reading.warnings:
                    self._shelf.add(warning)
                self.is_read = True

    def _pass(self, events: Iterator[Event]) -> None:
        now, next_look = 0, time.monotonic()
        for batch in _batches(events):
            with self.lock:
                for event in batch:
                    self._shelf.add(event)
                    now = max(now, _moment(event))
                if time.monotonic() >= next_look:
                    next_look = time.monotonic() + _PERIOD
                    self._shelf.running((), now)
            if self.over:
                return
        with self.lock:
            self._shelf.running((), now)

    # --- looking again ---------------------------------------------------------------------------------------------

    @property
    def _has_places(self) -> bool:
        return any(info.point for info in self.infos)

    def recall(self, task: Task, connections: Iterable[Connection]) -> list[Message | Exchange]:
        """The messages of a task, read once more, the last ``MAX_RECALLED``; ``connections`` are its own.

        :raises CaptureError: a file can not be read any more
        :raises UsageError: one of them can be read only once
        """
        check_files(self._asked.files, [])
        found: deque[Message | Exchange] = deque(maxlen=MAX_RECALLED)
        with closing(self._again(task, connections)) as events:
            for event in events:
                if isinstance(event, (Message, Exchange)) and _is_of(event, task):
                    event.task = task
                    found.append(event)
        return list(found)

    def _again(self, task: Task, connections: Iterable[Connection]) -> Generator[Event, None, None]:
        """Of several places everything; else only the packets of this task."""
        asked, secrets = self._asked, self._asked.secrets()
        if self._has_places:
            yield from self._begin(secrets).events()
            return
        tracer = Tracer(asked.command_ports, asked.callback_ports, secrets=secrets)
        known = list(connections)
        last = max((number for one in known for number in (one.last_packet, *(e.number for e in one.icmp))), default=0)
        with closing(packets_of(asked.files, _index(task, known), [task])) as packets:
            for packet in packets:
                yield from tracer.feed(packet)
                if packet.number >= last:
                    break
        yield from tracer.finish()

    def save(self, task: Task, connections: Iterable[Connection], path: str) -> int:
        """Writes a task's packets to a file that is not there yet, as ``jstrace slice`` does: how many.

        :raises CaptureError: a file can not be read or written
        :raises UsageError: they were captured at several places, or can be read only once; or the file is there
        """
        if self._has_places:
            raise UsageError(f"captured at several places: jstrace slice FILE... --out-dir DIR --task {task.n}")
        refuse_existing(path)
        found = _index(task, connections)
        found.end = max((info.last for info in self.infos if info.last is not None), default=None)
        return cut(self._asked.files, path, found, [task])


def _index(task: Task, connections: Iterable[Connection]) -> CaptureIndex:
    return CaptureIndex([task], list(task.problems), dict.fromkeys(connections))


def _is_of(event: Message | Exchange, task: Task) -> bool:
    """A task begins with a packet of its own, whichever number it has."""
    return event.task is not None and event.task.first_packet == task.first_packet


def _moment(event: Event) -> int:
    """The latest time that an event tells of, as far as it is known."""
    return event.end if isinstance(event, (Task, Connection)) else event.time


def _batches(events: Iterator[Event]) -> Iterator[list[Event]]:
    while batch := list(islice(events, _BATCH)):
        yield batch
