"""Many tasks on one page: how each job, host or cause did, when tasks ran, and what explains most failures.

A task has failed when its outcome is none of success, running and unknown.  Its cause is the code of its first problem
of the worst severity.  Times in nanoseconds.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dissector.model import RANK, Outcome, Problem, Severity, Task

FINE = (Outcome.SUCCESS, Outcome.RUNNING, Outcome.UNKNOWN)
#: Tasks of a group from which on a trend is told: the later half beside the earlier one.
LEAST_FOR_TREND = 10
#: What a group can be of, and the text that names it for a task.
GROUPS: dict[str, Callable[[Task], str]] = {
    "job": lambda task: task.job or "",
    "remote": lambda task: str(task.remote or ""),
    "client": lambda task: task.client.ip if task.client is not None else "",
    "cause": lambda task: cause_of(task),
    "outcome": lambda task: task.outcome.value,
}


def has_failed(task: Task) -> bool:
    return task.outcome not in FINE


def cause_of(task: Task) -> str:
    """The code; empty without a problem."""
    return min(task.problems, key=lambda problem: RANK[problem.severity]).code if task.problems else ""


def percentile(ordered: Sequence[int], share: float) -> int | None:
    """The smallest value that at least ``share`` of them do not exceed (nearest rank); None of none."""
    return ordered[max(-int(-share * len(ordered) // 1) - 1, 0)] if ordered else None


@dataclass
class TaskGroup:
    """Tasks with something in common; durations of ended ones and callback delays, in the order of their ends."""

    name: str
    tasks: int = 0
    failed: int = 0
    running: int = 0
    took: array[int] = field(default_factory=lambda: array("q"))
    delays: array[int] = field(default_factory=lambda: array("q"))

    def add(self, task: Task) -> None:
        self.tasks += 1
        if task.outcome is Outcome.RUNNING:
            self.running += 1
        else:
            self.failed += has_failed(task)
            if task.end:
                self.took.append(max(task.end - task.start, 0))
        if task.callback_delay is not None:
            self.delays.append(task.callback_delay)

    @property
    def failed_share(self) -> float:
        return self.failed / self.tasks if self.tasks else 0.0

    @property
    def trend(self) -> float | None:
        """Median duration of the later half beside that of the earlier one: 2 is twice as slow; None of too few."""
        if len(self.took) < LEAST_FOR_TREND:
            return None
        middle = len(self.took) // 2
        earlier, later = (percentile(sorted(half), 0.5) for half in (self.took[:middle], self.took[middle:]))
        return later / earlier if earlier and later is not None else None


class Stats(NamedTuple):
    """Of durations: None where none is known."""

    median: int | None
    p95: int | None
    most: int | None

    @classmethod
    def of(cls, values: Iterable[int]) -> Stats:
        ordered = sorted(values)
        return cls(percentile(ordered, 0.5), percentile(ordered, 0.95), ordered[-1] if ordered else None)


#: What groups can be in the order of.
ORDERS: dict[str, Callable[[TaskGroup], float]] = {
    "failed": lambda group: group.failed,
    "count": lambda group: group.tasks,
    "median": lambda group: Stats.of(group.took).median or 0,
    "p95": lambda group: Stats.of(group.took).p95 or 0,
    "max": lambda group: max(group.took, default=0),
}


@dataclass
class Cause:
    """Problems alike of tasks: ``first`` stands for all of them."""

    first: Problem
    tasks: dict[int, None] = field(default_factory=dict)
    hosts: dict[str, None] = field(default_factory=dict)
    begin: int = 0
    end: int = 0

    def add(self, problem: Problem, task: Task) -> None:
        self.tasks[task.n] = None
        self.hosts[str(task.remote or task.client or "")] = None
        self.begin = min(self.begin or problem.time, problem.time)
        self.end = max(self.end, problem.time)


class Slot(NamedTuple):
    """A stretch of time: the most tasks at a time in it, and how many tasks ended badly in it."""

    start: int
    most: int
    failed: int


class TaskFigures:
    """Takes tasks one by one and keeps figures of them, about 100 bytes each."""

    def __init__(self, group_by: str = "job") -> None:
        """:raises KeyError: there is no such group (``GROUPS``)"""
        self._name = GROUPS[group_by]
        self._groups: dict[str, TaskGroup] = {}
        self._causes: dict[tuple[str, str], Cause] = {}
        self._starts, self._ends, self._failed_at = array("q"), array("q"), array("q")

    def add(self, task: Task) -> None:
        self._group(task)
        end = task.end or task.start
        self._starts.append(task.start)
        self._ends.append(end)
        if has_failed(task):
            self._failed_at.append(end)
        for problem in task.problems:
            if problem.severity is not Severity.INFO:
                key = (problem.code, problem.cause)
                cause = self._causes.get(key)
                if cause is None:
                    cause = self._causes[key] = Cause(problem)
                cause.add(problem, task)

    def _group(self, task: Task) -> None:
        name = self._name(task)
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = TaskGroup(name)
        group.add(task)

    def regroup(self, group_by: str, tasks: Iterable[Task]) -> None:
        """Other groups of ``tasks``, which are those that were added: the rest stays as it is.

        :raises KeyError: there is no such group (``GROUPS``)
        """
        self._name, self._groups = GROUPS[group_by], {}
        for task in tasks:
            self._group(task)

    def groups(self, order: str = "failed") -> list[TaskGroup]:
        """The most of ``order`` first: failed, count, median, p95 or max; equal ones by name."""
        key = ORDERS[order]
        return sorted(self._groups.values(), key=lambda group: (-key(group), group.name))

    def causes(self) -> list[Cause]:
        """Errors before warnings, those of the most tasks first."""
        return sorted(self._causes.values(), key=lambda one: (RANK[one.first.severity], -len(one.tasks), one.begin))

    @property
    def span(self) -> tuple[int, int] | None:
        """The first start and the last end."""
        return (min(self._starts), max(self._ends)) if self._starts else None

    def slots(self, count: int) -> list[Slot]:
        """The time from the first start to the last end, in ``count`` equal parts."""
        if self.span is None:
            return []
        first, last = self.span
        step = (last - first + 1) // count + 1
        failed = [0] * count
        for moment in self._failed_at:
            failed[(moment - first) // step] += 1
        most = self._most(first, step, count)
        return [Slot(first + at * step, most[at], failed[at]) for at in range(count)]

    def _most(self, first: int, step: int, count: int) -> list[int]:
        """The most tasks at a time in each slot: those that came in with it, and what starts in it."""
        most = [0] * count
        slot, border, level, peak = 0, 2 * (first + step), 0, 0
        for change in self._changes():
            if change >= border:
                most[slot], peak = peak, level
                until = (change // 2 - first) // step
                most[slot + 1 : until] = [level] * (until - slot - 1)
                slot, border = until, 2 * (first + (until + 1) * step)
            if change & 1:
                level += 1
                peak = max(peak, level)
            else:
                level -= 1
        most[slot] = peak
        return most

    def _changes(self) -> list[int]:
        """Twice the moments, in order: odd ones where a task starts, even ones where one ends, which goes first.  A
        task that took no time is seen.  Numbers that come nearly in order are sorted much faster than pairs."""
        ends = [2 * (end if end > start else start + 1) for start, end in zip(self._starts, self._ends, strict=True)]
        return sorted([*(2 * start + 1 for start in self._starts), *ends])
