"""The contract's records, a line each, as they become final; what is not final yet goes elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dissector.model import CaptureInfo, Event, Look, Problem, Running, Task
from dissector.render.filter import Filter
from dissector.render.json import JsonLinesView
from dissector.render.views import Sieve


class JsonLines:
    """``say`` gets what is worth telling and no record: a task that hangs, packets that were lost."""

    def __init__(self, view: JsonLinesView, chosen: Filter, say: Callable[[str], object]) -> None:
        self.wants_messages = view.wants_messages or bool(chosen.on_messages)
        self._view = view
        self._sieve = Sieve((), chosen, view.wants_messages)
        self._say = say

    def started(self, task: Task) -> None:
        """No record yet."""

    def called_back(self, task: Task) -> None:
        """No record yet."""

    def add(self, event: Event) -> None:
        for passed in self._sieve.feed(event):
            self._view.add(passed)

    def warn(self, problem: Problem) -> None:
        where = f"task {problem.task.n}: " if problem.task is not None else ""
        self._say(f"warning: {where}{problem.summary}")

    def note(self, text: str) -> None:
        self._say(f"warning: {text}")

    def running(self, changed: Sequence[Running], now: int, look: Look) -> None:  # noqa: ARG002  a listener's shape
        self._view.flush()

    def close(self, captures: Sequence[CaptureInfo]) -> None:
        for event in self._sieve.finish():
            self._view.add(event)
        self._view.close(captures)
