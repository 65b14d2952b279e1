"""The list of problems as plain text: no colours, no widths."""

from __future__ import annotations

from array import array
from bisect import insort
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dissector.model import RANK, Problem, Severity
from dissector.render.rows import ranges
from dissector.render.text import escape
from dissector.wire.masking import Mask

#: Problems shown in full that share code and cause; the tasks of the others are listed.
SHOWN_ALIKE = 3


class ProblemRow(NamedTuple):
    """A problem as text; ``others`` lists the tasks of problems alike that are not shown themselves."""

    severity: Severity
    where: str
    code: str
    summary: str
    cause: str
    remedy: str
    logs: str
    packets: str
    others: str
    #: The packets that prove it, and the number of its task (0: none), for whoever leads there.
    numbers: tuple[int, ...] = ()
    task: int = 0


class _Alike:
    """Problems of one severity, code and cause: the first few of them, and of which tasks the others are."""

    def __init__(self) -> None:
        #: By task, time, and order of arrival.
        self.first: list[tuple[int, int, int, Problem]] = []
        #: Task numbers, 0 where there is no task.
        self.others = array("Q")

    def add(self, problem: Problem, order: int, every: bool) -> None:
        insort(self.first, (_task_number(problem), problem.time, order, problem))
        if not every and len(self.first) > SHOWN_ALIKE + 1:
            self.others.append(self.first.pop()[0])

    def rows(self, mask: Mask) -> list[ProblemRow]:
        if self.others:  # of one more than is shown there is no room for a line that counts it
            self.others.append(self.first.pop()[0])
        rows = [_problem_row(problem, mask) for *_, problem in self.first]
        if self.others:
            rows[-1] = rows[-1]._replace(others=_others(rows[-1].code, self.others))
        return rows


class ProblemList:
    """The problems, the worst first; of many alike the first few, unless ``every`` is wanted.  It keeps no more than
    it shows, but for a number each."""

    def __init__(self, *, every: bool = False) -> None:
        self._every = every
        self._groups: dict[tuple[Severity, str, str], _Alike] = {}
        self._count = 0

    def add(self, problem: Problem) -> None:
        self._count += 1
        alike = self._groups.setdefault((problem.severity, problem.code, problem.cause), _Alike())
        alike.add(problem, self._count, self._every)

    def rows(self, mask: Mask) -> list[ProblemRow]:
        """Asked once, at the end."""
        groups = sorted(self._groups.items(), key=lambda item: (RANK[item[0][0]], item[1].first[0][:3]))
        return [row for _, alike in groups for row in alike.rows(mask)]


def problem_rows(problems: Iterable[Problem], mask: Mask, every: bool = False) -> list[ProblemRow]:
    found = ProblemList(every=every)
    for problem in problems:
        found.add(problem)
    return found.rows(mask)


def _others(code: str, tasks: Sequence[int]) -> str:
    numbers = sorted({number for number in tasks if number})
    where = f", {'task' if len(numbers) == 1 else 'tasks'} {ranges(numbers)}" if numbers else ""
    return f"{len(tasks)} more {code} with this cause{where}"


def _task_number(problem: Problem) -> int:
    return problem.task.n if problem.task is not None else 0


def _problem_row(problem: Problem, mask: Mask) -> ProblemRow:
    if problem.task is not None:
        where = f"task {problem.task.n}"
    elif problem.connection is not None and problem.connection.n:
        where = f"connection {problem.connection.n}"
    else:
        where = ""
    return ProblemRow(
        problem.severity,
        where,
        problem.code,
        escape(mask.text(problem.summary)),
        escape(mask.text(problem.cause)),
        escape(mask.text(problem.remedy)),
        ", ".join(problem.logs),
        ranges(problem.packets),
        "",
        problem.packets,
        _task_number(problem),
    )


def problem_summary(row: ProblemRow) -> str:
    """What happened, with the packets that prove it, in one line."""
    if not row.packets:
        return row.summary
    return f"{row.summary}  [packet{'' if row.packets.isdecimal() else 's'} {row.packets}]"
