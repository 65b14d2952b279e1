"""What a view is, and the sieve before it that lets through what the user asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Protocol

from dissector.errors import UsageError
from dissector.model import RANK, CaptureInfo, Connection, Event, Exchange, Message, Problem, Severity, Task
from dissector.render.filter import Filter

#: Tasks whose verdicts are remembered; there is no end to the tasks of a live capture.
_MAX_VERDICTS = 10_000


class View(Protocol):
    """Gets what was found as it becomes final; ``close`` comes last, once."""

    @property
    def wants_messages(self) -> bool:
        """False when ``add`` need not be called with messages."""

    def add(self, event: Event) -> None: ...

    def close(self, captures: Sequence[CaptureInfo], seen: int | None = None) -> None:
        """``seen`` is the number of tasks in the captures, shown or not."""


class Output:
    """A view behind its sieve, and what the exit status depends on: ``seen`` counts all tasks there are."""

    def __init__(self, view: View, numbers: Collection[int], chosen: Filter) -> None:
        self._view = view
        self._sieve = Sieve(numbers, chosen, view.wants_messages)
        self._severities: set[Severity] = set()
        self.seen = 0
        #: False when nothing that is shown depends on messages.
        self.needs_messages = view.wants_messages or bool(chosen.on_messages)

    def add(self, events: Iterable[Event]) -> None:
        if self._sieve.is_open:
            for event in events:
                self._show(event)
            return
        for event in events:
            if isinstance(event, Task):
                self.seen += 1
            for passed in self._sieve.feed(event):
                self._show(passed)

    def close(self, captures: Sequence[CaptureInfo]) -> None:
        for passed in self._sieve.finish():
            self._show(passed)
        self._view.close(captures, self.seen)

    def has_problem(self, severity: Severity) -> bool:
        """True when a problem of this severity or a worse one was shown."""
        return any(RANK[shown] <= RANK[severity] for shown in self._severities)

    def _show(self, event: Event) -> None:
        self._view.add(event)
        if isinstance(event, (Message, Exchange)):
            return
        if isinstance(event, Problem):
            self._severities.add(event.severity)
        elif isinstance(event, Task) and self._sieve.is_open:
            self.seen += 1


class Sieve:
    """Passes the events that belong to the selected tasks and messages.

    A task can be judged when it is final only; what belongs to it waits until then.  Without a selection every event
    passes at once.  Problems of the capture as a whole always pass.
    """

    def __init__(self, numbers: Collection[int], chosen: Filter, wants_messages: bool) -> None:
        self._numbers = frozenset(numbers)
        self._filter = chosen
        self._wants_messages = wants_messages
        self._by_task = bool(numbers or chosen.on_tasks)
        self._everything = not (numbers or chosen.on_tasks or chosen.on_messages)
        #: Every event passes, and at once.
        self.is_open = self._everything and wants_messages
        #: What waits for the verdict on its task, by the task's identity.
        self._waiting: dict[int, list[Event]] = {}
        #: The newest, by the numbers of the tasks: a task that is kept keeps its log and its connections.
        self._verdicts: dict[int, bool] = {}
        self._matched: dict[int, Task] = {}

    def feed(self, event: Event) -> Iterator[Event]:
        """The events that pass now."""
        if isinstance(event, Message) and not self._message(event):
            return
        if isinstance(event, Exchange) and (self._filter.on_messages or not self._wants_messages):
            return
        if self._everything:
            yield event
        elif isinstance(event, Task):
            yield from self._judge(event)
        elif event.task is None:
            if self._passes_alone(event):
                yield event
        elif (passes := self._verdicts.get(event.task.n)) is not None:
            if passes:
                yield event
        elif not self._rejected_by_number(event.task):
            self._waiting.setdefault(id(event.task), []).append(event)

    def finish(self) -> Iterator[Event]:
        """What waits for tasks that never came."""
        for events in list(self._waiting.values()):
            task = events[0].task if not isinstance(events[0], Task) else None
            if task is not None and self._selected(task):
                yield from events
        self._waiting.clear()

    def _message(self, message: Message) -> bool:
        """True when the message itself is wanted; remembers the tasks of those that match."""
        if self._filter.on_messages:
            if not self._filter.message(message):
                return False
            if message.task is not None:
                self._matched[id(message.task)] = message.task
        return self._wants_messages

    def _judge(self, task: Task) -> Iterator[Event]:
        selected = self._selected(task)
        self._matched.pop(id(task), None)
        self._verdicts[task.n] = selected
        if len(self._verdicts) > _MAX_VERDICTS:  # what belongs to a task comes with it or shortly behind it
            del self._verdicts[next(iter(self._verdicts))]
        waiting = self._waiting.pop(id(task), ())
        if selected:
            yield from waiting
            yield task

    def _selected(self, task: Task) -> bool:
        if self._numbers and task.n not in self._numbers:
            return False
        if self._filter.on_messages and id(task) not in self._matched:
            return False
        return self._filter.task(task)

    def _rejected_by_number(self, task: Task) -> bool:
        return bool(self._numbers) and task.n != 0 and task.n not in self._numbers

    def _passes_alone(self, event: Message | Problem | Connection | Exchange) -> bool:
        if isinstance(event, (Message, Exchange)):
            return not self._by_task
        return isinstance(event, Problem) and event.connection is None


def refuse_missing(numbers: Iterable[int], seen: int) -> None:
    """Tasks are numbered from 1 to ``seen``.

    :raises UsageError: there is no task with one of these numbers
    """
    missing = [str(number) for number in sorted(set(numbers)) if number > seen]
    if missing:
        are = "there is 1 task" if seen == 1 else f"there are {seen or 'no'} tasks"
        raise UsageError(f"there is no task {', '.join(missing)}: {are}")
