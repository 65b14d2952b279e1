"""Numbers tasks in the order of their first packets and holds back what can not be printed before they have one.

A task is recognised by its start command, some packets behind its first one (the SYN); of tasks that start together the
later one may be recognised first.  So a number is given only when no connection that is still undecided began earlier,
and events of a task without a number wait.  The wait is bounded by ``window`` (time on the wire) and ``_MAX_HELD``
(events): a live view must not stall, and neither may memory grow.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Protocol

from dissector.model import Connection, Event, Message, Task


class Candidate(Protocol):
    """A connection that may become a task's first one."""

    start: int
    first_packet: int


@dataclass(slots=True)
class _Omitted:
    """Stands for a message that nobody wants, so that the others wait neither shorter nor longer than with it."""

    task: Task | None


_MAX_HELD = 20_000
#: Number of a task that turned out to be another one.
_REPLACED = -1


class Sequencer:
    """``window`` is in nanoseconds; None waits as long as it takes (a capture file)."""

    def __init__(self, window: int | None = None) -> None:
        self._window = window
        self._undecided: OrderedDict[Candidate, None] = OrderedDict()
        #: By their first packets; of several that begin with the same one the one that was recognised first.
        self._unnumbered: list[tuple[int, int, Task]] = []
        self._added = 0
        #: May turn out to be others.
        self._unclear: set[Task] = set()
        self._held: deque[Event | _Omitted] = deque()
        self._count = 0

    def opened(self, connection: Candidate) -> None:
        """Connections come in the order of their first packets."""
        self._undecided[connection] = None

    def decided(self, connection: Candidate) -> None:
        self._undecided.pop(connection, None)

    def add(self, task: Task) -> None:
        """A task was recognised."""
        self._added += 1
        heappush(self._unnumbered, (task.first_packet, self._added, task))

    def unclear(self, task: Task) -> None:
        """The task may be another one: it gets no number until that is ``clear``."""
        self._unclear.add(task)

    def clear(self, task: Task) -> None:
        self._unclear.discard(task)

    def replace(self, task: Task, other: Task) -> None:
        """A task without a number turned out to be another one: its messages are that one's."""
        self._unclear.discard(task)
        task.n = _REPLACED
        for event in self._held:
            if not isinstance(event, Task) and event.task is task:
                event.task = other

    def emit(self, event: Event) -> None:
        self._held.append(event)

    def omit(self, task: Task | None, messages: int = 1) -> None:
        """In place of ``emit`` for messages that nobody wants."""
        if self.holds(task):
            self._held.extend([_Omitted(task)] * messages)

    def stand_in(self, connection: Connection, messages: int) -> None:
        """In place of ``emit`` for messages that somebody else makes: Messages with number 0 and nothing in them."""
        blank = Message(0, connection, 0, (), False, "undecoded", None, None, b"", 0, connection.task)
        self._held.extend([blank] * messages)

    def holds(self, task: Task | None) -> bool:
        """True when ``omit`` would keep anything for this task."""
        return bool(self._held) or (task is not None and not task.n)

    @property
    def is_waiting(self) -> bool:
        """False while ``drain`` gives nothing."""
        return bool(self._held or self._unnumbered)

    def drain(self, now: int | None) -> list[Event]:
        """Events that are ready at packet time ``now``; all of them when it is None."""
        held = self._held
        if self._unnumbered:
            self._number(now)
        ready: list[Event] = []
        while held and _is_ready(held[0]):
            event = held.popleft()
            if not isinstance(event, _Omitted):
                ready.append(event)
        return ready

    def _number(self, now: int | None) -> None:
        force = now is None or len(self._held) > _MAX_HELD
        if self._window is not None and now is not None:
            while self._undecided and now - next(iter(self._undecided)).start > self._window:
                self._undecided.popitem(last=False)
        first = next(iter(self._undecided), None)
        while self._unnumbered:
            first_packet, _, task = self._unnumbered[0]
            if not force and first is not None and first.first_packet < first_packet:
                return
            if not force and self._waits(task, now):
                return
            heappop(self._unnumbered)
            if task.n != _REPLACED:
                self._count += 1
                task.n = self._count

    def _waits(self, task: Task, now: int | None) -> bool:
        is_late = self._window is not None and now is not None and now - task.start > self._window
        return task in self._unclear and not is_late


def _is_ready(event: Event | _Omitted) -> bool:
    task = event if isinstance(event, Task) else event.task
    return task is None or task.n != 0
