"""Listeners beside the one that shows: each gets what is found, and what it has to say itself the first one shows."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from dissector.model import CaptureInfo, Event, Exchange, Look, Message, Problem, Running, Task
from dissector.monitor import Listener


class Companion:
    """A listener (``monitor.Listener``) that shows nothing; it takes what it needs.  ``remark`` may be called from any
    thread."""

    wants_messages = False

    def __init__(self) -> None:
        self.remarks: deque[str] = deque()

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def started(self, task: Task) -> None:
        """Nothing to do."""

    def called_back(self, task: Task) -> None:
        """Nothing to do."""

    def add(self, event: Event) -> None:
        """Nothing to do."""

    def warn(self, problem: Problem) -> None:
        """Nothing to do."""

    def note(self, text: str) -> None:
        """Nothing to do."""

    def running(self, changed: Sequence[Running], now: int, look: Look) -> None:
        """Nothing to do."""

    def close(self, captures: Sequence[CaptureInfo]) -> None:
        """Nothing to do."""


class Company:
    """``first`` and the others, as one listener; messages only those get that want them."""

    def __init__(self, first: Listener, others: Sequence[Companion]) -> None:
        self._first = first
        self._others = tuple(others)
        self._all: tuple[Listener, ...] = (first, *others)
        self._readers = tuple(one for one in self._all if one.wants_messages)
        self.wants_messages = bool(self._readers)

    def started(self, task: Task) -> None:
        for one in self._all:
            one.started(task)

    def called_back(self, task: Task) -> None:
        for one in self._all:
            one.called_back(task)

    def add(self, event: Event) -> None:
        for one in self._readers if isinstance(event, (Message, Exchange)) else self._all:
            one.add(event)

    def warn(self, problem: Problem) -> None:
        for one in self._all:
            one.warn(problem)

    def note(self, text: str) -> None:
        for one in self._all:
            one.note(text)

    def running(self, changed: Sequence[Running], now: int, look: Look) -> None:
        for one in self._all:
            one.running(changed, now, look)
        self._say()

    def close(self, captures: Sequence[CaptureInfo]) -> None:
        """The others first: the one that shows ends with a summary."""
        for one in self._others:
            one.close(captures)
        self._say()
        self._first.close(captures)

    def _say(self) -> None:
        for one in self._others:
            while one.remarks:
                self._first.note(one.remarks.popleft())
