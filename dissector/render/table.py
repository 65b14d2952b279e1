"""The table of tasks: one glance for the fleet, then the problems.  Many tasks begin with their summary, and then only
those that failed are listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf
from operator import itemgetter
from typing import NamedTuple

from dissector.model import CaptureInfo, Connection, Event, Outcome, Problem, Severity, Task
from dissector.numbers import count, verb
from dissector.render.alike import ProblemList
from dissector.render.cells import print_table
from dissector.render.problems import print_problems
from dissector.render.rows import COLUMNS, TaskRow, capture_line, no_task, tally, task_row, without_date
from dissector.render.summary import SummaryPage
from dissector.render.terminal import Terminal
from dissector.render.times import date
from dissector.reports.summary import FINE
from dissector.wire.masking import Mask

#: More tasks are many.
MANY = 50
#: Between cells, none of which has a control character.
_SEPARATOR = "\n"


class _Packed(NamedTuple):
    """A row that takes little memory: a capture of days has hundreds of thousands."""

    n: int
    cells: str
    outcome: Outcome
    worst: Severity | None


class _Rows:
    """The rows in the order of their tasks; of more than ``most`` tasks only those that failed.  ``dated`` where the
    tasks are not all of one day."""

    def __init__(self, most: float) -> None:
        self._most = most
        self._packed: list[_Packed] = []
        self.dated = True
        self.only_failed = False

    def add(self, task: Task, mask: Mask) -> None:
        if self.only_failed and task.outcome in FINE:
            return
        row = task_row(task, mask)
        self._packed.append(_Packed(task.n, _SEPARATOR.join(row.cells.values()), row.outcome, row.worst))
        if not self.only_failed and len(self._packed) > self._most:
            self.only_failed = True
            self._packed = [packed for packed in self._packed if packed.outcome not in FINE]

    def __bool__(self) -> bool:
        return bool(self._packed)

    def sort(self) -> None:
        self._packed.sort(key=itemgetter(0))

    def __iter__(self) -> Iterator[TaskRow]:
        for packed in self._packed:
            cells = dict(zip((column.key for column in COLUMNS), packed.cells.split(_SEPARATOR), strict=True))
            row = TaskRow(cells, packed.outcome, packed.worst)
            yield row if self.dated else without_date(row)


class TableView:
    """Keeps problems, figures and a row for each task, never messages nor a task with all that is known of it."""

    wants_messages = False

    def __init__(
        self, terminal: Terminal, mask: Mask, *, full: bool = False, summary: SummaryPage | None = None
    ) -> None:
        """``full``: every task and every problem; ``summary``: only that page, of any number of tasks."""
        self._terminal = terminal
        self._mask = mask
        self._full = full
        self._only_summary = summary is not None
        self._summary = summary or SummaryPage(terminal, mask)
        self._rows = _Rows(inf if full else MANY)
        self._outcomes: Counter[Outcome] = Counter()
        self._problems = ProblemList(every=full)
        #: Those of no task: of many tasks the causes are said by the summary.
        self._other_problems = ProblemList(every=full)
        self._others = 0

    def add(self, event: Event) -> None:
        if isinstance(event, Task):
            self._outcomes[event.outcome] += 1
            self._summary.add(event)
            if not self._only_summary:
                self._rows.add(event, self._mask)
        elif isinstance(event, Problem):
            alone = _alone(event)
            self._problems.add(alone)
            if event.task is None:
                self._other_problems.add(alone)
        elif isinstance(event, Connection) and event.task is None:
            self._others += 1

    def close(self, captures: Sequence[CaptureInfo], seen: int | None = None) -> None:
        terminal, number = self._terminal, self._outcomes.total()
        for info in captures:
            terminal.block([(" ", "")], capture_line(info), "dim")
        if number:
            terminal.line()
            self._tasks(captures)
            if seen is not None and seen > number:
                terminal.line()
                terminal.line((f" {number} of {count(seen, 'task')} shown", "dim"))
        else:
            terminal.line((no_task(seen), "title"))
        if self._others:
            others = f"{count(self._others, 'connection')} that {verb(self._others, 'belongs')}"
            terminal.block([(" ", "")], f"{others} to no task (-v shows what was said)", "dim")
        told = self._only_summary or self._rows.only_failed
        print_problems(terminal, (self._other_problems if told else self._problems).rows(self._mask))
        terminal.flush()

    def _tasks(self, captures: Sequence[CaptureInfo]) -> None:
        total: tuple[str, str] = (f" {tally(self._outcomes)}", "title")
        if self._only_summary:
            self._terminal.line(total)
            self._summary.draw()
            return
        self._rows.sort()
        self._rows.dated = _spans_days(captures)
        if not self._rows.only_failed:
            print_table(self._terminal, self._rows)
            if self._outcomes.total() > 1:
                self._terminal.line()
                self._terminal.line(total)
            return
        self._terminal.line(total)
        self._summary.figures()
        self._summary.causes()
        self._terminal.line()
        if not self._rows:
            self._terminal.line((" nothing failed (--full lists all tasks)", "dim"))
            return
        self._terminal.line((" what failed (--full lists all tasks)", "title"))
        print_table(self._terminal, self._rows)


def _spans_days(captures: Sequence[CaptureInfo]) -> bool:
    moments = [moment for info in captures for moment in (info.first, info.last) if moment is not None]
    return bool(moments) and date(min(moments)) != date(max(moments))


def _alone(problem: Problem) -> Problem:
    """What is shown of a problem; of its task that is the number, not its log and its connections."""
    task = problem.task
    if task is None:
        return problem
    return replace(problem, task=Task(task.start, task.first_packet, task.n), connection=None)
