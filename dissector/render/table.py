"""The table of tasks: one glance for the fleet, then the problems.  Fits any width by leaving out what tells least."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from dissector.model import CaptureInfo, Connection, Event, Outcome, Problem, Severity, Task
from dissector.render.alike import ProblemList
from dissector.render.problems import print_problems
from dissector.render.rows import (
    COLUMNS,
    Column,
    TaskRow,
    capture_line,
    no_task,
    tally,
    task_row,
    without_date,
)
from dissector.render.terminal import StyledText, Terminal, clip
from dissector.render.theme import OUTCOME_STYLES, SEVERITY_STYLES
from dissector.render.times import date
from dissector.wire.masking import Mask

_GAP = 2
#: Between cells, none of which has a control character.
_SEPARATOR = "\n"


class _Rows:
    """The rows in the order of their tasks, each packed into one text: a capture of days has hundreds of thousands.
    ``dated`` where the tasks are not all of one day."""

    def __init__(self) -> None:
        self._packed: list[str] = []
        self.dated = True

    def __len__(self) -> int:
        return len(self._packed)

    def add(self, row: TaskRow) -> None:
        worst = "" if row.worst is None else row.worst.value
        self._packed.append(_SEPARATOR.join((*row.cells.values(), row.outcome.value, worst)))

    def sort(self) -> None:
        """By the number, which is the first cell."""
        self._packed.sort(key=lambda packed: int(packed.partition(_SEPARATOR)[0]))

    def __iter__(self) -> Iterator[TaskRow]:
        for packed in self._packed:
            *cells, outcome, worst = packed.split(_SEPARATOR)
            found = dict(zip((column.key for column in COLUMNS), cells, strict=True))
            row = TaskRow(found, Outcome(outcome), Severity(worst) if worst else None)
            yield row if self.dated else without_date(row)


class TableView:
    """Keeps problems and a row for each task, never messages nor a task with all that is known of it."""

    wants_messages = False

    def __init__(self, terminal: Terminal, mask: Mask, *, full: bool = False) -> None:
        self._terminal = terminal
        self._mask = mask
        self._rows = _Rows()
        self._outcomes: Counter[Outcome] = Counter()
        self._problems = ProblemList(every=full)
        self._others = 0

    def add(self, event: Event) -> None:
        if isinstance(event, Task):
            self._rows.add(task_row(event, self._mask))
            self._outcomes[event.outcome] += 1
        elif isinstance(event, Problem):
            self._problems.add(_alone(event))
        elif isinstance(event, Connection) and event.task is None:
            self._others += 1

    def close(self, captures: Sequence[CaptureInfo], seen: int | None = None) -> None:
        terminal = self._terminal
        for info in captures:
            terminal.block([(" ", "")], capture_line(info), "dim")
        if self._rows:
            terminal.line()
            self._rows.sort()
            self._rows.dated = _spans_days(captures)
            print_table(terminal, self._rows)
            if len(self._rows) > 1:
                terminal.line()
                terminal.line((f" {tally(self._outcomes)}", "title"))
            if seen is not None and seen > len(self._rows):
                terminal.line()
                terminal.line((f" {len(self._rows)} of {seen} tasks shown", "dim"))
        else:
            terminal.line((no_task(seen), "title"))
        if self._others:
            what = "connection that belongs" if self._others == 1 else "connections that belong"
            terminal.block([(" ", "")], f"{self._others} {what} to no task (-v shows what was said)", "dim")
        print_problems(terminal, self._problems.rows(self._mask))
        terminal.flush()


def _spans_days(captures: Sequence[CaptureInfo]) -> bool:
    moments = [moment for info in captures for moment in (info.first, info.last) if moment is not None]
    return bool(moments) and date(min(moments)) != date(max(moments))


def _alone(problem: Problem) -> Problem:
    """What is shown of a problem; of its task that is the number, not its log and its connections."""
    task = problem.task
    if task is None:
        return problem
    return replace(problem, task=Task(task.start, task.first_packet, task.n), connection=None)


def print_table(terminal: Terminal, rows: Iterable[TaskRow]) -> None:
    """``rows`` are gone through twice."""
    widths = column_widths(widest(row.cells for row in rows), terminal.width if terminal.fixed else None)
    terminal.line(*row_spans(widths, None))
    for row in rows:
        terminal.line(*row_spans(widths, row))


def row_spans(widths: dict[Column, int], row: TaskRow | None) -> list[StyledText]:
    """One line of the table; without a row the headings."""
    if row is None:
        return [(" ", ""), *_line(widths, {column: (column.heading, "heading") for column in widths})]
    return [(" ", ""), *_line(widths, {column: (row.cells[column.key], _style(row, column)) for column in widths})]


def _style(row: TaskRow, column: Column) -> str:
    if column.key == "outcome":
        return OUTCOME_STYLES[row.outcome]
    if column.key == "problems" and row.worst is not None:
        return SEVERITY_STYLES[row.worst]
    return "title" if column.key in ("n", "job") else ""


def _line(widths: dict[Column, int], cells: dict[Column, StyledText]) -> list[StyledText]:
    spans: list[StyledText] = []
    for column, width in widths.items():
        text, style = cells[column]
        text = clip(text, width)
        spans.append((text.rjust(width) if column.right else text.ljust(width), style))
        spans.append((" " * _GAP, ""))
    return spans[:-1]


def widest(rows: Iterable[Mapping[str, str]]) -> dict[str, int]:
    """How many cells the longest text of each column takes."""
    found = dict.fromkeys((column.key for column in COLUMNS), 0)
    for cells in rows:
        for key, text in cells.items():
            if len(text) > found[key]:
                found[key] = len(text)
    return found


def column_widths(needed: Mapping[str, int], width: int | None) -> dict[Column, int]:
    """The columns that fit into ``width`` cells (None: all, unshortened) and how wide each is; ``needed`` are cells by
    the columns' keys.

    Columns that are empty in every row are left out.  Shortening comes before leaving out.
    """
    natural = {column: max(len(column.heading), needed[column.key]) for column in COLUMNS if needed[column.key]}
    if width is None:
        return natural
    while (missing := _total(natural) - width) > 0:
        slack = {column: natural[column] - column.least for column in natural if column.least < natural[column]}
        slack = {column: cells for column, cells in slack.items() if column.least}
        if sum(slack.values()) >= missing or all(column.rank == 0 for column in natural):
            return _shorten(natural, slack, missing)
        del natural[max(natural, key=lambda column: column.rank)]
    return natural


def _total(widths: dict[Column, int]) -> int:
    return 1 + sum(widths.values()) + _GAP * (len(widths) - 1)


def _shorten(widths: dict[Column, int], slack: dict[Column, int], missing: int) -> dict[Column, int]:
    """Take ``missing`` cells where most is left; where that is not enough, from the widest column."""
    widths, slack = dict(widths), dict(slack)
    for _ in range(missing):
        if any(slack.values()):
            column = max(slack, key=lambda one: slack[one])
            slack[column] -= 1
        else:
            column = max(widths, key=lambda one: widths[one])
        widths[column] = max(widths[column] - 1, 1)
    return widths
