"""The log of a task, as the engine's own log would show it: time, level, text."""

from __future__ import annotations

from collections.abc import Sequence

from dissector.model import CaptureInfo, Event, LogLine, Problem, Task
from dissector.render.alike import problem_rows
from dissector.render.problems import print_problems
from dissector.render.rows import no_task
from dissector.render.terminal import Terminal
from dissector.render.text import escape
from dissector.render.theme import log_style
from dissector.render.times import clock, day
from dissector.wire.masking import Mask

_LEVEL_CELLS = 6


class LogView:
    """Prints the log lines of each task; a heading tells tasks apart where there are several."""

    wants_messages = False

    def __init__(self, terminal: Terminal, mask: Mask) -> None:
        self._terminal = terminal
        self._mask = mask
        self._tasks: list[Task] = []
        self._problems: list[Problem] = []
        #: The day and the zone that were said last.
        self._day = ""

    def add(self, event: Event) -> None:
        if isinstance(event, Task):
            self._tasks.append(event)
        elif isinstance(event, Problem) and event.task is None:
            self._problems.append(event)

    def close(self, captures: Sequence[CaptureInfo], seen: int | None = None) -> None:  # noqa: ARG002  a view's shape
        if not self._tasks:
            self._terminal.line((no_task(seen), "title"))
            print_problems(self._terminal, problem_rows(self._problems, self._mask))
        self._tasks.sort(key=lambda task: task.n)
        for number, task in enumerate(self._tasks):
            if len(self._tasks) > 1:
                if number:
                    self._terminal.line()
                job = escape(self._mask.text(task.job or ""))
                self._terminal.line((f"task {task.n}  {job}".rstrip(), "title"))
            for line in task.log:
                self._print(line)
            self._terminal.about(None)
        self._terminal.flush()

    def _print(self, line: LogLine) -> None:
        """A log call may bring several lines of text; the further ones stand below the first."""
        if (today := day(line.time)) != self._day:
            self._day = today
            self._terminal.line((today, "dim"))
        head = f"{clock(line.time)} {line.level:<{_LEVEL_CELLS}} "
        texts = self._mask.text(line.text).replace("\r\n", "\n").rstrip("\n").split("\n")
        self._terminal.about(line)
        for number, text in enumerate(texts):
            style = log_style(line.level)
            self._terminal.line((head if number == 0 else " " * len(head), "dim"), (escape(text), style))
