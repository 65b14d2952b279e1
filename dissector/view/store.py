"""What the full screen knows: tasks under way and tasks that ended, bounded by ``keep`` and ``MAX_MESSAGES``.

The capture's thread writes, the screen's thread reads, both under the capture's lock.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import NamedTuple

from dissector.model import (
    CaptureInfo,
    Connection,
    Event,
    Exchange,
    Look,
    Message,
    Outcome,
    Problem,
    Running,
    Severity,
    Task,
)
from dissector.render.filter import Filter
from dissector.render.rows import TaskRow, tally, task_row, worst
from dissector.render.text import duration
from dissector.reports.summary import FINE
from dissector.view.entry import TaskEntry
from dissector.view.listing import Listing, Picked
from dissector.wire.masking import Mask

#: Messages held for ladders, of all tasks; the task that ended first loses its own first.
MAX_MESSAGES = 20_000
#: Tasks whose messages were read once more and are held.
_RECALLED = 4
#: Problems and remarks of the capture and of all tasks.
MAX_NEWS = 500


class Status(NamedTuple):
    """Figures for the top line; ``dropped`` and ``seconds`` of a capture that grows, of files how many bytes were read
    (``done``) of how many (``total``, None where it is not known) so far; ``done`` is None when all was."""

    source: str
    packets: int
    dropped: int | None
    seconds: float | None
    done: int | None = None
    total: int | None = None


class Store:
    """A listener (``monitor.Listener``).  ``chosen``: what the command line lets through; ``keep``: so many ended
    tasks, None: all."""

    wants_messages = True

    def __init__(self, mask: Mask, chosen: Filter, keep: int | None) -> None:
        self.mask = mask
        self.news: deque[Problem | str] = deque(maxlen=MAX_NEWS)
        self.outcomes: Counter[Outcome] = Counter()
        #: Counts the changes to ``news``.
        self.told = 0
        #: Counts the remarks among them, and the newest one.
        self.notes, self.note_told = 0, ""
        #: Gets every task whose record is final.
        self.on_end: Callable[[Task], object] | None = None
        self._chosen = chosen
        self._keep = keep
        self._running: dict[Task, TaskEntry] = {}
        self._under_way, self._ranks = Picked(), count()
        #: Those that are over, while their records are not final.
        self._over: dict[Task, TaskEntry] = {}
        self._look: Look | None = None
        self._ended: dict[Task, TaskEntry] = {}
        #: Messages that were read once more, of the tasks that were looked at last.
        self._recalled: dict[TaskEntry, list[Message | Exchange]] = {}
        self._matched: set[Task] = set()
        self._messages = 0
        #: Ended tasks whose messages are held, the one that ended first in front.
        self._whole: deque[TaskEntry] = deque()
        #: Those that ended, the newest first, and those of them that are not final; None when they changed since.
        self._listed: tuple[list[TaskEntry], int] | None = None
        #: The time of the newest packet or tick that is known.
        self.now = 0

    # --- what the capture tells ------------------------------------------------------------------------------------

    def started(self, task: Task) -> None:
        self._entry(task)

    def called_back(self, task: Task) -> None:
        self._changed(self._entry(task))

    def add(self, event: Event) -> None:
        if isinstance(event, Task):
            self._end(event)
        elif isinstance(event, (Message, Exchange)):
            self._message(event)
        elif isinstance(event, Connection):
            entry = self._ended.get(event.task) if event.task is not None else None
            if entry is not None and event not in entry.connections:
                entry.connections.append(event)
                entry.changes += 1
        elif event.task is None or (event.severity is not Severity.INFO and self._chosen.task(event.task)):
            self._tell(event)

    def warn(self, problem: Problem) -> None:
        self._tell(problem)

    def note(self, text: str) -> None:
        self.notes, self.note_told = self.notes + 1, text
        self._tell(text)

    def running(self, changed: Sequence[Running], now: int, look: Look | None = None) -> None:
        self.now, self._look = max(now, self.now), look
        for one in changed:
            if one.task.n:
                self._stands(self._entry(one.task), one)

    def _stands(self, entry: TaskEntry, running: Running) -> None:
        is_over = running.outcome is not None
        if entry.is_over != is_over:
            entry.changes += 1
            here, there = (self._running, self._over) if is_over else (self._over, self._running)
            there[entry.task] = here.pop(entry.task)
            self._listed = None
            (self._under_way.discard if is_over else self._under_way.add)(entry)
        entry.running = running
        if not is_over:
            self._under_way.changed(entry)

    def close(self, captures: Sequence[CaptureInfo]) -> None:
        """The screen asks the capture itself for its figures."""

    def _entry(self, task: Task) -> TaskEntry:
        entry = self._running.get(task) or self._over.get(task)
        if entry is None:
            entry = self._running[task] = TaskEntry(task, next(self._ranks))
            self._under_way.add(entry)
        return entry

    def _changed(self, entry: TaskEntry) -> None:
        entry.changes += 1
        if not entry.is_over:
            self._under_way.changed(entry)
        elif self._chosen.on_messages:
            self._listed = None

    def _message(self, message: Message | Exchange) -> None:
        task = message.task
        if task is None:
            return
        is_asked = self._chosen.on_messages and task not in self._matched
        if is_asked and isinstance(message, Message) and self._chosen.message(message):
            self._matched.add(task)
        entry = self._ended.get(task) or self._entry(task)
        self._messages += entry.hold(message)
        self._changed(entry)

    def _end(self, task: Task) -> None:
        entry = self._running.pop(task, None) or self._over.pop(task, None) or TaskEntry(task, next(self._ranks))
        self._under_way.discard(entry)
        self._listed = None
        passes = self._passes(task, task)
        self._matched.discard(task)
        if not passes:
            self._messages -= len(entry.messages)
            return
        self.outcomes[task.outcome] += 1
        entry.running = None
        entry.connections = [one for one in (task.command, task.callback) if one is not None]
        entry.changes += 1
        self._ended[task] = entry
        if self.on_end is not None:
            self.on_end(task)
        self._whole.append(entry)
        if self._keep is not None and len(self._ended) > self._keep:
            oldest = self._ended.pop(next(iter(self._ended)))
            self._messages -= oldest.forget()
            if self._whole[0] is oldest:
                self._whole.popleft()
        while self._messages > MAX_MESSAGES and self._whole:
            self._messages -= self._whole.popleft().forget()

    def _tell(self, what: Problem | str) -> None:
        self.news.append(what)
        self.told += 1

    # --- what the screen asks --------------------------------------------------------------------------------------

    @property
    def counts(self) -> tuple[int, int]:
        """Tasks under way, tasks that ended."""
        self.ended()
        assert self._listed is not None
        return len(self._running), sum(self.outcomes.values()) + self._listed[1]

    @property
    def failed(self) -> int:
        """Tasks that ended badly."""
        return sum(count for outcome, count in self.outcomes.items() if outcome not in FINE)

    @property
    def tally(self) -> str:
        """How many tasks ended how."""
        return tally(self.outcomes)

    def final(self) -> list[TaskEntry]:
        """Those whose records are final, in the order of their ends."""
        return list(self._ended.values())

    def find(self, task: Task) -> TaskEntry | None:
        return self._running.get(task) or self._over.get(task) or self._ended.get(task)

    def refresh(self, entry: TaskEntry) -> None:
        """Learns what a task does now: of one that is not seen nobody need know."""
        running = self._look(entry.task) if self._look is not None else None
        if running is not None and entry.task not in self._ended:
            self._stands(entry, running)

    def choose(self, wanted: Filter) -> None:
        """From now on ``under_way`` has what this filter lets through."""
        self._under_way.choose(wanted)

    def under_way(self) -> Listing:
        """It goes on changing."""
        return self._under_way.listing()

    def all_under_way(self) -> Listing:
        """The same without what ``choose`` said."""
        return self._under_way.everything

    def ended(self) -> list[TaskEntry]:
        """The newest first; another list whenever there is something new."""
        if self._listed is None:
            over = self._just_over()
            self._listed = [*reversed(over), *reversed(self._ended.values())], len(over)
        return self._listed[0]

    def _just_over(self) -> list[TaskEntry]:
        return [entry for entry in self._over.values() if self._passes(entry.task, entry.shown)]

    def _passes(self, task: Task, shown: Task) -> bool:
        """What the command line lets through of tasks that ended."""
        return (task in self._matched or not self._chosen.on_messages) and self._chosen.task(shown)

    def events(self, entry: TaskEntry) -> Iterator[Event]:
        """What a ladder shows of a task: what is final, and the requests that are open."""
        task = entry.shown
        messages = self._recalled.get(entry, entry.messages)
        seen = {message.n for message in messages if isinstance(message, Message)}
        yield from messages
        for call in entry.running.calls if entry.running is not None else ():
            if call.n not in seen:
                yield call
        yield from entry.connections or [one for one in (task.command, task.callback) if one is not None]
        yield from task.problems
        yield task

    def is_whole(self, entry: TaskEntry) -> bool:
        """All messages of a task are held, or were read once more."""
        return not entry.lost or entry in self._recalled

    def recalled(self, entry: TaskEntry, messages: list[Message | Exchange]) -> None:
        """Holds what was read once more, in the place of that of a task looked at before."""
        while len(self._recalled) >= _RECALLED:
            del self._recalled[next(iter(self._recalled))]
        self._recalled[entry] = messages
        entry.changes += 1

    def row_of(self, entry: TaskEntry, now: int) -> TaskRow:
        """The row of a task: of one under way what it does and for how long, in place of its problems."""
        row = task_row(entry.shown, self.mask)
        if entry.is_over or entry.task in self._ended:
            return row
        task = entry.task
        cells = dict(row.cells, outcome="running", took=duration(max(0, now - task.start)))
        if (running := entry.running) is not None:
            cells["problems"] = f"{duration(max(0, now - running.since))} {running.doing}"
        return TaskRow(cells, Outcome.RUNNING, worst(task.problems))
