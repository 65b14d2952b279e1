"""The flight recorder: of each task that fails, its packets are kept in a file of its own, out of the newest ones in
memory."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import islice
from pathlib import Path

from dissector.errors import JstraceError
from dissector.fleet.company import Companion
from dissector.fleet.kept_folder import KeptBound, KeptFolder, try_folder
from dissector.model import CaptureInfo, Connection, Event, Look, Problem, Running, Task
from dissector.numbers import count
from dissector.render.filter import Filter
from dissector.render.views import Sieve
from dissector.reports.summary import has_failed
from dissector.sources.privileges import UserAccount, explained
from dissector.sources.recent import HeldPacket, Recent
from dissector.wire.masking import Mask

#: Tasks that are written at a look at most.
_MOST_AT_ONCE = 64
#: Bytes of packets of tasks that wait to be written, and what a task counts besides.
_MOST_HELD, _CASE_SIZE = 32_000_000, 2_000
#: Seconds between two remarks about what is not kept.
_REMARKS = 10.0


class Kept(Enum):
    """What is kept of a task that failed."""

    WHOLE = "whole"
    #: All but its first packets, which were no longer in memory.
    PART = "part"
    #: Nothing: none of its packets was in memory any more, or no file could be written.
    GONE = "gone"
    UNWRITTEN = "unwritten"


_WORDS = {
    Kept.PART: "without their first packets, which were no longer in memory",
    Kept.GONE: "no longer in memory at all",
    Kept.UNWRITTEN: "not written",
}


class _Case:
    """A task that failed, and its packets so far: they stay in memory until they are written."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.connections: dict[Connection, None] = {}
        self.packets: dict[int, HeldPacket] = {}
        self.has_begin = True
        self.size = _CASE_SIZE

    def add(self, connections: Sequence[Connection], recent: Recent) -> None:
        """Connections that are not known yet, with what came of them."""
        new = [one for one in connections if one not in self.connections]
        self.connections.update(dict.fromkeys(new))
        self.has_begin &= recent.has_begin_of(new)
        self._take(new, recent)

    def complete(self, recent: Recent) -> list[HeldPacket]:
        """All packets, in their order: also what came meanwhile."""
        self._take(list(self.connections), recent)
        return [self.packets[number] for number in sorted(self.packets)]

    def _take(self, connections: Sequence[Connection], recent: Recent) -> None:
        for held in recent.find(connections):
            if self.packets.setdefault(held[0].number, held) is held:
                self.size += len(held[0].data)


class FlightRecorder(Companion):
    """Keeps the packets of tasks that fail in ``folder``, out of ``recent``.

    A task's packets are taken hold of when it ends, for the newest ones may soon be others, and written at the second
    look behind that: by then the tracer has told of all its connections.

    :raises CaptureError: nothing can be written there
    """

    def __init__(self, folder: str, bound: KeptBound, recent: Recent, mask: Mask, who: UserAccount | None) -> None:
        super().__init__()
        with explained(who):
            self._folder = KeptFolder(Path(folder), bound)
            try_folder(folder)
        self._place, self._recent, self._mask = folder, recent, mask
        self._sieve = Sieve((), Filter(task=has_failed, on_tasks=True), wants_messages=False)
        #: Those that wait, the oldest first; how many of them have seen a look, and how many two.
        self._cases: dict[Task, _Case] = {}
        self._seen = self._ripe = 0
        self._held = 0
        self.kept = Counter(dict.fromkeys(Kept, 0))
        self._is_broken = False
        self._said, self._next_remark = 0, 0.0

    def add(self, event: Event) -> None:
        """A case that is ripe is written beside: looks are to take no longer the more tasks fail."""
        if isinstance(event, Task) and has_failed(event):
            self._cases[event] = _Case(event)
            self._held += _CASE_SIZE
        for passed in self._sieve.feed(event):
            task = passed if isinstance(passed, Task) else passed.task
            if task is not None and (case := self._cases.get(task)) is not None:
                self._held -= case.size
                case.add(list(_connections(passed)), self._recent)
                self._held += case.size
        if self._held > _MOST_HELD:
            self._keep(_MOST_AT_ONCE)
        elif self._ripe:
            self._keep(1)

    def running(self, changed: Sequence[Running], now: int, look: Look) -> None:  # noqa: ARG002  a listener's shape
        self._ripe, self._seen = self._seen, len(self._cases)
        self._keep(min(self._ripe, _MOST_AT_ONCE))
        moment = time.monotonic()
        if self._not_whole() > self._said and moment >= self._next_remark:
            self._next_remark = moment + _REMARKS
            self._sum_up("so far ")

    def close(self, captures: Sequence[CaptureInfo]) -> None:  # noqa: ARG002  a listener's shape
        self._keep(len(self._cases))
        if self._not_whole():
            self._sum_up("")

    def counts(self) -> dict[str, int]:
        """How many tasks failed, by what is kept of them."""
        return {one.value: number for one, number in self.kept.items()}

    def _keep(self, number: int) -> None:
        """The oldest ones."""
        for task in list(islice(self._cases, number)):
            case = self._cases.pop(task)
            self._held -= case.size
            self.kept[self._write(case)] += 1
        self._ripe, self._seen = max(0, self._ripe - number), max(0, self._seen - number)

    def _write(self, case: _Case) -> Kept:
        packets = case.complete(self._recent)
        if not packets:
            return Kept.GONE
        try:
            self._folder.write(case.task, self._mask, packets)
        except (JstraceError, OSError) as error:
            if not self._is_broken:  # once: a full disk is full for every task
                self.remark(f"--keep-failed {self._place}: task {case.task.n} is not kept: {error}")
            self._is_broken = True
            return Kept.UNWRITTEN
        self._is_broken = False
        return Kept.WHOLE if case.has_begin else Kept.PART

    def _not_whole(self) -> int:
        return self.kept.total() - self.kept[Kept.WHOLE]

    def _sum_up(self, until: str) -> None:
        self._said = self._not_whole()
        found = ", ".join(f"{self.kept[one]} {words}" for one, words in _WORDS.items() if self.kept[one])
        self.remark(f"--keep-failed: of {count(self.kept.total(), 'task')} that failed {until}{found}")


def _connections(event: Event) -> Iterator[Connection]:
    """As for ``slice``: also tries that never got through, and whoever came instead."""
    if isinstance(event, Connection):
        yield event
    elif isinstance(event, Task):
        yield from (one for one in (event.command, event.callback, *event.carriers) if one is not None)
    elif isinstance(event, Problem) and event.connection is not None:
        yield event.connection
