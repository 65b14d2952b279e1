"""A day on one page: when tasks ran, how each job (or remote, client, cause) did, what explains most, the worst."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import nsmallest

from dissector.model import RANK, Task
from dissector.render.cells import print_cells, print_table
from dissector.render.rows import Column, TaskRow, ranges, task_row, without_date, worst
from dissector.render.terminal import Terminal
from dissector.render.text import duration, escape
from dissector.render.theme import SEVERITY_STYLES
from dissector.render.times import axis, clock, date, dated
from dissector.reports.summary import Cause, Stats, TaskFigures, TaskGroup
from dissector.wire.masking import Mask

#: Causes that are told, and tasks that are listed as the worst.
CAUSES, WORST = 3, 10
#: Groups that are shown.
TOP = 20
_MOST_SLOTS = 72
_MARGIN = 8
#: Cells for the name of a zone behind the axis.
_ZONE = 6
#: A trend within these bounds is none.
_FASTER, _SLOWER = 0.8, 1.25
_LEVELS = " ▁▂▃▄▅▆▇█"

Row = dict[str, tuple[str, str]]


class SummaryPage:
    """Keeps figures of all tasks and the rows of the worst ones, and draws them."""

    def __init__(
        self, terminal: Terminal, mask: Mask, *, group_by: str = "job", order: str = "failed", top: int = TOP
    ) -> None:
        """``order`` is a key of ``reports.summary.ORDERS``, ``top`` the number of groups that are shown."""
        self._terminal, self._mask = terminal, mask
        self._group_by, self._order, self._top = group_by, order, top
        self._summary = TaskFigures(group_by)
        self._worst: list[tuple[tuple[int, int, int], TaskRow]] = []

    def add(self, task: Task) -> None:
        self._summary.add(task)
        severity = worst(task.problems) if task.problems else None
        if severity is None:
            return
        # The worst severity first, then the longest.
        key = (RANK[severity], task.start - task.end, task.n)
        if len(self._worst) < WORST or key < self._worst[-1][0]:
            row = task_row(task, self._mask)
            self._worst = nsmallest(WORST, [*self._worst, (key, row)], key=lambda one: one[0])

    def sort(self, order: str) -> None:
        """Another order of the groups from now on."""
        self._order = order

    def regroup(self, group_by: str, tasks: Iterable[Task]) -> None:
        """The same tasks in other groups (see ``TaskFigures.regroup``)."""
        self._group_by = group_by
        self._summary.regroup(group_by, tasks)

    def draw(self, terminal: Terminal | None = None) -> None:
        """Needs at least one task; ``terminal`` takes the place of the one before."""
        self._terminal = terminal or self._terminal
        self.figures()
        self.causes(CAUSES)
        if self._worst:
            self._terminal.line()
            self._terminal.line((" the worst tasks", "title"))
            rows = [row for _, row in self._worst]
            print_table(self._terminal, rows if self._spans_days() else list(map(without_date, rows)))

    def _spans_days(self) -> bool:
        span = self._summary.span
        return span is not None and date(span[0]) != date(span[1])

    def figures(self) -> None:
        """When tasks ran, and how each group did."""
        self._time_line()
        self._groups()

    # --- when ------------------------------------------------------------------------------------------------------

    def _time_line(self) -> None:
        columns = max(min(self._terminal.width - _MARGIN - _ZONE, _MOST_SLOTS), 8)
        slots = self._summary.slots(columns)
        most, failed = max(slot.most for slot in slots), max(slot.failed for slot in slots)
        terminal = self._terminal
        terminal.line()
        terminal.line((" tasks at a time, and failed ones", "title"))
        terminal.line((f" {most:>{_MARGIN - 2}} ", "dim"), (_bars([slot.most for slot in slots]), "callback"))
        if failed:
            terminal.line((f" {failed:>{_MARGIN - 2}} ", "dim"), (_bars([slot.failed for slot in slots]), "error"))
        # The step from slot to slot leads to the end of the last one.
        first, last = slots[0].start, slots[-1].start
        end = last + (last - first) // max(len(slots) - 1, 1)
        terminal.line((" " * _MARGIN + axis(first, end, len(slots)), "dim"))

    # --- groups ----------------------------------------------------------------------------------------------------

    def _groups(self) -> None:
        groups = self._summary.groups(self._order)
        shown = groups[: self._top]
        columns = (
            Column("name", self._group_by, least=16),
            Column("tasks", "tasks", right=True),
            Column("failed", "failed", right=True),
            Column("running", "running", right=True, rank=5),
            Column("median", "median", right=True, rank=3),
            Column("p95", "p95", right=True, rank=4),
            Column("max", "max", right=True, rank=2),
            Column("delay", "callback", right=True, rank=6),
            Column("delay95", "its p95", right=True, rank=8),
            Column("delaymax", "its max", right=True, rank=7),
            Column("trend", "trend", rank=1),
        )
        self._terminal.line()
        rows = [self._row(group) for group in shown]
        texts = ({key: text for key, (text, _) in row.items()} for row in rows)
        print_cells(self._terminal, columns, texts, self._told(shown, rows))
        if len(groups) > len(shown):
            rest = len(groups) - len(shown)
            self._terminal.line((f" {rest} more; --top {len(groups)} shows all", "dim"))

    def _told(self, groups: Sequence[TaskGroup], rows: Sequence[Row]) -> Iterator[Row]:
        for group, row in zip(groups, rows, strict=True):
            self._terminal.about(group)
            yield row
        self._terminal.about(None)

    def _row(self, group: TaskGroup) -> Row:
        took, delays = Stats.of(group.took), Stats.of(group.delays)
        failed = f"{group.failed} ({group.failed_share:.0%})" if group.failed else "0"
        trend = group.trend
        return {
            "name": (escape(self._mask.text(group.name)) or "-", "title"),
            "tasks": (str(group.tasks), ""),
            "failed": (failed, "error" if group.failed else ""),
            "running": (str(group.running) if group.running else "", "info"),
            **{key: (_time(value), "") for key, value in zip(("median", "p95", "max"), took, strict=True)},
            **{key: (_time(value), "") for key, value in zip(("delay", "delay95", "delaymax"), delays, strict=True)},
            "trend": (_trend(trend), "warning" if trend is not None and trend >= _SLOWER else ""),
        }

    # --- why -------------------------------------------------------------------------------------------------------

    def causes(self, most: int | None = None) -> None:
        causes = self._summary.causes()
        if not causes:
            return
        self._terminal.line()
        self._terminal.line((" what explains most" if most is not None else " why", "title"))
        for cause in causes[:most]:
            self._terminal.about(cause)
            self._cause(cause)
        self._terminal.about(None)
        if most is not None and len(causes) > most:
            rest = len(causes) - most
            self._terminal.line(
                (f" {rest} more {'cause' if rest == 1 else 'causes'}; --group-by cause lists all", "dim")
            )

    def _cause(self, cause: Cause) -> None:
        first, count = cause.first, len(cause.tasks)
        numbers = f"{count} {'task' if count == 1 else 'tasks'} ({ranges(sorted(cause.tasks))})"
        hosts = sorted(cause.hosts)
        where = f"{hosts[0]} and {len(hosts) - 1} more" if len(hosts) > 1 else hosts[0]
        style = SEVERITY_STYLES[first.severity]
        head = [(f" {first.severity.value:<8}", style), (f"{first.code}  ", style)]
        self._terminal.block(head, f"{numbers} on {where}, {_between(cause.begin, cause.end)}")
        example = f"task {first.task.n}: " if first.task is not None else ""
        rows = (("Such as", example + first.summary), ("Cause", first.cause), ("Remedy", first.remedy))
        for word, text in rows:
            if text:
                self._terminal.block([(f"         {word:<8}", "dim")], escape(self._mask.text(text)), "", 120)


def _time(value: int | None) -> str:
    return "" if value is None else duration(value)


def _trend(ratio: float | None) -> str:
    """The later half of the tasks beside the earlier one."""
    if ratio is None or _FASTER < ratio < _SLOWER:
        return ""
    return f"slower x{ratio:.2g}" if ratio > 1 else f"faster x{1 / ratio:.2g}" if ratio else "faster"


def _between(begin: int, end: int) -> str:
    if begin == end:
        return f"at {dated(begin)}"
    return f"{dated(begin)} to {clock(end) if date(begin) == date(end) else dated(end)}"


def _bars(values: Sequence[int]) -> str:
    """A cell each; what is not nothing is seen."""
    most = max(values, default=0) or 1
    return "".join(_LEVELS[-(-value * (len(_LEVELS) - 1) // most)] for value in values)
