"""The chart of one task, written at the end."""

from __future__ import annotations

from collections.abc import Sequence

from dissector.errors import UsageError
from dissector.model import CaptureInfo, Event, Task
from dissector.numbers import count
from dissector.render.alike import problem_rows
from dissector.render.by_task import EventsByTask
from dissector.render.charts.languages import Language
from dissector.render.charts.lines import chart_lines
from dissector.render.rows import no_task, outcome_words
from dissector.render.terminal import Terminal
from dissector.render.text import escape
from dissector.render.times import dated, zone
from dissector.wire.masking import Mask


class ChartView:
    """A chart is of one task: the only one that passes the sieve."""

    wants_messages = True

    def __init__(
        self,
        terminal: Terminal,
        mask: Mask,
        language: Language,
        *,
        verbose: bool = False,
        full: bool = False,
        http: bool = False,
    ) -> None:
        """``http``: an arrow for each exchange over HTTP."""
        self._terminal, self._mask, self._language = terminal, mask, language
        self._verbose, self._full, self._http = verbose, full, http
        self._all = EventsByTask(every=verbose)

    def add(self, event: Event) -> None:
        self._all.add(event)

    def close(self, captures: Sequence[CaptureInfo], seen: int | None = None) -> None:  # noqa: ARG002  a view's shape
        """:raises UsageError: no task or several ones are to be shown"""
        tasks = self._all.tasks()
        if len(tasks) != 1:
            told = count(len(tasks), "task") if tasks else no_task(seen).strip()
            raise UsageError(f"{told}: a {self._language.name} chart is of one task; choose it with --task N")
        task, conversation = tasks[0]
        steps = conversation.steps(self._mask, verbose=self._verbose, full=self._full, http=self._http)
        problems = problem_rows(conversation.problems, self._mask, True)
        lines = list(chart_lines(steps, problems, full=self._full))
        for line in self._language.write(title_of(task, self._mask), names_of(task), lines):
            self._terminal.line((line, ""))
        self._terminal.flush()


def title_of(task: Task, mask: Mask) -> str:
    """``task 1  shell_fail:4711  failure, exit 5  2026-11-22 04:07:15.118 UTC``."""
    job = escape(mask.text(task.job or "")) + (f":{task.task_id}" if task.task_id is not None else "")
    words = (f"task {task.n}", job, outcome_words(task), f"{dated(task.start)} {zone(task.start)}")
    return "  ".join(word for word in words if word)


def names_of(task: Task) -> tuple[str, str, str]:
    """Who the lanes are, with their addresses."""
    client, remote = ("client", "remote scheduler") if task.agent is None else ("master", "agent")
    return (
        f"{client} {task.client.ip if task.client is not None else ''}".rstrip(),
        f"{remote} {task.remote or ''}".rstrip(),
        f"task process {task.callback_peer or ''}".rstrip(),
    )
