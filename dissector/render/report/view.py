"""Gathers what a report shows, bounded for captures of a day, and writes the page at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from dissector.model import RANK, CaptureInfo, Event, Outcome, Problem, Severity, Task
from dissector.render.alike import ProblemList
from dissector.render.by_task import EventsByTask
from dissector.render.report.html import render
from dissector.render.report.page import (
    Card,
    FiguresTable,
    GroupRow,
    Link,
    PacketRows,
    Section,
    TableRow,
    card,
    section,
    task_id,
)
from dissector.render.report.words import WORDS
from dissector.render.rows import COLUMNS, TaskRow, capture_line, no_task, tally, task_row
from dissector.render.text import duration, escape
from dissector.reports.summary import Stats, TaskFigures, TaskGroup, cause_of, has_failed
from dissector.wire.masking import Mask

#: Of so few tasks all have a ladder.
FEW = 10
#: Ladders of tasks that have a problem alike (the same cause), and of all tasks that nobody chose.
LADDERS_ALIKE, LADDERS = 5, 100
#: Rows of tasks; of more those that failed come first.
MAX_ROWS = 10_000
#: Kinds of problems, and groups, that are told.
MAX_CARDS, MAX_GROUPS = 60, 50

REDACTED = (
    "Redacted: addresses, secrets and all texts that are not the protocol's own stand for others. Packets are numbered "
    "as in the copy that jstrace redact --all-text makes of the capture."
)


class Content(NamedTuple):
    """The page.  ``remarks``: what it does not show, in words."""

    title: str
    captures: tuple[str, ...]
    verdict: str
    severity: str
    cards: tuple[Card, ...]
    groups: tuple[GroupRow, ...]
    headings: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[TableRow, ...]
    sections: tuple[Section, ...]
    remarks: tuple[str, ...]
    words: tuple[tuple[str, str], ...]
    tables: tuple[FiguresTable, ...] = ()


class ReportView:
    """``chosen``: all tasks that come were chosen by the user, so each has its ladder.  ``redacted``: the captures are
    copies without texts and addresses, and their names are not told either."""

    wants_messages = True

    def __init__(
        self, write: Callable[[str], object], mask: Mask, *, chosen: bool = False, redacted: bool = False
    ) -> None:
        self._write, self._mask, self._chosen, self._redacted = write, mask, chosen, redacted
        self._all = EventsByTask()
        self._problems = ProblemList()
        self._figures = TaskFigures()
        self._outcomes: Counter[Outcome] = Counter()
        self._severities: set[Severity] = set()
        self._causes: Counter[str] = Counter()
        #: Rows of tasks that failed, and of the others.
        self._failed: list[TaskRow] = []
        self._fine: list[TaskRow] = []
        #: Tasks with a ladder; those that have one only where there are few in all.
        self._drawn: list[Task] = []
        self._spare: list[Task] = []

    def add(self, event: Event) -> None:
        if isinstance(event, Problem):
            self._problems.add(event)
            self._severities.add(event.severity)
        if isinstance(event, Task):
            self._task(event)
        elif event.task is not None:  # what belongs to no task is told by its problems alone
            self._all.add(event)

    def _task(self, task: Task) -> None:
        self._outcomes[task.outcome] += 1
        self._figures.add(task)
        rows = self._failed if _is_bad(task) else self._fine
        if len(rows) < MAX_ROWS:
            rows.append(task_row(task, self._mask))
        if self._wants_ladder(task):
            self._drawn.append(task)
            self._all.add(task)
        elif len(self._spare) < FEW:
            self._spare.append(task)
            self._all.add(task)
        else:
            self._all.forget(task)

    def _wants_ladder(self, task: Task) -> bool:
        if self._chosen:
            return len(self._drawn) < LADDERS
        if not _is_bad(task):
            return False
        cause = cause_of(task)
        self._causes[cause] += 1
        return self._causes[cause] <= LADDERS_ALIKE and len(self._drawn) < LADDERS

    def close(self, captures: Sequence[CaptureInfo], seen: int | None = None) -> None:
        """Writes the page."""
        count = sum(self._outcomes.values())
        drawn = self._drawn + (self._spare if count <= FEW else [])
        wanted = {id(task) for task in drawn}
        sections: list[Section] = []
        places: dict[int, PacketRows] = {}
        for task, conversation in self._all.tasks():
            if id(task) in wanted:
                one, places[task.n] = section(task, conversation, self._mask, alone=count == 1)
                sections.append(one)
        problems = self._problems.rows(self._mask)
        rows = sorted([*self._failed, *self._fine][:MAX_ROWS], key=lambda row: int(row.cells["n"]))
        columns = [column for column in COLUMNS if any(row.cells[column.key] for row in rows)]
        remarks = [*self._left_out(count, len(rows), len(sections), len(problems)), *([REDACTED] * self._redacted)]
        content = Content(
            self._title(sections, captures),
            tuple(capture_line(info) for info in self._named(captures)),
            tally(self._outcomes) if count else no_task(seen).strip(),
            _severity(self._severities, self._outcomes),
            tuple(card(row, places) for row in problems[:MAX_CARDS]),
            tuple(self._groups()) if count > 1 else (),
            tuple(column.heading for column in columns),
            tuple(column.right for column in columns),
            tuple(_table_row(row, [column.key for column in columns], places) for row in rows if count > 1),
            tuple(sections),
            tuple(remarks),
            WORDS,
        )
        self._write(render(content))

    def _title(self, sections: Sequence[Section], captures: Sequence[CaptureInfo]) -> str:
        if len(sections) == 1 and sum(self._outcomes.values()) == 1:
            return sections[0].title
        names = [escape(info.file) for info in self._named(captures)]
        return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else "".join(names)

    def _named(self, captures: Sequence[CaptureInfo]) -> Iterator[CaptureInfo]:
        for number, info in enumerate(captures, 1):
            yield replace(info, file=f"capture {number}") if self._redacted else info

    def _groups(self) -> Iterator[GroupRow]:
        for group in self._figures.groups()[:MAX_GROUPS]:
            yield _group_row(group, escape(self._mask.text(group.name)) or "-")

    def _left_out(self, tasks: int, rows: int, ladders: int, problems: int) -> Iterator[str]:
        bad = sum(self._causes.values())
        if not self._chosen and tasks > FEW and tasks > ladders:
            some = f"the first {LADDERS_ALIKE} of each cause, {LADDERS} at most"
            of = f" of {bad} tasks with problems ({some})" if bad > ladders else " of all tasks with problems"
            yield f"Ladders: {ladders}{of}. jstrace report FILE --task N makes a report of any other one."
        elif tasks > ladders:
            yield f"Ladders: {ladders} of {tasks} tasks, which is the most that one report has."
        if tasks > rows:
            yield f"Rows: {rows} of {tasks} tasks, those with problems first. jstrace read FILE --format csv has all."
        if problems > MAX_CARDS:
            yield f"Problems: the worst {MAX_CARDS} of {problems}. jstrace read FILE lists all."
        if (groups := len(self._figures.groups())) > MAX_GROUPS and tasks > 1:
            yield f"Jobs: {MAX_GROUPS} of {groups}. jstrace read FILE --summary --top {groups} lists all."


def _is_bad(task: Task) -> bool:
    return has_failed(task) or any(problem.severity is not Severity.INFO for problem in task.problems)


def _severity(found: set[Severity], outcomes: Counter[Outcome]) -> str:
    """What the verdict is coloured by."""
    worst = min(found, key=RANK.__getitem__, default=Severity.INFO)
    if worst is not Severity.INFO:
        return str(worst.value)
    return "good" if set(outcomes) == {Outcome.SUCCESS} else "info"


def _table_row(row: TaskRow, keys: Sequence[str], places: dict[int, PacketRows]) -> TableRow:
    number = int(row.cells["n"])
    link = Link(str(number), task_id(number) if number in places else "")
    severity = row.worst.value if row.worst is not None else ""
    return TableRow(link, tuple(row.cells[key] for key in keys[1:]), row.outcome.value, severity)


def _group_row(group: TaskGroup, name: str) -> GroupRow:
    took, delays = Stats.of(group.took), Stats.of(group.delays)
    times = ("" if value is None else duration(value) for value in (*took, delays.median))
    failed = f"{group.failed} ({group.failed_share:.0%})" if group.failed else "0"
    return GroupRow(name, group.tasks, failed, group.running, *times)
