"""One line an event: a task started, was called back, wrote to its log, hangs, ended and how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from dissector.model import CaptureInfo, Event, Look, Message, Outcome, Problem, Running, Task
from dissector.numbers import count
from dissector.render.alike import problem_rows, problem_summary
from dissector.render.filter import Filter
from dissector.render.rows import outcome_words, tally
from dissector.render.terminal import StyledText, Terminal
from dissector.render.text import duration, escape
from dissector.render.theme import OUTCOME_STYLES, SEVERITY_STYLES, log_style
from dissector.render.times import clock, day, zone
from dissector.render.views import Sieve
from dissector.render.words import log_call
from dissector.wire.masking import Mask


class EventLines:
    """What the lines say; where they go, others know.  ``chosen``: only tasks that match; as that is known at their
    end, a line each then."""

    def __init__(self, mask: Mask, chosen: Filter, *, log: bool) -> None:
        self._mask = mask
        self.wants_messages = log or bool(chosen.on_messages)
        self._early = not (chosen.on_tasks or chosen.on_messages)
        self._sieve = Sieve((), chosen, wants_messages=log)
        self._outcomes: Counter[Outcome] = Counter()
        #: Tasks whose end was told while their records are not final, and how they ended.
        self._over: dict[Task, Outcome] = {}

    def started(self, task: Task) -> None:
        if self._early:
            port = f", callback port {task.callback_port}" if task.callback_port is not None else ""
            self._line(task.start, task, (f"started  {task.client or '?'} → {task.remote or '?'}{port}", ""))

    def called_back(self, task: Task) -> None:
        if self._early and task.callback is not None:
            after = f" after {duration(task.callback_delay)}" if task.callback_delay is not None else ""
            self._line(task.callback.start, task, (f"callback from {task.callback_peer or '?'}{after}", ""))

    def add(self, event: Event) -> None:
        for passed in self._sieve.feed(event):
            self._show(passed)

    def _show(self, event: Event) -> None:
        if isinstance(event, Task):
            self._ended(event)
        elif isinstance(event, Message):
            self._log_line(event)
        elif isinstance(event, Problem) and event.task is None:
            self.warn(event)

    def _ended(self, task: Task) -> None:
        self._outcomes[task.outcome] += 1
        if self._over.pop(task, None) is not task.outcome:
            self._end(task)
        for problem in task.problems:
            self._problem(task.end, problem)

    def _end(self, task: Task) -> None:
        words: list[StyledText] = [(f"{job_name(task, self._mask)}  ".lstrip(), "title")]
        words.append((outcome_words(task), OUTCOME_STYLES[task.outcome]))
        words.append((f"  took {duration(task.end - task.start)}", "dim"))
        self._line(task.end, task, *words, outcome=task.outcome.value)

    def _log_line(self, message: Message) -> None:
        said = log_call(message, message.body)
        if said is not None and message.task is not None:
            text = escape(self._mask.text(said.text.rstrip("\n")))
            self._line(
                message.time,
                message.task,
                (f"log {said.level}  ", "dim"),
                (text, log_style(said.level)),
                level=said.level,
            )

    def warn(self, problem: Problem) -> None:
        self._problem(problem.time, problem)

    def _problem(self, time: int, problem: Problem) -> None:
        row = problem_rows([problem], self._mask)[0]
        style = SEVERITY_STYLES[row.severity]
        words: list[StyledText] = [(f"{row.severity.value} {row.code}  ", style), (problem_summary(row), "")]
        self._line(time, problem.task, *words, code=row.code, severity=row.severity.value)

    def note(self, text: str) -> None:
        raise NotImplementedError

    def running(self, changed: Sequence[Running], now: int, look: Look) -> None:  # noqa: ARG002  a listener's shape
        """Lines tell of changes only: here of an end, while what led to it may still show itself."""
        for one in changed if self._early else ():
            if one.outcome not in (None, Outcome.RUNNING) and one.task.n and one.task not in self._over:
                self._over[one.task] = one.outcome
                self._end(replace(one.task, outcome=one.outcome, end=one.since))

    def close(self, captures: Sequence[CaptureInfo]) -> None:
        for event in self._sieve.finish():
            self._show(event)
        for line in summary_lines(captures, self._outcomes):
            self._summary(line)

    def _summary(self, text: str) -> None:
        raise NotImplementedError

    def _line(self, time: int, task: Task | None, *words: StyledText, **facts: str) -> None:
        """``facts`` are what a program would ask for: ``outcome``, ``code`` and ``severity``, ``level``."""
        raise NotImplementedError


class PlainView(EventLines):
    """Lines on a terminal, in a pipe or a file."""

    def __init__(self, terminal: Terminal, mask: Mask, chosen: Filter, *, log: bool) -> None:
        super().__init__(mask, chosen, log=log)
        self._terminal = terminal
        #: The day and the zone that were said last.
        self._day = ""

    def note(self, text: str) -> None:
        self._terminal.line((" " * 14, ""), (escape(text), "warning"))
        self._terminal.flush()

    def _summary(self, text: str) -> None:
        self._terminal.line((text, "title"))
        self._terminal.flush()

    def _line(self, time: int, task: Task | None, *words: StyledText, **facts: str) -> None:  # noqa: ARG002  in the words
        if time and (today := day(time)) != self._day:
            self._day = today
            self._terminal.line((today, "dim"))
        head = (clock(time) + "  " if time else "") + (f"task {task.n}  " if task is not None else "")
        self._terminal.line((head, "dim"), *words)
        self._terminal.flush()


def job_name(task: Task, mask: Mask) -> str:
    """``nightly:17``; empty when it is not known."""
    return escape(mask.text(task.job or "")) + (f":{task.task_id}" if task.task_id is not None else "")


def summary_lines(captures: Sequence[CaptureInfo], outcomes: Counter[Outcome]) -> list[str]:
    """What was captured, and how the tasks ended."""
    lines = []
    for info in captures:
        since = f"  since {clock(info.first)[:8]} {zone(info.first)}" if info.first is not None else ""
        lines.append(f"{escape(info.file)}  {count(info.packets, 'packet')} ({info.tcp_segments} TCP){since}")
    lines.append(tally(outcomes))
    return lines
